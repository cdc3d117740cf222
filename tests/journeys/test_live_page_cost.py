"""2,000 tiles, a tenth changing every second: all of them right. The cost is printed; `yuheng bench page` judges."""

from __future__ import annotations

import itertools

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.feed import Feed
from tests.journeys.measure_live_page import main_thread_ms_per_s
from tests.journeys.signing_in import sign_in
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment.models import WorkUnit
from yuheng.testing import builders

pytestmark = [pytest.mark.browser, pytest.mark.engines]

TILES, CHANGING = 2000, 200


@pytest.fixture
def feed(django_db_serialized_rollback: None, transactional_db: None) -> Feed:
    """A plant of 2,000 work units in ten areas, placed by the automatic layout."""
    site = builders.a_site()
    units = []
    for i in range(10):
        area = builders.an_area(f"area{i}", site=site)
        center = builders.a_work_center(f"center{i}", site=site, area=area)
        units += [
            WorkUnit(
                site=site, work_center=center, code=f"{'ABCDEFGHIJ'[i]}{k:03d}", name_zh=f"{k} 号", name_en=f"No. {k}"
            )
            for k in range(TILES // 10)
        ]
    return Feed(WorkUnit.objects.bulk_create(units))


def test_two_thousand_tiles_follow_two_hundred_changes_a_second(page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.goto(web.url + "/")
    expect(page.locator(".tile")).to_have_count(TILES)
    expect(page.locator("[data-live=age]")).to_contain_text("秒")
    ids = itertools.cycle(web.feed.units)
    states = itertools.cycle([UnitState.IDLE, UnitState.SETUP])

    def change() -> None:
        state = next(states)
        web.feed.say_values([])
        web.feed.change(*((next(ids), state, "") for _ in range(CHANGING)))

    cost = main_thread_ms_per_s(page, change, seconds=5)
    print(f"main thread: {cost:.1f} ms/s")  # noqa: T201
    last = [next(ids) for _ in range(CHANGING)]
    web.feed.change(*((unit, UnitState.DOWN, "") for unit in last))
    expect(page.locator(".tile.is-down")).to_have_count(CHANGING)
