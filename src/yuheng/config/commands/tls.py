"""``yuheng tls init|renew|show``: an authority of one's own, and the server's certificate."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from yuheng.config.supervisor.places import default_data_dir
from yuheng.upkeep import certificates
from yuheng.upkeep.certificates import TlsPlaces, TlsRefused

HELP = "Make, renew and show the certificates with which `yuheng up --listen ADDRESS` serves."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three verbs."""
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, text in (
        ("init", "make an authority (10 years) and a server certificate for this machine's names"),
        ("renew", "make a new server certificate, signed by the same authority"),
    ):
        one = verbs.add_parser(verb, help=text, parents=[place])
        one.add_argument("--name", action="append", default=[], help="a further host name or address; may be repeated")
    verbs.add_parser("show", help="say what the certificates say", parents=[place])


def run(args: argparse.Namespace) -> int:
    """Do the verb: 0 done, 2 refused."""
    data_dir = args.data_dir.expanduser().absolute() if args.data_dir else default_data_dir()
    places = TlsPlaces(data_dir / "tls")
    try:
        if args.verb == "init":
            certificates.init(places, names=[*args.name, *certificates.names_of_this_machine()], at=certificates.now())
        elif args.verb == "renew":
            certificates.renew(places, names=_names(places, args.name), at=certificates.now())
        _show(places)
    except TlsRefused as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def _names(places: TlsPlaces, more: list[str]) -> list[str]:
    """Return the names of before with the further ones first; nothing when there is nothing to add."""
    if not more:
        return []
    return list(dict.fromkeys([*more, *certificates.describe(places.server.certificate).names]))


def _show(places: TlsPlaces) -> None:
    for title, path in (("authority", places.ca), ("server", places.server.certificate)):
        about = certificates.describe(path)
        left = about.days_left(certificates.now())
        sys.stdout.write(f"{title:<10} {path}\n           until {about.not_after:%Y-%m-%d} ({left:.0f} days)")
        sys.stdout.write(f"\n           SHA-256 {about.fingerprint}\n")
        if about.names:
            sys.stdout.write(f"           names {', '.join(about.names)}\n")
    sys.stdout.write(
        "Serve with:  yuheng up --listen ADDRESS\n"
        "Tablets install the authority from http://ADDRESS:PORT/ca; compare its SHA-256 with the one above.\n"
    )
