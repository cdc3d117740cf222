"""A problem as flat arrays: the only thing that the compiled kernels see.

Everything is decoded from an assignment and an order on the machines, so the arrays hold no plan. Index spaces:
operations 0..n-1, modes 0..K-1 (all operations' modes, one after the other), machines, jobs, resources (then pools of
people). CSR throughout: what belongs to ``i`` is from ``ptr[i]`` to ``ptr[i + 1]``. Numbers are ``int64`` unless said.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from yuheng.engines.schedule.calendars import FOREVER
from yuheng.engines.schedule.parts import Id, Link, Operation, Precedence, Status
from yuheng.engines.schedule.people import Pool, pools
from yuheng.engines.schedule.problem import Problem, is_settled
from yuheng.engines.schedule.timeline import compile_calendars, compile_capacities

type_ints = npt.NDArray[np.int64]
type_bools = npt.NDArray[np.bool_]

LINK_CODES = {Link.FINISH_START: 0, Link.START_START: 1, Link.OVERLAP: 2}


class HorizonTooShort(ValueError):
    """A plan reaches behind `Arrays.covered`: compile again with a longer horizon, or no open time is left at all."""


@dataclass(frozen=True, slots=True)
class Arrays:
    """The compiled problem.

    Attributes
    ----------
    n, machines, jobs
        Counts. ``covered``: calendars and capacities are true before this tick; behind it everything is open, and
        a plan that ends there is refused. ``now``: as in the problem.
    op_ptr, mode_machine, mode_duration
        Modes of each operation.
    pred_ptr, pred, pred_lag, succ_ptr, succ, succ_lag
        Finish-start precedences only: ``start[b] >= end[a] + lag``, lags never negative.
    link_ptr, link_pred, link_kind, link_lag, link_max, link_transfer, link_quantity
        All precedences by their later operation, but for settled ones (`problem.is_settled`); kind 0
        finish-start, 1 start-start, 2 overlap; ``link_max`` −1: none.
    after_ptr, after, after_link
        The same by their earlier operation; ``after_link`` is the index into ``link_*``.
    topo
        ``(n,)``, an order in which every precedence points forwards.
    job, release, due, weight
        ``release`` is the largest of job, operation, material and now; for a fixed start, that start. ``due`` is
        `FOREVER` without one. ``weight`` is float64, per job.
    is_job_end
        ``bool (n,)``: nothing of the same job comes after it; the job is done when all its ends are.
    family, setup_of_machine, setup, initial_family
        Codes, −1: none. ``setup[matrix, f, g]`` from f to g; the last row and column are "none", so index −1 is right.
    machine_free
        First tick of each machine.
    cal_of_machine, cal_ptr, cal_start, cal_end, cal_work
        See `timeline.Calendars`; machines −1 are always open.
    interruptible, is_started, is_frozen
        ``bool (n,)``. ``is_frozen``: started or frozen, machine and start are facts.
    dem_ptr, dem_res, dem_amount, res_keeps, cap_ptr, cap_time, cap_value
        Demands on resources and pools; ``res_keeps``: held over breaks. See `timeline.Capacities`.
    fixed_start, fixed_mode
        −1: free. A pinned operation may have one without the other.
    op_size, batch_capacity
        Batch machines have a capacity above 1.
    buffer_of_machine, buffer_capacity
        −1: room enough.
    routing_ptr, routing_of_op
        Job ``j`` chooses one of the routings from ``routing_ptr[j]`` to ``routing_ptr[j + 1]``; −1: always performed.
    resource_ids, family_ids
        Names of the codes; a pool's name joins its skills.
    """

    n: int
    machines: int
    jobs: int
    covered: int
    now: int
    op_ptr: type_ints
    mode_machine: type_ints
    mode_duration: type_ints
    pred_ptr: type_ints
    pred: type_ints
    pred_lag: type_ints
    succ_ptr: type_ints
    succ: type_ints
    succ_lag: type_ints
    link_ptr: type_ints
    link_pred: type_ints
    link_kind: type_ints
    link_lag: type_ints
    link_max: type_ints
    link_transfer: type_ints
    link_quantity: type_ints
    after_ptr: type_ints
    after: type_ints
    after_link: type_ints
    topo: type_ints
    job: type_ints
    release: type_ints
    due: type_ints
    weight: npt.NDArray[np.float64]
    is_job_end: type_bools
    family: type_ints
    setup_of_machine: type_ints
    setup: type_ints
    initial_family: type_ints
    machine_free: type_ints
    cal_of_machine: type_ints
    cal_ptr: type_ints
    cal_start: type_ints
    cal_end: type_ints
    cal_work: type_ints
    interruptible: type_bools
    is_started: type_bools
    is_frozen: type_bools
    dem_ptr: type_ints
    dem_res: type_ints
    dem_amount: type_ints
    res_keeps: type_bools
    cap_ptr: type_ints
    cap_time: type_ints
    cap_value: type_ints
    fixed_start: type_ints
    fixed_mode: type_ints
    op_size: type_ints
    batch_capacity: type_ints
    buffer_of_machine: type_ints
    buffer_capacity: type_ints
    routing_ptr: type_ints
    routing_of_op: type_ints
    resource_ids: tuple[Id, ...]
    family_ids: tuple[Id, ...]

    @property
    def has_calendars(self) -> bool:
        """Some machine is not always open."""
        return bool((self.cal_of_machine >= 0).any())

    @property
    def has_setups(self) -> bool:
        """Some machine needs time between families."""
        return bool(self.setup.any()) and bool((self.setup_of_machine >= 0).any())

    @property
    def has_resources(self) -> bool:
        """Some operation needs more than a machine."""
        return len(self.dem_res) > 0

    @property
    def has_batches(self) -> bool:
        """Some machine performs several operations at once."""
        return bool((self.batch_capacity > 1).any())

    @property
    def has_buffers(self) -> bool:
        """Some machine can block those before it."""
        return bool((self.buffer_of_machine >= 0).any())

    @property
    def has_routings(self) -> bool:
        """Some job can be made in several ways."""
        return bool((self.routing_of_op >= 0).any())

    @property
    def has_links(self) -> bool:
        """Some precedence is more than "after its end": start-start, overlap, or a longest lag."""
        return bool(self.link_kind.any()) or bool((self.link_max >= 0).any())

    @property
    def has_fixed(self) -> bool:
        """Some operation is started, frozen or pinned."""
        return bool((self.fixed_start >= 0).any()) or bool((self.fixed_mode >= 0).any())

    @property
    def needs_general(self) -> bool:
        """Only the general decoder knows all of this problem's rules."""
        return (
            self.has_resources or self.has_batches or self.has_buffers or self.has_routings or self.has_links
        ) or bool(((self.fixed_start >= 0) & (self.fixed_mode < 0)).any())


ARRAY_NAMES = tuple(
    field.name
    for field in fields(Arrays)
    if field.name not in {"n", "machines", "jobs", "covered", "now", "resource_ids", "family_ids"}
)


def compile_problem(problem: Problem, covered: int | None = None) -> Arrays:
    """Compile a problem.

    Parameters
    ----------
    covered
        How far calendars and capacities reach, in ticks; ``None``: `horizon_of`.

    Notes
    -----
    Linear in operations, modes and precedences, and in the number of shifts until ``covered``.
    """
    operations = problem.operations
    n = len(operations)
    covered = horizon_of(problem) if covered is None else covered
    machine_index, job_index = problem.machine_index, problem.job_index
    counts = [len(operation.modes) for operation in operations]
    op_ptr = _pointers(counts)
    mode_machine = _ints([machine_index[mode.machine] for operation in operations for mode in operation.modes])
    mode_duration = _ints([mode.duration for operation in operations for mode in operation.modes])
    job = _ints([job_index[operation.job] for operation in operations])
    fixed_start, fixed_mode = _fixed(operations, op_ptr)
    links = _links(problem, n)
    families = problem.families
    family_code = {family: k for k, family in enumerate(families)}
    groups = _used_pools(problem)
    calendars = compile_calendars(problem.machines, problem.calendars, covered)
    capacities = compile_capacities(problem.resources, groups, problem.operators, problem.calendars, covered)
    buffers = {buffer.id: k for k, buffer in enumerate(problem.buffers)}
    release = np.maximum(
        _ints([max(operation.release, operation.material_at, problem.now) for operation in operations]),
        _ints([row.release for row in problem.jobs])[job],
    )
    return Arrays(
        n=n,
        machines=len(problem.machines),
        jobs=len(problem.jobs),
        covered=covered,
        now=problem.now,
        op_ptr=op_ptr,
        mode_machine=mode_machine,
        mode_duration=mode_duration,
        **links,
        topo=_topological(links["link_ptr"], links["after_ptr"], links["after"]),
        job=job,
        release=np.where(fixed_start >= 0, fixed_start, release),
        due=_ints([FOREVER if row.due is None else row.due for row in problem.jobs]),
        weight=np.array([row.weight for row in problem.jobs], np.float64),
        is_job_end=_job_ends(job, links["after_ptr"], links["after"]),
        family=_ints([-1 if op.family is None else family_code[op.family] for op in operations]),
        **_setups(problem, family_code),
        machine_free=np.maximum(_ints([machine.available_from for machine in problem.machines]), 0),
        cal_of_machine=calendars.of_machine,
        cal_ptr=calendars.ptr,
        cal_start=calendars.start,
        cal_end=calendars.end,
        cal_work=calendars.work,
        interruptible=np.array([op.interruptible or op.fixed_start is not None for op in operations], np.bool_),
        is_started=np.array([op.status is Status.STARTED for op in operations], np.bool_),
        is_frozen=np.array([op.status in (Status.STARTED, Status.FROZEN) for op in operations], np.bool_),
        **_demands(problem, groups),
        cap_ptr=capacities.ptr,
        cap_time=capacities.time,
        cap_value=capacities.value,
        fixed_start=fixed_start,
        fixed_mode=fixed_mode,
        op_size=_ints([operation.size for operation in operations]),
        batch_capacity=_ints([machine.batch_capacity for machine in problem.machines]),
        buffer_of_machine=_ints(
            [-1 if machine.input_buffer is None else buffers[machine.input_buffer] for machine in problem.machines]
        ),
        buffer_capacity=_ints([buffer.capacity for buffer in problem.buffers]),
        **_routings(problem),
        resource_ids=(
            *(row.id for row in problem.resources),
            *("/".join(sorted(str(skill) for skill in group.skills)) for group in groups),
        ),
        family_ids=families,
    )


def horizon_of(problem: Problem) -> int:
    """Estimate, generously, when everything can be done: six times the busiest machine and the longest job.

    Should a plan not fit, it is compiled again with more; an exact bound would make calendars needlessly long.
    """
    busy: dict[Id, float] = {}
    long: dict[Id, int] = {}
    total = 0
    for operation in problem.operations:
        most = max(mode.duration for mode in operation.modes)
        total += most
        long[operation.job] = long.get(operation.job, 0) + most
        for mode in operation.modes:
            busy[mode.machine] = busy.get(mode.machine, 0.0) + mode.duration / len(operation.modes)
    setups = max((max(times) for matrix in problem.setup_matrices for times in matrix.times if times), default=0)
    lags = sum(link.min_lag for link in problem.precedences)
    work = min(total, 6 * (int(max(busy.values())) + max(long.values()))) + lags
    work += setups * len(problem.operations) // max(1, len(busy)) * 4
    latest = [problem.now, *(row.release for row in problem.jobs), *(row.available_from for row in problem.machines)]
    latest += [max(op.release, op.material_at, op.fixed_start or 0) for op in problem.operations]
    latest += [end for row in problem.machines for _start, end in row.closures]
    latest += [end for row in problem.resources for _start, end, _by in row.changes]
    latest += [end for row in problem.operators for _start, end in row.absences if end < FOREVER]
    share, period = 1.0, 0
    for calendar in problem.calendars:
        latest += [end for _s, end in (*calendar.closures, *calendar.extra) if end < FOREVER]
        if calendar.period is None:
            latest += [end for _start, end in calendar.intervals if end < FOREVER]
        elif calendar.intervals:
            share = min(share, sum(end - start for start, end in calendar.intervals) / calendar.period)
            period = max(period, calendar.period)
    pieces = 1 if all(operation.interruptible for operation in problem.operations) else 2
    return max(latest) + int(work / share) * pieces + 8 * period + 1


def _ints(values: list[int]) -> type_ints:
    return np.array(values, np.int64)


def _pointers(counts: list[int] | type_ints) -> type_ints:
    ptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=ptr[1:])
    return ptr


def _fixed(operations: tuple[Operation, ...], op_ptr: type_ints) -> tuple[type_ints, type_ints]:
    starts, modes = np.full(len(operations), -1, np.int64), np.full(len(operations), -1, np.int64)
    for k, operation in enumerate(operations):
        if operation.status is Status.OPEN:
            continue
        if operation.fixed_start is not None:
            starts[k] = operation.fixed_start
        if operation.fixed_machine is not None:
            machines = [mode.machine for mode in operation.modes]
            modes[k] = op_ptr[k] + machines.index(operation.fixed_machine)
    return starts, modes


def _links(problem: Problem, n: int) -> dict[str, Any]:
    """All precedences in both directions, and the plain ones apart."""
    index, operations = problem.operation_index, problem.operations
    links = [
        link
        for link in problem.precedences
        if not is_settled(operations[index[link.before]], operations[index[link.after]])
    ]
    before = _ints([index[link.before] for link in links])
    after = _ints([index[link.after] for link in links])
    kind = _ints([LINK_CODES[link.kind] for link in links])
    lag = _ints([link.min_lag for link in links])
    most = _ints([-1 if link.max_lag is None else link.max_lag for link in links])
    transfer, quantity = _transfers(links)
    by_after = np.argsort(after, kind="stable")
    position = np.empty(len(links), np.int64)
    position[by_after] = np.arange(len(links))
    by_before = np.argsort(before, kind="stable")
    plain = kind == 0
    plain_after, plain_before = by_after[plain[by_after]], by_before[plain[by_before]]
    return {
        "pred_ptr": _pointers(np.bincount(after[plain], minlength=n)),
        "pred": before[plain_after],
        "pred_lag": lag[plain_after],
        "succ_ptr": _pointers(np.bincount(before[plain], minlength=n)),
        "succ": after[plain_before],
        "succ_lag": lag[plain_before],
        "link_ptr": _pointers(np.bincount(after, minlength=n)),
        "link_pred": before[by_after],
        "link_kind": kind[by_after],
        "link_lag": lag[by_after],
        "link_max": most[by_after],
        "link_transfer": transfer[by_after],
        "link_quantity": quantity[by_after],
        "after_ptr": _pointers(np.bincount(before, minlength=n)),
        "after": after[by_before],
        "after_link": position[by_before],
    }


def _transfers(links: list[Precedence]) -> tuple[type_ints, type_ints]:
    overlaps = [link.kind is Link.OVERLAP for link in links]
    transfer = [link.transfer if is_overlap else 1 for link, is_overlap in zip(links, overlaps, strict=True)]
    quantity = [link.quantity if is_overlap else 1 for link, is_overlap in zip(links, overlaps, strict=True)]
    return _ints(transfer), _ints(quantity)


def _topological(link_ptr: type_ints, after_ptr: type_ints, after: type_ints) -> type_ints:
    """Kahn's order, first in first out; the problem has no circles."""
    waits = np.diff(link_ptr).tolist()
    pointers, later = after_ptr.tolist(), after.tolist()
    order = [k for k, count in enumerate(waits) if not count]
    for k in order:  # grows while it is read
        for b in later[pointers[k] : pointers[k + 1]]:
            waits[b] -= 1
            if not waits[b]:
                order.append(b)
    return _ints(order)


def _job_ends(job: type_ints, after_ptr: type_ints, after: type_ints) -> type_bools:
    before = np.repeat(np.arange(len(job)), np.diff(after_ptr))
    ends = np.ones(len(job), np.bool_)
    ends[before[job[before] == job[after]]] = False
    return ends


def _setups(problem: Problem, family_code: dict[Id, int]) -> dict[str, Any]:
    width = len(family_code)
    setup = np.zeros((max(1, len(problem.setup_matrices)), width + 1, width + 1), np.int64)
    matrix_code = {matrix.id: k for k, matrix in enumerate(problem.setup_matrices)}
    for k, matrix in enumerate(problem.setup_matrices):
        at = _ints([family_code[family] for family in matrix.families])
        setup[k][np.ix_(at, at)] = np.array(matrix.times, np.int64).reshape(len(at), len(at))
        if matrix.initial is not None:
            setup[k][width, at] = matrix.initial
    of_machine = [-1 if row.setup_matrix is None else matrix_code[row.setup_matrix] for row in problem.machines]
    initial = [-1 if row.initial_family is None else family_code[row.initial_family] for row in problem.machines]
    return {"setup_of_machine": _ints(of_machine), "setup": setup, "initial_family": _ints(initial)}


def _used_pools(problem: Problem) -> tuple[Pool, ...]:
    """The pools of people that some operation draws on."""
    if not problem.operators:
        return ()
    demanded = {demand.resource for operation in problem.operations for demand in operation.demands}
    return tuple(pool for pool in pools(problem.operators) if pool.skills & demanded)


def _demands(problem: Problem, groups: tuple[Pool, ...]) -> dict[str, Any]:
    """Demands by operation; a demand for a skill draws on every pool that has it."""
    drawn: dict[Id, list[int]] = {row.id: [k] for k, row in enumerate(problem.resources)}
    for k, pool in enumerate(groups, start=len(problem.resources)):
        for skill in pool.skills:
            drawn.setdefault(skill, []).append(k)
    counts: list[int] = []
    resources: list[int] = []
    amounts: list[int] = []
    for operation in problem.operations:
        needed: dict[int, int] = {}
        for demand in operation.demands:
            for k in drawn[demand.resource]:
                needed[k] = needed.get(k, 0) + demand.amount
        counts.append(len(needed))
        resources.extend(needed)
        amounts.extend(needed.values())
    keeps = [*(row.kept_over_breaks for row in problem.resources), *(False for _pool in groups)]
    return {
        "dem_ptr": _pointers(counts),
        "dem_res": _ints(resources),
        "dem_amount": _ints(amounts),
        "res_keeps": np.array(keeps, np.bool_),
    }


def _routings(problem: Problem) -> dict[str, Any]:
    options: list[dict[Id, None]] = [{} for _job in problem.jobs]
    for operation in problem.operations:
        if operation.routing is not None:
            options[problem.job_index[operation.job]][operation.routing] = None
    ptr = _pointers([len(of_job) for of_job in options])
    code = {
        (problem.jobs[k].id, routing): int(ptr[k]) + i
        for k, of_job in enumerate(options)
        for i, routing in enumerate(of_job)
    }
    of_op = [-1 if op.routing is None else code[op.job, op.routing] for op in problem.operations]
    return {"routing_ptr": ptr, "routing_of_op": _ints(of_op)}
