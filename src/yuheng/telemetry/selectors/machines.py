"""Asking the machine behind a source, through the gateway, what it has now."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from django.utils.translation import gettext as _

from yuheng.bus import subjects
from yuheng.bus.messages import BrowseQuestion
from yuheng.gateway.connector import BrowsePage, Node
from yuheng.kernel.actor import Actor
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.selectors.history import HistorianAway, ask, decoded, health_of
from yuheng.telemetry.selectors.visible import one_visible
from yuheng.telemetry.spoken import in_readers_words

TRY = "try"
ANSWER_S = 16.0


def browse(*, actor: Actor, source_id: int, node: str = "", cursor: str = "", search: str = "") -> BrowsePage:
    """List what the machine has below a node, or with a text in its name; needs ``telemetry.edit`` at the site.

    Raises
    ------
    NotVisible, PermissionRefused, HistorianAway
    InvalidInput
        There is no such node, or the source is not connected.
    """
    source: DataSource = one_visible(DataSource.objects.all(), actor, source_id)
    actor.require("telemetry.edit", site_id=source.site_id)
    question = BrowseQuestion(node=node[:2000], cursor=cursor[:200], search=search[:200])
    answer = _ask(source, question)
    return decoded(answer, BrowsePage)


def _ask(source: DataSource, question: BrowseQuestion) -> bytes:
    try:
        return ask(subjects.browse(source.pk), msgspec.json.encode(question), timeout_s=ANSWER_S)
    except HistorianAway as away:
        raise HistorianAway(_("The gateway or the machine does not answer now. Try again in a moment.")) from away


def read_now(*, actor: Actor, source_id: int, addresses: str) -> list[Node]:
    """Read addresses now, whether tags have them or not; each with its value, or why there is none.

    Parameters
    ----------
    addresses
        As tags have them, with spaces or commas between; a register without a type is shown as all that it could be.

    Raises
    ------
    NotVisible, PermissionRefused, HistorianAway
    InvalidInput
        The source is not connected, or too much was asked for.
    """
    source: DataSource = one_visible(DataSource.objects.all(), actor, source_id)
    actor.require("telemetry.edit", site_id=source.site_id)
    question = BrowseQuestion(node=TRY, search=addresses[:2000])
    answer = _ask(source, question)
    nodes = decoded(answer, BrowsePage).nodes
    return [msgspec.structs.replace(node, description=in_readers_words(node.description)) for node in nodes]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """How the gateway's session of a source is now; ``facts`` about the machine, such as its certificate."""

    state: str
    sentence: str
    restarts: int
    facts: dict[str, str]
    counters: dict[str, int]


def session_of(source_id: int) -> SessionRow | None:
    """Return what the gateway last said of a source's session; None when it says nothing of it."""
    sessions = health_of("gateway").get("sessions", {})
    found = next((each for each in sessions.values() if each.get("source_id") == source_id), None)
    if found is None:
        return None
    facts = found.get("facts", {})
    return SessionRow(
        state=str(found.get("state", "")),
        sentence=in_readers_words(str(found.get("sentence", ""))),
        restarts=int(found.get("restarts", 0)),
        facts={str(name): in_readers_words(str(text)) for name, text in facts.items()}
        if isinstance(facts, dict)
        else {},
        counters={name: value for name, value in found.items() if isinstance(value, int) and name not in _NO_COUNTERS},
    )


_NO_COUNTERS = ("source_id", "since_us", "restarts")
