"""Questions that the historian answers: live values, history, rules tried on history. It must be running."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

import msgspec
import pyarrow as pa
from django.conf import settings
from django.utils.translation import gettext as _

from yuheng.bus import messages, subjects
from yuheng.bus.client import BusAway, BusBusy, BusClient, BusRefused
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import DomainError, InvalidInput, NotVisible
from yuheng.telemetry.selectors import signals
from yuheng.telemetry.selectors.parts import by_tags, by_time, raw_in_pages
from yuheng.telemetry.selectors.visible import VIEW, check_tags_visible
from yuheng.telemetry.spoken import in_readers_words

ANSWER_WITHIN_S = 30.0
LIVE_WITHIN_S = 5.0
MAX_TAGS = 10_000
MAX_RAW_ROWS = 500_000
MAX_WIDTH = 10_000

Answer = TypeVar("Answer")


class HistorianAway(DomainError):
    """The historian does not answer now, or has too many questions waiting; nothing is lost, ask again."""

    retry_after_s = 2


@cache
def bus() -> BusClient:
    """Return this process's connection to the broker, made when it is first used."""
    return BusClient(lambda: settings.ENVIRONMENT.nats_url, name="yuheng-web", listen=["yh.live.health.*"])


def health_of(process: str) -> dict[str, Any]:
    """Return the facts of a process's newest health line; empty when none was heard yet."""
    line = bus().newest().get(subjects.live_health(process))
    if line is None:
        return {}
    try:
        return msgspec.json.decode(line, type=messages.Health).facts
    except msgspec.DecodeError:
        return {}


def hold_reason() -> str:
    """Return why the historian does not take messages from the log now, in the reader's words; empty when it does."""
    return in_readers_words(str(health_of("historian").get("hold_reason", "")))


def live_snapshot(*, actor: Actor, site_id: int, tag_ids: Sequence[int] | None = None) -> messages.LiveSnapshot:
    """Return the state of every work unit of a site, and the newest values of the tags (None: of all)."""
    actor.require(VIEW, site_id=site_id)
    if tag_ids:
        check_tags_visible(actor=actor, tag_ids=tag_ids)
    question = messages.LiveQuestion(site_id, None if tag_ids is None else list(tag_ids))
    return decoded(asked("live", question, LIVE_WITHIN_S), messages.LiveSnapshot)


def latest(*, actor: Actor, tag_ids: Sequence[int], at_us: int | None = None) -> pa.Table:
    """Return tag, time, value, quality, arrived, text; as known at a source time when one is given."""
    _check(actor, tag_ids)
    return table("latest", messages.LatestQuestion(list(tag_ids), at_us))


def raw(*, actor: Actor, tag_ids: Sequence[int], start_us: int, end_us: int, limit: int = 100_000) -> pa.Table:
    """Return tag, time, seq, value, text, quality, arrived; at most ``limit`` rows, ordered by tag, time, seq."""
    _check(actor, tag_ids)
    _check_span(start_us, end_us)

    def page(tags: Sequence[int], since_us: int, rows: int) -> pa.Table:
        return table("raw", messages.RawQuestion(list(tags), since_us, end_us, rows))

    return raw_in_pages(page, tag_ids, start_us, max(1, min(limit, MAX_RAW_ROWS)))


def aggregate(*, actor: Actor, tag_ids: Sequence[int], start_us: int, end_us: int, bucket_us: int) -> pa.Table:
    """Return tag, bucket, min, max, avg, count, first, last, time_weighted_avg, good_count."""
    _check(actor, tag_ids)
    _check_span(start_us, end_us)
    if bucket_us < 1:
        raise InvalidInput(_("The bucket must be longer than nothing."), {"bucket": str(bucket_us)})

    def rows_of(tags: Sequence[int]) -> pa.Table:
        def rows_between(low_us: int, high_us: int) -> pa.Table:
            return table("aggregate", messages.AggregateQuestion(list(tags), low_us, high_us, bucket_us))

        return by_time(rows_between, start_us, end_us, bucket_us)

    return by_tags(rows_of, tag_ids, (end_us - start_us) // bucket_us + 2)


def pixels(*, actor: Actor, tag_ids: Sequence[int], start_us: int, end_us: int, width: int) -> pa.Table:
    """Return tag, time, min, max, first, last, count: one row a pixel that has data, so that peaks survive."""
    _check(actor, tag_ids)
    _check_span(start_us, end_us)
    width = max(1, min(width, MAX_WIDTH))

    def rows_of(tags: Sequence[int]) -> pa.Table:
        return table("pixels", messages.PixelsQuestion(list(tags), start_us, end_us, width))

    return by_tags(rows_of, tag_ids, width)


def increase(*, actor: Actor, tag_ids: Sequence[int], start_us: int, end_us: int) -> pa.Table:
    """Return tag, increase: growth of counters over [start, end), resets counted from zero."""
    _check(actor, tag_ids)
    _check_span(start_us, end_us)
    return table("increase", messages.IncreaseQuestion(list(tag_ids), start_us, end_us))


def describe(
    *,
    actor: Actor,
    tag_ids: Sequence[int],
    spans_us: Sequence[tuple[int, int]],
    low: float | None = None,
    high: float | None = None,
) -> pa.Table:
    """Return statistics of each tag in each span; see `bus.messages.DescribeQuestion`."""
    _check(actor, tag_ids)
    for start_us, end_us in spans_us:
        _check_span(start_us, end_us)
    starts, ends = [span[0] for span in spans_us], [span[1] for span in spans_us]
    return table("describe", messages.DescribeQuestion(list(tag_ids), starts, ends, low, high))


def histogram(*, actor: Actor, tag_id: int, start_us: int, end_us: int, bins: int = 40) -> pa.Table:
    """Return low, high, count of equal classes of a tag's good values."""
    _check(actor, [tag_id])
    _check_span(start_us, end_us)
    return table("histogram", messages.HistogramQuestion(tag_id, start_us, end_us, bins))


def states_preview(
    *,
    actor: Actor,
    equipment_class_id: int,
    work_unit_ids: Sequence[int],
    start_us: int,
    end_us: int,
    rules: Sequence[dict[str, Any]] | None,
) -> dict[int, list[messages.Interval]]:
    """Return what the rules would have said on history: work unit id -> intervals. Nothing is stored."""
    site_id = signals.state_rules(actor=actor, equipment_class_id=equipment_class_id).site_id
    sites = equipment.site_of_work_units(work_unit_ids)
    if any(sites.get(unit_id) != site_id for unit_id in work_unit_ids):
        raise NotVisible(_("There is no such work unit here."))
    _check_span(start_us, end_us)
    question = messages.StatesPreviewQuestion(
        list(work_unit_ids), start_us, end_us, None if rules is None else list(rules)
    )
    answer = decoded(asked("states_preview", question, ANSWER_WITHIN_S), _Preview)
    return {int(unit_id): intervals for unit_id, intervals in answer.intervals.items()}


class _Preview(msgspec.Struct, frozen=True):
    intervals: dict[str, list[messages.Interval]]


def _check(actor: Actor, tag_ids: Sequence[int]) -> None:
    if not tag_ids or len(tag_ids) > MAX_TAGS:
        raise InvalidInput(_("Ask for 1 to %(count)s tags.") % {"count": MAX_TAGS}, {"tags": str(len(tag_ids))})
    check_tags_visible(actor=actor, tag_ids=tag_ids)


def _check_span(start_us: int, end_us: int) -> None:
    if end_us <= start_us:
        raise InvalidInput(_("The end must be after the start."), {"end": _("The end must be after the start.")})


def table(operation: str, question: msgspec.Struct) -> pa.Table:
    """Return the historian's answer that is a table."""
    return table_of(asked(operation, question, ANSWER_WITHIN_S))


def table_of(payload: bytes) -> pa.Table:
    """Read an answer that is a table."""
    with pa.ipc.open_stream(payload) as reader:
        return reader.read_all()


def asked(operation: str, question: msgspec.Struct, timeout_s: float) -> bytes:
    """Return the historian's answer to a question of `bus.messages`."""
    return ask(subjects.question(operation), msgspec.json.encode(question), timeout_s=timeout_s)


def ask(subject: str, body: bytes, *, timeout_s: float) -> bytes:
    """Ask over the bus, with refusals and silence in the reader's words."""
    try:
        return bus().request(subject, body, timeout_s=timeout_s).payload
    except BusAway as error:
        raise HistorianAway(_("The historian does not answer now. Nothing is lost; try again in a moment.")) from error
    except BusBusy as error:
        raise HistorianAway(in_readers_words(str(error))) from error
    except BusRefused as error:
        raise InvalidInput(in_readers_words(str(error))) from error


def decoded(payload: bytes, kind: type[Answer]) -> Answer:
    """Read an answer that is JSON."""
    try:
        return msgspec.json.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise HistorianAway(_("The historian gave an answer of another release; restart it.")) from error
