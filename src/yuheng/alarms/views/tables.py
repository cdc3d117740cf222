"""All alarms of a class in one table, exchanged with Excel: what it would do is shown, then exactly that is done."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from yuheng.alarms import tables
from yuheng.alarms.selectors.definitions import DefinitionRow, definitions_of_class
from yuheng.alarms.selectors.tables import TablePreview, preview_table
from yuheng.alarms.services import definitions as services
from yuheng.alarms.services.checks import MAX_DEFINITIONS, DefinitionSpec, symbols_in
from yuheng.alarms.views.asking import now, page
from yuheng.alarms.views.definitions import EDIT, of_class
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import Conflict, DomainError, InvalidInput
from yuheng.people.identity import actor_of


@require_http_methods(["GET", "POST"])
def class_table(request: HttpRequest, equipment_class_id: int) -> HttpResponse:
    """Edit all alarms of a class at once: preview on the first post, apply on the second what was previewed."""
    actor = actor_of(request)
    place = of_class(actor, equipment_class_id)
    may_edit = actor.may(EDIT, site_id=place.site.id)
    if request.method == "POST":
        actor.require(EDIT, site_id=place.site.id)
    unit_ids = equipment.work_unit_ids(site_id=place.site.id)
    unit_codes = {pk: code for code, pk in unit_ids.items()}
    rows = definitions_of_class(actor=actor, equipment_class_id=equipment_class_id)
    known = {row.code: _spec_of(row) for row in rows}
    saved = {row.id: tables.cells_of(row, unit_codes) for row in rows}
    shown: list[dict[str, Any]] = [{"id": pk, "cells": cells} for pk, cells in saved.items()]
    errors: dict[str, str] = {}
    trouble, seen = "", ""
    preview: TablePreview | None = None
    if request.method == "POST":
        try:
            shown = _posted(request)
            table = tables.read_table([row["cells"] for row in shown], known, unit_ids)
            errors = table.errors
            if errors:
                raise InvalidInput(_("Some cells cannot be accepted."))
            seen = tables.digest(table.specs, known)
            if request.POST.get("action") == "apply":
                if request.POST.get("seen") != seen:
                    raise Conflict(_("The table, or the alarms themselves, changed since. Look at the changes again."))
                services.define_all(
                    actor=actor,
                    specs=table.specs,
                    at=now(),
                    equipment_class_id=equipment_class_id,
                    is_still=lambda current: tables.digest(table.specs, current) == seen,
                )
                messages.success(request, _("Saved. The historian judges by it within a second."))
                return redirect(place.url)
            preview = preview_table(
                actor=actor,
                equipment_class_id=equipment_class_id,
                specs=table.specs,
                unknown=_unknown(table.specs, place.symbols),
            )
        except (InvalidInput, Conflict) as refusal:
            trouble = _sentence(refusal)
    context = {
        "kind": equipment.equipment_class(actor=actor, equipment_class_id=equipment_class_id),
        "tab": "alarms",
        "place": place,
        "grid": {
            "columns": tables.columns(),
            "rows": [{**row, "first": saved.get(row["id"])} for row in shown],
            "errors": errors,
            "may_edit": may_edit,
            "may_add": may_edit,
        },
        "preview": preview,
        "trouble": trouble,
        "seen": seen,
        "may_edit": may_edit,
        "alarm_count": len(rows),
    }
    return page(request, "alarms/class_table.html", context, place.site, status=422 if trouble else 200)


def _unknown(specs: list[DefinitionSpec], symbols: list[str]) -> dict[str, list[str]]:
    """Return the names of each condition that no tag of the class has, by code; nothing while it has no tags."""
    if not symbols:
        return {}
    return {spec.code: sorted({*symbols_in(spec.when, spec.parameters)} - {*symbols}) for spec in specs}


def _spec_of(row: DefinitionRow) -> DefinitionSpec:
    return DefinitionSpec(**{one.name: getattr(row, one.name) for one in fields(DefinitionSpec)})


def _sentence(refusal: DomainError) -> str:
    return " ".join([str(refusal), *list((getattr(refusal, "fields", None) or {}).values())[:5]])


def _posted(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the rows that the grid sent. Raises `InvalidInput` when they are no table."""
    try:
        sent = json.loads(request.POST.get("rows", ""))
        if not isinstance(sent, list) or len(sent) > MAX_DEFINITIONS:
            raise TypeError
        return [
            {
                "id": row.get("id") if isinstance(row.get("id"), int) else None,
                "cells": {str(name): str(text) for name, text in row["cells"].items()},
            }
            for row in sent
        ]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidInput(_("The table did not arrive whole. Send it again.")) from error
