"""Django's registration of the terminal."""

from django.apps import AppConfig


class TerminalConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.operations.terminal"
    label = "terminal"
    default_auto_field = "django.db.models.BigAutoField"
