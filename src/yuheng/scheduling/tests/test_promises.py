"""Promise dates: what is asked behind a plan moves nothing, and what moves somebody says whom."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import translation

from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.operations.models import CustomerOrder, JobOrder, OperationsRequest
from yuheng.operations.services import orders as order_verbs
from yuheng.operations.services.orders import LineSpec, OrderSpec
from yuheng.scheduling.models import Promise
from yuheng.scheduling.rules.promises import OfferKind
from yuheng.scheduling.services import promises
from yuheng.scheduling.tests.plant import AT, a_busy_plant, a_calendar, stands
from yuheng.scheduling.tests.test_plans import published
from yuheng.testing.builders import an_actor

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def gears(quantity=60):
    return [LineSpec("GEAR", Decimal(quantity))]


def asked(plant, wished=None, at=AT, quantity=60):
    return promises.ask(actor=plant.ben, site_id=plant.site_id, lines=gears(quantity), wished=wished, at=at)


def an_entered_order(plant, code="SO77", promised_at=AT + timedelta(days=2), quantity=60):
    spec = OrderSpec("HUA", promised_at, gears(quantity), code=code)
    return order_verbs.enter_order(actor=plant.ben, site_id=plant.site_id, spec=spec, at=AT)


def test_behind_the_plan_nothing_that_is_planned_moves_and_the_date_is_kept_by_a_plan():
    plant = a_busy_plant(6, 120)
    plan = published(plant)
    answer = asked(plant)
    behind = answer.of(OfferKind.BEHIND)
    assert answer.number == plan.number
    assert behind.ends_at > AT
    assert behind.hurt == ()
    assert behind.weighted_min == 0
    assert not OperationsRequest.objects.filter(code="new order").exists()  # nothing was written


def test_an_earlier_date_says_whom_it_makes_later_and_keeps_the_wish():
    plant = a_busy_plant(8, 240)
    JobOrder.objects.update(due_at=AT + timedelta(hours=9))
    OperationsRequest.objects.update(due_at=AT + timedelta(hours=9))
    published(plant)
    late = asked(plant).of(OfferKind.BEHIND).ends_at
    wished = AT + (late - AT) / 2
    answer = asked(plant, wished=wished)
    first = answer.of(OfferKind.FIRST)
    assert first.ends_at < late
    assert first.hurt
    assert first.hurt_count == len(first.hurt)
    assert all(one.later_min > 0 for one in first.hurt)
    assert answer.of(OfferKind.BEHIND).hurt == ()
    assert answer.offers[0].ends_at <= wished  # what keeps the wish comes first


def test_the_bottleneck_is_named_with_what_is_waited_for():
    plant = a_busy_plant(8, 240)
    published(plant)
    behind = asked(plant).of(OfferKind.BEHIND)
    step, minutes = behind.bottleneck
    assert step.share == "machine"
    assert minutes > 60
    assert step.root_ids
    assert behind.steps[-1].end == behind.ends_at
    for before, after in zip(behind.steps, behind.steps[1:], strict=False):
        assert before.end <= after.start


def test_shifts_and_stops_are_counted():
    plant = a_busy_plant(2, 60)
    free = asked(plant).of(OfferKind.BEHIND).ends_at
    a_calendar(plant)
    published(plant)
    stands(plant, "C1", AT - MINUTE)
    stands(plant, "C2", AT - MINUTE)
    assert asked(plant).of(OfferKind.BEHIND).ends_at > free


def test_a_promise_is_computed_again_when_it_is_given_and_refused_when_it_does_not_hold():
    plant = a_busy_plant(6, 120)
    published(plant)
    order = an_entered_order(plant)
    earliest = promises.ask_for_order(actor=plant.ben, order_id=order.pk, at=AT).of(OfferKind.BEHIND).ends_at
    with pytest.raises(Conflict, match="cannot be kept: the earliest is now"):
        promises.accept(
            actor=plant.ben, order_id=order.pk, kind=OfferKind.BEHIND, promised_at=earliest - 5 * MINUTE, at=AT
        )
    assert not Promise.objects.exists()
    made = promises.accept(actor=plant.ben, order_id=order.pk, kind=OfferKind.BEHIND, promised_at=earliest, at=AT)
    order.refresh_from_db()
    assert (order.promised_at, made.former_at, made.earliest_at) == (earliest, AT + timedelta(days=2), earliest)
    assert made.way
    assert AuditRecord.objects.filter(action="order.promise").count() == 1


def test_what_is_promised_keeps_its_place_while_something_else_is_asked():
    plant = a_busy_plant(4, 120)
    published(plant)
    alone = asked(plant, quantity=240).of(OfferKind.BEHIND).ends_at
    for code in ("SO77", "SO78"):  # one for each cutter
        order = an_entered_order(plant, code, quantity=480)
        promises.accept(
            actor=plant.ben, order_id=order.pk, kind=OfferKind.BEHIND, promised_at=AT + timedelta(days=9), at=AT
        )
    answer = asked(plant, quantity=240)
    assert answer.held == 2
    assert answer.of(OfferKind.BEHIND).ends_at > alone


def test_a_promise_behind_the_plan_is_kept_by_the_next_plan():
    plant = a_busy_plant(4, 120)
    plan = published(plant)
    order = an_entered_order(plant)
    offer = promises.ask_for_order(actor=plant.ben, order_id=order.pk, at=AT).of(OfferKind.BEHIND)
    promises.accept(actor=plant.ben, order_id=order.pk, kind=OfferKind.BEHIND, promised_at=offer.ends_at, at=AT)
    order_verbs.release_order(actor=plant.ben, order_id=order.pk, at=AT)
    made = published(plant, expected=plan.number)
    late = {row["order_id"]: row["late_min"] for row in made.measures["late"]}
    assert late.get(order.pk, 0) == 0


def test_before_the_first_plan_and_with_nothing_open_a_date_can_be_asked_too():
    plant = a_busy_plant(0)
    answer = asked(plant)
    assert (answer.number, len(answer.offers)) == (0, 1)
    assert answer.offers[0].bottleneck is None or answer.offers[0].bottleneck[1] >= 0


def test_what_cannot_be_made_is_refused_in_words_and_nothing_is_left():
    plant = a_busy_plant(1)
    with pytest.raises(InvalidInput) as refusal:
        promises.ask(actor=plant.ben, site_id=plant.site_id, lines=[LineSpec("NOPE", Decimal(1))], wished=None, at=AT)
    assert "material" in refusal.value.fields
    with pytest.raises(PermissionRefused):
        promises.ask(actor=plant.ana, site_id=plant.site_id, lines=gears(), wished=None, at=AT)
    with pytest.raises(NotVisible):
        promises.ask(actor=an_actor("dora"), site_id=plant.site_id, lines=gears(), wished=None, at=AT)
    released = CustomerOrder.objects.first()
    with pytest.raises(Conflict, match="released"):
        promises.ask_for_order(actor=plant.ben, order_id=released.pk, at=AT)
    assert not Promise.objects.exists()
