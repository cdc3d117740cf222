"""Giving reasons: what is stored, what is refused, what a later revision of the states does to it."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from yuheng.analysis.models import Explanation, Reason
from yuheng.analysis.selectors import reasons, stops
from yuheng.analysis.services.explanations import Stretch, explain_stop, explain_stops, withdraw_explanation
from yuheng.analysis.services.reasons import ReasonSpec, retire_reason, write_reasons
from yuheng.bus.messages import Interval, StateRevision
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.telemetry.rules import microseconds
from yuheng.telemetry.services.state_intervals import apply_state_revision
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_site,
    a_work_unit,
    an_actor,
    an_actor_with,
    an_equipment_class,
    another_site,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def at(minutes):
    return SHIFT_START + timedelta(minutes=minutes)


def states(unit, *changes, end=None):
    """Say from which minute on which state holds: ``(0, PRODUCING), (10, DOWN)``."""
    times = [microseconds(at(minute)) for minute, *_ in changes]
    ends = [*times[1:], None if end is None else microseconds(at(end))]
    intervals = [
        Interval(int(state), cause[0] if cause else "", start, until)
        for (_, state, *cause), start, until in zip(changes, times, ends, strict=True)
    ]
    assert apply_state_revision(StateRevision(unit.pk, times[0], intervals))


def a_tree():
    write_reasons(
        actor=SYSTEM,
        site_id=a_site().pk,
        reasons=[
            ReasonSpec("machine", "设备", "Machine", loss="breakdown"),
            ReasonSpec("wire", "送丝", "Wire feed", parent="machine"),
            ReasonSpec("material", "缺料", "No material", loss="waiting"),
        ],
        at=SHIFT_START,
    )
    return {row.code: row.pk for row in Reason.objects.all()}


def a_unit():
    return a_work_unit("H07", equipment_class=an_equipment_class("robot"))


def seen(unit, start=0, end=120, now=120):
    row = equipment.work_unit(actor=SYSTEM, work_unit_id=unit.pk)
    found = stops.stops(
        actor=SYSTEM,
        site_id=row.site_id,
        start=at(start),
        end=at(end),
        now=at(now),
        at_least_s=0,
        in_states=stops.EXPLAINABLE,
    )
    return [
        ((p.start - SHIFT_START) / timedelta(minutes=1), (p.end - SHIFT_START) / timedelta(minutes=1),
         p.reason.code if p.reason else None)
        for stop in reversed(found.stops) for p in stop.pieces
    ]  # fmt: skip


def test_a_reason_is_given_with_a_comment_and_audited():
    unit, tree = a_unit(), a_tree()
    states(unit, (0, UnitState.PRODUCING), (10, UnitState.DOWN, "12"), (40, UnitState.PRODUCING))
    given = explain_stop(
        actor=an_actor("ana"), work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"],
        comment="  nozzle  worn ", at=at(60),
    )  # fmt: skip
    assert (given.from_at, given.until_at, given.comment, given.given_by) == (at(10), at(40), "nozzle worn", "ana")
    assert seen(unit) == [(10, 40, "wire")]
    assert AuditRecord.objects.get(action="reason.give").detail["reason"] == "wire"


def test_a_lasting_stop_keeps_its_reason_until_it_ends():
    unit, tree = a_unit(), a_tree()
    states(unit, (0, UnitState.PRODUCING), (10, UnitState.DOWN))
    explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"], at=at(12))
    states(unit, (0, UnitState.PRODUCING), (10, UnitState.DOWN), (90, UnitState.PRODUCING))
    assert seen(unit) == [(10, 90, "wire")]


def test_a_split_gives_each_part_its_reason_and_keeps_who_said_the_first():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    explain_stop(actor=an_actor("ana"), work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"], at=at(50))
    explain_stop(
        actor=an_actor("ben"), work_unit_id=unit.pk, start=at(25), end=None, reason_id=tree["material"], at=at(51)
    )
    assert seen(unit) == [(10, 25, "wire"), (25, 40, "material")]
    current = Explanation.objects.filter(replaced_at__isnull=True).order_by("from_at")
    assert [row.given_by for row in current] == ["ana", "ben"]
    row = equipment.work_unit(actor=SYSTEM, work_unit_id=unit.pk)
    assert len(reasons.history_of(actor=SYSTEM, unit=row, start=at(0), end=at(60))) == 3


def test_late_data_that_merges_two_stops_shows_both_reasons_as_a_conflict_and_one_answer_ends_it():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (20, UnitState.PRODUCING), (22, UnitState.DOWN), (40, UnitState.PRODUCING))
    for start, code in ((10, "wire"), (22, "material")):
        explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(start), end=None, reason_id=tree[code], at=at(60))
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    unit_row = equipment.work_unit(actor=SYSTEM, work_unit_id=unit.pk)
    stop = stops.stop_at(actor=SYSTEM, unit=unit_row, at=at(30), now=at(60))
    assert stop.is_conflict
    assert seen(unit) == [(10, 22, "wire"), (22, 40, "material")]
    explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(10), end=at(40), reason_id=tree["wire"], at=at(61))
    assert seen(unit) == [(10, 40, "wire")]


def test_a_reason_whose_stop_is_gone_is_shown_without_one():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"], at=at(50))
    states(unit, (10, UnitState.PRODUCING))
    found = stops.stops(
        actor=SYSTEM, site_id=a_site().pk, start=at(0), end=at(60), now=at(60), at_least_s=0,
        in_states=stops.EXPLAINABLE,
    )  # fmt: skip
    assert found.stops == ()
    assert [row.reason_id for row in found.orphans] == [tree["wire"]]


def test_one_answer_for_many_stops_is_for_all_or_none():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (20, UnitState.PRODUCING), (30, UnitState.DOWN), (40, UnitState.PRODUCING))
    fine = [Stretch(unit.pk, at(10)), Stretch(unit.pk, at(30))]
    with pytest.raises(InvalidInput, match="has no stop"):
        explain_stops(actor=SYSTEM, stretches=[*fine, Stretch(unit.pk, at(25))], reason_id=tree["wire"], at=at(60))
    assert not Explanation.objects.exists()
    assert len(explain_stops(actor=SYSTEM, stretches=fine, reason_id=tree["wire"], at=at(60))) == 2


def test_who_may_not_leaves_nothing_behind():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    count = AuditRecord.objects.count()
    for actor, refusal in (
        (an_actor("zhao"), PermissionRefused),
        (an_actor("dora"), NotVisible),
        (an_actor_with("telemetry.view", "equipment.view"), PermissionRefused),
    ):
        with pytest.raises(refusal):
            explain_stop(actor=actor, work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"], at=at(50))
    assert not Explanation.objects.exists()
    assert AuditRecord.objects.count() == count


def test_a_retired_reason_and_one_of_another_class_are_refused():
    unit, tree = a_unit(), a_tree()
    an_equipment_class("press")
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    retire_reason(actor=SYSTEM, reason_id=tree["machine"], is_retired=True, at=at(1))
    write_reasons(
        actor=SYSTEM, site_id=a_site().pk, at=at(2),
        reasons=[ReasonSpec("die", "模具", "Die", loss="setup", classes=("press",))],
    )  # fmt: skip
    die = Reason.objects.get(code="die").pk
    for reason_id, sentence in ((tree["wire"], "retired"), (die, "class")):
        with pytest.raises(InvalidInput, match=sentence):
            explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(10), end=None, reason_id=reason_id, at=at(50))
    unit_row = equipment.work_unit(actor=SYSTEM, work_unit_id=unit.pk)
    assert [row.code for row in reasons.reasons_for_unit(actor=SYSTEM, unit=unit_row)] == ["material"]


def test_taking_back_leaves_the_stop_unexplained_and_the_history_whole():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.DOWN), (40, UnitState.PRODUCING))
    given = explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(10), end=None, reason_id=tree["wire"], at=at(50))
    withdraw_explanation(actor=an_actor("ben"), explanation_id=given.pk, at=at(55))
    assert seen(unit) == [(10, 40, None)]
    assert Explanation.objects.get().replaced_by == "ben"
    with pytest.raises(Conflict):
        withdraw_explanation(actor=an_actor("ben"), explanation_id=given.pk, at=at(56))


def test_the_pareto_counts_what_nobody_explained_and_adds_up_groups():
    unit, tree = a_unit(), a_tree()
    states(unit, (0, UnitState.DOWN), (30, UnitState.PRODUCING), (50, UnitState.IDLE), (60, UnitState.PRODUCING))
    explain_stop(actor=SYSTEM, work_unit_id=unit.pk, start=at(0), end=None, reason_id=tree["wire"], at=at(70))
    found = stops.stops(actor=SYSTEM, site_id=a_site().pk, start=at(10), end=at(120), now=at(120))
    span = (at(10), at(120))
    assert [(bar.label, bar.lost_s, bar.count) for bar in stops.pareto(found, span)] == [
        ("Wire feed", 1200, 1), ("No reason given", 600, 1)
    ]  # fmt: skip
    assert [bar.label for bar in stops.pareto(found, span, level=0)] == ["Machine", "No reason given"]
    assert stops.pareto(found, span)[-1].cumulated == 1.0


def test_a_tree_with_a_circle_or_without_a_loss_is_refused_whole():
    for wrong in (
        [ReasonSpec("a", "甲", "A", parent="b"), ReasonSpec("b", "乙", "B", parent="a")],
        [ReasonSpec("fine", "好", "Fine", loss="setup"), ReasonSpec("c", "丙", "C")],
        [ReasonSpec("d", "丁", "D", loss="setup", classes=("nowhere",))],
        [ReasonSpec("e", "", "E", loss="setup")],
    ):
        with pytest.raises(InvalidInput):
            write_reasons(actor=SYSTEM, site_id=a_site().pk, reasons=wrong, at=SHIFT_START)
    assert not Reason.objects.exists()
    assert not AuditRecord.objects.exists()


def test_another_sites_reasons_do_not_exist():
    tree = a_tree()
    with pytest.raises(NotVisible):
        reasons.reason(actor=an_actor("dora"), reason_id=tree["wire"])
    assert reasons.reason_tree(actor=SYSTEM, site_id=another_site().pk) == []


def test_the_migrations_say_what_the_models_say():
    call_command("makemigrations", "analysis", check=True, dry_run=True, verbosity=0)


def test_a_stop_in_the_future_has_no_reason_yet():
    unit, tree = a_unit(), a_tree()
    states(unit, (10, UnitState.PRODUCING))
    with pytest.raises(InvalidInput):
        explain_stop(
            actor=SYSTEM, work_unit_id=unit.pk, start=datetime(2027, 1, 1, tzinfo=UTC), end=None,
            reason_id=tree["wire"], at=at(50),
        )  # fmt: skip
