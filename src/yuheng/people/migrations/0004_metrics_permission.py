"""Reading metrics, given to administrators, and taken back on the way down."""

from django.db import migrations

ADDED = "metrics.read"


def give(apps, schema_editor):
    for role in apps.get_model("people", "Role").objects.filter(code="administrator"):
        if ADDED not in role.permissions:
            role.permissions = [*role.permissions, ADDED]
            role.save(update_fields=["permissions"])


def take(apps, schema_editor):
    for role in apps.get_model("people", "Role").objects.all():
        role.permissions = [name for name in role.permissions if name != ADDED]
        role.save(update_fields=["permissions"])


class Migration(migrations.Migration):
    dependencies = [("people", "0003_floor_permissions")]
    operations = [migrations.RunPython(give, take)]
