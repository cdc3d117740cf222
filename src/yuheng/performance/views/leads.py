"""Pages of lead times: by product, one by one, and the way of one production order."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from yuheng.equipment import selectors as equipment
from yuheng.people.identity import actor_of
from yuheng.performance import drawing
from yuheng.performance.asking import asked_period, now
from yuheng.performance.labels import STAGE_LABELS
from yuheng.performance.rules.stages import LEAD_STAGES
from yuheng.performance.selectors import leads
from yuheng.performance.tables import Table
from yuheng.performance.views.asking import (
    asked_site,
    draw,
    in_language,
    number,
    query_with,
    send,
    wants_file,
)


@require_GET
def lead_times(request: HttpRequest) -> HttpResponse:
    """Where the lead times of what ended in a period went."""
    actor, site = asked_site(request)
    days, material = asked_period(request.GET, site.time_zone, now()), number(request.GET, "material")
    text, parts_too = request.GET.get("q", "")[:80], request.GET.get("parts") == "1"
    found = leads.lead_times(
        actor=actor, site_id=site.id, period=days, material_id=material, text=text, parts_too=parts_too,
        cursor=request.GET.get("after", ""), limit=500 if wants_file(request) else 50,
    )  # fmt: skip
    if kind := wants_file(request):
        header = [
            _("Production order"), _("Order"), _("Product"), _("Released"), _("Ended"), _("Lead time, h"),
            *(f"{STAGE_LABELS[stage]}, h" for stage in LEAD_STAGES),
        ]  # fmt: skip
        rows = [
            [
                one.request_code, one.order_code,
                f"{one.material_code} {in_language(one.material_zh, one.material_en)}", one.started_at, one.ended_at,
                one.lead_s / 3600, *(value / 3600 for value in one.parts_s.values()),
            ]
            for one in found.rows
        ]  # fmt: skip
        return send(Table("lead-times", header, rows, site.time_zone), kind, days)
    products = leads.by_product(actor=actor, site_id=site.id, period=days, parts_too=parts_too, text=text)
    longest = max((one.lead_s for one in products), default=0.0)
    most = max((one.lead_s for one in found.rows), default=0.0)
    context = {
        "stages": [stage.value for stage in LEAD_STAGES],
        "products": [(one, drawing.shares(one.parts_s, longest)) for one in products],
        "rows": [(one, drawing.shares(one.parts_s, most)) for one in found.rows],
        "material": material,
        "text": text,
        "parts_too": parts_too,
        "next_cursor": found.next_cursor,
        "next_query": query_with(request, site, after=found.next_cursor),
    }
    return draw(request, "performance/leads.html", context, site, days, "leads")


@require_GET
def lead_path(request: HttpRequest, request_id: int) -> HttpResponse:
    """The way that decided how long a production order took."""
    actor = actor_of(request)
    found = leads.lead_path(actor=actor, request_id=request_id)
    site = equipment.site(actor=actor, site_id=found.site_id)
    days = asked_period(request.GET, site.time_zone, now())
    context = {
        "found": found,
        "lead": found.lead,
        "stages": [stage.value for stage in LEAD_STAGES],
        "parts": drawing.shares(found.lead.parts_s),
        "way": drawing.shares({f"{index}": one.seconds for index, one in enumerate(found.pieces)}),
        "pieces": found.pieces,
    }
    return draw(request, "performance/path.html", context, site, days, "leads")
