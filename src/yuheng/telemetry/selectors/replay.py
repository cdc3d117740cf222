"""The screens of a past moment, and what changed on them between two: what the replay bar shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from django.utils.translation import gettext as _

from yuheng.bus import messages
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.selectors.history import ANSWER_WITHIN_S, asked, decoded
from yuheng.telemetry.selectors.visible import VIEW, check_tags_visible

MAX_CHANGES_S = 86_400
MAX_TAGS = 500
LONGEST_STEP_US = 3_600_000_000


def board_at(
    *,
    actor: Actor,
    site_id: int,
    at_us: int,
    tag_ids: Sequence[int] | None = (),
    known_as: Literal["shown", "known"] = "shown",
) -> messages.PastBoard:
    """Return every work unit of a site, and the values of the tags (None: of all), as they were at a moment.

    ``shown``: exactly what the screens said then; ``known``: what is known of that moment now.
    """
    actor.require(VIEW, site_id=site_id)
    if tag_ids:
        check_tags_visible(actor=actor, tag_ids=tag_ids)
    if at_us <= 0:
        raise InvalidInput(_("There is nothing to show at that time."), {"at": str(at_us)})
    question = messages.BoardQuestion(site_id, at_us, None if tag_ids is None else list(tag_ids), known_as)
    return decoded(asked("board_at", question, ANSWER_WITHIN_S), messages.PastBoard)


def board_between(
    *,
    actor: Actor,
    site_id: int,
    from_us: int,
    to_us: int,
    tag_ids: Sequence[int] = (),
    step_us: int = 1_000_000,
) -> messages.BoardChanges:
    """Return what the screens of a site were told in ``(from, to]``: a frame a moment; ask on from ``until_us``."""
    actor.require(VIEW, site_id=site_id)
    if tag_ids:
        check_tags_visible(actor=actor, tag_ids=tag_ids)
    if not 0 < from_us < to_us:
        raise InvalidInput(_("The end must be after the start."), {"end": _("The end must be after the start.")})
    if to_us - from_us > MAX_CHANGES_S * 1_000_000:
        raise InvalidInput(_("Ask for at most a day of changes at a time."), {"end": str(to_us)})
    if len(tag_ids) > MAX_TAGS:
        raise InvalidInput(_("Ask for 1 to %(count)s tags.") % {"count": MAX_TAGS}, {"tags": str(len(tag_ids))})
    step_us = min(max(step_us, 1000), LONGEST_STEP_US)
    question = messages.BoardBetweenQuestion(site_id, from_us, to_us, list(tag_ids), step_us)
    return decoded(asked("board_between", question, ANSWER_WITHIN_S), messages.BoardChanges)
