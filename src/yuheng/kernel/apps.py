"""Django's registration of the kernel."""

from django.apps import AppConfig


class KernelConfig(AppConfig):
    """The kernel's tables: organisation, site, outbox, audit."""

    name = "yuheng.kernel"
    label = "kernel"
    default_auto_field = "django.db.models.BigAutoField"
