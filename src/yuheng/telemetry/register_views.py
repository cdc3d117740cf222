"""Page: the registers of a source: read some now, import a manufacturer's map."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible
from yuheng.people.identity import actor_of
from yuheng.telemetry.selectors import machines, signals
from yuheng.telemetry.services.register_maps import upload_register_map
from yuheng.telemetry.source_settings import maps_of

LARGEST_FILE = 32 * 1024 * 1024


@require_http_methods(["GET", "POST"])
def registers(request: HttpRequest, source_id: int) -> HttpResponse:
    """Try addresses on the machine, and take a register map to its dry run."""
    actor = actor_of(request)
    row = signals.source(actor=actor, source_id=source_id)
    actor.require("telemetry.edit", site_id=row.site_id)
    maps = maps_of(row.connector)
    if maps is None:
        raise NotVisible(_("A source of this kind has no register map."))
    error, trouble = "", ""
    if request.method == "POST":
        try:
            import_id = _upload(request, source_id)
        except InvalidInput as refusal:
            error = str(refusal)
        else:
            return redirect("equipment:dry_run", import_id=import_id)
    addresses = request.GET.get("addresses", "")[:2000]
    nodes = []
    if addresses.strip():
        try:
            nodes = machines.read_now(actor=actor, source_id=source_id, addresses=addresses)
        except NotVisible:
            raise
        except DomainError as refusal:
            trouble = str(refusal)
    is_chinese = (get_language() or "").startswith("zh")
    context = {
        "source": row,
        "addresses": addresses,
        "nodes": nodes,
        "trouble": trouble,
        "error": error,
        "numberings": [(value, zh if is_chinese else en) for value, en, zh in maps.numberings],
    }
    return render(request, "telemetry/registers.html", context, status=422 if error else 200)


def _upload(request: HttpRequest, source_id: int) -> int:
    sent = request.FILES.get("file")
    if sent is None:
        raise InvalidInput(_("Choose a file first."))
    if (sent.size or 0) > LARGEST_FILE:
        raise InvalidInput(_("The file is larger than 32 MB. Split it."))
    import_id, _plan = upload_register_map(
        actor=actor_of(request),
        source_id=source_id,
        file_name=sent.name or "map.csv",
        content=sent.read(),
        numbering=request.POST.get("numbering", ""),
        at=datetime.now(UTC),
    )
    return import_id
