"""Forgetting: each tag class by its own days, samples, minutes and hours each by theirs."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from yuheng.bus.documents import Plant, TagClass
from yuheng.engines.points import TextPoint
from yuheng.historian import retention
from yuheng.historian.routing import DAY_US
from yuheng.historian.store import Store, sample_columns, text_columns
from yuheng.historian.tests.processes import a_plant
from yuheng.historian.tests.test_queries import points, roll_up

NOW = 1_795_000_000_000_000 // DAY_US * DAY_US + DAY_US // 2
AGES = (1, 10, 40, 100, 400, 4000)  # days; months apart, so that several partitions are concerned
SHORT, LONG, TEXT = 1, 3, 4  # tags: run and count, program


def a_plant_of(short: TagClass, long: TagClass) -> Plant:
    """The tag ``run`` is of the class short, all others of the class long."""
    plant = a_plant(1)
    tags = tuple(replace(tag, tag_class="short" if tag.id == SHORT else "long") for tag in plant.tags)
    return replace(plant, tags=tags, tag_classes=(short, long))


def fill(store: Store) -> None:
    block = points([(tag, 0, 1.0, 0) for tag in (SHORT, LONG) for _ in AGES])
    block.time_us[:] = [NOW - days * DAY_US for _ in (SHORT, LONG) for days in AGES]
    store.insert("samples", sample_columns(block))
    texts = [TextPoint(TEXT, NOW - days * DAY_US, "A", 0, 0, NOW) for days in AGES]
    store.insert("text_samples", text_columns(texts))
    roll_up(store, block)


def ages(store: Store, table: str, column: str = "bucket") -> dict[int, tuple[int, ...]]:
    """Return tag -> days of what is left."""
    found: dict[int, list[int]] = {}
    for tag, at_s in store.rows(f"SELECT tag, toUnixTimestamp({column}) AS s FROM {table} FINAL ORDER BY s DESC"):
        found.setdefault(tag, []).append(round((NOW / 1e6 - at_s) / 86400))
    return {tag: tuple(days) for tag, days in found.items()}


def both(short: tuple[int, ...], long: tuple[int, ...]) -> Mapping[int, tuple[int, ...]]:
    return {tag: days for tag, days in ((SHORT, short), (LONG, long)) if days}


def test_each_class_forgets_by_its_own_days_and_each_roll_up_by_its_own(store: Store):
    fill(store)
    plant = a_plant_of(
        TagClass("short", raw_days=5, minute_days=50, hour_days=0),
        TagClass("long", raw_days=50, minute_days=0, hour_days=500),
    )
    removed = retention.forget(store, plant, NOW)
    assert removed == {"samples": 5 + 3, "text_samples": 3, "minutes": 3, "hours": 1, "shown": 0, "boards": 0}
    assert not any(retention.forget(store, plant, NOW).values())
    assert ages(store, "samples", "time") == both((1,), (1, 10, 40))
    assert ages(store, "text_samples", "time") == {TEXT: (1, 10, 40)}
    assert ages(store, "minutes") == both((1, 10, 40), AGES)
    assert ages(store, "hours") == both(AGES, (1, 10, 40, 100, 400))


def test_forgetting_twice_changes_nothing_more(store: Store):
    fill(store)
    plant = a_plant_of(TagClass("short", raw_days=5), TagClass("long", raw_days=5))
    retention.forget(store, plant, NOW)
    first = ages(store, "samples", "time"), ages(store, "minutes")
    retention.forget(store, plant, NOW)
    assert (ages(store, "samples", "time"), ages(store, "minutes")) == first
    assert first[0] == both((1,), (1,))


def test_months_older_than_every_class_go_as_whole_partitions_without_a_deletion(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    fill(store)
    monkeypatch.setattr(retention, "_delete_rows", lambda *_: 0)
    keep = TagClass("short", raw_days=120, minute_days=120, hour_days=120)
    retention.forget(store, a_plant_of(keep, replace(keep, code="long")), NOW)
    assert ages(store, "samples", "time") == both((1, 10, 40, 100), (1, 10, 40, 100))
    assert ages(store, "minutes") == both((1, 10, 40, 100), (1, 10, 40, 100))


def test_a_class_that_keeps_for_ever_keeps_and_so_do_tags_that_left_the_configuration(store: Store):
    fill(store)
    plant = a_plant_of(TagClass("short", raw_days=0, minute_days=0), TagClass("long", raw_days=5))
    plant = replace(plant, tags=tuple(tag for tag in plant.tags if tag.id != LONG))
    retention.forget(store, plant, NOW)
    assert ages(store, "samples", "time") == both(AGES, AGES)
