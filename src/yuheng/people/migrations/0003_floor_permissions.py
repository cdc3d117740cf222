"""Alarms, reasons and commands, given to the built-in roles that an installation already has, and taken back on the way down."""

from django.db import migrations

FLOOR = ["alarms.operate", "states.explain"]
ENGINEER = [*FLOOR, "alarms.shelve", "alarms.edit", "machines.command"]
VIEW = ["alarms.view"]
ADDED = {
    "administrator": [*VIEW, *ENGINEER],
    "engineer": [*VIEW, *ENGINEER],
    "dispatcher": [*VIEW, *FLOOR, "alarms.shelve"],
    "operator": [*VIEW, *FLOOR],
    "quality": VIEW,
    "manager": VIEW,
    "viewer": VIEW,
}


def give(apps, schema_editor):
    for role in apps.get_model("people", "Role").objects.filter(code__in=ADDED):
        role.permissions = [*role.permissions, *(name for name in ADDED[role.code] if name not in role.permissions)]
        role.save(update_fields=["permissions"])


def take(apps, schema_editor):
    every = {name for names in ADDED.values() for name in names}
    for role in apps.get_model("people", "Role").objects.all():
        role.permissions = [name for name in role.permissions if name not in every]
        role.save(update_fields=["permissions"])


class Migration(migrations.Migration):
    dependencies = [("people", "0002_built_in_roles")]
    operations = [migrations.RunPython(give, take)]
