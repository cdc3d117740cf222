"""Sentences of code that knows no reader (engines, other processes), said in the reader's language.

They are made of a few known sentences with names and numbers in them; each of those is a msgid.
"""

from __future__ import annotations

import re
from functools import cache

from django.utils.translation import gettext


@cache
def _patterns(sentences: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(sentence), sentence) for sentence in sentences)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = re.split(r"%\((\w+)\)s", sentence)
    return re.compile(
        "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL
    )


def is_one_of(sentence: str, sentences: tuple[str, ...]) -> bool:
    """Return whether it is one of the known sentences with something filled in."""
    return any(pattern.fullmatch(sentence) for pattern, _msgid in _patterns(sentences))


def in_readers_words(sentence: str, sentences: tuple[str, ...]) -> str:
    """Return a sentence in the reader's language; as it is when it is not known.

    What stands for ``why`` is itself a sentence, and is translated, too.
    """
    for pattern, msgid in _patterns(sentences):
        if (found := pattern.fullmatch(sentence)) is not None:
            words = {
                name: in_readers_words(text, sentences) if name == "why" else text
                for name, text in found.groupdict().items()
            }
            return gettext(msgid) % words if words else gettext(msgid)
    return sentence
