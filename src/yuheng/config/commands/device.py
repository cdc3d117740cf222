"""``yuheng device add|list|rotate|revoke``: credentials for what sends; password and a ready command, shown once."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from yuheng.config.commands.import_plant import connect
from yuheng.config.running import NothingRuns

if TYPE_CHECKING:
    from yuheng.kernel.actor import Actor

HELP = "Give devices their credentials: each may publish its own topics only."
FAILED, NOT_RUNNING = 1, 3
PROTOCOLS = ("mqtt_json", "sparkplug_b", "http")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Four verbs."""
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="create a data source and a credential; prints the password once")
    add.add_argument("name", help="name of the device, e.g. edge-laser")
    add.add_argument("--protocol", choices=PROTOCOLS, default="mqtt_json", help="how it speaks (default: mqtt_json)")
    add.add_argument("--topic", metavar="FILTER", help="MQTT filter it may publish (default: devices/NAME/#)")
    add.add_argument("--site", default="", metavar="CODE", help="the site, when there are several")
    add.add_argument(
        "--own-tags", action="store_true", help="make a tag of every address it sends, so that its values show at once"
    )
    verbs.add_parser("list", help="list the credentials")
    rotate = verbs.add_parser("rotate", help="give a device a new password; prints it once, the old one stops working")
    rotate.add_argument("name")
    revoke = verbs.add_parser("revoke", help="take a credential away")
    revoke.add_argument("name")


def run(args: argparse.Namespace) -> int:
    """Do the verb."""
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        return _fail(str(error), NOT_RUNNING)
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.errors import DomainError, InvalidInput  # noqa: PLC0415

    verbs = {"add": _add, "list": _list, "rotate": _rotate, "revoke": _revoke}
    try:
        return verbs[args.verb](args)
    except InvalidInput as refusal:
        return _fail(" ".join([str(refusal), *refusal.fields.values()]), FAILED)
    except DomainError as refusal:
        return _fail(str(refusal), FAILED)


def _add(args: argparse.Namespace) -> int:
    from yuheng.equipment.selectors import visible_sites  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.telemetry.services.connecting import connect_device  # noqa: PLC0415

    actor = system_actor("yuheng device")
    sites = [site for site in visible_sites(actor=actor) if args.site in ("", site.code)]
    if len(sites) != 1:
        known = ", ".join(site.code for site in visible_sites(actor=actor)) or "none yet"
        return _fail(f"Say which site with --site CODE (known: {known}).", FAILED)
    connected = connect_device(
        actor=actor,
        site_id=sites[0].id,
        name=args.name,
        protocol=args.protocol,
        topic=args.topic or "",
        makes_tags_by_itself=args.own_tags,
        at=datetime.now(UTC),
    )
    _print(f"device    {connected.username}")
    _print(f"source    {connected.source_code} ({args.protocol})")
    _print(f"password  {connected.password}")
    _print("The password is shown this once. Ready to paste:\n")
    for command in connected.commands(shlex.quote):
        _print(f"# {command.title}\n{command.text}\n")
    return 0


def _list(_args: argparse.Namespace) -> int:
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.telemetry.selectors.signals import devices  # noqa: PLC0415

    for row in devices(actor=system_actor("yuheng device")):
        state = "active" if row.is_active else "revoked"
        _print(f"{row.username:<30} {state:<8} {row.site_code:<16} {' '.join(row.publish_topics)}")
    return 0


def _rotate(args: argparse.Namespace) -> int:
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.telemetry.services.devices import rotate_device_password  # noqa: PLC0415

    actor = system_actor("yuheng device")
    issued = rotate_device_password(actor=actor, device_id=_device_id(actor, args.name), at=datetime.now(UTC))
    _print(f"device    {issued.device.username}")
    _print(f"password  {issued.password}")
    _print("The password is shown this once. The old one stops working within a second.")
    return 0


def _revoke(args: argparse.Namespace) -> int:
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.telemetry.services.devices import revoke_device  # noqa: PLC0415

    actor = system_actor("yuheng device")
    revoke_device(actor=actor, device_id=_device_id(actor, args.name), at=datetime.now(UTC))
    _print(f"{args.name} can no longer send.")
    return 0


def _device_id(actor: Actor, name: str) -> int:
    from yuheng.kernel.errors import NotVisible  # noqa: PLC0415
    from yuheng.telemetry.selectors.signals import devices  # noqa: PLC0415

    for row in devices(actor=actor):
        if row.username == name:
            return row.id
    raise NotVisible(f"There is no device called {name}.")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")


def _fail(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code
