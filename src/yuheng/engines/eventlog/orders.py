"""Events to what was done: per order, pairs become runs, runs become jobs; then, per machine, what cannot be."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from yuheng.engines.eventlog.events import ENDED, STARTED, Progress
from yuheng.engines.eventlog.issues import Issues
from yuheng.engines.eventlog.spool import Spool
from yuheng.engines.eventlog.values import MICRO, moment

GAP = 3 * 86_400 * MICRO
TOLERANCE = MICRO
TOLD_EVERY = 20_000
_ENOUGH = 20


class Event(NamedTuple):
    """A row of the spool."""

    line: int
    ord: str
    op: str
    step: str
    mach: str
    oper: str
    t0: int | None
    t1: int | None
    kind: int
    inst: str
    qty: float | None
    good: float | None
    scrap: float | None
    rework: float | None
    mat: str
    matname: str
    cust: str
    due: int | None
    ident: str


class Run(NamedTuple):
    """A stretch of work at one operation of one order."""

    op: str
    step: str
    mach: str
    oper: str
    t0: int
    t1: int
    guessed: bool
    qty: float | None
    good: float | None
    scrap: float | None
    rework: float | None
    line: int


def make_runs(spool: Spool, issues: Issues, *, only_starts: bool, has_starts: bool, progress: Progress) -> None:
    """Turn the events of each order into runs."""
    rows = spool.rows("SELECT * FROM event ORDER BY ord, coalesce(t0, t1), coalesce(t1, t0), line")
    number = run_id = 0
    for code, group in groupby(rows, key=itemgetter(1)):
        events = _without_duplicates([Event(*row) for row in group], spool, issues)
        runs = sorted(
            _runs_of(events, spool, issues, only_starts=only_starts, has_starts=has_starts),
            key=lambda run: (run.t0, run.t1),
        )
        if not runs:
            continue
        number += 1
        for run in runs:
            run_id += 1
            spool.put(
                "run",
                (
                    run_id, number, run.op, run.step, run.mach, run.oper, run.t0, run.t1, int(run.guessed), run.qty,
                    run.good, run.scrap, run.rework, run.line,
                ),
            )  # fmt: skip
        spool.put("made", (number, code, *_of_order(code, events, issues), *_path_of(runs)))
        if number % TOLD_EVERY == 0:
            progress("orders", number)
    spool.do("DROP TABLE event")


def _without_duplicates(events: list[Event], spool: Spool, issues: Issues) -> list[Event]:
    seen: dict[tuple[Any, ...], int] = {}
    kept = []
    for event in events:
        first = seen.setdefault((*event[2:14], event.ident), event.line)
        if first == event.line:
            kept.append(event)
        elif spool.refuse(event.line, "duplicate"):
            issues.add("duplicate", event.line, order=event.ord, operation=event.op, same_as=first)
    return kept


def _runs_of(
    events: Sequence[Event], spool: Spool, issues: Issues, *, only_starts: bool, has_starts: bool
) -> Iterator[Run]:
    waiting: dict[tuple[str, str], deque[Event]] = {}
    left: list[Event] = []
    free: int | None = None  # when the order came from the step before
    for at, event in enumerate(events):
        if event.kind == STARTED:
            waiting.setdefault((event.op, event.inst), deque()).append(event)
            continue
        if event.t1 is None and not only_starts:
            left.append(event)
            continue
        run = (
            _only_started(event, events[at + 1 :])
            if event.t1 is None
            else _ended(event, waiting, free, issues if has_starts else None)
        )
        free = max(free or run.t1, run.t1)
        yield run
    for event in [*left, *(one for several in waiting.values() for one in several)]:
        if spool.refuse(event.line, "start_without_end"):
            issues.add("start_without_end", event.line, order=event.ord, operation=event.op)


def _only_started(event: Event, behind: Sequence[Event]) -> Run:
    """Return a run of a log without ends: it lasts until the order goes on."""
    start = event.t0 or 0
    return _run(event, start, next((one.t0 for one in behind if one.t0 is not None), start), guessed=True)


def _ended(event: Event, waiting: dict[tuple[str, str], deque[Event]], free: int | None, issues: Issues | None) -> Run:
    """Return a run whose end is known; its start is told, or its partner's, or when the order came."""
    start, end = event.t0, event.t1 or 0
    if event.kind == ENDED:
        begun = _partner(waiting, event)
        if begun is not None:
            start, event = begun.t0, _joined(begun, event)
    if start is not None:
        return _run(event, start, end, guessed=False)
    if issues is not None:  # a log that else tells starts
        issues.add("end_without_start", event.line, order=event.ord, operation=event.op)
    return _run(event, min(end, free) if free is not None else end, end, guessed=True)


def _partner(waiting: dict[tuple[str, str], deque[Event]], event: Event) -> Event | None:
    """Return the start an end belongs to: of its instance, else on its machine, else the oldest."""
    left = waiting.get((event.op, event.inst)) or (None if event.inst else waiting.get((event.op, "")))
    if not left:
        return None
    same = next((one for one in left if one.mach == event.mach), left[0])
    left.remove(same)
    return same


def _joined(begun: Event, ended: Event) -> Event:
    """Return the end with what only the start says."""
    return ended._replace(
        mach=ended.mach or begun.mach,
        oper=ended.oper or begun.oper,
        step=ended.step or begun.step,
        qty=ended.qty if ended.qty is not None else begun.qty,
        mat=ended.mat or begun.mat,
    )


def _run(event: Event, start: int, end: int, *, guessed: bool) -> Run:
    return Run(
        event.op, event.step, event.mach, event.oper, start, max(start, end), guessed,
        event.qty, event.good, event.scrap, event.rework, event.line,
    )  # fmt: skip


def _of_order(
    code: str, events: Sequence[Event], issues: Issues
) -> tuple[str, str, str, int | None, float | None, int]:
    """Return material, its name, customer, due time, quantity of an order, and whether its rows agree on that."""
    materials = Counter(event.mat for event in events if event.mat)
    if len(materials) > 1:
        first = {event.mat: event.line for event in reversed(events)}
        issues.add("several_materials", max(first[one] for one in materials), order=code, materials=list(materials)[:5])
    material = materials.most_common(1)[0][0] if materials else ""
    name = next((event.matname for event in events if event.matname and event.mat == material), "")
    customer = next((event.cust for event in events if event.cust), "")
    due = next((event.due for event in events if event.due is not None), None)
    amounts = {event.qty for event in events if event.qty}
    return material, name, customer, due, max(amounts, default=None), int(len(amounts) < 2)


def _path_of(runs: Sequence[Run]) -> tuple[str, int, int]:
    path = list(dict.fromkeys(run.op for run in runs))
    return json.dumps(path, ensure_ascii=False), runs[0].t0, max(run.t1 for run in runs)


# ---- machines --------------------------------------------------------------------------------------------------------


def look_at_machines(spool: Spool, issues: Issues) -> None:
    """Let guessed starts wait for the machine; report what overlaps on one machine, and gaps of the whole log."""
    spool.flush()
    spool.do("CREATE INDEX of_mach ON run (mach, t1)")
    _wait_for_machines(spool)
    rows = spool.rows("SELECT mach, t0, t1, line, op FROM run WHERE mach <> '' AND guessed = 0 ORDER BY mach, t0, t1")
    for machine, group in groupby(rows, key=itemgetter(0)):
        _overlaps(str(machine), group, issues)
    rows = spool.rows(
        "SELECT oper, t0, t1, line, mach FROM run WHERE oper <> '' AND mach <> '' AND guessed = 0 ORDER BY oper, t0, t1"
    )
    last, until, where = None, 0, ""
    for operator, start, end, line, machine in rows:
        if operator == last and start < until - TOLERANCE and machine != where:
            issues.add("operator_overlap", line, operator=operator, machines=[where, machine])
        if operator != last or end > until:
            last, until, where = operator, end, machine
    until = 0
    for start, end, line in spool.rows("SELECT t0, t1, line FROM run ORDER BY t0, t1"):
        if until and start > until + GAP:
            issues.add("gap", line, since=moment(until).isoformat(), until=moment(start).isoformat())
        until = max(until, end)


def _wait_for_machines(spool: Spool) -> None:
    changed: list[tuple[int, int]] = []
    last, free = None, 0
    for machine, run, start, end, guessed in spool.rows(
        "SELECT mach, id, t0, t1, guessed FROM run WHERE mach <> '' ORDER BY mach, t1, t0"
    ):
        if machine == last and guessed and start < free <= end:
            changed.append((free, run))
        free = end if machine != last else max(free, end)
        last = machine
    spool.do_each("UPDATE run SET t0 = ? WHERE id = ?", changed)


def _overlaps(machine: str, group: Iterator[tuple[Any, ...]], issues: Issues) -> None:
    until, behind, total, crossed = 0, 0, 0, 0
    found: list[tuple[int, int, int]] = []
    for _machine, start, end, line, _op in group:
        total += 1
        if start < until - TOLERANCE and end > start:
            crossed += 1
            if len(found) < 10:
                found.append((line, behind, start))
        if end >= until:
            until, behind = end, line
    for line, other, start in found:
        issues.add("overlap", line, machine=machine, with_row=other, time=moment(start).isoformat())
    if crossed > len(found):
        issue = issues.found["overlap"]
        issue.count += crossed - len(found)
    if total >= _ENOUGH and crossed * 2 > total:
        issues.add("parallel_machine", None, machine=machine, overlapping=crossed, of=total)


# ---- jobs ------------------------------------------------------------------------------------------------------------


class _Job:
    def __init__(self, number: int, op: str, visit: int) -> None:
        self.number, self.op, self.visit = number, op, visit
        self.runs: list[tuple[Any, ...]] = []
        self.made = 0.0

    def take(self, run: tuple[Any, ...]) -> None:
        self.runs.append(run)
        self.made += (run[11] or 0.0) + (run[12] or 0.0)


def make_jobs(spool: Spool, issues: Issues, progress: Progress) -> bool:
    """Put runs of one operation together; return whether quantities are those of orders, not of rows."""
    steady, changing = spool.one(
        "SELECT coalesce(sum(is_steady), 0), coalesce(sum(1 - is_steady), 0) FROM made WHERE qty > 0"
    )
    is_of_order = bool(steady >= 4 * changing)
    if is_of_order and changing:
        for code, line in spool.rows(
            "SELECT m.code, min(r.line) FROM made m JOIN run r ON r.ord = m.id WHERE m.is_steady = 0 GROUP BY m.id"
        ):
            issues.add("changing_order_quantity", line, order=code)
    rows = spool.rows(
        "SELECT r.id, r.ord, 0, r.op, r.step, r.mach, r.oper, r.t0, r.t1, r.guessed, r.qty, r.good, r.scrap, "
        "r.rework, r.line, m.qty FROM run r JOIN made m ON m.id = r.ord ORDER BY r.ord, r.t0, r.t1, r.id"
    )
    number = 0
    for order, group in groupby(rows, key=itemgetter(1)):
        runs = list(group)
        wanted = runs[0][15] if is_of_order else None
        jobs = _jobs_of(runs, wanted, number, issues)
        number += len(jobs)
        most = 0.0
        for job in jobs:
            row = _job_row(job, order, wanted, is_of_order=is_of_order)
            most = max(most, row[9] or 0.0)
            spool.put("job", row)
            for run in job.runs:
                spool.put("of_job", (job.number, run[0]))
            if wanted and job.made > wanted * 1.0001:
                issues.add(
                    "more_than_ordered", job.runs[-1][14], order_quantity=wanted, made=job.made, operation=job.op
                )
        if not is_of_order or not wanted:
            spool.put("known", (order, most or None))
        if order % TOLD_EVERY == 0:
            progress("jobs", number)
    spool.flush()
    spool.do(
        "UPDATE made SET qty = (SELECT n.qty FROM known n WHERE n.ord = made.id) WHERE id IN (SELECT ord FROM known)"
    )
    return is_of_order


def _jobs_of(runs: Sequence[tuple[Any, ...]], wanted: float | None, number: int, issues: Issues) -> list[_Job]:
    """Return the jobs of one order: coming back to an operation that was not finished goes on, else it is another."""
    open_jobs: dict[str, _Job] = {}
    jobs: list[_Job] = []
    last: _Job | None = None
    for run in runs:
        job = open_jobs.get(run[3])
        goes_on = job is not None and (
            job is last or (wanted is not None and job.made > 0 and job.made < wanted) or _overlap(job, run)
        )
        if job is None or not goes_on:
            visit = job.visit + 1 if job is not None else 1
            if visit > 1:
                issues.add("repeated_operation", run[14], operation=run[3], visit=visit)
            number += 1
            job = open_jobs[run[3]] = _Job(number, run[3], visit)
            jobs.append(job)
        job.take(run)
        last = job
    return jobs


def _overlap(job: _Job, run: tuple[Any, ...]) -> bool:
    return bool(run[7] < max(one[8] for one in job.runs[-20:]))


def _job_row(job: _Job, order: int, wanted: float | None, *, is_of_order: bool) -> tuple[Any, ...]:
    runs = job.runs
    machines = Counter(run[5] for run in runs if run[5])
    worked = sum(run[8] - run[7] for run in runs) / MICRO
    sums = [sum(run[at] or 0.0 for run in runs) for at in (11, 12, 13)]
    own = None if is_of_order else sum(run[10] or 0.0 for run in runs)
    pieces = sums[0] + sums[1] or own or wanted or None
    step = next((run[4] for run in runs if run[4]), "")
    machine = machines.most_common(1)[0][0] if machines else ""
    return (
        job.number, order, job.op, step, job.visit, machine, min(run[7] for run in runs), max(run[8] for run in runs),
        worked, pieces, *sums, max(run[9] for run in runs), len(runs), runs[0][14],
    )  # fmt: skip
