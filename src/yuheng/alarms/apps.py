"""Django's registration of alarms."""

from django.apps import AppConfig


class AlarmsConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.alarms"
    label = "alarms"
    default_auto_field = "django.db.models.BigAutoField"
