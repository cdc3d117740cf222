"""Django's registration of operations."""

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.operations"
    label = "operations"
    default_auto_field = "django.db.models.BigAutoField"
