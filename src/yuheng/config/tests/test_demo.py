"""Installing the demo: whole, repeatable, and careful with what people changed."""

import json
import socket
import stat
from datetime import UTC, datetime

import pytest

from yuheng.bus.documents import decode, encode
from yuheng.config import demo
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import system_actor
from yuheng.kernel.models import Site
from yuheng.people.models import Person, RoleAssignment
from yuheng.simulation.appliance.plant import APPLIANCE
from yuheng.simulation.elevator.plant import AREAS, ELEVATOR, plant_description
from yuheng.telemetry.models import DataSource, Device, Tag
from yuheng.telemetry.services.configuration import build_plant, render_devices

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def data_dir(tmp_path, monkeypatch, settings):
    monkeypatch.setenv("YUHENG_DATA_DIR", str(tmp_path))
    settings.IS_DEMO = True
    return tmp_path


def test_the_whole_plant_is_there_and_reaches_the_configuration_document(data_dir):
    demo.install(at=AT)

    plant = decode(encode(build_plant(version=1)))
    described = plant_description(demo.SEED)
    site = Site.objects.get(code="elevator1")
    assert len(plant.work_units) == 130
    assert {unit.site_id for unit in plant.work_units} == {site.pk}
    assert len(plant.tags) == len(described["tags"])
    assert {tag.address for tag in plant.tags} == {tag["address"] for tag in described["tags"]}
    assert set(plant.rule_sets) == {kind["code"] for kind in described["classes"]}
    assert all(len(rules) == 5 for rules in plant.rule_sets.values())
    assert all({"run", "mode", "fault_code", "wait_code"} <= set(unit.symbols) for unit in plant.work_units)
    tiles = equipment.plant_map(actor=system_actor("test"), site_id=site.pk)
    assert len(tiles.areas) == 9


def test_every_edge_device_has_the_password_that_the_simulation_reads_and_nobody_else_can_read(data_dir):
    demo.install(at=AT)

    path = data_dir / "run" / "demo-devices.json"
    passwords = json.loads(path.read_text())["devices"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(passwords) == {ELEVATOR.edge_username(area) for area in AREAS}
    assert len(set(passwords.values())) == len(passwords)
    assert {device.username for device in Device.objects.all()} == {*passwords, demo.VISITOR}
    assert not any(password in render_devices() for password in passwords.values())


def test_installing_again_asks_little_and_changes_nothing(data_dir, django_assert_max_num_queries):
    demo.install(at=AT)
    passwords = (data_dir / "run" / "demo-devices.json").read_text()
    tag = Tag.objects.get(address="L01/run")
    tag.name_en = "Renamed by somebody"
    tag.save()
    counts = (Tag.objects.count(), DataSource.objects.count(), Device.objects.count(), Person.objects.count())

    with django_assert_max_num_queries(60):
        demo.install(at=AT)

    assert (data_dir / "run" / "demo-devices.json").read_text() == passwords
    assert Tag.objects.get(address="L01/run").name_en == "Renamed by somebody"
    assert counts == (Tag.objects.count(), DataSource.objects.count(), Device.objects.count(), Person.objects.count())


def test_lost_credentials_are_replaced_and_the_devices_follow(data_dir):
    demo.install(at=AT)
    before = dict(Device.objects.values_list("username", "password_sha256"))
    (data_dir / "run" / "demo-devices.json").unlink()

    demo.install(at=AT)

    after = dict(Device.objects.values_list("username", "password_sha256"))
    assert all(after[ELEVATOR.edge_username(area)] != before[ELEVATOR.edge_username(area)] for area in AREAS)


def test_a_visitor_is_heard_at_once_on_every_way_in(data_dir):
    demo.install(at=AT)

    sources = {source.code: source for source in DataSource.objects.filter(makes_tags_by_itself=True)}
    assert {source.connector for source in sources.values()} == {"mqtt_json", "sparkplug_b", "http"}
    device = Device.objects.get(username="visitor")
    assert set(device.sources.all()) == set(sources.values())
    told = json.loads((data_dir / "run" / "demo.json").read_text())
    assert told["device"] == {"username": "visitor", "password": demo.VISITOR_PASSWORD, "topic": "visitor/#"}
    assert "dora" in {person["username"] for person in told["people"]}


def test_dora_of_another_firm_sees_nothing_of_the_plant(data_dir):
    demo.install(at=AT)

    dora = Person.objects.get(username="dora")
    assert Site.objects.get(code="elsewhere1").organisation_id == dora.organisation_id
    assert Site.objects.get(code="elevator1").organisation_id != dora.organisation_id


def test_both_plants_stand_side_by_side_with_people_of_their_own(data_dir):
    demo.install(at=AT, plants=("elevator", "appliance"))

    plant = decode(encode(build_plant(version=1)))
    assert len(plant.work_units) == 130 + 90
    sites = {site.code: site for site in Site.objects.all()}
    assert sites["elevator1"].organisation_id != sites["appliance1"].organisation_id
    roles = {
        (assignment.person.username, assignment.site.code)
        for assignment in RoleAssignment.objects.filter(site__isnull=False).select_related("person", "site")
    }
    assert ("lin", "elevator1") in roles
    assert ("mei", "appliance1") in roles
    assert not {("lin", "appliance1"), ("mei", "elevator1")} & roles
    known = json.loads((data_dir / "run" / "demo-devices.json").read_text())
    assert {area.code for area in APPLIANCE.served_areas()} == set(known["ports"])
    assert len(set(known["ports"].values())) == 4
    modbus = DataSource.objects.get(code="welding-modbus")
    assert modbus.settings["port"] == known["ports"]["welding"]
    assert modbus.site_id == sites["appliance1"].pk


def test_a_second_plant_is_added_to_a_first_and_ports_stay(data_dir):
    demo.install(at=AT)
    before = json.loads((data_dir / "run" / "demo-devices.json").read_text())
    demo.install(at=AT, plants=("elevator", "appliance"))
    both = json.loads((data_dir / "run" / "demo-devices.json").read_text())
    assert before["devices"].items() <= both["devices"].items()
    demo.install(at=AT, plants=("appliance",))
    assert json.loads((data_dir / "run" / "demo-devices.json").read_text()) == both


def test_a_port_that_somebody_took_is_replaced_and_the_source_follows(data_dir):
    demo.install(at=AT, plants=("appliance",))
    path = data_dir / "run" / "demo-devices.json"
    taken = json.loads(path.read_text())["ports"]["welding"]
    with socket.create_server(("127.0.0.1", taken)):
        demo.install(at=AT, plants=("appliance",))
    now = json.loads(path.read_text())["ports"]["welding"]
    assert now != taken
    assert DataSource.objects.get(code="welding-modbus").settings["port"] == now
