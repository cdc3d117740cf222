"""The database itself refuses to change what a plan says, or to remove one; only which one is published changes."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION scheduling_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (to_jsonb(NEW) - '{is_published,published_at,published_by}'::text[])
                          = (to_jsonb(OLD) - '{is_published,published_at,published_by}'::text[]) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A plan is never changed or removed; make another one.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER plan_does_not_change BEFORE UPDATE OR DELETE ON scheduling_plan
    FOR EACH ROW EXECUTE FUNCTION scheduling_refuse_change();
"""
BACKWARDS = """
DROP TRIGGER plan_does_not_change ON scheduling_plan;
DROP FUNCTION scheduling_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
