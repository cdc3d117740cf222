"""Asking the machine behind a source, through the gateway, what it has now."""

from __future__ import annotations

import msgspec

from yuheng.bus import subjects
from yuheng.bus.messages import BrowseQuestion
from yuheng.gateway.connector import BrowsePage, Node
from yuheng.kernel.actor import Actor
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.selectors.history import ask, decoded
from yuheng.telemetry.selectors.visible import one_visible

TRY = "try"
ANSWER_S = 16.0


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
    answer = ask(subjects.browse(source.pk), msgspec.json.encode(question), timeout_s=ANSWER_S)
    return list(decoded(answer, BrowsePage).nodes)
