"""Addresses of the web context."""

from __future__ import annotations

from django.urls import path

from yuheng.web import hand_over, health, metrics, terminal_live, trust, views

app_name = "web"
urlpatterns = [
    path("", views.home, name="home"),
    path("sites/<slug:code>/", views.site, name="site"),
    path("sites/<slug:code>/now", views.now, name="now"),
    path("sites/<slug:code>/jobs", views.jobs, name="jobs"),
    path("sites/<slug:code>/board", views.board, name="board"),
    path("sites/<slug:code>/board/changes", views.board_changes, name="board_changes"),
    path("sites/<slug:code>/activity", views.activity, name="activity"),
    path("sites/<slug:code>/hand-over", hand_over.page, name="hand_over"),
    path("sites/<slug:code>/hand-over/note", hand_over.note, name="hand_over_note"),
    path("sites/<slug:code>/hand-over/sign", hand_over.sign, name="hand_over_sign"),
    path("sites/<slug:code>/units", views.units, name="units"),
    path("sites/<slug:code>/indicators/<slug:name>", views.indicator, name="indicator"),
    path("work-units/<int:work_unit_id>", views.station, name="station"),
    path("work-units/<int:work_unit_id>/states", views.station_states, name="station_states"),
    path("work-units/<int:work_unit_id>/job", views.station_job, name="station_job"),
    path("work-units/<int:work_unit_id>/trend", views.station_trend, name="station_trend"),
    path("live/token", views.live_token, name="live_token"),
    path("terminal/live-token", terminal_live.terminal_live, name="terminal_live"),
    path("administration/health", health.health, name="health"),
    path("metrics", metrics.metrics, name="metrics"),
    path("ca", trust.ca, name="ca"),
    path("ca.crt", trust.ca_file, name="ca_file"),
    path("preferences", views.preferences, name="preferences"),
]
