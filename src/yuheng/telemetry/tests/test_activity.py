"""How much happened when: what the timeline of the replay bar is drawn from."""

from datetime import timedelta

import pytest
from django.utils import timezone

from yuheng.engines.states.vocabulary import UnitState
from yuheng.telemetry.models import WorkUnitState
from yuheng.telemetry.selectors.states import activity_of_site
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_work_unit

pytestmark = pytest.mark.django_db


def test_states_and_stops_are_counted_where_they_began():
    unit = a_work_unit("L01")
    for minute, state in ((-1, UnitState.IDLE), (0, UnitState.PRODUCING), (7, UnitState.DOWN), (9.5, UnitState.IDLE)):
        at = SHIFT_START + timedelta(minutes=minute)
        WorkUnitState.objects.create(
            site=unit.site, work_unit=unit, state=state, started_at=at, ended_at=at + timedelta(seconds=30)
        )
    with timezone.override("Asia/Shanghai"):  # the reader's zone must not move anything
        found = activity_of_site(
            actor=SYSTEM, site_id=unit.site_id, start=SHIFT_START, end=SHIFT_START + timedelta(minutes=10), bins=5
        )
    assert found == [(1, 0), (0, 0), (0, 0), (1, 1), (1, 0)]
