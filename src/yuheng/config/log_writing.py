"""``yuheng import-log --apply``: the log into the running installation, through the services."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from yuheng.config.commands import import_log as command
from yuheng.config.commands.import_plant import connect
from yuheng.config.running import NothingRuns
from yuheng.config.schedule.words import language_of, translator
from yuheng.engines.eventlog import Log

ORGANISATION = "plant"


def apply_log(args: argparse.Namespace, look: Callable[[str], Log | int]) -> int:
    """Look at the log with the site's time zone, write it, and print the report with what was written."""
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        sys.stderr.write(f"{error}\n")
        return command.NOT_RUNNING
    # Imported here: everything below reads Django's models.
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import DomainError  # noqa: PLC0415
    from yuheng.operations.services.logs import import_log  # noqa: PLC0415

    actor, at = system_actor("yuheng import-log"), datetime.now(UTC)
    say = translator(language_of(args.lang))
    try:
        site_id, zone = _site(args, at)
        log = look(zone)
        if isinstance(log, int):
            return log
        with log:
            told = command.tell(args, log, say)
            done = import_log(
                actor=actor, site_id=site_id, log=log, at=at, with_people=not args.without_people,
                progress=command.progress_of(args),
            )  # fmt: skip
    except DomainError as error:
        sys.stderr.write(f"{error}\n")
        return command.FAILED
    told["written"], told["kept"] = done.written, done.kept
    command.write_out(args, told, say)
    if not args.json:
        for word, counts in (("Written", done.written), ("There already", done.kept)):
            found = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
            sys.stdout.write(f"{word}: {found or 'nothing'}.\n")
    return 0


def _site(args: argparse.Namespace, at: datetime) -> tuple[int, str]:
    """Return the site to write to and its time zone: the only one, or the one named, made when it is not there."""
    from yuheng.equipment import selectors, services  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.kernel.errors import InvalidInput  # noqa: PLC0415

    actor = system_actor("yuheng import-log")
    sites = {one.code: one for one in selectors.visible_sites(actor=actor)}
    if not args.site and len(sites) == 1:
        args.site = next(iter(sites))
    if not args.site:
        known = ", ".join(sites) or "none"
        raise InvalidInput(f"Say which site with --site CODE; there are: {known}. One that is not there is made.")
    if (found := sites.get(args.site)) is not None:
        return found.id, found.time_zone
    made = services.create_site(
        actor=actor, organisation_code=ORGANISATION, code=args.site, name_zh=args.site, name_en=args.site,
        time_zone=args.zone or command.USUAL_ZONE, at=at,
    )  # fmt: skip
    return made.pk, made.time_zone
