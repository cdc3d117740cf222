"""What a person meets is in the documentation: connectors, commands, variables, events, reasons of refusal."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from yuheng.config.cli import COMMANDS
from yuheng.engines.points import Refusal

ROOT = Path(__file__).resolve().parents[2]
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md")))


def mentioned(word: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", DOCS) is not None


def connectors():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return sorted(project["entry-points"]["yuheng.connectors"])


def variables():
    """Every variable of the environment that our code reads."""
    found = set()
    for path in (ROOT / "src" / "yuheng").rglob("*.py"):
        if "tests" not in path.parts and "testing" not in path.parts:
            found |= set(re.findall(r"""["'](YUHENG_[A-Z_]+|DATABASE_URL|NATS_URL)["']""", path.read_text()))
    return sorted(found)


def events():
    found = []
    for path in sorted((ROOT / "src" / "yuheng").glob("*/events.py")):
        found += [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
    return found


@pytest.mark.parametrize("connector", connectors())
def test_every_connector_is_documented(connector):
    assert mentioned(connector)


@pytest.mark.parametrize("variable", variables())
def test_every_environment_variable_is_documented(variable):
    assert mentioned(variable)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert mentioned(f"yuheng {command}")


@pytest.mark.parametrize("event", events())
def test_every_event_is_documented(event):
    assert mentioned(event)


@pytest.mark.parametrize("reason", [reason.value for reason in Refusal])
def test_every_reason_of_refusal_is_documented(reason):
    assert mentioned(reason)


def test_the_check_can_fail():
    assert not mentioned("YUHENG_NO_SUCH_VARIABLE")
    assert connectors()
    assert "YUHENG_DATA_DIR" in variables()


def links():
    for path in sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target):
                yield pytest.param(path, target, id=f"{path.relative_to(ROOT)} -> {target}")


@pytest.mark.parametrize(("path", "target"), list(links()))
def test_every_link_inside_the_documentation_leads_somewhere(path, target):
    assert (path.parent / target).exists()
