"""Django's registration of web."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages, templates and islands; no tables."""

    name = "yuheng.web"
    label = "web"
