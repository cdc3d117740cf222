"""Django's registration of engineering."""

from django.apps import AppConfig


class EngineeringConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.engineering"
    label = "engineering"
    default_auto_field = "django.db.models.BigAutoField"
