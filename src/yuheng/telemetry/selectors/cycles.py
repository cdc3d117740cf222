"""Cycles of a machine or a tag, and their curves laid over each other."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from django.utils.translation import gettext as _
from msgspec.structs import replace

from yuheng.bus import messages
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.telemetry.selectors.history import ANSWER_WITHIN_S, asked, decoded, table
from yuheng.telemetry.selectors.visible import VIEW, check_tags_visible

MAX_STATISTICS_TAGS = 20
MAX_OVERLAY_TAGS = 12


def cycles(*, actor: Actor, question: messages.CyclesQuestion) -> messages.CyclesAnswer:
    """Return the cycles that a question means, with statistics of its tags; see `messages.CyclesQuestion`."""
    actor.require(VIEW)
    if question.work_unit_id is not None:
        site_id = equipment.site_of_work_units([question.work_unit_id]).get(question.work_unit_id)
        if site_id is None or not actor.may(VIEW, site_id=site_id):
            raise NotVisible(_("There is no such work unit here."))
    tags = [*question.tags, *([] if question.tag is None else [question.tag])]
    if len(tags) > MAX_STATISTICS_TAGS:
        raise InvalidInput(_("Ask for 1 to %(count)s tags.") % {"count": MAX_STATISTICS_TAGS}, {"tags": str(len(tags))})
    if tags:
        check_tags_visible(actor=actor, tag_ids=tags)
    if question.end_us <= question.start_us:
        raise InvalidInput(_("The end must be after the start."), {"end": _("The end must be after the start.")})
    question = replace(question, tags=list(dict.fromkeys(question.tags)))
    return decoded(asked("cycles", question, ANSWER_WITHIN_S), messages.CyclesAnswer)


def overlay(
    *, actor: Actor, tag_ids: Sequence[int], intervals: Sequence[tuple[int, int]], width: int = 600
) -> pa.Table:
    """Return cycle, tag, offset, min, max, first, last, count: curves that count from their interval's start."""
    if not tag_ids or len(tag_ids) > MAX_OVERLAY_TAGS:
        raise InvalidInput(_("Ask for 1 to %(count)s tags.") % {"count": MAX_OVERLAY_TAGS}, {"tags": str(len(tag_ids))})
    check_tags_visible(actor=actor, tag_ids=tag_ids)
    return table("overlay", messages.OverlayQuestion(list(dict.fromkeys(tag_ids)), list(intervals), width))
