"""Filling what was missed from the server's own history, and saying what it does not have.

A gap counts as filled only when the history shows that it reaches back to before it: by a bound, or by a value that we
know already. A server that answers "nothing" proves nothing.

Reference: OPC UA Part 11, 6.5.3 (ReadRawModifiedDetails, bounding values).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from asyncua import ua

from yuheng.connectors.opcua.delivery import Delivery
from yuheng.connectors.opcua.link import Link
from yuheng.connectors.opcua.values import name_of_status
from yuheng.connectors.opcua.wire import History, Reading, read_history_response, us_of
from yuheng.gateway.connector import Context, Gap

logger = logging.getLogger(__name__)

NODES_AT_ONCE = 20
VALUES_AT_ONCE = 10_000
"""Values of a node in one answer: with `NODES_AT_ONCE`, some 5 MB."""
MARGIN_US = 10_000_000
"""Asked for before the gap begins, so that something known is in the answer."""
PAGES_MOST = 10_000

NO_HISTORY = "The server was away, or had dropped the subscription, and gave no history of these values."
SHORT_HISTORY = "The server's history does not prove that it reaches back to where the gap begins."
NOT_ASKED = "The server was away, or had dropped the subscription, and its history is not to be read."
OVERFLOWED = "The server's queue was full and dropped values: raise the queue size, or read the history."


class Missed(NamedTuple):
    """Values of one node that did not come: after ``after_us`` and before ``before_us`` (source times)."""

    node: ua.NodeId
    known_ticks: int  # source time of the newest value that is known; 0: none
    after_us: int
    before_us: int
    has_overflowed: bool = False


@dataclass(slots=True)
class _Progress:
    """What the history has shown of one node."""

    values: int = 0
    reaches_back: bool = False
    status: int = 0
    first_us: int = 0


class HistoryReader:
    """Fills gaps, and reports those that stay."""

    def __init__(self, link: Link, context: Context, delivery: Delivery, *, is_on: bool) -> None:
        self._link = link
        self._context = context
        self._delivery = delivery
        self._is_on = is_on
        self._is_unsupported = False

    async def fill(self, missed: Mapping[int, Missed]) -> None:
        """Read what was missed, by handle; return when it is kept, and the rest reported as gaps."""
        progress: dict[int, _Progress] = {handle: _Progress() for handle in missed}
        if self._is_on:
            await self._read(missed, progress, from_known=False)
            unproven = {
                handle: missed[handle] for handle in missed if self._wants_proof(missed[handle], progress[handle])
            }
            await self._read(unproven, progress, from_known=True)
        await self._report(missed, progress)

    def _wants_proof(self, gap: Missed, shown: _Progress) -> bool:
        """Whether the value known last, asked for by its own time, may prove that the history reaches back."""
        return not shown.reaches_back and not shown.status >> 31 and gap.known_ticks > 0 and not self._is_unsupported

    async def _read(self, missed: Mapping[int, Missed], progress: dict[int, _Progress], *, from_known: bool) -> None:
        handles = sorted(missed, key=lambda handle: missed[handle].after_us)
        most = min(self._link.limits.history, NODES_AT_ONCE)
        for at in range(0, len(handles), most):
            if self._is_unsupported:
                return
            some = handles[at : at + most]
            start_us = min(us_of(missed[h].known_ticks) if from_known else missed[h].after_us - MARGIN_US for h in some)
            end_us = max(missed[handle].before_us for handle in some)
            try:
                await self._read_some(some, missed, progress, start_us, end_us)
            except ua.UaStatusCodeError as error:
                for handle in some:
                    progress[handle].status = error.code
                self._is_unsupported = name_of_status(error.code) in _UNSUPPORTED

    async def _read_some(
        self,
        handles: Sequence[int],
        missed: Mapping[int, Missed],
        progress: dict[int, _Progress],
        start_us: int,
        end_us: int,
    ) -> None:
        """Read page after page of some nodes, each from where its last page ended."""
        going: dict[int, tuple[int, bytes]] = dict.fromkeys(handles, (start_us, b""))
        for _ in range(PAGES_MOST):
            if not going:
                return
            starts: dict[int, list[int]] = {}
            for handle, (at_us, _point) in going.items():
                starts.setdefault(at_us, []).append(handle)
            at_us, some = next(iter(starts.items()))
            points = [going[handle][1] for handle in some]
            answers = await self._ask([missed[handle].node for handle in some], points, at_us, end_us)
            for handle, answer in zip(some, answers, strict=True):
                going.pop(handle)
                following = await self._take(handle, answer, missed[handle], progress[handle], at_us)
                if following is not None:
                    going[handle] = following

    async def _take(
        self, handle: int, answer: History, gap: Missed, shown: _Progress, at_us: int
    ) -> tuple[int, bytes] | None:
        """Keep one page; return how to ask for the next one, None when there is none."""
        if answer.status >> 31:
            shown.status = answer.status
            return None
        values = [reading._replace(handle=handle) for reading in answer.readings if not _is_bound(reading)]
        for reading in values[:1]:
            if not shown.values or us_of(reading.source_ticks) < shown.first_us:
                shown.first_us = us_of(reading.source_ticks)
        shown.values += len(values)
        shown.reaches_back = shown.reaches_back or any(
            us_of(reading.source_ticks) <= gap.after_us or reading.source_ticks == gap.known_ticks for reading in values
        )
        fresh = [reading for reading in values if reading.source_ticks != gap.known_ticks]
        await self._delivery.deliver(fresh)
        self._context.count("values_from_history", len(fresh))
        if answer.continuation:
            return at_us, answer.continuation
        newest_us = us_of(values[-1].source_ticks) if values else 0
        if len(answer.readings) >= VALUES_AT_ONCE and newest_us > at_us:
            return newest_us, b""  # a server that cuts off without saying so
        return None

    async def _ask(
        self, nodes: Sequence[ua.NodeId], points: Sequence[bytes], start_us: int, end_us: int
    ) -> list[History]:
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False,
            StartTime=_moment(start_us),
            EndTime=_moment(end_us),
            NumValuesPerNode=ua.UInt32(VALUES_AT_ONCE),
            ReturnBounds=True,
        )
        request = ua.HistoryReadRequest()
        request.Parameters.HistoryReadDetails = details
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.ReleaseContinuationPoints = False
        request.Parameters.NodesToRead = [
            ua.HistoryReadValueId(NodeId=node, IndexRange="", ContinuationPoint=point or None)
            for node, point in zip(nodes, points, strict=True)
        ]
        answers = await read_history_response(await self._link.ask(request))
        if len(answers) != len(nodes):
            raise ua.UaStatusCodeError(ua.StatusCodes.BadUnexpectedError)
        return answers

    async def _report(self, missed: Mapping[int, Missed], progress: Mapping[int, _Progress]) -> None:
        """Report what is not proven to be complete, one gap for each reason."""
        reasons: dict[str, list[tuple[int, int, int]]] = {}
        for handle, gap in missed.items():
            shown = progress[handle]
            if shown.reaches_back:
                continue
            end_us = min(shown.first_us, gap.before_us) if shown.first_us > gap.after_us else gap.before_us
            reasons.setdefault(self._reason(gap, shown), []).append((handle, gap.after_us, end_us))
        for sentence, parts in reasons.items():
            addresses = sorted(address for handle, _, _ in parts for address in self._delivery.addresses_of(handle))
            if addresses:
                start_us, end_us = min(part[1] for part in parts), max(part[2] for part in parts)
                await self._context.report_gap(Gap(start_us, end_us, sentence, tuple(addresses)))

    def _reason(self, gap: Missed, shown: _Progress) -> str:
        if gap.has_overflowed and not shown.values:
            return OVERFLOWED
        if not self._is_on:
            return NOT_ASKED
        if shown.status >> 31 and name_of_status(shown.status) not in _UNSUPPORTED:
            return f"The server could not give its history: {name_of_status(shown.status)}."
        return SHORT_HISTORY if shown.values else NO_HISTORY


_UNSUPPORTED = ("BadServiceUnsupported", "BadHistoryOperationUnsupported", "BadNotSupported", "BadNotImplemented")


def _is_bound(reading: Reading) -> bool:
    """Whether this only says that there is no bound: BadBoundNotFound and the like, without a value."""
    return bool(reading.status >> 31) and reading.value is None


def _moment(us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
