"""Django's registration of performance."""

from django.apps import AppConfig


class PerformanceConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.performance"
    label = "performance"
    default_auto_field = "django.db.models.BigAutoField"
