"""Lin defines a product with a two-level bill and a six-step routing by pasting tables, and releases it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.axe import violations
from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.engineering import selectors
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_equipment_class
from yuheng.testing.products import a_line, a_material, a_product

pytestmark = [pytest.mark.browser, pytest.mark.engines]

PASTE_HERE = """(text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.activeElement.dispatchEvent(event);
}"""
LINES = "\n".join(
    [
        "Find number\tComponent\tQuantity\tUnit\tOnly when\tScrap",
        "10\ttruss\t1\t\t\t",
        "20\tstep\tceil(rise / quantity(200, 'mm')) + 10\t\t\t",
        "30\tpane\trise * quantity(2, 'm')\tm2\tcladding == 'glass'\t3%",
    ]
)
OPTIONS = "\n".join(
    [
        "Name\tKind\tUnit\tChoices\tDefault\tAt least\tAt most",
        "rise\tnumber\tmm\t\t4500\t1000\t12000",
        "cladding\tchoice\t\tglass; steel\tsteel\t\t",
    ]
)
SEGMENTS = "\n".join(
    [
        "Code\tChinese name\tEnglish name\tKind\tEquipment class\tSet-up (s)\tRun (s)\tAfter\tRework to\tChecks",
        "10\t下料\tCut\tproduce\tassembly\t300\t120\t\t\t",
        "20\t焊接\tWeld\tproduce\tassembly\t0\tquantity(20, 'min')\t10\t\t",
        "30\t喷涂\tPaint\tproduce\tassembly\t0\t600\t10\t\t",
        "40\t装配\tAssemble\tproduce\tassembly\t0\trise / quantity(1, 'mm/s')\t20; 30 +60\t\t",
        "50\t检验\tInspect\tinspect\tassembly\t0\t300\t40; 55\t55 × 2\ttorque measured = 40 [38 … 42] N.m",
        "55\t返工\tRework\trework\tassembly\t0\t900\t\t\t",
        "60\t包装\tPack\tproduce\tassembly\t0\t240\t50\t\t",
    ]
)


def paste_into(page: Page, grid: str, text: str) -> None:
    page.locator(f"#{grid} td").first.click()
    page.evaluate(PASTE_HERE, text)


@pytest.fixture
def shop(page: Page, web: RunningWeb) -> None:
    sign_in(page, web.url, username="lin")
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    an_equipment_class("assembly")
    a_product("truss", a_line("10", "profile", "4"))
    a_material("step")
    a_material("pane", unit="m2")


def test_a_product_is_defined_and_released(page: Page, web: RunningWeb, shop: None):
    page.goto(f"{web.url}/products?site={a_site().code}")
    page.get_by_role("link", name="Add a material", exact=True).click()
    page.get_by_label("Code").fill("escalator")
    page.get_by_label("Chinese name").fill("自动扶梯")
    page.get_by_label("English name").fill("Escalator")
    page.get_by_label("Source").select_option("make")
    page.get_by_role("button", name="Save").click()

    page.get_by_role("link", name="Bill of material").click()
    page.get_by_role("button", name="Write the first version").click()
    paste_into(page, "line-grid", LINES)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator(".error-summary")).to_contain_text("There is no parameter 'rise'")
    expect(page.locator("#line-grid td[aria-invalid]")).to_have_count(2)
    paste_into(page, "option-grid", OPTIONS)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.locator("summary", has_text="Release").click()
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".page-head")).to_contain_text("released")
    expect(page.get_by_role("button", name="Save the draft")).to_have_count(0)

    page.get_by_role("link", name="escalator Escalator").click()
    page.get_by_role("link", name="Work master").click()
    page.get_by_role("button", name="Write the first version").click()
    paste_into(page, "option-grid", OPTIONS.replace("cladding", "unused"))
    paste_into(page, "segment-grid", SEGMENTS)
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("svg.routing rect")).to_have_count(7)
    assert violations(page) == []
    page.locator("summary", has_text="Release").click()
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".page-head")).to_contain_text("released")

    product = selectors.material_by_code(actor=SYSTEM, site_id=a_site().pk, code="escalator")
    found = selectors.resolve(
        actor=SYSTEM,
        site_id=product.site_id,
        material_id=product.id,
        quantity=Decimal(1),
        at=SHIFT_START.replace(year=2030),
    )
    assert [one.path for one in found.lines] == ["10", "10/10", "20"]
    assert found.routing().order == ("10", "20", "30", "40", "50", "60")
