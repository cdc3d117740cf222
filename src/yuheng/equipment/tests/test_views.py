"""Pages and JSON of equipment; the commands `yuheng import` and `yuheng export`."""

import io
import json
import zipfile
from datetime import timedelta

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from yuheng.config import cli
from yuheng.equipment import services
from yuheng.equipment.models import Area, PlantImport
from yuheng.testing.builders import (
    SHIFT_START,
    SYSTEM,
    a_person,
    a_site,
    a_work_unit,
    an_area,
    an_equipment_class,
    another_site,
)

pytestmark = pytest.mark.django_db
AREAS = "code,name_zh,name_en\nA1,甲,First\nA2,乙,\n"


def signed_in(username: str, **more) -> Client:
    client = Client()
    client.force_login(a_person(username, **more))
    return client


def upload(client: Client, content: str = AREAS, *, name: str = "areas.csv"):
    sent = SimpleUploadedFile(name, content.encode())
    return client.post(reverse("equipment:import", args=[a_site().pk]), {"file": sent, "kind": ""})


# ---- pages ----


def test_the_equipment_page_shows_the_tree_with_counts():
    a_work_unit("L01", equipment_class=an_equipment_class())
    client = signed_in("ana")
    first = client.get(reverse("equipment:tree"))
    assert first["Location"] == reverse("equipment:site", args=[a_site().pk])
    page = client.get(first["Location"]).content.decode()
    assert "L01" in page
    assert "laser-cutter" in page
    assert reverse("equipment:import", args=[a_site().pk]) not in page


def test_the_equipment_page_asks_the_same_number_of_queries_for_any_size(django_assert_max_num_queries):
    for number in range(20):
        a_work_unit(f"U{number}")
    client = signed_in("ana")
    with django_assert_max_num_queries(20):
        client.get(reverse("equipment:site", args=[a_site().pk]))


def test_somebody_without_a_site_is_told_so():
    client = Client()
    client.force_login(a_person("guest", role="viewer"))
    a_person("guest").assignments.all().delete()
    assert client.get(reverse("equipment:tree")).status_code == 404


def test_a_file_is_uploaded_looked_at_and_applied():
    client = signed_in("lin")
    answer = upload(client)
    dry_run = client.get(answer["Location"])
    assert [row.action.value for row in dry_run.context["rows"]] == ["add", "refuse"]
    assert not Area.objects.exists()
    only = client.get(answer["Location"], {"action": "refuse"})
    assert len(only.context["rows"]) == 1
    kept = PlantImport.objects.get()
    form = {"plan_sha256": dry_run.context["plan_sha256"]}

    refused = client.post(reverse("equipment:apply_import", args=[kept.pk]), form)
    assert refused["Location"] == answer["Location"]
    assert not Area.objects.exists()

    done = client.post(reverse("equipment:apply_import", args=[kept.pk]), {**form, "leave_out_refused": "1"})
    assert done["Location"] == reverse("equipment:site", args=[a_site().pk])
    assert Area.objects.get().code == "A1"
    kept.refresh_from_db()
    assert (bytes(kept.content), kept.counts["add"]) == (b"", 1)
    assert client.get(answer["Location"]).status_code == 409


def test_a_stale_dry_run_is_shown_again_instead_of_applied():
    client = signed_in("lin")
    answer = upload(client, "code,name_zh,name_en\nA1,甲,First\n")
    digest = client.get(answer["Location"]).context["plan_sha256"]
    an_area("A1")
    again = client.post(reverse("equipment:apply_import", args=[PlantImport.objects.get().pk]), {"plan_sha256": digest})
    assert again["Location"] == answer["Location"]
    assert Area.objects.get(code="A1").name_en == "A1 area"


@pytest.mark.parametrize(("name", "content"), [("a.yaml", "format: other"), ("b.csv", "x,y\n1,2\n")])
def test_an_unreadable_file_is_answered_on_the_page(name, content):
    answer = upload(signed_in("lin"), content, name=name)
    assert answer.status_code == 422
    assert answer.context["error"]
    assert not PlantImport.objects.exists()


def test_no_file_is_answered_on_the_page():
    assert signed_in("lin").post(reverse("equipment:import", args=[a_site().pk])).status_code == 422


@pytest.mark.parametrize(("who", "status"), [("ana", 403), ("dora", 404)])
def test_only_who_may_change_equipment_uploads(who, status):
    assert upload(signed_in(who)).status_code == status
    assert not PlantImport.objects.exists()


def test_an_upload_of_another_site_does_not_exist():
    kept, plan = services.upload_plant(
        actor=SYSTEM, site_id=a_site().pk, file_name="areas.csv", content=AREAS.encode(), at=SHIFT_START
    )
    client = signed_in("dora", site=another_site())
    assert client.get(reverse("equipment:dry_run", args=[kept.pk])).status_code == 404
    answer = client.post(
        reverse("equipment:apply_import", args=[kept.pk]), {"plan_sha256": plan.sha256(), "leave_out_refused": "1"}
    )
    assert answer.status_code == 404
    assert not Area.objects.exists()


def test_uploads_that_nobody_applied_are_forgotten_after_a_day():
    old = {"actor": SYSTEM, "site_id": a_site().pk, "file_name": "areas.csv", "content": AREAS.encode()}
    services.upload_plant(**old, at=SHIFT_START)
    services.upload_plant(**old, at=SHIFT_START + timedelta(days=2))
    assert PlantImport.objects.count() == 1


def test_a_site_is_exported_as_yaml_and_as_csv():
    a_work_unit("L01")
    client = signed_in("ana")
    answer = client.get(reverse("equipment:export", args=[a_site().pk]))
    assert 'filename="elevator1.yaml"' in answer["Content-Disposition"]
    document = yaml.safe_load(answer.content)
    assert document["areas"][0]["work_centers"][0]["work_units"][0]["code"] == "L01"
    zipped = client.get(reverse("equipment:export", args=[a_site().pk]), {"format": "csv"})
    names = zipfile.ZipFile(io.BytesIO(zipped.content)).namelist()
    assert {"areas.csv", "work_centers.csv", "work_units.csv"} <= set(names)


# ---- JSON ----


def test_the_api_tells_sites_tree_units_shift_and_targets():
    unit = a_work_unit("L01", equipment_class=an_equipment_class())
    services.install_asset(actor=SYSTEM, work_unit_id=unit.pk, serial="S1", at=SHIFT_START)
    services.set_site_target(
        actor=SYSTEM, site_id=unit.site_id, indicator="producing_ratio", value=0.75, at=SHIFT_START
    )
    client = signed_in("ana")
    site = f"/api/v1/sites/{unit.site_id}"
    assert [row["code"] for row in client.get("/api/v1/sites").json()] == ["elevator1"]
    tree = client.get(f"{site}/equipment").json()
    assert tree["areas"][0]["centers"][0]["units"][0]["serial"] == "S1"
    assert client.get(f"{site}/work-units").json()[0]["class_code"] == "laser-cutter"
    detail = client.get(f"/api/v1/work-units/{unit.pk}").json()
    assert (detail["code"], detail["assets"][0]["serial"]) == ("L01", "S1")
    assert client.get(f"{site}/targets").json() == [{"indicator": "producing_ratio", "value": 0.75, "unit": "1"}]
    assert client.get(f"{site}/shift").json() is None
    assert yaml.safe_load(client.get(f"{site}/plant-file").content)["format"] == "yuheng/plant-1"


def test_the_api_tells_the_running_shift():
    client = signed_in("lin")
    lines = (
        "code,name_zh,name_en,is_site_default,shift_code,shift_name_zh,shift_name_en,shift_start,shift_end\n"
        "c,历,C,yes,day,白班,Day,08:00,20:00\n"
    )
    kept, plan = services.upload_plant(
        actor=SYSTEM, site_id=a_site().pk, file_name="calendars.csv", content=lines.encode(), at=SHIFT_START
    )
    services.apply_upload(actor=SYSTEM, import_id=kept.pk, plan_sha256=plan.sha256(), at=SHIFT_START)
    found = client.get(f"/api/v1/sites/{a_site().pk}/shift", {"at": "2026-11-23T01:00:00Z"}).json()
    assert (found["code"], found["start"]) == ("day", "2026-11-23T00:00:00Z")
    assert client.get(f"/api/v1/sites/{a_site().pk}/shift", {"at": "2026-11-23T01:00:00"}).status_code == 422


# ---- commands ----


@pytest.fixture
def _reached(monkeypatch):
    """The command reaches the database that this test has open already."""
    monkeypatch.setattr("yuheng.config.commands.import_plant.connect", lambda _data_dir: None)
    monkeypatch.setattr("yuheng.config.commands.export_plant.connect", lambda _data_dir: None)


@pytest.mark.usefixtures("_reached")
def test_the_command_lists_then_writes_then_exports(tmp_path, capsys):
    site = {"code": "new1", "name_zh": "新", "name_en": "New"}
    plant = {"format": "yuheng/plant-1", "organisation": {"code": "fute"}, "site": site}
    path = tmp_path / "plant.json"
    path.write_text(json.dumps({**plant, "areas": [{"code": "A", "name_zh": "甲", "name_en": "A"}]}))

    assert cli.main(["import", str(path), "--dry-run"]) == 0
    assert "add       areas          A  (areas[0])" in capsys.readouterr().out
    assert not Area.objects.exists()
    assert cli.main(["import", str(path)]) == 0
    assert Area.objects.get().code == "A"
    assert cli.main(["export", str(tmp_path / "out.yaml"), "--site", "new1"]) == 0
    capsys.readouterr()
    assert cli.main(["import", str(tmp_path / "out.yaml"), "--all"]) == 0
    assert "new1: 0 add, 0 change, 2 unchanged, 0 refuse" in capsys.readouterr().out
    assert cli.main(["export", str(tmp_path / "csv"), "--site", "new1", "--format", "csv"]) == 0
    assert (tmp_path / "csv" / "areas.csv").exists()


@pytest.mark.usefixtures("_reached")
def test_the_command_refuses_what_cannot_be_done(tmp_path, capsys):
    path = tmp_path / "areas.csv"
    path.write_text(AREAS)
    assert cli.main(["import", str(tmp_path / "none.yaml")]) == 2
    assert cli.main(["import", str(path)]) == 1  # which site?
    assert cli.main(["import", str(path), "--site", "nowhere"]) == 1
    a_site()
    assert cli.main(["import", str(path), "--site", "elevator1", "--dry-run"]) == 1
    assert "needs: name_en" in capsys.readouterr().out
    assert cli.main(["import", str(path), "--site", "elevator1"]) == 1
    assert not Area.objects.exists()
    assert cli.main(["import", str(path), "--site", "elevator1", "--leave-out-refused"]) == 0
    assert Area.objects.get().code == "A1"
    another_site()
    assert cli.main(["export", "-"]) == 2
