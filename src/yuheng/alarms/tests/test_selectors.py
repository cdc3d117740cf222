"""Lists, journal, health and replay: what they say, in how many queries, and how much they read."""

import random
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from yuheng.alarms.models import Alarm, AlarmEpisode, AlarmJournal
from yuheng.alarms.selectors.alarms import AlarmFilter, Shown, alarm_counts, alarm_list
from yuheng.alarms.selectors.health import alarm_health
from yuheng.alarms.selectors.journal import JournalFilter, journal_export, journal_page
from yuheng.alarms.selectors.replay import active_at
from yuheng.alarms.services import operate
from yuheng.alarms.services.clock import tick
from yuheng.alarms.services.facts import apply_facts
from yuheng.alarms.tests.test_facts import T0, S, a_definition, a_fact, a_unit, now
from yuheng.bus.messages import AlarmTransition
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_actor, an_actor_with

pytestmark = pytest.mark.django_db


def a_life(seed, steps=120):
    """Random facts and deeds; yields after each with the moment it was known."""
    rng = random.Random(seed)
    root = a_definition("root", when="a > 1", parameters={})
    others = [a_definition(f"d{i}", when="a > 1", parameters={}, parent_code="root" if i % 2 else "") for i in range(4)]
    definitions = [root, *others]
    units = [a_unit(f"L0{i}") for i in range(3)]
    running: dict[tuple[int, int], tuple[int, int]] = {}
    for step in range(1, steps):
        at = now(step)
        definition, unit = rng.choice(definitions), rng.choice(units)
        key = (definition.pk, unit.pk)
        if rng.random() < 0.6:
            known = running.get(key)
            if known is None:
                apply_facts([a_fact(definition, unit, t=step)], at=at)
                running[key] = (step, 1)
            else:
                kind = rng.choice(["cleared", "uncertain", "certain", "suppressed", "unsuppressed"])
                apply_facts([a_fact(definition, unit, kind, step, episode=known[0], count=known[1])], at=at)
                if kind == "cleared":
                    del running[key]
        else:
            deed(rng, at)
        if rng.random() < 0.2:
            tick(at=at)
        yield at


def deed(rng, at):
    pks = list(Alarm.objects.values_list("pk", flat=True))
    if not pks:
        return
    some = {"actor": SYSTEM, "alarm_ids": rng.sample(pks, min(len(pks), rng.randint(1, 3))), "at": at}
    verbs = [
        lambda: operate.acknowledge(**some),
        lambda: operate.add_comment(comment="seen", **some),
        lambda: operate.shelve(reason="why", until=at + timedelta(seconds=rng.randint(1, 30)), **some),
        lambda: operate.shelve(reason="why", one_shot=True, **some),
        lambda: operate.unshelve(**some),
        lambda: operate.suppress(reason="why", **some),
        lambda: operate.unsuppress(**some),
        lambda: operate.remove_from_service(reason="why", **some),
        lambda: operate.place_in_service(**some),
    ]
    try:
        rng.choice(verbs)()
    except Conflict:
        return


@pytest.mark.parametrize("seed", range(4))
def test_the_journal_folds_to_what_was_shown(seed):
    site_id, shown = a_site().pk, {}
    for at in a_life(seed):
        shown[at] = alarm_list(actor=SYSTEM, site_id=site_id, narrowed=AlarmFilter(only_headlines=False))
    assert sum(map(len, shown.values())) > 100
    for at, rows in shown.items():
        assert active_at(actor=SYSTEM, site_id=site_id, at=at) == rows, at
    ended = AlarmEpisode.objects.filter(ended_at__isnull=True).values_list("alarm_id", flat=True)
    assert set(Alarm.objects.filter(retain=True).values_list("pk", flat=True)) <= set(ended)


def test_the_list_and_the_counts_ask_once(django_assert_num_queries):
    apply_facts([a_fact(a_definition(), a_unit())], at=now())
    actor, site_id = an_actor(), a_site().pk
    operate.acknowledge(actor=actor, alarm_ids=[Alarm.objects.get().pk], at=now(1))
    apply_facts([a_fact(a_definition("two", name_zh="二", name_en="Two"), a_unit(), t=2)], at=now(2))
    with django_assert_num_queries(1):
        assert len(alarm_list(actor=actor, site_id=site_id, narrowed=AlarmFilter(text="hot", priorities=[3]))) == 1
    with django_assert_num_queries(1):
        assert alarm_counts(actor=actor, site_id=site_id).unacked == 1
    with django_assert_num_queries(5):
        alarm_health(actor=actor, site_id=site_id, start=SHIFT_START - timedelta(hours=8), end=now(9))


def test_another_sites_alarms_do_not_exist():
    apply_facts([a_fact(a_definition(), a_unit())], at=now())
    stranger = an_actor("dora")
    pk = Alarm.objects.get().pk
    for ask in (
        lambda: alarm_list(actor=stranger, site_id=a_site().pk),
        lambda: journal_page(actor=stranger, site_id=a_site().pk),
        lambda: operate.acknowledge(actor=stranger, alarm_ids=[pk], at=now(1)),
    ):
        with pytest.raises(NotVisible):
            ask()
    with pytest.raises(PermissionRefused):
        operate.shelve(
            actor=an_actor_with("alarms.view", "alarms.operate"), alarm_ids=[pk], reason="x", at=now(1), one_shot=True
        )
    assert AlarmJournal.objects.count() == 1


def test_a_reason_is_needed_and_a_week_is_the_longest():
    apply_facts([a_fact(a_definition(), a_unit())], at=now())
    pk = Alarm.objects.get().pk
    with pytest.raises(InvalidInput):
        operate.shelve(actor=SYSTEM, alarm_ids=[pk], reason="  ", at=now(1), one_shot=True)
    with pytest.raises(Conflict):
        operate.shelve(actor=SYSTEM, alarm_ids=[pk], reason="x", at=now(1), until=now(8 * 86400))
    operate.shelve(actor=SYSTEM, alarm_ids=[pk], reason="cleaning", at=now(1), until=now(60))
    assert alarm_list(actor=SYSTEM, site_id=a_site().pk) == []
    (row,) = alarm_list(actor=SYSTEM, site_id=a_site().pk, narrowed=AlarmFilter(shown=Shown.HIDDEN))
    assert row.note == "cleaning"
    tick(at=now(59))
    assert Alarm.objects.get().is_hidden
    tick(at=now(61))
    assert not Alarm.objects.get().is_hidden


def sqls(asked):
    return [query["sql"] for query in asked.captured_queries if query["sql"].startswith("SELECT")]


def pages_looked_at(sql):
    """How many pages PostgreSQL reads to answer: a count, whatever else the machine does."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql.replace("%", "%%"))
        plan = cursor.fetchone()[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


def test_a_hundred_thousand_lines_are_listed_from_an_index():
    definitions = [a_definition(f"d{i}", priority=list(Priority)[i % 4]) for i in range(10)]
    units = [a_unit(f"L{i:02d}") for i in range(20)]
    apply_facts([a_fact(d, u) for d in definitions for u in units], at=now())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO alarms_alarmjournal (site_id, alarm_id, episode_id, definition_id, work_unit_id, kind, priority,
                at, known_at, actor_kind, actor_name, person_id, impersonator, comment, value, count, message_zh,
                message_en, after)
            SELECT a.site_id, a.id, a.episode_id, a.definition_id, a.work_unit_id,
                CASE WHEN n % 7 = 0 THEN 'acknowledged' WHEN n % 2 = 0 THEN 'activated' ELSE 'cleared' END,
                a.priority,
                a.activated_at + n * interval '1 minute', a.activated_at + n * interval '1 minute', 'person',
                CASE WHEN n % 7 = 0 THEN 'ana' ELSE '' END, NULL, '',
                CASE WHEN n % 97 = 0 THEN 'bearing' ELSE '' END,
                '81', 1, a.message_zh, a.message_en, '{"state": 11}'
            FROM alarms_alarm a, generate_series(1, 500) n
            """
        )
        cursor.execute("ANALYZE alarms_alarmjournal")
    assert AlarmJournal.objects.count() >= 100_200
    actor, site_id = an_actor(), a_site().pk
    filters = {
        "all": JournalFilter(),
        "priority and time": JournalFilter(priorities=[1], start=now(3600), end=now(7200)),
        "unit": JournalFilter(work_unit_ids=[units[3].pk]),
        "area": JournalFilter(area_ids=[units[0].work_center.area_id]),
        "kind and who": JournalFilter(kinds=["acknowledged"], who="ana"),
        "text of an alarm": JournalFilter(text="d7"),
        "text of a comment": JournalFilter(text="bearing"),
        "nothing": JournalFilter(text="nowhere to be found"),
    }
    looked_at = {}
    for name, narrowed in filters.items():
        with CaptureQueriesContext(connection) as asked:
            page = journal_page(actor=actor, site_id=site_id, narrowed=narrowed)
            second = journal_page(actor=actor, site_id=site_id, narrowed=narrowed, cursor=page.next_cursor)
        looked_at[name] = max(map(pages_looked_at, sqls(asked)))
        assert bool(page.rows) is (name != "nothing")
        assert not page.next_cursor or page.rows[-1].at >= second.rows[0].at
    # A text is looked for in the lines themselves, but only once through; all else is led by an index.
    assert all(pages < (10_000 if filters[name].text else 400) for name, pages in looked_at.items()), looked_at
    with CaptureQueriesContext(connection) as asked:
        assert len(active_at(actor=actor, site_id=site_id, at=now(60 * 250))) == 200
    assert max(map(pages_looked_at, sqls(asked))) < 10_000
    assert sum(1 for _ in journal_export(actor=actor, site_id=site_id, limit=5000)) == 5000


def test_pages_follow_one_another_without_gap_or_repeat():
    definition, unit = a_definition(), a_unit()
    for t in range(25):
        apply_facts(
            [a_fact(definition, unit, t=10 * t), a_fact(definition, unit, "cleared", 10 * t, episode=10 * t)], at=now(t)
        )
    seen, cursor = [], ""
    while True:
        page = journal_page(actor=SYSTEM, site_id=a_site().pk, cursor=cursor, limit=7)
        seen += [row.id for row in page.rows]
        cursor = page.next_cursor
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 50
    assert seen == sorted(seen, reverse=True)
    with pytest.raises(InvalidInput):
        journal_page(actor=SYSTEM, site_id=a_site().pk, cursor="x'; drop")


def test_health_counts_what_was_announced():
    quick, slow = a_definition("quick", priority=Priority.CRITICAL), a_definition("slow")
    unit = a_unit()
    for n in range(12):
        apply_facts(
            [a_fact(quick, unit, t=n * 20), a_fact(quick, unit, "cleared", n * 20 + 5, episode=n * 20)],
            at=now(n * 20 + 6),
        )
    apply_facts([a_fact(slow, unit, t=1)], at=now(300))
    chatter = a_fact(slow, unit, "chattering", 30, episode=1, count=40)
    apply_facts([chatter], at=now(301))
    operate.acknowledge(actor=SYSTEM, alarm_ids=[Alarm.objects.get(definition=quick).pk], at=now(400))
    found = alarm_health(actor=SYSTEM, site_id=a_site().pk, start=SHIFT_START, end=SHIFT_START + timedelta(hours=1))
    assert found.rates.counts == (13, 0, 0, 0, 0, 0)
    assert found.rates.flood_ratio == pytest.approx(1 / 6)
    assert [(row.code, row.episodes) for row in found.top] == [("quick", 12), ("slow", 1)]
    assert [row.code for row in found.chattering] == ["slow"]
    assert found.by_priority == {1: 12, 3: 1}
    assert found.never_acked == 1
    assert found.ack_median_s is not None


def test_a_storm_is_fifty_lines_and_every_change_is_in_the_journal():
    root = a_definition("root", when="a > 1", parameters={}, priority=Priority.CRITICAL)
    children = [a_definition(f"c{i}", when="a > 1", parameters={}, parent_code="root") for i in range(49)]
    units = [a_unit(f"U{i:02d}") for i in range(50)]
    rng = random.Random(1)
    facts = [
        AlarmTransition(d.pk, u.pk, "activated", at_us, at_us, at_us)
        for u in units
        for d in [*children, root]
        if (at_us := T0 + rng.randint(0, 5 * S))
    ]
    facts.sort(key=lambda fact: fact.time_us)
    cleared = [
        AlarmTransition(f.definition_id, f.work_unit_id, "cleared", f.time_us + 5 * S, f.time_us + 5 * S, f.episode_us)
        for f in facts
    ]
    for start in range(0, 2500, 500):
        apply_facts(facts[start : start + 500], at=now(start / 500))
    rows = alarm_list(actor=SYSTEM, site_id=a_site().pk)
    assert 0 < len(rows) <= 50
    assert {row.code for row in rows} == {"root"}
    assert sum(1 + row.child_count for row in rows) == 2500
    for start in range(0, 2500, 500):
        apply_facts(cleared[start : start + 500], at=now(6 + start / 500))
    told = AlarmJournal.objects.filter(kind__in=["activated", "cleared"]).count()
    assert told == 5000
    assert len(alarm_list(actor=SYSTEM, site_id=a_site().pk)) <= 50
