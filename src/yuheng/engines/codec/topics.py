"""What a topic says: names of its levels, for the address of a tag."""

from __future__ import annotations

import re
from collections.abc import Sequence

_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


class TopicNames:
    """Reads names out of topics by a pattern such as ``plant/{area}/{unit}``, or by the source's filters.

    Parameters
    ----------
    pattern
        Levels with ``{name}``; ``+`` is any level, a last ``#`` any rest. Empty: ``{device}`` is what follows
        the literal beginning of the filter that claims the topic.
    filters
        The MQTT filters of the source; used when there is no pattern.

    Raises
    ------
    ValueError
        The pattern names something twice.

    Examples
    --------
    >>> TopicNames("plant/{area}/{unit}", []).read("plant/laser/L01")
    {'area': 'laser', 'unit': 'L01'}
    >>> TopicNames("", ["plant/laser/#"]).read("plant/laser/L01/head")
    {'device': 'L01/head'}
    """

    def __init__(self, pattern: str, filters: Sequence[str]) -> None:
        self.pattern = pattern
        self._regex = _regex_of(pattern) if pattern else None
        self._filters = [_Filter(text) for text in filters]

    @property
    def names(self) -> list[str]:
        """The names in the pattern, in order."""
        return _PLACEHOLDER.findall(self.pattern)

    @property
    def has_name(self) -> bool:
        """Whether the pattern itself says the name of the value."""
        return "{name}" in self.pattern

    def read(self, topic: str) -> dict[str, str] | None:
        """Return the names; None when the pattern does not fit the topic."""
        if self._regex is not None:
            found = self._regex.fullmatch(topic)
            return None if found is None else found.groupdict()
        for claimed in self._filters:
            if claimed.matches(topic):
                return {"device": claimed.rest(topic)}
        return {"device": topic}


class _Filter:
    def __init__(self, text: str) -> None:
        levels = text.split("/")
        wild = next((i for i, level in enumerate(levels) if level in ("+", "#")), len(levels))
        self._literal_levels = wild
        self._regex = _regex_of(text)

    def matches(self, topic: str) -> bool:
        return self._regex.fullmatch(topic) is not None

    def rest(self, topic: str) -> str:
        return "/".join(topic.split("/")[self._literal_levels :])


def _regex_of(pattern: str) -> re.Pattern[str]:
    levels = pattern.split("/")
    parts = []
    for place, level in enumerate(levels):
        if level == "#" and place == len(levels) - 1:
            continue
        parts.append("[^/]*" if level == "+" else _level_regex(level))
    body = "/".join(parts)
    if levels[-1] == "#":
        body = body + "(?:/.*)?" if parts else ".*"
    try:
        return re.compile(body, re.DOTALL)
    except re.error as error:
        raise ValueError(f"The topic pattern '{pattern}' names something twice.") from error


def _level_regex(level: str) -> str:
    literal = _PLACEHOLDER.split(level)  # text, name, text, name, ..., text
    pieces = [re.escape(piece) if i % 2 == 0 else f"(?P<{piece}>[^/]+)" for i, piece in enumerate(literal)]
    return "".join(pieces)


class AddressTemplate:
    """Makes the address of a tag from names, as ``{unit}/{name}``.

    Raises
    ------
    ValueError
        The template has no ``{name}``.

    Examples
    --------
    >>> AddressTemplate("{device}/{name}").around({"device": "L01"})
    ('L01/', '')
    >>> AddressTemplate("{device}/{name}").around({"device": ""})
    ('', '')
    """

    def __init__(self, template: str) -> None:
        if "{name}" not in template:
            raise ValueError(f"The address '{template}' must have {{name}} in it.")
        self.template = template

    def around(self, names: dict[str, str]) -> tuple[str, str]:
        """Return what stands before and after the name. An empty name takes its slash with it.

        Raises
        ------
        ValueError
            The template asks for a name that the topic does not give.
        """
        before, after = self.template.split("{name}", 1)
        return self._filled(before, names), self._filled(after, names)

    def _filled(self, text: str, names: dict[str, str]) -> str:
        def value_of(found: re.Match[str]) -> str:
            name = found.group(1)
            if name not in names:
                raise ValueError(f"The address asks for '{name}', which the topic does not give.")
            return names[name]

        filled = _PLACEHOLDER.sub(value_of, text)
        return filled.lstrip("/") if text.startswith("{") and not filled.strip("/") else filled
