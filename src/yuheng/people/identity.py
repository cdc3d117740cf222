"""Who acts in this request: a signed-in person, or a program with a token."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from django.contrib.auth.backends import BaseBackend
from django.http import HttpRequest

from yuheng.kernel.actor import ANONYMOUS, Actor
from yuheng.people.models import ApiToken, Person
from yuheng.people.rules import restrict_grants

IMPERSONATOR_KEY = "impersonator"
"""Session key that says who really sits there (demo mode only)."""

_CACHE = "_yuheng_actor"
_BEARER = "Bearer "
_LAST_USED_RESOLUTION = timedelta(minutes=1)


class PersonBackend(BaseBackend):
    """Django's door to persons: reads the person of a session, together with their grants, in one query."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None
    ) -> Person | None:
        """Return the active person with this name and password, else None."""
        if username is None or password is None:
            return None
        person = Person.objects.filter(username=username).first()
        if person is None:
            Person().set_password(password)  # as slow as a real check: the answer must not tell which names exist
            return None
        return person if person.check_password(password) and person.is_active else None

    def get_user(self, user_id: int) -> Person | None:
        """Return the active person of a session."""
        return Person.objects.with_grants().filter(pk=user_id, is_active=True).first()


def actor_of(request: HttpRequest) -> Actor:
    """Who acts in this request.

    A bearer token, when the header is there, decides alone: a wrong one is anonymous even with a session cookie.

    Notes
    -----
    At most two queries (session and person, or token and person; once a minute a third notes the token's use);
    none when asked again.
    """
    actor: Actor | None = getattr(request, _CACHE, None)
    if actor is None:
        actor = _actor_of_token(request) if is_token_request(request) else _actor_of_session(request)
        setattr(request, _CACHE, actor)
    return actor


def is_token_request(request: HttpRequest) -> bool:
    """Return whether the request names a token. Such requests need no CSRF check: a browser never adds the header."""
    return request.headers.get("Authorization", "").startswith(_BEARER)


def person_of(request: HttpRequest) -> Person | None:
    """Return the signed-in person of a page request (None for tokens): for names, language and theme only."""
    user = request.user
    return user if isinstance(user, Person) else None


def hash_of_token(secret: str) -> str:
    """How a token's secret is stored; it has 256 random bits, so a plain hash suffices."""
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_of_person(person: Person, *, impersonator: str = "") -> Actor:
    """Return the actor of a person read ``with_grants()``."""
    return Actor(
        kind="person",
        name=person.username,
        person_id=person.pk,
        permissions=person.grants,
        impersonator=impersonator,
        name_zh=person.name_zh,
        name_en=person.name_en,
    )


def _actor_of_session(request: HttpRequest) -> Actor:
    person = person_of(request)
    if person is None:
        return ANONYMOUS
    if not hasattr(person, "grant_rows"):  # just signed in during this very request
        person = Person.objects.with_grants().get(pk=person.pk)
    return actor_of_person(person, impersonator=request.session.get(IMPERSONATOR_KEY, ""))


def _actor_of_token(request: HttpRequest) -> Actor:
    secret = request.headers["Authorization"].removeprefix(_BEARER).strip()
    now = datetime.now(UTC)
    token = ApiToken.objects.filter(
        token_sha256=hash_of_token(secret), expires_at__gt=now, revoked_at__isnull=True, person__is_active=True
    ).first()
    if token is None:
        return ANONYMOUS
    if token.last_used_at is None or now - token.last_used_at > _LAST_USED_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    person = Person.objects.with_grants().get(pk=token.person_id)
    return Actor(
        kind="person",
        name=person.username,
        person_id=person.pk,
        permissions=restrict_grants(person.grants, token.scopes, token.site_id),
    )
