"""Every sentence of the terminal is declared, and every declared one is used."""

from __future__ import annotations

import re
from pathlib import Path

from yuheng.operations.terminal.strings import STRINGS, in_both_languages

MODULES = Path(__file__).resolve().parent.parent / "static" / "terminal"
USED = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')


def test_every_sentence_of_the_terminal_is_declared_and_every_declared_one_is_used():
    used = {sentence for path in MODULES.glob("*.js") for sentence in USED.findall(path.read_text(encoding="utf-8"))}
    assert used == set(STRINGS)


def test_placeholders_are_the_same_in_both_languages():
    placeholders = re.compile(r"%\(\w+\)s")
    both = in_both_languages()
    wrong = [s for s in STRINGS if sorted(placeholders.findall(both["zh"][s])) != sorted(placeholders.findall(s))]
    assert wrong == []
    assert set(both["en"]) == set(both["zh"]) == set(STRINGS)
