"""Addresses of the operations context."""

from __future__ import annotations

from django.urls import path

from yuheng.operations.views import documents, exceptions, files, jobs, orders, requests, stock

app_name = "operations"
urlpatterns = [
    path("orders/", orders.order_list, name="orders"),
    path("orders/new", orders.new_order, name="new_order"),
    path("orders/customers", orders.write_customer, name="write_customer"),
    path("orders/documents", documents.document_list, name="documents"),
    path("orders/documents/<int:exchanged_id>", documents.document, name="document"),
    path("orders/documents/<int:exchanged_id>/content", documents.content, name="document_content"),
    path("orders/documents/export/<str:document_kind>", documents.export, name="export_document"),
    path("orders/files", files.file_list, name="files"),
    path("orders/files/<int:order_file_id>", files.order_file, name="file"),
    path("orders/files/<int:order_file_id>/progress", files.progress, name="file_progress"),
    path("orders/files/<int:order_file_id>/refused", files.refused, name="file_refused"),
    path("orders/exceptions", exceptions.exception_list, name="exceptions"),
    path("orders/exceptions/<int:exception_id>/act", exceptions.act_on_exception, name="act_on_exception"),
    path("orders/<int:order_id>", orders.order, name="order"),
    path("orders/<int:order_id>/release", orders.release_order, name="release_order"),
    path("orders/<int:order_id>/cancel", orders.cancel_order, name="cancel_order"),
    path("production/", requests.request_list, name="requests"),
    path("production/new", orders.enter_request, name="enter_request"),
    path("production/<int:request_id>", requests.request_page, name="request"),
    path("production/<int:request_id>/act", requests.act, name="act_on_request"),
    path("production/<int:request_id>/traveller", requests.traveller, name="traveller"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/act", jobs.act_on_jobs, name="act_on_jobs"),
    path("jobs/<int:job_order_id>", jobs.job, name="job"),
    path("jobs/<int:job_order_id>/act", jobs.act_on_job, name="act_on_job"),
    path("work-units/<int:work_unit_id>/queue", jobs.station_queue, name="station_queue"),
    path("help/<int:help_id>", jobs.act_on_help, name="act_on_help"),
    path("stock/", stock.stock_list, name="stock"),
    path("stock/receive", stock.receive, name="receive"),
    path("stock/lots/<int:lot_id>", stock.lot, name="lot"),
    path("stock/lots/<int:lot_id>/act", stock.act_on_lot, name="act_on_lot"),
    path("stock/shortages", stock.shortage_list, name="shortages"),
]
