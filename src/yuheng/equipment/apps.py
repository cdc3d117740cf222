"""Django's registration of equipment."""

from django.apps import AppConfig


class EquipmentConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.equipment"
    label = "equipment"
    default_auto_field = "django.db.models.BigAutoField"
