"""Builders: rows that say only what matters to a test, and the fixed cast of people.

Ana operates, Ben dispatches, Cleo answers for quality, Lin administers, Zhao runs the plant; Dora belongs to another
organisation and site and must never see anything.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from yuheng.equipment.models import Area, EquipmentClass, WorkCenter, WorkUnit
from yuheng.kernel.actor import Actor, system_actor
from yuheng.kernel.models import Organisation, Site
from yuheng.people.identity import actor_of_person
from yuheng.people.models import Person, Role, RoleAssignment

SHIFT_START = datetime(2026, 11, 23, 0, 0, tzinfo=UTC)
"""08:00 of a Monday in Shanghai."""

PASSWORD = "correct horse battery"
SYSTEM = system_actor("test")

CAST = {
    # user name: (Chinese name, English name, role)
    "lin": ("林工", "Lin", "administrator"),
    "ana": ("安娜", "Ana", "operator"),
    "ben": ("本", "Ben", "dispatcher"),
    "cleo": ("柯丽", "Cleo", "quality"),
    "zhao": ("赵厂长", "Zhao", "manager"),
    "dora": ("朵拉", "Dora", "administrator"),
}


def an_organisation(code: str = "fute") -> Organisation:
    """Return the organisation with this code, made when it is not there."""
    return Organisation.objects.get_or_create(code=code, defaults={"name_zh": code, "name_en": code})[0]


def a_site(code: str = "elevator1", *, organisation: str = "fute", time_zone: str = "Asia/Shanghai") -> Site:
    """Return the site with this code, made when it is not there."""
    site, _ = Site.objects.get_or_create(
        code=code,
        defaults={
            "organisation": an_organisation(organisation),
            "name_zh": f"{code} 厂",
            "name_en": f"{code} plant",
            "time_zone": time_zone,
        },
    )
    return site


def another_site() -> Site:
    """Return the site of another firm: Dora's."""
    return a_site("elsewhere", organisation="other")


def an_area(code: str = "laser", *, site: Site | None = None) -> Area:
    """Return an area of the site (default: the usual one)."""
    site = site or a_site()
    return Area.objects.get_or_create(
        site=site, code=code, defaults={"name_zh": f"{code} 区", "name_en": f"{code} area"}
    )[0]


def a_work_center(code: str = "laser", *, site: Site | None = None, area: Area | None = None) -> WorkCenter:
    """Return a work center; its area is made when none is given."""
    site = site or (area.site if area else a_site())
    found = WorkCenter.objects.filter(site=site, code=code).first()
    return found or WorkCenter.objects.create(
        site=site, code=code, area=area or an_area(site=site), name_zh=f"{code} 中心", name_en=f"{code} center"
    )


def an_equipment_class(code: str = "laser-cutter", *, site: Site | None = None) -> EquipmentClass:
    """Return an equipment class of the site."""
    return EquipmentClass.objects.get_or_create(
        site=site or a_site(), code=code, defaults={"name_zh": f"{code} 类", "name_en": f"{code} class"}
    )[0]


def a_work_unit(
    code: str = "L01",
    *,
    site: Site | None = None,
    work_center: WorkCenter | None = None,
    equipment_class: EquipmentClass | None = None,
    **fields: Any,
) -> WorkUnit:
    """Return a work unit; what it stands in is made when not given."""
    site = site or (work_center.site if work_center else a_site())
    found = WorkUnit.objects.filter(site=site, code=code).first()
    own = {"equipment_class": equipment_class, "name_zh": f"{code} 号机", "name_en": f"Machine {code}", **fields}
    return found or WorkUnit.objects.create(
        site=site, code=code, work_center=work_center or a_work_center(site=site), **own
    )


def a_person(
    username: str = "ana", *, role: str | None = None, site: Site | None = None, everywhere: bool = False
) -> Person:
    """Return one of the cast, or somebody new (then give a ``role``), with `PASSWORD` and the role at the site.

    Without a site, the usual one (Dora: the other one); ``everywhere`` gives the role for all sites.
    """
    name_zh, name_en, usual_role = CAST.get(username, (username, username.title(), "viewer"))
    site = site or (another_site() if username == "dora" else a_site())
    person = Person.objects.filter(username=username).first()
    if person is None:
        person = Person(username=username, name_zh=name_zh, name_en=name_en, created_at=SHIFT_START)
        person.organisation = site.organisation
        person.password = PBKDF2PasswordHasher().encode(PASSWORD, salt="builder", iterations=1)  # cheap: tests are many
        person.save()
    RoleAssignment.objects.get_or_create(
        person=person, role=Role.objects.get(code=role or usual_role), site=None if everywhere else site
    )
    return Person.objects.with_grants().get(pk=person.pk)


def an_actor(username: str = "ana", *, role: str | None = None, site: Site | None = None, **more: Any) -> Actor:
    """Return the actor of `a_person`."""
    return actor_of_person(a_person(username, role=role, site=site, **more))


def an_actor_with(*permissions: str, site: Site | None = None, name: str = "somebody") -> Actor:
    """Return an actor who holds exactly these permissions at the site; no row is written for the person."""
    return Actor(kind="person", name=name, permissions={(site or a_site()).pk: frozenset(permissions)})
