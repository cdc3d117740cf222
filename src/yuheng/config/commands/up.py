"""``yuheng up``: start everything and keep it running."""

from __future__ import annotations

import argparse
import os
from datetime import time
from pathlib import Path

from yuheng.config.supervisor.places import default_data_dir
from yuheng.config.supervisor.plant import Choices
from yuheng.config.supervisor.supervise import supervise
from yuheng.simulation.plants import CHOICES as PLANT_CHOICES

HELP = "Start database, broker, historian, gateway, web and worker; restart what dies; stop with Ctrl-C."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Offer places and ports; port 0 means any free one."""
    usual = Choices(data_dir=Path())
    parser.add_argument(
        "--demo",
        nargs="?",
        const="elevator",
        default="",
        choices=sorted(PLANT_CHOICES),
        metavar="PLANT",
        help="add a demo plant: elevator (the usual one), appliance, or both side by side",
    )
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="where everything is kept")
    parser.add_argument(
        "--listen",
        "--host",
        dest="host",
        default=usual.host,
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0: all of this machine's (default: %(default)s)",
    )
    parser.add_argument("--tls", action="store_true", help="serve with TLS on this machine's own address too")
    parser.add_argument(
        "--tls-cert", type=Path, default=None, metavar="FILE", help="certificate of yours, with its chain"
    )
    parser.add_argument("--tls-key", type=Path, default=None, metavar="FILE", help="key of that certificate, PEM")
    parser.add_argument("--plain", action="store_true", help="let passwords go in the clear where others listen")
    parser.add_argument("--backup-to", type=Path, default=None, metavar="DIR", help="take a backup there every night")
    parser.add_argument(
        "--backup-at", type=_clock, default=usual.backup_at, metavar="HH:MM", help="when (default: %(default)s)"
    )
    parser.add_argument(
        "--backup-keep",
        type=int,
        default=usual.backup_keep,
        metavar="N",
        help="how many to keep (default: %(default)s)",
    )
    parser.add_argument("--web-port", type=_port, default=usual.web_port, help="pages and API (default: %(default)s)")
    parser.add_argument(
        "--gateway-port", type=_port, default=usual.gateway_port, help="HTTP push (default: %(default)s)"
    )
    parser.add_argument("--mqtt-port", type=_port, default=usual.mqtt_port, help="MQTT (default: %(default)s)")
    parser.add_argument(
        "--nats-port", type=_port, default=usual.nats_port, help="NATS, loopback only (default: any free one)"
    )
    parser.add_argument(
        "--pg-port", type=_port, default=usual.pg_port, help="PostgreSQL, loopback only (default: any free one)"
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def run(args: argparse.Namespace) -> int:
    """Run until asked to stop."""
    data_dir = args.data_dir.expanduser().absolute() if args.data_dir else default_data_dir()
    choices = Choices(
        data_dir=data_dir,
        host=args.host,
        web_port=args.web_port,
        gateway_port=args.gateway_port,
        mqtt_port=args.mqtt_port,
        nats_port=args.nats_port,
        pg_port=args.pg_port,
        is_demo=bool(args.demo),
        demo_plant=args.demo,
        opens_browser=not args.no_browser,
        tls_certificate=args.tls_cert,
        tls_key=args.tls_key,
        is_plain=args.plain,
        needs_tls=args.tls,
        backup_dir=_place(args.backup_to, os.environ.get("YUHENG_BACKUP_DIR", "")),
        backup_at=args.backup_at,
        backup_keep=args.backup_keep,
    )
    return supervise(choices)


def _place(asked: Path | None, usual: str) -> Path | None:
    """Return where backups go: as asked, else as the environment says, else nowhere."""
    place = asked or (Path(usual) if usual else None)
    return place.expanduser().absolute() if place else None


def _clock(text: str) -> str:
    try:
        return time.fromisoformat(text).strftime("%H:%M")
    except ValueError:
        raise argparse.ArgumentTypeError("a time of day is HH:MM, for example 02:30") from None


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("a port is a number from 0 (any free one) to 65535")
    return port
