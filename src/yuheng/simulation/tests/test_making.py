"""People and machines of a plant that makes products: crews, lots, the past, and jobs that people start."""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest

from yuheng.simulation.catalogues import CATALOGUES
from yuheng.simulation.elevator.plant import ELEVATOR, MIX, PIECES_PER_HOUR, ROUTES
from yuheng.simulation.making.crews import badge_of, operators
from yuheng.simulation.making.drawings import drawing
from yuheng.simulation.making.past import Floor, Task
from yuheng.simulation.making.picking import answer, pick
from yuheng.simulation.model import Plant
from yuheng.simulation.tests.support import MONDAY_MORNING
from yuheng.simulation.work import Job, RandomOrders, StartedJobs


@pytest.mark.parametrize("catalogue", list(CATALOGUES.values()), ids=lambda one: one.plant.name)
def test_every_station_has_one_person_of_each_shift_and_nobody_shares_a_name_or_badge(catalogue):
    crew = operators(catalogue)
    places = Counter((one.shift, station) for one in crew for station in one.stations)

    assert set(places.values()) == {1}
    assert len(places) == 2 * len(catalogue.plant.units())
    assert len({one.name_zh for one in crew}) == len({badge_of("secret", one) for one in crew}) == len(crew)


def a_started_plant() -> tuple[Plant, StartedJobs]:
    """Return a plant that was run in for four hours and has just been taken over by people."""
    work = StartedJobs(RandomOrders(ROUTES, MIX, PIECES_PER_HOUR, 1, MONDAY_MORNING))
    plant = Plant(ELEVATOR, seed=1, start=MONDAY_MORNING, work=work)
    plant.run_until(MONDAY_MORNING + 4 * 3600)
    return plant, work


def in_process_is_conserved(plant: Plant) -> bool:
    inside = plant.in_process()
    scrapped = plant.scrapped + sum(job.scrapped for job in inside)
    return plant.released == plant.shipped + scrapped + sum(job.good for job in inside)


def test_a_machine_makes_what_was_started_there_and_nothing_else():
    plant, work = a_started_plant()
    work.open()
    plant.empty()
    plant.run_until(plant.now + 2 * 3600)
    assert not plant.in_process()
    assert all(machine.job is None for machine in plant.machines.values())

    job = Job("SO1-10", "truss", ("laser",), 6, cycle_s=60, run_id="SO1-10", is_flawless=True)
    work.start(job.code, "L04")
    plant.admit(job)
    plant.run_until(plant.now + 60)
    assert plant.machines["L04"].run_id == "SO1-10"
    assert [code for code, machine in plant.machines.items() if machine.job is not None] == ["L04"]

    plant.run_until(plant.now + 3 * 3600)
    assert job.is_over
    assert (job.made, job.scrapped) == (6, 0)
    assert plant.machines["L04"].run_id == ""
    assert in_process_is_conserved(plant)


def test_a_machine_at_work_is_taken_over_in_the_middle_of_its_piece():
    plant, work = a_started_plant()
    unit = next(code for code, machine in plant.machines.items() if machine.state.name == "PRODUCING")
    machine = plant.machines[unit]
    state, ends = machine.state, machine.cycle_end
    job = Job("SO2-10", "step", (machine.spec.work_center.code,), 5, made=2, run_id="SO2-10", is_flawless=True)

    plant.take_over(unit, job)
    work.open()
    plant.empty()

    assert (machine.state, machine.cycle_end, machine.run_id) == (state, ends, "SO2-10")
    plant.run_until(plant.now + 6 * 3600)
    assert job.is_over
    assert job.made == 5
    assert in_process_is_conserved(plant)


def test_the_past_keeps_the_order_of_steps_and_lets_no_station_do_two_things():
    floor = Floor(["A1", "A2", "B1"], 0.0, Random(1))
    placed = []
    for order in range(6):
        first, second = 10 * order + 1, 10 * order + 2
        tasks = [Task(second, ("B1",), 600, ((first, 60.0),)), Task(first, ("A1", "A2"), 900)]
        found = floor.place(tasks, begins=order * 300.0)
        ends = {one.id: one.end for one in found}
        starts = {one.id: one.start for one in found}
        assert starts[second] >= ends[first] + 60
        placed += found
    for unit in ("A1", "A2", "B1"):
        mine = sorted((one.start, one.end) for one in placed if one.unit == unit)
        assert all(end <= start for (_, end), (start, _) in pairwise(mine))


def test_tasks_that_wait_for_each_other_are_refused():
    with pytest.raises(ValueError, match="wait for each other"):
        Floor(["A1"], 0.0, Random(1)).place([Task(1, ("A1",), 1, ((2, 0),)), Task(2, ("A1",), 1, ((1, 0),))], 0.0)


def test_lots_are_taken_once_and_what_is_short_is_said():
    lots = [{"uri": "urn:a", "quantity": 3.0}, {"uri": "urn:b", "quantity": 1.0}]
    line = {"id": 1, "material_code": "S", "tracking": "lot", "needed": 2.0, "consumed": 0.0, "lots": lots}
    found = pick([line, line | {"id": 2, "needed": 3.0}, line | {"id": 3, "tracking": "none", "needed": 9.0}])

    assert [(one.requirement, one.lot, one.quantity) for one in found.picks] == [
        (1, "urn:a", 2.0), (2, "urn:a", 1.0), (2, "urn:b", 1.0),
    ]  # fmt: skip
    assert found.short == ("S",)


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.5, 0.99])
def test_what_is_measured_lies_within_the_limits(chance):
    check = {"code": "c", "kind": "measured", "low": 89.5, "target": 90.0, "high": 90.5}
    assert 89.5 <= answer(check, chance)["value"] <= 90.5


def test_a_drawing_is_a_png_and_always_the_same():
    assert drawing("PT-STEP", "step", 1).startswith(b"\x89PNG")
    assert drawing("PT-STEP", "step", 1) == drawing("PT-STEP", "step", 1) != drawing("PT-TRUSS", "truss", 1)
