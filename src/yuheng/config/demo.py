"""The demo: plants with their people, and a door for the visitor's own device. ``python -m yuheng.config.demo``.

It uses the same import and services as everybody. Installing again changes nothing that somebody changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.db import transaction
from django.utils import translation

from yuheng.config.environment import Environment
from yuheng.config.supervisor.places import Places, write_private
from yuheng.config.supervisor.ports import free_port, is_free
from yuheng.simulation.catalogues import CATALOGUES
from yuheng.simulation.layout import PlantSpec, describe
from yuheng.simulation.plants import CHOICES, PLANTS

log = logging.getLogger(__name__)

SEED = 1
VISITOR = "visitor"
VISITOR_PASSWORD = "visitor-demo"
"""Known to everybody who reads this: the device exists in demo mode only, and may publish below ``visitor/`` only."""
VISITOR_TOPICS = ("visitor/#", "spBv1.0/Visitor/#")
CREDENTIALS_FILE = "demo-devices.json"


def install(*, at: datetime | None = None, plants: Sequence[str] | None = None) -> None:
    """Make the demo plants, their people and the visitor's device, unless they are there.

    ``plants`` are names of `simulation.plants.PLANTS`; by default those of the environment (``YUHENG_DEMO_PLANT``).

    Needs `django.setup` to have run. Writes ``<data>/run/demo-devices.json`` (credentials of the plant's edge devices,
    for the simulation) and ``<data>/run/demo.json`` (what a person is told).
    """
    at = at or datetime.now(UTC)
    places = Places(Environment.read().data_dir)
    places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = plants or CHOICES[os.environ.get("YUHENG_DEMO_PLANT") or "elevator"]
    with translation.override("en"):
        _install(places, [PLANTS[name] for name in names], at)


def _install(places: Places, plants: Sequence[PlantSpec], at: datetime) -> None:
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.people import selectors as people  # noqa: PLC0415
    from yuheng.people.services.first_people import DEMO_CAST, KITCHEN_CAST, ensure_demo_people  # noqa: PLC0415

    actor = system_actor("demo")
    known = _known(places)
    known.ports = _ports(plants, known.ports)
    site_ids = [_ensure_plant(places, actor, plant, known, at) for plant in plants]
    for plant, site_id in zip(plants, site_ids, strict=True):
        _ensure_floor(places, actor, plant, site_id, known, at)
    _ensure_visitor(actor, site_ids[0], at)
    for plant, site_id in zip(plants, site_ids, strict=True):
        hands = DEMO_CAST if plant.name == "elevator" else KITCHEN_CAST
        ensure_demo_people(site_ids=[site_id], at=at, people=hands)
    cast = [
        {"username": person.username, "name_zh": person.name_zh, "name_en": person.name_en}
        for person in people.demo_people()
    ]
    device = {"username": VISITOR, "password": VISITOR_PASSWORD, "topic": f"{VISITOR}/#"}
    write_private(places.demo_file, json.dumps({"people": cast, "device": device}, ensure_ascii=False))


@dataclass(slots=True)
class _Known:
    """What an earlier installation has written: versions of plants, credentials of devices, ports of servers, keys of
    the floor (`demo_floor.FloorKeys`) by the plant's name.
    """

    plants: dict[str, str]
    devices: dict[str, str]
    ports: dict[str, int]
    floors: dict[str, dict[str, Any]]

    def write(self, places: Places) -> None:
        """Keep it for the simulation and for the next start."""
        content = {"plants": self.plants, "devices": self.devices, "ports": self.ports, "floors": self.floors}
        write_private(places.run / CREDENTIALS_FILE, json.dumps(content))


def _known(places: Places) -> _Known:
    found = _read_json(places.run / CREDENTIALS_FILE)
    plants = found.get("plants") or {}
    if "plant" in found:  # written when there was one plant only
        plants = {"elevator": found["plant"]}
    return _Known(plants, found.get("devices") or {}, found.get("ports") or {}, found.get("floors") or {})


def _ports(plants: Sequence[PlantSpec], before: Mapping[str, int]) -> dict[str, int]:
    """Return a port for each area whose machines are servers: that of last time, unless somebody else has it now."""
    found: dict[str, int] = {}
    for plant in plants:
        for area in plant.served_areas():
            port = before.get(area.code, 0)
            found[area.code] = port if port and is_free("127.0.0.1", port) else _another_port(found)
    return {**before, **found}


def _another_port(taken: Mapping[str, int]) -> int:
    while (port := free_port()) in taken.values():
        pass
    return port


def _ensure_plant(places: Places, actor: Any, plant: PlantSpec, known: _Known, at: datetime) -> int:
    fingerprint = _fingerprint(plant, known.ports)
    site_id = _site_id(actor, plant)
    if site_id is None or known.plants.get(plant.name) != fingerprint:
        site_id = _import_plant(places, actor, plant, known, at)
        known.plants[plant.name] = fingerprint
        known.write(places)
    return site_id


def _ensure_floor(places: Places, actor: Any, plant: PlantSpec, site_id: int, known: _Known, at: datetime) -> None:
    """Make the people of the floor, unless this plant makes no products."""
    from yuheng.config.demo_floor import ensure_floor  # noqa: PLC0415

    catalogue = CATALOGUES.get(plant.name)
    if catalogue is None:
        return
    before = known.floors.get(plant.name, {})
    keys = ensure_floor(actor=actor, site_id=site_id, catalogue=catalogue, known=before, at=at).as_json()
    if keys != before:
        known.floors[plant.name] = keys
        known.write(places)


def _fingerprint(plant: PlantSpec, ports: Mapping[str, int]) -> str:
    """Return a name for this version of a plant: another version is imported over the one that is there."""
    return hashlib.sha256(json.dumps(describe(plant, SEED, ports=ports), sort_keys=True).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _site_id(actor: Any, plant: PlantSpec) -> int | None:
    from yuheng.equipment import selectors as equipment  # noqa: PLC0415
    from yuheng.kernel.errors import NotVisible  # noqa: PLC0415

    try:
        return equipment.site_by_code(actor=actor, code=plant.site_code).id
    except NotVisible:
        return None


def _import_plant(places: Places, actor: Any, plant: PlantSpec, known: _Known, at: datetime) -> int:
    """Import a plant and keep the devices' passwords for the simulation; return the site's key."""
    from yuheng.config.plant_file import SECTIONS  # noqa: PLC0415
    from yuheng.equipment import importing  # noqa: PLC0415
    from yuheng.telemetry.services.devices import new_password  # noqa: PLC0415

    usernames = [plant.edge_username(area) for area in plant.edge_areas()]
    passwords = {name: known.devices.get(name) or new_password() for name in usernames}
    content = json.dumps(describe(plant, SEED, passwords, known.ports), ensure_ascii=False).encode()
    with transaction.atomic():
        parsed = importing.parse(content, kind="", sections=SECTIONS)
        plan = importing.make_plan(actor=actor, parsed=parsed, sections=SECTIONS, site_id=None)
        done = importing.apply_plan(
            actor=actor, parsed=parsed, sections=SECTIONS, site_id=None, plan_sha256=plan.sha256(), at=at
        )
    if done.site_id is None:
        raise RuntimeError("The demo plant was imported without a site.")
    _set_passwords(actor, passwords, at)
    known.devices |= passwords
    log.info(
        "The %s plant is installed: %s.",
        plant.name,
        ", ".join(f"{count} {what}" for what, count in done.counts().items()),
    )
    return done.site_id


def _set_passwords(actor: Any, passwords: Mapping[str, str], at: datetime) -> None:
    """Make the passwords those of the file: a device that was there before the import has kept its old one."""
    from yuheng.telemetry.models import Device  # noqa: PLC0415
    from yuheng.telemetry.services.devices import rotate_device_password  # noqa: PLC0415

    for device in Device.objects.filter(username__in=passwords):
        given = passwords[device.username]
        if hashlib.sha256(given.encode()).hexdigest() != device.password_sha256:
            rotate_device_password(actor=actor, device_id=device.pk, at=at, password=given)


@transaction.atomic
def _ensure_visitor(actor: Any, site_id: int, at: datetime) -> None:
    """Make the sources and the credential with which a visitor's own client is heard at once: tags make themselves."""
    from yuheng.telemetry.models import DataSource, Device  # noqa: PLC0415
    from yuheng.telemetry.services.devices import issue_device  # noqa: PLC0415
    from yuheng.telemetry.services.sources import create_source  # noqa: PLC0415

    wanted = {
        VISITOR: ("mqtt_json", VISITOR_TOPICS[:1]),
        f"{VISITOR}-sparkplug": ("sparkplug_b", VISITOR_TOPICS[1:]),
        f"{VISITOR}-http": ("http", ()),
    }
    # At whatever site: an earlier demo of another plant may have made them, and topics belong to one site.
    there = dict(DataSource.objects.filter(code__in=wanted).values_list("code", "pk"))
    for code, (connector, topics) in wanted.items():
        if code not in there:
            there[code] = create_source(
                actor=actor,
                site_id=site_id,
                code=code,
                connector=connector,
                topics=topics,
                settings={},
                at=at,
                makes_tags_by_itself=True,
            ).pk
    if not Device.objects.filter(username=VISITOR).exists():
        issue_device(
            actor=actor,
            site_id=site_id,
            username=VISITOR,
            publish_topics=VISITOR_TOPICS,
            source_ids=list(there.values()),
            at=at,
            password=VISITOR_PASSWORD,
        )


def main() -> int:
    """Install in a process of its own."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    install()
    return 0


if __name__ == "__main__":
    sys.exit(main())
