"""Size and shape of the source: edges without queries, short files, honest exports."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "yuheng"
MAX_LINES = 600

GENERATED = re.compile(r"_pb2\.pyi?$|/migrations/")


def sources(pattern: str = "*.py"):
    return [path for path in sorted(SOURCE.rglob(pattern)) if not GENERATED.search(path.as_posix())]


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def edges():
    found = [
        p for p in sources() if p.stem in {"api", "views"} or {"api", "views"} & set(p.relative_to(SOURCE).parts[:-1])
    ]
    return [path for path in found if "tests" not in path.parts]


@pytest.mark.parametrize("path", edges(), ids=name)
def test_an_edge_asks_selectors_and_services_never_the_tables(path):
    queries = [node.lineno for node in ast.walk(ast.parse(path.read_text())) if _is_query(node)]
    assert queries == [], f"Model.objects in {name(path)}"


def _is_query(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in {"objects", "_default_manager"}


def test_the_query_check_can_fail():
    assert any(_is_query(node) for node in ast.walk(ast.parse("Site.objects.all()")))


@pytest.mark.parametrize("path", sources(), ids=name)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_there_are_no_signals():
    receivers = [
        name(p) for p in sources() if re.search(r"@receiver\(|\b(?:pre|post)_(?:save|delete)\b", p.read_text())
    ]
    assert receivers == []


def modules_with_exports():
    return [p for p in sources() if re.search(r"^__all__\b", p.read_text(), re.MULTILINE) and "tests" not in p.parts]


@pytest.mark.parametrize("path", modules_with_exports(), ids=name)
def test_what_a_module_says_it_exports_exists_once(path):
    dotted = ".".join(("yuheng", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    module = importlib.import_module(dotted)
    assert len(module.__all__) == len(set(module.__all__))
    assert [missing for missing in module.__all__ if not hasattr(module, missing)] == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "misc"])
def test_no_module_holds_the_rest(word):
    assert [name(path) for path in sources() if path.stem == word or word in path.relative_to(SOURCE).parts[:-1]] == []


def test_no_file_names_a_secret_place_of_one_machine():
    machine = re.compile(r"/(?:home|root|Users)/[a-z]")
    assert [name(path) for path in sources() if machine.search(path.read_text()) and "tests" not in path.parts] == []
