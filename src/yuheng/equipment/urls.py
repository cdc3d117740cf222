"""Addresses of the equipment context."""

from __future__ import annotations

from django.urls import path

from yuheng.equipment import views

app_name = "equipment"
urlpatterns = [
    path("equipment", views.tree, name="tree"),
    path("equipment/sites/<int:site_id>", views.site, name="site"),
    path("equipment/sites/<int:site_id>/import", views.upload, name="import"),
    path("equipment/sites/<int:site_id>/export", views.export, name="export"),
    path("equipment/imports/<int:import_id>", views.dry_run, name="dry_run"),
    path("equipment/imports/<int:import_id>/apply", views.apply_import, name="apply_import"),
]
