"""An installation's first people: its administrator, and the cast of the demo."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from yuheng.kernel import audit
from yuheng.kernel.actor import system_actor
from yuheng.kernel.models import Organisation, Site
from yuheng.people.models import Person, Role, RoleAssignment
from yuheng.people.services.persons import create_person
from yuheng.people.services.reach import MANAGE, generated_password
from yuheng.people.services.roles import assign_role


@transaction.atomic
def ensure_first_administrator(*, at: datetime) -> str | None:
    """Make the person ``admin`` who may do everything, unless somebody already can; return the password once."""
    if _somebody_administers():
        return None
    actor = system_actor("installation")
    person = Person.objects.filter(username="admin").first()
    if person is None:
        person, secret = create_person(
            actor=actor, username="admin", name_zh="管理员", name_en="Administrator", organisation_id=None, at=at
        )
        person.must_change_password = False  # whoever reads it on the console owns the machine anyway
    else:
        secret = generated_password()
        person.set_password(secret)
        person.is_active = True
    person.save()
    assign_role(actor=actor, person_id=person.pk, role_code="administrator", site_id=None, at=at)
    return secret


def _somebody_administers() -> bool:
    everywhere = RoleAssignment.objects.filter(site__isnull=True, person__is_active=True, person__is_demo=False)
    return any(MANAGE in permissions for permissions in everywhere.values_list("role__permissions", flat=True))


Cast = tuple[tuple[str, str, str, tuple[str, ...]], ...]

DEMO_CAST: Cast = (
    # user name, Chinese name, English name, roles at the demo's sites
    ("lin", "林工", "Lin", ("administrator", "engineer")),
    ("ana", "安娜", "Ana", ("operator",)),
    ("ben", "本", "Ben", ("dispatcher",)),
    ("cleo", "柯丽", "Cleo", ("quality",)),
    ("zhao", "赵厂长", "Zhao", ("manager",)),
)
KITCHEN_CAST: Cast = (
    ("mei", "梅工", "Mei", ("administrator", "engineer")),
    ("tao", "小陶", "Tao", ("operator",)),
    ("bao", "包调度", "Bao", ("dispatcher",)),
    ("hua", "华质检", "Hua", ("quality",)),
)
"""People of the kitchen-appliance plant."""
DEMO_KEEPER = ("wei", "卫工", "Wei", ("administrator",))
"""Keeps the whole installation: the only one of the demo who sees the plants of both firms."""
DEMO_STRANGER = ("dora", "朵拉", "Dora", ("viewer",))
"""Of another firm: in the demo to show that she sees nothing of it."""


@transaction.atomic
def ensure_demo_people(*, site_ids: Iterable[int], at: datetime, people: Cast = DEMO_CAST) -> list[str]:
    """Make a demo plant's cast with their roles at these sites, and Dora at a site of another firm.

    They have no password: one becomes them by `impersonate`. Lin administers the demo's plant, Wei the installation.

    Returns
    -------
    list of str
        User names, in the order in which the sign-in page shows them.
    """
    sites = sorted(site_ids)
    organisation_id = Site.objects.filter(pk__in=sites).values_list("organisation_id", flat=True).first()
    for cast in people:
        _ensure_demo_person(cast, sites, organisation_id, at)
    _ensure_demo_person(DEMO_KEEPER, [], organisation_id, at, is_everywhere=True)
    RoleAssignment.objects.filter(person__username="lin", person__is_demo=True, site=None).delete()  # of older demos
    elsewhere = _ensure_strangers_site()
    _ensure_demo_person(DEMO_STRANGER, [elsewhere.pk], elsewhere.organisation_id, at)
    return [username for username, *_rest in (*people, DEMO_KEEPER, DEMO_STRANGER)]


def _ensure_strangers_site() -> Site:
    firm, _made = Organisation.objects.get_or_create(
        code="elsewhere", defaults={"name_zh": "另一家企业", "name_en": "Another firm"}
    )
    return Site.objects.get_or_create(
        code="elsewhere1", defaults={"organisation": firm, "name_zh": "另一家工厂", "name_en": "Another firm's plant"}
    )[0]


def _ensure_demo_person(
    cast: tuple[str, str, str, tuple[str, ...]],
    site_ids: list[int],
    organisation_id: int | None,
    at: datetime,
    *,
    is_everywhere: bool = False,
) -> None:
    username, name_zh, name_en, roles = cast
    person, is_new = Person.objects.get_or_create(
        username=username,
        defaults={
            "name_zh": name_zh,
            "name_en": name_en,
            "organisation_id": organisation_id,
            "is_demo": True,
            "created_at": at,
        },
    )
    if is_new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
        audit.record(
            actor=system_actor("demo"), action="people.created", at=at, object_kind="person", object_id=person.pk
        )
    if not person.is_demo:
        return  # a real person of that name: the demo must not give them anything
    wanted: list[Site | None] = [None] if is_everywhere else list(Site.objects.filter(pk__in=site_ids))
    for role in Role.objects.filter(code__in=roles):
        for site in wanted:
            RoleAssignment.objects.get_or_create(person=person, role=role, site=site)
