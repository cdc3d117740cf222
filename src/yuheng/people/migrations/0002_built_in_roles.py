"""The roles an installation starts with; administrators may edit them."""

from django.db import migrations

VIEW = ["equipment.view", "telemetry.view"]
EDIT = ["equipment.edit", "telemetry.edit", "telemetry.replay"]
ROLES = [
    ("administrator", "管理员", "Administrator", [*VIEW, *EDIT, "people.manage", "audit.view", "site.admin"]),
    ("engineer", "工程师", "Engineer", [*VIEW, *EDIT]),
    ("dispatcher", "调度员", "Dispatcher", VIEW),
    ("operator", "操作工", "Operator", VIEW),
    ("quality", "质量员", "Quality", [*VIEW, "audit.view"]),
    ("manager", "厂长", "Plant manager", [*VIEW, "audit.view"]),
    ("viewer", "访客", "Viewer", VIEW),
]


def make_roles(apps, schema_editor):
    role = apps.get_model("people", "Role")
    for code, name_zh, name_en, permissions in ROLES:
        role.objects.get_or_create(
            code=code, defaults={"name_zh": name_zh, "name_en": name_en, "permissions": permissions}
        )


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]
    operations = [migrations.RunPython(make_roles, migrations.RunPython.noop)]
