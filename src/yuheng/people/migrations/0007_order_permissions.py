"""Products, orders and material, given to the built-in roles that an installation already has."""

from django.db import migrations

VIEW = ["engineering.view", "operations.view"]
FLOOR = [*VIEW, "operations.execute", "materials.move"]
DISPATCH = ["operations.dispatch", "orders.edit"]
ADDED = {
    "administrator": [*FLOOR, *DISPATCH, "engineering.edit", "engineering.approve"],
    "engineer": [*FLOOR, "engineering.edit", "engineering.approve"],
    "dispatcher": [*FLOOR, *DISPATCH],
    "operator": FLOOR,
    "quality": [*VIEW, "engineering.approve"],
    "manager": [*VIEW, "engineering.approve", "orders.edit"],
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
    dependencies = [("people", "0006_locks_and_limits")]
    operations = [migrations.RunPython(give, take)]
