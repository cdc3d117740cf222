"""The database itself refuses to change or remove an audit record."""

from django.db import migrations

FORWARDS = """
CREATE FUNCTION kernel_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'An audit record is never changed or removed.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON kernel_auditrecord
    FOR EACH ROW EXECUTE FUNCTION kernel_refuse_audit_change();
"""
BACKWARDS = """
DROP TRIGGER audit_is_append_only ON kernel_auditrecord;
DROP FUNCTION kernel_refuse_audit_change();
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial")]
    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
