"""Every address of the web process."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from yuheng.config.api import api

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("yuheng.web.urls")),
    path("", include("yuheng.people.urls")),
    path("", include("yuheng.telemetry.urls")),
    path("", include("yuheng.analysis.urls")),
    path("", include("yuheng.alarms.urls")),
    path("", include("yuheng.operations.terminal.urls")),
    path("", include("yuheng.operations.urls")),
    path("", include("yuheng.scheduling.urls")),
    path("", include("yuheng.performance.urls")),
    path("api/v1/", api.urls),
    path("", include("yuheng.equipment.urls")),
    path("", include("yuheng.engineering.urls")),
]

handler404 = "yuheng.web.middleware.not_found"
