"""Promise dates: when could it be done, asked for something new or for an order; and a date that is promised.

Asking needs ``orders.edit`` and writes nothing. A promise is computed again in the moment it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.operations.selectors import orders, planning
from yuheng.operations.services import orders as order_verbs
from yuheng.operations.services import promising
from yuheng.operations.services.orders import LineSpec, OrderSpec
from yuheng.operations.services.promising import WouldMake
from yuheng.scheduling.building import Built, PlantFacts, build, lasting, read_levers
from yuheng.scheduling.building.carrying import carry
from yuheng.scheduling.building.promising import NoOffer, Offer, offers
from yuheng.scheduling.models import Plan, Promise
from yuheng.scheduling.rules.promises import OfferKind
from yuheng.scheduling.selectors.plans import rows_of_plan
from yuheng.scheduling.selectors.plant import plant_facts
from yuheng.scheduling.selectors.promises import promised_but_entered
from yuheng.scheduling.services import words
from yuheng.scheduling.services.access import clock

ORDERS = "orders.edit"
MOST_HELD = 20
"""Promised orders that are not released yet and keep their place while something else is asked; the oldest first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What can be promised.

    Attributes
    ----------
    number
        The published plan it was asked behind; 0: none.
    offers
        Best first.
    held
        How many promised orders that are not released yet keep their place before this one.
    assumed
        Sentences: what had to be assumed about what was asked for.
    """

    site_id: int
    number: int
    asked_at: datetime
    wished_at: datetime | None
    offers: tuple[Offer, ...]
    held: int
    assumed: tuple[str, ...]
    built: Built

    def of(self, kind: OfferKind) -> Offer | None:
        """Return the offer of a kind."""
        return next((one for one in self.offers if one.kind is kind), None)


def ask(
    *,
    actor: Actor,
    site_id: int,
    lines: Sequence[LineSpec],
    wished: datetime | None,
    at: datetime,
    is_rush: bool = False,
) -> Answer:
    """Say when something new could be done. Writes nothing.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Each field that cannot be accepted, with why.
    Conflict
        It cannot be resolved or planned: the sentence says why.
    """
    actor.require(ORDERS, site_id=site_id)
    if not lines:
        raise InvalidInput(_("Say which product."), {"material": _("Say which product.")})
    asked = [
        promising.line_would_make(
            actor=actor, site_id=site_id, spec=line, due_at=wished or at, at=at, number=number, is_rush=is_rush
        )
        for number, line in enumerate(lines)
    ]
    return _answer(actor, site_id, asked, wished, at, without=0)


def ask_for_order(*, actor: Actor, order_id: int, at: datetime, wished: datetime | None = None) -> Answer:
    """Say when an order could be done that is not released yet. Raises as `ask`."""
    row = orders.order_detail(actor=actor, order_id=order_id)
    actor.require(ORDERS, site_id=row.site_id)
    asked = promising.order_would_make(actor=actor, order_id=order_id, at=at)
    if not asked:
        raise Conflict(
            _("Everything of order %(order)s is released: its forecast says when it is done.") % {"order": row.code}
        )
    return _answer(actor, row.site_id, asked, wished or row.promised_at, at, without=order_id)


def _answer(
    actor: Actor, site_id: int, asked: Sequence[WouldMake], wished: datetime | None, at: datetime, *, without: int
) -> Answer:
    facts = plant_facts(actor=actor, site_id=site_id, now=at)
    published = Plan.objects.filter(site_id=site_id, is_published=True).first()
    rows = rows_of_plan(published) if published else None
    levers = lasting(read_levers(published.levers if published else []), at)
    held = _held(actor, site_id, at, without=without, number=len(asked))
    known = build(facts, levers)
    base = carry(known, rows) if known.problem is not None else None
    if known.problem is not None and base is None:
        raise Conflict(_("The published plan cannot go on as it is. Make a new one."))
    built = build(_facts_with(facts, actor, [*held, *asked], at), levers)
    try:
        found = offers(
            built,
            rows,
            base,
            [one.root_id for one in asked],
            before=[one.root_id for one in held],
            wished=wished,
        )
    except NoOffer as refusal:
        raise Conflict(" ".join([_(_REFUSALS[refusal.code]), *_assumed(built, asked)])) from refusal
    return Answer(
        site_id, published.number if published else 0, at, wished, tuple(found), len(held),
        tuple(_assumed(built, asked)), built,
    )  # fmt: skip


_REFUSALS = {
    "not_planned": gettext_noop("This cannot be planned."),
    "no_room": gettext_noop("There is no room for this: machines, people or material are never free together."),
}


def _held(actor: Actor, site_id: int, at: datetime, *, without: int, number: int) -> list[WouldMake]:
    """What promised orders that are not released yet would become; one that cannot be resolved any more is passed."""
    found: list[WouldMake] = []
    for order_id in promised_but_entered(site_id=site_id, limit=MOST_HELD):
        if order_id == without:
            continue
        try:
            found += promising.order_would_make(actor=actor, order_id=order_id, at=at, number=number + len(found))
        except (Conflict, InvalidInput):
            continue
    return found


def _facts_with(facts: PlantFacts, actor: Actor, made: Sequence[WouldMake], at: datetime) -> PlantFacts:
    needs: dict[int, float] = {}
    last: dict[int, int] = {}
    for one in made:
        for material, quantity in one.needs.items():
            needs[material] = needs.get(material, 0.0) + quantity
            last[material] = one.first_need[material]  # who comes last goes without
    missing = planning.short_for(actor=actor, site_id=facts.site_id, needs=needs, now=at)
    short: dict[int, list[str]] = {}
    for material, (code, _amount) in missing.items():
        short.setdefault(last[material], []).append(code)
    return replace(facts, work=promising.with_work(facts.work, made, short))


def _assumed(built: Built, asked: Sequence[WouldMake]) -> list[str]:
    ours = {job.id for one in asked for job in one.jobs}
    rows = [words.notice(one.to_json()) for one in built.notices if one.job_order_id in ours]
    return list(dict.fromkeys(filter(None, rows)))


@transaction.atomic
def accept(
    *, actor: Actor, order_id: int, kind: OfferKind, promised_at: datetime, at: datetime, reason: str = ""
) -> Promise:
    """Promise an order's date. What was shown is computed again: nothing is promised that does not hold any more.

    Parameters
    ----------
    kind
        How room is to be made; with ``behind`` nobody else is later for it.
    promised_at
        Not before what is possible.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        It is not possible so early any more: the sentence says when it is.
    """
    row = orders.order_detail(actor=actor, order_id=order_id)
    actor.require(ORDERS, site_id=row.site_id)
    answer = ask_for_order(actor=actor, order_id=order_id, at=at, wished=promised_at)
    offer = answer.of(kind) or answer.of(OfferKind.BEHIND)
    assert offer is not None
    if kind is OfferKind.FITTED and offer.ends_at > promised_at:
        offer = answer.of(OfferKind.FIRST) or offer
    if offer.ends_at > promised_at:
        raise Conflict(
            _("%(wanted)s cannot be kept: the earliest is now %(earliest)s. Ask again, or promise a later date.")
            % {"wanted": clock(promised_at), "earliest": clock(offer.ends_at)}
        )
    promise = Promise.objects.create(
        site_id=row.site_id,
        order_id=order_id,
        plan=Plan.objects.filter(site_id=row.site_id, number=answer.number).first(),
        kind=offer.kind.value,
        wished_at=row.promised_at,
        earliest_at=offer.ends_at,
        promised_at=promised_at,
        former_at=row.promised_at,
        reason=reason.strip()[:400],
        way=[_step(answer.built, one) for one in offer.steps],
        hurt=[
            {**one.end.to_json(one.late_before), "later_min": one.later_min} for one in offer.hurt
        ],
        made_at=at,
        made_by=actor.name[:150],
    )  # fmt: skip
    order_verbs.promise_order(actor=actor, order_id=order_id, promised_at=promised_at, reason=reason.strip(), at=at)
    return promise


@transaction.atomic
def enter_with_promise(*, actor: Actor, site_id: int, spec: OrderSpec, kind: OfferKind, at: datetime) -> Promise:
    """Enter an order and promise its date in one: both or neither. Raises as `enter_order` and `accept`."""
    made = order_verbs.enter_order(actor=actor, site_id=site_id, spec=spec, at=at)
    return accept(actor=actor, order_id=made.pk, kind=kind, promised_at=spec.promised_at, at=at)


def _step(built: Built, one: Any) -> dict[str, Any]:
    return words.way_step(built, one)
