"""Judges a picture: one finding a fact, with what to do. Sentences are English msgids with named facts in them.

The page shows them in the reader's language; ``yuheng doctor`` and the API in English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yuheng.upkeep.picture import Picture

OK, WARN, FAIL = "ok", "warn", "fail"
LITTLE_DISK_BYTES, ENOUGH_DISK_BYTES = 10**9, 5 * 10**9
FEW_DAYS, SOME_DAYS = 7, 30
OLD_DATA_S = 300.0
MANY_WAITING = 1000
SKEW_S = 2.0
FORGETS_WITHIN_H = 50
"""The historian forgets once a day, the worker once an hour."""


def _(text: str) -> str:
    """Mark a sentence for translation; whoever shows it translates it."""
    return text


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``level`` is ok, warn or fail; ``text`` and ``advice`` are msgids with ``%(name)s`` for ``facts``."""

    level: str
    group: str
    subject: str
    text: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def say(self, translate: Callable[[str], str] = str) -> tuple[str, str]:
        """Return text and advice, with the facts in them."""
        return translate(self.text) % self.facts, translate(self.advice) % self.facts if self.advice else ""


def findings(picture: Picture) -> list[Finding]:
    """Return every finding, in the order a person would look."""
    return [
        *_services(picture),
        *_queues(picture),
        *_sources(picture),
        *_disk(picture),
        *_backups(picture),
        *_retention(picture),
        *_certificates(picture),
        *_sign_on(picture),
        *_clock(picture),
        *_memory(picture),
        *_versions(picture),
    ]


def worst(found: list[Finding]) -> str:
    """Return the worst level among findings."""
    return max((one.level for one in found), key=(OK, WARN, FAIL).index, default=OK)


def _services(picture: Picture) -> Iterator[Finding]:
    for one in picture.services:
        facts = {"state": one.state, "restarts": one.restarts, "exit": one.last_exit, "reason": one.reason}
        if one.state not in {"ready", "external"}:
            text = _("is %(state)s; it ended with %(exit)s") if one.last_exit else _("is %(state)s")
            yield Finding(FAIL, "processes", one.name, text, _("Its last words: %(reason)s"), facts)
        elif one.restarts and one.since and picture.at.timestamp() - one.since < 86_400:
            text = _("runs again; it was restarted %(restarts)s times, the last time because of %(exit)s")
            yield Finding(WARN, "processes", one.name, text, _("Its last words: %(reason)s"), facts)
        else:
            text = _("somebody else runs it") if one.state == "external" else _("runs")
            yield Finding(OK, "processes", one.name, text, "", facts)
    if picture.complaint:
        yield Finding(WARN, "processes", "supervisor", "%(complaint)s", "", {"complaint": picture.complaint})


def _queues(picture: Picture) -> Iterator[Finding]:
    historian = picture.health.get("historian")
    facts: dict[str, Any]
    if historian:
        facts = {"n": int(historian.get("lag_messages", 0)), "fill": round(100 * historian.get("buffer_fill", 0.0))}
        if reason := historian.get("hold_reason"):
            hint = _("Devices keep what they have; remove the cause and it goes on by itself.")
            yield Finding(FAIL, "queues", "log", _("held: %(reason)s"), hint, {"reason": reason})
        elif facts["n"] > 100 * MANY_WAITING:
            yield Finding(WARN, "queues", "log", _("%(n)s messages wait for the columns"), "", facts)
        else:
            yield Finding(
                OK, "queues", "log", _("%(n)s messages wait for the columns, buffer %(fill)s %% full"), "", facts
            )
    elif picture.is_running:
        yield Finding(WARN, "queues", "log", _("the historian says nothing"), _("Look at its log."))
    if picture.database_error:
        yield Finding(
            FAIL, "queues", "database", _("does not answer: %(error)s"), "", {"error": picture.database_error}
        )
    if picture.outbox_waiting is not None:
        facts = {"n": picture.outbox_waiting, "age": round(picture.outbox_oldest_s or 0)}
        is_slow = picture.outbox_waiting > MANY_WAITING or (picture.outbox_oldest_s or 0) > 60
        hint = _("Look at the worker's log.") if is_slow else ""
        text = _("%(n)s events wait to be delivered, the oldest for %(age)s s")
        yield Finding(WARN if is_slow else OK, "queues", "outbox", text, hint, facts)
    if picture.outbox_poisoned:
        hint = _("The worker's log says why; they stay until somebody repairs the cause.")
        text = _("%(n)s events cannot be delivered")
        yield Finding(FAIL, "queues", "outbox", text, hint, {"n": picture.outbox_poisoned})
    if picture.dead_letters_open is not None:
        facts = {"n": picture.dead_letters_open}
        level = WARN if picture.dead_letters_open else OK
        hint = _("Look at the page 'Dead letters'.") if picture.dead_letters_open else ""
        yield Finding(level, "queues", "dead letters", _("%(n)s open groups"), hint, facts)


def _sources(picture: Picture) -> Iterator[Finding]:
    for one in picture.sources:
        name = f"{one.site}/{one.code}"
        if one.age_s is None:
            yield Finding(WARN, "sources", name, _("nothing heard since the historian started"))
            continue
        facts = {"age": round(one.age_s)}
        level = WARN if one.age_s > OLD_DATA_S else OK
        yield Finding(level, "sources", name, _("the newest reading is %(age)s s old"), "", facts)


def _disk(picture: Picture) -> Iterator[Finding]:
    facts: dict[str, Any] = {"free": f"{picture.disk_free / 1e9:.1f}", "total": f"{picture.disk_total / 1e9:.1f}"}
    if picture.disk_free < LITTLE_DISK_BYTES:
        hint = _("Free some: below 1 GB the plant's data soon finds no room.")
        yield Finding(FAIL, "machine", "disk", _("%(free)s of %(total)s GB free"), hint, facts)
    else:
        is_little = picture.disk_free < ENOUGH_DISK_BYTES
        hint = _("A day of a middle-sized plant takes about half a GB.") if is_little else ""
        yield Finding(WARN if is_little else OK, "machine", "disk", _("%(free)s of %(total)s GB free"), hint, facts)
    days = picture.disk_days_left
    if days is not None:
        facts = {"days": f"{days:.0f}"}
        level = FAIL if days < FEW_DAYS else WARN if days < SOME_DAYS else OK
        hint = _("Make room, or shorten what tag classes keep.") if level != OK else ""
        yield Finding(
            level, "machine", "forecast", _("full in about %(days)s days if it goes on like this"), hint, facts
        )


def _backups(picture: Picture) -> Iterator[Finding]:
    attempt, good = picture.last_attempt, picture.last_backup
    is_nightly = bool(picture.backup_place)
    if attempt is not None and attempt.error:
        yield Finding(FAIL, "backups", "attempt", _("the last one failed: %(error)s"), "", {"error": attempt.error})
    if good is None:
        hint = _("Take one with 'yuheng backup', or every night with 'yuheng up --backup-to DIR'.")
        yield Finding(WARN, "backups", "backup", _("none was ever taken"), hint)
        return
    age_h = (picture.at - datetime.fromisoformat(good.at)).total_seconds() / 3600
    facts = {"hours": f"{age_h:.0f}", "place": good.place, "size": f"{good.size_bytes / 1e6:,.0f}"}
    is_old = age_h > (26 if is_nightly else 7 * 24)
    hint = _("Take one with 'yuheng backup'.") if is_old else ""
    text = _("taken %(hours)s hours ago, %(size)s MB: %(place)s")
    yield Finding(WARN if is_old else OK, "backups", "backup", text, hint, facts)


def _retention(picture: Picture) -> Iterator[Finding]:
    for process, subject in (("historian", "columns"), ("worker", "tables")):
        newest = next((run for run in picture.forgotten if run.process == process), None)
        if newest is None:
            yield Finding(OK, "retention", subject, _("retention has not run yet; it does within a day of a start"))
            continue
        hours = (picture.at - datetime.fromisoformat(newest.at)).total_seconds() / 3600
        facts = {"hours": f"{hours:.0f}", "rows": f"{sum(newest.removed.values()):,}"}
        is_late = picture.is_running and hours > FORGETS_WITHIN_H
        hint = _("Look at the log of the process: what is old is not removed.") if is_late else ""
        text = _("retention ran %(hours)s hours ago and removed %(rows)s rows")
        yield Finding(WARN if is_late else OK, "retention", subject, text, hint, facts)


def _certificates(picture: Picture) -> Iterator[Finding]:
    for name, one in picture.certificates.items():
        days = one.days_left(picture.at)
        facts = {"days": f"{days:.0f}", "until": f"{one.not_after:%Y-%m-%d}"}
        level = FAIL if days < FEW_DAYS else WARN if days < SOME_DAYS - 2 else OK
        hint = _("Renew it: 'yuheng tls renew', or replace your files.") if level != OK else ""
        yield Finding(level, "certificates", name, _("until %(until)s, %(days)s days"), hint, facts)
    for name, error in picture.certificate_errors.items():
        yield Finding(FAIL, "certificates", name, "%(error)s", "", {"error": error})


def _sign_on(picture: Picture) -> Iterator[Finding]:
    if picture.sign_on_error:
        hint = _("Nobody can sign in with the provider until it is repaired; a repaired file is in force at once.")
        yield Finding(FAIL, "people", "single sign-on", _("is off: %(error)s"), hint, {"error": picture.sign_on_error})
    elif picture.sign_on_issuer:
        yield Finding(OK, "people", "single sign-on", _("with %(issuer)s"), "", {"issuer": picture.sign_on_issuer})


def _clock(picture: Picture) -> Iterator[Finding]:
    if picture.is_clock_synchronised is not None:
        if picture.is_clock_synchronised:
            yield Finding(OK, "machine", "clock", _("steered by a time service"))
        else:
            hint = _("Start a time service (chrony, systemd-timesyncd): readings of several machines are compared.")
            yield Finding(WARN, "machine", "clock", _("no time service steers it"), hint)
    skew = picture.database_skew_s
    if skew is not None and abs(skew) > SKEW_S:
        facts = {"skew": f"{skew:+.1f}"}
        yield Finding(WARN, "machine", "clock", _("the database's clock differs by %(skew)s s"), "", facts)


def _memory(picture: Picture) -> Iterator[Finding]:
    if not picture.memory_total:
        return
    share = picture.memory_available / picture.memory_total
    used = sum(one.rss_bytes for one in picture.services)
    facts = {
        "free": f"{picture.memory_available / 1e9:.1f}",
        "total": f"{picture.memory_total / 1e9:.1f}",
        "ours": f"{used / 1e6:,.0f}",
    }
    level = FAIL if share < 0.03 else WARN if share < 0.08 else OK
    yield Finding(
        level, "machine", "memory", _("%(free)s of %(total)s GB available, our processes use %(ours)s MB"), "", facts
    )


def _versions(picture: Picture) -> Iterator[Finding]:
    facts = {"running": picture.running_version, "installed": picture.version, "database": picture.database_version}
    if picture.running_version and picture.running_version != picture.version:
        hint = _("Restart 'yuheng up' to run the installed one.")
        yield Finding(WARN, "versions", "yuheng", _("%(running)s runs, %(installed)s is installed"), hint, facts)
    else:
        yield Finding(OK, "versions", "yuheng", "%(installed)s", "", facts)
    if picture.database_version:
        yield Finding(OK, "versions", "PostgreSQL", "%(database)s", "", facts)
