"""The plant as a whole: machines, the buffers between them, breaks, and the flow of jobs through it all."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.engine import EventCalendar
from yuheng.simulation.layout import CalendarSpec, PlantSpec
from yuheng.simulation.machines import Machine
from yuheng.simulation.work import Job, Observer, RandomOrders, WorkSource

RELEASE_EVERY_S = 30.0


class Buffer:
    """Jobs that wait in front of a work center, oldest first, and the machines that wait for them."""

    def __init__(self, code: str, capacity: int) -> None:
        self.code = code
        self.capacity = capacity
        self.jobs: list[Job] = []
        self.blocked: deque[Machine] = deque()  # machines that hold a finished job for this buffer

    @property
    def has_room(self) -> bool:
        """Whether one more job fits."""
        return len(self.jobs) < self.capacity


class Plant:
    """All machines of a plant at work.

    Parameters
    ----------
    spec
        Which plant.
    seed
        The same seed gives the same sequence of events.
    start
        Model time at the beginning, seconds since 1970 (UTC).
    work
        Where jobs come from; default: endless random orders at the rate the line is balanced for.
    observers
        Told of every change of state and every finished step.

    Notes
    -----
    Conservation holds at every moment: ``released == shipped + scrapped + in process`` (pieces).
    """

    def __init__(
        self,
        spec: PlantSpec,
        *,
        seed: int,
        start: float,
        work: WorkSource | None = None,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.spec = spec
        self.calendar = EventCalendar(start)
        self.work: WorkSource = work or RandomOrders(
            spec.routes, spec.mix, spec.pieces_per_hour, seed, start, lot_pieces=spec.lot_pieces
        )
        self.observers = list(observers)
        self.released = 0
        self.shipped = 0
        self.scrapped = 0
        self._in_process: dict[str, Job] = {}
        centers = [center for area in spec.areas for center in area.work_centers]
        self.buffers = {center.code: Buffer(center.code, center.buffer_lots) for center in centers}
        self._breaks = {calendar.code: _breaks_of_day(calendar) for calendar in spec.calendars}
        self._utc_offset_s = _utc_offset_s(spec.time_zone)
        self.machines = {unit.code: Machine(unit, self.calendar, self, seed) for unit in spec.units()}
        self._of_center: dict[str, list[Machine]] = {code: [] for code in self.buffers}
        for machine in self.machines.values():
            self._of_center[machine.spec.work_center.code].append(machine)
        self._begin()

    # ---- what others may do and ask ------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Model time, seconds since 1970 (UTC)."""
        return self.calendar.now

    def run_until(self, time: float) -> int:
        """Let the plant live until ``time``; return the number of events that happened."""
        return self.calendar.run_until(time)

    def in_process(self) -> list[Job]:
        """Return the jobs that are inside the plant."""
        return list(self._in_process.values())

    def admit(self, job: Job) -> None:
        """Let a job in that comes from elsewhere; it waits in front of its work center until a machine takes it."""
        self.released += job.released
        self._in_process[job.code] = job
        self._arrive(job)

    def take_over(self, work_unit: str, job: Job) -> None:
        """Let a machine go on with this job as if it had made it all the time; what it had leaves the plant."""
        self.released += job.released
        self._in_process[job.code] = job
        before = self.machines[work_unit].take_over(job)
        if before is not None:
            self._leave(before)

    def empty(self) -> None:
        """Let everything leave that is nobody's (has no run); of what was begun, the piece in work is still made."""
        for buffer in self.buffers.values():
            for job in [one for one in buffer.jobs if not one.run_id]:
                self._leave(job)
                buffer.jobs.remove(job)
            buffer.blocked.clear()
        for machine in self.machines.values():
            if machine.job is not None and not machine.job.run_id:
                machine.job.route = machine.job.route[: machine.job.step + 1]
                machine.let_go()

    def wake(self, work_center: str) -> None:
        """Let the machines that wait in front of a buffer look again: for dispatch that changed its mind."""
        for machine in self._of_center[work_center]:
            if machine.is_waiting and machine.job is None:
                machine.proceed()

    def reset_counters(self) -> None:
        """Clear the piece counters of all machines."""
        for machine in self.machines.values():
            machine.reset_counters()

    # ---- Floor: what machines ask --------------------------------------------------------------------------------

    def next_job(self, machine: Machine) -> Job | None:
        """Return the waiting job that the machine takes."""
        buffer = self.buffers[machine.spec.work_center.code]
        job = self.work.next_job(machine.spec.code, buffer.jobs, machine.fitted_family, self.now)
        if job is not None:
            buffer.jobs.remove(job)
            self.calendar.at(self.now, lambda: self._room_made(buffer))  # after the taker has settled
        return job

    def deliver(self, machine: Machine, job: Job) -> bool:
        """Move a finished job to the next buffer, or out of the plant."""
        is_leaving = job.is_at_last_step or job.good == 0
        if not is_leaving and not self._next_buffer(job).has_room:
            blocked = self._next_buffer(job).blocked
            if machine not in blocked:
                blocked.append(machine)
            return False
        for observer in self.observers:
            observer.on_job_done(job, machine.spec.code, self.now)
        if is_leaving:
            self._leave(job)
        else:
            job.step += 1
            job.made = 0
            self._arrive(job)
        return True

    def break_ends(self, machine: Machine) -> float | None:
        """Return when the break that is on for this machine ends."""
        day, second = divmod(self.now + self._utc_offset_s, 86_400.0)
        for start, end in self._breaks[machine.spec.work_center.calendar]:
            if start <= second < end:
                return day * 86_400.0 - self._utc_offset_s + end
        return None

    def setup_s(self, machine: Machine, family: str) -> float:
        """Return the mean time to fit a machine for another family: families that are alike are quick."""
        return machine.kind.setup_s * self.spec.setup_factor(machine.kind, machine.fitted_family, family)

    def state_changed(self, machine: Machine) -> None:
        """Tell the observers."""
        for observer in self.observers:
            observer.on_state(machine.spec.code, machine.state, machine.cause, self.now)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        for machine in self.machines.values():
            self.calendar.at(self.now, machine.proceed)
        self.calendar.at(self.now, self._release)
        self.calendar.at(self._next_break_starts(), self._break_starts)

    def _next_break_starts(self) -> float:
        day, second = divmod(self.now + self._utc_offset_s, 86_400.0)
        starts = [start for breaks in self._breaks.values() for start, _ in breaks]
        ahead = [start for start in starts if start > second]
        start = min(ahead) if ahead else min(starts) + 86_400.0
        return day * 86_400.0 - self._utc_offset_s + start

    def _break_starts(self) -> None:
        for machine in self.machines.values():
            if machine.is_waiting and self.break_ends(machine) is not None:
                machine.proceed()
        self.calendar.at(self._next_break_starts(), self._break_starts)

    def _release(self) -> None:
        """Let in what was ordered, while the first buffers have room for it and for what comes from other centers."""
        for buffer in self.buffers.values():
            while len(buffer.jobs) < buffer.capacity // 2:
                job = self.work.release(buffer.code, self.now)
                if job is None:
                    break
                self.admit(job)
        self.calendar.after(RELEASE_EVERY_S, self._release)

    def _arrive(self, job: Job) -> None:
        buffer = self.buffers[job.work_center]
        buffer.jobs.append(job)
        self.calendar.at(self.now, lambda: self.wake(buffer.code))

    def _leave(self, job: Job) -> None:
        self.shipped += job.good
        self.scrapped += job.scrapped
        job.is_over = True
        del self._in_process[job.code]

    def _room_made(self, buffer: Buffer) -> None:
        while buffer.has_room and buffer.blocked:
            machine = buffer.blocked.popleft()
            if machine.is_waiting:
                machine.proceed()

    def _next_buffer(self, job: Job) -> Buffer:
        return self.buffers[job.route[job.step + 1]]


def _utc_offset_s(time_zone: str) -> float:
    """Return the offset of a zone without summer time, as China's."""
    offset = datetime(2026, 1, 1, tzinfo=UTC).astimezone(ZoneInfo(time_zone)).utcoffset()
    assert offset is not None
    return offset.total_seconds()


def _breaks_of_day(calendar: CalendarSpec) -> list[tuple[float, float]]:
    """Return a calendar's breaks as seconds of the local day."""

    def seconds(clock: str) -> float:
        hours, minutes = clock.split(":")
        return int(hours) * 3600.0 + int(minutes) * 60.0

    return [(seconds(start), seconds(end)) for start, end in calendar.breaks]


def mix_of_states(plant: Plant) -> dict[UnitState, int]:
    """Return how many machines are in each state."""
    states = [machine.state for machine in plant.machines.values()]
    return {state: states.count(state) for state in UnitState if state in states}
