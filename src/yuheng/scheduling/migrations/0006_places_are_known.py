"""What the plan that holds has placed is told to the job orders, so that queues follow it from the start."""

from django.db import migrations

TELL = """
UPDATE operations_joborder j SET placed_at = p.published_at
FROM scheduling_plan p
WHERE p.is_published AND j.site_id = p.site_id AND j.id = ANY(p.job_order_ids)
  AND j.state IN ('allowed_to_start', 'not_allowed_to_start')
"""


class Migration(migrations.Migration):

    dependencies = [
        ("operations", "0008_queues_follow_the_plan"),
        ("scheduling", "0005_new_work_is_placed"),
    ]

    operations = [migrations.RunSQL(TELL, migrations.RunSQL.noop)]
