"""The same work, written in every way, is the same plant."""

from __future__ import annotations

import gzip
import json

import openpyxl
import pytest

from yuheng.engines.eventlog import DateOrder, LogError
from yuheng.engines.eventlog.tests import logs
from yuheng.engines.eventlog.tests.logs import issues, look


@pytest.fixture
def done():
    return logs.a_plant_s_work()


def check(told, *, operations=18, orders=6, machines=3):
    assert (told["orders"], told["operations"], told["resources"], told["rejected"]) == (
        orders,
        operations,
        machines,
        0,
    )


CHINESE = "工单号,工序名称,设备编号,操作员,开始时间,结束时间,计划数量,合格数,报废数"
LEVY = (
    "Case ID,Activity,Resource,Worker ID,Start Timestamp,Complete Timestamp,Work Order  Qty,Qty Completed,Qty Rejected"
)
SHOP = "Auftragsnummer,Arbeitsgang,Maschine,Bediener,Startzeit,Endzeit,Menge,Gutmenge,Ausschuss"


@pytest.mark.parametrize("heading", [CHINESE, LEVY, SHOP])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_in_languages_encodings_and_dialects(tmp_path, done, heading, encoding, delimiter):
    path = logs.as_csv(tmp_path / "log.csv", done, heading=heading, encoding=encoding, delimiter=delimiter)
    told = look(path)
    check(told)
    assert told["persons"] == 2
    [routing] = told["routings"]
    assert [(one["operation"], one["median_s"]) for one in routing["segments"]] == [
        ("Saw", 60),
        ("Turn", 120),
        ("Check", 30),
    ]
    assert routing["links"] == [["Saw", "Turn"], ["Turn", "Check"]]


@pytest.mark.parametrize(
    "form",
    [
        "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y年%m月%d日 %H:%M:%S",
        "%Y%m%dT%H%M%S", "%d-%b-%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S.000", "%B %d, %Y %H:%M:%S", "%Y-%m-%d %H:%M:%S+08:00",
    ],
)  # fmt: skip
def test_dates_are_read_however_they_are_written(tmp_path, form):
    done = logs.a_plant_s_work(orders=90)  # fifteen days: some are above twelve
    told = look(logs.as_csv(tmp_path / "log.csv", done, form=form))
    check(told, operations=270, orders=90)
    wanted = "2026-03-02T00:00" if "+08" in form else "2026-03-02T08:00"
    assert told["first"].startswith(wanted)
    assert told["routings"][0]["segments"][1]["median_s"] == 120


def test_day_and_month_that_cannot_be_told_apart_are_said_and_can_be_given(tmp_path):
    done = logs.a_plant_s_work(orders=3)
    path = logs.as_csv(tmp_path / "log.csv", done, form="%m/%d/%Y %H:%M")
    assert "ambiguous_dates" in issues(look(path))
    told = look(path, dates=DateOrder.MONTH_FIRST)
    assert told["first"].startswith("2026-03-02")
    assert "ambiguous_dates" not in issues(told)


def test_the_zone_is_where_clocks_without_an_offset_hang(tmp_path, done):
    path = logs.as_csv(tmp_path / "log.csv", done)
    assert look(path, zone="Asia/Shanghai")["first"].startswith("2026-03-02T00:00:00")
    assert "no_zone" in issues(look(path))


def test_serials_of_a_spreadsheet_are_times(tmp_path, done):
    path = tmp_path / "log.csv"
    rows = ["order,operation,start,end"]
    for one in done:
        serials = [(at - logs.START).total_seconds() / 86_400 + 46083.5 for at in (one.start, one.end)]
        rows.append(f"{one.order},{one.operation},{serials[0]:.8f},{serials[1]:.8f}")
    path.write_text("\n".join(rows))
    told = look(path)
    check(told, machines=0)
    assert told["routings"][0]["segments"][0]["median_s"] == pytest.approx(600, abs=0.1)


def test_a_workbook_with_a_title_above_and_another_sheet_before(tmp_path, done):
    book = openpyxl.Workbook()
    book.active.append(["Legend", "nothing"])
    sheet = book.create_sheet("报工")
    sheet.append(["报工记录 2026-03"])
    sheet.append([])
    sheet.append(CHINESE.split(","))
    for one in done:
        naive = (one.start.replace(tzinfo=None), one.end.replace(tzinfo=None))
        sheet.append([one.order, one.operation, one.machine, one.operator, *naive, one.quantity, one.quantity, 0])
    book.save(tmp_path / "log.xlsx")
    check(look(tmp_path / "log.xlsx"))


@pytest.mark.parametrize("packed", [False, True])
def test_xes_pairs_starts_and_ends(tmp_path, done, packed):
    told = look(logs.as_xes(tmp_path / "log.anything", done, packed=packed))
    check(told)
    assert told["format"] == "xes"
    assert told["routings"][0]["segments"][1]["median_s"] == 1200


@pytest.mark.parametrize("write", [logs.as_ocel_json, logs.as_ocel_xml, logs.as_ocel_sqlite])
def test_object_centric_logs_have_orders_and_machines(tmp_path, done, write):
    told = look(write(tmp_path / "log", done))
    check(told)
    assert "only_end_times" in issues(told)
    assert [one["operation"] for one in told["routings"][0]["segments"]] == ["Saw", "Turn", "Check"]


def test_the_type_of_objects_that_are_orders_can_be_named(tmp_path, done):
    told = look(logs.as_ocel_json(tmp_path / "log", done), order_type="machine")
    assert told["orders"] == 3
    with pytest.raises(LogError, match="Work Order, Machine"):
        look(logs.as_ocel_json(tmp_path / "log", done), order_type="pallet")


def test_records_in_json_and_a_packed_table(tmp_path, done):
    rows = [
        {
            "order": d.order,
            "op": d.operation,
            "on": {"machine": d.machine},
            "start": d.start.isoformat(),
            "end": d.end.isoformat(),
        }
        for d in done
    ]
    (tmp_path / "list.json").write_text(json.dumps(rows))
    (tmp_path / "lines.json").write_text("\n".join(map(json.dumps, rows)))
    check(look(tmp_path / "list.json"))
    check(look(tmp_path / "lines.json"))
    table = logs.as_csv(tmp_path / "log.csv", done).read_bytes()
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(table))
    check(look(tmp_path / "log.csv.gz"))


def test_columns_without_known_names_are_told_by_their_content_or_by_somebody(tmp_path, done):
    path = tmp_path / "log.csv"
    path.write_text(
        "\n".join(["a,b,c,d", *(f"{d.order},{d.operation},{d.start.isoformat()},{d.end.isoformat()}" for d in done)])
    )
    told = look(path)
    check(told, machines=0)
    assert issues(told)["guessed_column"] == 4
    told = look(path, given={"order": "a", "operation": "b", "start": "c", "end": "d"})
    assert "guessed_column" not in issues(told)
    with pytest.raises(LogError, match="There is no column 'z'"):
        look(path, given={"order": "z"})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "empty"),
        (b"x,y\n1,2\n", "Columns: x, y"),
        (b"order,operation\nA,B\n", "times"),
        (b"%PDF-1.7", "no event log"),
        (b"<html><body/></html>", "neither XES nor OCEL"),
        (b"<log><trace>", "no whole XML"),
        (b'{"events": [', "no whole JSON"),
        (b"SQLite format 3\x00 and nothing else", "cannot be read"),
        (b"\x1f\x8b\x08\x00broken", "not whole"),
        (b"PK\x03\x04broken", "not whole"),
        (b"\xd0\xcf\x11\xe0old", ".xlsx"),
    ],
)
def test_what_is_no_log_is_refused_with_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(LogError, match=sentence):
        look(path)


def test_a_document_type_is_refused_before_anything_is_read_from_it(tmp_path, done):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    head = f'<!DOCTYPE log [<!ENTITY a SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(LogError, match="DOCTYPE"):
        look(logs.as_xes(tmp_path / "log.xes", done, head=head))
