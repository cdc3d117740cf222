"""The database itself refuses to change or remove a line of the alarm journal."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION alarms_refuse_journal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A line of the alarm journal is never changed or removed.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER alarm_journal_is_append_only BEFORE UPDATE OR DELETE ON alarms_alarmjournal
    FOR EACH ROW EXECUTE FUNCTION alarms_refuse_journal_change();
"""
BACKWARDS = """
DROP TRIGGER alarm_journal_is_append_only ON alarms_alarmjournal;
DROP FUNCTION alarms_refuse_journal_change();
"""


class Migration(migrations.Migration):
    dependencies = [("alarms", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
