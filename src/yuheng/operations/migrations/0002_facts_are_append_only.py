"""The database itself refuses to change or remove a job response or a stock movement."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION operations_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'What the floor reported is never changed or removed; correct it with a new row.'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER job_response_is_append_only BEFORE UPDATE OR DELETE ON operations_jobresponse
    FOR EACH ROW EXECUTE FUNCTION operations_refuse_change();
CREATE TRIGGER stock_movement_is_append_only BEFORE UPDATE OR DELETE ON operations_stockmovement
    FOR EACH ROW EXECUTE FUNCTION operations_refuse_change();
"""
BACKWARDS = """
DROP TRIGGER stock_movement_is_append_only ON operations_stockmovement;
DROP TRIGGER job_response_is_append_only ON operations_jobresponse;
DROP FUNCTION operations_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("operations", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
