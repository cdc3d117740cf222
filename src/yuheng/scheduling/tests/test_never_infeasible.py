"""Whatever is moved, suggested, undone, by whomever at the same time: what holds is feasible, a refusal says why."""

import random
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import translation

from yuheng.engines.schedule.check import check
from yuheng.kernel.errors import Conflict
from yuheng.kernel.models import AuditRecord
from yuheng.scheduling.building import Standing, build
from yuheng.scheduling.building.carrying import carry
from yuheng.scheduling.building.moving import How, Move, place
from yuheng.scheduling.models import Plan, SitePlanning, Suggestion
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.scheduling.services import loop, moves, plans, words
from yuheng.scheduling.tests.plant import AT, a_busy_plant, a_calendar, built_of, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

MINUTE = timedelta(minutes=1)
MOVES = 10_000
A_MOMENT = 250
"""So many moves are tried at one moment of the plant; then time goes on, machines stop and come back."""


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def is_sound(plant, at):
    """The published plan as it goes on from a moment, by the independent checker."""
    built = built_of(plant, at)
    found = carry(built, rows_of_plan(Plan.objects.get(is_published=True)))
    return found is not None and check(found.problem, found.plan) == []


@pytest.mark.django_db
def test_ten_thousand_random_moves_never_lead_to_an_infeasible_plan_and_every_refusal_says_why():
    plant = a_busy_plant(3, 90)
    a_calendar(plant)
    facts = plant_facts(actor=SYSTEM, site_id=plant.site_id, now=AT)
    rows = rows_of_plan(published(plant))
    units = [plant.units[code].pk for code in ("C1", "C2", "A1")]
    chance = random.Random(11)
    tally = {"feasible": 0, "refused": 0, "broken": 0}
    now, built = AT, build(facts)
    for number in range(MOVES):
        if number and number % A_MOMENT == 0:
            now += chance.randrange(1, 9) * MINUTE
            down = chance.sample(units[:2], chance.randrange(0, 2))
            standing = tuple(Standing(unit, "", now - chance.randrange(60) * MINUTE) for unit in down)
            built = build(replace(facts, now=now, standing=standing))
            rows = built.rows(*_whole(carry(built, rows)))
        command = Move(
            chance.choice(rows.job_order_ids),
            now + chance.randrange(-120, 4_000) * MINUTE,
            chance.choice([*units, None]),
            chance.choice(list(How)),
        )
        found = place(built, rows, command)
        assert found is not None
        if found.refusal is not None:
            tally["refused"] += 1
            assert words.refusal(built, found.refusal)
        elif found.violations:
            tally["broken"] += 1
            assert not found.is_feasible
            sentences = [words.violation(built, found.problem.machines, found.plan, one) for one in found.violations]
            assert all(sentences)
        else:
            tally["feasible"] += 1
            assert check(found.problem, found.plan) == []
            assert sorted(built.rows(found.problem, found.plan).job_order_ids) == sorted(rows.job_order_ids)
            rows = built.rows(found.problem, found.plan)
    assert min(tally.values()) > MOVES // 50, tally


def _whole(carried):
    assert carried is not None
    return carried.problem, carried.plan


@pytest.mark.django_db(transaction=True)
def test_moves_suggestions_and_undos_at_the_same_time_leave_a_feasible_plan_and_tell_who_was_slower():
    plant = a_busy_plant(8, 90)
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=240, solve_s=1)
    first = published(plant)
    outcomes: list[tuple[str, str]] = []
    start = threading.Barrier(3)

    def mover(chance, at):
        seen = Plan.objects.get(is_published=True)
        job = chance.choice(seen.job_order_ids)
        command = Move(job, at + chance.randrange(1_500) * MINUTE, None, chance.choice([How.INSERT, How.SLOT]))
        moves.move(actor=plant.ben, site_id=plant.site_id, command=command, expected=seen.number, at=at)

    def accepter(chance, at):
        loop.look(actor=SYSTEM, site_id=plant.site_id, at=at)
        open_ones = list(Suggestion.objects.filter(state="open").values_list("pk", flat=True))
        if not open_ones:
            raise Conflict("there is nothing to accept")
        loop.accept_suggestion(actor=plant.ben, suggestion_id=chance.choice(open_ones), at=at)

    def undoer(chance, at):
        seen = Plan.objects.get(is_published=True)
        plans.undo(actor=plant.ben, site_id=plant.site_id, expected=seen.number, reason="random", at=at)

    def dispatcher(seed, deed):
        with translation.override("en"):
            chance = random.Random(seed)
            try:
                start.wait(60)
                for step in range(6):
                    try:
                        deed(chance, AT + step * MINUTE)
                        outcomes.append(("done", ""))
                    except Conflict as refusal:
                        outcomes.append(("refused", str(refusal)))
            finally:
                connection.close()

    stands(plant, "C1", AT - MINUTE)
    deeds = [mover, accepter, undoer]
    threads = [threading.Thread(target=dispatcher, args=(seed, deed)) for seed, deed in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert len(outcomes) == 18
    done = [what for what, _why in outcomes].count("done")
    assert done
    assert all(why for what, why in outcomes if what == "refused")
    assert Plan.objects.filter(is_published=True).count() == 1
    assert Plan.objects.filter(published_at__isnull=False).count() == 1 + done
    assert is_sound(plant, AT + 6 * MINUTE)
    assert Plan.objects.get(is_published=True).number > first.number


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_the_same_moment_one_wins_and_the_other_is_told():
    plant = a_busy_plant(6, 120)
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480)
    first = published(plant)
    stands(plant, "C1", AT - MINUTE)
    loop.look(actor=SYSTEM, site_id=plant.site_id, at=AT)
    chosen = list(Suggestion.objects.filter(state="open").order_by("rank").values_list("pk", flat=True)[:2])
    assert len(chosen) == 2
    start, won, told = threading.Barrier(2), [], []

    def dispatcher(suggestion_id):
        with translation.override("en"):
            try:
                start.wait(60)
                won.append(loop.accept_suggestion(actor=plant.ben, suggestion_id=suggestion_id, at=AT + MINUTE).number)
            except Conflict as refusal:
                told.append(str(refusal))
            finally:
                connection.close()

    threads = [threading.Thread(target=dispatcher, args=(one,)) for one in chosen]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert (len(won), len(told)) == (1, 1)
    assert told[0]
    held = Plan.objects.get(is_published=True)
    assert held.number == won[0] > first.number
    assert Suggestion.objects.filter(state="accepted").count() == 1
    assert AuditRecord.objects.filter(action="suggestion.accepted").count() == 1
    assert is_sound(plant, AT + MINUTE)


@pytest.mark.django_db
def test_suggestions_under_random_disturbances_are_sound_whichever_is_accepted():
    plant = a_busy_plant(8, 60)
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=120, solve_s=1)
    a_calendar(plant)
    published(plant)
    chance = random.Random(3)
    at, accepted = AT, 0
    for _round in range(12):
        at += chance.randrange(5, 90) * MINUTE
        row = stands(plant, chance.choice(["C1", "C2"]), at - chance.randrange(10) * MINUTE)
        loop.look(actor=SYSTEM, site_id=plant.site_id, at=at)
        suggestions = list(Suggestion.objects.filter(state="open").order_by("pk"))
        for one in suggestions:
            assert words.alternative(one.kind, one.values)
        if suggestions:
            loop.accept_suggestion(actor=plant.ben, suggestion_id=chance.choice(suggestions).pk, at=at)
            accepted += 1
        assert is_sound(plant, at)
        at += chance.randrange(1, 60) * MINUTE
        row.ended_at = at
        row.save()
        loop.look(actor=SYSTEM, site_id=plant.site_id, at=at)
        assert is_sound(plant, at)
    assert accepted > 3
