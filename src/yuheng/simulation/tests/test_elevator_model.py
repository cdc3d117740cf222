"""The plant as a model: repeatable, conserving, plausible, and open to dispatch."""

from collections import Counter

import pytest

from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation import catalogue
from yuheng.simulation.elevator.catalogue import LASER_CUTTER, MACHINING_CENTRE
from yuheng.simulation.elevator.model import ElevatorPlant
from yuheng.simulation.elevator.plant import CALENDARS, MIX, PIECES_PER_HOUR, ROUTES
from yuheng.simulation.model import mix_of_states
from yuheng.simulation.tests.support import MONDAY_MORNING, Diary, a_plant
from yuheng.simulation.work import Job, RandomOrders


def test_the_same_seed_gives_the_same_sequence_of_events():
    first, second, other = Diary(), Diary(), Diary()
    a_plant(seed=5, hours=6, diary=first)
    a_plant(seed=5, hours=6, diary=second)
    a_plant(seed=6, hours=6, diary=other)

    assert len(first.states) > 2_000
    assert (first.states, first.done) == (second.states, second.done)
    assert first.states != other.states


def test_the_pace_at_which_one_looks_does_not_change_what_happens():
    at_once, in_steps = Diary(), Diary()
    a_plant(hours=2, diary=at_once)
    plant = ElevatorPlant(seed=1, start=MONDAY_MORNING, observers=[in_steps])
    for second in range(1, 2 * 3600 + 1):
        plant.run_until(MONDAY_MORNING + second)

    assert in_steps.states == at_once.states


@pytest.mark.parametrize("hours", [0.5, 3, 12, 48])
def test_pieces_in_are_pieces_out_plus_scrap_plus_work_in_process(hours):
    plant = a_plant(hours=hours)
    inside = plant.in_process()

    in_process = sum(job.good for job in inside)
    scrapped = plant.scrapped + sum(job.scrapped for job in inside)
    assert plant.released == plant.shipped + scrapped + in_process
    assert plant.released > 0
    assert all(0 <= job.good <= job.released and job.good + job.scrapped == job.released for job in inside)


def test_every_job_inside_is_in_exactly_one_place():
    plant = a_plant(hours=20)
    places = Counter(job.code for buffer in plant.buffers.values() for job in buffer.jobs)
    places.update(machine.job.code for machine in plant.machines.values() if machine.job is not None)

    assert places == Counter(job.code for job in plant.in_process())


def test_no_buffer_holds_more_than_its_capacity():
    plant = a_plant(hours=1)
    for minute in range(60, 24 * 60):
        plant.run_until(MONDAY_MORNING + minute * 60)
        assert all(len(buffer.jobs) <= buffer.capacity for buffer in plant.buffers.values())


def shares_of_time(hours: float) -> dict[str, Counter[UnitState]]:
    """Sample the states of every machine once a minute, by class, after a warm-up of eight hours."""
    plant = a_plant(hours=8)
    seen: dict[str, Counter[UnitState]] = {}
    for minute in range(1, int(hours * 60)):
        plant.run_until(MONDAY_MORNING + (8 * 60 + minute) * 60)
        for machine in plant.machines.values():
            seen.setdefault(machine.kind.code, Counter())[machine.state] += 1
    return seen


def test_machines_produce_most_of_the_time_and_are_down_a_few_percent():
    shares = shares_of_time(hours=72)
    total = sum(shares.values(), Counter())

    assert 0.68 <= total[UnitState.PRODUCING] / total.total() <= 0.82
    assert 0.015 <= total[UnitState.DOWN] / total.total() <= 0.05
    assert 0.04 <= total[UnitState.SETUP] / total.total() <= 0.14
    for code, states in shares.items():
        assert 0.55 <= states[UnitState.PRODUCING] / states.total() <= 0.88, code


def test_mean_cycle_and_availability_agree_with_the_catalogue():
    diary = Diary()
    plant = a_plant(hours=96, diary=diary)
    for kind in (LASER_CUTTER, MACHINING_CENTRE):
        machines = [machine for machine in plant.machines.values() if machine.kind is kind]
        produced_s = sum(_time_in(diary, machine.spec.code, UnitState.PRODUCING, plant.now) for machine in machines)
        pieces = sum(machine.good_count + machine.reject_count for machine in machines)
        breakdowns = sum(
            1 for _, unit, state, _ in diary.states
            if state is UnitState.DOWN and any(machine.spec.code == unit for machine in machines)
        )  # fmt: skip

        assert produced_s / pieces == pytest.approx(kind.cycle_s, rel=0.05)
        assert produced_s / breakdowns == pytest.approx(kind.mean_time_to_failure_s, rel=0.25)


def _time_in(diary: Diary, work_unit: str, wanted: UnitState, until: float) -> float:
    mine = [(at, state) for at, unit, state, _ in diary.states if unit == work_unit]
    ends = [at for at, _ in mine[1:]] + [until]
    return sum(end - at for (at, state), end in zip(mine, ends, strict=True) if state is wanted)


def test_breakdown_causes_come_from_the_class_of_the_machine():
    diary = Diary()
    plant = a_plant(hours=48, diary=diary)
    downs = [(unit, cause) for _, unit, state, cause in diary.states if state is UnitState.DOWN]

    assert len(downs) > 300
    for unit, cause in downs:
        assert int(cause) in {known.code for known in plant.machines[unit].kind.causes}


def test_machines_with_breaks_stand_in_the_break_and_the_others_run_through():
    plant = a_plant(hours=4.25)  # 12:15 in Shanghai

    for machine in plant.machines.values():
        is_at_rest = machine.cause == str(catalogue.STOP_BREAK)
        breaks = {calendar.code: calendar.breaks for calendar in CALENDARS}
        has_break_now = ("12:00", "12:30") in breaks[machine.spec.work_center.calendar]
        # A piece or a set-up begun before the break is finished first, and a repair goes on.
        assert not is_at_rest or has_break_now
        assert machine.state is not UnitState.IDLE or not has_break_now

    plant.run_until(plant.now + 17 * 60)  # 12:32
    assert not any(machine.cause == str(catalogue.STOP_BREAK) and machine.spec.work_center.calendar == "two-shift"
                   for machine in plant.machines.values())  # fmt: skip


def test_after_a_silent_shift_the_plant_shows_a_real_mix():
    for seed in range(1, 6):
        mix = mix_of_states(a_plant(seed=seed, hours=8.5))
        assert mix[UnitState.PRODUCING] > 75
        assert mix[UnitState.IDLE] > 3
        assert mix[UnitState.SETUP] > 1


def test_a_dispatcher_can_reserve_a_job_for_a_work_unit():
    orders = RandomOrders(ROUTES, MIX, PIECES_PER_HOUR, 1, MONDAY_MORNING)
    diary = Diary()
    plant = ElevatorPlant(seed=1, start=MONDAY_MORNING, work=orders, observers=[diary])
    plant.run_until(MONDAY_MORNING + 4 * 3600)
    waiting = plant.buffers["spraying"].jobs[-1]
    orders.assign(waiting.code, "P03")

    plant.run_until(MONDAY_MORNING + 8 * 3600)

    sprayed_by = [unit for _, unit, job, _ in diary.done if job == waiting.code and unit < "P05" and unit >= "P01"]
    assert sprayed_by == ["P03"]


class OneJob:
    """A source of work with a single job, to see that the plant asks its `WorkSource` and nobody else."""

    def __init__(self) -> None:
        self.jobs = [Job("ONLY", "bracket", ROUTES["bracket"], 4)]

    def release(self, work_center, now):
        """Release it at its first work center."""
        return self.jobs.pop() if self.jobs and work_center == "laser" else None

    def next_job(self, work_unit, waiting, fitted_family, now):
        """Let only these three work."""
        return waiting[0] if waiting and work_unit in {"L05", "Z03", "K02"} else None


def test_orders_and_dispatch_from_elsewhere_decide_what_runs_where():
    diary = Diary()
    plant = ElevatorPlant(seed=1, start=MONDAY_MORNING, work=OneJob(), observers=[diary])
    plant.run_until(MONDAY_MORNING + 8 * 3600)

    assert [(unit, job) for _, unit, job, _ in diary.done] == [("L05", "ONLY"), ("Z03", "ONLY"), ("K02", "ONLY")]
    assert plant.released == 4 == plant.shipped + plant.scrapped
    assert not plant.in_process()
