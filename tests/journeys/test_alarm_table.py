"""Wei pastes the alarms of a class, moves a threshold for all machines, and one machine keeps its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import RunningWeb
from tests.journeys.signing_in import sign_in
from tests.journeys.test_forty_machines import PASTE
from yuheng.alarms.models import AlarmDefinition, AlarmOverride
from yuheng.equipment.models import EquipmentClass, WorkCenter, WorkUnit
from yuheng.testing.builders import a_site

pytestmark = [pytest.mark.browser, pytest.mark.engines]

ALARMS = "\n".join(
    [
        "Code\tCondition\tLimits\tPriority\tName, Chinese\tName, English\tDeadband",
        "hot\ttemp > high\thigh = 80\thigh\t油温高\tOil hot\t2",
        *(f"a{n:02d}\ts{n:02d} > high\thigh={n}\t{1 + n % 4}\t报警{n}\tAlarm {n}\t" for n in range(24)),
    ]
)


@pytest.fixture
def press(page: Page, web: RunningWeb) -> EquipmentClass:
    """A class with three machines; the page of its alarms is open, in English."""
    sign_in(page, web.url, username="lin")
    page.context.add_cookies([{"name": "django_language", "value": "en", "url": web.url}])
    kind = EquipmentClass.objects.create(site=a_site(), code="press-at", name_zh="压力机", name_en="Press")
    center = WorkCenter.objects.filter(site=a_site()).first()
    for n in (1, 2, 3):
        WorkUnit.objects.create(
            site=a_site(),
            work_center=center,
            equipment_class=kind,
            code=f"AT{n}",
            name_zh=f"机 {n}",
            name_en=f"Machine {n}",
        )
    page.goto(f"{web.url}/signals/classes/{kind.pk}/template")
    return kind


def test_alarms_are_pasted_and_a_threshold_moves_for_all(page: Page, web: RunningWeb, press: EquipmentClass):
    page.get_by_role("navigation", name="This class").get_by_role("link", name="Alarms").click()
    page.get_by_role("link", name="Edit as a table").click()
    page.locator("y-grid td").first.click()
    page.evaluate(PASTE, ALARMS.replace("high = 80", "high is 80"))
    page.get_by_role("button", name="Preview the changes").click()
    expect(page.locator("y-grid td[aria-invalid]")).to_have_count(1)
    assert not AlarmDefinition.objects.filter(equipment_class=press).exists()

    page.locator(".grid-errors button").click()
    page.keyboard.type("high = 80")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Preview the changes").click()
    expect(page.locator("#preview")).to_contain_text("25 new alarms")
    expect(page.locator("#preview")).to_be_in_viewport()
    page.get_by_role("button", name="Apply to 3 machines").click()
    expect(page.get_by_text("25 alarms")).to_be_visible()
    assert AlarmDefinition.objects.filter(equipment_class=press, retired_at=None).count() == 25

    unit = WorkUnit.objects.get(code="AT2")
    page.goto(f"{web.url}/signals/machines/{unit.pk}")
    page.get_by_role("link", name="Its alarms").click()
    page.locator("tr", has_text="Oil hot").get_by_role("link", name="Let it differ").click()
    page.get_by_label("high").first.fill("95")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("tr", has_text="Oil hot").locator(".chip.own")).to_contain_text("95")

    page.goto(f"{web.url}/alarms/classes/{press.pk}/table")
    limits = page.locator("y-grid thead th", has_text="Limits").evaluate("cell => cell.cellIndex")
    page.locator("y-grid tbody tr", has_text="temp > high").locator("td").nth(limits - 1).click()
    page.keyboard.type("high = 85")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Preview the changes").click()
    expect(page.locator("#preview")).to_contain_text("1 alarm changes")
    expect(page.locator("#preview")).to_contain_text("✎ AT2 95")
    page.get_by_role("button", name="Apply to 3 machines").click()
    expect(page.get_by_role("link", name="Oil hot")).to_be_visible()
    assert AlarmDefinition.objects.get(equipment_class=press, code="hot").parameters == {"high": 85.0}
    assert AlarmOverride.objects.get(work_unit=unit).parameters == {"high": 95.0}
