"""The demo: a plant with its people, and a door for the visitor's own device. ``python -m yuheng.config.demo``.

It uses the same import and services as everybody. Installing again changes nothing that somebody changed since.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
from django.db import transaction
from django.utils import translation

from yuheng.config.environment import Environment
from yuheng.config.supervisor.places import Places, write_private
from yuheng.simulation.elevator.plant import AREAS, SITE_CODE, edge_username, plant_description

log = logging.getLogger(__name__)

SEED = 1
VISITOR = "visitor"
VISITOR_PASSWORD = "visitor-demo"
"""Known to everybody who reads this: the device exists in demo mode only, and may publish below ``visitor/`` only."""
VISITOR_TOPICS = ("visitor/#", "spBv1.0/Visitor/#")
CREDENTIALS_FILE = "demo-devices.json"


def install(*, at: datetime | None = None) -> None:
    """Make the demo plant, its people and the visitor's device, unless they are there.

    Needs `django.setup` to have run. Writes ``<data>/run/demo-devices.json`` (credentials of the plant's edge devices,
    for the simulation) and ``<data>/run/demo.json`` (what a person is told).
    """
    at = at or datetime.now(UTC)
    places = Places(Environment.read().data_dir)
    places.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    with translation.override("en"):
        _install(places, at)


def _install(places: Places, at: datetime) -> None:
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.people import selectors as people  # noqa: PLC0415
    from yuheng.people.services import ensure_demo_people  # noqa: PLC0415

    actor = system_actor("demo")
    known = _read_json(places.run / CREDENTIALS_FILE)
    fingerprint = _fingerprint()
    site_id = _site_id(actor)
    if site_id is None or known.get("plant") != fingerprint:
        site_id = _import_plant(places, actor, known.get("devices", {}), fingerprint, at)
    _ensure_visitor(actor, site_id, at)
    ensure_demo_people(site_ids=[site_id], at=at)
    cast = [
        {"username": person.username, "name_zh": person.name_zh, "name_en": person.name_en}
        for person in people.demo_people()
    ]
    device = {"username": VISITOR, "password": VISITOR_PASSWORD, "topic": f"{VISITOR}/#"}
    write_private(places.demo_file, json.dumps({"people": cast, "device": device}, ensure_ascii=False))


def _fingerprint() -> str:
    """Return a name for this version of the plant: another version is imported over the one that is there."""
    return hashlib.sha256(json.dumps(plant_description(SEED), sort_keys=True).encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _site_id(actor: Any) -> int | None:
    from yuheng.equipment import selectors as equipment  # noqa: PLC0415
    from yuheng.kernel.errors import NotVisible  # noqa: PLC0415

    try:
        return equipment.site_by_code(actor=actor, code=SITE_CODE).id
    except NotVisible:
        return None


def _import_plant(places: Places, actor: Any, known: Mapping[str, str], fingerprint: str, at: datetime) -> int:
    """Import the plant and keep the devices' passwords for the simulation; return the site's key."""
    from yuheng.config.plant_file import SECTIONS  # noqa: PLC0415
    from yuheng.equipment import importing  # noqa: PLC0415
    from yuheng.telemetry.services.devices import new_password  # noqa: PLC0415

    passwords = {edge_username(area): known.get(edge_username(area)) or new_password() for area in AREAS}
    content = json.dumps(plant_description(SEED, passwords), ensure_ascii=False).encode()
    with transaction.atomic():
        parsed = importing.parse(content, kind="", sections=SECTIONS)
        plan = importing.make_plan(actor=actor, parsed=parsed, sections=SECTIONS, site_id=None)
        done = importing.apply_plan(
            actor=actor, parsed=parsed, sections=SECTIONS, site_id=None, plan_sha256=plan.sha256(), at=at
        )
    if done.site_id is None:
        raise RuntimeError("The demo plant was imported without a site.")
    _set_passwords(actor, passwords, at)
    write_private(places.run / CREDENTIALS_FILE, json.dumps({"plant": fingerprint, "devices": passwords}))
    log.info("The demo plant is installed: %s.", ", ".join(f"{count} {what}" for what, count in done.counts().items()))
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
    there = dict(DataSource.objects.filter(site_id=site_id, code__in=wanted).values_list("code", "pk"))
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
