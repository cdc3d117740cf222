"""Verbs about roles: giving, taking, and what they allow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible
from yuheng.kernel.models import Site
from yuheng.people.models import Role, RoleAssignment
from yuheng.people.rules import ALL_PERMISSIONS, merge_grants
from yuheng.people.services.reach import (
    MANAGE,
    audit_person,
    locked,
    require_covering,
    require_in_reach,
    require_managing,
)


@transaction.atomic
def assign_role(*, actor: Actor, person_id: int, role_code: str, site_id: int | None, at: datetime) -> RoleAssignment:
    """Give a person a role at a site, or everywhere.

    Raises
    ------
    PermissionRefused
        The actor does not manage people there, or does not hold everything that the role allows.
    """
    require_managing(actor, site_id)
    role = Role.objects.filter(code=role_code).first()
    if role is None:
        raise InvalidInput(_("There is no such role."), {"role": role_code})
    if site_id is not None and not Site.objects.filter(pk=site_id).exists():
        raise NotVisible(_("There is no such site here."))
    require_covering(actor, merge_grants([(site_id, role.permissions)]))
    person = locked(person_id)
    require_in_reach(actor, person)
    site = Site.objects.get(pk=site_id) if site_id is not None else None
    assignment, is_new = RoleAssignment.objects.get_or_create(person=person, role=role, site=site)
    if is_new:
        audit_person(actor, person, "people.role_assigned", at, site_id=site_id, role=role_code)
    return assignment


@transaction.atomic
def withdraw_role(*, actor: Actor, assignment_id: int, at: datetime) -> None:
    """Take a role away."""
    found = RoleAssignment.objects.filter(pk=assignment_id).select_related("role").first()
    if found is None:
        raise NotVisible(_("There is no such thing here."))
    require_managing(actor, found.site_id)
    require_covering(actor, merge_grants([(found.site_id, found.role.permissions)]))
    person = locked(found.person_id)
    if actor.person_id == person.pk and MANAGE in found.role.permissions:
        raise Conflict(_("You cannot take this role from yourself; somebody else must."))
    found.delete()
    audit_person(actor, person, "people.role_withdrawn", at, site_id=found.site_id, role=found.role.code)


@transaction.atomic
def set_role_permissions(*, actor: Actor, role_code: str, permissions: Iterable[str], at: datetime) -> Role:
    """Decide what a role allows, for everybody who has it.

    Raises
    ------
    PermissionRefused, InvalidInput, Conflict
        Conflict: nobody would be left who can manage people everywhere.
    """
    actor.require_everywhere(MANAGE)
    wanted = set(permissions)
    if unknown := wanted - ALL_PERMISSIONS:
        raise InvalidInput(_("There is no such permission: %(names)s") % {"names": ", ".join(sorted(unknown))})
    role = Role.objects.select_for_update().filter(code=role_code).first()
    if role is None:
        raise NotVisible(_("There is no such role."))
    if role.code == "administrator" and MANAGE not in wanted:
        raise Conflict(_("The administrator keeps the permission to manage people."))
    old, role.permissions = role.permissions, sorted(wanted)
    role.save(update_fields=["permissions"])
    audit.record(
        actor=actor,
        action="people.role_changed",
        at=at,
        object_kind="role",
        object_id=role.code,
        old=old,
        new=role.permissions,
    )
    return role
