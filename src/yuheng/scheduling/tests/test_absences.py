"""Who is away: entered on a page or by API, audited, a disturbance at the next look; refusals leave nothing behind."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.people.models import Person
from yuheng.scheduling.models import Absence, Disturbance, SitePlanning
from yuheng.scheduling.services import absences, loop
from yuheng.scheduling.tests.plant import AT, a_busy_plant
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture
def plant():
    """A plan that holds."""
    plant = a_busy_plant(6, 120)
    SitePlanning.objects.create(site=plant.site, frozen_min=0)
    published(plant)
    return plant


def enter(plant, start=AT, end=AT + 8 * HOUR, who=None, by=None):
    return absences.enter_absence(
        actor=by or plant.ben, site_id=plant.site_id, person_id=who or plant.ana.person_id, start=start, end=end,
        note="flu", at=AT,
    )  # fmt: skip


def test_an_absence_is_noticed_at_the_next_look_and_gone_when_they_are_back(plant):
    row = enter(plant)
    assert AuditRecord.objects.get(action="plan.absence_entered").detail["note"] == "flu"
    found = loop.look(actor=SYSTEM, site_id=plant.site_id, at=AT + timedelta(minutes=1))
    assert len(found.begun) == 1
    assert Disturbance.objects.get().about == f"absence {row.pk}"
    absences.end_absence(actor=plant.ben, absence_id=row.pk, at=AT + HOUR)
    assert Absence.objects.get().end == AT + HOUR
    assert loop.look(actor=SYSTEM, site_id=plant.site_id, at=AT + HOUR + timedelta(minutes=1)).over
    with pytest.raises(Conflict):
        absences.end_absence(actor=plant.ben, absence_id=row.pk, at=AT + 2 * HOUR)


def test_who_does_not_go_leaves_no_absence_behind(plant):
    row = enter(plant, AT + HOUR, AT + 2 * HOUR)
    absences.end_absence(actor=plant.ben, absence_id=row.pk, at=AT)
    assert not Absence.objects.exists()
    assert AuditRecord.objects.filter(action="plan.absence_ended").exists()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"end": AT}, "end"),
        ({"start": AT - 9 * HOUR, "end": AT - HOUR}, "end"),
        ({"end": AT + timedelta(days=401)}, "end"),
        ({"who": 2**40}, "person"),
    ],
)
def test_what_cannot_be_is_refused_by_field(plant, changed, field):
    with pytest.raises(InvalidInput) as refused:
        enter(plant, **changed)
    assert list(refused.value.fields) == [field]
    assert not Absence.objects.exists()


def test_twice_the_same_time_and_without_the_right_are_refused(plant):
    enter(plant)
    with pytest.raises(Conflict):
        enter(plant, AT + HOUR, AT + 20 * HOUR)
    with pytest.raises(PermissionRefused):
        enter(plant, AT + 9 * HOUR, AT + 20 * HOUR, by=plant.ana)
    assert Absence.objects.count() == 1


def test_the_page_and_the_api_enter_list_and_end(plant):
    client = Client()
    client.force_login(Person.objects.get(pk=plant.ben.person_id))
    now = datetime.now(UTC)
    form = {"site": plant.site.code, "person": str(plant.ana.person_id), "note": "flu"}
    wrong = {**form, "start": "2026-11-22T14:00", "end": "2026-11-22T13:00"}
    answer = client.post("/dispatch/absences", wrong)
    assert (answer.status_code, Absence.objects.count()) == (422, 0)
    assert 'aria-invalid="true"' in answer.content.decode()
    given = {**form, "start": f"{now:%Y-%m-%dT%H:%M}", "end": f"{now + timedelta(days=2):%Y-%m-%dT%H:%M}"}
    assert client.post("/dispatch/absences", given).status_code == 302
    assert "flu" in client.get("/dispatch/absences", {"site": plant.site.code}).content.decode()
    body = {
        "site_id": plant.site_id, "person_id": plant.ben.person_id, "note": "course",
        "start": (now + timedelta(days=1)).isoformat(), "end": (now + timedelta(days=2)).isoformat(),
    }  # fmt: skip
    rows = client.post("/api/v1/absences", json.dumps(body), content_type="application/json").json()
    assert [row["note"] for row in rows] == ["flu", "course"]
    assert client.post(f"/api/v1/absences/{rows[1]['id']}/over", content_type="application/json").status_code == 204
    assert client.post(f"/dispatch/absences/{rows[0]['id']}/over", {"site": plant.site.code}).status_code == 302
    assert len(client.get("/api/v1/absences", {"site_id": plant.site_id}).json()) <= 1
