"""The people of a demo plant's floor, their badges and tablets, and the account through which its orders come.

The simulated people sign in with these badges at these tablets, over HTTP, as everybody does. They have no password and
are not offered on the sign-in page; badges and tablets' keys follow from a secret in ``<data>/run/demo-devices.json``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.models import Site
from yuheng.operations.models import Qualification, Skill
from yuheng.operations.services import floor
from yuheng.operations.terminal.models import StationDevice
from yuheng.people.identity import actor_of_person, hash_of_token
from yuheng.people.models import ApiToken, FloorCredential, Person, Role, RoleAssignment
from yuheng.people.rules import Permission, badge_fingerprint
from yuheng.people.services import issue_token
from yuheng.simulation.making.crews import Operator, badge_of, operators, tablet_name, token_of
from yuheng.simulation.products import Catalogue

TOKEN_DAYS = 366
RENEW_BEFORE = timedelta(days=30)
SCOPES = (
    Permission.EQUIPMENT_VIEW, Permission.ENGINEERING_VIEW, Permission.OPERATIONS_VIEW, Permission.OPERATIONS_EXECUTE,
    Permission.OPERATIONS_DISPATCH, Permission.ORDERS_EDIT, Permission.MATERIALS_MOVE,
)  # fmt: skip
FIRST_NUMBER = {"elevator": 2000, "appliance": 6000}
"""Of the numbers on badges; a number belongs to one person of the installation."""


@dataclass(frozen=True, slots=True)
class FloorKeys:
    """What the simulated people need: a secret from which badges and tablets' keys follow, a token, keys by codes."""

    site_id: int
    secret: str
    token: str
    units: dict[str, int]
    classes: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)


@transaction.atomic
def ensure_floor(
    *, actor: Actor, site_id: int, catalogue: Catalogue, known: Mapping[str, Any], at: datetime
) -> FloorKeys:
    """Make a plant's operators, their skills and badges, a tablet at each station and the orders' account.

    Parameters
    ----------
    known
        What was kept of the last time (`FloorKeys.as_json`), or nothing.
    """
    secret = str(known.get("secret") or secrets.token_urlsafe(32))
    units = {row.code: row.id for row in equipment.work_units(actor=actor, site_id=site_id)}
    crew = operators(catalogue)
    people = _ensure_people(site_id, crew, at)
    _ensure_badges(catalogue, crew, people, secret, at)
    _ensure_skills(actor, site_id, catalogue, crew, people, at)
    _ensure_tablets(actor, site_id, catalogue, units, secret, at)
    token = _ensure_account(site_id, catalogue, str(known.get("token") or ""), at)
    return FloorKeys(site_id, secret, token, units, equipment.equipment_class_ids(site_id=site_id))


def _ensure_people(site_id: int, crew: list[Operator], at: datetime) -> dict[str, Person]:
    """Return user name -> person; who is missing is made, as an operator of the site."""
    names = [one.username for one in crew]
    there = {person.username: person for person in Person.objects.filter(username__in=names)}
    missing = [one for one in crew if one.username not in there]
    if missing:
        organisation_id = Site.objects.values_list("organisation_id", flat=True).get(pk=site_id)
        made = [_person(one.username, one.name_zh, one.name_en, organisation_id, at) for one in missing]
        role = Role.objects.get(code="operator")
        for person in Person.objects.bulk_create(made):
            there[person.username] = person
        RoleAssignment.objects.bulk_create([RoleAssignment(person=one, role=role, site_id=site_id) for one in made])
    return there


def _person(username: str, name_zh: str, name_en: str, organisation_id: int, at: datetime) -> Person:
    person = Person(username=username, name_zh=name_zh, name_en=name_en, organisation_id=organisation_id, created_at=at)
    person.set_unusable_password()
    return person


def _ensure_badges(
    catalogue: Catalogue, crew: list[Operator], people: Mapping[str, Person], secret: str, at: datetime
) -> None:
    """Give everybody the badge that follows from the secret: after a lost secret, another one."""
    there = {found.person_id: found for found in FloorCredential.objects.filter(person__in=people.values())}
    fresh, changed = [], []
    for one in crew:
        badge = badge_of(secret, one)
        fingerprint = badge_fingerprint(badge)
        credential = there.get(people[one.username].pk)
        if credential is None:
            number = str(FIRST_NUMBER.get(catalogue.plant.name, 3000) + one.number)
            if FloorCredential.objects.filter(number=number).exists():  # somebody of the installation has it
                number = f"9{number}"
            fresh.append(
                FloorCredential(
                    person=people[one.username], number=number, badge_sha256=fingerprint, badge_hint=badge[-4:],
                    changed_at=at,
                )
            )  # fmt: skip
        elif credential.badge_sha256 != fingerprint:
            credential.badge_sha256, credential.badge_hint, credential.changed_at = fingerprint, badge[-4:], at
            changed.append(credential)
    FloorCredential.objects.bulk_create(fresh)
    FloorCredential.objects.bulk_update(changed, ["badge_sha256", "badge_hint", "changed_at"])


def _ensure_skills(
    actor: Actor, site_id: int, catalogue: Catalogue, crew: list[Operator], people: Mapping[str, Person], at: datetime
) -> None:
    there = dict(Skill.objects.filter(site_id=site_id).values_list("code", "pk"))
    for code, name_zh, name_en in dict.fromkeys(trade.skill for trade in catalogue.trades):
        if code not in there:
            row = floor.write_skill(actor=actor, site_id=site_id, code=code, name_zh=name_zh, name_en=name_en, at=at)
            there[code] = row.pk
    have = set(Qualification.objects.filter(site_id=site_id).values_list("person_id", "skill_id"))
    wanted = [(people[one.username].pk, there[one.skill]) for one in crew]
    Qualification.objects.bulk_create(
        [
            Qualification(
                site_id=site_id, person_id=person, skill_id=skill, level=2, valid_from=at - timedelta(days=400),
                given_by=actor.name,
            )
            for person, skill in wanted
            if (person, skill) not in have
        ]
    )  # fmt: skip


def _ensure_tablets(
    actor: Actor, site_id: int, catalogue: Catalogue, units: Mapping[str, int], secret: str, at: datetime
) -> None:
    """Register a tablet at each station, connected already: its key follows from the secret."""
    stations = {tablet_name(unit.code): unit.code for unit in catalogue.plant.units()}
    there = {row.name: row for row in StationDevice.objects.filter(site_id=site_id, name__in=stations)}
    fresh, changed = [], []
    for name, station in stations.items():
        fingerprint = hash_of_token(token_of(secret, station))
        row = there.get(name)
        if row is None:
            fresh.append(
                StationDevice(
                    site_id=site_id, name=name, work_unit_id=units[station], token_sha256=fingerprint,
                    salt=secrets.token_hex(16), registered_at=at, paired_at=at,
                )
            )  # fmt: skip
        elif row.token_sha256 is not None and row.token_sha256 != fingerprint:  # None: somebody has revoked it
            row.token_sha256 = fingerprint
            changed.append(row)
    StationDevice.objects.bulk_create(fresh)
    StationDevice.objects.bulk_update(changed, ["token_sha256"])
    if fresh or changed:
        audit.record(
            actor=actor, action="terminal.register", at=at, site_id=site_id, object_kind="terminal", object_id="demo",
            count=len(fresh) + len(changed),
        )  # fmt: skip


def _ensure_account(site_id: int, catalogue: Catalogue, token: str, at: datetime) -> str:
    """Return a token of the account through which orders and deliveries come: the one there is, while it is good."""
    firm = catalogue.plant.organisation[0]
    site = Site.objects.get(pk=site_id)
    person = Person.objects.filter(username=f"{firm}-erp").first()
    if person is None:
        person = _person(f"{firm}-erp", "ERP 接口(演示)", "ERP interface (demo)", site.organisation_id, at)
        person.save()
        for role in Role.objects.filter(code__in=("dispatcher", "engineer")):
            RoleAssignment.objects.create(person=person, role=role, site=site)
    good = ApiToken.objects.filter(
        person=person, token_sha256=hash_of_token(token), revoked_at__isnull=True, expires_at__gt=at + RENEW_BEFORE
    )
    if token and good.exists():
        return token
    actor = actor_of_person(Person.objects.with_grants().get(pk=person.pk))
    return issue_token(actor=actor, name="demo", scopes=SCOPES, days=TOKEN_DAYS, at=at, site_id=site_id)[1]
