"""Addresses of the telemetry context."""

from __future__ import annotations

from django.urls import path

from yuheng.telemetry import machine_views, register_views, views
from yuheng.telemetry.views import calculated, machines, templates

app_name = "telemetry"
urlpatterns = [
    path("signals/", views.sources, name="sources"),
    path("signals/connect", views.connect, name="connect"),
    path("signals/connect-machine", machine_views.connect_machine, name="connect_machine"),
    path("signals/sources/<int:source_id>/browse", machine_views.browse, name="browse"),
    path("signals/sources/<int:source_id>/writing", machine_views.allow_writes, name="allow_writes"),
    path("signals/sources/<int:source_id>/trust", machine_views.trust_certificate, name="trust_certificate"),
    path("signals/sources/<int:source_id>/certificate.der", machine_views.own_certificate, name="own_certificate"),
    path("signals/tags/<int:tag_id>/write", machine_views.write, name="write"),
    path("signals/sources/<int:source_id>", views.source, name="source"),
    path("signals/sources/<int:source_id>/registers", register_views.registers, name="registers"),
    path("signals/sources/<int:source_id>/switch", views.switch_source, name="switch_source"),
    path("signals/sources/<int:source_id>/arrivals", views.arrivals, name="arrivals"),
    path("signals/devices/<int:device_id>/rotate", views.rotate_device, name="rotate_device"),
    path("signals/devices/<int:device_id>/revoke", views.revoke_device, name="revoke_device"),
    path("signals/tags", views.tags, name="tags"),
    path("signals/tags/grid", machines.tag_grid, name="tag_grid"),
    path("signals/tags/cells", machines.tag_cells, name="tag_cells"),
    path("signals/tags/set", machines.set_field, name="set_field"),
    path("signals/tags/export", machines.export_tags, name="export_tags"),
    path("signals/classes/<int:equipment_class_id>/template", templates.class_template, name="class_template"),
    path("signals/classes/<int:equipment_class_id>/machines", templates.class_machines, name="class_machines"),
    path("signals/classes/<int:equipment_class_id>/machines/new", templates.make_machines, name="make_machines"),
    path("signals/classes/<int:equipment_class_id>/follow", templates.follow, name="follow"),
    path("signals/machines/<int:work_unit_id>", machines.machine, name="machine"),
    path("signals/machines/<int:work_unit_id>/back", machines.back_to_template, name="back_to_template"),
    path("signals/machines/<int:work_unit_id>/release", machines.release, name="release_machine"),
    path("signals/machines/<int:work_unit_id>/take", templates.take_template, name="take_template"),
    path("signals/calculated", calculated.calculated_tags, name="calculated_tags"),
    path("signals/calculated/<int:site_id>/new", calculated.calculated_tag, name="new_calculated_tag"),
    path("signals/calculated/<int:site_id>/<int:tag_id>", calculated.calculated_tag, name="calculated_tag"),
    path("signals/classes/<int:equipment_class_id>/rules", views.state_rules, name="state_rules"),
    path("dead-letters/", views.dead_letters, name="dead_letters"),
    path("dead-letters/act", views.act_on_dead_letters, name="act_on_dead_letters"),
    path("dead-letters/<int:group_id>", views.dead_letter_group, name="dead_letter_group"),
]
