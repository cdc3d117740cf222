"""Pages as plain pages: they open without scripts, act, refuse, and send files that can be read."""

import csv
import io
from dataclasses import replace

import openpyxl
import pyarrow.parquet as pq
import pytest
from asgiref.sync import async_to_sync
from django.test import Client

from yuheng.analysis.models import Explanation, SavedView
from yuheng.analysis.tests.plant import ANSWERS, HOUR_US, START_US, US, a_unit_with_signals, at
from yuheng.telemetry.selectors import history
from yuheng.testing.builders import a_person, a_site
from yuheng.testing.historian import FakeHistorian

pytestmark = pytest.mark.django_db

RANGE = f"from={START_US // 10**6}&to={(START_US + HOUR_US) // 10**6}"


@pytest.fixture(autouse=True)
def historian(nats_server, settings):
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, nats_url=nats_server.url)
    history.bus.cache_clear()
    with FakeHistorian(nats_server.url, ANSWERS) as fake:
        yield fake
    history.bus().close()
    history.bus.cache_clear()


def client_of(name):
    client = Client()
    client.force_login(a_person(name), backend="yuheng.people.identity.PersonBackend")
    client.cookies["django_language"] = "en"
    return client


@pytest.fixture
def plant():
    return a_unit_with_signals()


@pytest.fixture
def as_ana(plant):
    return client_of("ana")


def body_of(answer):
    """Read a streamed answer, as the server's loop does."""

    async def read():
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(read)() if answer.is_async else b"".join(answer.streaming_content)


@pytest.mark.parametrize("tab", ["capsules", "overlay", "statistics", "histogram", "scatter", "raw"])
@pytest.mark.parametrize("kind", ["stops", "cycles"])
def test_every_tab_is_a_page_without_scripts(as_ana, plant, tab, kind):
    _unit, tags, _tree = plant
    shown = f"{tags['power_kw']}.{tags['temp']}"
    page = as_ana.get(f"/trends?tags={shown}&{RANGE}&tab={tab}&kind={kind}").content.decode()
    assert "H07 Power" in page
    assert 'class="notice warning"' not in page
    assert '<div class="empty">' not in page


def test_the_page_opens_empty_and_from_a_machine(as_ana, plant):
    unit, tags, _tree = plant
    assert "No signals are chosen yet" in as_ana.get("/trends").content.decode()
    answer = as_ana.get(f"/work-units/{unit.pk}/trends", follow=True)
    assert answer.redirect_chain[0][0] == f"/trends?of={unit.pk}"
    assert f'data-tag="{tags["power_kw"]}"' in answer.content.decode()


def test_a_unit_of_measure_is_converted_everywhere(as_ana, plant):
    _unit, tags, _tree = plant
    asked = f"tags={tags['temp']}&units={tags['temp']}:[degF]&{RANGE}"
    page = as_ana.get(f"/trends?{asked}&high=86").content.decode()
    assert ">50<" in page  # 10 °C, the least
    assert "°F" in page
    series = as_ana.get(f"/trends/series?{asked}&start_us={START_US}&end_us={START_US + HOUR_US}&width=100").json()
    assert series["series"][0]["first"][0] == pytest.approx(68.0)


def test_limits_are_asked_in_the_stored_unit(as_ana, plant, historian):
    _unit, tags, _tree = plant
    as_ana.get(f"/trends?tags={tags['temp']}&units={tags['temp']}:[degF]&{RANGE}&high=86")
    asked = next(payload for subject, payload in historian.asked if subject.endswith("describe"))
    assert b'"high":30.0' in asked


def test_the_end_of_the_range_is_the_moment_that_is_asked_for(as_ana, plant):
    _unit, tags, _tree = plant
    page = as_ana.get(f"/trends?tags={tags['temp']}&span=1h&at=2026-11-23T01:00:00Z").content.decode()
    assert f'"at": {(START_US + HOUR_US) / 1e6}' in page
    assert f'"to": {(START_US + HOUR_US) / 1e6}' in page


@pytest.mark.parametrize(
    "wrong",
    ["tags=x", "tags=1.2&from=5&to=1", "at=yesterday", "tags=1&low=many", "tags=" + ".".join(map(str, range(20)))],
)
def test_what_cannot_be_understood_is_refused_with_a_sentence(as_ana, wrong):
    answer = as_ana.get(f"/trends?{wrong}")
    assert answer.status_code == 422
    assert b"data-sentence" in answer.content


def test_bands_show_states_reasons_shifts_and_slices(as_ana, plant):
    unit, tags, tree = plant
    as_ana.post("/stops/explain", {"stop": f"{unit.pk}.{START_US + 600_000_000}", "reason": tree["wire"]})
    asked = f"tags={tags['power_kw']}&{RANGE}&bands=states.reasons.shifts.capsules&kind=stops"
    rows = {row["kind"]: row for row in as_ana.get(f"/trends/bands?{asked}").json()["rows"]}
    assert [one[0] for one in rows["states"]["intervals"]] == [2, 5, 2]
    assert [one[1] for one in rows["reasons"]["intervals"]] == ["Wire feed"]
    assert rows["capsules"]["intervals"][0][1] == "Down · 12 · Wire feed"


def test_a_condition_that_cannot_be_understood_is_said_beside_the_page(as_ana, plant):
    _unit, tags, _tree = plant
    page = as_ana.get(f"/trends?tags={tags['temp']}&{RANGE}&tab=capsules&kind=where&where=nonsense").content.decode()
    assert "The condition names no symbol" in page


def test_the_overlay_lays_the_last_good_cycles_over_each_other(as_ana, plant):
    _unit, tags, _tree = plant
    asked = f"tags={tags['power_kw']}&{RANGE}&kind=cycles&last=20&unless=temp>90"
    body = as_ana.get(f"/trends/overlay?{asked}").json()
    assert len(body["capsules"]) == 20
    assert [curves[0]["pixel"][0] for curves in body["curves"]] == [0] * 20


def test_raw_values_are_paged_without_losing_or_repeating_one(as_ana, plant):
    _unit, tags, _tree = plant
    times, after = [], ""
    while True:
        page = as_ana.get(f"/trends/part?tags={tags['temp']}&{RANGE}&tab=raw&after={after}")
        body = page.context["page"]
        times += [row.time_us for row in body.rows]
        after = body.after
        if not after:
            break
    assert times == list(range(START_US, START_US + HOUR_US, 1_000_000))


def test_a_csv_has_units_zone_and_both_names(as_ana, plant):
    _unit, tags, _tree = plant
    answer = as_ana.get(f"/trends/export?tags={tags['temp']}&{RANGE}&format=csv")
    rows = list(csv.reader(io.StringIO(body_of(answer).decode("utf-8-sig"))))
    assert rows[0][0] == "时间 / Time (Asia/Shanghai)"
    assert rows[1][:6] == ["2026-11-23T08:00:00+08:00", "H07", "temp", "温度 / Temperature", "20.0", "Cel"]
    assert len(rows) == 3601


def test_a_spreadsheet_has_wall_times_means_and_says_what_it_is(as_ana, plant):
    _unit, tags, _tree = plant
    shown = f"{tags['power_kw']}.{tags['temp']}"
    answer = as_ana.get(f"/trends/export?tags={shown}&{RANGE}&format=xlsx&bucket=1m")
    book = openpyxl.load_workbook(io.BytesIO(body_of(answer)))
    values = list(book["数据 Data"].values)
    assert values[0][1] == "H07 功率 / Power [kW] 平均 / mean"
    assert values[1][0].isoformat() == "2026-11-23T08:00:00"
    assert len(values) == 61
    facts = dict(book["说明 About"].values)
    assert facts["时区 / Time zone"] == "Asia/Shanghai"


def test_parquet_keeps_types_and_says_what_it_is(as_ana, plant):
    _unit, tags, _tree = plant
    answer = as_ana.get(f"/trends/export?tags={tags['temp']}&{RANGE}&format=parquet")
    table = pq.read_table(io.BytesIO(body_of(answer)))
    assert table.schema.field("time").type == US
    assert table.num_rows == 3600
    assert table["unit"][0].as_py() == "Cel"
    assert "elevator1" in table.schema.metadata["工厂 / Site".encode()].decode()


def test_what_does_not_fit_a_spreadsheet_is_refused_before_anything_is_sent(as_ana, plant):
    _unit, tags, _tree = plant
    month = f"from={START_US // 10**6 - 30 * 86400}&to={START_US // 10**6}"
    answer = as_ana.get(f"/trends/export?tags={tags['temp']}&{month}&format=xlsx")
    assert answer.status_code == 422
    assert "Choose less time or means." in answer.content.decode()


def test_a_formula_in_a_name_stays_text(as_ana, plant, historian):
    _unit, tags, _tree = plant
    answer = as_ana.get(f"/trends/export?tags={tags['program']}&{RANGE}&format=csv")
    assert "=Program" not in [cell for row in csv.reader(io.StringIO(body_of(answer).decode())) for cell in row]


def test_when_the_historian_is_busy_the_page_says_so_and_stays(as_ana, plant, monkeypatch):
    def busy(**_question):
        raise history.HistorianAway("Too many questions are waiting for the history. Ask again in a moment.")

    monkeypatch.setattr(history, "describe", busy)
    page = as_ana.get(f"/trends?tags={plant[1]['temp']}&{RANGE}")
    assert page.status_code == 200
    assert "Too many questions are waiting" in page.content.decode()


# ---- kept views -----------------------------------------------------------------------------------------------------


def kept(client, plant, **fields):
    _unit, tags, _tree = plant
    query = f"tags={tags['temp']}&span=1h&kind=cycles&evil=1"
    return client.post("/trends/views/save", {"site": a_site().pk, "name_en": "Oven", "query": query, **fields})


def test_a_kept_view_shows_the_same_again(as_ana, plant):
    answer = kept(as_ana, plant)
    row = SavedView.objects.get()
    assert answer["Location"] == f"/trends?view={row.pk}"
    assert "evil" not in row.query
    page = as_ana.get(answer["Location"]).content.decode()
    assert "<h1>Oven</h1>" in page
    assert f'data-tag="{plant[1]["temp"]}"' in page


def test_a_private_view_is_its_owners_and_a_shared_one_everybodys(as_ana, plant):
    kept(as_ana, plant)
    ben = client_of("ben")
    assert ben.get(f"/trends?view={SavedView.objects.get().pk}").status_code == 404
    as_ana.post(f"/trends/views/{SavedView.objects.get().pk}", {"do": "change", "name_en": "Oven", "shared": "1"})
    assert ben.get(f"/trends?view={SavedView.objects.get().pk}").status_code == 200
    assert ben.post(f"/trends/views/{SavedView.objects.get().pk}", {"do": "delete"}).status_code == 403
    as_ana.post(f"/trends/views/{SavedView.objects.get().pk}", {"do": "delete"})
    assert not SavedView.objects.exists()


def test_the_default_view_of_a_machine_needs_an_engineer_and_opens_first(as_ana, plant):
    unit, tags, _tree = plant
    assert kept(as_ana, plant, default_of=unit.pk).status_code == 403
    assert not SavedView.objects.exists()
    kept(client_of("lin"), plant, default_of=unit.pk)
    page = as_ana.get(f"/trends?of={unit.pk}").content.decode()
    assert f'data-tag="{tags["temp"]}"' in page
    assert f'data-tag="{tags["power_kw"]}"' not in page


def test_a_view_without_a_name_is_refused(as_ana, plant):
    assert kept(as_ana, plant, name_en=" ").status_code == 422
    assert not SavedView.objects.exists()


# ---- stops ----------------------------------------------------------------------------------------------------------

LONG = "from=2026-11-23T00:00:00Z&to=2026-11-23T02:00:00Z"


def test_unexplained_stops_are_listed_explained_and_gone(as_ana, plant):
    unit, _tags, tree = plant
    page = as_ana.get(f"/stops?{LONG}").content.decode()
    assert "Unexplained stops" in page
    assert f'data-stop="{unit.pk}.{START_US + 600_000_000}"' in page
    answer = as_ana.post(
        "/stops/explain", {"stop": f"{unit.pk}.{START_US + 600_000_000}", "reason": tree["wire"], "next": "/stops"}
    )
    assert answer["Location"] == "/stops"
    assert "Every stop of this time has a reason" in as_ana.get(f"/stops?{LONG}").content.decode()
    pareto = as_ana.get(f"/stops/pareto?{LONG}").content.decode()
    assert "Wire feed" in pareto
    assert "ADOT" in pareto
    assert f"reason={tree['wire']}" in pareto
    drilled = as_ana.get(f"/stops?{LONG}&reason={tree['machine']}").content.decode()
    assert f'data-stop="{unit.pk}.' in drilled


def test_a_stop_is_split_by_wall_time(as_ana, plant):
    unit, _tags, tree = plant
    stop = f"{unit.pk}.{START_US + 600_000_000}"
    as_ana.post(
        "/stops/explain", {"stop": stop, "reason": tree["wire"], "part": "after", "split": "2026-11-23T08:25:00"}
    )
    row = Explanation.objects.get()
    assert (row.from_at, row.until_at, row.is_start_cut) == (at(25), at(40), True)


def test_the_dialog_is_a_page_too_and_offers_only_what_may_be_done(as_ana, plant):
    unit, _tags, _tree = plant
    address = f"/stops/one?unit={unit.pk}&at={START_US + 700_000_000}"
    assert "data-reason-item" in as_ana.get(address).content.decode()
    viewer = client_of("zhao")
    assert "data-reason-item" not in viewer.get(address).content.decode()
    assert as_ana.get(f"/stops/one?unit={unit.pk}&at={START_US + 60_000_000}").status_code == 404


def test_the_tree_is_changed_on_its_page_by_who_may(plant):
    site = a_site().pk
    lin, ana = client_of("lin"), client_of("ana")
    form = {"do": "write", "code": "nozzle", "name_zh": "喷嘴", "name_en": "Nozzle", "parent": "wire"}
    assert ana.post(f"/reasons/sites/{site}/write", form).status_code == 403
    assert lin.post(f"/reasons/sites/{site}/write", form).status_code == 302
    assert "Nozzle" in ana.get(f"/reasons/sites/{site}").content.decode()
    lin.post(f"/reasons/sites/{site}/write", {"do": "retire", "code": "wire"})
    assert lin.get(f"/reasons/sites/{site}").content.decode().count("retired") >= 2
