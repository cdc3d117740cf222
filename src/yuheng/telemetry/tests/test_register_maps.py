"""Register maps: from a manufacturer's file to tags, by way of the dry run."""

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from yuheng.equipment import services as equipment
from yuheng.equipment.importing import Action
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.models import DataSource, Tag
from yuheng.telemetry.services import sources
from yuheng.telemetry.services.register_maps import upload_register_map
from yuheng.testing.builders import SYSTEM, a_person, a_site

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)

MAP = (
    "从站号,功能码,寄存器地址,数据类型,字节序,倍率,单位,名称,周期\n"
    "1,03,100,浮点数,cdab,,℃,炉温,\n"
    "\n"
    "1,03,10,整数,,0.1,kPa,压力,10\n"
    "1,03,ten,整数,,,,坏行,\n"
    "1,03,12,整数,,,furlong,坏单位,\n"
    "1,03,100,浮点数,cdab,,℃,重复,\n"
)


def a_modbus_source(**settings):
    return sources.create_source(
        actor=SYSTEM,
        site_id=a_site().pk,
        code="plc1",
        connector="modbus",
        topics=[],
        settings={"host": "127.0.0.1", **settings},
        at=AT,
    )


def upload(source, text=MAP, encoding="utf-8-sig", **more):
    return upload_register_map(
        actor=SYSTEM, source_id=source.pk, file_name="map.csv", content=text.encode(encoding), at=AT, **more
    )


def apply(import_id, plan):
    return equipment.apply_upload(
        actor=SYSTEM, import_id=import_id, plan_sha256=plan.sha256(), leave_out_refused=True, at=AT
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_each_line_is_planned_alone_and_found_where_it_stands(encoding):
    _, plan = upload(a_modbus_source(), encoding=encoding)
    assert [(row.where, row.action) for row in plan.rows] == [
        ("row 2", Action.ADD),
        ("row 4", Action.ADD),
        ("row 5", Action.REFUSE),
        ("row 6", Action.REFUSE),
        ("row 7", Action.REFUSE),
    ]
    reasons = [row.reason for row in plan.rows if row.reason]
    assert "ten" in reasons[0]
    assert "furlong" in reasons[1]
    assert "line 2" in reasons[2]
    assert not Tag.objects.exists()


def test_what_is_applied_is_tags_with_units_scales_and_rhythms():
    source = a_modbus_source(every_s=1)
    apply(*upload(source))
    oven, pressure = Tag.objects.order_by("-address")[0:2]
    tags = {tag.address: tag for tag in Tag.objects.all()}
    assert set(tags) == {"1:holding:100:float32:cdab", "1:holding:10:int16"}
    oven, pressure = tags["1:holding:100:float32:cdab"], tags["1:holding:10:int16"]
    assert (oven.unit, oven.name_zh, oven.data_type) == ("Cel", "炉温", "float")
    assert (pressure.scale, pressure.unit, pressure.data_type) == (0.1, "kPa", "float")
    assert DataSource.objects.get().settings["rates"] == [{"every_s": 10.0, "addresses": ["1:holding:10"]}]


def test_the_same_map_again_changes_nothing_and_a_new_rhythm_one_line():
    source = a_modbus_source()
    apply(*upload(source))
    _, plan = upload(source)
    assert [row.action for row in plan.rows[:2]] == [Action.UNCHANGED, Action.UNCHANGED]
    import_id, plan = upload(source, MAP.replace("压力,10", "压力,60"))
    assert [row.action for row in plan.rows[:2]] == [Action.UNCHANGED, Action.CHANGE]
    assert plan.rows[1].changes == {"every_s": (10.0, 60.0)}
    apply(import_id, plan)
    assert DataSource.objects.get().settings["rates"] == [{"every_s": 60.0, "addresses": ["1:holding:10"]}]


def test_a_file_that_is_no_map_is_refused_whole():
    source = a_modbus_source()
    for text, says in [("a,b\n1,2\n", "address"), ("table,address\n", "no line"), ("", "address")]:
        with pytest.raises(InvalidInput, match=says):
            upload(source, text)
    with pytest.raises(InvalidInput, match="counts registers"):
        upload(source, numbering="roman")
    with pytest.raises(InvalidInput):
        upload_register_map(actor=SYSTEM, source_id=source.pk, file_name="x.csv", content=b"\xff\x00\xff", at=AT)


def test_only_sources_with_registers_have_a_map():
    source = sources.create_source(
        actor=SYSTEM, site_id=a_site().pk, code="http1", connector="http", topics=[], settings={}, at=AT
    )
    with pytest.raises(InvalidInput, match="no register map"):
        upload(source)


def test_the_page_takes_a_map_to_its_dry_run(client):
    source = a_modbus_source()
    client.force_login(a_person("lin"), backend="yuheng.people.identity.PersonBackend")
    address = reverse("telemetry:registers", args=[source.pk])
    page = client.get(address)
    assert page.status_code == 200
    assert b"1:holding:100" in page.content
    sent = client.post(address, {"file": SimpleUploadedFile("map.csv", MAP.encode()), "numbering": ""})
    assert sent.status_code == 302
    shown = client.get(sent.headers["Location"])
    assert "ten" in shown.content.decode()
    wrong = client.post(address, {"file": SimpleUploadedFile("map.csv", b"x\n1\n")})
    assert wrong.status_code == 422
