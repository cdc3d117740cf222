"""Pages: sign-in and sign-out, persons and roles, one's own account, the audit trail."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout, update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.people import exporting, selectors, services, single_sign_on
from yuheng.people.forms import (
    AuditForm,
    NamesForm,
    PasswordForm,
    PersonForm,
    PreferencesForm,
    RoleForm,
    RolePermissionsForm,
    SignInForm,
    TokenForm,
)
from yuheng.people.identity import IMPERSONATOR_KEY, actor_of, person_of
from yuheng.people.models import Person

LOGGER = logging.getLogger(__name__)
YEAR_S = 365 * 86_400
Made = TypeVar("Made")


def _now() -> datetime:
    return datetime.now(UTC)


# ---- signing in and out -------------------------------------------------------------------------------------------


@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for name and password; in a demo, also offer its people."""
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = services.sign_in(
                username=form.cleaned_data["username"],
                password=form.cleaned_data["password"],
                address=request.META.get("REMOTE_ADDR", ""),
                at=_now(),
            )
        except services.SignInRefused as refusal:
            form.add_error(None, str(refusal))
        else:
            return _enter(request, person)
    return _sign_in_page(request, form)


def _sign_in_page(request: HttpRequest, form: SignInForm) -> HttpResponse:
    provider = single_sign_on.provider()
    context = {
        "form": form,
        "cast": selectors.demo_people(),
        "next": _next(request),
        "provider": provider.settings.label if provider else "",
    }
    return render(request, "people/sign_in.html", context, status=403 if form.errors else 200)


@never_cache
@require_GET
def oidc_leave(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider of identities. Without one this address does not exist (404)."""
    provider = _provider()
    attempt = single_sign_on.Attempt.fresh(_next(request))
    try:
        response = HttpResponseRedirect(provider.leave(attempt, _return_address(request)))
    except single_sign_on.OidcError as error:
        return _provider_failed(request, error)
    single_sign_on.remember(response, attempt, is_secure=request.is_secure())
    return response


@never_cache
@require_GET
def oidc_return(request: HttpRequest) -> HttpResponse:
    """Take the browser back from the provider and let the person in."""
    provider = _provider()
    try:
        attempt = single_sign_on.recalled(request, state=request.GET.get("state", ""))
        if reason := request.GET.get("error", ""):
            raise single_sign_on.OidcError(f"The provider said: {reason[:200]}")
        identity = provider.come_back(attempt, code=request.GET.get("code", ""), return_to=_return_address(request))
    except single_sign_on.OidcError as error:
        return _provider_failed(request, error)
    try:
        person = services.sign_in_with_identity(
            identity=identity, settings=provider.settings, address=request.META.get("REMOTE_ADDR", ""), at=_now()
        )
    except services.SignInRefused as refusal:
        return _sign_in_page(request, _form_saying(str(refusal)))
    response = _enter(request, person, wanted=attempt.next)
    request.session[single_sign_on.ID_TOKEN_KEY] = identity.id_token
    single_sign_on.forget(response)
    return response


@never_cache
@require_GET
def signed_out(request: HttpRequest) -> HttpResponse:
    """Say that one is signed out here, and lead to the provider's own signing out."""
    return render(request, "people/signed_out.html", {"address": single_sign_on.sign_out_address(request)})


def _provider() -> single_sign_on.Provider:
    provider = single_sign_on.provider()
    if provider is None:
        raise Http404
    return provider


def _return_address(request: HttpRequest) -> str:
    return request.build_absolute_uri(reverse("people:oidc_return"))


def _provider_failed(request: HttpRequest, error: Exception) -> HttpResponse:
    """Tell the log why, and the person what they can do."""
    LOGGER.warning("Single sign-on failed: %s", error)
    return _sign_in_page(request, _form_saying(_("Single sign-on did not work. Try again, or ask an administrator.")))


def _form_saying(sentence: str) -> SignInForm:
    form = SignInForm({"username": "-", "password": "-"})
    form.is_valid()
    form.add_error(None, sentence)
    form.data = {}
    return form


@require_POST
def impersonate(request: HttpRequest) -> HttpResponse:
    """Become one of the demo's people. Outside a demo this address does not exist (404)."""
    actor = actor_of(request)
    person = services.impersonate(actor=actor, username=request.POST.get("username", ""), at=_now())
    return _enter(request, person, impersonator=actor.impersonator or actor.name)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; who came from a provider of identities is told how to sign out there too."""
    services.sign_out(actor=actor_of(request), at=_now())
    id_token = request.session.get(single_sign_on.ID_TOKEN_KEY, "")
    logout(request)
    if not id_token or single_sign_on.provider() is None:
        return redirect("people:sign_in")
    response = redirect("people:signed_out")
    single_sign_on.keep_for_sign_out(response, id_token, is_secure=request.is_secure())
    return response


def _enter(request: HttpRequest, person: Person, *, impersonator: str = "", wanted: str = "") -> HttpResponse:
    """Start a new session (a new key: an old one may have been planted) with the person's language and theme."""
    request.session.flush()
    login(request, person, backend=settings.AUTHENTICATION_BACKENDS[0])
    if impersonator:
        request.session[IMPERSONATOR_KEY] = impersonator
    response = HttpResponseRedirect(wanted or _next(request))
    if not impersonator:
        _remember_preferences(request, response, person)
    return response


def _remember_preferences(request: HttpRequest, response: HttpResponse, person: Person) -> None:
    chosen = {settings.LANGUAGE_COOKIE_NAME: person.language}
    if person.theme != "auto":
        chosen[settings.THEME_COOKIE_NAME] = person.theme
    for name, value in chosen.items():
        response.set_cookie(name, value, max_age=YEAR_S, samesite="Lax", httponly=True, secure=request.is_secure())


def _next(request: HttpRequest) -> str:
    """Where to go after signing in: only to this host, so that a link cannot lead elsewhere."""
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    is_ours = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_ours else "/"


# ---- persons and roles --------------------------------------------------------------------------------------------


@require_GET
def people(request: HttpRequest) -> HttpResponse:
    """List persons with their roles by site."""
    actor = actor_of(request)
    search = request.GET.get("q", "").replace("\x00", "").strip()
    context = {
        "people": selectors.people(actor=actor, search=search),
        "search": search,
        "may_everywhere": actor.may_everywhere("people.manage"),
    }
    return render(request, "people/people.html", context)


@never_cache
@require_http_methods(["GET", "POST"])
def new_person(request: HttpRequest) -> HttpResponse:
    """Add a person; the generated password is shown once."""
    actor = actor_of(request)
    actor.require("people.manage")
    form = PersonForm(request.POST or None, organisations=selectors.organisations_to_manage(actor=actor))
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        made = _attempt(
            form,
            lambda: services.create_person(
                actor=actor,
                username=values["username"],
                name_zh=values["name_zh"],
                name_en=values["name_en"],
                organisation_id=values["organisation"],
                language=values["language"],
                at=_now(),
            ),
        )
        if made is not None:
            person, secret = made
            return _show_secret(request, _("Password of %(name)s") % {"name": person.username}, secret, person.pk)
    return render(request, "people/new_person.html", {"form": form}, status=422 if form.errors else 200)


@require_GET
def person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Show one person."""
    return _person_page(request, person_id)


@require_POST
def rename_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Change the names."""
    actor = actor_of(request)
    selectors.person(actor=actor, person_id=person_id)
    form = NamesForm(request.POST)
    if form.is_valid():
        services.rename_person(actor=actor, person_id=person_id, at=_now(), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("people:person", person_id=person_id)
    return _person_page(request, person_id, names=form)


@require_POST
def assign_role(request: HttpRequest, person_id: int) -> HttpResponse:
    """Give the person a role."""
    actor = actor_of(request)
    selectors.person(actor=actor, person_id=person_id)
    form = _role_form(actor, request.POST)
    if form.is_valid():
        services.assign_role(
            actor=actor,
            person_id=person_id,
            role_code=form.cleaned_data["role"],
            site_id=form.cleaned_data["site"],
            at=_now(),
        )
        messages.success(request, _("Saved."))
        return redirect("people:person", person_id=person_id)
    return _person_page(request, person_id, roles=form)


@require_POST
def withdraw_role(request: HttpRequest, person_id: int, assignment_id: int) -> HttpResponse:
    """Take a role away."""
    services.withdraw_role(actor=actor_of(request), assignment_id=assignment_id, at=_now())
    messages.success(request, _("Saved."))
    return redirect("people:person", person_id=person_id)


@require_POST
def deactivate_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Shut the person out."""
    services.deactivate_person(actor=actor_of(request), person_id=person_id, at=_now())
    return redirect("people:person", person_id=person_id)


@require_POST
def reactivate_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let the person in again."""
    services.reactivate_person(actor=actor_of(request), person_id=person_id, at=_now())
    return redirect("people:person", person_id=person_id)


@require_POST
def unlock_person(request: HttpRequest, person_id: int) -> HttpResponse:
    """Let the person try again at once after too many wrong passwords."""
    services.unlock_person(actor=actor_of(request), person_id=person_id, at=_now())
    messages.success(request, _("They can sign in again."))
    return redirect("people:person", person_id=person_id)


@never_cache
@require_POST
def reset_password(request: HttpRequest, person_id: int) -> HttpResponse:
    """Make a new password and show it once."""
    actor = actor_of(request)
    secret = services.reset_password(actor=actor, person_id=person_id, at=_now())
    row = selectors.person(actor=actor, person_id=person_id)
    return _show_secret(request, _("Password of %(name)s") % {"name": row.username}, secret, person_id)


@require_http_methods(["GET", "POST"])
def roles(request: HttpRequest) -> HttpResponse:
    """Show what each role allows; change one."""
    actor = actor_of(request)
    actor.require("people.manage")
    if request.method == "POST":
        form = RolePermissionsForm(request.POST)
        if form.is_valid():
            services.set_role_permissions(
                actor=actor,
                role_code=request.POST.get("role", ""),
                permissions=form.cleaned_data["permissions"],
                at=_now(),
            )
            messages.success(request, _("Saved."))
            return redirect("people:roles")
        messages.error(request, _("There is no such permission."))
    forms_by_role = [
        (role, RolePermissionsForm(initial={"permissions": sorted(role.permissions)}, auto_id=f"id_{role.code}_%s"))
        for role in selectors.roles()
    ]
    context = {"roles": forms_by_role, "may_change": actor.may_everywhere("people.manage")}
    return render(request, "people/roles.html", context)


def _person_page(
    request: HttpRequest, person_id: int, *, names: NamesForm | None = None, roles: RoleForm | None = None
) -> HttpResponse:
    actor = actor_of(request)
    row = selectors.person(actor=actor, person_id=person_id)
    context = {
        "person": row,
        "is_self": actor.person_id == person_id,
        "lock": selectors.lock_of(actor=actor, person_id=person_id, now=_now()),
        "badge": selectors.floor_credential(actor=actor, person_id=person_id),
        "names": names or NamesForm(initial={"name_zh": row.name_zh, "name_en": row.name_en}),
        "role_form": roles or _role_form(actor),
    }
    return render(request, "people/person.html", context, status=422 if names or roles else 200)


def _role_form(actor: Actor, data: Any = None) -> RoleForm:
    return RoleForm(
        data,
        roles=selectors.roles(),
        sites=selectors.sites_to_manage(actor=actor),
        may_everywhere=actor.may_everywhere("people.manage"),
    )


# ---- one's own account --------------------------------------------------------------------------------------------


@never_cache
@require_http_methods(["GET", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show and change one's own language and theme; list one's tokens."""
    actor, me = actor_of(request), _me(request)
    form = PreferencesForm(request.POST or None, initial={"language": me.language, "theme": me.theme})
    if request.method == "POST" and form.is_valid():
        changed = services.change_own_preferences(actor=actor, at=_now(), **form.cleaned_data)
        response = redirect("people:account")
        _remember_preferences(request, response, changed)
        return response
    return _account_page(request, preferences=form)


@require_POST
def issue_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show it once."""
    form = TokenForm(request.POST, sites=selectors.visible_sites(actor=actor_of(request)))
    if form.is_valid():
        made = _attempt(form, lambda: services.issue_token(actor=actor_of(request), at=_now(), **form.cleaned_data))
        if made is not None:
            token, secret = made
            return _show_secret(request, _("Token '%(name)s'") % {"name": token.name}, secret, None)
    return _account_page(request, token=form)


@require_POST
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """End a token."""
    services.revoke_token(actor=actor_of(request), token_id=token_id, at=_now())
    messages.success(request, _("The token is ended."))
    return redirect("people:account")


@never_cache
@sensitive_post_parameters("old", "new")
@require_http_methods(["GET", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password."""
    actor = actor_of(request)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        changed = _attempt(form, lambda: services.change_own_password(actor=actor, at=_now(), **form.cleaned_data))
        if changed is not None:
            update_session_auth_hash(request, changed)
            messages.success(request, _("Your password is changed; other sessions were ended."))
            return redirect("people:account")
    context = {"form": form, "is_forced": _me(request).must_change_password}
    return render(request, "people/password.html", context, status=422 if form.errors else 200)


def _account_page(
    request: HttpRequest, *, preferences: PreferencesForm | None = None, token: TokenForm | None = None
) -> HttpResponse:
    actor, me = actor_of(request), _me(request)
    context = {
        "me": me,
        "preferences": preferences or PreferencesForm(initial={"language": me.language, "theme": me.theme}),
        "token_form": token or TokenForm(sites=selectors.visible_sites(actor=actor)),
        "tokens": selectors.own_tokens(actor=actor, now=_now()),
        "has_password": me.has_usable_password(),
        "badge": selectors.floor_credential(actor=actor, person_id=me.pk),
    }
    has_errors = bool((preferences and preferences.errors) or (token and token.errors))
    return render(request, "people/account.html", context, status=422 if has_errors else 200)


def _me(request: HttpRequest) -> Person:
    person = person_of(request)
    if person is None:
        raise services.SignInRefused(_("This page is for people who signed in, not for tokens."))
    return person


# ---- audit --------------------------------------------------------------------------------------------------------


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """Show who did what, newest first."""
    actor = actor_of(request)
    form = _audit_form(request, actor)
    values = form.cleaned_data if form.is_valid() else {}
    page = selectors.audit_trail(actor=actor, wanted=_wanted(values), older_than=values.get("older_than"))
    kept = {name: text for name, text in request.GET.items() if name != "older_than" and text}
    context = {
        "form": form,
        "page": page,
        "older": urlencode({**kept, "older_than": page.older_than}) if page.older_than else "",
        "filter": urlencode(kept),
        "is_filtered": bool(kept),
        "most": exporting.MOST_ROWS,
    }
    return render(request, "people/audit.html", context)


@require_GET
def audit_file(request: HttpRequest, kind: str) -> HttpResponse:
    """Hand out what the page's filter finds, newest first, as CSV or XLSX."""
    actor = actor_of(request)
    form = _audit_form(request, actor)
    if not form.is_valid():
        raise InvalidInput(
            _("This filter cannot be read."), {name: str(errors) for name, errors in form.errors.items()}
        )
    most, now = exporting.MOST_ROWS[kind], _now()
    rows = selectors.audit_rows(actor=actor, wanted=_wanted(form.cleaned_data), most=most)
    zone = timezone.get_current_timezone()
    if kind == "csv":
        content = exporting.as_csv(rows, zone)
    else:
        headings = [
            _("Time"),
            _("Site"),
            _("Who"),
            _("Really"),
            _("Action"),
            _("What"),
            _("Kind"),
            _("Which"),
            _("Detail"),
        ]
        content = exporting.as_xlsx(rows, zone, headings=headings)
    services.note_audit_export(actor=actor, kind=kind, wanted=request.GET.dict(), at=now)
    answer = HttpResponse(content, content_type=exporting.TYPES[kind])
    answer["Content-Disposition"] = f'attachment; filename="audit-{now:%Y%m%d-%H%M}.{kind}"'
    return answer


def _audit_form(request: HttpRequest, actor: Actor) -> AuditForm:
    return AuditForm(
        request.GET,
        sites=selectors.audit_sites(actor=actor),
        kinds=selectors.audit_kinds(),
        actions=selectors.audit_actions(),
    )


def _wanted(values: dict[str, Any]) -> selectors.AuditFilter:
    return selectors.AuditFilter(
        who=values.get("who", ""),
        action=values.get("action", ""),
        object_kind=values.get("object_kind", ""),
        object_id=values.get("object_id", ""),
        text=values.get("text", ""),
        site_id=values.get("site"),
        from_at=_start_of(values.get("from_day")),
        to_at=_start_of(values.get("to_day"), days=1),
    )


def _start_of(day: Any, *, days: int = 0) -> datetime | None:
    return datetime.combine(day, time.min, timezone.get_current_timezone()) + timedelta(days=days) if day else None


# ---- shared by the pages above ------------------------------------------------------------------------------------


def _attempt(form: forms.Form, act: Callable[[], Made]) -> Made | None:
    """Do it; when a rule refuses a field, say so at that field and return None. Other refusals become error pages."""
    try:
        return act()
    except InvalidInput as refusal:
        for field, reason in refusal.fields.items():
            form.add_error(field if field in form.fields else None, reason)
        if not refusal.fields:
            form.add_error(None, str(refusal))
        return None


def _show_secret(request: HttpRequest, title: str, secret: str, person_id: int | None) -> HttpResponse:
    """Show a secret in the answer itself: it is stored nowhere, not even in the session."""
    context = {"title": title, "secret": secret, "person_id": person_id}
    response = render(request, "people/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response
