"""Advice is scored against what was made; pages of the loop show it."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from yuheng.operations.models import JobOrder, OperationsRequest
from yuheng.people.models import Person
from yuheng.scheduling.models import Disturbance, Outcome, SitePlanning, Suggestion
from yuheng.scheduling.selectors import advice
from yuheng.scheduling.services import loop, scoring
from yuheng.scheduling.tests.plant import AT, a_busy_plant, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def plant():
    """A plan that holds, and a machine that stands with suggestions."""
    plant = a_busy_plant(6, 120)
    JobOrder.objects.update(due_at=AT + timedelta(hours=7))
    SitePlanning.objects.create(site=plant.site, frozen_min=0, stop_min=480)
    published(plant)
    stands(plant, "C1", AT)
    loop.look(actor=SYSTEM, site_id=plant.site_id, at=AT + MINUTE)
    return plant


def test_what_was_followed_is_scored_once_its_orders_are_made(plant):
    best = Suggestion.objects.filter(state="open").order_by("rank").first()
    loop.accept_suggestion(actor=plant.ben, suggestion_id=best.pk, at=AT + 2 * MINUTE)
    Disturbance.objects.update(over_at=AT + 3 * MINUTE)
    made_at = AT + timedelta(hours=9)
    assert scoring.score_due(actor=SYSTEM, site_id=plant.site_id, at=AT + 4 * MINUTE) == []
    assert Outcome.objects.count() == 0
    OperationsRequest.objects.update(state="completed", ended_at=made_at)
    assert scoring.score_due(actor=SYSTEM, site_id=plant.site_id, at=made_at) == [best.pk]
    rows = list(Outcome.objects.all())
    assert rows
    assert {row.realised_min for row in rows} == {120}
    best.refresh_from_db()
    assert best.realised == round(sum(row.realised_min * row.weight for row in rows), 1)
    assert best.promised == round(sum(row.promised_min * row.weight for row in rows), 1)
    score = advice.scores(actor=plant.ben, site_id=plant.site_id)[0]
    assert (score.kind, score.count) == (best.kind, 1)
    assert score.error_min == round(best.realised - best.promised, 1)
    assert scoring.score_due(actor=SYSTEM, site_id=plant.site_id, at=made_at) == []


def test_what_is_never_made_counts_as_late_until_it_is_scored(plant):
    Disturbance.objects.update(over_at=AT + 3 * MINUTE)
    at = AT + timedelta(days=30)
    scored = scoring.score_due(actor=SYSTEM, site_id=plant.site_id, at=at)
    assert Suggestion.objects.get(pk=scored[0]).kind == "wait"
    assert all(row.made_at is None and row.realised_min > row.promised_min for row in Outcome.objects.all())


def test_the_pages_of_the_loop_say_who_is_in_danger_and_what_came_of_advice(plant):
    client = Client()
    client.force_login(Person.objects.get(pk=plant.ben.person_id))
    with translation.override("en"):
        client.cookies["yh_language"] = "en"
        for name in ("danger", "dispatch_now", "advice", "dispatch"):
            answer = client.get(reverse(f"scheduling:{name}"), {"site": plant.site.code}, HTTP_ACCEPT_LANGUAGE="en")
            assert answer.status_code == 200, name
        text = client.get(reverse("scheduling:danger"), {"site": plant.site.code}).content.decode()
    row = Disturbance.objects.get()
    assert f'data-disturbance="{row.pk}"' in text
    assert f'data-unit="{row.work_unit_id}"' in text
    assert row.hit[0]["order"] in text
    assert 'class="button"' in text


def test_what_hits_no_promise_is_folded_and_offers_nothing(plant):
    client = Client()
    client.force_login(Person.objects.get(pk=plant.ben.person_id))

    def card():
        return client.get(reverse("scheduling:danger"), {"site": plant.site.code}).content.decode()

    assert 'class="harmless"' not in card()
    assert 'class="primary"' in card()
    Disturbance.objects.update(hit=[], late_min=0)
    text = card()
    assert 'class="harmless"' in text
    assert 'class="primary"' not in text
    Disturbance.objects.update(answered_at=None)  # nobody knows yet whom it hits
    assert 'class="harmless"' not in card()


def test_what_is_no_better_than_waiting_is_not_offered_with_one_press(plant):
    client = Client()
    client.force_login(Person.objects.get(pk=plant.ben.person_id))
    assert Disturbance.objects.get().hit
    for one in Suggestion.objects.all():
        for minutes in ("late_min", "weighted_min"):
            one.consequences[minutes] = one.consequences["before"][minutes]
        one.save()
    text = client.get(reverse("scheduling:danger"), {"site": plant.site.code}).content.decode()
    assert 'class="danger"' in text
    assert 'class="primary"' not in text
