"""Addresses of the telemetry context."""

from __future__ import annotations

from django.urls import path

from yuheng.telemetry import register_views, views

app_name = "telemetry"
urlpatterns = [
    path("signals/", views.sources, name="sources"),
    path("signals/connect", views.connect, name="connect"),
    path("signals/sources/<int:source_id>", views.source, name="source"),
    path("signals/sources/<int:source_id>/registers", register_views.registers, name="registers"),
    path("signals/sources/<int:source_id>/switch", views.switch_source, name="switch_source"),
    path("signals/sources/<int:source_id>/arrivals", views.arrivals, name="arrivals"),
    path("signals/devices/<int:device_id>/rotate", views.rotate_device, name="rotate_device"),
    path("signals/devices/<int:device_id>/revoke", views.revoke_device, name="revoke_device"),
    path("signals/tags", views.tags, name="tags"),
    path("signals/classes/<int:equipment_class_id>/rules", views.state_rules, name="state_rules"),
    path("dead-letters/", views.dead_letters, name="dead_letters"),
    path("dead-letters/act", views.act_on_dead_letters, name="act_on_dead_letters"),
    path("dead-letters/<int:group_id>", views.dead_letter_group, name="dead_letter_group"),
]
