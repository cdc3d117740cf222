"""Indexes of the audit trail that end in its key, and one of the words in it.

The text search knows words by their beginnings and Chinese by characters; it needs no extension of PostgreSQL, which the embedded
one has not and an external one may not allow.
"""

from django.db import migrations, models

FORWARDS = r"""
CREATE FUNCTION kernel_audit_text(
    actor_name text, impersonator text, action text, object_kind text, object_id text, detail jsonb
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT lower(actor_name || ' ' || impersonator || ' ' || action || ' ' || object_kind || ' ' || object_id || ' '
        || detail::text)
$$;
CREATE FUNCTION kernel_audit_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT to_tsvector('simple'::regconfig, regexp_replace(
        regexp_replace(left(said, 100000), '([㐀-鿿])', ' \1 ', 'g'), '[^[:alnum:]]+', ' ', 'g'))
$$;
CREATE INDEX audit_words ON kernel_auditrecord USING gin (kernel_audit_words(kernel_audit_text(
    actor_name, impersonator, action, object_kind, object_id, detail)));
"""
BACKWARDS = """
DROP INDEX audit_words;
DROP FUNCTION kernel_audit_words(text);
DROP FUNCTION kernel_audit_text(text, text, text, text, text, jsonb);
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0002_audit_is_append_only")]
    operations = [
        migrations.AddIndex("auditrecord", models.Index(fields=["site", "id"], name="audit_by_site")),
        migrations.AddIndex("auditrecord", models.Index(fields=["actor_name", "id"], name="audit_by_actor")),
        migrations.AddIndex("auditrecord", models.Index(fields=["impersonator", "id"], name="audit_by_impersonator")),
        migrations.AddIndex("auditrecord", models.Index(fields=["action", "id"], name="audit_by_action")),
        migrations.AddIndex(
            "auditrecord", models.Index(fields=["object_kind", "object_id", "id"], name="audit_by_object")
        ),
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
