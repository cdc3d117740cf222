"""Whatever the historian says to a reader is known here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from django.utils import translation

import yuheng.historian
from yuheng.telemetry.spoken import in_readers_words, is_known

HISTORIAN = Path(yuheng.historian.__path__[0])


def _text(node: ast.expr) -> str | None:
    """Return a literal or an f-string with every value as ``7``; None for anything computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "7" for part in node.values)
    return None


def said(file: str, *names: str) -> list[str]:
    """Every sentence with which one of these errors is made in a file."""
    tree = ast.parse((HISTORIAN / file).read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    texts = (_text(call.args[0]) for call in calls if call.func.id in names and call.args)
    return [text for text in texts if text is not None]


def test_every_refusal_of_a_question_is_known():
    sentences = said("answers.py", "Refused")
    assert len(sentences) >= 8
    assert [sentence for sentence in sentences if not is_known(sentence)] == []


def test_every_reason_to_hold_the_log_is_known():
    sentences = said("committer.py", "StoreFailure")
    assert sentences
    assert [sentence for sentence in sentences if not is_known(sentence)] == []


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "More than 10 tags were asked for."), ("zh-hans", "一次问的信号超过 10 个。")],
)
def test_numbers_and_names_survive_translation(language: str, words: str):
    with translation.override(language):
        assert in_readers_words("More than 10 tags were asked for.") == words


def test_what_is_not_known_is_shown_as_it_was_said():
    with translation.override("zh-hans"):
        assert in_readers_words("Segmentation 100 % fault") == "Segmentation 100 % fault"
