"""Walks every migration back and forth over rows, in the database of ``DATABASE_URL``; run by `test_upgrade`.

From the newest to the first: each is undone, done again, and undone for good before the next one's turn. So each goes
both ways over the rows that are there, every state in between is stood in, and no step costs more than its own
statements. The first of an app takes its tables away when its turn comes, because those of kernel and people, which
stay to the end, may be what it rests on. At the end all are done again, by Django's own command.

Prints one JSON object: ``walked`` (migrations), ``rows`` (of each table of ours at the start), ``wrong`` (sentences).
"""

import json
import sys
from datetime import UTC, date, datetime, time, timedelta

import django

django.setup()

from django.apps import apps  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import IntegrityError, connection, models, transaction  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402
from django.db.migrations.state import ProjectState  # noqa: E402

from yuheng.config import demo  # noqa: E402
from yuheng.kernel import audit  # noqa: E402
from yuheng.kernel.actor import system_actor  # noqa: E402
from yuheng.people.services import ensure_first_administrator  # noqa: E402

APPS = ("kernel", "people", "equipment", "telemetry", "alarms", "analysis")
ABOVE = ("scheduling", "performance", "terminal", "operations", "engineering")
"""Contexts without rows here: taken away whole and made again."""
STAYS = ("kernel", "people")
CHANGED_BY_DATA = {"people_role"}
"""Migrations give and take permissions of roles: the contents differ while one is undone, the rows do not."""
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAIN = (
    (models.BooleanField, False),
    (models.DateTimeField, NOW),
    (models.DateField, date(2026, 3, 2)),
    (models.TimeField, time(6, 0)),
    (models.DurationField, timedelta(minutes=1)),
    (models.UUIDField, "5f1c9d0e-0000-4000-8000-000000000001"),
    (models.IntegerField, 1),
    (models.FloatField, 1.0),
    (models.DecimalField, 1),
    (models.BinaryField, b"x"),
    (models.JSONField, {"a": 1}),
    (models.CharField, "x"),
    (models.TextField, "x"),
)


def fill():
    """Put rows into as many tables as can be: the demo plant's by its services, one plain row into the others."""
    ensure_first_administrator(at=NOW)
    audit.record(actor=system_actor("x"), action="a.b", at=NOW, text="zeile 行")
    demo.install(at=NOW, plants=["elevator"])
    empty = [model for name in APPS for model in apps.get_app_config(name).get_models() if not model.objects.exists()]
    for _ in range(3):  # one may need another's row
        for model in empty:
            if not model.objects.exists():
                try:
                    with transaction.atomic():
                        model.objects.bulk_create([model(**plain_values(model))])
                except (IntegrityError, LookupError):
                    continue


def plain_values(model):
    values = {}
    for field in model._meta.concrete_fields:
        if field.is_relation:
            if not field.null:
                other = field.related_model.objects.first()
                if other is None:
                    raise LookupError(field)
                values[field.name] = other
        elif field.has_default() or field.primary_key or field.null:
            continue
        elif field.choices:
            values[field.name] = field.choices[0][0]
        else:
            values[field.name] = next(value for kind, value in PLAIN if isinstance(field, kind))
    return values


def ask(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def columns():
    """Return the columns of each table."""
    found = {}
    for table, column in ask(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    ):
        if table.split("_")[0] in APPS:
            found.setdefault(table, []).append(column)
    return found


def counts():
    parts = [f"SELECT '{table}', count(*) FROM \"{table}\"" for table in columns()]
    return dict(ask(" UNION ALL ".join(parts)))


def contents(known):
    """Return a checksum of each table over the columns of ``known``."""
    quoted = {table: ", ".join(f'"{name}"' for name in names) for table, names in known.items()}
    parts = [
        f"SELECT '{table}', md5(coalesce(string_agg(row, E'\\n' ORDER BY row), '')) FROM "
        f'(SELECT jsonb_build_array({names})::text AS row FROM "{table}") AS r'
        for table, names in quoted.items()
        if table not in CHANGED_BY_DATA
    ]
    return dict(ask(" UNION ALL ".join(parts)))


def shape():
    """Return everything that a migration can make, one line each: columns, constraints, indexes, triggers."""
    return {
        str(line)
        for statement in (
            "SELECT table_name, column_name, data_type, is_nullable, character_maximum_length, is_identity "
            "FROM information_schema.columns WHERE table_schema = 'public'",
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE connamespace = 'public'::regnamespace",
            "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
            "SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        )
        for line in ask(statement)
    }


def main():
    fill()
    rows, first_shape = counts(), shape()
    for name in ABOVE:  # they stand on tables that are taken away below
        call_command("migrate", name, "zero", verbosity=0)
    executor = MigrationExecutor(connection)
    graph = executor.loader.graph
    state, before, order = ProjectState(real_apps=executor.loader.unmigrated_apps), {}, []
    for migration, _ in executor.migration_plan(graph.leaf_nodes(), clean_start=True):
        before[migration] = state.clone()
        state = migration.mutate_state(state, preserve=True)
        if migration.app_label in APPS:
            order.append(migration)
    walked, wrong = [], []
    for migration in reversed(order):
        if migration.initial:
            if migration.app_label not in STAYS:
                executor.unapply_migration(before[migration].clone(), migration)
            continue
        assert before[migration].apps  # rendered once, for the three clones
        had, was, stood = counts(), shape(), columns()
        executor.unapply_migration(before[migration].clone(), migration)
        left = counts()
        kept = {
            table: [name for name in names if name in stood[table]]
            for table, names in columns().items()
            if table in stood  # undoing may bring back what the migration replaced
        }
        wrong += [
            f"{migration}: {table} had {had[table]} rows, {rows_left} when undone"
            for table, rows_left in left.items()
            if had.get(table, rows_left) != rows_left
        ]
        meanwhile = contents(kept)
        executor.apply_migration(before[migration].clone(), migration)
        again = contents(kept)
        wrong += [f"{migration}: {table} is not what it was" for table in meanwhile if meanwhile[table] != again[table]]
        wrong += [f"{migration}: not the same after back and forth: {line}" for line in sorted(shape() ^ was)]
        executor.unapply_migration(before[migration].clone(), migration)
        walked.append(str(migration))
    executor.check_replacements()
    call_command("migrate", verbosity=0)
    wrong += [f"At the end: {line}" for line in sorted(shape() ^ first_shape)]
    sys.stdout.write(json.dumps({"walked": walked, "rows": rows, "wrong": wrong}) + "\n")


if __name__ == "__main__":
    main()
