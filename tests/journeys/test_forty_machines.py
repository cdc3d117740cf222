"""Lin makes a class of sixty tags once, forty machines of it, then changes a threshold for all of them."""

from __future__ import annotations

import json
import os

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from yuheng.equipment.models import EquipmentClass, WorkCenter, WorkUnit
from yuheng.telemetry.models import DataSource, Tag
from yuheng.testing.builders import a_site

pytestmark = [pytest.mark.browser, pytest.mark.engines]


def picture(page: Page, name: str) -> None:
    """Save what the walk of docs/users/templates.md shows; only when asked: DOC_IMAGES=docs/images."""
    folder = os.environ.get("DOC_IMAGES")
    if folder:
        page.screenshot(path=f"{folder}/templates-{name}.png")


PASTE = """async (text) => {
  const grid = document.querySelector("y-grid");
  grid.focusCell();
  const data = new DataTransfer();
  data.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  document.activeElement.dispatchEvent(event);
}"""


def sixty_tags() -> str:
    """A table as Excel puts it on the clipboard."""
    head = "Symbol\tAddress\tData type\tChinese name\tEnglish name\tUnit\tDeadband"
    rows = [
        f"s{n:02d}\tnsu=urn:fab;s=Line{{line}}.{{unit}}.S{n:02d}\tfloat\t信号 {n}\tSignal {n}\tCel\t0.5"
        for n in range(60)
    ]
    return "\n".join([head, *rows])


@pytest.fixture
def plant(page: Page, web: RunningWeb) -> Page:
    """The equipment page of the site, in English, as an engineer sees it."""
    sign_in(page, web.url, username="lin")
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    page.goto(f"{web.url}/equipment/sites/{a_site().pk}")
    return page


def test_a_class_of_sixty_tags_and_forty_machines_then_a_threshold_for_all(plant: Page, web: RunningWeb):
    page = plant
    DataSource.objects.get_or_create(site=a_site(), code="opc-1", defaults={"connector": "opcua"})
    page.locator("details.menu", has_text="Add").locator("summary").click()
    page.get_by_role("link", name="Equipment class").click()
    page.get_by_label("Code").fill("press-400")
    page.get_by_label("Chinese name").fill("四百吨压力机")
    page.get_by_label("English name").fill("Press 400 t")
    page.get_by_role("button", name="Save").click()

    page.get_by_label("Name of variable 1").fill("line")
    page.get_by_label("Default of variable 1").fill("1")
    page.locator("y-grid td").first.click()
    page.evaluate(PASTE, sixty_tags())
    expect(page.locator("y-grid tbody tr")).to_have_count(60)
    picture(page, "grid")
    page.get_by_role("button", name="Preview the changes").click()
    expect(page.locator("#preview")).to_contain_text("No machine follows this template yet")
    page.get_by_role("button", name="Save the template").click()
    expect(page.get_by_text("Saved. No machine follows")).to_be_visible()

    page.get_by_role("link", name="Machines", exact=True).click()
    page.get_by_role("link", name="Make machines").click()
    center = WorkCenter.objects.filter(site=a_site()).first()
    assert center is not None
    page.get_by_label("Work center").select_option(str(center.pk))
    page.get_by_label("Data source").select_option(label="opc-1 (opcua)")
    page.get_by_label("to number").fill("40")
    page.get_by_label("Code").fill("PX{n:02d}")
    page.get_by_label("Paste a table").fill("n\tline\n" + "\n".join(f"{n}\t{1 + n // 21}" for n in range(1, 41)))
    page.get_by_role("button", name="Show the dry run").click()
    expect(page.get_by_text("2400 tags added")).to_be_visible()
    expect(page.get_by_text("nsu=urn:fab;s=Line2.PX40.S59")).to_be_attached()
    assert not WorkUnit.objects.filter(code="PX01").exists()
    picture(page, "dry-run")
    page.get_by_role("button", name="Make 40 machines").click()
    expect(page.get_by_text("40 machines with 2400 tags were made.")).to_be_visible()
    kind = EquipmentClass.objects.get(code="press-400")
    assert Tag.objects.filter(work_unit__equipment_class=kind).count() == 2400

    page.get_by_role("link", name="PX07").click()
    page.get_by_role("link", name="Edit its tags").click()
    grid = page.locator("y-grid")
    deadband = grid.locator("thead th", has_text="Deadband").evaluate("cell => cell.cellIndex")
    grid.locator("tbody tr").first.locator("td").nth(deadband - 1).click()
    page.keyboard.type("2.5")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save the changed cells").click()
    expect(page.locator("#grid-notice")).to_have_text("Saved: 1 tag changed.")

    page.goto(f"{web.url}/signals/classes/{kind.pk}/template")
    column = page.locator("y-grid thead th", has_text="Deadband").evaluate("cell => cell.cellIndex")
    page.locator("y-grid tbody tr").first.locator("td").nth(column - 1).click()
    page.keyboard.type("0.8")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Preview the changes").click()
    expect(page.locator("#preview")).to_contain_text("39 machines")
    expect(page.locator("#preview")).to_contain_text("1 field stays as set by hand")
    page.locator("#preview").scroll_into_view_if_needed()
    picture(page, "preview")
    page.get_by_role("button", name="Apply to 39 machines").click()
    expect(page.get_by_text("Saved. 39 machines changed.")).to_be_visible()
    assert Tag.objects.filter(symbol="s00", work_unit__equipment_class=kind, deadband=0.8).count() == 39

    page.goto(f"{web.url}/signals/machines/{WorkUnit.objects.get(code='PX07').pk}")
    picture(page, "machine")
    page.get_by_role("button", name="Deadband of s00 back to the template").click()
    expect(page.get_by_text("1 tag follows its template again.")).to_be_visible()
    assert Tag.objects.filter(symbol="s00", work_unit__equipment_class=kind, deadband=0.8).count() == 40


def test_the_grid_is_worked_with_the_keyboard_alone(plant: Page, web: RunningWeb):
    page = plant
    kind = EquipmentClass.objects.create(site=a_site(), code="kb", name_zh="键盘", name_en="Keyboard")
    page.goto(f"{web.url}/signals/classes/{kind.pk}/template")
    page.locator("y-grid td").first.focus()
    for text in ("temp", "", "a/{unit}/t"):
        if text:
            page.keyboard.type(text)
            page.keyboard.press("Tab")
        else:
            page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Add a row").press("Enter")
    page.evaluate(PASTE, "run\t\ta/{unit}/r\tbool")
    cells = page.evaluate("document.querySelector('y-grid').rows.map((row) => [row.cells.symbol, row.cells.address])")
    assert cells == [["temp", "a/{unit}/t"], ["run", "a/{unit}/r"]]
    page.keyboard.press("Control+z")
    assert page.evaluate("document.querySelector('y-grid').rows[1].cells.symbol") == ""
    page.evaluate(PASTE, "run\t\tno{such}\tbool")
    page.get_by_role("button", name="Preview the changes").click()
    wrong = page.locator("y-grid td[aria-invalid]")
    expect(wrong).to_have_count(1)
    page.locator(".grid-errors button").click()
    assert json.loads(page.evaluate("JSON.stringify(document.querySelector('y-grid').at)")) == {"row": 1, "column": 2}


def test_tiles_are_placed_by_keys_numbers_and_mouse(plant: Page, web: RunningWeb):
    page = plant
    page.goto(f"{web.url}/equipment/sites/{a_site().pk}/map")
    unit = page.locator("g.place-unit").first
    code = unit.get_attribute("data-name")
    before = float(unit.get_attribute("data-x") or 0)
    unit.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert float(unit.get_attribute("data-x") or 0) == before + 2
    page.locator("#place-w").fill("70")
    page.locator("#place-w").blur()
    box = unit.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 105, box["y"] + 5, steps=5)
    page.mouse.up()
    page.get_by_role("button", name="Save 1 places").click()
    expect(page.get_by_text("1 place was saved.")).to_be_visible()
    placed = WorkUnit.objects.get(site=a_site(), code=code).placement
    assert placed.w == 70
    assert placed.x > before + 20
