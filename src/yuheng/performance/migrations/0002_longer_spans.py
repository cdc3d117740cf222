"""Sums of five spans of time instead of two; they are counted anew from the log, by the worker, soon after this."""

from django.db import migrations, models

ANEW = """
DELETE FROM performance_flowtally;
DELETE FROM performance_jobstage;
INSERT INTO operations_touchedjob (job_order_id) SELECT id FROM operations_joborder ORDER BY id;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0006_documents"),
        ("performance", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(ANEW, ANEW),
        migrations.RemoveConstraint(model_name="flowtally", name="one_flow_tally_per_time_place_and_stage"),
        migrations.RemoveField(model_name="flowtally", name="is_day"),
        migrations.AddField(
            model_name="flowtally", name="span_s", field=models.PositiveIntegerField(default=900)
        ),
        migrations.AddConstraint(
            model_name="flowtally",
            constraint=models.UniqueConstraint(
                fields=("site", "span_s", "at", "stage", "work_center", "equipment_class"),
                name="one_flow_tally_per_time_place_and_stage",
                nulls_distinct=False,
            ),
        ),
    ]
