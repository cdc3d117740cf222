"""The database holds what the tables promise."""

import pytest
from django.db import IntegrityError, connection, transaction

from yuheng.telemetry.models import WorkUnitState
from yuheng.telemetry.rules import moment
from yuheng.testing.builders import a_work_unit

pytestmark = pytest.mark.django_db


def a_state(unit, start_us, end_us, state=2):
    return WorkUnitState.objects.create(
        site_id=unit.site_id,
        work_unit_id=unit.pk,
        state=state,
        started_at=moment(start_us),
        ended_at=None if end_us is None else moment(end_us),
    )


def test_a_work_unit_cannot_be_in_two_states_at_once():
    unit = a_work_unit()
    a_state(unit, 0, 10)
    a_state(unit, 10, None)

    with pytest.raises(IntegrityError, match="work_unit_is_in_one_state_at_a_time"), transaction.atomic():
        a_state(unit, 5, 6, state=5)
    with pytest.raises(IntegrityError, match="work_unit_is_in_one_state_at_a_time"), transaction.atomic():
        a_state(unit, 1_000_000, None, state=5)

    assert WorkUnitState.objects.count() == 2


def test_two_work_units_may_be_in_states_at_the_same_time():
    a_state(a_work_unit("L01"), 0, None)
    a_state(a_work_unit("L02"), 0, None)

    assert WorkUnitState.objects.count() == 2


def test_microseconds_survive_the_database():
    unit = a_work_unit()
    a_state(unit, 1_732_345_678_123_457, None)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM started_at) * 1000000 FROM telemetry_workunitstate")
        assert int(cursor.fetchone()[0]) == 1_732_345_678_123_457
