"""Addresses of the alarms context."""

from __future__ import annotations

from django.urls import path

from yuheng.alarms.views import health, journal, lists

app_name = "alarms"
urlpatterns = [
    path("alarms/", lists.alarm_list, name="list"),
    path("alarms/rows", lists.rows_part, name="rows"),
    path("alarms/act", lists.act, name="act"),
    path("alarms/<int:alarm_id>", lists.detail, name="detail"),
    path("alarms/<int:alarm_id>/children", lists.children, name="children"),
    path("alarms/<int:alarm_id>/guidance", lists.guidance, name="guidance"),
    path("alarms/units/<int:work_unit_id>", lists.of_unit_part, name="of_unit"),
    path("alarms/journal", journal.journal_list, name="journal"),
    path("alarms/journal/export", journal.export, name="journal_export"),
    path("alarms/health", health.alarm_health, name="health"),
    path("alarms/episodes", health.episode_list, name="episodes"),
]
