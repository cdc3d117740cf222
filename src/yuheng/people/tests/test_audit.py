"""The audit trail: filters, files, and that a long one is read by its indexes."""

import csv
import io

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from openpyxl import load_workbook

from yuheng.kernel.models import AuditRecord
from yuheng.people import exporting, selectors
from yuheng.people.selectors import AuditFilter
from yuheng.testing.builders import SHIFT_START, a_person, a_site, an_actor, another_site

pytestmark = pytest.mark.django_db


def said(action: str = "device.rotate", *, actor: str = "lin", site=None, kind="device", which="1", **detail) -> None:
    AuditRecord.objects.create(
        at=SHIFT_START,
        actor_kind="person",
        actor_name=actor,
        action=action,
        site=site or a_site(),
        object_kind=kind,
        object_id=which,
        detail=detail,
    )


def found(**wanted) -> list[str]:
    page = selectors.audit_trail(actor=an_actor("zhao"), wanted=AuditFilter(**wanted))
    return [row.object_id for row in page.rows]


@pytest.mark.parametrize(
    "text",
    ["edge", "edge-laser", "EDGE-LA", "laser", "激光", "光切", "激光切割机 edge", "3.5", "device.rot", "zq"],
)
def test_the_words_of_a_record_are_found_by_their_beginnings_and_chinese_anywhere(text):
    said(which="7", username="edge-laser", name_zh="大族激光切割机", value=3.5, zq="x")
    said(which="8", username="other")
    expected = ["8", "7"] if text == "device.rot" else ["7"]
    assert found(text=text) == expected


@pytest.mark.parametrize("text", ["光激", "edge-lazer", "'; DROP TABLE x; --", "!", "&|!()", "激光 other", "\\"])
def test_what_was_not_said_is_not_found_and_nothing_breaks(text):
    said(which="7", username="edge-laser", name_zh="大族激光切割机")
    assert found(text=text) == []


def test_each_filter_narrows():
    said(which="1")
    said("people.created", which="2", kind="person")
    said(which="3", actor="ben")
    assert found(who="LI") == ["2", "1"]
    assert found(action="people.") == ["2"]
    assert found(object_kind="device", object_id="3") == ["3"]
    assert found(object_kind="device", who="ben", text="rotate") == ["3"]
    assert found(site_id=a_site().pk, action="device") == ["3", "1"]


def test_another_sites_records_are_neither_shown_nor_exported():
    said(which="mine")
    said(which="theirs", site=another_site(), secret="hidden")
    client = Client()
    client.force_login(a_person("zhao"))
    for name in ("people:audit", "people:audit_csv", "people:audit_xlsx"):
        answer = client.get(reverse(name))
        assert answer.status_code == 200
        assert b"theirs" not in answer.content
    rows = load_workbook(io.BytesIO(client.get(reverse("people:audit_xlsx")).content)).active.iter_rows(
        values_only=True
    )
    assert "theirs" not in {row[7] for row in rows}


def test_a_file_holds_what_the_filter_finds_and_that_it_was_taken_is_recorded():
    said(which="1", name="大族", note='a "quoted", one\nwith lines')
    said(which="2", kind="person")
    client = Client()
    client.force_login(a_person("zhao"))
    answer = client.get(reverse("people:audit_csv"), {"object_kind": "device"})
    assert answer["Content-Disposition"].startswith('attachment; filename="audit-')
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["object_id"] for row in rows] == ["1"]
    assert "大族" in rows[0]["detail"]
    assert rows[0]["at"].endswith("+08:00")
    record = AuditRecord.objects.latest("id")
    assert (record.action, record.actor_name) == ("people.audit_exported", "zhao")
    assert record.detail["filter"] == {"object_kind": "device"}


def test_who_may_not_read_the_trail_gets_no_file():
    said()
    client = Client()
    client.force_login(a_person("ana"))
    before = AuditRecord.objects.count()
    for name in ("people:audit_csv", "people:audit_xlsx"):
        assert client.get(reverse(name)).status_code == 403
    assert AuditRecord.objects.count() == before


def test_a_file_is_bounded_and_read_in_pieces():
    site = a_site()
    AuditRecord.objects.bulk_create(
        AuditRecord(at=SHIFT_START, actor_kind="person", actor_name="n", action="a", site=site) for _ in range(4_500)
    )
    actor = an_actor("zhao")
    rows = list(selectors.audit_rows(actor=actor, wanted=AuditFilter(), most=4_200))
    assert len(rows) == len({row.id for row in rows}) == 4_200
    assert rows[0].id - rows[-1].id == 4_199


def test_nothing_that_was_typed_becomes_a_formula():
    said(which="=HYPERLINK(1)", actor="@sum", note="x")
    client = Client()
    client.force_login(a_person("zhao"))
    book = load_workbook(io.BytesIO(client.get(reverse("people:audit_xlsx")).content))
    row = list(book.active.iter_rows(values_only=True))[1]
    assert row[2] == "'@sum"
    assert row[7] == "'=HYPERLINK(1)"
    assert exporting.harmless("+1") == "'+1"


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({"object_kind": "device", "object_id": "777"}, "audit_by_object"),
        ({"who": "rare"}, "audit_by_actor"),
        ({"action": "rare.action"}, "audit_by_action"),
        ({"text": "needle"}, "audit_words"),
    ],
)
def test_a_long_trail_is_read_by_an_index(wanted, index):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kernel_auditrecord (at, site_id, actor_kind, actor_name, impersonator, action, object_kind, "
            "object_id, detail) SELECT now(), %s, 'person', 'usual', '', 'usual.action', 'device', n::text, "
            "jsonb_build_object('n', n) FROM generate_series(1, 20000) n",
            [a_site().pk],
        )
        said("rare.action", actor="rare", which="x", note="needle in a haystack")
        cursor.execute("ANALYZE kernel_auditrecord")
        from yuheng.people.selectors.audit import _matching  # noqa: PLC0415 - the query itself is what is looked at

        plan = _matching(an_actor("zhao"), AuditFilter(**wanted))[:51].explain()
    assert index in plan, plan
