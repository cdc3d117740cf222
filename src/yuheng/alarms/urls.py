"""Addresses of the alarms context."""

from __future__ import annotations

from django.urls import path

from yuheng.alarms.views import definitions, health, journal, lists, notifications, tables

app_name = "alarms"
urlpatterns = [
    path("alarms/", lists.alarm_list, name="list"),
    path("alarms/rows", lists.rows_part, name="rows"),
    path("alarms/marks", lists.marks, name="marks"),
    path("alarms/act", lists.act, name="act"),
    path("alarms/<int:alarm_id>", lists.detail, name="detail"),
    path("alarms/<int:alarm_id>/children", lists.children, name="children"),
    path("alarms/<int:alarm_id>/guidance", lists.guidance, name="guidance"),
    path("alarms/units/<int:work_unit_id>", lists.of_unit_part, name="of_unit"),
    path("alarms/journal", journal.journal_list, name="journal"),
    path("alarms/journal/export", journal.export, name="journal_export"),
    path("alarms/health", health.alarm_health, name="health"),
    path("alarms/episodes", health.episode_list, name="episodes"),
    path("alarms/definitions", definitions.definition_list, name="definitions"),
    path("alarms/definitions/check", definitions.check, name="check_definition"),
    path("alarms/definitions/<int:definition_id>", definitions.definition, name="definition"),
    path("alarms/definitions/<int:definition_id>/retire", definitions.retire, name="retire_definition"),
    path("alarms/definitions/<int:definition_id>/units/<int:work_unit_id>", definitions.override, name="override"),
    path("alarms/classes/<int:equipment_class_id>", definitions.class_definitions, name="class_definitions"),
    path("alarms/classes/<int:equipment_class_id>/table", tables.class_table, name="class_table"),
    path("alarms/classes/<int:equipment_class_id>/new", definitions.new_of_class, name="new_of_class"),
    path("alarms/units/<int:work_unit_id>/definitions", definitions.unit_definitions, name="unit_definitions"),
    path("alarms/units/<int:work_unit_id>/definitions/new", definitions.new_of_unit, name="new_of_unit"),
    path("alarms/notifications", notifications.overview, name="notifications"),
    path("alarms/notifications/channels", notifications.write_channel, name="write_channel"),
    path("alarms/notifications/channels/<int:channel_id>", notifications.act_on_channel, name="act_on_channel"),
    path("alarms/notifications/retry", notifications.retry, name="retry_messages"),
    path("alarms/notifications/rules/new", notifications.new_rule, name="new_rule"),
    path("alarms/notifications/rules/<int:rule_id>", notifications.rule, name="rule"),
]
