"""The checker finds every kind of fault, says it in words with numbers, and finds nothing in a plan that is right."""

import pytest

from yuheng.engines.schedule.check import check
from yuheng.engines.schedule.problem import (
    Buffer,
    Demand,
    Job,
    Link,
    Machine,
    Operator,
    Precedence,
    Resource,
    SetupMatrix,
    Status,
)
from yuheng.engines.schedule.tests.shop import DAY, DAYTIME, a_plan, a_problem, an_operation, changed

RED_GREEN = SetupMatrix("change", ("red", "green"), ((0, 7), (3, 0)), initial=(2, 2))


def kinds(problem, plan):
    return [violation.kind for violation in check(problem, plan)]


def sentences(problem, plan):
    return [violation.sentence for violation in check(problem, plan)]


def test_a_plan_that_is_right_has_no_violation():
    problem = a_problem()
    assert check(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 10, 15))) == []


def test_what_is_not_planned_is_missing():
    problem = a_problem()
    assert sentences(problem, a_plan(problem, (1, "M", 0, 10))) == ["job A, operation 2 is not planned."]


def test_a_machine_that_is_no_alternative():
    problem = a_problem(an_operation(1))
    assert sentences(problem, a_plan(problem, (1, "N", 0, 10))) == [
        "job A, operation 1 is on machine N, which is none of its alternatives."
    ]


def test_work_takes_as_long_as_it_takes():
    problem = a_problem(an_operation(1))
    assert sentences(problem, a_plan(problem, (1, "M", 3, 12))) == [
        "job A, operation 1 ends at 12; with 10 ticks of work from 3 it ends at 13."
    ]


@pytest.mark.parametrize(
    ("operation", "rest", "why"),
    [
        (an_operation(release=5), {}, "its release"),
        (an_operation(material_at=5), {}, "its material"),
        (an_operation(), {"now": 5}, "now"),
        (an_operation(), {"jobs": (Job("A", release=5),)}, "the job's release"),
        (an_operation(), {"machines": (Machine("M", available_from=5),)}, "the machine is free"),
    ],
)
def test_nothing_starts_too_early(operation, rest, why):
    problem = a_problem(operation, **rest)
    assert sentences(problem, a_plan(problem, (1, "M", 4, 14))) == [
        f"job A, operation 1 starts at 4, before 5 ({why})."
    ]
    assert check(problem, a_plan(problem, (1, "M", 5, 15))) == []


def test_a_machine_performs_one_operation_at_a_time():
    problem = a_problem(an_operation(1), an_operation(1, "B"))
    plan = a_plan(problem, (1, "M", 0, 10), ("B", 1, "M", 9, 19))
    assert sentences(problem, plan) == [
        "job B, operation 1 starts at 9 on machine M, which job A, operation 1 holds until 10."
    ]


def test_a_precedence_and_its_lags():
    link = Precedence(("A", 1), ("A", 2), min_lag=3, max_lag=8)
    problem = a_problem(links=[link])
    assert sentences(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 12, 17))) == [
        "job A, operation 2 starts at 12, 2 ticks after the end of job A, operation 1; at least 3 are needed."
    ]
    assert sentences(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 19, 24))) == [
        "job A, operation 2 starts at 19, 9 ticks after the end of job A, operation 1; at most 8 are allowed."
    ]
    assert check(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 18, 23))) == []


def test_a_start_start_relation_counts_from_the_start():
    link = Precedence(("A", 1), ("A", 2), Link.START_START, min_lag=3)
    problem = a_problem(links=[link])
    assert check(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 3, 8))) == []
    assert kinds(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 2, 7))) == ["precedence"]


def test_overlap_by_transfer_batch_needs_the_first_batch_and_works_off_the_last():
    link = Precedence(("A", 1), ("A", 2), Link.OVERLAP, transfer=1, quantity=4)
    quick = a_problem(links=[link])  # 10 ticks, then 5: batches of 3 and 2
    assert kinds(quick, a_plan(quick, (1, "M", 0, 10), (2, "N", 2, 7))) == ["transfer", "transfer"]
    assert kinds(quick, a_plan(quick, (1, "M", 0, 10), (2, "N", 6, 11))) == ["transfer"]
    assert check(quick, a_plan(quick, (1, "M", 0, 10), (2, "N", 7, 12))) == []


def test_work_happens_in_open_time():
    problem = a_problem(
        an_operation(modes=(("M", 60),)), machines=(Machine("M", "day", ((400, 420),)),), calendars=(DAYTIME,)
    )
    assert check(problem, a_plan(problem, (1, "M", 560, 650))) == []  # pauses from 600 to 630
    assert check(problem, a_plan(problem, (1, "M", 360, 440))) == []  # and over the maintenance
    assert kinds(problem, a_plan(problem, (1, "M", 560, 620))) == ["duration"]
    assert kinds(problem, a_plan(problem, (1, "M", 350, 440))) == ["calendar"]
    assert sentences(problem, a_plan(problem, (1, "M", 840, 900))) == [
        f"job A, operation 1 ends at 900; with 60 ticks of work from 840 it ends at {DAY + 440 - 20}.",
        "job A, operation 1 starts at 840, when machine M is closed.",
    ]


def test_what_may_not_be_interrupted_fits_between_breaks():
    operation = an_operation(modes=(("M", 60),), interruptible=False)
    problem = a_problem(operation, machines=(Machine("M", "day"),), calendars=(DAYTIME,))
    assert sentences(problem, a_plan(problem, (1, "M", 560, 650))) == [
        "job A, operation 1 is interrupted from 600 to 630 on machine M and may not be."
    ]
    assert check(problem, a_plan(problem, (1, "M", 540, 600))) == []


def two_colours(**rest):
    return a_problem(
        an_operation(1, family="red"),
        an_operation(1, "B", family="green"),
        machines=(Machine("M", setup_matrix="change", initial_family="red", **rest),),
        setup_matrices=(RED_GREEN,),
        calendars=(DAYTIME,),
    )


def test_a_set_up_needs_its_time_between_two_families():
    problem = two_colours()
    plan = a_plan(problem, (1, "M", 0, 10), ("B", 1, "M", 16, 26))
    assert sentences(problem, plan) == [
        "job B, operation 1 has 6 ticks for a set-up of 7 on machine M after job A, operation 1."
    ]
    right = a_plan(problem, (1, "M", 0, 10), ("B", 1, "M", 17, 27))
    assert kinds(problem, right) == ["setup"]  # the plan does not say when the set-up begins
    assert check(problem, changed(right, setup_start={1: 10})) == []
    assert kinds(problem, changed(right, setup_start={1: 9})) == ["setup"]


def test_the_first_set_up_starts_from_what_the_machine_is_set_up_for():
    problem = two_colours()
    plan = a_plan(problem, (1, "M", 20, 30), ("B", 1, "M", 7, 17))
    assert check(problem, changed(plan, setup_start={0: 17, 1: 0})) == []
    early = a_plan(problem, (1, "M", 20, 30), ("B", 1, "M", 6, 16))
    assert kinds(problem, changed(early, setup_start={0: 17, 1: 0})) == ["setup"]


def test_a_set_up_works_in_open_time_too():
    problem = two_colours(calendar="day")
    plan = a_plan(problem, (1, "M", 585, 595), ("B", 1, "M", 632, 642))
    assert check(problem, changed(plan, setup_start={0: 585, 1: 595})) == []  # 595-600 and 630-632
    early = a_plan(problem, (1, "M", 585, 595), ("B", 1, "M", 631, 641))
    assert kinds(problem, changed(early, setup_start={1: 595})) == ["setup"]


def with_tool(*, kept=True, calendar=None):
    operations = (
        an_operation(1, modes=(("M", 60),), demands=(Demand("jig"),)),
        an_operation(1, "B", modes=(("N", 30),), demands=(Demand("jig"),)),
    )
    return a_problem(
        *operations,
        machines=(Machine("M", calendar), Machine("N")),
        resources=(Resource("jig", 1, kept_over_breaks=kept),),
        calendars=(DAYTIME,),
    )


def test_a_tool_is_in_one_place_at_a_time():
    problem = with_tool()
    assert sentences(problem, a_plan(problem, (1, "M", 0, 60), ("B", 1, "N", 59, 89))) == [
        "job B, operation 1 jig: 2 in use at 59, of 1."
    ]
    assert check(problem, a_plan(problem, (1, "M", 0, 60), ("B", 1, "N", 60, 90))) == []


@pytest.mark.parametrize(("kept", "found"), [(True, ["resource"]), (False, [])])
def test_a_resource_may_be_free_while_the_machine_pauses(kept, found):
    problem = with_tool(kept=kept, calendar="day")
    assert kinds(problem, a_plan(problem, (1, "M", 570, 660), ("B", 1, "N", 600, 630))) == found


def test_capacity_follows_its_calendar_and_its_changes():
    operation = an_operation(demands=(Demand("crane", 2),))
    resource = Resource("crane", 2, "day", changes=((400, 500, -1),))
    problem = a_problem(operation, resources=(resource,), calendars=(DAYTIME,))
    assert check(problem, a_plan(problem, (1, "M", 500, 510))) == []
    assert kinds(problem, a_plan(problem, (1, "M", 395, 405))) == ["resource"]
    assert kinds(problem, a_plan(problem, (1, "M", 595, 605))) == ["resource"]


def crew(*people, second="weld"):
    return a_problem(
        an_operation(1, demands=(Demand("mill"),)),
        an_operation(1, "B", modes=(("N", 10),), demands=(Demand(second),)),
        operators=people,
    )


def test_one_person_fills_one_demand_at_a_time():
    problem = crew(Operator("Ana", ("mill", "weld")))
    assert kinds(problem, a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 5, 15))) == ["people"]
    assert check(problem, a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 10, 20))) == []


def test_people_with_several_skills_are_assigned_so_that_it_works():
    problem = crew(Operator("Ana", ("mill", "weld")), Operator("Ben", ("mill",)))
    assert check(problem, a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 5, 15))) == []


def test_what_began_with_too_few_people_takes_nobody_from_the_others():
    """Two mills run with one miller: a fact. The welder can still weld; nobody can mill beside them."""
    began = {"status": Status.STARTED, "fixed_start": 0}

    def a_day(skill):
        return a_problem(
            an_operation(1, "A", modes=(("M", 20),), demands=(Demand("mill"),), fixed_machine="M", **began),
            an_operation(1, "B", modes=(("N", 20),), demands=(Demand("mill"),), fixed_machine="N", **began),
            an_operation(1, "C", modes=(("O", 10),), demands=(Demand(skill),)),
            operators=(Operator("Ana", ("weld",)), Operator("Ben", ("mill",))),
            machines=(Machine("M"), Machine("N"), Machine("O")),
            now=3,
        )

    for skill, found in (("weld", []), ("mill", ["people"])):
        problem = a_day(skill)
        assert (
            kinds(problem, a_plan(problem, ("A", 1, "M", 0, 20), ("B", 1, "N", 0, 20), ("C", 1, "O", 5, 15))) == found
        )


def test_an_absent_person_is_not_there():
    problem = crew(Operator("Ana", ("mill", "weld")), Operator("Ben", ("mill",), absences=((8, 20),)))
    plan = a_plan(problem, (1, "M", 0, 10), ("B", 1, "N", 5, 15))
    assert sentences(problem, plan) == [
        "job B, operation 1 people at 8: 2 needed (mill 1, weld 1), and those present cannot fill this."
    ]


def oven(*operations, **rest):
    return a_problem(*operations, machines=(Machine("oven", batch_capacity=4),), **rest)


def baked(job, duration=30, **rest):
    return an_operation(1, job, (("oven", duration),), **rest)


def test_a_batch_is_of_one_family_and_fits_and_takes_as_long_as_its_longest():
    problem = oven(baked("A", 30, family="red", size=2), baked("B", 40, family="red", size=2))
    assert check(problem, a_plan(problem, (1, "oven", 0, 40), ("B", 1, "oven", 0, 40))) == []
    assert kinds(problem, a_plan(problem, (1, "oven", 0, 30), ("B", 1, "oven", 0, 40))) == ["duration"]
    assert kinds(problem, a_plan(problem, (1, "oven", 0, 30), ("B", 1, "oven", 20, 60))) == ["overlap"]
    mixed = oven(baked("A", family="red"), baked("B", family="green"))
    assert kinds(mixed, a_plan(mixed, (1, "oven", 0, 30), ("B", 1, "oven", 0, 30))) == ["batch"]
    large = oven(baked("A", size=3), baked("B", size=2))
    assert kinds(large, a_plan(large, (1, "oven", 0, 30), ("B", 1, "oven", 0, 30))) == ["batch"]


def test_a_batch_needs_what_its_most_demanding_member_needs():
    problem = oven(
        baked("A", demands=(Demand("crane", 1),)),
        baked("B", demands=(Demand("crane", 2),)),
        resources=(Resource("crane", 2),),
    )
    assert check(problem, a_plan(problem, (1, "oven", 0, 30), ("B", 1, "oven", 0, 30))) == []


def line(places):
    """Two jobs over M and N, with a rack of so many places before N."""
    operations = [an_operation(k, job, ((m, t),)) for job in "AB" for k, m, t in ((1, "M", 10), (2, "N", 30))]
    return a_problem(
        *operations, machines=(Machine("M"), Machine("N", input_buffer="rack")), buffers=(Buffer("rack", places),)
    )


def test_a_part_without_a_place_blocks_the_machine_before():
    entries = ((1, "M", 0, 10), (2, "N", 10, 40), ("B", 1, "M", 10, 20), ("B", 2, "N", 40, 70))
    roomy, tight = line(1), line(0)
    assert check(roomy, a_plan(roomy, *entries)) == []
    plan = a_plan(tight, *entries)
    assert sentences(tight, plan) == ["job B, operation 1 buffer rack holds 1 parts at 20 and has 0 places."]
    assert check(tight, changed(plan, leave={2: 40})) == []
    assert kinds(tight, changed(plan, leave={2: 41})) == ["buffer"]


def test_a_blocked_machine_takes_nothing_else():
    problem = a_problem(
        an_operation(1), an_operation(2, modes=(("N", 30),)), an_operation(1, "B"),
        machines=(Machine("M"), Machine("N", input_buffer="rack")), buffers=(Buffer("rack", 0),),
    )  # fmt: skip
    plan = a_plan(problem, (1, "M", 0, 10), (2, "N", 20, 50), ("B", 1, "M", 15, 25))
    assert kinds(problem, changed(plan, leave={0: 20})) == ["overlap"]


def two_ways():
    return a_problem(an_operation(1, routing="cast"), an_operation(2, routing="mill", modes=(("N", 5),)), links=[])


def test_exactly_one_routing_is_performed():
    problem = two_ways()
    assert check(problem, a_plan(problem, (1, "M", 0, 10))) == []
    assert check(problem, a_plan(problem, (2, "N", 0, 5))) == []
    assert kinds(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 0, 5))) == ["routing"]
    assert kinds(problem, a_plan(problem)) == ["missing"]


def test_what_is_fixed_stays():
    operation = an_operation(modes=(("M", 10), ("N", 10)), status=Status.FROZEN, fixed_machine="M", fixed_start=5)
    problem = a_problem(operation)
    assert check(problem, a_plan(problem, (1, "M", 5, 15))) == []
    assert sentences(problem, a_plan(problem, (1, "N", 6, 16))) == [
        "job A, operation 1 is fixed to machine M and planned on N.",
        "job A, operation 1 is fixed to start at 5 and planned at 6.",
    ]


def test_what_only_concerns_fixed_operations_is_not_held_against_a_plan():
    started = {"status": Status.STARTED, "fixed_start": 0}
    problem = a_problem(
        an_operation(1, demands=(Demand("jig"),), fixed_machine="M", **started),
        an_operation(2, modes=(("N", 5),), demands=(Demand("jig"),), fixed_machine="N", **started),
        resources=(Resource("jig", 1),),
        now=3,
    )
    assert check(problem, a_plan(problem, (1, "M", 0, 10), (2, "N", 0, 5))) == []


def test_a_part_whose_next_operation_follows_on_the_same_machine_stays_there():
    problem = a_problem(
        an_operation(1, family="red"), an_operation(2, family="green"), an_operation(1, "B", family="green"),
        machines=(Machine("M", setup_matrix="change", input_buffer="rack"),), buffers=(Buffer("rack", 0),),
        setup_matrices=(RED_GREEN,),
    )  # fmt: skip
    plan = changed(a_plan(problem, (1, "M", 2, 12), (2, "M", 19, 29), ("B", 1, "M", 29, 39)), setup_start={0: 0, 1: 12})
    assert check(problem, plan) == []
    between = changed(
        a_plan(problem, (1, "M", 2, 12), ("B", 1, "M", 19, 29), (2, "M", 29, 39)), setup_start={0: 0, 2: 12}
    )
    assert kinds(problem, between) == ["buffer"]
