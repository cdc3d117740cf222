"""Pages: engineering change orders."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from yuheng.engineering import selectors, services
from yuheng.engineering.labels import CHANGE_STATES, VERSION_KINDS
from yuheng.engineering.rules.specs import ChangeSpec
from yuheng.engineering.rules.words import ChangeState, VersionKind
from yuheng.engineering.views.asking import EDIT, VIEW, asked_site, now, page, sent_day, sentence
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.people.identity import actor_of

TEXTS = ("title", "reason", "disposition_stock", "disposition_wip", "disposition_field")


@require_GET
def changes(request: HttpRequest) -> HttpResponse:
    """List changes, newest first."""
    actor, site = asked_site(request)
    state = request.GET.get("state", "") if request.GET.get("state", "") in CHANGE_STATES else ""
    before = request.GET.get("before", "")
    rows = selectors.changes(
        actor=actor, site_id=site.id, state=state, before=int(before) if before.isdigit() and len(before) < 19 else 0
    )
    context = {"rows": rows, "state": state, "states": CHANGE_STATES, "tab": "changes", "page_size": 50}
    return page(request, "engineering/changes.html", context, site.id)


@require_http_methods(["GET", "POST"])
def new_change(request: HttpRequest) -> HttpResponse:
    """Write a change."""
    actor, site = asked_site(request, EDIT)
    given = {name: request.POST.get(name, "").strip() for name in (*TEXTS, "effective_from")}
    wrong: dict[str, str] = {}
    if request.method == "POST":
        try:
            row = services.create_change(actor=actor, site_id=site.id, spec=_spec(request, given), at=now())
        except InvalidInput as refusal:
            wrong = refusal.fields or {"": str(refusal)}
        else:
            return redirect("engineering:change", change_id=row.pk)
    context = {"given": given, "wrong": wrong, "tab": "changes"}
    return page(request, "engineering/change_form.html", context, site.id, status=422 if wrong else 200)


def _spec(request: HttpRequest, given: dict[str, str]) -> ChangeSpec:
    day = sent_day(request, "effective_from")
    if day is None:
        message = _("Say from which day it holds.")
        raise InvalidInput(message, {"effective_from": message})
    return ChangeSpec(effective_from=day, **{name: given[name] for name in TEXTS})


@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, change_id: int) -> HttpResponse:
    """Show a change with what it affects and touches; move it on."""
    actor = actor_of(request)
    whole = selectors.change(actor=actor, change_id=change_id)
    trouble = ""
    if request.method == "POST":
        try:
            _act(request, whole)
        except (InvalidInput, Conflict, NotVisible) as refusal:
            trouble = sentence(refusal)
        else:
            return redirect("engineering:change", change_id=change_id)
        whole = selectors.change(actor=actor, change_id=change_id)
    state = whole.change.state
    may_edit = actor.may(EDIT, site_id=whole.change.site_id)
    context = {
        "change": whole.change,
        "affected": whole.affected,
        "impact": selectors.impact(actor=actor, change_id=change_id),
        "states": CHANGE_STATES,
        "kinds": VERSION_KINDS,
        "trouble": trouble,
        "is_draft": state is ChangeState.DRAFT,
        "is_in_review": state is ChangeState.IN_REVIEW,
        "is_approved": state is ChangeState.APPROVED,
        "drafts": selectors.draft_versions(actor=actor, site_id=whole.change.site_id)
        if may_edit and state is ChangeState.DRAFT
        else [],
        "tab": "changes",
    }
    return page(request, "engineering/change.html", context, whole.change.site_id, status=422 if trouble else 200)


def _act(request: HttpRequest, whole: selectors.ChangeWhole) -> None:
    actor, action, pk, at = actor_of(request), request.POST.get("action", ""), whole.change.id, now()
    actor.require(VIEW, site_id=whole.change.site_id)
    note = request.POST.get("note", "").strip()
    if action == "add":
        kind, _dot, version = request.POST.get("version", "").partition(".")
        if kind not in VERSION_KINDS or not version.isdigit() or len(version) > 18:
            raise InvalidInput(_("Choose a version first."))
        services.add_to_change(actor=actor, change_id=pk, kind=VersionKind(kind), version_id=int(version), at=at)
    elif action == "remove":
        affected = request.POST.get("affected", "")
        services.remove_from_change(
            actor=actor, change_id=pk, affected_id=int(affected) if affected.isdigit() else 0, at=at
        )
    elif action == "submit":
        services.submit_change(actor=actor, change_id=pk, at=at)
        messages.success(request, _("Submitted. Another person decides now."))
    elif action == "withdraw":
        services.withdraw_change(actor=actor, change_id=pk, at=at)
    elif action == "approve":
        services.approve_change(actor=actor, change_id=pk, note=note, at=at)
        messages.success(request, _("Approved."))
    elif action == "reject":
        services.reject_change(actor=actor, change_id=pk, note=note, at=at)
    elif action == "implement":
        services.implement_change(actor=actor, change_id=pk, at=at)
        messages.success(request, _("In force."))
