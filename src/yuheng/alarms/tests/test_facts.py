"""What the historian tells becomes alarms, episodes and lines of the journal, once."""

from datetime import timedelta

import pytest

from yuheng.alarms.models import Alarm, AlarmEpisode, AlarmJournal
from yuheng.alarms.rules import microseconds
from yuheng.alarms.selectors.alarms import AlarmFilter, Shown, alarm_list, children_of
from yuheng.alarms.services import operate
from yuheng.alarms.services.definitions import DefinitionSpec, define
from yuheng.alarms.services.facts import apply_facts
from yuheng.bus.messages import AlarmsActive, AlarmTransition
from yuheng.kernel.errors import Conflict
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, a_work_unit, an_actor, an_equipment_class

pytestmark = pytest.mark.django_db
T0 = microseconds(SHIFT_START)
S = 1_000_000


def a_definition(code="hot", *, equipment_class=None, **fields):
    given = {
        "when": "temperature > high",
        "parameters": {"high": 80.0},
        "name_zh": "温度高",
        "name_en": "Hot",
        **fields,
    }
    return define(
        actor=SYSTEM,
        spec=DefinitionSpec(code=code, **given),
        at=SHIFT_START,
        equipment_class_id=(equipment_class or an_equipment_class()).pk,
    )


def a_unit(code="L01"):
    return a_work_unit(code, equipment_class=an_equipment_class())


def a_fact(definition, unit, kind="activated", t=0, *, episode=None, count=1, **more):
    at = T0 + t * S
    episode_us = at if episode is None else T0 + episode * S
    return AlarmTransition(definition.pk, unit.pk, kind, at, at + 1000, episode_us, count, **more)


def now(t=0):
    return SHIFT_START + timedelta(seconds=t, milliseconds=1)


def test_an_activation_becomes_an_alarm_with_its_message():
    definition = a_definition(message_en="{unit}: {value} °C, limit {high}", message_zh="{unit_name} {value}")
    unit = a_unit()

    applied = apply_facts([a_fact(definition, unit, value=81.25, values={"temperature": 81.25})], at=now())

    assert applied.usable == 1
    (row,) = alarm_list(actor=an_actor(), site_id=a_site().pk)
    assert (row.message_en, row.message_zh) == ("L01: 81.25 °C, limit 80", "L01 号机 81.25")
    assert (row.is_active, row.is_acked, row.count, row.activated_at) == (True, False, 1, SHIFT_START)
    assert AlarmJournal.objects.get().kind == "activated"


def test_facts_that_come_again_leave_no_second_trace():
    definition, unit = a_definition(), a_unit()
    facts = [
        a_fact(definition, unit),
        a_fact(definition, unit, "uncertain", 1, episode=0),
        a_fact(definition, unit, "certain", 2, episode=0),
        a_fact(definition, unit, "cleared", 3, episode=0),
        a_fact(definition, unit, "repeated", 4, episode=0, count=2),
        a_fact(definition, unit, "cleared", 5, episode=0, count=2),
        a_fact(definition, unit, "activated", 100),
    ]
    for end in range(1, len(facts) + 1):  # a crash after each, and everything told again
        apply_facts(facts[:end], at=now(end))

    assert list(AlarmJournal.objects.order_by("id").values_list("kind", flat=True)) == [fact.kind for fact in facts]
    assert AlarmEpisode.objects.count() == 2
    alarm = Alarm.objects.get()
    assert (alarm.is_active, alarm.count, alarm.activated_at) == (True, 1, SHIFT_START + timedelta(seconds=100))
    first = AlarmEpisode.objects.earliest("activated_at")
    assert (first.count, first.cleared_at) == (2, SHIFT_START + timedelta(seconds=5))


def test_what_is_no_longer_judged_is_cleared():
    definition, unit = a_definition(), a_unit()
    apply_facts([a_fact(definition, unit)], at=now())
    apply_facts([AlarmsActive(T0 + S, [])], at=now(1))
    assert not Alarm.objects.get().is_active
    apply_facts([AlarmsActive(T0 + 2 * S, [(definition.pk, unit.pk, T0 + 90 * S)])], at=now(2))
    assert Alarm.objects.get().is_active


def test_children_are_grouped_under_their_root_whichever_came_first():
    root = a_definition("no-air", when="pressure < 5", parameters={})
    child = a_definition("clamp", when="clamp < 5", parameters={}, parent_code="no-air")
    late = a_definition("door", when="door < 5", parameters={}, parent_code="no-air")
    unit = a_unit()

    apply_facts([a_fact(child, unit, t=0), a_fact(root, unit, t=1)], at=now(1))
    apply_facts([a_fact(late, unit, t=2)], at=now(2))

    (head,) = alarm_list(actor=an_actor(), site_id=a_site().pk)
    assert (head.code, head.child_count) == ("no-air", 2)
    assert {row.code for row in children_of(actor=an_actor(), alarm_id=head.id)} == {"clamp", "door"}
    assert AlarmJournal.objects.filter(kind="grouped").count() == 1

    done = operate.acknowledge(actor=an_actor(), alarm_ids=[head.id], at=now(3))
    assert done.done == 3
    apply_facts([a_fact(d, unit, "cleared", 4, episode=e) for d, e in ((child, 0), (root, 1), (late, 2))], at=now(4))
    assert alarm_list(actor=an_actor(), site_id=a_site().pk, narrowed=AlarmFilter(shown=Shown.ALL)) == []
    assert AlarmEpisode.objects.filter(ended_at__isnull=True).count() == 0


def test_acknowledging_twice_is_refused_and_leaves_nothing():
    apply_facts([a_fact(a_definition(), a_unit())], at=now())
    pk = Alarm.objects.get().pk
    operate.acknowledge(actor=an_actor(), alarm_ids=[pk], at=now(1), comment="on my way")
    lines = AlarmJournal.objects.count()
    with pytest.raises(Conflict):
        operate.acknowledge(actor=an_actor(), alarm_ids=[pk], at=now(2))
    assert AlarmJournal.objects.count() == lines
    alarm = Alarm.objects.get()
    assert (alarm.acked_by, alarm.note) == ("ana", "on my way")
