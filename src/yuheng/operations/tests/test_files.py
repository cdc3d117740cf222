"""Files of orders of any size: looked at, applied as that said, stopped, refused rows kept and tried again."""

from __future__ import annotations

import io
import random

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook

from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import CustomerOrder, CustomerOrderLine, JobOrder, OrderFile, Party
from yuheng.operations.selectors import files as shown
from yuheng.operations.services import files
from yuheng.operations.services.files import running
from yuheng.operations.services.files.running import Stopped
from yuheng.operations.tests.plant import AT, a_customer, a_plant, a_simple_product
from yuheng.people.models import Person

HEAD = "order,customer,customer_name,promised_at,priority,reference,material,quantity,unit\n"

pytestmark = pytest.mark.django_db


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    a_customer(plant)
    return plant


def give(plant, content, kind="orders", actor=None, name="orders.csv", size=700, **more):
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    return files.give_file(
        actor=actor or plant.ben, site_id=plant.site_id, kind=kind, file_name=name, pieces=pieces, at=AT, **more
    )


def apply(plant, row, **more):
    return files.apply_file(actor=plant.ben, file_id=row.pk, plan_sha256=row.plan_sha256, at=AT, **more)


def refused_of(plant, row):
    _name, pieces = shown.refused_file(actor=plant.ben, file_id=row.pk)
    return b"".join(pieces).decode("utf-8-sig")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_is_looked_at_first_and_then_does_exactly_that(plant, encoding):
    content = HEAD + "E1,HUA,,2026-12-20,100,甲,GEAR,3,\nE2,NEW,新客户,2026-12-21,,,GEAR,5,\nE1,HUA,,,,,GEAR,4,\n"
    row = give(plant, content.encode(encoding))
    assert (row.phase, row.rows_total, row.counts) == ("planned", 3, {"add": 2})
    told = OutboxEvent.objects.filter(kind__startswith="operations.Order")
    assert (CustomerOrder.objects.count(), told.count(), Party.objects.filter(code="NEW").count()) == (
        0, 0, 0,
    )  # fmt: skip
    done = apply(plant, row)
    assert (done.phase, done.trouble, done.rows_done) == ("applied", "", 3)
    order = CustomerOrder.objects.get(code="E1")
    assert [(line.position, line.quantity) for line in order.lines.all()] == [(1, 3), (2, 4)]
    assert (order.reference, order.priority) == ("甲", 100)
    assert Party.objects.get(code="NEW").name_zh == "新客户"
    assert {event.kind for event in told} == {"operations.OrderEntered"}
    assert sorted(event.payload["code"] for event in told) == ["E1", "E2"]
    assert AuditRecord.objects.filter(action="order.enter", object_kind="order").count() == 2
    assert AuditRecord.objects.filter(action="orders.imported").count() == 1
    again = give(plant, content.encode(encoding))
    assert again.counts == {"leave": 2}


def test_what_is_wrong_is_refused_with_a_sentence_and_kept_until_it_can_be_tried_again(plant):
    content = HEAD + (
        "E1,HUA,,2026-12-20,,,GEAR,3,\n"
        "E2,LATER,,2026-12-20,,,GEAR,3,\n"
        "E3,HUA,,2026-12-20,,,GEAR,3,kg\n"
        "E4,HUA,,2026-12-20,,,GEAR,3,\nE4,HUA,,2026-12-20,,,GEAR,3,\n"
        "E5,HUA,,2026-12-20,,,GEAR,3,\nE5,XIN,,2026-12-20,,,GEAR,4,\n"
        ",HUA,,2026-12-20,,,GEAR,3,\n"
        "E6,HUA,,,,,GEAR,3,\n"
    )
    row = give(plant, content.encode())
    assert row.counts == {"add": 1, "refuse": 6}
    assert row.refused_rows == 8
    said = {one.key: one.reason for one in shown.file_rows(actor=plant.ben, file_id=row.pk, action="refuse")}
    assert "LATER" in said["E2"]
    assert "kg" in said["E3"]
    assert "6" in said["E4"] and "5" in said["E4"]  # noqa: PT018
    assert "HUA" in said["E5"] and "XIN" in said["E5"]  # noqa: PT018
    assert set(said) == {"E2", "E3", "E4", "E5", "", "E6"}
    with pytest.raises(Conflict):
        apply(plant, row)
    assert CustomerOrder.objects.count() == 0
    apply(plant, row, leave_out_refused=True)
    assert list(CustomerOrder.objects.values_list("code", flat=True)) == ["E1"]
    refused = refused_of(plant, row).splitlines()
    assert len(refused) == 9
    assert refused[0].endswith("row,refused_because")
    a_customer(plant, "LATER")
    once_more = files.try_refused_again(actor=plant.ben, file_id=row.pk, at=AT)
    assert (once_more.replays_id, once_more.counts) == (row.pk, {"add": 1, "refuse": 5})
    apply(plant, once_more, leave_out_refused=True)
    assert CustomerOrder.objects.filter(code="E2").exists()
    with pytest.raises(Conflict):
        files.try_refused_again(
            actor=plant.ben, file_id=give(plant, (HEAD + "E9,HUA,,2026-12-20,,,GEAR,3,\n").encode()).pk, at=AT
        )


def test_a_dry_run_is_not_applied_when_something_changed_since(plant):
    row = give(plant, (HEAD + "E1,HUA,,2026-12-20,,,GEAR,3,\n").encode())
    Party.objects.filter(code="HUA").update(retired_at=AT)
    done = apply(plant, row)
    assert (done.phase, CustomerOrder.objects.count()) == ("planned", 0)
    assert done.trouble
    assert AuditRecord.objects.filter(action="orders.imported").count() == 0


def test_rows_of_an_order_may_stand_anywhere_and_lines_keep_their_own_promise(plant):
    lines = [f"E{n % 7},HUA,,2026-12-{20 + n % 3},,,GEAR,{n + 1},\n" for n in range(70)]
    row = give(plant, (HEAD + "".join(lines)).encode())
    assert row.counts == {"add": 7}
    apply(plant, row)
    order = CustomerOrder.objects.get(code="E3")
    assert [line.quantity for line in order.lines.all()] == [n + 1 for n in range(70) if n % 7 == 3]
    assert order.promised_at.isoformat().startswith("2026-12-22T15:59:59")
    assert {line.promised_at for line in order.lines.all()} - {None} != set()
    assert give(plant, (HEAD + "".join(lines)).encode()).counts == {"leave": 7}


def test_an_order_with_too_many_rows_is_refused_whole(plant):
    lines = [f"BIG,HUA,,2026-12-20,,,GEAR,{n + 1},\n" for n in range(2_345)]
    row = give(plant, (HEAD + "".join(lines) + "E1,HUA,,2026-12-20,,,GEAR,1,\n").encode())
    assert row.counts["add"] == 1
    assert row.refused_rows == 2_345
    assert len(refused_of(plant, row).splitlines()) == 2_346


def test_queries_do_not_grow_with_the_orders(plant):
    def asked(count):
        lines = [f"N{count}x{n},HUA,,2026-12-20,,,GEAR,{n + 1},\n" for n in range(count)]
        with CaptureQueriesContext(
            connection,
        ) as found:
            apply(plant, give(plant, (HEAD + "".join(lines)).encode(), size=1_000_000))
        return len(found)

    assert asked(500) == asked(50) <= 70


def test_a_workbook_of_dates_means_the_end_of_the_day(plant):
    from datetime import date  # noqa: PLC0415

    book = Workbook()
    for cells in (
        ["order", "customer", "promised_at", "material", "quantity"],
        ["X1", "HUA", date(2026, 12, 20), "GEAR", 3],
    ):
        book.active.append(cells)
    out = io.BytesIO()
    book.save(out)
    apply(plant, give(plant, out.getvalue(), name="orders.xlsx"))
    assert CustomerOrder.objects.get(code="X1").promised_at.isoformat() == "2026-12-20T15:59:59+00:00"


def test_many_orders_are_told_of_at_once(plant, monkeypatch):
    monkeypatch.setattr(running, "EACH_IS_TOLD", 10)
    lines = [f"M{n},HUA,,2026-12-20,,,GEAR,1,\n" for n in range(30)]
    apply(plant, give(plant, (HEAD + "".join(lines)).encode()))
    event = OutboxEvent.objects.get(kind__startswith="operations.Order")
    assert event.kind == "operations.OrdersImported"
    assert sorted(event.payload["order_ids"]) == sorted(CustomerOrder.objects.values_list("pk", flat=True))


@pytest.mark.parametrize(
    "content",
    [b"", b"x,y\n1,2\n", b"order,customer\nA,B\n", b"order,order,customer,material,quantity\nA,A,B,C,1\n",
     b"\x00\xff\x00", HEAD.encode() + b'"E1,HUA'],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(plant, content):
    if not content:
        with pytest.raises(InvalidInput):
            give(plant, content)
        return
    row = give(plant, content)
    assert (row.phase, bool(row.trouble), row.pieces.count()) == ("failed", True, 0)


@pytest.mark.parametrize("act", ["plan", "apply"])
def test_who_stops_a_file_finds_nothing_of_it_written(plant, monkeypatch, act):
    monkeypatch.setattr(files, "SMALL_BYTES", 0)  # the worker's
    lines = [f"S{n},HUA,,2026-12-20,,,GEAR,1,\n" for n in range(300)]
    row = give(plant, (HEAD + "".join(lines)).encode())
    assert row.phase == "waiting"
    if act == "apply":
        running.plan(row, at=AT, tells=False)
        apply(plant, row)
        row.refresh_from_db()
    calls = []

    def tell(done, total):
        calls.append((done, total))
        if len(calls) > 1:
            raise Stopped

    getattr(running, act)(row, at=AT, tells=False, tell=tell)
    row.refresh_from_db()
    assert (row.phase, CustomerOrder.objects.count(), row.pieces.count()) == ("cancelled", 0, 0)
    assert OutboxEvent.objects.filter(kind__startswith="operations.Order").count() == 0


@pytest.mark.django_db(transaction=True)
def test_the_worker_tells_how_far_it_is_and_hears_that_it_is_to_stop(plant, monkeypatch):
    monkeypatch.setattr(files, "SMALL_BYTES", 0)
    lines = [f"W{n},HUA,,2026-12-20,,,GEAR,1,\n" for n in range(300)]
    content = (HEAD + "".join(lines)).encode()
    row, other = give(plant, content), give(plant, content)
    files.cancel_file(actor=plant.ben, file_id=other.pk, at=AT)
    assert files.work_once(at=AT)
    row.refresh_from_db()
    assert (row.phase, row.rows_done, row.rows_total) == ("planned", 300, 300)
    apply(plant, row)
    assert files.work_once(at=AT)
    assert files.work_once(at=AT)
    assert not files.work_once(at=AT)
    row.refresh_from_db()
    other.refresh_from_db()
    assert (row.phase, other.phase, CustomerOrder.objects.count()) == ("applied", "cancelled", 300)
    assert CustomerOrderLine.objects.count() == 300


def test_who_may_not_enter_orders_gives_no_file_and_sees_none(plant):
    content = (HEAD + "E1,HUA,,2026-12-20,,,GEAR,3,\n").encode()
    with pytest.raises(PermissionRefused):
        give(plant, content, actor=plant.ana)
    row = give(plant, content)
    for act in (
        lambda: shown.order_file(actor=plant.ana, file_id=row.pk),
        lambda: files.cancel_file(actor=plant.ana, file_id=row.pk, at=AT),
        lambda: files.apply_file(actor=plant.ana, file_id=row.pk, plan_sha256=row.plan_sha256, at=AT),
    ):
        with pytest.raises((PermissionRefused, NotVisible)):
            act()
    assert OrderFile.objects.get().phase == "planned"


def test_an_event_log_is_looked_at_and_written(plant):
    chance = random.Random(3)
    rows = ["order;operation;machine;start;end;quantity"]
    for order in range(5):
        for step, machine in enumerate(("M1", "M2")):
            at = f"2026-11-0{order + 1} {8 + 2 * step:02d}:00:00"
            end, pieces = f"2026-11-0{order + 1} {9 + 2 * step:02d}:30:00", chance.randrange(1, 9)
            rows.append(f"L{order};Step {step};{machine};{at};{end};{pieces}")
    rows.append("L9;Step 0;M1;nonsense;;1")
    row = give(plant, "\n".join(rows).encode(), kind="log", name="log.csv", actor=_everything(plant))
    assert row.phase == "planned", row.trouble
    assert row.report["orders"] == 5
    assert row.refused_rows == row.report["rejected"] == 1
    done = files.apply_file(
        actor=_everything(plant), file_id=row.pk, plan_sha256=row.plan_sha256, leave_out_refused=True, at=AT
    )
    assert done.phase == "applied", done.trouble
    assert done.report["written"]
    assert JobOrder.objects.filter(state="ended").count() == 10


def _everything(plant):
    from yuheng.testing.builders import SYSTEM  # noqa: PLC0415

    return SYSTEM


def test_pages_take_a_file_show_it_and_do_it(plant, client: Client):
    client.force_login(Person.objects.get(username="ben"))
    page = client.get("/orders/files")
    assert page.status_code == 200
    file = io.BytesIO((HEAD + "P1,HUA,,2026-12-20,,,GEAR,3,\nP2,NOBODY,,2026-12-20,,,GEAR,3,\n").encode())
    file.name = "orders.csv"
    answer = client.post("/orders/files", {"kind": "orders", "file": file})
    assert answer.status_code == 302
    place = answer["Location"]
    shown_page = client.get(place)
    assert b"NOBODY" in shown_page.content
    row = OrderFile.objects.get()
    assert client.get(f"{place}/progress").json() == {"is_moving": False, "done": 2, "total": 2}
    assert client.post(place, {"plan_sha256": row.plan_sha256}).status_code == 422
    assert client.post(place, {"plan_sha256": row.plan_sha256, "leave_out_refused": "1"}).status_code == 302
    assert CustomerOrder.objects.get().code == "P1"
    assert b"NOBODY" in b"".join(client.get(f"{place}/refused").streaming_content)
    answer = client.post(place, {"act": "replay"})
    assert OrderFile.objects.count() == 2
    assert client.post(answer["Location"], {"act": "cancel"}).status_code == 302
    assert client.get("/orders/files").status_code == 200


def test_the_api_takes_a_file_as_it_is(plant, client: Client):
    client.force_login(Person.objects.get(username="ben"))
    content = (HEAD + "A1,HUA,,2026-12-20,,,GEAR,3,\n").encode("gb18030")
    made = client.post(
        f"/api/v1/order-files?site_id={plant.site_id}&kind=orders&name=a.csv", content, "application/octet-stream"
    ).json()
    assert (made["phase"], made["counts"]) == ("planned", {"add": 1})
    place = f"/api/v1/order-files/{made['id']}"
    assert client.get(f"{place}/rows").json()[0]["key"] == "A1"
    done = client.post(f"{place}/apply", {"plan_sha256": made["plan_sha256"]}, "application/json").json()
    assert done["phase"] == "applied"
    assert client.post(f"{place}/cancel").status_code == 409
    assert client.get(f"{place}/refused").status_code == 404
    assert client.get(f"/api/v1/order-files?site_id={plant.site_id}").json()[0]["id"] == made["id"]
