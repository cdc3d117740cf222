"""Catalogues are compiled without a gettext binary."""

import gettext
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CATALOGUE = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"

msgid "Running"
msgstr "运行"

#, fuzzy
msgid "Idle"
msgstr "猜的"
"""


@pytest.fixture(scope="module")
def compile_messages():
    spec = importlib.util.spec_from_file_location("compile_messages", ROOT / "tools" / "compile_messages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("locale", ["zh_Hans", "zh_hans", "en"])
def test_a_translation_is_found_and_a_guess_is_not(compile_messages, tmp_path, locale):
    folder = tmp_path / "src" / "yuheng" / "web" / "locale" / locale / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text(CATALOGUE, encoding="utf-8")
    assert compile_messages.compile_all(tmp_path) == [folder / "django.mo"]
    with (folder / "django.mo").open("rb") as file:
        messages = gettext.GNUTranslations(file)
    assert messages.gettext("Running") == "运行"
    assert messages.gettext("Idle") == "Idle"
    assert sorted(path.name for path in folder.iterdir()) == ["django.mo", "django.po"]
