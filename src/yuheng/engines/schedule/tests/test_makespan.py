"""The makespan search: every plan through the checker, reproducible, never worse, at home with odd shapes."""

from pathlib import Path

import numpy as np
import pytest

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.generate import plant, random_problem
from yuheng.engines.schedule.makespan import MakespanSearch, graph, starts, supports, tabu, warm
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.problem import Job, Machine, Mode, Operation, Precedence, Problem, Status, chain
from yuheng.engines.schedule.readers import read_fajsp, read_fjsp, read_jsp

LITERATURE = Path(__file__).resolve().parents[6] / "shared" / "data" / "scheduling"
READERS = {"jsp": read_jsp, "fjsp": read_fjsp, "fajsp": read_fajsp}
FEATURES = ("alternatives", "assembly", "lags", "release", "material")


@pytest.fixture(autouse=True, scope="module")
def _warm():
    warm()


def searched(problem, moves=3000, seed=1, start=None):
    """Search a while, check the plan, and return search and result."""
    arrays = compile_problem(problem)
    assert supports(arrays)
    search = MakespanSearch(arrays, seed, start)
    span, mode, begin = search.run(60.0, moves=moves)
    plan = plan_of(arrays, mode, begin)
    assert [v.sentence for v in check(problem, plan)] == []
    assert span == plan.end.max()
    assert span >= search.bound
    return search, (span, mode, begin)


def jobs_of(routes, machines, links=(), **more):
    """Build a problem from ``[[((machine, duration), ...), ...], ...]``: jobs, operations, modes."""
    operations = tuple(
        Operation(id=k, job=j, modes=tuple(Mode(m, d) for m, d in modes))
        for j, route in enumerate(routes)
        for k, modes in enumerate(route)
    )
    return Problem(
        "test",
        tuple(Machine(m, **more.get("machine", {}).get(m, {})) for m in range(machines)),
        tuple(Job(j, **more.get("job", {}).get(j, {})) for j in range(len(routes))),
        operations,
        (*chain(operations), *links),
    )


@pytest.mark.parametrize("seed", range(12))
def test_generated_problems_pass_the_checker(seed):
    searched(random_problem(seed, 20 + 10 * seed, FEATURES), seed=seed)


@pytest.mark.parametrize(
    ("name", "best", "within"),
    [
        ("jsp/ft/ft06.txt", 55, 1.0),
        ("jsp/la/la01.txt", 666, 1.0),
        ("jsp/la/la16.txt", 945, 1.03),
        ("fjsp/brandimarte/mk01.txt", 40, 1.05),
        ("fjsp/brandimarte/mk03.txt", 204, 1.0),
        ("fjsp/hurink_vdata/la31_vdata.txt", 1520, 1.02),
        ("fjsp/behnke/behnke5.txt", 91, 1.05),
        ("fjsp/kacem/kacem1.txt", None, None),
        ("fajsp/birgin/DAFJS05.txt", None, None),
        ("fajsp/birgin/YFJS07.txt", None, None),
    ],
)
def test_literature_files_pass_the_checker_and_come_near_the_best_known(name, best, within):
    path = LITERATURE / name
    if not path.exists():
        pytest.skip(f"{path} is not here: the literature instances live beside the project")
    problem = READERS[name.split("/")[0]](path.read_text())
    _, (span, _, _) = searched(problem, moves=20000)
    if best is not None:
        assert best <= span <= within * best


def test_equal_seeds_make_equal_searches_however_they_are_cut():
    arrays = compile_problem(random_problem(3, 60, FEATURES))
    whole = MakespanSearch(arrays, 7).run(60.0, moves=6000)
    search = MakespanSearch(arrays, 7)
    for _ in range(12):
        cut = search.run(60.0, moves=500)
    assert whole[0] == cut[0]
    np.testing.assert_array_equal(whole[1], cut[1])
    np.testing.assert_array_equal(whole[2], cut[2])


def test_more_moves_never_make_it_worse_and_every_improvement_is_told():
    arrays = compile_problem(random_problem(5, 80, ("alternatives", "assembly")))
    search = MakespanSearch(arrays, 1)
    told = []
    spans = []
    for _ in range(10):
        spans.append(search.run(60.0, None, lambda span, _mode, _start: told.append(span), moves=300)[0])
    assert spans == sorted(spans, reverse=True)
    assert told == sorted(set(told), reverse=True)
    assert told[-1] == spans[-1]


def test_a_given_plan_is_where_it_begins():
    problem = random_problem(8, 60, ("alternatives", "assembly"))
    _, (good, mode, start) = searched(problem, moves=20000)
    _, (span, _, _) = searched(problem, moves=1, seed=99, start=(mode, start))
    assert span <= good


def test_the_stop_byte_ends_a_run():
    search = MakespanSearch(compile_problem(plant(20, 1)), 1)
    search.run(60.0, moves=2000)
    made, stop, chunk = search.moves, np.ones(1, np.uint8), search._chunk
    search.run(60.0, stop)
    assert made < search.moves <= made + chunk  # it looks between chunks


def test_one_operation():
    search, (span, mode, start) = searched(jobs_of([[((0, 7),)]], 1))
    assert (span, mode.tolist(), start.tolist()) == (7, [0], [0])
    assert search.finished


def test_one_machine_has_nothing_to_search():
    search, (span, _, _) = searched(jobs_of([[((0, d),)] for d in (4, 2, 9, 1)], 1))
    assert span == search.bound == 16
    assert search.finished


def test_all_operations_on_one_of_many_machines_and_a_job_that_returns_to_it():
    searched(jobs_of([[((2, 4),), ((2, 3),)], [((2, 5),), ((2, 2),), ((2, 2),)]], 5))


def test_a_single_job_is_its_routing():
    search, (span, _, _) = searched(jobs_of([[((0, 3),), ((1, 4),), ((0, 5),)]], 2))
    assert span == 12
    assert search.finished


def test_the_faster_machine_is_not_always_the_better_one():
    # Ten equal operations, one machine takes 2, the other 3: 6 on the fast one and 4 on the slow one.
    _, (span, _, _) = searched(jobs_of([[((0, 2), (1, 3))]] * 10, 2))
    assert span == 12


def test_releases_and_machines_that_are_free_later_are_kept():
    problem = jobs_of(
        [[((0, 3),)], [((0, 4),)], [((1, 5),)]],
        2,
        job={0: {"release": 100}},
        machine={1: {"available_from": 50}},
    )
    _, (span, _, start) = searched(problem)
    assert start[0] == 100
    assert start[2] >= 50
    assert span == 103


def test_times_far_from_the_origin_are_no_trouble():
    epoch = 999_999_000
    problem = jobs_of([[((0, 3),)], [((0, 4),)]], 1, job={0: {"release": epoch}, 1: {"release": epoch + 1}})
    _, (span, _, _) = searched(problem)
    assert span == epoch + 7


def test_lags_between_operations():
    link = Precedence((0, 0), (1, 0), min_lag=10)
    _, (span, _, start) = searched(jobs_of([[((0, 3),)], [((1, 4),)]], 2, (link,)))
    assert start.tolist() == [0, 13]
    assert span == 17


def test_assembly_waits_for_all_parts():
    routes = [[((0, 6),)], [((1, 9),)], [((2, 2),)], [((3, 4),)]]
    links = tuple(Precedence((j, 0), (3, 0)) for j in range(3))
    _, (span, _, _) = searched(jobs_of(routes, 4, links))
    assert span == 13


def test_an_operation_bound_to_a_machine_stays_there():
    problem = jobs_of([[((0, 9), (1, 2))], [((0, 9), (1, 2))]], 2)
    first = problem.operations[0]
    pinned = Operation(first.id, first.job, first.modes, status=Status.PINNED, fixed_machine=0)
    bound = Problem("pinned", problem.machines, problem.jobs, (pinned, *problem.operations[1:]), problem.precedences)
    _, (span, mode, _) = searched(bound)
    assert mode[0] == 0
    assert span == 9


@pytest.mark.parametrize("feature", ["calendars", "setups", "tools", "max_lags", "batches", "buffers", "routings"])
def test_what_it_does_not_know_it_refuses(feature):
    problems = [random_problem(seed, 40, (feature,)) for seed in range(6)]
    told = [supports(compile_problem(problem)) for problem in problems]
    assert not all(told)


def test_a_large_plant_is_planned_and_improved_in_few_moves():
    arrays = compile_problem(plant(150, 2))
    search = MakespanSearch(arrays, 1)
    first = search.run(0.0)[0]
    assert search.run(60.0, moves=2000)[0] <= first


def test_warming_compiles_everything_once():
    warm()
    for kernel in (tabu.run, graph.load, starts.remaining, starts.construct):
        assert len(kernel.signatures) == 1
