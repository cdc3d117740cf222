"""Django's registration of telemetry."""

from django.apps import AppConfig


class TelemetryConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.telemetry"
    label = "telemetry"
    default_auto_field = "django.db.models.BigAutoField"
