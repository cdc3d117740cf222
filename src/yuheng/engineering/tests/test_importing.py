"""Files of products: a dry run first, then exactly that; refusals name row and reason and leave nothing behind."""

import gc
import io
from collections import Counter

import openpyxl
import pytest
from django.test import Client

from yuheng.engineering import importing, selectors
from yuheng.engineering.importing.files import RawRow
from yuheng.engineering.importing.planning import BATCH, Outcome, steps
from yuheng.engineering.models import BomVersion, ImportPiece, MaterialDefinition, ProductImport, WorkMasterVersion
from yuheng.engineering.rules import MaterialSpec
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site, an_actor_with, an_equipment_class
from yuheng.testing.products import a_bom, a_line, a_material, a_product

pytestmark = pytest.mark.django_db
AT = SHIFT_START


def sent(text, kind="materials", name="file.csv", encoding="utf-8", actor=SYSTEM):
    content = text if isinstance(text, bytes) else text.encode(encoding)
    pieces = [content[at : at + 7] for at in range(0, len(content), 7)]  # cut anywhere, inside characters too
    return importing.upload(actor=actor, site_id=a_site().pk, kind=kind, file_name=name, pieces=pieces, at=AT)


def told(row):
    rows = selectors.import_rows(actor=SYSTEM, import_id=row.pk)
    return {one.line: (one.action, one.reason) for one in rows}


def applied(row, **more):
    return importing.apply_planned(actor=SYSTEM, import_id=row.pk, plan_sha256=row.plan_sha256, at=AT, **more)


MATERIALS = "code,name_zh,name_en,unit,source,tracking,conversions\n"


def test_materials_are_planned_then_written():
    a_material("old")
    row = sent(MATERIALS + "new,新,New,kg,buy,lot,m = 2.5\nold,件,Part old,,,,\n")
    assert row.phase == "planned"
    assert told(row)[2][0] == "add"
    assert told(row)[3][0] == "change"
    assert not MaterialDefinition.objects.filter(code="new").exists()
    assert applied(row).phase == "applied"
    new = selectors.material_by_code(actor=SYSTEM, site_id=a_site().pk, code="new")
    assert (new.unit, new.tracking, {unit: str(size) for unit, size in new.conversions.items()}) == (
        "kg",
        "lot",
        {"m": "2.5"},
    )
    assert not ImportPiece.objects.exists()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,甲,A,°C,buy,none,", "'°C' is not a UCUM unit; write 'Cel'."),
        ("a,甲,A,furlong,buy,none,", "'furlong' is not a UCUM unit."),
        ("a,甲,A,kg,steal,none,", "source: 'steal' is none of: make, buy, phantom."),
        ("two words,甲,A,kg,buy,none,", "A code has letters, digits and . _ / + - only, at most 60."),
        ("a,,,kg,buy,none,", "Give the name in both languages."),
        ("a,甲,A,kg,buy,none,m", "conversions: 'm' is written like this: width = opening / 2"),
    ],
)
def test_a_row_that_cannot_be_is_refused_alone(line, reason):
    row = sent(MATERIALS + f"{line}\nb,乙,B,kg,buy,none,\n")
    assert told(row) == {2: ("refuse", reason), 3: ("add", "")}
    with pytest.raises(Conflict, match="Some rows are refused"):
        applied(row)
    assert not MaterialDefinition.objects.exists()
    applied(row, leave_out_refused=True)
    assert [one.code for one in MaterialDefinition.objects.all()] == ["b"]


def test_a_material_that_stands_twice_is_refused_the_second_time():
    row = sent(MATERIALS + "a,甲,A,kg,buy,none,\na,乙,B,kg,buy,none,\n")
    assert told(row)[3] == ("refuse", "This material stands in the file already.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_files_are_read_as_spreadsheets_in_china_write_them(encoding):
    applied(sent(MATERIALS + "a,镀锌钢板,Sheet,kg,buy,none,\n", encoding=encoding))
    assert MaterialDefinition.objects.get().name_zh == "镀锌钢板"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Choose a file first."),
        (b"\xff\xfea", "The file is not text in UTF-8 or GB18030."),
        (b"a\x00b,c\n", "The file is not text in UTF-8 or GB18030."),
        (b"cde,name_zh\nx,y\n", "There is no column 'cde'; did you mean 'code'?"),
        (b"code,code\nx,y\n", "Columns stand twice: code."),
        (b'code,name_zh\n"x,y\n', "Row 2 is not CSV: unexpected end of data."),
        (b"code\nx,y\n", "Row 2 has more cells than the first row."),
    ],
)
def test_a_file_that_is_no_table_says_so(content, sentence):
    if not content:
        with pytest.raises(InvalidInput, match=sentence):
            sent(content)
        return
    row = sent(content)
    assert (row.phase, row.trouble) == ("failed", sentence)


def test_a_workbook_is_read():
    book = openpyxl.Workbook()
    book.active.append(["code", "name_zh", "name_en", "unit"])
    book.active.append(["a", "甲", "A", "kg"])
    out = io.BytesIO()
    book.save(out)
    assert told(sent(out.getvalue(), name="a.xlsx")) == {2: ("add", "")}
    assert sent(b"PK\x03\x04 no", name="a.xlsx").trouble == "The file is no XLSX workbook."


def test_bills_are_taken_or_refused_material_by_material():
    for code in ("P", "Q"):
        a_material(code, source="make")
    a_material("bolt")
    text = (
        "material,find_number,component,quantity,scrap\n"
        "P,10,bolt,4,3%\nP,20,bolt,2,\nQ,10,bolt,1,\nQ,20,nut,1,\nR,10,bolt,1,\nP,30,bolt,1,\n"
    )
    row = sent(text, kind="boms")
    assert told(row) == {
        2: ("add", ""),
        3: ("add", ""),
        4: ("refuse", "Another row of this material is refused."),
        5: ("refuse", "component: There is no material nut at this plant."),
        6: ("refuse", "There is no material R at this plant."),
        7: ("refuse", "The rows of one material stand together; sort the file."),
    }
    applied(row, leave_out_refused=True)
    assert [(one.material.code, one.lines.count(), one.state) for one in BomVersion.objects.all()] == [
        ("P", 2, "draft")
    ]


def test_a_changed_bill_changes_its_draft_or_makes_the_next_version():
    product = a_product("P", a_line("10", "bolt", "2"))
    row = sent("material,find_number,component,quantity\nP,10,bolt,3\n", kind="boms")
    assert told(row)[2][0] == "add"
    applied(row)
    assert BomVersion.objects.get(number=2).lines.get().quantity == "3"
    again = sent("material,find_number,component,quantity\nP,10,bolt,4\n", kind="boms")
    assert told(again)[2][0] == "change"
    applied(again)
    assert BomVersion.objects.filter(material=product).count() == 2


def test_routings_are_imported_with_their_links():
    a_material("P", source="make")
    an_equipment_class("press")
    text = (
        "material,code,name_en,equipment_class,run_time,after\n"
        "P,10,Cut,press,60,\nP,20,Weld,press,\"quantity(2, 'min')\",10\nP,30,Fit,press,60,10; 20 +5\n"
    )
    applied(sent(text, kind="routings"))
    version = WorkMasterVersion.objects.get()
    spec = selectors.work_master_version(actor=SYSTEM, version_id=version.pk).spec
    assert [(one.before, one.after, one.lag_s) for one in spec.whole_links()] == [
        ("10", "20", 0.0),
        ("10", "30", 0.0),
        ("20", "30", 5.0),
    ]


def test_what_is_exported_changes_nothing_when_it_is_imported_again():
    product = a_product("P", a_line("10", "bolt", "2 * 3"), a_line("20", a_material("w", unit="kg"), "1", unit="g"))
    a_bom(product, a_line("5", "bolt", "1", note='a "quoted", note'), release=False)
    client = Client()
    client.force_login(a_person("lin"))
    for kind in importing.KINDS:
        answer = client.get(f"/products/sites/{a_site().pk}/export/{kind}.csv")
        content = b"".join(answer.streaming_content)
        row = sent(content, kind=kind)
        assert set(row.counts) == {"unchanged"}, (kind, told(row))


def test_products_that_changed_since_the_dry_run_are_not_written():
    row = sent(MATERIALS + "a,甲,A,kg,buy,none,\n")
    a_material("a")
    assert applied(row).phase == "planned"
    row.refresh_from_db()
    assert "changed since the dry run" in row.trouble
    assert MaterialDefinition.objects.get().name_zh == "a 件"


def test_a_file_needs_its_permission():
    with pytest.raises(PermissionRefused):
        sent(MATERIALS, actor=an_actor_with("engineering.view"))
    assert not ProductImport.objects.exists()


def test_a_large_file_is_planned_and_applied_by_the_worker(monkeypatch):
    monkeypatch.setattr(importing, "SMALL_BYTES", 10)
    row = sent(MATERIALS + "".join(f"m{n},件,Part,kg,buy,none,\n" for n in range(2500)))
    assert row.phase == "waiting"
    assert importing.work_once(at=AT)
    row.refresh_from_db()
    assert (row.phase, row.rows_total, row.counts) == ("planned", 2500, {"add": 2500})
    row = applied(row)
    assert row.phase == "applying"
    assert importing.work_once(at=AT)
    assert not importing.work_once(at=AT)
    assert MaterialDefinition.objects.count() == 2500


def test_a_long_file_does_not_fill_the_memory():
    """When its last row is read, no more than the batch before it is still held of all that was read and decided."""
    count, held, kinds = 20_000, Counter(), {RawRow, Outcome, MaterialSpec}

    def raw():
        for n in range(count):
            yield RawRow(n, {"code": f"m{n}", "name_en": "Part", "unit": "kg"})
        gc.collect()
        held.update(type(one).__name__ for one in gc.get_objects() if type(one) in kinds)

    assert sum(len(step.outcomes) for step in steps("materials", a_site().pk, raw())) == count
    assert set(held) == {kind.__name__ for kind in kinds}
    assert max(held.values()) <= 2 * BATCH


def test_the_pages_of_an_import():
    client = Client()
    client.force_login(a_person("lin"))
    client.cookies["django_language"] = "en"
    address = f"/products/sites/{a_site().pk}/import"
    assert client.get(address).status_code == 200
    assert client.post(address, {"kind": "materials"}).status_code == 422
    file = io.BytesIO((MATERIALS + "a,甲,A,kg,buy,none,\nb,乙,B,°C,buy,none,\n").encode())
    file.name = "m.csv"
    answer = client.post(address, {"kind": "materials", "file": file})
    page = client.get(answer["Location"])
    assert "write &#x27;Cel&#x27;" in page.content.decode()
    row = ProductImport.objects.get()
    assert client.get(f"{answer['Location']}/progress").json() == {"is_moving": False, "done": 2, "total": 2}
    assert client.post(answer["Location"], {"plan_sha256": row.plan_sha256}).status_code == 422
    done = client.post(answer["Location"], {"plan_sha256": row.plan_sha256, "leave_out_refused": "1"})
    assert done.status_code == 302
    assert MaterialDefinition.objects.count() == 1
