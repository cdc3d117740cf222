"""Rows to events: cells read as the columns say, rows that say no event refused with the reason."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from yuheng.engines.eventlog.columns import Columns
from yuheng.engines.eventlog.issues import Issues
from yuheng.engines.eventlog.lifecycle import Step, step_of
from yuheng.engines.eventlog.readers.source import Source
from yuheng.engines.eventlog.roles import NUMBERS, Role
from yuheng.engines.eventlog.spool import Spool
from yuheng.engines.eventlog.values import MICRO, moment, read_duration, read_number, read_time

SPAN, STARTED, ENDED = 0, 1, 2
"""Kinds of events: a row with start and end (or one of them), the start of a pair, the end of a pair."""
LONGEST_NAME = 200
TOLD_EVERY = 20_000
_OLDEST = 631_152_000 * MICRO  # 1990
_BACK = 600 * MICRO
_NAMED = (Role.OPERATION, Role.MACHINE, Role.OPERATOR, Role.MATERIAL)

Progress = Callable[[str, int], None]


@dataclass(slots=True)
class Taken:
    """What came of reading: rows seen, and which kinds of times the log has."""

    rows: int = 0
    events: int = 0
    with_start: int = 0
    with_end: int = 0
    pairs: int = 0


@dataclass(slots=True)
class Names:
    """Names as they are written first; case, full width and blanks make no difference."""

    first: dict[tuple[Role, str], str] = field(default_factory=dict)
    told: set[tuple[Role, str]] = field(default_factory=set)

    def of(self, role: Role, text: str, line: int, issues: Issues) -> str:
        """Return the name that is meant."""
        key = (role, text.casefold().replace(" ", ""))
        known = self.first.setdefault(key, text)
        if known != text and (role, text) not in self.told:
            self.told.add((role, text))
            issues.add("name_variants", line, column=role.value, written=text, taken_as=known)
        return known


def take(source: Source, columns: Columns, spool: Spool, issues: Issues, *, now: int, progress: Progress) -> Taken:
    """Read a log into the spool.

    Parameters
    ----------
    now
        Microseconds since 1970 UTC: what lies later is in the future.
    """
    reader = _Reader(columns, spool, issues, now, source.identity)
    for line, cells in source.rows():
        reader.row(line, cells)
        if reader.taken.rows % TOLD_EVERY == 0:
            progress("rows", reader.taken.rows)
    for line, _text in source.broken.items():
        reader.taken.rows += 1
        reader.refuse(line, "unreadable_row")
    spool.flush()
    reader.finish()
    return reader.taken


class _Reader:
    def __init__(self, columns: Columns, spool: Spool, issues: Issues, now: int, identity: str) -> None:
        self.columns, self.spool, self.issues, self.now, self.identity = columns, spool, issues, now, identity
        self.of = columns.of
        self.taken, self.names = Taken(), Names()
        self.before: int | None = None
        self.backwards: list[tuple[int, int, int]] = []
        self.steps_back = 0
        self.words: Counter[str] = Counter()

    def refuse(self, line: int, code: str, **detail: object) -> None:
        if self.spool.refuse(line, code):
            self.issues.add(code, line, **detail)

    def text(self, role: Role, cells: dict[str, object]) -> str:
        name = self.of.get(role)
        return _text(cells.get(name, "")) if name is not None else ""

    def time(self, role: Role, cells: dict[str, object]) -> int | None:
        name = self.of.get(role)
        if name is None or (cell := cells.get(name, "")) == "":
            return None
        return read_time(cell, self.columns.style)

    def row(self, line: int, cells: dict[str, object]) -> None:
        """Take one row: an event, or refused."""
        self.taken.rows += 1
        order, operation = self.text(Role.ORDER, cells), self.text(Role.OPERATION, cells)
        if not order:
            return self.refuse(line, "no_order", operation=operation)
        if not operation and not (operation := self.text(Role.STEP, cells)):
            return self.refuse(line, "no_operation", order=order)
        kind, start, end = self.times(line, cells)
        if kind is None:
            self.issues.add("other_transition", line, transition=self.text(Role.LIFECYCLE, cells))
            return None
        if start is None and end is None:
            return self.refuse(line, "no_time", order=order, operation=operation, cells=self.written(cells))
        if start is not None and end is not None and end < start:
            times = {"start": moment(start).isoformat(), "end": moment(end).isoformat()}
            return self.refuse(line, "end_before_start", order=order, operation=operation, **times)
        if min(at for at in (start, end) if at is not None) < _OLDEST:
            return self.refuse(line, "clock_not_set", order=order, cells=self.written(cells))
        amounts = self.amounts(line, cells)
        if any(value is not None and value < 0 for value in amounts):
            wrong = {role.value: value for role, value in zip(NUMBERS, amounts, strict=True) if value and value < 0}
            return self.refuse(line, "negative_quantity", order=order, operation=operation, **wrong)
        self.put(line, cells, order, operation, kind, start, end, amounts)
        return None

    def times(self, line: int, cells: dict[str, object]) -> tuple[int | None, int | None, int | None]:
        """Return the kind of event, its start and its end; no kind for an event that is neither."""
        start, end = self.time(Role.START, cells), self.time(Role.END, cells)
        kind = SPAN
        if Role.LIFECYCLE in self.of and Role.TIME in self.of:
            word = self.text(Role.LIFECYCLE, cells)
            step = step_of(word) if word else Step.END
            at = self.time(Role.TIME, cells)
            if step is Step.START:
                kind, start = STARTED, at
            elif step is Step.OTHER or step is None:
                return None, None, None
            else:
                kind, end = ENDED, at
        elif Role.TIME in self.of:
            end = self.time(Role.TIME, cells)
        if Role.DURATION in self.of and (start is None) != (end is None) and kind == SPAN:
            lasted = read_duration(cells.get(self.of[Role.DURATION], ""), self.columns.each_s)
            if lasted is not None and lasted >= 0:
                length = round(lasted * MICRO)
                start, end = (start, start + length) if start is not None else (_before(end, length), end)
        return kind, start, end

    def amounts(self, line: int, cells: dict[str, object]) -> list[float | None]:
        found: list[float | None] = []
        for role in NUMBERS:
            name = self.of.get(role)
            cell = cells.get(name, "") if name is not None else ""
            value = None
            if cell != "":
                value = read_number(cell, self.columns.marks[name or ""])
                if value is None:
                    self.issues.add("bad_quantity", line, column=name, cell=str(cell)[:60])
            found.append(value)
        return found

    def put(
        self,
        line: int,
        cells: dict[str, object],
        order: str,
        operation: str,
        kind: int,
        start: int | None,
        end: int | None,
        amounts: list[float | None],
    ) -> None:
        issues, names = self.issues, self.names
        named = {Role.OPERATION: operation}
        for role in (Role.MACHINE, Role.OPERATOR, Role.MATERIAL):
            named[role] = self.text(role, cells)
        for role in _NAMED:
            if named[role]:
                named[role] = names.of(role, named[role], line, issues)
        if Role.MACHINE in self.of and not named[Role.MACHINE] and kind != STARTED:
            issues.add("no_machine", line, order=order, operation=operation)
        if Role.OPERATOR in self.of and not named[Role.OPERATOR] and kind != STARTED:
            issues.add("no_operator", line, order=order, operation=operation)
        latest = end if end is not None else start
        assert latest is not None
        if latest > self.now:
            issues.add("in_the_future", line, time=moment(latest).isoformat())
        self.see(line, start if start is not None else latest)
        self.taken.events += 1
        self.taken.with_start += start is not None
        self.taken.with_end += end is not None
        self.taken.pairs += kind != SPAN
        self.spool.put(
            "event",
            (
                line, order, named[Role.OPERATION], self.text(Role.STEP, cells), named[Role.MACHINE],
                named[Role.OPERATOR], start, end, kind, self.text(Role.INSTANCE, cells), *amounts,
                named[Role.MATERIAL], self.text(Role.MATERIAL_NAME, cells), self.text(Role.CUSTOMER, cells),
                self.time(Role.DUE, cells), _text(cells.get(self.identity, "")) if self.identity else "",
            ),
        )  # fmt: skip

    def see(self, line: int, at: int) -> None:
        """Notice a step back in time from row to row."""
        if self.before is not None and at < self.before:
            self.steps_back += 1
            if at < self.before - _BACK and len(self.backwards) < 1_000:
                self.backwards.append((line, self.before, at))
        self.before = at

    def finish(self) -> None:
        """Tell of steps back in a log that else goes forward; one sorted otherwise says nothing by them."""
        if self.taken.events >= 20 and self.steps_back * 20 <= self.taken.events:
            for line, before, at in self.backwards:
                self.issues.add("clock_jump", line, before=moment(before).isoformat(), time=moment(at).isoformat())

    def written(self, cells: dict[str, object]) -> str:
        """Return what the columns of times hold, for a sentence."""
        names = [self.of[role] for role in (Role.START, Role.END, Role.TIME) if role in self.of]
        return "; ".join(f"{name}: {cells.get(name, '')}" for name in names)[:200]


def _before(end: int | None, length: int) -> int | None:
    return end - length if end is not None else None


def _text(cell: object) -> str:
    if isinstance(cell, str):
        text = cell
    elif isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        text = str(int(cell))
    else:
        text = str(cell)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.split())[:LONGEST_NAME]
