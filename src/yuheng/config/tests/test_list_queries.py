"""Lists of orders, jobs, stock, products and flow: how often each asks the database, whatever is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat
from django.test import Client
from django.test.utils import CaptureQueriesContext

from yuheng.bench.operations_lists import paths_of_api, paths_of_pages
from yuheng.kernel.actor import system_actor
from yuheng.operations import bulk
from yuheng.operations.models import CustomerOrder, JobOrder, MaterialLot, OperationsRequest
from yuheng.operations.tests.plant import a_plant
from yuheng.people.models import Person
from yuheng.performance.services.follow import catch_up_all
from yuheng.testing.builders import an_equipment_class

pytestmark = pytest.mark.django_db
PINNED = Path(__file__).with_name("list_queries.json")
"""Queries of each list, the two of the session included. Who makes a list ask more often changes the number here."""
SPARED = 2
"""Questions that are not asked where nothing is late today, or no next page is there."""
LISTS = (
    "/api/v1/orders", "/api/v1/requests", "/api/v1/job-orders", "/api/v1/job-responses", "/api/v1/shortages",
    "/api/v1/stock", "/api/v1/parties", "/api/v1/work-in-progress", "/api/v1/measured-times",
    "/api/v1/flow/work-in-progress", "/api/v1/flow/cumulative", "/api/v1/flow/lead-times",
    "/api/v1/flow/bottleneck",
)  # fmt: skip
PAGES = (
    "orders", "every order", "late orders", "orders with a text", "exceptions", "documents", "files of orders",
    "production", "jobs", "jobs with a text", "late jobs", "queue of a station", "stock", "shortages",
    "products", "changes of products", "flow work in progress, 30 days", "flow cumulative, 30 days",
    "flow bottleneck, 30 days", "flow lead-times, 30 days", "flow times, 30 days",
)  # fmt: skip


@pytest.fixture
def plant():
    plant = a_plant()
    kind = an_equipment_class("cutter", site=plant.site)
    order_id = bulk._template(system_actor("bench"), plant.site_id, kind.pk, datetime.now(UTC))
    plant.template = order_id
    plant.originals = {
        model: list(model.objects.values_list("pk", flat=True))
        for model in (CustomerOrder, OperationsRequest, JobOrder)
    }
    return plant


def copied(plant, count):
    """Have so many open requests beside the template, with what was made of them."""
    bulk._copies(plant.template, {"requests": count + 1, "responses": count * 20}, datetime.now(UTC))
    catch_up_all()
    with connection.cursor() as database:
        database.execute("DROP TABLE o, j")  # made to go with the transaction, which is the test's
    for model in (CustomerOrder, OperationsRequest, JobOrder):  # the next ones are numbered from one again
        copies = model.objects.filter(code__startswith="BSO").exclude(pk__in=plant.originals[model])
        copies.update(code=Concat(Value(f"{count}-"), "code"))


def addresses(client, plant):
    lot = MaterialLot.objects.filter(site_id=plant.site_id).first()
    job = JobOrder.objects.filter(site_id=plant.site_id).first()
    ids = {
        "site_id": str(plant.site_id), "order_id": str(plant.template), "request_id": str(job.request_id),
        "job_order_id": str(job.pk), "work_unit_id": str(plant.units["C1"].pk), "lot_id": str(lot.pk),
        "material_id": str(lot.material_id), "bom_id": "1", "work_master_id": "1",
    }  # fmt: skip
    document = json.loads(client.get("/api/v1/openapi.json").content)
    of_api, _left = paths_of_api(document, ids)
    month = f"first={datetime.now(UTC).date() - timedelta(days=29)}"
    MaterialLot.objects.update(state="unavailable")  # shortages at ten as at a hundred
    found = {name: of_api[f"API {name}"] + f"&{month}" for name in LISTS}
    pages = paths_of_pages(ids, plant.site.code, datetime.now(UTC).date())
    pages["page orders with a text"] = f"/orders/?site={plant.site.code}&q=BSO"
    return found | {name: pages[f"page {name}"] for name in PAGES}


def counted(client, paths):
    found = {}
    for name, path in paths.items():
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(path)
        assert answer.status_code == 200, (name, path, answer.content[:300])
        found[name] = len(asked)
    return found


def test_no_list_asks_more_for_a_hundred_rows_than_for_ten_or_than_is_written_down(plant):
    client = Client()
    client.force_login(Person.objects.get(username="ben"))
    copied(plant, 10)
    paths = addresses(client, plant)
    counted(client, paths)  # what is kept in memory is read now
    at_ten = counted(client, paths)
    copied(plant, 90)
    at_hundred = counted(client, paths)
    more = {name: (at_ten[name], count) for name, count in at_hundred.items() if count > at_ten[name] + SPARED}
    assert more == {}  # forty rows more were shown
    pinned = json.loads(PINNED.read_text(encoding="utf-8"))
    assert at_hundred.keys() == pinned.keys()
    more = {name: (pinned[name], count) for name, count in at_hundred.items() if count > pinned[name] + SPARED}
    assert more == {}, json.dumps(at_hundred, indent=4)
