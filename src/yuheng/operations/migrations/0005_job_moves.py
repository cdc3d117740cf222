"""The log of job orders, written by the database: no path to a job order, present or future, can go around it."""

import django.db.models.deletion
from django.db import migrations, models

FORWARDS = """
CREATE FUNCTION operations_log_new_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made timestamptz := NEW.changed_at;
    is_begun boolean := NEW.actual_start IS NOT NULL
        OR NEW.state NOT IN ('not_allowed_to_start', 'allowed_to_start');
    first_place text := CASE WHEN NEW.state = 'not_allowed_to_start' THEN 'held'
        WHEN NEW.state = 'allowed_to_start' AND NEW.substate = 'waiting' THEN 'waiting' ELSE 'ready' END;
BEGIN
    IF is_begun THEN  -- it comes from elsewhere with its history: it was there when its request was released
        SELECT LEAST(NEW.changed_at, released_at, NEW.actual_start) INTO made
            FROM operations_operationsrequest WHERE id = NEW.request_id;
    END IF;
    INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
        VALUES (NEW.site_id, NEW.id, first_place, made, NEW.changed_at, NEW.work_unit_id, NEW.setup_s + NEW.run_s,
                left(NEW.hold_reason, 80));
    IF NEW.actual_start IS NOT NULL THEN
        INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
            VALUES (NEW.site_id, NEW.id, 'started', NEW.actual_start, NEW.changed_at, NEW.work_unit_id,
                    NEW.setup_s + NEW.run_s, '');
    END IF;
    IF NEW.state IN ('ended', 'aborted', 'cancelled') THEN
        INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
            VALUES (NEW.site_id, NEW.id, NEW.state, COALESCE(NEW.actual_end, NEW.changed_at), NEW.changed_at,
                    NEW.work_unit_id, NEW.setup_s + NEW.run_s, left(NEW.hold_reason, 80));
    END IF;
    INSERT INTO operations_touchedjob (job_order_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION operations_log_changed_job() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    there text;
BEGIN
    IF NEW.state IN ('not_allowed_to_start', 'allowed_to_start') THEN
        there := CASE WHEN NEW.state = 'not_allowed_to_start' THEN 'held'
            WHEN NEW.substate = 'waiting' THEN 'waiting' ELSE 'ready' END;
    ELSIF NEW.state = 'cancelled' AND OLD.state <> 'cancelled' THEN
        there := 'cancelled';
    ELSIF NEW.state = 'interrupted' AND OLD.state = 'interrupted' AND NEW.substate <> OLD.substate THEN
        there := CASE WHEN NEW.substate = 'suspended' THEN 'suspended' ELSE 'paused' END;
    ELSIF NEW.state = OLD.state AND NEW.state IN ('running', 'interrupted') THEN
        there := 'changed';
    ELSE
        RETURN NULL;  -- its job response says it, with the time at which it happened
    END IF;
    INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
        VALUES (NEW.site_id, NEW.id, there, NEW.changed_at, NEW.changed_at, NEW.work_unit_id,
                NEW.setup_s + NEW.run_s, left(NEW.hold_reason, 80));
    INSERT INTO operations_touchedjob (job_order_id) VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION operations_log_response() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind NOT IN ('consumed', 'quantity', 'correction') THEN
        INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
            SELECT NEW.site_id, NEW.job_order_id,
                   CASE WHEN NEW.kind = 'finished' THEN 'ended'
                        WHEN NEW.kind = 'paused' AND NEW.data ? 'hold' THEN 'suspended' ELSE NEW.kind END,
                   NEW.at, NEW.recorded_at, COALESCE(job.work_unit_id, NEW.work_unit_id), job.setup_s + job.run_s,
                   NEW.reason
            FROM operations_joborder job WHERE job.id = NEW.job_order_id;
    END IF;
    INSERT INTO operations_touchedjob (job_order_id) VALUES (NEW.job_order_id);
    RETURN NULL;
END $$;
INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
    SELECT job.site_id, job.id, CASE WHEN EXISTS (
               SELECT 1 FROM operations_jobdependency link WHERE link.after_id = job.id) THEN 'waiting' ELSE 'ready' END,
           LEAST(job.changed_at, request.released_at, job.actual_start), job.changed_at, job.work_unit_id,
           job.setup_s + job.run_s, ''
    FROM operations_joborder job JOIN operations_operationsrequest request ON request.id = job.request_id;
INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
    SELECT job.site_id, job.id, 'ready', LEAST(last.done, job.actual_start), job.changed_at, job.work_unit_id,
           job.setup_s + job.run_s, ''
    FROM operations_joborder job
    JOIN LATERAL (SELECT max(before.actual_end) AS done, bool_and(before.actual_end IS NOT NULL) AS are_done
                  FROM operations_jobdependency link JOIN operations_joborder before ON before.id = link.before_id
                  WHERE link.after_id = job.id) last ON last.done IS NOT NULL AND last.are_done;
INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
    SELECT told.site_id, told.job_order_id,
           CASE WHEN told.kind = 'finished' THEN 'ended'
                WHEN told.kind = 'paused' AND told.data ? 'hold' THEN 'suspended' ELSE told.kind END,
           told.at, told.recorded_at, COALESCE(job.work_unit_id, told.work_unit_id), job.setup_s + job.run_s,
           told.reason
    FROM operations_jobresponse told JOIN operations_joborder job ON job.id = told.job_order_id
    WHERE told.kind IN ('started', 'set_up', 'paused', 'resumed', 'finished', 'aborted') ORDER BY told.id;
INSERT INTO operations_jobmove (site_id, job_order_id, what, at, recorded_at, work_unit_id, work_s, reason)
    SELECT job.site_id, job.id,
           CASE WHEN job.state = 'not_allowed_to_start' THEN 'held' WHEN job.state <> 'allowed_to_start' THEN job.state
                WHEN job.substate = 'waiting' THEN 'waiting' ELSE 'ready' END,
           COALESCE(job.actual_end, job.changed_at), job.changed_at, job.work_unit_id, job.setup_s + job.run_s,
           left(job.hold_reason, 80)
    FROM operations_joborder job
    WHERE job.state IN ('not_allowed_to_start', 'allowed_to_start', 'cancelled', 'ended', 'aborted');
INSERT INTO operations_touchedjob (job_order_id) SELECT id FROM operations_joborder ORDER BY id;
CREATE TRIGGER job_move_is_append_only BEFORE UPDATE OR DELETE ON operations_jobmove
    FOR EACH ROW EXECUTE FUNCTION operations_refuse_change();
CREATE TRIGGER new_job_order_is_logged AFTER INSERT ON operations_joborder
    FOR EACH ROW EXECUTE FUNCTION operations_log_new_job();
CREATE TRIGGER changed_job_order_is_logged
    AFTER UPDATE OF state, substate, work_unit_id, setup_s, run_s ON operations_joborder
    FOR EACH ROW WHEN (
        (OLD.state, OLD.substate, OLD.work_unit_id, OLD.setup_s, OLD.run_s)
        IS DISTINCT FROM (NEW.state, NEW.substate, NEW.work_unit_id, NEW.setup_s, NEW.run_s)
    ) EXECUTE FUNCTION operations_log_changed_job();
CREATE TRIGGER job_response_is_logged AFTER INSERT ON operations_jobresponse
    FOR EACH ROW WHEN (NEW.kind IN ('started', 'set_up', 'paused', 'resumed', 'finished', 'aborted', 'consumed',
                                    'correction'))
    EXECUTE FUNCTION operations_log_response();
"""
BACKWARDS = """
DROP TRIGGER job_response_is_logged ON operations_jobresponse;
DROP TRIGGER changed_job_order_is_logged ON operations_joborder;
DROP TRIGGER new_job_order_is_logged ON operations_joborder;
DROP TRIGGER job_move_is_append_only ON operations_jobmove;
DROP FUNCTION operations_log_response();
DROP FUNCTION operations_log_changed_job();
DROP FUNCTION operations_log_new_job();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("equipment", "0002_calendar_exceptions_and_pictures"),
        ("kernel", "0003_audit_is_searched"),
        ("operations", "0004_signals"),
    ]

    operations = [
        migrations.CreateModel(
            name="TouchedJob",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job_order_id", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="JobMove",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("waiting", "WAITING"),
                            ("ready", "READY"),
                            ("held", "HELD"),
                            ("started", "STARTED"),
                            ("set_up", "SET_UP"),
                            ("paused", "PAUSED"),
                            ("suspended", "SUSPENDED"),
                            ("resumed", "RESUMED"),
                            ("changed", "CHANGED"),
                            ("ended", "ENDED"),
                            ("aborted", "ABORTED"),
                            ("cancelled", "CANCELLED"),
                        ],
                        max_length=12,
                    ),
                ),
                ("at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                ("work_s", models.FloatField(default=0.0)),
                ("reason", models.CharField(blank=True, default="", max_length=80)),
                (
                    "job_order",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="operations.joborder",
                    ),
                ),
                (
                    "site",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="kernel.site"),
                ),
                (
                    "work_unit",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="equipment.workunit",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [models.Index(fields=["job_order", "id"], name="job_move_of_job")],
            },
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
