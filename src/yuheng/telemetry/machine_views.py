"""Pages: machines that are polled or subscribed to, browsing them, their certificates, writing to them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.equipment import selectors as equipment
from yuheng.gateway.connector import BrowsePage, Kind, Manifest, Node, find_manifests
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible
from yuheng.people.identity import actor_of
from yuheng.telemetry import schema_form
from yuheng.telemetry.rules import DataType
from yuheng.telemetry.selectors import commands as questions
from yuheng.telemetry.selectors import machines, signals
from yuheng.telemetry.services import commands, picked, sources, trust
from yuheng.telemetry.services.picked import Picked

EDIT, COMMAND = "telemetry.edit", "machines.command"
LARGEST_PICK = 4 * 1024 * 1024


def _now() -> datetime:
    return datetime.now(UTC)


def _sentences(error: DomainError) -> list[str]:
    return list(dict.fromkeys([str(error), *(getattr(error, "fields", None) or {}).values()]))


def about_machine(actor: Actor, row: signals.SourceRow) -> dict[str, Any]:
    """What the page of a source shows of the machine behind it."""
    manifest = find_manifests().get(row.connector)
    session = machines.session_of(row.id)
    facts = {} if session is None else session.facts
    return {
        "manifest": manifest,
        "session": session,
        "session_word": "" if session is None else SESSION_WORDS.get(session.state, session.state),
        "has_trust": trust.has_trust(row.connector),
        "trusted": row.settings.get(trust.SETTING, []),
        "certificate": facts.get("certificate", ""),
        "is_certificate_wanted": bool(facts.get("certificate_is_wanted")),
        "gaps": questions.gaps(actor=actor, source_id=row.id, limit=20),
        "commands": questions.commands(actor=actor, source_id=row.id, limit=20),
        "may_open": actor.may(EDIT, site_id=row.site_id) and actor.may(COMMAND, site_id=row.site_id),
    }


# ---- connecting -----------------------------------------------------------------------------------------------------


SESSION_WORDS = {
    "connecting": _lazy("connecting"),
    "connected": _lazy("connected"),
    "degraded": _lazy("connected, with a problem"),
    "failed": _lazy("not connected"),
    "stopped": _lazy("stopped"),
}


def machine_titles() -> list[tuple[str, str]]:
    """Return name and title, in the reader's language, of each connector that `connect_machine` knows."""
    is_chinese = (get_language() or "").startswith("zh")
    return [(name, m.title_zh if is_chinese else m.title_en) for name, m in machine_connectors().items()]


def machine_connectors() -> dict[str, Manifest]:
    """Connectors that go to the machine themselves, so that a source of theirs is made from its settings alone."""
    asking = {Kind.POLL, Kind.SUBSCRIBE}
    return {name: each for name, each in find_manifests().items() if each.needs_tags and each.kinds & asking}


@never_cache
@require_http_methods(["GET", "POST"])
def connect_machine(request: HttpRequest) -> HttpResponse:
    """Make a source that goes to a machine, from a form of its connector's settings."""
    actor = actor_of(request)
    actor.require(EDIT)
    connector = request.GET.get("connector", "")
    manifest = machine_connectors().get(connector)
    if manifest is None:
        raise NotVisible(_("There is no such connector."))
    sites = [site for site in equipment.visible_sites(actor=actor) if actor.may(EDIT, site_id=site.id)]
    errors: list[str] = []
    given: dict[str, Any] = {}
    if request.method == "POST":
        try:
            given = schema_form.posted_settings(manifest.config_schema, request.POST)
            site = next((site for site in sites if str(site.id) == request.POST.get("site")), None)
            if site is None:
                raise InvalidInput(_("Choose a site."))
            made = sources.create_source(
                actor=actor,
                site_id=site.id,
                code=request.POST.get("code", "").strip(),
                connector=connector,
                topics=[],
                settings=given,
                at=_now(),
            )
        except DomainError as refusal:
            errors = _sentences(refusal)
        else:
            return redirect("telemetry:source", source_id=made.pk)
    is_chinese = (get_language() or "").startswith("zh")
    fields = schema_form.fields_of(manifest.config_schema, given, is_chinese=is_chinese)
    first = [field for field in fields if field.is_required]
    context = {
        "manifest": manifest,
        "title": manifest.title_zh if is_chinese else manifest.title_en,
        "sites": sites,
        "code": request.POST.get("code", ""),
        "first": first,
        "others": [field for field in fields if not field.is_required and field.name != trust.SETTING],
        "errors": errors,
    }
    return render(request, "telemetry/connect_machine.html", context, status=422 if errors else 200)


@require_POST
def trust_certificate(request: HttpRequest, source_id: int) -> HttpResponse:
    """Accept the server certificate that the page showed, or accept one no longer."""
    is_trusted = request.POST.get("is_trusted") == "1"
    thumbprint = request.POST.get("thumbprint", "")
    trust.trust_certificate(
        actor=actor_of(request), source_id=source_id, thumbprint=thumbprint, is_trusted=is_trusted, at=_now()
    )
    said = _("The certificate is accepted. The gateway connects.") if is_trusted else _("It is not accepted any more.")
    messages.success(request, said)
    return redirect("telemetry:source", source_id=source_id)


@require_GET
def own_certificate(request: HttpRequest, source_id: int) -> HttpResponse:
    """Give the certificate that the gateway shows to the server, for the server's trust list."""
    row = signals.source(actor=actor_of(request), source_id=source_id)
    session = machines.session_of(row.id)
    text = "" if session is None else session.facts.get("own_certificate", "")
    if not text:
        raise NotVisible(_("The gateway has made no certificate for this source yet."))
    response = HttpResponse(base64.b64decode(text), content_type="application/pkix-cert")
    response["Content-Disposition"] = f'attachment; filename="yuheng-{row.code}.der"'
    return response


# ---- browsing -------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "POST"])
def browse(request: HttpRequest, source_id: int) -> HttpResponse:
    """Show what the machine has, level by level or by search; take what was picked to its preview, and make tags."""
    actor = actor_of(request)
    row = signals.source(actor=actor, source_id=source_id)
    actor.require(EDIT, site_id=row.site_id)
    if request.method == "POST":
        return _picked(request, actor, row)
    node, cursor = request.GET.get("node", ""), request.GET.get("cursor", "")
    search = request.GET.get("q", "")[:200]
    page, trouble = BrowsePage([]), ""
    try:
        page = machines.browse(actor=actor, source_id=source_id, node=node, cursor=cursor, search=search)
    except NotVisible:
        raise
    except DomainError as refusal:
        trouble = str(refusal)
    level = request.GET.get("level", "0")
    context = {
        "source": row,
        "page": page,
        "node": node,
        "search": search,
        "trouble": trouble,
        "level": int(level) if level.isascii() and level.isdigit() and len(level) < 3 else 0,
        "picks": [
            (one, json.dumps([one.address, _name_of(one), one.data_type, one.unit], ensure_ascii=False))
            for one in page.nodes
        ],
        "units": _units(actor, row.site_id),
    }
    template = "telemetry/_browse_rows.html" if request.GET.get("rows") else "telemetry/browse.html"
    return render(request, template, context)


def _name_of(node: Node) -> str:
    """Name a part of a value by the whole it is of: ``Recipe Speed``, not ``Speed``."""
    whole, hash_, part = node.address.rpartition("#")
    return f"{whole.rpartition('=')[2]} {part}" if hash_ else node.name


def _units(actor: Actor, site_id: int) -> list[Any]:
    return list(equipment.work_units(actor=actor, site_id=site_id)) if actor.may("equipment.view") else []


def _picked(request: HttpRequest, actor: Actor, row: signals.SourceRow) -> HttpResponse:
    errors: list[str] = []
    plan: list[picked.PlannedTag] = []
    texts = request.POST.getlist("pick")
    unit_id = request.POST.get("work_unit", "")
    work_unit_id = int(unit_id) if unit_id.isascii() and unit_id.isdigit() and len(unit_id) < 19 else None
    try:
        wanted = _read_picks(texts)
        if request.POST.get("action") == "make":
            made = picked.make_picked_tags(
                actor=actor, source_id=row.id, picked=wanted, work_unit_id=work_unit_id, at=_now()
            )
            said = ngettext("%(count)d tag was made.", "%(count)d tags were made.", made) % {"count": made}
            messages.success(request, said)
            return redirect("telemetry:source", source_id=row.id)
        plan = picked.plan_tags(actor=actor, source_id=row.id, picked=wanted)
    except DomainError as refusal:
        errors = _sentences(refusal)
    context = {
        "source": row,
        "plan": plan,
        "picks": texts,
        "errors": errors,
        "counts": {word: sum(one.action == word for one in plan) for word in ("add", "exists", "refused")},
        "work_unit_id": work_unit_id,
        "units": _units(actor, row.site_id),
    }
    return render(request, "telemetry/picked.html", context, status=422 if errors else 200)


def _read_picks(texts: list[str]) -> list[Picked]:
    found = []
    for text in texts:
        try:
            address, name, data_type, unit = (str(part) for part in json.loads(text))
        except (ValueError, TypeError):
            raise InvalidInput(_("What was picked cannot be read. Go back and pick it again.")) from None
        known = data_type if data_type in set(DataType) else DataType.TEXT.value
        found.append(Picked(address[:1000], name, known, unit))
    return found


# ---- writing --------------------------------------------------------------------------------------------------------


@require_POST
def allow_writes(request: HttpRequest, source_id: int) -> HttpResponse:
    """Let commands be written to the machine of a source, or stop it."""
    is_allowed = request.POST.get("is_allowed") == "1"
    commands.allow_writes(actor=actor_of(request), source_id=source_id, is_allowed=is_allowed, at=_now())
    return redirect("telemetry:source", source_id=source_id)


@never_cache
@require_http_methods(["GET", "POST"])
def write(request: HttpRequest, tag_id: int) -> HttpResponse:
    """Write a value to the machine behind a tag; see what became of it; open the tag for writing."""
    actor = actor_of(request)
    tag = signals.tag(actor=actor, tag_id=tag_id)
    errors: list[str] = []
    if request.method == "POST":
        try:
            _act(request, actor, tag_id)
        except DomainError as refusal:
            errors = _sentences(refusal)
        else:
            return redirect("telemetry:write", tag_id=tag_id)
    rows = questions.commands(actor=actor, tag_id=tag_id, limit=20)
    context = {
        "tag": tag,
        "writing": questions.writing(actor=actor, tag_id=tag_id),
        "commands": rows,
        "is_open": any(row.state in ("requested", "sent") for row in rows),
        "errors": errors,
        "given": request.POST,
        "may_command": actor.may(COMMAND, site_id=tag.site_id),
        "may_open": actor.may(EDIT, site_id=tag.site_id) and actor.may(COMMAND, site_id=tag.site_id),
    }
    template = "telemetry/_commands.html" if request.GET.get("rows") else "telemetry/write.html"
    return render(request, template, context, status=422 if errors else 200)


def _act(request: HttpRequest, actor: Actor, tag_id: int) -> None:
    if request.POST.get("action") == "limits":
        words = [word.strip() for word in request.POST.get("allowed", "").split(",") if word.strip()]
        commands.set_tag_writing(
            actor=actor,
            tag_id=tag_id,
            is_writable="is_writable" in request.POST,
            low=_limit(request.POST.get("low", "")),
            high=_limit(request.POST.get("high", "")),
            allowed=[_scalar(word) for word in words],
            at=_now(),
        )
        messages.success(request, _("Saved."))
        return
    commands.request_command(
        actor=actor,
        tag_id=tag_id,
        value=request.POST.get("value", ""),
        reason=request.POST.get("reason", ""),
        at=_now(),
        command_id=uuid4(),
    )


def _limit(text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(_("A limit is a number, or empty.")) from None


def _scalar(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
