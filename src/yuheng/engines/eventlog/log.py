"""The whole of it: a file in, what it says of a plant out, on disk until it is closed."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any
from zoneinfo import ZoneInfo

from yuheng.engines.eventlog.columns import SAMPLE, Columns, find_columns
from yuheng.engines.eventlog.events import Progress, Taken, take
from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.issues import SENTENCES, Issues
from yuheng.engines.eventlog.orders import look_at_machines, make_jobs, make_runs
from yuheng.engines.eventlog.readers import Source, open_source
from yuheng.engines.eventlog.roles import Role
from yuheng.engines.eventlog.routes import Routing, find_routings, name_products
from yuheng.engines.eventlog.spool import Spool
from yuheng.engines.eventlog.values import MICRO, DateOrder, micros, moment


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of work: from start to end on a machine, by somebody."""

    machine: str
    operator: str
    start: datetime
    end: datetime
    good: float
    scrap: float
    rework: float
    row: int


@dataclass(frozen=True, slots=True)
class Job:
    """An operation of an order as it was done; ``visit`` 2 and more: the order came back to it."""

    operation: str
    label: str
    visit: int
    machine: str
    start: datetime
    end: datetime
    worked_s: float
    pieces: float | None
    good: float
    scrap: float
    rework: float
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """An order with everything that was done for it."""

    code: str
    material: str
    material_name: str
    customer: str
    due: datetime | None
    quantity: float | None
    start: datetime
    end: datetime
    jobs: tuple[Job, ...]


def _quiet(_what: str, _done: int) -> None:
    pass


class Log:
    """A plant's event log, read and looked at. Use it in a ``with``: its scratch files go with it.

    Parameters
    ----------
    path
        CSV, XLSX, XES, OCEL 2.0 (JSON, XML, SQLite), JSON records; also gzipped.
    given
        Role -> column (`roles.Role`), where somebody knows better than the names say.
    zone
        Where times without an offset hang.
    dates
        Which of day and month comes first; None: as the log shows.
    now
        What lies later is in the future.

    Raises
    ------
    LogError, OSError
    """

    def __init__(
        self,
        path: Path,
        *,
        given: Mapping[str, str] | None = None,
        zone: ZoneInfo,
        dates: DateOrder | None = None,
        order_type: str = "",
        now: datetime,
        progress: Progress = _quiet,
        scratch: Path | None = None,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="yuheng-log-", dir=scratch)
        self.issues = Issues()
        self.path = path
        try:
            folder = Path(self._folder.name)
            self.source: Source = open_source(path, scratch=folder, order_type=order_type)
            sample = list(islice(self.source.rows(), SAMPLE))
            self.columns: Columns = find_columns(self.source, sample, given=given or {}, zone=zone, order=dates)
            self.spool = Spool(folder)
            self.taken: Taken = take(
                self.source, self.columns, self.spool, self.issues, now=micros(now, zone), progress=progress
            )
            if not self.taken.rows:
                raise LogError(gettext_noop("There is no event in the file."))
            self.routings: list[Routing] = self._look(progress)
        except BaseException:
            self.close()
            raise

    def _look(self, progress: Progress) -> list[Routing]:
        of, taken = self.columns.of, self.taken
        only_starts = not taken.with_end
        make_runs(
            self.spool, self.issues, only_starts=only_starts, has_starts=bool(taken.with_start), progress=progress
        )
        if taken.events and not taken.with_start:
            self.issues.note("only_end_times")
        elif taken.events and only_starts:
            self.issues.note("only_start_times")
        look_at_machines(self.spool, self.issues)
        make_jobs(self.spool, self.issues, progress)
        self._tell_of_columns(of)
        name_products(self.spool, self.issues, has_material=Role.MATERIAL in of)
        return find_routings(self.spool, self.issues, progress)

    def _tell_of_columns(self, of: Mapping[Role, str]) -> None:
        columns = self.columns
        if Role.MACHINE not in of:
            self.issues.note("no_machine_column")
        for role in columns.guessed:
            self.issues.add("guessed_column", None, role=role.value, column=of.get(role, ""))
        if columns.unclear:
            self.issues.note("ambiguous_dates", order=columns.style.order.value, columns=columns.unclear)
        if columns.has_naive_times:
            self.issues.note("no_zone", zone=columns.style.zone.key)
            self._tell_of_clock_changes()

    def _tell_of_clock_changes(self) -> None:
        first, last = self.spool.one("SELECT min(t0), max(t1) FROM run")
        if first is None or last - first > 40 * 366 * 86_400 * MICRO:
            return
        for at in _set_back(columns_zone := self.columns.style.zone, moment(first), moment(last)):
            until, since = micros(at, columns_zone), micros(at - timedelta(hours=1), columns_zone)
            for line, t0 in self.spool.rows(
                "SELECT line, t0 FROM run WHERE (t0 >= ? AND t0 < ?) OR (t1 >= ? AND t1 < ?)", (since, until) * 2
            ):
                self.issues.add("clock_change", line, time=moment(t0).isoformat())

    # ---- numbers -----------------------------------------------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how many of each there are."""

        def count(sql: str) -> int:
            return int(self.spool.one(sql)[0])

        machines = count("SELECT count(DISTINCT mach) FROM run WHERE mach <> ''")
        persons = count("SELECT count(DISTINCT oper) FROM run WHERE oper <> ''")
        return {
            "rows": self.taken.rows,
            "orders": count("SELECT count(*) FROM made"),
            "operations": count("SELECT count(*) FROM run"),
            "resources": machines or persons,
            "rejected": count("SELECT count(*) FROM refused"),
            "job_orders": count("SELECT count(*) FROM job"),
            "operation_names": count("SELECT count(DISTINCT op) FROM run"),
            "machines": machines,
            "persons": persons,
            "materials": count("SELECT count(DISTINCT mat) FROM made"),
            "customers": count("SELECT count(DISTINCT cust) FROM made WHERE cust <> ''"),
        }

    def period(self) -> tuple[datetime, datetime] | None:
        """Return the first start and the last end."""
        first, last = self.spool.one("SELECT min(t0), max(t1) FROM run")
        return (moment(first), moment(last)) if first is not None else None

    def machines(self) -> dict[str, dict[str, int]]:
        """Return machine -> operation -> how often; what has no machine is left out."""
        found: dict[str, dict[str, int]] = {}
        for machine, operation, count in self.spool.rows(
            "SELECT mach, op, count(*) FROM run WHERE mach <> '' GROUP BY mach, op ORDER BY mach, 3 DESC, op"
        ):
            found.setdefault(machine, {})[operation] = count
        return found

    def operators(self) -> list[str]:
        """Return the names of those who worked."""
        return [row[0] for row in self.spool.rows("SELECT DISTINCT oper FROM run WHERE oper <> '' ORDER BY oper")]

    def customers(self) -> list[str]:
        """Return the customers' names."""
        return [row[0] for row in self.spool.rows("SELECT DISTINCT cust FROM made WHERE cust <> '' ORDER BY cust")]

    # ---- contents ----------------------------------------------------------------------------------------------------

    def orders(self) -> Iterator[Order]:
        """Yield the orders, one at a time, by when they began."""
        rows = self.spool.rows(
            "SELECT m.id, m.code, m.mat, m.matname, m.cust, m.due, m.qty, m.t0, m.t1, j.id, j.op, j.step, j.visit, "
            "j.mach, j.t0, j.t1, j.worked, j.pieces, j.good, j.scrap, j.rework, r.mach, r.oper, r.t0, r.t1, r.good, "
            "r.scrap, r.rework, r.line FROM made m JOIN job j ON j.ord = m.id JOIN of_job o ON o.job = j.id "
            "JOIN run r ON r.id = o.run ORDER BY m.t0, m.id, j.t0, j.id, r.t0, r.t1, r.id"
        )
        for _number, group in groupby(rows, key=itemgetter(0)):
            yield _order(list(group))

    def refused_rows(self) -> Iterator[tuple[int, str, dict[str, object]]]:
        """Yield row, code and cells of what was left out, as it stands in the file. Reads the file again."""
        codes = dict(self.spool.rows("SELECT line, code FROM refused"))
        if not codes:
            return
        told: set[int] = set()
        for line, cells in self.source.rows():
            if line in codes and line not in told:
                told.add(line)
                yield line, codes[line], cells
        for line, text in self.source.broken.items():
            if line in codes and line not in told:
                yield line, codes[line], {"": text}

    def write_refused(self, target: Path) -> int:
        """Write the rows that were left out as CSV with the reason before each; return how many."""
        count = 0
        with target.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "code", "reason", *self.source.columns])
            for line, code, cells in self.refused_rows():
                known = [_plain(cells.get(name, "")) for name in self.source.columns]
                writer.writerow([line, code, SENTENCES[code][1], *known, *([cells[""]] if "" in cells else [])])
                count += 1
        return count

    def close(self) -> None:
        """Let everything go; twice does no harm."""
        spool: Spool | None = getattr(self, "spool", None)
        if spool is not None:
            spool.close()
        self._folder.cleanup()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plain(cell: object) -> object:
    """Return a cell such that a spreadsheet takes it for a text, never for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "\t") else cell


def _order(rows: list[tuple[Any, ...]]) -> Order:
    jobs = []
    for _id, group in groupby(rows, key=itemgetter(9)):
        runs = list(group)
        first = runs[0]
        stretches = tuple(
            Stretch(r[21], r[22], moment(r[23]), moment(r[24]), r[25] or 0.0, r[26] or 0.0, r[27] or 0.0, r[28])
            for r in runs
        )
        jobs.append(
            Job(
                first[10], first[11], first[12], first[13], moment(first[14]), moment(first[15]), first[16],
                first[17], first[18], first[19], first[20], stretches,
            )
        )  # fmt: skip
    head = rows[0]
    due = moment(head[5]) if head[5] is not None else None
    return Order(head[1], head[2], head[3], head[4], due, head[6], moment(head[7]), moment(head[8]), tuple(jobs))


def _set_back(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the moments at which the zone's clocks were set back."""
    at = first.astimezone(UTC) - timedelta(days=1)
    while at < last:
        later = at + timedelta(days=1)
        if (later.astimezone(zone).utcoffset() or timedelta()) < (at.astimezone(zone).utcoffset() or timedelta()):
            low, high = at, later
            before = at.astimezone(zone).utcoffset()
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
            yield high.replace(microsecond=0)
        at = later
