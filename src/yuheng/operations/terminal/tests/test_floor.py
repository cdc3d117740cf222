"""What a tablet asks: the page, its worker, the picture, batches; known by its cookie alone."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from yuheng.operations.models import JobOrder, JobResponse
from yuheng.operations.rules import Act, Source
from yuheng.operations.services import execute
from yuheng.operations.terminal.models import StationDevice, TerminalAction, TerminalSession
from yuheng.operations.terminal.services import devices
from yuheng.operations.tests import plant as floor
from yuheng.people import services as people
from yuheng.people.rules import badge_fingerprint
from yuheng.testing.builders import a_person, an_actor

pytestmark = pytest.mark.django_db

MOST_QUERIES = 24
"""Of a picture, however many jobs there are."""


class Tablet(Client):
    """A browser that is connected as a terminal."""

    def __init__(self, code: str = "", **more: Any) -> None:
        super().__init__(**more)
        self.stream, self.session_mark, self.count = str(uuid.uuid4()), str(uuid.uuid4()), 0
        if code:
            assert self.send("/terminal/pair", {"code": code}).status_code == 200

    def send(self, address: str, body: Any) -> Any:
        return self.post(address, json.dumps(body), content_type="application/json")

    def action(self, kind: str, job: int | None = None, /, **payload: Any) -> dict[str, Any]:
        self.count += 1
        at_ms = datetime.now(UTC).timestamp() * 1000
        mark = {"id": str(uuid.uuid4()), "sequence": self.count, "session": self.session_mark}
        return {**mark, "kind": kind, "job": job, "at_ms": at_ms, "payload": payload}

    def merge(self, *actions: dict[str, Any]) -> Any:
        return self.send("/terminal/merge", {"stream": self.stream, "actions": list(actions)})

    def picture(self) -> Any:
        return self.get("/terminal/snapshot", {"stream": self.stream}).json()


@pytest.fixture
def plant():
    made = floor.a_plant()
    floor.a_simple_product(made)
    floor.in_stock(made, "STEEL", 1000, "ST-1")
    floor.a_released_order(made, "GEAR", 10)
    people.issue_badge(actor=an_actor("lin"), person_id=a_person("ana").pk, code="CARD-0001", at=floor.AT)
    return made


@pytest.fixture
def tablet(plant) -> Tablet:
    _device, code = devices.register_device(
        actor=an_actor("lin"), site_id=plant.site_id, name="T1", work_unit_id=plant.units["C1"].pk, at=datetime.now(UTC)
    )
    return Tablet(code)


def signed_in(tablet: Tablet) -> Tablet:
    answer = tablet.send("/terminal/sign-in", {"session": tablet.session_mark, "badge": "card-0001"})
    assert answer.status_code == 200, answer.content
    return tablet


def first_job() -> JobOrder:
    return JobOrder.objects.get(segment="10")


def test_the_page_says_nothing_of_the_plant_and_needs_no_sign_in():
    answer = Client().get("/terminal/")
    assert answer.status_code == 200
    assert "csrftoken" in answer.cookies
    text = answer.content.decode()
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert '"yt-strings"' in text


def test_the_worker_names_every_file_of_this_version_and_may_control_the_terminal_only():
    answer = Client().get("/terminal/worker.js")
    assert answer["Content-Type"].startswith("text/javascript")
    assert answer["Service-Worker-Allowed"] == "/terminal/"
    shell = json.loads(answer.content.decode().split("\n", 1)[0].removeprefix("const SHELL = ").removesuffix(";"))
    page = Client().get("/terminal/").content.decode()
    for address in ("terminal.css", "y-terminal.js", "tokens.css"):
        assert any(address in file and file in page for file in shell["files"]), address
    assert all("?v=" in file for file in shell["files"])


def test_the_cookie_of_a_tablet_is_for_it_alone(tablet):
    cookie = tablet.cookies["yuheng_terminal"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/terminal/")
    token = StationDevice.objects.get().token_sha256
    assert cookie.value not in (token, "")
    assert Client().get("/terminal/snapshot").status_code == 403


def test_a_change_needs_the_csrf_token(tablet):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies["yuheng_terminal"] = tablet.cookies["yuheng_terminal"].value
    for address in ("merge", "station", "sign-in", "pair"):
        assert strict.post(f"/terminal/{address}", "{}", content_type="application/json").status_code == 403


def test_a_picture_holds_what_an_hour_without_a_network_needs(tablet):
    signed_in(tablet)
    picture = tablet.picture()
    assert picture["station"]["code"] == "C1"
    job = picture["jobs"][0]
    assert (job["order_code"], job["customer_en"], job["quantity"]) == ("SO1", "Customer Hua", 10)
    assert job["materials"][0]["lots"][0]["code"] == "ST-1"
    assert [one["name_en"] for one in picture["people"]] == ["Ana"]
    assert {row["code"] for row in picture["reasons"]["pause"]} >= {"material", "machine"}
    assert picture["help_kinds"]
    digest = picture["directory"][0]["digest"]
    assert badge_fingerprint("CARD-0001") not in json.dumps(picture)
    assert len(digest) == 64


def test_a_picture_costs_the_same_however_many_jobs_there_are(tablet, plant):
    tablet.picture()
    with CaptureQueriesContext(
        connection,
    ) as one:
        tablet.picture()
    for n in range(5):
        floor.a_released_order(plant, "GEAR", 10, code=f"SOX{n}")
    with CaptureQueriesContext(connection) as many:
        assert len(tablet.picture()["jobs"]) > 3
    assert len(many) <= len(one) + 1
    assert len(many) <= MOST_QUERIES, [query["sql"][:90] for query in many.captured_queries]


def test_what_people_do_is_done_as_them(tablet):
    job = first_job()
    signed_in(tablet)
    answer = tablet.merge(
        tablet.action("start", job.pk, crew=[]),
        tablet.action("consume", job.pk, lot="ST-1", quantity="20"),
        tablet.action("report", job.pk, good="4", scrap="1", reason="surface"),
        tablet.action("help", kind="quality"),
        tablet.action("pause", job.pk, reason="material"),
    )
    assert [one["status"] for one in answer.json()["answers"]] == ["applied"] * 5, answer.json()
    job.refresh_from_db()
    assert (job.state, job.good, job.scrap, job.operator, job.work_unit.code) == ("interrupted", 4, 1, "ana", "C1")
    assert tablet.picture()["taken_through"] == 5
    assert tablet.picture()["jobs"][0]["reason"] == "material"


def test_the_same_batch_again_is_answered_already(tablet):
    job = first_job()
    signed_in(tablet)
    batch = [tablet.action("start", job.pk), tablet.action("report", job.pk, good="2")]
    tablet.merge(*batch)
    again = tablet.merge(*batch)
    assert [one["status"] for one in again.json()["answers"]] == ["already", "already"]
    job.refresh_from_db()
    assert job.good == 2


def test_who_presses_what_the_machine_has_just_done_is_in_no_conflict(tablet, plant):
    """Person and machine say the same within a second, or an hour later when the network is back."""
    job, ana, unit = first_job(), an_actor("ana"), plant.units["C1"].pk
    signed_in(tablet)
    by_machine = Act(source=Source.SIGNAL)

    def now() -> datetime:
        return datetime.now(UTC)

    def outcomes(*actions: Any) -> list[str]:
        return [one["status"] for one in tablet.merge(*actions).json()["answers"]]

    execute.start_job_order(actor=ana, job_order_id=job.pk, work_unit_id=unit, at=now(), act=by_machine)
    assert outcomes(tablet.action("start", job.pk, crew=[])) == ["applied"]
    execute.pause_job_order(actor=ana, job_order_id=job.pk, reason="machine:down", at=now(), act=by_machine)
    assert outcomes(tablet.action("pause", job.pk, reason="tool")) == ["applied"]
    execute.resume_job_order(actor=ana, job_order_id=job.pk, at=now(), act=by_machine)
    assert outcomes(tablet.action("resume", job.pk), tablet.action("report", job.pk, good="1")) == ["applied"] * 2
    job.refresh_from_db()
    assert (job.state, job.good, job.operator) == ("running", 1, "ana")
    kinds = list(JobResponse.objects.filter(job_order=job).order_by("id").values_list("kind", flat=True))
    assert kinds == ["started", "crew", "paused", "note", "resumed", "note", "quantity"]


def test_what_another_person_did_first_is_a_conflict_still(tablet, plant):
    job, unit = first_job(), plant.units["C1"].pk
    signed_in(tablet)
    execute.start_job_order(actor=an_actor("ana"), job_order_id=job.pk, work_unit_id=unit, at=datetime.now(UTC))
    answers = tablet.merge(tablet.action("start", job.pk, crew=[])).json()["answers"]
    assert [one["status"] for one in answers] == ["conflict"]


def test_a_job_that_the_machine_runs_elsewhere_is_a_conflict_still(tablet, plant):
    job, unit = first_job(), plant.units["C2"].pk
    signed_in(tablet)
    act = Act(source=Source.SIGNAL)
    execute.start_job_order(
        actor=an_actor("ana"), job_order_id=job.pk, work_unit_id=unit, at=datetime.now(UTC), act=act
    )
    answers = tablet.merge(tablet.action("start", job.pk, crew=[])).json()["answers"]
    assert [one["status"] for one in answers] == ["conflict"]


def test_a_conflict_is_told_with_its_sentence_and_listed(tablet):
    job = first_job()
    signed_in(tablet)
    answer = tablet.merge(tablet.action("finish", job.pk, good="10"), tablet.action("report", job.pk, good="1"))
    conflict, held = answer.json()["answers"]
    assert (conflict["status"], held["status"]) == ("conflict", "held")
    listed = tablet.picture()["conflicts"]
    assert [one["sentence"] for one in listed] == [conflict["sentence"], held["sentence"]]
    assert listed[0]["job_code"] == job.code
    assert listed[0]["person_en"] == "Ana"


def test_a_badge_scanned_without_a_network_is_looked_up_later(tablet):
    job = first_job()
    tablet.merge(
        tablet.action("sign_in", badge=badge_fingerprint("CARD-0001")),
        tablet.action("start", job.pk),
        tablet.action("sign_out"),
        tablet.action("report", job.pk, good="1"),
    )
    outcomes = list(TerminalAction.objects.order_by("sequence").values_list("outcome", flat=True))
    assert outcomes == ["applied", "applied", "applied", "conflict"]  # who signed out cannot report
    assert TerminalSession.objects.get().ended_at is not None


def test_permissions_are_the_persons_when_it_is_taken(tablet):
    job = first_job()
    signed_in(tablet)
    ana = a_person("ana")
    ana.assignments.all().delete()
    answer = tablet.merge(tablet.action("start", job.pk))
    assert answer.json()["answers"][0]["status"] == "conflict"
    job.refresh_from_db()
    assert job.state == "allowed_to_start"


def test_who_may_not_work_here_cannot_sign_in(tablet):
    people.issue_badge(actor=an_actor("lin"), person_id=a_person("cleo").pk, code="CARD-0009", at=floor.AT)
    for proof in ({"badge": "CARD-0009"}, {"badge": "NOBODYS-CARD"}, {"number": "1", "pin": "2"}, {}):
        answer = tablet.send("/terminal/sign-in", {"session": tablet.session_mark, **proof})
        assert answer.status_code == 403, proof
    assert not TerminalSession.objects.exists()


def test_a_store_that_was_rolled_back_is_told_to_count_anew(tablet):
    signed_in(tablet)
    tablet.merge(tablet.action("help", kind="lead"))
    tablet.count = 0
    answer = tablet.merge(tablet.action("help", kind="quality"))
    assert (answer.status_code, answer.json()["title"]) == (409, "StreamCollides")


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"stream": "x", "actions": []}', '{"stream": null}'])
def test_what_is_no_batch_is_refused(tablet, body):
    assert tablet.post("/terminal/merge", body, content_type="application/json").status_code == 422
    assert not TerminalAction.objects.exists()


def test_a_tablet_chooses_its_station_once(plant):
    _device, code = devices.register_device(
        actor=an_actor("lin"), site_id=plant.site_id, name="T2", at=datetime.now(UTC)
    )
    tablet = Tablet(code)
    stations = tablet.picture()["stations"]
    assert {one["code"] for one in stations} >= {"C1", "C2", "A1"}
    chosen = next(one["id"] for one in stations if one["code"] == "A1")
    assert tablet.send("/terminal/station", {"station": 0}).status_code == 404
    assert tablet.send("/terminal/station", {"station": chosen}).status_code == 200
    assert tablet.send("/terminal/station", {"station": chosen}).status_code == 409
    assert tablet.picture()["station"]["code"] == "A1"


def test_the_pages_register_and_revoke(plant):
    lin = Client()
    lin.force_login(a_person("lin"))
    page = lin.post("/terminals/", {"name": "T7", "station": plant.units["C1"].pk})
    assert "no-store" in page["Cache-Control"]
    device = StationDevice.objects.get(name="T7")
    assert 'class="pairing-code"' in page.content.decode()
    assert lin.post("/terminals/", {"name": "T7"}).status_code == 422
    lin.post(f"/terminals/{device.pk}/station", {"station": plant.units["C2"].pk})
    lin.post(f"/terminals/{device.pk}/revoke")
    device.refresh_from_db()
    assert device.work_unit.code == "C2"
    assert device.revoked_at is not None
    ben = Client()
    ben.force_login(a_person("ben"))
    assert ben.post("/terminals/", {"name": "T8"}).status_code == 403
