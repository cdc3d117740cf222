"""Addresses of the analysis context."""

from __future__ import annotations

from django.urls import path

from yuheng.analysis.views import exports, reasons, saved, stops, trends

app_name = "analysis"
urlpatterns = [
    path("trends", trends.trends, name="trends"),
    path("trends/series", trends.curves, name="series"),
    path("trends/bands", trends.band_rows, name="bands"),
    path("trends/part", trends.part, name="part"),
    path("trends/overlay", trends.overlay, name="overlay"),
    path("trends/signals", trends.picker, name="picker"),
    path("trends/export", exports.export, name="export"),
    path("trends/views", saved.views, name="views"),
    path("trends/views/save", saved.save, name="save_view"),
    path("trends/views/<int:view_id>", saved.change, name="change_view"),
    path("work-units/<int:work_unit_id>/trends", trends.of_unit, name="unit_trends"),
    path("stops", stops.unexplained, name="stops"),
    path("stops/pareto", stops.pareto, name="pareto"),
    path("stops/one", stops.stop, name="stop"),
    path("stops/explain", stops.explain, name="explain"),
    path("stops/explanations/<int:explanation_id>/withdraw", stops.withdraw, name="withdraw"),
    path("reasons/sites/<int:site_id>", reasons.tree, name="reasons"),
    path("reasons/sites/<int:site_id>/write", reasons.write, name="write_reasons"),
]
