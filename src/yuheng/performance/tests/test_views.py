"""Pages and API of flow: they answer, in both languages, every number opens, files hold what the page shows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from yuheng.operations.models import OperationsRequest
from yuheng.operations.tests.plant import AT
from yuheng.performance.models import StandardProposal
from yuheng.performance.tests.history import a_worked_plant
from yuheng.performance.tests.test_times import TWELVE
from yuheng.testing.builders import a_person, another_site

pytestmark = pytest.mark.django_db

DAYS = f"from={AT.date()}&to={(AT + timedelta(days=2)).date()}"


@pytest.fixture
def plant():
    return a_worked_plant(TWELVE)


def signed_in(username: str) -> Client:
    client = Client()
    client.force_login(a_person(username))
    return client


def pages(plant) -> list[str]:
    product = plant.materials["GEAR"].pk
    request = OperationsRequest.objects.first().pk
    return [
        f"/flow/?{DAYS}",
        f"/flow/cumulative?{DAYS}",
        f"/flow/bottleneck?{DAYS}",
        f"/flow/lead-times?{DAYS}&material={product}",
        f"/flow/lead-times/{request}?{DAYS}",
        f"/flow/times?{DAYS}",
        f"/flow/step?{DAYS}&material={product}&segment=10",
        f"/flow/step?{DAYS}&material={product}&segment=10&unit={plant.units['C1'].pk}",
        f"/flow/jobs?{DAYS}&group=done&at={AT.isoformat().replace('+', '%2B')}&until=2026-12-30T00:00:00Z",
        "/flow/",
    ]


def test_every_page_answers_in_both_languages_with_few_queries(plant):
    ben = signed_in("ben")
    for language in ("zh-hans", "en"):
        for path in pages(plant):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                answer = ben.get(path, headers={"accept-language": language})
            assert answer.status_code == 200, path
            assert len(asked) <= 55, (path, len(asked))
            assert b"<h1" in answer.content


def test_every_number_opens(plant):
    ben = signed_in("ben")
    for path in pages(plant):
        page = ben.get(path).content.decode()
        for link in set(re.findall(r'href="(/(?:flow|jobs|production|products)[^"]*)"', page)):
            assert ben.get(link.replace("&amp;", "&")).status_code == 200, (path, link)


def test_files_hold_what_the_page_shows(plant):
    ben = signed_in("ben")
    for path in pages(plant):
        if "lead-times/" in path:
            continue
        joint = "&" if "?" in path else "?"
        csv = ben.get(f"{path}{joint}format=csv")
        assert csv["Content-Type"].startswith("text/csv"), path
        assert csv.content.startswith(b"\xef\xbb\xbf")
        assert ben.get(f"{path}{joint}format=xlsx").content.startswith(b"PK"), path
    times = ben.get(f"/flow/step?{DAYS}&material={plant.materials['GEAR'].pk}&segment=10&format=csv").content.decode()
    assert len(times.strip().splitlines()) == 13


def test_the_button_drafts_the_next_version(plant):
    eva = Client()
    eva.force_login(a_person("eva", role="engineer"))
    given = {"material": plant.materials["GEAR"].pk, "segment": "10", "part": "run"}
    days = {"from": str(AT.date()), "to": str((AT + timedelta(days=2)).date())}
    assert eva.post("/flow/propose", given | days).status_code == 302
    made = StandardProposal.objects.get()
    page = eva.get(f"/flow/step?{DAYS}&material={given['material']}&segment=10").content.decode()
    assert made.change_code in page


def test_a_wrong_address_is_told_and_not_guessed(plant):
    ben = signed_in("ben")
    for path in ("/flow/?from=2026-12-01&to=2026-11-01", "/flow/?from=1900-01-01&to=2026-01-01", "/flow/jobs?group=x",
                 "/flow/jobs?at=yesterday", "/flow/jobs?after=1.x"):  # fmt: skip
        assert ben.get(path).status_code == 422, path
    assert ben.get("/flow/step?material=999999&segment=10").status_code == 404
    assert ben.get("/flow/?from=nonsense").status_code == 200


def test_another_site_sees_nothing(plant):
    another_site()
    dora = signed_in("dora")
    for path in pages(plant):
        joint = "&" if "?" in path else "?"
        answer = dora.get(f"{path}{joint}site={plant.site.code}")
        assert answer.status_code in (403, 404), path
        assert b"GEAR" not in answer.content


def test_the_api_answers(plant):
    ben = signed_in("ben")
    site, product = f"site_id={plant.site_id}", plant.materials["GEAR"].pk
    days = f"first={AT.date()}&last={(AT + timedelta(days=2)).date()}"
    request = OperationsRequest.objects.first().pk
    found = ben.get(f"/api/v1/requests/{request}/lead-time").json()
    assert sum(one["seconds"] for one in found["pieces"]) == pytest.approx(found["lead"]["lead_s"])
    for path in (
        f"/api/v1/flow/work-in-progress?{site}&{days}", f"/api/v1/flow/cumulative?{site}&{days}",
        f"/api/v1/flow/bottleneck?{site}&{days}", f"/api/v1/flow/job-orders?{site}",
        f"/api/v1/flow/lead-times?{site}&{days}", f"/api/v1/flow/lead-times/products?{site}&{days}",
        f"/api/v1/measured-times?{site}&{days}", f"/api/v1/measured-times/proposals?{site}",
        f"/api/v1/measured-times/step?{site}&{days}&material_id={product}&segment=10",
    ):  # fmt: skip
        answer = ben.get(path)
        assert answer.status_code == 200, (path, answer.content[:300])
