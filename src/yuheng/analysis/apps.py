"""Django's registration of analysis."""

from django.apps import AppConfig


class AnalysisConfig(AppConfig):
    """See the package's docstring."""

    name = "yuheng.analysis"
    label = "analysis"
    default_auto_field = "django.db.models.BigAutoField"
