"""Orders and stock from files: the dry run says it, applying does exactly that, and what is wrong is refused by row."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from openpyxl import Workbook

from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.operations.models import CustomerOrder, Party, StockBalance
from yuheng.operations.services.imports import ImportKind, apply_import, plan_import
from yuheng.operations.tests.plant import AT, a_customer, a_plant, a_simple_product

pytestmark = pytest.mark.django_db

ORDERS = """order,customer,customer_name,promised_at,priority,material,quantity,unit,options
E1,HUA,,2026-12-20,100,GEAR,3,,
E1,HUA,,,,GEAR,4,,
E2,NEW,新客户,2026-12-21T08:00,,GEAR,5,,
E3,NOBODY,,2026-12-21,,GEAR,5,,
E4,HUA,,2026-12-21,,NOTHING,5,,
E5,HUA,,2026-12-21,,GEAR,5,kg,
E6,HUA,,someday,,GEAR,5,,
E7,HUA,,2026-12-21,,GEAR,minus,,
"""


@pytest.fixture
def plant():
    plant = a_plant()
    a_simple_product(plant)
    a_customer(plant)
    return plant


def ask(plant, content, kind=ImportKind.ORDERS, actor=None):
    return plan_import(actor=actor or plant.ben, site_id=plant.site_id, kind=kind, content=content, at=AT)


def do(plant, content, plan, kind=ImportKind.ORDERS, **more):
    actor = plant.ben if kind is ImportKind.ORDERS else plant.ana
    return apply_import(
        actor=actor, site_id=plant.site_id, kind=kind, content=content, plan_sha256=plan.sha256, at=AT, **more
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_file_of_orders_is_refused_row_by_row_and_the_rest_is_entered(plant, encoding):
    content = ORDERS.encode(encoding)
    before = (OutboxEvent.objects.count(), AuditRecord.objects.count())
    plan = ask(plant, content)
    assert plan.counts == {"add": 2, "change": 0, "leave": 0, "refuse": 5}
    refused = {row.key: row.reason for row in plan.rows if row.action == "refuse"}
    assert set(refused) == {"E3", "E4", "E5", "E6", "E7"}
    assert "NOBODY" in refused["E3"]
    assert "NOTHING" in refused["E4"]
    assert CustomerOrder.objects.count() == 0
    assert (OutboxEvent.objects.count(), AuditRecord.objects.count()) == before
    with pytest.raises(Conflict):
        do(plant, content, plan)
    assert CustomerOrder.objects.count() == 0
    done = do(plant, content, plan, leave_out_refused=True)
    assert done.counts == plan.counts
    first = CustomerOrder.objects.get(code="E1")
    assert [line.quantity for line in first.lines.all()] == [Decimal(3), Decimal(4)]
    assert first.promised_at.isoformat() == "2026-12-20T15:59:59+00:00"
    assert Party.objects.get(code="NEW").name_zh == "新客户"
    again = ask(plant, content)
    assert again.counts["leave"] == 2
    changed = ask(plant, ORDERS.replace("GEAR,4", "GEAR,9").encode(encoding))
    assert changed.counts["change"] == 1


def test_a_workbook_is_read_as_a_file_is(plant):
    book = Workbook()
    sheet = book.active
    for row in (["order", "customer", "promised_at", "material", "quantity"], ["X1", "HUA", "2026-12-20", "GEAR", 3]):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    assert ask(plant, out.getvalue()).counts["add"] == 1


def test_stock_of_one_file_is_received_once(plant):
    content = b"material;lot;quantity;unit\nSTEEL;H1;5;kg\nSTEEL;H2;7;t\nSTEEL;H3;-1;\nSTEEL;H4;2;m\n"
    plan = ask(plant, content, ImportKind.STOCK, plant.ana)
    assert [row.action for row in plan.rows] == ["add", "add", "refuse", "refuse"]
    do(plant, content, plan, ImportKind.STOCK, leave_out_refused=True)
    assert sorted(StockBalance.objects.values_list("quantity", flat=True)) == [Decimal(5), Decimal(7000)]
    again = ask(plant, content, ImportKind.STOCK, plant.ana)
    assert again.counts == {"add": 0, "change": 0, "leave": 2, "refuse": 2}


def test_a_file_that_cannot_be_read_says_why(plant):
    for content in (
        b"",
        b"x,y\n1,2\n",
        b"order,customer\nA,B\n",
        b"PK\x03\x04nonsense",
        b"order,order,customer,material,quantity\n",
    ):
        with pytest.raises(InvalidInput):
            ask(plant, content)


def test_who_may_not_enter_orders_may_not_import_them(plant):
    with pytest.raises(PermissionRefused):
        ask(plant, ORDERS.encode(), actor=plant.ana)
