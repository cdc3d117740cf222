"""B2MML documents: entered once, changed, refused at the element, written so that the reader takes them back."""

from __future__ import annotations

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import translation

from yuheng.engines.b2mml import Document, read, schemas, write
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import CustomerOrder, ExchangedDocument, JobOrder, MaterialLot, OperationsRequest
from yuheng.operations.selectors import documents as out
from yuheng.operations.selectors.documents import DocumentKind, Wish
from yuheng.operations.services import execute
from yuheng.operations.services.documents import apply_document, plan_document, receive_document
from yuheng.operations.services.materials import consume_material
from yuheng.operations.tests.plant import (
    AT,
    a_customer,
    a_material,
    a_plant,
    a_released_order,
    a_simple_product,
    in_stock,
)
from yuheng.people.models import Person
from yuheng.testing.builders import SYSTEM

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


SCHEMAS = os.environ.get("B2MML_SCHEMAS", "")
"""A copy of the public schemas, which are not part of this program: then everything is held against them, too."""
HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
# ruff: noqa: E501 - documents are easier to read unbroken
XMLNS = 'xmlns="http://www.mesa.org/xml/B2MML"'


def a_request(code="ERP-1", *, quantity="3", unit="{piece}", material="GEAR", state="Released", due="2026-12-20T08:00:00Z",
              priority="100", parameters="", properties=""):  # fmt: skip
    return f"""<OperationsRequest><ID>{code}</ID><EndTime>{due}</EndTime><Priority>{priority}</Priority>
    <RequestState>{state}</RequestState><SegmentRequirement><ID>{code}</ID><ProcessSegmentID>{material}</ProcessSegmentID>
    <OperationsDefinitionID>{material}</OperationsDefinitionID><OperationsSegmentID>{material}</OperationsSegmentID>
    {parameters}<MaterialRequirement><ID>1</ID><MaterialDefinitionID>{material}</MaterialDefinitionID>
    <MaterialUse>Produced</MaterialUse><Quantity><QuantityString>{quantity}</QuantityString>
    <UnitOfMeasure>{unit}</UnitOfMeasure></Quantity>{properties}</MaterialRequirement></SegmentRequirement>
    </OperationsRequest>"""


def parameter(name, value):
    return f"<SegmentParameter><ID>{name}</ID><Value><ValueString>{value}</ValueString></Value></SegmentParameter>"


def of_order(order, line, customer="HUA"):
    return (
        parameter("CustomerOrderID", order) + parameter("CustomerOrderLine", line) + parameter("CustomerID", customer)
    )


def a_schedule(*requests, verb="Process"):
    return f"""{HEAD}<{verb}OperationsSchedule {XMLNS} releaseID="0700"><ApplicationArea><Sender><LogicalID>SAP</LogicalID>
    </Sender><CreationDateTime>2026-11-23T00:00:00Z</CreationDateTime><BODID>B-1</BODID></ApplicationArea><DataArea>
    <{verb}/><OperationsSchedule><ID>S-1</ID>{"".join(requests)}</OperationsSchedule></DataArea></{verb}OperationsSchedule>
    """.encode()


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    a_customer(plant)
    return plant


def ask(plant, content, actor=None):
    return plan_document(actor=actor or SYSTEM, site_id=plant.site_id, pieces=[content], at=AT)


def do(plant, content, plan=None, actor=None):
    sha256 = plan.sha256 if plan else ""
    return apply_document(actor=actor or SYSTEM, site_id=plant.site_id, pieces=[content], at=AT, plan_sha256=sha256)


def told(plant, kind, **more):
    root = out.document(actor=SYSTEM, site_id=plant.site_id, wish=Wish(DocumentKind(kind), **more), now=AT)
    content = "".join(write(root)).encode()
    if SCHEMAS:
        assert schemas.check(content, Path(SCHEMAS)) == []
    return content


def test_a_request_is_entered_and_released_once(plant):
    content = a_schedule(a_request())
    before = (OutboxEvent.objects.count(), AuditRecord.objects.count())
    plan = ask(plant, content)
    assert plan.counts == {"add": 1, "change": 0, "leave": 0, "refuse": 0}
    assert (plan.sender, plan.document_id, plan.root) == ("SAP", "B-1", "ProcessOperationsSchedule")
    assert OperationsRequest.objects.count() == 0
    assert (OutboxEvent.objects.count(), AuditRecord.objects.count()) == before
    do(plant, content, plan)
    row = OperationsRequest.objects.get(code="ERP-1")
    assert (row.state, row.quantity, row.priority, row.due_at.isoformat()) == (
        "released", Decimal(3), 100, "2026-12-20T08:00:00+00:00",
    )  # fmt: skip
    again = do(plant, content)
    assert again.counts["leave"] == 1
    assert OperationsRequest.objects.count() == 1


def test_a_changed_request_is_changed_or_a_conflict_in_words(plant):
    do(plant, a_schedule(a_request(state="Forecast")))
    changed = do(plant, a_schedule(a_request(state="Forecast", quantity="5")))
    assert changed.counts["change"] == 1
    assert OperationsRequest.objects.get(code="ERP-1").quantity == 5
    do(plant, a_schedule(a_request(quantity="5")))
    later = do(plant, a_schedule(a_request(quantity="5", due="2026-12-24T08:00:00+08:00", priority="7")))
    assert later.counts["change"] == 1
    row = OperationsRequest.objects.get(code="ERP-1")
    assert (row.due_at.isoformat(), row.priority) == ("2026-12-24T00:00:00+00:00", 7)
    assert set(JobOrder.objects.values_list("due_at", flat=True)) == {row.due_at}
    plan = ask(plant, a_schedule(a_request(quantity="6", priority="7")))
    assert plan.counts["refuse"] == 1
    assert "frozen" in plan.rows[0].reason


def test_a_cancelled_request_is_cancelled_and_a_held_one_let_go_again(plant):
    do(plant, a_schedule(a_request()))
    do(plant, a_schedule(a_request(state="Held")))
    assert OperationsRequest.objects.get(code="ERP-1").state == "held"
    do(plant, a_schedule(a_request()))
    assert OperationsRequest.objects.get(code="ERP-1").state == "released"
    do(plant, a_schedule(a_request(), verb="Cancel"))
    assert OperationsRequest.objects.get(code="ERP-1").state == "cancelled"
    assert do(plant, a_schedule(a_request(), verb="Cancel")).counts["leave"] == 1


def test_requests_of_a_customer_order_are_its_lines_under_the_senders_numbers(plant):
    content = a_schedule(
        a_request("E-20", parameters=of_order("SO9", 2), quantity="2"),
        a_request("E-10", parameters=of_order("SO9", 1)),
    )
    do(plant, content)
    order = CustomerOrder.objects.get(code="SO9")
    assert order.state == "released"
    lines = list(order.lines.values_list("position", "quantity", "request_code"))
    assert lines == [(1, Decimal(3), "E-10"), (2, Decimal(2), "E-20")]
    assert set(OperationsRequest.objects.values_list("code", flat=True)) == {"E-10", "E-20"}
    assert do(plant, content).counts["leave"] == 2
    plan = ask(plant, a_schedule(a_request("E-10", parameters=of_order("SO8", 1))))
    assert "another production order" in plan.rows[0].reason
    do(plant, a_schedule(a_request("E-10", parameters=of_order("SO9", 1)), a_request("E-20", parameters=of_order("SO9", 2)),
                         verb="Cancel"))  # fmt: skip
    order.refresh_from_db()
    assert order.state == "cancelled"


BASE = "/ProcessOperationsSchedule/DataArea/OperationsSchedule[1]/OperationsRequest[2]"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"material": "NOTHING"}, "/SegmentRequirement[1]/MaterialRequirement[1]/MaterialDefinitionID[1]"),
        ({"unit": "m"}, "/SegmentRequirement[1]/MaterialRequirement[1]/Quantity[1]/UnitOfMeasure"),
        ({"quantity": "-1"}, "/SegmentRequirement[1]/MaterialRequirement[1]/Quantity[1]/QuantityString"),
        ({"quantity": "many"}, "/SegmentRequirement[1]/MaterialRequirement[1]/Quantity[1]/QuantityString"),
        ({"priority": "1.5"}, "/Priority"),
        ({"state": "Running"}, "/RequestState"),
        ({"code": "ERP-0"}, ""),
        ({"parameters": parameter("Rush", "maybe")}, ""),
    ],
)
def test_what_does_not_fit_is_refused_at_its_element_and_nothing_is_written(plant, change, path):
    content = a_schedule(a_request("ERP-0"), a_request(**{"code": "ERP-9", **change}))
    plan = ask(plant, content)
    assert plan.counts["refuse"] == 1
    assert plan.refused[0].path == BASE + path
    assert plan.refused[0].line > 1
    before = (OutboxEvent.objects.count(), AuditRecord.objects.count())
    with pytest.raises(Conflict, match="OperationsRequest"):
        do(plant, content)
    assert OperationsRequest.objects.count() == 0
    assert (OutboxEvent.objects.count(), AuditRecord.objects.count()) == before


@pytest.mark.parametrize(
    ("found", "instead", "path"),
    [
        ("<Priority>100</Priority>", "<Prio>100</Prio>", "/Prio"),
        ("<Priority>100</Priority>", "<Priority>high</Priority>", "/Priority"),
        ("<RequestState>Released</RequestState>", "<RequestState>released</RequestState>", "/RequestState"),
        ("<EndTime>2026-12-20T08:00:00Z</EndTime>", "<EndTime>tomorrow</EndTime>", "/EndTime"),
        ("<ProcessSegmentID>GEAR</ProcessSegmentID>", "", "/SegmentRequirement[1]/OperationsDefinitionID"),
        ("<ID>1</ID>", '<ID wrong="1">1</ID>', "/SegmentRequirement[1]/MaterialRequirement[1]/ID/@wrong"),
    ],
)
def test_unknown_and_wrong_content_is_refused_with_path_and_line(plant, found, instead, path):
    second = a_request("ERP-9").replace(found, instead)
    with pytest.raises(InvalidInput) as refusal:
        ask(plant, a_schedule(a_request("ERP-0"), second))
    assert list(refusal.value.fields) == [BASE + path]
    assert "Line " in str(refusal.value)


def test_a_refused_document_is_kept_to_be_looked_at(plant):
    content = a_schedule(a_request(material="NOTHING"))
    with pytest.raises(Conflict):
        receive_document(actor=SYSTEM, site_id=plant.site_id, content=content, at=AT)
    with pytest.raises(InvalidInput):
        receive_document(actor=SYSTEM, site_id=plant.site_id, content=b"<x/>", at=AT)
    receive_document(actor=SYSTEM, site_id=plant.site_id, content=a_schedule(a_request()), at=AT)
    good, unread, refused = ExchangedDocument.objects.all()
    assert (good.outcome, unread.outcome, refused.outcome) == ("applied", "refused", "refused")
    assert bytes(refused.content) == content
    assert "NOTHING" in refused.reason
    assert refused.path.endswith("/MaterialRequirement[1]/MaterialDefinitionID[1]")
    assert (unread.path, bytes(good.content)) == ("/x", b"")


def test_permissions_are_those_of_what_the_document_does(plant):
    with pytest.raises(PermissionRefused):
        ask(plant, a_schedule(a_request()), actor=plant.ana)
    assert ask(plant, a_schedule(a_request()), actor=plant.ben).counts["add"] == 1


def test_a_document_that_asks_or_deletes_is_refused(plant):
    with pytest.raises(InvalidInput, match="asks or answers"):
        ask(plant, a_schedule(a_request(), verb="Acknowledge"))
    deletes = b"<Process><ActionCriteria><ActionExpression actionCode='Delete'>/x</ActionExpression></ActionCriteria>"
    with pytest.raises(InvalidInput, match="Nothing is deleted"):
        ask(plant, a_schedule(a_request()).replace(b"<Process/>", deletes + b"</Process>"))


def test_what_is_exported_is_taken_back_and_changes_nothing(plant):
    a_released_order(plant, "GEAR", 4, code="SO1")
    do(plant, a_schedule(a_request(), a_request("ERP-2", state="Forecast"),
                         a_request("E-10", state="Forecast", parameters=of_order("SO9", 1))))  # fmt: skip
    content = told(plant, "schedule")
    document = Document()
    assert {node.said("ID") for node in read([content], document)} == {"SO1-1", "ERP-1", "ERP-2", "E-10"}
    plan = ask(plant, content)
    assert plan.counts == {"add": 0, "change": 0, "leave": 4, "refuse": 0}, plan.rows


def test_performance_tells_times_quantities_people_and_lots(plant):
    do(plant, a_schedule(a_request(quantity="5")))
    lot = in_stock(plant, "STEEL", 100, "H1")
    first, second = JobOrder.objects.order_by("position")
    execute.start_job_order(actor=plant.ana, job_order_id=first.pk, work_unit_id=plant.units["C1"].pk, at=AT)
    consume_material(actor=plant.ana, job_order_id=first.pk, lot=lot.code, quantity=Decimal(10), at=AT)
    execute.finish_job_order(
        actor=plant.ana, job_order_id=first.pk, good=4, scrap=1, reason="surface", at=AT + timedelta(hours=1)
    )
    content = told(plant, "performance")
    response = next(iter(read([content], Document())))
    assert response.said("OperationsRequestID") == "ERP-1"
    done = response.all("SegmentResponse")[0]
    assert (done.said("SegmentState"), done.said("ProcessSegmentID")) == ("Completed", "10")
    assert done.moment("ActualEndTime") - done.moment("ActualStartTime") == timedelta(hours=1)
    made = {
        (one.first("MaterialUse").attributes.get("OtherValue") or one.said("MaterialUse"), one.said("MaterialLotID")):
        one.first("Quantity").said("QuantityString") for one in done.all("MaterialActual")
    }  # fmt: skip
    assert made == {("Produced", ""): "4", ("Scrap", ""): "1", ("Consumed", "H1"): "10"}
    assert done.first("PersonnelActual").said("PersonID") == plant.ana.name
    assert done.first("EquipmentActual").said("EquipmentID") == "C1"
    assert ask(plant, content).counts == {"add": 0, "change": 0, "leave": 2, "refuse": 0}
    assert second.state == "allowed_to_start"


def test_the_performance_of_somebody_else_becomes_job_responses_once(plant):
    do(plant, a_schedule(a_request(quantity="5")))
    begin, end = (AT - timedelta(hours=3)).isoformat(), (AT - timedelta(hours=1)).isoformat()
    content = f"""{HEAD}<OperationsPerformance {XMLNS}><ID>P</ID><OperationsResponse><ID>R</ID>
    <OperationsRequestID>ERP-1</OperationsRequestID><SegmentResponse><ID>theirs</ID>
    <ActualStartTime>{begin}</ActualStartTime><ActualEndTime>{end}</ActualEndTime><ProcessSegmentID>10</ProcessSegmentID>
    <SegmentState>Completed</SegmentState><EquipmentActual><ID>E</ID><EquipmentID>C1</EquipmentID></EquipmentActual>
    <MaterialActual><ID>M</ID><MaterialUse>Produced</MaterialUse><Quantity><QuantityString>5</QuantityString></Quantity>
    </MaterialActual></SegmentResponse></OperationsResponse></OperationsPerformance>""".encode()
    assert ask(plant, content).counts["change"] == 1
    do(plant, content)
    job = JobOrder.objects.order_by("position")[0]
    assert (job.state, job.good, job.actual_start.isoformat()) == ("ended", 5, begin)
    assert job.worked_s == 7200
    assert do(plant, content).counts["leave"] == 1
    plan = ask(plant, content.replace(b">5<", b">4<"))
    assert plan.counts["refuse"] == 1
    unknown = ask(plant, content.replace(b">10<", b">99<"))
    assert "no job order" in unknown.rows[0].reason


MATERIALS = f"""{HEAD}<SyncMaterialInformation {XMLNS} releaseID="0700"><ApplicationArea>
<CreationDateTime>2026-11-23T00:00:00Z</CreationDateTime></ApplicationArea><DataArea><Sync/><MaterialInformation>
<MaterialClass><ID>METAL</ID><Description languageID="zh-CN">金属</Description><Description languageID="en">Metal</Description>
</MaterialClass><MaterialDefinition><ID>PLATE</ID><Description>Plate</Description>
<MaterialDefinitionProperty><ID>BaseUnitOfMeasure</ID><Value><ValueString>KGM</ValueString></Value></MaterialDefinitionProperty>
<MaterialDefinitionProperty><ID>Tracking</ID><Value><ValueString>lot</ValueString></Value></MaterialDefinitionProperty>
<MaterialDefinitionProperty><ID>UnitConversion</ID><MaterialDefinitionPropertyChild><ID>{{sheet}}</ID><Value>
<ValueString>12.5</ValueString></Value></MaterialDefinitionPropertyChild></MaterialDefinitionProperty>
<MaterialClassID>METAL</MaterialClassID></MaterialDefinition>
<MaterialLot><ID>H77</ID><MaterialDefinitionID>PLATE</MaterialDefinitionID><Quantity><QuantityString>2</QuantityString>
<UnitOfMeasure>{{sheet}}</UnitOfMeasure></Quantity></MaterialLot></MaterialInformation></DataArea></SyncMaterialInformation>
""".encode()


def test_materials_classes_and_lots_come_in_once_and_go_out_the_same(plant):
    assert do(plant, MATERIALS).counts == {"add": 3, "change": 0, "leave": 0, "refuse": 0}
    lot = MaterialLot.objects.get(code="H77")
    assert (lot.material.unit, lot.material.material_class.name_zh) == ("kg", "金属")
    assert sum(lot.balances.values_list("quantity", flat=True)) == 25
    assert do(plant, MATERIALS).counts["leave"] == 3
    content = told(plant, "material")
    plan = ask(plant, content)
    assert set(plan.counts.items()) >= {("add", 0), ("change", 0), ("refuse", 0)}, plan.rows
    renamed = MATERIALS.replace(b"<Description>Plate<", b"<Description>Sheet<")
    assert do(plant, renamed).counts == {"add": 0, "change": 1, "leave": 2, "refuse": 0}
    other = MATERIALS.replace(b">2<", b">3<")
    assert "here already" in ask(plant, other).refused[0].reason


def test_equipment_goes_out_and_comes_back_the_same_and_new_machines_come_in(plant):
    content = told(plant, "equipment")
    plan = ask(plant, content)
    assert set(plan.counts.items()) >= {("add", 0), ("change", 0), ("refuse", 0)}, plan.rows
    more = f"""{HEAD}<EquipmentInformation {XMLNS}><ID>E</ID><Equipment><ID>NEW-AREA</ID><Description>New</Description>
    <EquipmentLevel>Area</EquipmentLevel><EquipmentChild><ID>LINE9</ID><EquipmentLevel>ProductionLine</EquipmentLevel>
    <EquipmentChild><ID>M9</ID><EquipmentLevel>WorkCell</EquipmentLevel><EquipmentClassID>cutter</EquipmentClassID>
    </EquipmentChild></EquipmentChild></Equipment></EquipmentInformation>""".encode()
    assert do(plant, more).counts["add"] == 3
    assert do(plant, more).counts["leave"] == 3
    assert "M9" in told(plant, "equipment").decode()
    lost = more.replace(b">LINE9<", b">LINE8<").replace(b">cutter<", b">none<").replace(b">M9<", b">M8<")
    refused = ask(plant, lost).refused
    assert [row.path for row in refused] == ["/EquipmentInformation/Equipment[1]/EquipmentChild[1]/EquipmentChild[1]"]
    assert do(plant, content).has_effect is False


def test_unused_content_is_named_and_not_refused(plant):
    content = a_schedule(a_request()).replace(
        b"<MaterialRequirement>", b"<PersonnelRequirement><ID>p</ID></PersonnelRequirement><MaterialRequirement>"
    )
    plan = ask(plant, content)
    assert plan.counts["add"] == 1
    path = "/ProcessOperationsSchedule/DataArea/OperationsSchedule/OperationsRequest/SegmentRequirement"
    assert plan.unused == {f"{path}/PersonnelRequirement": 1}


def test_another_unit_is_converted_and_recommendation_20_is_read(plant):
    a_material(plant, "PASTE", unit="kg")
    do(plant, a_schedule(a_request("P-1", material="PASTE", quantity="2", unit="TNE", state="Forecast")))
    row = OperationsRequest.objects.get(code="P-1")
    assert (row.quantity, row.unit) == (2000, "kg")


def test_options_are_properties_of_what_is_produced_with_their_types(plant):
    values = {"rail": ("4500", ""), "glass": ("true", "boolean"), "colour": ("07", "string"), "gap": ("0.50", "double")}
    properties = "".join(
        f"<MaterialRequirementProperty><ID>{name}</ID><Value><ValueString>{text}</ValueString>"
        + (f"<DataType>{kind}</DataType>" if kind else "") + "</Value></MaterialRequirementProperty>"
        for name, (text, kind) in values.items()
    )  # fmt: skip
    do(plant, a_schedule(a_request("O-1", state="Forecast", properties=properties)))
    row = OperationsRequest.objects.get(code="O-1")
    assert row.options == {"rail": 4500, "glass": True, "colour": "07", "gap": 0.5}
    assert ask(plant, told(plant, "schedule")).counts["leave"] == 1


def test_a_person_uploads_a_document_looks_at_its_dry_run_and_applies_it(plant, client):
    client.force_login(Person.objects.get(username="ben"))
    listed = reverse("operations:documents")
    sent = client.post(listed, {"site": plant.site.code, "file": ContentFile(a_schedule(a_request()), name="s.xml")})
    page = client.get(sent.url)
    assert "ERP-1" in page.content.decode()
    assert OperationsRequest.objects.count() == 0
    wrong = client.post(sent.url, {"plan_sha256": "0"})
    assert wrong.status_code == 422
    done = client.post(sent.url, {"plan_sha256": page.context["plan"].sha256}, follow=True)
    assert OperationsRequest.objects.get().code == "ERP-1"
    assert done.status_code == 200
    assert client.post(sent.url, {"plan_sha256": page.context["plan"].sha256}).status_code == 422
    refused = client.post(listed, {"site": plant.site.code, "file": ContentFile(b"<x/>", name="x.xml")})
    assert refused.status_code == 422
    kept = ExchangedDocument.objects.first()
    assert client.get(reverse("operations:document_content", args=[kept.pk])).content == b"<x/>"
    exported = client.get(reverse("operations:export_document", args=["schedule"]), {"site": plant.site.code})
    assert b"ERP-1" in b"".join(exported.streaming_content)
    assert client.get(listed).status_code == 200


def test_a_program_sends_a_document_and_fetches_the_answer(plant, client):
    client.force_login(Person.objects.get(username="ben"))
    ask_at, do_at = (f"/api/v1/b2mml/{name}?site_id={plant.site_id}" for name in ("plans", "documents"))
    content = a_schedule(a_request())
    plan = client.post(ask_at, content, content_type="application/xml").json()
    assert plan["counts"]["add"] == 1
    done = client.post(f"{do_at}&plan_sha256={plan['sha256']}", content, content_type="application/xml")
    assert done.status_code == 200
    back = client.get("/api/v1/b2mml/performance", {"site_id": plant.site_id, "request": "ERP-1"})
    assert b"ERP-1-R" in b"".join(back.streaming_content)
    wrong = client.post(do_at, content.replace(b">100<", b">x<"), content_type="application/xml")
    assert wrong.status_code == 422
    (path,) = wrong.json()["fields"]
    assert path.endswith("/OperationsRequest[1]/Priority")
    assert [row["outcome"] for row in client.get(do_at).json()] == ["refused", "applied"]
    nothing = client.get("/api/v1/b2mml/schedule", {"site_id": plant.site_id, "request": "NONE"})
    assert nothing.status_code == 409
