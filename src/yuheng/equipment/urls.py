"""Addresses of the equipment context."""

from __future__ import annotations

from django.urls import path

from yuheng.equipment import views
from yuheng.equipment.views import calendars, forms, plant_map

app_name = "equipment"
urlpatterns = [
    path("equipment", views.tree, name="tree"),
    path("equipment/sites/<int:site_id>", views.site, name="site"),
    path("equipment/sites/<int:site_id>/import", views.upload, name="import"),
    path("equipment/sites/<int:site_id>/export", views.export, name="export"),
    path("equipment/sites/<int:site_id>/areas/new", forms.new_area, name="new_area"),
    path("equipment/sites/<int:site_id>/work-centers/new", forms.new_center, name="new_center"),
    path("equipment/sites/<int:site_id>/work-units/new", forms.new_unit, name="new_unit"),
    path("equipment/sites/<int:site_id>/classes/new", forms.new_class, name="new_class"),
    path("equipment/sites/<int:site_id>/calendars/new", calendars.new_calendar, name="new_calendar"),
    path("equipment/sites/<int:site_id>/calendar", forms.use_calendar, name="use_calendar"),
    path("equipment/sites/<int:site_id>/map", plant_map.place, name="place"),
    path("equipment/areas/<int:area_id>", forms.edit_area, name="edit_area"),
    path("equipment/work-centers/<int:work_center_id>", forms.edit_center, name="edit_center"),
    path("equipment/work-units/<int:work_unit_id>", forms.edit_unit, name="edit_unit"),
    path("equipment/classes/<int:equipment_class_id>", forms.edit_class, name="edit_class"),
    path("equipment/classes/<int:equipment_class_id>/picture", forms.class_picture, name="class_picture"),
    path("equipment/calendars/<int:calendar_id>", calendars.edit_calendar, name="edit_calendar"),
    path("equipment/imports/<int:import_id>", views.dry_run, name="dry_run"),
    path("equipment/imports/<int:import_id>/apply", views.apply_import, name="apply_import"),
]
