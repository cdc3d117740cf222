"""Signing in with an identity of a provider: who that is here, and which roles its groups give."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.models import Site
from yuheng.people.models import ExternalIdentity, Person, Role, RoleAssignment
from yuheng.people.oidc import Identity, RoleAt, Settings, wanted_roles
from yuheng.people.rules import USERNAME_PATTERN
from yuheng.people.services.reach import actor_for, audit_person
from yuheng.people.services.signing_in import SignInRefused

BY_GROUP = "oidc"
LONGEST_NAME = 80


@transaction.atomic
def sign_in_with_identity(*, identity: Identity, settings: Settings, address: str, at: datetime) -> Person:
    """Return the person of an identity, made when the policy allows it, with the roles of its groups.

    Roles that an administrator gave by hand stay; those that came from groups follow the groups.

    Raises
    ------
    SignInRefused
        Nobody here belongs to the identity and the policy makes nobody; or the person is deactivated.
    """
    actor = system_actor("oidc")
    roles = wanted_roles(settings, identity.groups)
    known = (
        ExternalIdentity.objects.select_for_update()
        .select_related("person")
        .filter(issuer=identity.issuer, subject=identity.subject)
        .first()
    )
    person = known.person if known is not None else _newcomer(actor, identity, settings, roles, at)
    if not person.is_active:
        raise SignInRefused(_("This account is deactivated. Ask an administrator."))
    _follow_groups(actor, person, roles, at)
    person.last_login = at
    person.save(update_fields=["last_login"])
    audit.record(actor=actor_for(person), action="people.signed_in", at=at, address=address, provider=identity.issuer)
    return person


def _newcomer(actor: Actor, identity: Identity, settings: Settings, roles: frozenset[RoleAt], at: datetime) -> Person:
    """Link or make the person of an identity that comes for the first time."""
    username = identity.username[:LONGEST_NAME]
    there = Person.objects.select_for_update().filter(username__iexact=username).first()
    if there is not None:
        if not settings.links_by_username or there.is_demo:
            raise SignInRefused(
                _("Somebody here has the user name %(name)s already. Ask an administrator.") % {"name": username}
            )
        person = there
    else:
        if settings.creates == "never" or (settings.creates == "mapped" and not roles):
            raise SignInRefused(_("You are not known here yet. Ask an administrator for access."))
        person = _made(actor, identity, username, at)
    ExternalIdentity.objects.create(person=person, issuer=identity.issuer, subject=identity.subject, created_at=at)
    audit_person(actor, person, "people.identity_linked", at, provider=identity.issuer)
    return person


def _made(actor: Actor, identity: Identity, username: str, at: datetime) -> Person:
    if not USERNAME_PATTERN.fullmatch(username):
        raise SignInRefused(_("Use letters, digits and . @ _ - for the user name, at most 80."))
    name = identity.name.replace("\x00", "").strip()[:LONGEST_NAME] or username
    person = Person(username=username, name_zh=name, name_en=name, created_at=at)
    person.set_unusable_password()
    person.save()
    audit_person(actor, person, "people.created", at, provider=identity.issuer)
    return person


def _follow_groups(actor: Actor, person: Person, roles: frozenset[RoleAt], at: datetime) -> None:
    """Give what the groups give, take what they no longer give; what was given by hand is not touched."""
    sites = {site.code: site for site in Site.objects.filter(code__in={one.site for one in roles if one.site})}
    kinds = {role.code: role for role in Role.objects.filter(code__in={one.role for one in roles})}
    wanted = {
        (kinds[one.role].pk, sites[one.site].pk if one.site else None)
        for one in roles
        if one.role in kinds and (not one.site or one.site in sites)
    }
    for row in RoleAssignment.objects.filter(person=person, given_by=BY_GROUP).select_related("role"):
        if (row.role_id, row.site_id) not in wanted:
            row.delete()
            audit_person(actor, person, "people.role_withdrawn", at, site_id=row.site_id, role=row.role.code)
    codes = {role.pk: role.code for role in kinds.values()}
    for role_id, site_id in sorted(wanted, key=str):
        place = {"site_id": site_id} if site_id is not None else {"site": None}
        _row, is_new = RoleAssignment.objects.get_or_create(
            person=person, role_id=role_id, **place, defaults={"given_by": BY_GROUP}
        )
        if is_new:
            audit_person(actor, person, "people.role_assigned", at, site_id=site_id, role=codes[role_id])
