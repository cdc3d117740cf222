"""Replies to ``yh.q.*``: history from the store in threads, live questions from memory. A full queue refuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from yuheng.bus import messages as m
from yuheng.bus import subjects
from yuheng.bus.documents import AlarmRule
from yuheng.bus.wire import Connection, encode_header, type_raw
from yuheng.engines.formulas.language import FormulaError
from yuheng.historian import any_tags, cycles, queries
from yuheng.historian.alarm_preview import preview_alarm
from yuheng.historian.boards import Boards, Now
from yuheng.historian.limits import Limits
from yuheng.historian.live import Live
from yuheng.historian.pipeline import Pipeline
from yuheng.historian.rederive import preview_states
from yuheng.historian.routing import DAY_US
from yuheng.historian.spans import Owed
from yuheng.historian.store import Store, StoreFailure

log = logging.getLogger(__name__)

MAX_TAGS = 20_000
MAX_FRAME_TAGS = 500
CLOCKS_DIFFER_US = 5_000_000
MAX_SPANS = 500
MAX_DESCRIBED = 24
ROOM_FOR_HEADERS = 1000
ERROR_HEADER = encode_header({"Yh-Error": "1"})
BUSY = "Too many questions are waiting for the history. Ask again in a moment."

Reply = Callable[[bytes, bytes], None]


class Refused(Exception):
    """The question cannot be answered; the sentence says why."""


class Answers:
    """Answers questions; at most `Limits.waiting_questions` wait, two are calculated at a time."""

    def __init__(self, pipeline: Pipeline, live: Live, store: Store, limits: Limits) -> None:
        self._pipeline = pipeline
        self._live = live
        self._store = store
        self._limits = limits
        self._boards = Boards(store, limits, now=self._now)
        self._threads = ThreadPoolExecutor(limits.question_threads, "answer")
        self._reply_bytes = 1_000_000
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.refused = 0
        self.answered = 0

    def subscribe(self, connection: Connection) -> None:
        """Listen on a connection."""
        self._reply_bytes = connection.max_payload - ROOM_FOR_HEADERS
        operations: dict[str, tuple[type[Any], Callable[[Any], bytes]]] = {
            "raw": (m.RawQuestion, self._raw),
            "aggregate": (m.AggregateQuestion, self._aggregate),
            "pixels": (m.PixelsQuestion, self._pixels),
            "increase": (m.IncreaseQuestion, self._increase),
            "describe": (m.DescribeQuestion, self._describe),
            "histogram": (m.HistogramQuestion, self._histogram),
            "states_preview": (m.StatesPreviewQuestion, self._states_preview),
            "formula_preview": (m.FormulaQuestion, self._formula_preview),
            "alarm_preview": (m.AlarmPreviewQuestion, self._alarm_preview),
            "cycles": (m.CyclesQuestion, self._cycles),
            "overlay": (m.OverlayQuestion, self._overlay),
            "board_at": (m.BoardQuestion, self._board_at),
            "board_between": (m.BoardBetweenQuestion, self._board_between),
        }
        for name, (kind, work) in operations.items():
            connection.subscribe(subjects.question(name), self._history(connection, kind, work))
        connection.subscribe(subjects.question("latest"), lambda items: self._latest(connection, items))
        connection.subscribe(subjects.question("live"), lambda items: self._snapshot(connection, items))
        connection.subscribe(subjects.question("stats"), lambda items: self._statistics(connection, items))
        connection.subscribe("yh.preview.*", lambda items: self._preview(connection, items))
        connection.subscribe(subjects.WATCH, lambda items: self._watch(items))

    def close(self) -> None:
        """Take no more questions; running ones are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ---- from memory, on the loop ---------------------------------------------------------------------------------

    def _snapshot(self, connection: Connection, items: list[type_raw]) -> None:
        for _subject, reply, _header, payload in items:
            try:
                question = msgspec.json.decode(payload, type=m.LiveQuestion)
            except msgspec.MsgspecError as error:
                _fail(connection, reply, f"The question cannot be read: {error}")
                continue
            snapshot = self._live.snapshot(question.site_id, question.tags)
            _answer(connection, reply, msgspec.json.encode(snapshot))

    def _latest(self, connection: Connection, items: list[type_raw]) -> None:
        for item in items:
            try:
                question = msgspec.json.decode(item[3], type=m.LatestQuestion)
            except msgspec.MsgspecError as error:
                _fail(connection, item[1], f"The question cannot be read: {error}")
                continue
            if question.at_us is not None:
                self._start(connection, item[1], partial(self._latest_at, question))
            else:
                _answer(connection, item[1], queries.ipc(self._newest(question.tags)))

    def _newest(self, tags: list[int]) -> pa.Table:
        table, latest = self._pipeline.tags, self._pipeline.latest
        slots = np.array([table.slot(tag) for tag in tags], np.int64)
        slots = slots[slots >= 0]
        slots = slots[latest.time_us[slots] > 0]
        columns: dict[str, np.ndarray[tuple[int], np.dtype[Any]]] = {
            "tag": table.tag_ids[slots],
            "time_us": latest.time_us[slots],
            "value": latest.value[slots],
            "quality": latest.quality[slots],
            "arrived_us": latest.arrived_us[slots],
        }
        return queries.latest_table(columns, [latest.texts.get(slot) for slot in slots.tolist()])

    def _preview(self, connection: Connection, items: list[type_raw]) -> None:
        for subject, reply, _header, _payload in items:
            word = subject.rsplit(b".", 1)[1]
            found = self._pipeline.preview_of(int(word)) if word.isdigit() else []
            body = [{"topic": p.topic, "payload": p.payload, "arrived_us": p.arrived_us} for p in found]
            _answer(connection, reply, msgspec.json.encode({"messages": body}))

    def _watch(self, items: list[type_raw]) -> None:
        for item in items:
            try:
                wanted = msgspec.json.decode(item[3], type=_Watch)
            except msgspec.MsgspecError:
                continue  # nobody waits for a reply; the tags simply move once a second
            self._live.watch(wanted.tags, wanted.ttl_s)

    # ---- from the store, in threads -------------------------------------------------------------------------------

    def _history(
        self, connection: Connection, kind: type[Any], work: Callable[[Any], bytes]
    ) -> Callable[[list[type_raw]], None]:
        def take(items: list[type_raw]) -> None:
            for item in items:
                try:
                    question = msgspec.json.decode(item[3], type=kind)
                except msgspec.MsgspecError as error:
                    _fail(connection, item[1], f"The question cannot be read: {error}")
                    continue
                self._start(connection, item[1], partial(work, question))

        return take

    def _statistics(self, connection: Connection, items: list[type_raw]) -> None:
        for item in items:
            self._start(connection, item[1], lambda: msgspec.json.encode(self._store.statistics()))

    def _start(self, connection: Connection, reply: bytes, work: Callable[[], bytes]) -> None:
        if self._waiting >= self._limits.waiting_questions:
            self.refused += 1
            _fail(connection, reply, BUSY, is_busy=True)
            return
        self._waiting += 1
        task = asyncio.get_running_loop().create_task(self._reply(connection, reply, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, connection: Connection, reply: bytes, work: Callable[[], bytes]) -> None:
        try:
            data = await asyncio.get_running_loop().run_in_executor(self._threads, work)
            if len(data) > connection.max_payload - ROOM_FOR_HEADERS:
                raise Refused("The answer is too large. Ask for fewer tags, a shorter time or wider buckets.")
            _answer(connection, reply, data)
            self.answered += 1
        except (StoreFailure, Refused, any_tags.TooLong) as error:
            _fail(connection, reply, str(error))
        except Exception:
            # One bad question must not leave its asker waiting, nor hide the defect.
            log.exception("A question could not be answered.")
            _fail(connection, reply, "The history could not answer because of an internal error; see its log.")
        finally:
            self._waiting -= 1

    def _raw(self, q: m.RawQuestion) -> bytes:
        _check(q.tags, q.start_us, q.end_us)
        limit = min(max(1, q.limit), self._limits.raw_rows)
        return self._first_rows(any_tags.raw(self._store, q.tags, q.start_us, q.end_us, limit))

    def _first_rows(self, table: pa.Table) -> bytes:
        """Return as many rows as a message of the bus carries; with `messages.MORE` when there are others."""
        data = queries.ipc(table)
        rows = table.num_rows
        while len(data) > self._reply_bytes and rows > 1:
            rows = max(1, min(rows // 2, rows * self._reply_bytes // len(data)))
            data = queries.ipc(table.slice(0, rows).replace_schema_metadata({m.MORE: "1"}))
        return data

    def _pixels(self, q: m.PixelsQuestion) -> bytes:
        _check(q.tags, q.start_us, q.end_us)
        if not 1 <= q.width <= 20_000:
            raise Refused("The width must be between 1 and 20,000 pixels.")
        return queries.ipc(any_tags.pixels(self._store, q.tags, q.start_us, q.end_us, q.width, owed=self._owed))

    def _aggregate(self, q: m.AggregateQuestion) -> bytes:
        _check(q.tags, q.start_us, q.end_us)
        if q.bucket_us < 1000:
            raise Refused("A bucket must be at least a millisecond.")
        if len(q.tags) * ((q.end_us - q.start_us) // q.bucket_us + 1) > 5_000_000:
            raise Refused("That would be more than five million rows. Ask for wider buckets or fewer tags.")
        table = any_tags.aggregate(self._store, q.tags, q.start_us, q.end_us, q.bucket_us, owed=self._owed)
        return queries.ipc(queries.drop_column(table, "covered_s"))

    def _increase(self, q: m.IncreaseQuestion) -> bytes:
        _check(q.tags, q.start_us, q.end_us)
        return queries.ipc(any_tags.increase(self._store, q.tags, q.start_us, q.end_us, owed=self._owed))

    def _owed(self, tags: Sequence[int], start_us: int, end_us: int) -> Owed:
        return self._pipeline.dirty.owed(np.array(tags, np.uint32), start_us, end_us)

    def _describe(self, q: m.DescribeQuestion) -> bytes:
        if not q.starts_us or len(q.starts_us) != len(q.ends_us) or len(q.starts_us) > MAX_SPANS:
            raise Refused(f"Ask for 1 to {MAX_SPANS} spans, each with a start and an end.")
        if any(start >= end for start, end in zip(q.starts_us, q.ends_us, strict=True)):
            raise Refused("The end must be after the start.")
        _check(q.tags, min(q.starts_us), max(q.ends_us))
        if len(q.tags) > MAX_DESCRIBED:
            raise Refused(f"More than {MAX_DESCRIBED} tags were asked for.")
        return queries.ipc(
            any_tags.describe(self._store, q.tags, q.starts_us, q.ends_us, low=q.low, high=q.high, owed=self._owed)
        )

    def _histogram(self, q: m.HistogramQuestion) -> bytes:
        _check([q.tag], q.start_us, q.end_us)
        if not 1 <= q.bins <= 1000:
            raise Refused("A histogram has 1 to 1000 classes.")
        return queries.ipc(any_tags.histogram(self._store, q.tag, q.start_us, q.end_us, q.bins, owed=self._owed))

    def _latest_at(self, q: m.LatestQuestion) -> bytes:
        assert q.at_us is not None
        _check(q.tags, 0, 1)
        return queries.ipc(any_tags.latest_at(self._store, q.tags, q.at_us))

    def _states_preview(self, q: m.StatesPreviewQuestion) -> bytes:
        _check(q.work_unit_ids, q.start_us, q.end_us)
        plant = self._pipeline.plant
        if plant is None:
            raise Refused("The historian has no configuration yet.")
        try:
            found = preview_states(self._store, plant, q)
        except ValueError as error:
            raise Refused(str(error)) from error
        return msgspec.json.encode({"intervals": found})

    def _board_at(self, q: m.BoardQuestion) -> bytes:
        _check(q.tags or [0], 0, 1)
        if q.at_us > self._live.clock_us() + CLOCKS_DIFFER_US:
            raise Refused("That moment has not come yet.")
        return msgspec.json.encode(self._boards.at(q))

    def _board_between(self, q: m.BoardBetweenQuestion) -> bytes:
        _check(q.tags or [0], q.from_us, q.to_us)
        if len(q.tags) > MAX_FRAME_TAGS:
            raise Refused(f"More than {MAX_FRAME_TAGS} tags were asked for.")
        if q.to_us - q.from_us > DAY_US:
            raise Refused("Ask for at most a day of changes at a time.")
        return msgspec.json.encode(self._boards.between(q))

    def _formula_preview(self, q: m.FormulaQuestion) -> bytes:
        _check(list(q.inputs.values()), q.start_us, q.end_us)
        try:
            return queries.ipc(any_tags.tried(self._store, self._now().plant, q))
        except FormulaError as error:
            raise Refused(str(error)) from error

    def _cycles(self, q: m.CyclesQuestion) -> bytes:
        _check(q.tags or [0], q.start_us, q.end_us)
        try:
            return msgspec.json.encode(cycles.cycles(self._store, self._now().plant, q))
        except ValueError as error:
            raise Refused(str(error)) from error

    def _overlay(self, q: m.OverlayQuestion) -> bytes:
        _check(q.tags, 0, 1)
        try:
            return queries.ipc(cycles.overlay(self._store, q))
        except ValueError as error:
            raise Refused(str(error)) from error

    def _now(self) -> Now:
        plant = self._pipeline.plant
        if plant is None:
            raise Refused("The historian has no configuration yet.")
        return Now(plant, self._live.run, self._live.clock_us())

    def _alarm_preview(self, q: m.AlarmPreviewQuestion) -> bytes:
        plant = self._pipeline.plant
        if plant is None:
            raise Refused("The historian has no configuration yet.")
        try:
            rule = msgspec.convert(q.rule, AlarmRule)
            _check(list(rule.work_unit_ids), q.start_us, q.end_us)
            found = preview_alarm(self._store, plant, rule, q.start_us, q.end_us)
        except (ValueError, msgspec.ValidationError) as error:
            raise Refused(str(error)) from error
        return msgspec.json.encode(m.AlarmPreview(found))


class _Watch(msgspec.Struct):
    tags: list[int]
    ttl_s: float = 15.0


def _check(tags: list[int], start_us: int, end_us: int) -> None:
    if not tags:
        raise Refused("No tags were asked for.")
    if len(tags) > MAX_TAGS:
        raise Refused(f"More than {MAX_TAGS} tags were asked for.")
    if any(not 0 <= tag < 2**32 for tag in tags):
        raise Refused("A tag id is not a number from 0 to 4294967295.")
    if not start_us < end_us:
        raise Refused("The end must be after the start.")


def _answer(connection: Connection, reply: bytes, data: bytes) -> None:
    if reply:
        connection.publish(reply, data)


def _fail(connection: Connection, reply: bytes, sentence: str, *, is_busy: bool = False) -> None:
    if reply:
        connection.publish(reply, msgspec.json.encode(m.Failure(sentence, is_busy)), header=ERROR_HEADER)
