"""The first judgement of the orders: somebody new defines a product, orders it and has it made, by the pages alone.

A product of two levels with a routing of six steps; an order; two terminals, one of them without a network in between;
and at the end the order's page with every step, planned and actual.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from tests.journeys.test_products import paste_into
from yuheng.operations.models import JobOrder
from yuheng.operations.terminal.models import TerminalAction
from yuheng.operations.tests import plant as floor
from yuheng.testing import builders

pytestmark = [pytest.mark.browser, pytest.mark.engines]

TABLET: Any = {"width": 1280, "height": 800}
SYNC_MS = 60_000
MATERIALS = (
    ("DOOR", "厅门", "Landing door", "make"),
    ("FRAME", "门框", "Door frame", "make"),
    ("SHEET", "钢板", "Sheet", "buy"),
    ("HINGE", "铰链", "Hinge", "buy"),
)
HEAD = "Code\tChinese name\tEnglish name\tKind\tEquipment class\tSet-up (s)\tRun (s)"
FRAME_STEPS = f"{HEAD}\n10\t下料\tCut\tproduce\tcutter\t60\t30"
STEPS = ("Cut", "Bend", "Weld", "Paint", "Assemble", "Inspect")
DOOR_STEPS = "\n".join(
    [HEAD]
    + [
        f"{10 * n}\t工步{n}\t{name}\tproduce\t{'assembler' if n > 4 else 'cutter'}\t0\t60"
        for n, name in enumerate(STEPS, 1)
    ]
)


class Tablet:
    """A registered tablet at a station, in a browser of its own."""

    def __init__(self, page: Page, url: str, code: str) -> None:
        self.page, self.terminal = page, page.locator("y-terminal")
        page.goto(url + "/terminal/")
        page.fill("#yt-code", code)
        page.keyboard.press("Enter")
        expect(page.locator("main.sign-in")).to_be_visible()

    def sign_in(self, number: str, pin: str) -> None:
        self.page.locator("[data-field=number]").click()
        for digit in number:
            self.page.locator(f"main [data-pad='{digit}']").click()
        self.page.locator("[data-field=pin]").click()
        for digit in pin:
            self.page.locator(f"main [data-pad='{digit}']").click()
        self.page.locator("main .primary").click()
        expect(self.page.locator(".who")).to_be_visible()

    def make(self, code: str, *, use: str = "") -> None:
        """Start a job, take its material, and finish all of it."""
        page = self.page
        expect(page.locator("[data-verb=start] small")).to_contain_text(f"/ {code}")
        page.locator("[data-verb=start]").click()
        expect(page.locator("[data-verb=finish]")).to_be_visible()
        if use:
            page.locator("[data-key^='material:']").click()
            page.locator("dialog[open] .choices button").first.click()
            page.locator("dialog[open] button.primary").click()
            expect(page.locator("[data-key^='material:'].is-done")).to_have_count(1)
        page.locator("[data-verb=finish]").click()
        page.locator("dialog[open] button.primary").click()
        expect(page.locator("[data-verb=finish]")).to_have_count(0)  # it is written down

    def synced(self) -> None:
        self.page.evaluate("() => { document.querySelector('y-terminal').sync.now(); }")
        expect(self.terminal).to_have_attribute("data-kept", "0", timeout=SYNC_MS)
        expect(self.terminal).to_have_attribute("data-net", "online", timeout=SYNC_MS)

    def sees(self, code: str) -> None:
        """Wait for the next step, as somebody does who looks at the tablet."""
        self.page.evaluate("() => { document.querySelector('y-terminal').sync.now(); }")
        expect(self.page.locator("[data-verb=start] small")).to_contain_text(f"/ {code}", timeout=SYNC_MS)


@pytest.fixture
def tablets(browser: Browser) -> Iterator[list[Page]]:
    contexts = [browser.new_context(locale="en-US", viewport=TABLET) for _ in range(2)]
    yield [context.new_page() for context in contexts]
    for context in contexts:
        context.close()


def _product(page: Page, url: str, site: str) -> None:
    for code, zh, en, source in MATERIALS:
        page.goto(f"{url}/products?site={site}")
        page.get_by_role("link", name="Add a material", exact=True).click()
        page.get_by_label("Code").fill(code)
        page.get_by_label("Chinese name").fill(zh)
        page.get_by_label("English name").fill(en)
        page.get_by_label("Source").select_option(source)
        page.get_by_role("button", name="Save").click()
    _versions(page, url, site, "FRAME", "10\tSHEET\t2", FRAME_STEPS)
    _versions(page, url, site, "DOOR", "10\tFRAME\t1\n20\tHINGE\t3", DOOR_STEPS)


def _versions(page: Page, url: str, site: str, material: str, lines: str, steps: str) -> None:
    for tab, grid, text in (
        ("Bill of material", "line-grid", f"Find number\tComponent\tQuantity\n{lines}"),
        ("Work master", "segment-grid", steps),
    ):
        page.goto(f"{url}/products?site={site}&q={material}")
        page.get_by_role("link", name=material, exact=True).click()
        page.get_by_role("link", name=tab).click()
        page.get_by_role("button", name="Write the first version").click()
        paste_into(page, grid, text)
        page.get_by_role("button", name="Save the draft").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.locator("summary", has_text="Release").click()
        page.get_by_role("button", name="Release").click()
        expect(page.locator(".page-head")).to_contain_text("released")


def _stock(page: Page, url: str, site: str) -> None:
    for material, quantity in (("SHEET", "100"), ("HINGE", "100")):
        page.goto(f"{url}/stock/?site={site}")
        form = page.locator("form[action$='/stock/receive']")
        form.locator("[name=material]").select_option(material)
        form.locator("[name=quantity]").fill(quantity)
        form.get_by_role("button", name="Receive").click()


def _order(page: Page, url: str, site: str) -> str:
    page.goto(f"{url}/orders/new?site={site}")
    customer = page.locator("form[action$='/orders/customers']")
    customer.get_by_label("Code").fill("METRO")
    customer.get_by_label("Chinese name").fill("地铁公司")
    customer.get_by_label("English name").fill("Metro")
    customer.get_by_role("button", name="Save").click()
    expect(page.locator("#id_customer")).to_have_value("METRO")  # who was just written is chosen
    page.locator("#id_promised").fill("2035-01-31T12:00")
    page.locator("[name=material_1]").select_option("DOOR")
    page.locator("[name=quantity_1]").fill("2")
    page.get_by_role("button", name="Enter the order").click()
    page.get_by_role("button", name="Release: make the job orders").click()
    expect(page.locator(".route .node")).to_have_count(7)
    return page.url


def _register(page: Page, url: str, site: str, name: str, station: int) -> str:
    page.goto(f"{url}/terminals?site={site}")
    form = page.locator("form.toolbar")
    form.locator("[name=name]").fill(name)
    form.locator("[name=station]").select_option(str(station))
    page.get_by_role("button", name="Register a tablet").click()
    return page.locator(".pairing-code").inner_text().strip()


def _number(page: Page, url: str, person: int) -> str:
    page.goto(f"{url}/people/{person}")
    page.locator("#id_pin").fill("4827")
    page.get_by_role("button", name="Set the PIN").click()
    return page.locator("dt", has_text="Number").locator("+ dd").inner_text().strip()


def test_somebody_new_defines_orders_and_makes_a_product(page: Page, web: RunningWeb, tablets: list[Page]):
    plant = floor.a_plant()
    url, site = web.url, plant.site.code
    builders.a_person("chief", role="administrator", everywhere=True)
    sign_in(page, url, username="chief")
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": url}])

    _product(page, url, site)
    _stock(page, url, site)
    order = _order(page, url, site)
    codes = [_register(page, url, site, f"Tablet {unit}", plant.units[unit].pk) for unit in ("C1", "A1")]
    numbers = [_number(page, url, builders.a_person(who).pk) for who in ("ana", "ben")]

    cutting, assembly = (Tablet(one, url, code) for one, code in zip(tablets, codes, strict=True))
    cutting.sign_in(numbers[0], "4827")
    assembly.sign_in(numbers[1], "4827")
    cutting.make("10", use="SHEET")  # the frames
    cutting.synced()
    cutting.sees("10")
    cutting.make("10", use="")
    cutting.synced()
    for step in ("20", "30"):
        cutting.sees(step)
        cutting.make(step)
        cutting.synced()
    cutting.sees("40")
    cutting.page.context.set_offline(True)
    cutting.make("40")  # without a network
    expect(cutting.terminal).to_have_attribute("data-net", "offline", timeout=SYNC_MS)
    assert not JobOrder.objects.filter(segment="40").exclude(state="allowed_to_start").exists()
    cutting.page.context.set_offline(False)
    cutting.synced()
    for step in ("50", "60"):
        assembly.sees(step)
        assembly.make(step)
        assembly.synced()
    assert set(TerminalAction.objects.values_list("outcome", flat=True)) == {"applied"}

    page.goto(order)
    expect(page.locator(".page-head")).to_contain_text("Completed")
    expect(page.locator("table.steps tbody tr")).to_have_count(7)
    expect(page.locator("table.steps .lane-svg .actual")).to_have_count(7)
    expect(page.locator("table.steps .lane-svg .planned")).to_have_count(7)
    expect(page.locator(".fact", has_text="Steps over")).to_contain_text("7 / 7")
    for name in STEPS:
        expect(page.locator(".route .node", has_text=name).first).to_contain_text(
            "Landing door" if name != "Cut" else ""
        )
