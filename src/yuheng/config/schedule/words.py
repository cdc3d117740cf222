"""Sentences of the engine in the reader's language, from the catalogues of the web, without Django."""

from __future__ import annotations

import gettext
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import yuheng

LANGUAGES = ("en", "zh")
_LOCALES = {"zh": "zh_Hans", "en": "en"}

WORDS = ("why", "event", "wanted")
"""Values that are words of the engine, not of the file."""

type_translate = Callable[[str], str]


@cache
def translator(language: str) -> type_translate:
    """Return the function that gives an English sentence in a language; what nobody translated stays English."""
    folder = Path(yuheng.__file__).parent / "web" / "locale"
    found = gettext.translation("django", str(folder), [_LOCALES[language]], fallback=True)
    return found.gettext


def filled(say: type_translate, message: str, values: Mapping[str, object]) -> str:
    """Return a sentence in the reader's language; of its values, those that are words of ours too."""
    own = {name: say(value) for name, value in values.items() if name in WORDS and isinstance(value, str) and value}
    return say(message) % {**values, **own}


def language_of(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """Return the language asked for, else the terminal's, else English.

    Examples
    --------
    >>> language_of(None, {"LANG": "zh_CN.UTF-8"}), language_of(None, {}), language_of("en", {"LANG": "zh_CN.UTF-8"})
    ('zh', 'en', 'en')
    """
    if given:
        return given
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "zh" if locale.lower().startswith("zh") else "en"
