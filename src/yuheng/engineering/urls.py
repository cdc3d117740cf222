"""Addresses of engineering."""

from __future__ import annotations

from django.urls import path

from yuheng.engineering.views import bills, changes, imports, materials, work_masters

app_name = "engineering"
urlpatterns = [
    path("products", materials.products, name="products"),
    path("products/new", materials.new_material, name="new_material"),
    path("products/sites/<int:site_id>/classes", materials.classes, name="classes"),
    path("products/sites/<int:site_id>/documents", materials.documents, name="documents"),
    path("products/documents/<int:document_id>", materials.document, name="document"),
    path("products/<int:material_id>", materials.material, name="material"),
    path("products/<int:material_id>/edit", materials.edit_material, name="edit_material"),
    path("products/<int:material_id>/revise", materials.revise, name="revise"),
    path("products/<int:material_id>/boms/new", bills.new_bom, name="new_bom"),
    path("products/<int:material_id>/work-masters/new", work_masters.new_work_master, name="new_work_master"),
    path("products/boms/<int:bom_id>", bills.bom, name="bom"),
    path("products/boms/<int:bom_id>/compare/<int:other_id>", bills.compare, name="compare_boms"),
    path("products/work-masters/<int:work_master_id>", work_masters.work_master, name="work_master"),
    path(
        "products/work-masters/<int:work_master_id>/compare/<int:other_id>",
        work_masters.compare,
        name="compare_work_masters",
    ),
    path("products/sites/<int:site_id>/import", imports.upload, name="import"),
    path("products/sites/<int:site_id>/export/<str:file_kind>.csv", imports.export, name="export"),
    path("products/imports/<int:product_import_id>", imports.dry_run, name="dry_run"),
    path("products/imports/<int:product_import_id>/progress", imports.progress, name="import_progress"),
    path("products/changes", changes.changes, name="changes"),
    path("products/changes/new", changes.new_change, name="new_change"),
    path("products/changes/<int:change_id>", changes.change, name="change"),
]
