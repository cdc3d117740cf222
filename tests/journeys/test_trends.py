"""An engineer asks why a machine stood: from its page to its curves, its cycles, a file, and a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from playwright.sync_api import Page, expect

from tests.journeys.axe import violations
from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.analysis.models import Explanation
from yuheng.analysis.tests.plant import ANSWERS, HOUR_US, START_US, a_unit_with_signals
from yuheng.telemetry.models import Tag
from yuheng.telemetry.selectors import history
from yuheng.telemetry.services.tags import TagSpec, write_tags
from yuheng.testing.builders import SHIFT_START, SYSTEM
from yuheng.testing.historian import FakeHistorian

pytestmark = [pytest.mark.browser, pytest.mark.engines]

RANGE = f"from={START_US // 10**6}&to={(START_US + HOUR_US) // 10**6}"
LONG = "from=2026-11-23T00:00:00Z&to=2026-11-23T02:00:00Z"


@pytest.fixture
def measured(feed, nats_server, settings):
    """H07 with signals in the database, and a historian that knows their past."""
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, nats_url=nats_server.url)
    history.bus.cache_clear()
    with FakeHistorian(nats_server.url, ANSWERS):
        yield a_unit_with_signals()
    history.bus().close()
    history.bus.cache_clear()


@pytest.fixture
def trends(measured, page: Page, web: RunningWeb) -> Page:
    """The trends of H07's power, in English."""
    sign_in(page, web.url)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    page.goto(f"{web.url}/trends?tags={measured[1]['power_kw']}&{RANGE}&kind=cycles")
    expect(page.locator("y-trends[data-drawn] .u-over").first).to_be_visible()
    return page


def test_from_a_machine_to_a_reason(measured, page: Page, web: RunningWeb, tmp_path: Path):
    unit, tags, _tree = measured
    sign_in(page, web.url)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    page.goto(f"{web.url}/work-units/{unit.pk}")
    page.get_by_role("link", name="Trends and analysis").click()
    expect(page.locator(f'tr[data-tag="{tags["power_kw"]}"]')).to_be_visible()

    page.goto(f"{page.url}&{RANGE}&kind=cycles")
    page.locator(f'[data-remove="{tags["temp"]}"]').click()
    expect(page.locator(f'tr[data-tag="{tags["temp"]}"]')).to_have_count(0)
    page.get_by_role("searchbox").fill("temperature")
    page.locator(f'[data-add="{tags["temp"]}"]').click()
    expect(page.locator(f'tr[data-tag="{tags["temp"]}"]')).to_be_visible()
    expect(page.locator("y-trends[data-drawn] .u-over")).to_have_count(2)

    page.get_by_role("link", name="Overlay").click()
    expect(page.locator("y-overlay[data-drawn] .u-over")).to_have_count(2)
    expect(page.locator("[data-overlay-note]")).to_contain_text("20 slices")

    page.get_by_text("Export", exact=True).first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export").click()
    file = tmp_path / "export.xlsx"
    download.value.save_as(file)
    assert len(list(openpyxl.load_workbook(file)["数据 Data"].values)) == 61

    page.keyboard.press("Escape")
    bands = page.locator("[data-bands] canvas")
    box = bands.bounding_box()
    states = page.evaluate("document.querySelector('y-trends').bands.rows.findIndex((row) => row.kind === 'states')")
    middle = page.evaluate(f"document.querySelector('y-trends').bands.x({START_US / 1e6 + 1500})")
    page.mouse.click(box["x"] + middle, box["y"] + states * 20 + 10)
    page.get_by_role("button", name="Reason").click()
    page.locator("#yh-reason").get_by_role("button", name="Wire feed").click()
    expect(page.locator("#yh-reason")).not_to_be_visible()
    assert Explanation.objects.get().reason.code == "wire"


def test_the_cursor_reads_every_curve_with_the_keyboard(trends: Page):
    trends.locator("[data-panes-host]").focus()
    trends.keyboard.press("ArrowRight")
    expect(trends.locator("[data-readout]")).to_contain_text("H07 Power")
    expect(trends.locator("[data-cursor]").first).not_to_have_text("–")


def test_zooming_changes_the_address_and_the_numbers_below(trends: Page):
    box = trends.locator("y-trends .u-over").first.bounding_box()
    with trends.expect_request("**/trends/part?**") as asked:
        trends.mouse.move(box["x"] + 100, box["y"] + 50)
        trends.mouse.down()
        trends.mouse.move(box["x"] + 400, box["y"] + 60, steps=4)
        trends.mouse.up()
    assert f"from={START_US // 10**6}" not in trends.url
    assert "from=" in asked.value.url
    with trends.expect_request("**/trends/series?**"):
        trends.locator("[data-pan=live]").click()
    assert "from=" not in trends.url


def test_a_digit_explains_a_stop_and_goes_on(measured, page: Page, web: RunningWeb):
    sign_in(page, web.url)
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    page.goto(f"{web.url}/stops?{LONG}")
    page.locator("input[name=stop]").first.focus()
    page.keyboard.press("1")
    expect(page.locator("[data-said] .chip.strong")).to_have_text("Wire feed")
    assert Explanation.objects.count() == 1


PAGES = (
    "/trends",
    "/trends?tags={tags}&{range}&kind=cycles&tab=overlay",
    "/trends?tags={tags}&{range}&kind=stops&tab=capsules",
    "/trends?tags={tags}&{range}&tab=statistics&low=12&high=28",
    "/trends?tags={tags}&{range}&tab=histogram",
    "/trends?tags={tags}&{range}&tab=scatter",
    "/trends?tags={tags}&{range}&tab=raw",
    "/trends/views?keep=tags%3D1",
    "/stops?{long}&which=all",
    "/stops/pareto?{long}",
    "/stops/one?unit={unit}&at={stop}",
    "/reasons/sites/{site}?change=wire",
)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_axe_finds_nothing(measured, page: Page, web: RunningWeb, language: str, theme: str):
    unit, tags, _tree = measured
    sign_in(page, web.url, username="lin")
    page.context.add_cookies(
        [
            {"name": "django_language", "value": language, "url": web.url},
            {"name": "yh_theme", "value": theme, "url": web.url},
        ]
    )
    values = {"tags": f"{tags['power_kw']}.{tags['temp']}", "range": RANGE, "long": LONG, "unit": unit.pk}
    values |= {"stop": START_US + 700_000_000, "site": unit.site_id}
    faults = {}
    for address in PAGES:
        page.goto(web.url + address.format(**values))
        page.wait_for_load_state("load")
        if "tab=overlay" in address:
            expect(page.locator("y-overlay[data-drawn]")).to_be_visible()
        if found := violations(page):
            faults[address] = found
    assert faults == {}


MANY = """
([pixels, start]) => {
  const trends = document.querySelector("y-trends");
  const step = 1000000;
  const pixel = Array.from({length: pixels}, (_, i) => i);
  const wave = (tag, by) => pixel.map((i) => 20 + 10 * Math.sin(i / 90 + tag) + by);
  const series = trends.tags.map((tag) => ({tag: tag.id, pixel, first: wave(tag.id, 0), min: wave(tag.id, -1),
    max: wave(tag.id, 1), last: wave(tag.id, 0.2), count: pixel.map(() => 60), bad: []}));
  trends.from = start / 1e6;
  trends.span = pixels;
  trends.take({start_us: start, end_us: start + pixels * step, step_us: step, series});
  return trends.current[0].length;
}
"""
ZOOMS = 5
ZOOM = """
async (zooms) => {
  const trends = document.querySelector("y-trends");
  const done = {draws: 0, columns: 0, questions: 0, lines: 0};
  const counted = (of, name, what) => {
    const before = of[name];
    of[name] = function (...words) { done[what] += 1; return before.apply(this, words); };
  };
  const [plot] = trends.plots;
  plot.hooks.draw.push(() => { done.draws += 1; });
  counted(plot, "setData", "columns");
  counted(trends, "load", "questions");
  counted(Path2D.prototype, "lineTo", "lines");
  const box = plot.over.getBoundingClientRect();
  for (let i = 0; i < zooms; i++) {
    plot.over.dispatchEvent(new WheelEvent("wheel", {ctrlKey: true, deltaY: -10, clientX: box.left + 300,
      clientY: box.top + 20, bubbles: true, cancelable: true}));
    clearTimeout(trends.wheeling);
    await new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
  }
  return {...done, width: plot.bbox.width};
}
"""


def test_zooming_six_curves_of_twenty_thousand_points_draws_each_pixel_once(measured, page: Page, web: RunningWeb):
    """A turn of the wheel draws once what is there: nothing is asked, no column built, four lines a pixel at most."""
    unit, _tags, _tree = measured
    source = Tag.objects.filter(work_unit=unit).first()
    specs = [TagSpec(source.source_id, f"H07/t{n}", "float", unit.pk, f"t{n}", unit="Cel") for n in range(6)]
    write_tags(actor=SYSTEM, site_id=unit.site_id, tags=specs, at=SHIFT_START)
    ids = ".".join(str(pk) for pk in Tag.objects.filter(symbol__startswith="t", data_type="float").exclude(
        symbol="temp").values_list("pk", flat=True))  # fmt: skip
    sign_in(page, web.url)
    page.goto(f"{web.url}/trends?tags={ids}&{RANGE}&panes=shared&bands=none")
    expect(page.locator("y-trends[data-drawn]")).to_be_visible()
    assert page.evaluate(MANY, [5000, START_US]) == 20_000
    done = page.evaluate(ZOOM, ZOOMS)
    assert (done["draws"], done["columns"], done["questions"]) == (ZOOMS, 0, 0)
    assert 0 < done["lines"] <= ZOOMS * 6 * 4 * done["width"]
