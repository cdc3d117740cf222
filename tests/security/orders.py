"""An order of the secret plant, with everything that hangs on it."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

from yuheng.engineering import services as engineering
from yuheng.engineering.rules.specs import BomSpec, LineSpec, MaterialSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.models import Site
from yuheng.operations.models import ExchangedDocument, JobException, JobOrder, JobResponse, WebhookDelivery
from yuheng.operations.services import documents, execute, files, floor, orders, stock, webhooks
from yuheng.operations.services import help as helping
from yuheng.operations.services.orders import LineSpec as OrderLine
from yuheng.operations.services.orders import OrderSpec, PartySpec
from yuheng.people.models import Person
from yuheng.performance.services.follow import catch_up_all
from yuheng.scheduling.models import Absence, Disturbance, Plan, Scenario, Suggestion
from yuheng.testing.builders import SHIFT_START, SYSTEM

AT = SHIFT_START


def an_order_to_keep_secret(site: Site, unit: Any, owner: Any, *, secret: str) -> dict[str, Any]:
    """Make an order that runs; return what addresses and requests may name: parameter -> value."""
    names = {"name_zh": f"{secret}机密", "name_en": f"{secret} secret"}

    def material(code: str, source: Source) -> Any:
        spec = MaterialSpec(f"{secret}{code}", *names.values(), source=source, tracking=Tracking.LOT)
        return engineering.create_material(actor=SYSTEM, site_id=site.pk, spec=spec, at=AT)

    product, part = material("made", Source.MAKE), material("bought", Source.BUY)
    bom = engineering.define_bom(
        actor=SYSTEM, material_id=product.pk, spec=BomSpec(lines=(LineSpec("10", part.pk, "1"),)), at=AT
    )
    engineering.release_bom(actor=SYSTEM, version_id=bom.pk, at=AT)
    step = SegmentSpec("10", *names.values(), equipment_class_id=unit.equipment_class_id, run_time="60")
    master = engineering.define_work_master(
        actor=SYSTEM, material_id=product.pk, spec=WorkMasterSpec(segments=(step,)), at=AT
    )
    engineering.release_work_master(actor=SYSTEM, version_id=master.pk, at=AT)
    party = orders.write_party(
        actor=SYSTEM, site_id=site.pk, spec=PartySpec(f"{secret}party", *names.values(), is_supplier=True), at=AT
    )
    spec = OrderSpec(
        party.code, AT + timedelta(days=9), [OrderLine(product.code, Decimal(2))], code=f"{secret}order", note=secret
    )
    order = orders.enter_order(actor=SYSTEM, site_id=site.pk, spec=spec, at=AT)
    orders.release_order(actor=SYSTEM, order_id=order.pk, at=AT)
    job = JobOrder.objects.get(request__order=order)
    lot = stock.receive(actor=SYSTEM, site_id=site.pk, material_id=part.pk, quantity=5, lot=f"{secret}lot", at=AT)[0]
    execute.start_job_order(actor=SYSTEM, job_order_id=job.pk, work_unit_id=unit.pk, at=AT)
    place = stock.write_location(actor=SYSTEM, site_id=site.pk, code=f"{secret}place", at=AT, **names)
    call = helping.call_for_help(actor=SYSTEM, work_unit_id=unit.pk, kind="quality", note=secret, at=AT)
    floor.write_skill(actor=SYSTEM, site_id=site.pk, code=f"{secret}skill", at=AT, **names)
    floor.write_tool(actor=SYSTEM, site_id=site.pk, code=f"{secret}tool", kind=f"{secret}kind", at=AT, **names)
    able = floor.qualify(
        actor=SYSTEM, site_id=site.pk, person_id=owner.person_id, skill=f"{secret}skill", valid_from=AT, at=AT
    )
    hook = webhooks.write_webhook(
        actor=SYSTEM, site_id=site.pk, code=f"{secret}hook", url=f"https://{secret}.example/hook", at=AT
    )
    message = WebhookDelivery.objects.create(
        site=site, webhook=hook, event="OrderReleased", event_id=1, payload={"code": secret}, state="dead",
        made_at=AT, next_at=AT,
    )  # fmt: skip
    disagreement = JobException.objects.create(
        site=site, key=secret, kind="unknown_run", work_unit=unit, job_order=job, began_at=AT, found_at=AT,
        changed_at=AT, evidence={"run_id": secret},
    )  # fmt: skip
    with suppress(InvalidInput):  # it is kept because it cannot be read
        documents.receive_document(actor=SYSTEM, site_id=site.pk, content=f"<{secret}/>".encode(), at=AT)
    given = files.give_file(
        actor=SYSTEM, site_id=site.pk, kind="orders", file_name=f"{secret}.csv", at=AT,
        pieces=[f"order,customer,material,quantity\n{secret}o,{secret}c,{secret}m,1\n".encode()],
    )  # fmt: skip
    requirement = job.request.requirements.get()
    catch_up_all()  # what it does now is counted for pages of flow
    return _planned(site, unit, secret) | {
        "order_id": order.pk,
        "request_id": job.request_id,
        "job_order_id": job.pk,
        "job_order_ids": [job.pk],
        "job_code": job.code,
        "response_id": JobResponse.objects.get(job_order=job).pk,
        "requirement_id": requirement.pk,
        "lot_id": lot.pk,
        "lot": lot.code,
        "location_id": place.pk,
        "from_location_id": place.pk,
        "to_location_id": place.pk,
        "supplier_id": party.pk,
        "help_id": call.pk,
        "exception_id": disagreement.pk,
        "qualification_id": able.pk,
        "webhook_id": hook.pk,
        "delivery_ids": [message.pk],
        "material_id": product.pk,
        "exchanged_id": ExchangedDocument.objects.get(site=site).pk,
        "document_kind": "schedule",
        "order_file_id": given.pk,
    }


def _planned(site: Site, unit: Any, secret: str) -> dict[str, Any]:
    """A plan, a what-if and a breakdown with a suggestion."""
    plan = Plan.objects.create(
        site=site, number=1, kind="solved", made_at=AT, made_by=secret, reason=secret, origin=AT, is_published=True,
        published_at=AT, published_by=secret,
    )  # fmt: skip
    scenario = Scenario.objects.create(
        site=site, name=secret, plan=plan, base=plan, state="done", asked_at=AT, asked_by=secret
    )
    disturbance = Disturbance.objects.create(
        site=site, kind="down", work_unit=unit, cause=secret, since=AT, expected_end=AT, basis="default", noticed_at=AT
    )
    suggestion = Suggestion.objects.create(
        site=site, disturbance=disturbance, rank=1, kind="wait", base=plan, plan=plan, predicted=0.0, made_at=AT
    )
    absence = Absence.objects.create(
        site=site, person=Person.objects.order_by("pk").first(), start=AT, end=AT + timedelta(days=400), note=secret,
        said_at=AT, said_by=secret,
    )  # fmt: skip
    return {
        "absence_id": absence.pk,
        "plan_id": plan.pk,
        "scenario_id": scenario.pk,
        "ids": str(scenario.pk),
        "disturbance_id": disturbance.pk,
        "suggestion_id": suggestion.pk,
        "expected": 1,
    }
