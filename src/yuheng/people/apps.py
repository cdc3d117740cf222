"""Django's registration of people."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.people"
    label = "people"
    default_auto_field = "django.db.models.BigAutoField"
