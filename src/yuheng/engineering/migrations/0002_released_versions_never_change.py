"""The database itself refuses to change a released version, to let two hold at once, and to change a document."""

from django.db import migrations

VERSIONS = ("engineering_bomversion", "engineering_workmasterversion")
# table -> (version table, how a row finds its version)
PARTS = {
    "engineering_bomline": ("engineering_bomversion", "SELECT bom_id FROM {rows}"),
    "engineering_bomalternate": (
        "engineering_bomversion",
        "SELECT l.bom_id FROM {rows} r JOIN engineering_bomline l ON l.id = r.line_id",
    ),
    "engineering_worksegment": ("engineering_workmasterversion", "SELECT work_master_id FROM {rows}"),
    "engineering_segmentlink": ("engineering_workmasterversion", "SELECT work_master_id FROM {rows}"),
    "engineering_segmentalternative": (
        "engineering_workmasterversion",
        "SELECT s.work_master_id FROM {rows} r JOIN engineering_worksegment s ON s.id = r.segment_id",
    ),
    "engineering_worksegment_documents": (
        "engineering_workmasterversion",
        "SELECT s.work_master_id FROM {rows} r JOIN engineering_worksegment s ON s.id = r.worksegment_id",
    ),
}

VERSION_FUNCTION = """
CREATE FUNCTION engineering_keep_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            RAISE EXCEPTION 'A released version is never removed.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF OLD.state = 'draft' THEN
        IF NEW.state NOT IN ('draft', 'released') THEN
            RAISE EXCEPTION 'A draft can only be released.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF (to_jsonb(OLD) - 'state') IS DISTINCT FROM (to_jsonb(NEW) - 'state')
       OR NOT (NEW.state = OLD.state
               OR (OLD.state = 'released' AND NEW.state IN ('superseded', 'obsolete'))
               OR (OLD.state = 'superseded' AND NEW.state = 'obsolete')) THEN
        RAISE EXCEPTION 'A released version never changes.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION engineering_keep_document() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A document is never changed or removed.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER document_never_changes BEFORE UPDATE OR DELETE ON engineering_document
    FOR EACH ROW EXECUTE FUNCTION engineering_keep_document();
"""


def part_function(table, version, finds, rows, suffix):
    # FOR SHARE: whoever releases the version at this moment waits for us, or we for them; then the state is read again.
    return f"""
CREATE FUNCTION {table}_keep_{suffix}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_state text;
BEGIN
    FOR found_state IN
        SELECT state FROM {version} WHERE id IN ({finds.format(rows=rows)}) ORDER BY id FOR SHARE
    LOOP
        IF found_state <> 'draft' THEN
            RAISE EXCEPTION 'A released version never changes.' USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
"""


def forwards():
    parts = [VERSION_FUNCTION]
    for table in VERSIONS:
        parts.append(
            f"CREATE TRIGGER version_never_changes BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION engineering_keep_version();"
        )
    for table, (version, finds) in PARTS.items():
        parts.append(part_function(table, version, finds, "new_rows", "new"))
        parts.append(part_function(table, version, finds, "old_rows", "old"))
        for event, place, rows, suffix in (
            ("INSERT", "NEW", "new_rows", "new"),
            ("DELETE", "OLD", "old_rows", "old"),
            ("UPDATE", "NEW", "new_rows", "new"),
            ("UPDATE", "OLD", "old_rows", "old"),
        ):
            parts.append(
                f"CREATE TRIGGER part_never_changes_{event.lower()}_{suffix} AFTER {event} ON {table}"
                f" REFERENCING {place} TABLE AS {rows} FOR EACH STATEMENT EXECUTE FUNCTION {table}_keep_{suffix}();"
            )
    # int8range(x, x, '[]') && is equality that the range types' own index understands: no extension is needed.
    parts.append(
        """
ALTER TABLE engineering_effectivity ADD CONSTRAINT one_effective_version_per_date EXCLUDE USING gist (
    int8range(material_id, material_id, '[]') WITH &&,
    int8range(hashtextextended(kind, 0), hashtextextended(kind, 0), '[]') WITH &&,
    daterange(valid_from, valid_to, '[)') WITH &&
) WHERE (is_active AND basis = 'date');
ALTER TABLE engineering_effectivity ADD CONSTRAINT one_effective_version_per_serial EXCLUDE USING gist (
    int8range(material_id, material_id, '[]') WITH &&,
    int8range(hashtextextended(kind || ' ' || serial_prefix, 0), hashtextextended(kind || ' ' || serial_prefix, 0), '[]')
        WITH &&,
    int8range(serial_first, serial_last, '[]') WITH &&
) WHERE (is_active AND basis = 'serial');
"""
    )
    return "\n".join(parts)


def backwards():
    parts = [
        "ALTER TABLE engineering_effectivity DROP CONSTRAINT one_effective_version_per_date;",
        "ALTER TABLE engineering_effectivity DROP CONSTRAINT one_effective_version_per_serial;",
    ]
    for table in PARTS:
        for name in ("insert_new", "delete_old", "update_new", "update_old"):
            parts.append(f"DROP TRIGGER part_never_changes_{name} ON {table};")
        parts += [f"DROP FUNCTION {table}_keep_new();", f"DROP FUNCTION {table}_keep_old();"]
    parts += [f"DROP TRIGGER version_never_changes ON {table};" for table in VERSIONS]
    parts += [
        "DROP FUNCTION engineering_keep_version();",
        "DROP TRIGGER document_never_changes ON engineering_document;",
        "DROP FUNCTION engineering_keep_document();",
    ]
    return "\n".join(parts)


class Migration(migrations.Migration):
    dependencies = [("engineering", "0001_initial")]
    operations = [migrations.RunSQL(forwards(), backwards())]
