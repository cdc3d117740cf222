"""Addresses that tablets ask, and pages about tablets for engineers and supervisors."""

from __future__ import annotations

from django.urls import path

from yuheng.operations.terminal.views import floor, office

app_name = "terminal"
urlpatterns = [
    path("terminal/", floor.page, name="page"),
    path("terminal/worker.js", floor.worker, name="worker"),
    path("terminal/snapshot", floor.snapshot, name="snapshot"),
    path("terminal/merge", floor.merge_actions, name="merge"),
    path("terminal/pair", floor.pair, name="pair"),
    path("terminal/station", floor.station, name="station"),
    path("terminal/sign-in", floor.sign_in, name="sign_in"),
    path("terminal/documents/", floor.documents, name="documents"),
    path("terminal/documents/<int:document_id>", floor.document, name="document"),
    path("terminals/", office.terminals, name="list"),
    path("terminals/<int:terminal_id>/code", office.new_code, name="new_code"),
    path("terminals/<int:terminal_id>/revoke", office.revoke, name="revoke"),
    path("terminals/<int:terminal_id>/station", office.set_station, name="set_station"),
    path("terminals/conflicts", office.conflict_list, name="conflicts"),
    path("terminals/conflicts/<int:report_id>/retry", office.retry, name="retry"),
    path("terminals/conflicts/<int:report_id>/discard", office.discard, name="discard"),
]
