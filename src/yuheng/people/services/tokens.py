"""Verbs about API tokens."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.kernel.models import Site
from yuheng.people.identity import hash_of_token
from yuheng.people.models import ApiToken
from yuheng.people.rules import ALL_PERMISSIONS, LONGEST_TOKEN_DAYS
from yuheng.people.services.reach import audit_person, oneself

TOKEN_PREFIX = "yh_"


@transaction.atomic
def issue_token(
    *, actor: Actor, name: str, scopes: Iterable[str], days: int, at: datetime, site_id: int | None = None
) -> tuple[ApiToken, str]:
    """Make a token that acts as oneself within ``scopes``; return it with its secret, which is never shown again.

    ``site_id`` limits it to one site, whatever the person may do elsewhere.

    Raises
    ------
    InvalidInput
        No name, unknown scopes, or a life that is not 1 to 366 days.
    NotVisible
        The person sees no such site.
    """
    person = oneself(actor)
    wanted = set(scopes)
    if not name.strip():
        raise InvalidInput(_("Name the token after what uses it."), {"name": _("Fill in the name.")})
    if not wanted or wanted - ALL_PERMISSIONS:
        message = _("Choose at least one permission, and only existing ones.")
        raise InvalidInput(message, {"scopes": message})
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        message = _("A token lives 1 to %(days)d days.") % {"days": LONGEST_TOKEN_DAYS}
        raise InvalidInput(message, {"days": message})
    if site_id is not None and not (actor.sees_site(site_id) and Site.objects.filter(pk=site_id).exists()):
        raise NotVisible(_("There is no such site here."))
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        person=person,
        name=name.strip()[:80],
        token_sha256=hash_of_token(secret),
        scopes=sorted(wanted),
        site_id=site_id,
        created_at=at,
        expires_at=at + timedelta(days=days),
    )
    audit_person(
        actor, person, "people.token_issued", at, site_id=site_id, token=token.pk, scopes=token.scopes, days=days
    )
    return token, secret


@transaction.atomic
def revoke_token(*, actor: Actor, token_id: int, at: datetime) -> None:
    """End one of one's own tokens."""
    person = oneself(actor)
    if not ApiToken.objects.filter(pk=token_id, person=person, revoked_at__isnull=True).update(revoked_at=at):
        raise NotVisible(_("There is no such token."))
    audit_person(actor, person, "people.token_revoked", at, token=token_id)
