"""``yuheng b2mml``: the documented example goes in, comes out, and is refused with its place when it is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from yuheng.config import cli
from yuheng.operations.models import CustomerOrder, ExchangedDocument
from yuheng.operations.tests.plant import a_plant, a_simple_product

GUIDE = Path(__file__).resolve().parents[4] / "docs" / "integrators" / "erp.md"


@pytest.fixture
def path(tmp_path):
    found = re.search(r"```xml\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    file = tmp_path / "schedule.xml"
    file.write_text(found[1], encoding="utf-8")
    return file


@pytest.fixture
def plant(db, monkeypatch):
    monkeypatch.setattr("yuheng.config.commands.b2mml.connect", lambda _data_dir: None)
    plant = a_plant()
    a_simple_product(plant)
    return plant


def run(capsys, *words, code=0):
    assert cli.main(["b2mml", *map(str, words), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_document_is_checked_without_a_running_plant(path, capsys):
    assert run(capsys, "check", path)["items"] == 1
    path.write_text(path.read_text().replace("<Priority>200<", "<Priority>high<"))
    told = run(capsys, "check", path, code=1)
    assert told["issues"][0]["path"].endswith("/OperationsSchedule[1]/OperationsRequest[1]/Priority")
    assert told["issues"][0]["line"] == 15
    assert cli.main(["b2mml", "check", str(path.with_name("none.xml"))]) == 2


def test_the_documented_example_goes_in_and_comes_out(path, plant, capsys, tmp_path):
    dry = run(capsys, "import", path, "--dry-run")
    assert (dry["applied"], dry["counts"]["add"], CustomerOrder.objects.count()) == (False, 1, 0)
    done = run(capsys, "import", path)
    assert (done["applied"], done["sender"]) == (True, "SAP-100")
    order = CustomerOrder.objects.get(code="SO-4711")
    assert (order.state, order.customer.name_zh) == ("released", "华东机械")
    assert run(capsys, "import", path)["counts"]["leave"] == 1
    out = run(capsys, "export", tmp_path / "all")
    assert [one["kind"] for one in out["documents"]] == ["schedule", "performance", "material", "equipment"]
    for one in out["documents"]:
        assert run(capsys, "import", one["path"], "--dry-run")["counts"]["add"] == 0


def test_a_wrong_document_is_refused_with_its_place_and_kept(path, plant, capsys):
    path.write_text(path.read_text().replace(">GEAR</MaterialDefinitionID>", ">NONE</MaterialDefinitionID>"))
    told = run(capsys, "import", path, code=1)
    assert told["issues"][0]["path"].endswith("/MaterialRequirement[1]/MaterialDefinitionID[1]")
    assert told["applied"] is False
    assert CustomerOrder.objects.count() == 0
    path.write_text("<x/>")
    assert run(capsys, "import", path, code=1)["issues"][0]["path"] == "/x"
    assert [row.outcome for row in ExchangedDocument.objects.all()] == ["refused", "refused"]
