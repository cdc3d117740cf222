"""The administrators' page, the API's health and ``/metrics``: the same facts, for those who may see all sites."""

import json
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from yuheng.people.services import issue_token
from yuheng.telemetry.selectors import history
from yuheng.testing.builders import a_person, a_site, an_actor
from yuheng.upkeep import forgetting

pytestmark = pytest.mark.django_db

REASON = "<b>no</b>"


@pytest.fixture(autouse=True)
def installation(monkeypatch, tmp_path):
    """A data directory with a status, and health lines as the processes say them."""
    run = tmp_path / "run"
    run.mkdir()
    status = {
        "version": "0.0.9",
        "is_ready": True,
        "services": {
            "web": {"state": "waiting", "restarts": 4, "last_exit": "signal 9 (SIGKILL)", "reason": "<b>no</b>"}
        },
    }
    (run / "status.json").write_text(json.dumps(status))
    environment = settings.ENVIRONMENT
    replaced = {name: getattr(environment, name) for name in environment.__slots__} | {"data_dir": tmp_path}
    monkeypatch.setattr(settings, "ENVIRONMENT", type(environment)(**replaced))
    lines = {
        "historian": {
            "lag_messages": 7,
            "buffer_fill": 0.5,
            "hold_reason": "",
            "is_held": False,
            "data_time_us": {"1": 5},
        },
        "gateway": {"log": {"is_up": True}},
        "worker": {"version": 3},
    }
    monkeypatch.setattr(history, "health_of", lambda process: lines.get(process, {}))


def browser(person) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(person)
    return client


def a_bearer(username: str, scope: str) -> dict:
    a_person(username, role="administrator", everywhere=True)
    actor = an_actor(username, role="administrator", everywhere=True)
    _, secret = issue_token(actor=actor, name="prometheus", scopes=[scope], days=366, at=datetime.now(UTC))
    return {"authorization": f"Bearer {secret}"}


def test_an_administrator_of_everything_sees_what_is_to_be_done():
    page = (
        browser(a_person("root", role="administrator", everywhere=True)).get("/administration/health").content.decode()
    )
    assert "things to look at" in page
    assert "is waiting for its next start; it ended with signal 9 (SIGKILL)" in page
    assert "0.0.9 runs" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert "<b>no</b>" not in page


def test_what_retention_removed_is_on_the_page_and_in_the_api():
    data_dir = settings.ENVIRONMENT.data_dir
    forgetting.note(data_dir, "historian", at="2026-03-01T02:00:00+00:00", removed={"samples": 12345, "boards": 2})
    client = browser(a_person("root", role="administrator", everywhere=True))
    page = client.get("/administration/health").content.decode()
    assert "Removed by retention" in page
    assert "12,345" in page
    assert "shown boards" in page
    assert client.get("/api/v1/health").json()["retention"] == [
        {"at": "2026-03-01T02:00:00Z", "process": "historian", "removed": {"samples": 12345, "boards": 2}}
    ]


def test_an_administrator_of_one_site_does_not_see_what_belongs_to_all():
    client = browser(a_person("local", role="administrator", site=a_site()))
    assert client.get("/administration/health").status_code == 403
    assert client.get("/api/v1/health").status_code == 403
    assert b"/administration/health" not in client.get("/people").content


def test_the_api_says_the_same():
    answer = browser(a_person("root", role="administrator", everywhere=True)).get("/api/v1/health").json()
    assert answer["level"] == "fail"
    assert {"group": "processes", "subject": "web", "level": "fail"}.items() <= answer["findings"][0].items()


def test_prometheus_reads_metrics_with_a_token_that_may_do_nothing_else():
    header = a_bearer("scraped", "metrics.read")
    answer = Client(headers=header).get("/metrics")
    assert answer.status_code == 200
    families = {family.name: family for family in text_string_to_metric_families(answer.content.decode())}
    assert families["yuheng_historian_lag_messages"].samples[0].value == 7
    assert families["yuheng_gateway_log_is_up"].samples[0].value == 1
    assert families["yuheng_service_restarts"].samples[0].labels == {"service": "web"}
    assert families["yuheng_disk_free_bytes"].samples[0].value > 0
    assert not any("data_time_us" in name for name in families)
    assert Client(headers=header).get("/api/v1/health").status_code == 403
    assert Client(headers=header).get("/api/v1/sites").status_code in {200, 403}


def test_metrics_need_their_own_permission():
    assert Client(headers=a_bearer("other", "equipment.view")).get("/metrics").status_code == 403
    assert Client().get("/metrics").status_code in {302, 401}
