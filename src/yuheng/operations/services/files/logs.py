"""An uploaded event log: its quality report, the rows that were left out, and writing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from yuheng.engines.eventlog import DateOrder, Log, LogError, report
from yuheng.kernel.actor import Actor
from yuheng.kernel.models import Site
from yuheng.operations.models import OrderFile
from yuheng.operations.services.files.reading import Tell
from yuheng.operations.services.logs import import_log


class Unreadable(Exception):
    """The log cannot be read: a sentence for the person who sent it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a log says; see `engines.eventlog.report`."""

    report: dict[str, Any]
    counts: dict[str, int]
    rows: int
    refused: int
    sha256: str


def look(row: OrderFile, path: Path, refused: Path, tell: Tell, *, at: datetime) -> Looked:
    """Read a log and say what it would become; rows that were left out go to ``refused``. Raises `Unreadable`."""
    with _log(row, path, tell, at) as log:
        told = report(log, _) | {"file": row.file_name}
        count = log.write_refused(refused) if told["rejected"] else 0
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
        counts = {"add": int(told["orders"])} | ({"refuse": count} if count else {})
        return Looked(json.loads(json.dumps(told, default=str)), counts, log.taken.rows, count, digest.hexdigest())


def write(row: OrderFile, path: Path, actor: Actor, tell: Tell, *, at: datetime) -> dict[str, Any]:
    """Write a log's plant and history; return what was written and what was there already."""
    with _log(row, path, tell, at) as log:
        done = import_log(
            actor=actor,
            site_id=row.site_id,
            log=log,
            at=at,
            with_people=row.wish.get("with_people", True),
            progress=lambda _what, count: tell(count, None),
        )
    return {"written": done.written, "kept": done.kept}


def _log(row: OrderFile, path: Path, tell: Tell, at: datetime) -> Log:
    wish: Mapping[str, Any] = row.wish
    zone = wish.get("zone") or Site.objects.values_list("time_zone", flat=True).get(pk=row.site_id)
    given = {str(name): str(column) for name, column in (wish.get("columns") or {}).items()}
    dates = DateOrder(wish["dates"]) if wish.get("dates") else None

    def progress(_what: str, done: int) -> None:
        tell(done, None)

    try:
        return Log(
            path, given=given, zone=ZoneInfo(zone), dates=dates, order_type=wish.get("order_type", ""), now=at,
            progress=progress,
        )  # fmt: skip
    except LogError as error:
        sentence = _(error.message)
        raise Unreadable(sentence % error.values if error.values else sentence) from error
    except OSError as error:
        raise Unreadable(str(error.strerror or error)) from error
