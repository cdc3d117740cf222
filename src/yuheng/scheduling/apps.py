"""Django's registration of scheduling."""

from django.apps import AppConfig


class SchedulingConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.scheduling"
    label = "scheduling"
    default_auto_field = "django.db.models.BigAutoField"
