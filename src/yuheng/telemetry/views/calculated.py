"""Pages: calculated tags of a site, and one of them with its formula tried on the last hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible
from yuheng.people.identity import actor_of
from yuheng.telemetry.rules import microseconds
from yuheng.telemetry.selectors import formulas
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.services.formulas import write_calculated_tag

PREVIEW_US = 3_600_000_000
WIDTH, HEIGHT = 720, 140


@dataclass(frozen=True, slots=True)
class Form:
    """What stands in the form."""

    formula: str = ""
    work_unit: str = ""
    symbol: str = ""
    address: str = ""
    name_zh: str = ""
    name_en: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """A formula on the last hour: its unit, its range, and the line between lowest and highest, drawn."""

    unit: str
    inputs: list[str]
    count: int
    low: float = 0.0
    high: float = 0.0
    newest: float = 0.0
    points: str = ""


@require_GET
def calculated_tags(request: HttpRequest) -> HttpResponse:
    """List the calculated tags of each visible site."""
    actor = actor_of(request)
    actor.require("telemetry.view")
    sites = [
        (site, formulas.calculated_tags(actor=actor, site_id=site.id), actor.may(EDIT, site_id=site.id))
        for site in equipment.visible_sites(actor=actor)
        if actor.may("telemetry.view", site_id=site.id)
    ]
    return render(request, "telemetry/calculated_tags.html", {"sites": sites})


@require_http_methods(["GET", "POST"])
def calculated_tag(request: HttpRequest, site_id: int, tag_id: int | None = None) -> HttpResponse:
    """Make a calculated tag or change one; try its formula before saving."""
    actor = actor_of(request)
    actor.require(EDIT, site_id=site_id)
    form = _stored(site_id, tag_id) if tag_id is not None else Form()
    errors: list[str] = []
    preview = None
    if request.method == "POST":
        form = Form(**{name: request.POST.get(name, "")[:1000].strip() for name in Form.__slots__})
        try:
            unit_id = _work_unit_id(site_id, form.work_unit)
            if request.POST.get("action") == "save":
                _save(actor, site_id, tag_id, form, unit_id)
                messages.success(request, _("Saved. The tag has values for all of the past that its inputs have."))
                return redirect("telemetry:calculated_tags")
            preview = _preview(actor, site_id, form, unit_id)
        except DomainError as refusal:
            errors = list(dict.fromkeys([*getattr(refusal, "fields", {}).values()] or [str(refusal)]))
    names = formulas.names_of_site(site_id)
    context = {
        "site": equipment.site(actor=actor, site_id=site_id),
        "tag_id": tag_id,
        "form": form,
        "errors": errors,
        "preview": preview,
        "work_units": sorted(equipment.work_unit_ids(site_id=site_id)),
        "symbols": sorted(tag.symbol for tag in names.by_id.values() if tag.symbol and tag.work_unit == form.work_unit),
        "width": WIDTH,
        "height": HEIGHT,
    }
    return render(request, "telemetry/calculated_tag.html", context, status=422 if errors else 200)


def _stored(site_id: int, tag_id: int) -> Form:
    tag = formulas.names_of_site(site_id).by_id.get(tag_id)
    if tag is None or not tag.formula:
        raise NotVisible(_("There is no such calculated tag here."))
    return Form(tag.formula, tag.work_unit, tag.symbol, tag.address, tag.name_zh, tag.name_en, tag.unit)


def _work_unit_id(site_id: int, code: str) -> int | None:
    if not code:
        return None
    found = equipment.work_unit_ids(site_id=site_id).get(code)
    if found is None:
        sentence = _("There is no work unit called %(code)s at this site.") % {"code": code}
        raise InvalidInput(sentence, {"work_unit": sentence})
    return found


def _save(actor: Actor, site_id: int, tag_id: int | None, form: Form, unit_id: int | None) -> None:
    given: dict[str, Any] = {name: getattr(form, name) for name in Form.__slots__ if name != "work_unit"}
    write_calculated_tag(
        actor=actor, site_id=site_id, tag_id=tag_id, work_unit_id=unit_id, at=datetime.now(UTC), **given
    )


def _preview(actor: Actor, site_id: int, form: Form, unit_id: int | None) -> Preview:
    now_us = microseconds(datetime.now(UTC))
    found, table = formulas.preview(
        actor=actor,
        site_id=site_id,
        formula=form.formula,
        work_unit_id=unit_id,
        unit=form.unit,
        start_us=now_us - PREVIEW_US,
        end_us=now_us,
    )
    inputs = [f"{name} = {tag.label}" for name, tag in sorted(found.inputs.items())]
    empty = Preview(found.unit, inputs, 0)
    return _drawn(empty, table, now_us - PREVIEW_US) if table.num_rows else empty


def _drawn(preview: Preview, table: pa.Table, start_us: int) -> Preview:
    lows, highs = (np.asarray(table[name].to_numpy(), np.float64) for name in ("min", "max"))
    low, high = float(lows.min()), float(highs.max())
    x = (np.asarray(table["time"].cast(pa.int64()), np.int64) - start_us) / PREVIEW_US * WIDTH
    span = high - low or 1.0

    def y(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
        rows: list[float] = (HEIGHT - 4 - (values - low) / span * (HEIGHT - 8)).round(1).tolist()
        return rows

    line = [*zip(x.round(1).tolist(), y(highs), strict=True), *reversed(list(zip(x.round(1), y(lows), strict=True)))]
    return replace(
        preview,
        count=int(np.asarray(table["count"]).sum()),
        low=low,
        high=high,
        newest=float(table["last"][-1].as_py()),
        points=" ".join(f"{at},{value}" for at, value in line),
    )
