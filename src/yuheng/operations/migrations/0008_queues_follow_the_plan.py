"""Queues and dispatch lists follow the published plan: since when a job order has a place, and its turn by that."""

from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When

OPEN = Q(state__in=["allowed_to_start", "interrupted", "not_allowed_to_start", "running"])
INDEXES = (
    ("job_order_of_unit", "work_unit", OPEN),
    ("job_order_unassigned", "equipment_class", OPEN & Q(work_unit__isnull=True)),
    ("job_order_open", "site", OPEN),
)


class Migration(migrations.Migration):

    dependencies = [
        ("equipment", "0002_calendar_exceptions_and_pictures"),
        ("operations", "0007_files_of_orders"),
    ]

    operations = [
        migrations.AddField(
            model_name="joborder", name="placed_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            model_name="joborder",
            name="turn",
            field=models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(placed_at__isnull=False, then=Value(1)), When(rank=0, then=Value(0)),
                    default=F("rank") + Value(2),
                ),
                output_field=models.IntegerField(),
            ),
        ),
        migrations.AddField(
            model_name="joborder",
            name="turn_at",
            field=models.GeneratedField(
                db_persist=True,
                expression=Case(When(placed_at__isnull=False, then=F("planned_start")), default=F("due_at")),
                output_field=models.DateTimeField(),
            ),
        ),
        *(migrations.RemoveIndex(model_name="joborder", name=name) for name, _column, _condition in INDEXES),
        *(
            migrations.AddIndex(
                model_name="joborder",
                index=models.Index(fields=[column, "turn", "turn_at", "id"], condition=condition, name=name),
            )
            for name, column, condition in INDEXES
        ),
    ]
