"""The way of a reading, on the event loop: messages in, pending columns and live changes out.

Nothing here waits. `take` gathers messages for some milliseconds; `process` decodes all of them together and fills
`Pending`; the committer swaps `Pending` out, makes it durable, and acknowledges the log. When `Pending` is full the
readers are paused: the log holds.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from yuheng.bus import subjects
from yuheng.bus.documents import Plant, Source
from yuheng.bus.log_reader import LogMessage
from yuheng.bus.messages import BirthNotice
from yuheng.bus.wire import header_value, type_raw
from yuheng.engines.codec import (
    Batch,
    BirthExplains,
    Decoder,
    KeepBirth,
    Message,
    RequestRebirth,
    SparkplugDecoder,
    TagSpec,
    rebirth_command,
)
from yuheng.engines.points import PointBlock, Refusal, RefusedPoint, TextPoint
from yuheng.historian import deadletters
from yuheng.historian.alarms import Alarms
from yuheng.historian.bundles import Bundle, Preview, SourceState
from yuheng.historian.calculating import Calculating
from yuheng.historian.calculations import compiled
from yuheng.historian.checks import Deadband, refused_times
from yuheng.historian.deadletters import DeadLetter
from yuheng.historian.job_signals import JobSignalGatherer
from yuheng.historian.latest import Latest, time_order
from yuheng.historian.limits import DEFAULT_LIMITS, Limits
from yuheng.historian.pending import Counters, LogSource, Pending
from yuheng.historian.rollups import DirtyMinutes
from yuheng.historian.routing import Router, TagTable
from yuheng.historian.store import chosen, concatenated, empty_block
from yuheng.historian.units import Units

log = logging.getLogger(__name__)

REMEMBERED_NODES = 10_000

_COUNTED = f"{subjects.HEADER_COUNTED}: {subjects.COUNTED_REPLAYED}".encode()

type_key = tuple[int, bool]
"""Source id, and whether the payload is `messages.SampleBatch` rather than the source's own."""


class Pipeline:
    """See the module's docstring. All methods run on the event loop."""

    def __init__(
        self,
        *,
        clock_us: Callable[[], int],
        publish: Callable[[str, bytes], None],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self.tags = TagTable()
        self.latest = Latest()
        self.units = Units(self.tags, self.latest)
        self.alarms = Alarms(self.tags, self.latest, self.units)
        self.job_signals = JobSignalGatherer(self.tags)
        self.calculating = Calculating(self.tags, self.latest)
        self.dirty = DirtyMinutes()
        self.deadband = Deadband()
        self.pending = Pending()
        self.counters = Counters()
        self.plant: Plant | None = None
        self.wake = asyncio.Event()  # set when there is something to commit
        self.broken = asyncio.Event()  # set when nothing more can be taken
        self.on_live: Callable[[], None] = lambda: None  # called after states may have changed
        self.changed_slots: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.zeros(0, np.bool_)
        self.data_time_us: dict[int, int] = {}  # site -> newest source time
        self.births: dict[str, bytes] = {}
        self.log_time_us: dict[str, int] = {}  # stream -> arrival of its newest message taken, while it has more
        self._clock_us = clock_us
        self._publish = publish
        self._router = Router(())
        self._sources: dict[int, SourceState] = {}
        self._waiting: list[tuple[LogSource, list[LogMessage]]] = []
        self._waiting_bytes = 0
        self._best_effort: deque[tuple[bytes, bytes, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._readers: set[LogSource] = set()
        self._is_held = False
        self._rebirth_at: dict[str, int] = {}
        self._future_us = 600_000_000

    # ---- configuration ------------------------------------------------------------------------------------------

    def configure(self, plant: Plant) -> bool:
        """Swap the configuration; return whether it was newer. What waits is decoded by the old one first."""
        if self.plant is not None and plant.version <= self.plant.version:
            return False
        self.process()
        self.plant = plant
        self._future_us = int(plant.future_tolerance_s * 1e6)
        self._router = Router(plant.sources)
        specs: dict[int, list[TagSpec]] = {source.id: [] for source in plant.sources}
        for tag in plant.tags:
            specs.setdefault(tag.source_id, []).append(
                TagSpec(tag.id, tag.address, tag.data_type, tag.scale, tag.offset)
            )
        self._sources = {source.id: self._source_state(source, specs[source.id]) for source in plant.sources}
        self.tags.load(plant)
        self.latest.resize(len(self.tags))
        self.changed_slots = np.pad(self.changed_slots, (0, len(self.tags) - len(self.changed_slots)))
        self.units.load(plant)
        self.alarms.load(plant, self._clock_us())
        self.job_signals.load(plant)
        self.calculating.load(compiled(plant))
        self._take_calculated(self.calculating.of_now(self._clock_us()))
        return True

    def _source_state(self, source: Source, specs: list[TagSpec]) -> SourceState:
        """Keep the running decoder when nothing that concerns it changed: it holds Sparkplug sessions."""
        known = self._sources.get(source.id)
        if known is not None and known.key == (source.connector, source.settings, source.topics, tuple(specs)):
            known.source = source
            return known
        preview = known.preview if known is not None else deque[Preview](maxlen=self.limits.preview_messages)
        state = SourceState(source, specs, preview)
        decoder = state.decoders.get(False)
        before = known.decoders.get(False) if known is not None else None
        if isinstance(decoder, SparkplugDecoder) and isinstance(before, SparkplugDecoder):
            decoder.take_over(before)
        elif decoder is not None:
            decoder.restore(self._births_of(source.id))
        return state

    def _births_of(self, source_id: int) -> Mapping[str, bytes]:
        prefix = f"{source_id}."
        return {key.removeprefix(prefix): data for key, data in self.births.items() if key.startswith(prefix) and data}

    def complaints(self) -> list[str]:
        """Return what is wrong in the configuration, in sentences."""
        return [
            *(s.complaint for s in self._sources.values() if s.complaint),
            *self.units.complaints,
            *self.alarms.complaints,
            *self.calculating.calculations.complaints,
        ]

    def data_times(self) -> dict[int, int]:
        """Return source id -> newest source time received."""
        return {source_id: state.data_time_us for source_id, state in self._sources.items()}

    def read_data_times(self) -> None:
        """Take how far the data went from the newest values: after a start nothing else says so until data comes."""
        table, latest = self.tags, self.latest
        for tag_id, tag in table.tags.items():
            state = self._sources.get(tag.source_id)
            if state is None or tag.formula:  # calculated values may stand at our time
                continue
            time_us = int(latest.time_us[table.slot(tag_id)])
            state.data_time_us = max(state.data_time_us, time_us)
        for state in self._sources.values():
            site = state.source.site_id
            if state.data_time_us:
                self.data_time_us[site] = max(self.data_time_us.get(site, 0), state.data_time_us)

    def preview_of(self, source_id: int) -> list[Preview]:
        """Return the last raw messages of a source."""
        state = self._sources.get(source_id)
        return list(state.preview) if state is not None else []

    # ---- intake -------------------------------------------------------------------------------------------------

    def take(self, reader: LogSource, messages: list[LogMessage]) -> None:
        """Gather messages of a durable log."""
        self._waiting.append((reader, messages))
        self._readers.add(reader)
        if self._is_held:  # a reader that came after the others were held, after a reconnection for one
            reader.pause()
        if reader.pending:
            self.log_time_us[reader.stream] = messages[0].arrived_us
        else:
            self.log_time_us.pop(reader.stream, None)
        self._gather(sum(len(message.payload) for message in messages))

    def take_best_effort(self, items: list[type_raw]) -> None:
        """Gather core messages; those that MQTT promised to deliver come through the log instead."""
        now_us = self._clock_us()
        size = 0
        for subject, _reply, header, payload in items:
            at = header.find(b"Nmqtt-Pub:")
            if (at >= 0 and header[at + 10 : at + 12].strip() not in (b"0", b"")) or subject[:3] in _OWN:
                continue
            self._best_effort.append((subject, payload, now_us))
            size += len(payload)
        while len(self._best_effort) > self.limits.best_effort_messages:
            self._best_effort.popleft()
            self.counters.dropped_best_effort += 1
        if size or self._best_effort:
            self._gather(size)

    def _gather(self, size: int) -> None:
        self._waiting_bytes += size
        if self._waiting_bytes >= self.limits.gather_bytes:
            self.process()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.limits.gather_s, self.process)

    def oldest_unstored_s(self, now_s: int) -> int:
        """Return the arrival time, in s, of the oldest point that is not committed, or of what the logs are at."""
        oldest = now_s
        for block in self.pending.blocks:
            oldest = min(oldest, int(block.arrived_us.min()) // 1_000_000)
        for text in self.pending.texts:
            oldest = min(oldest, text.arrived_us // 1_000_000)
        return min([oldest, *(at // 1_000_000 for at in self.log_time_us.values())])

    def forget(self, reader: LogSource) -> None:
        """A reader's session is over: it is not to be held or acknowledged any more."""
        self._readers.discard(reader)
        self.pending.reached.pop(reader, None)

    # ---- decoding -----------------------------------------------------------------------------------------------

    def process(self) -> None:
        """Decode everything that waits.

        A defect in here must not pass for decoded messages: the next ones would acknowledge these unseen. So after an
        unexpected error nothing more is taken, and `broken` tells the process to end: the log holds everything.
        """
        if self.broken.is_set():
            return
        try:
            self._process()
        except Exception:
            log.exception("A batch could not be worked on.")
            self.pending = Pending()  # it may say that these messages were reached
            self.broken.set()

    def _process(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        self._waiting_bytes = 0
        bundles: dict[type_key, Bundle] = {}
        for reader, messages in waiting:
            self._sort(reader.stream, messages, bundles)
            self.pending.reached[reader] = max(self.pending.reached.get(reader, 0), messages[-1].sequence)
        if not self._is_held:
            self._sort_best_effort(bundles)
        blocks: list[PointBlock] = []
        texts: list[TextPoint] = []
        for key, bundle in bundles.items():
            self._decode(key, bundle, blocks, texts)
        if blocks or texts:
            self._absorb(concatenated(blocks), texts)
        if waiting or bundles:
            self.wake.set()
        self._hold_or_release()

    def _sort(self, stream: str, messages: list[LogMessage], bundles: dict[type_key, Bundle]) -> None:
        """Find the source of each message of a log."""
        self.counters.messages += len(messages)
        if stream == subjects.MQTT_STREAM:
            cut = len(subjects.MQTT_PREFIX)
            route = self._router.route
            for sequence, arrived_us, subject, _header, payload in messages:
                source_id, topic = route(subject[cut:])
                self._bundle(bundles, (source_id, False), Message(topic, payload, arrived_us), (stream, sequence))
            return
        for sequence, arrived_us, subject, header, payload in messages:
            words = subject.split(b".")
            source_id = int(words[2]) if len(words) == 4 and words[2].isdigit() else 0
            topic = header_value(header, subjects.HEADER_TOPIC) or ""
            told = header_value(header, subjects.HEADER_ARRIVED_US) or ""
            arrived = int(told) if told.isdigit() and len(told) < 17 else arrived_us
            message = Message(topic, payload, arrived)
            bundle = self._bundle(bundles, (source_id, words[-1] == b"points"), message, (stream, sequence))
            if _COUNTED in header:
                bundle.replayed.add(len(bundle.messages) - 1)

    def _sort_best_effort(self, bundles: dict[type_key, Bundle]) -> None:
        self.counters.messages += len(self._best_effort)
        while self._best_effort:
            subject, payload, arrived_us = self._best_effort.popleft()
            source_id, topic = self._router.route(subject)
            self._bundle(bundles, (source_id, False), Message(topic, payload, arrived_us), ("", 0))

    @staticmethod
    def _bundle(bundles: dict[type_key, Bundle], key: type_key, message: Message, reference: tuple[str, int]) -> Bundle:
        bundle = bundles.get(key)
        if bundle is None:
            bundle = bundles[key] = Bundle()
        bundle.messages.append(message)
        bundle.references.append(reference)
        return bundle

    def _decode(self, key: type_key, bundle: Bundle, blocks: list[PointBlock], texts: list[TextPoint]) -> None:
        source_id, is_samples = key
        state = self._sources.get(source_id)
        if state is None:
            for index in range(len(bundle.messages)):
                self._refuse_message(0, bundle, index, Refusal.UNKNOWN_TOPIC, "No data source claims this topic.")
            return
        spoken = self.counters.messages_by_source
        spoken[source_id] = spoken.get(source_id, 0) + len(bundle.messages)
        if not is_samples:
            limit = self.limits.preview_bytes
            state.preview.extend(
                Preview(m.topic, bytes(m.payload[:limit]), m.arrived_us)
                for m in bundle.messages[-self.limits.preview_messages :]
            )
        decoder = state.decoders.get(is_samples)
        if decoder is None:
            for index in range(len(bundle.messages)):
                self._refuse_message(source_id, bundle, index, Refusal.WRONG_SHAPE, state.complaint)
            return
        batch = self._decoded(source_id, decoder, bundle)
        self._keep_refused(source_id, bundle, batch)
        for action in batch.actions:
            self._act(source_id, action)
        if len(batch.points):
            points = self._timely(source_id, bundle, batch.points)
            if len(points):
                blocks.append(points)
                state.data_time_us = max(state.data_time_us, int(points.time_us.max()))
        for text in batch.texts:
            if self._is_timely_text(source_id, bundle, text):
                texts.append(text)
                state.data_time_us = max(state.data_time_us, text.time_us)
        site = state.source.site_id
        self.data_time_us[site] = max(self.data_time_us.get(site, 0), state.data_time_us)

    def _decoded(self, source_id: int, decoder: Decoder, bundle: Bundle) -> Batch:
        """Decode; a message that the decoder cannot even refuse is found and kept, and must not stop the others."""
        try:
            return decoder.decode(bundle.messages)
        except Exception:
            log.exception("The decoder of source %d failed; trying its messages one by one.", source_id)
        blocks: list[PointBlock] = []
        whole = Batch(empty_block())
        for index, message in enumerate(bundle.messages):
            try:
                one = decoder.decode([message])
            except Exception as error:
                detail = f"The decoder failed: {type(error).__name__}: {error}"
                whole.refused_messages.append((index, Refusal.UNDECODABLE, detail))
                continue
            blocks.append(one.points)
            whole.texts += one.texts
            whole.refused += [(index, point) for _, point in one.refused]
            whole.refused_messages += [(index, reason, detail) for _, reason, detail in one.refused_messages]
            whole.actions += one.actions
        whole.points = concatenated(blocks)
        return whole

    # ---- refusing -----------------------------------------------------------------------------------------------

    def _refuse_message(self, source_id: int, bundle: Bundle, index: int, reason: Refusal, detail: str) -> None:
        message = bundle.messages[index]
        self._keep(
            deadletters.of_message(
                source_id,
                reason,
                detail,
                topic=message.topic,
                payload=bytes(message.payload),
                arrived_us=message.arrived_us,
                reference=self._reference(bundle, index),
                is_replayed=index in bundle.replayed,
            )
        )
        self.counters.refuse(reason)

    def _keep_refused(self, source_id: int, bundle: Bundle, batch: Batch) -> None:
        for index, reason, detail in batch.refused_messages:
            self._refuse_message(source_id, bundle, index, reason, detail)
        by_message: dict[int, list[RefusedPoint]] = {}
        for index, point in batch.refused:
            by_message.setdefault(index, []).append(point)
        for index, points in by_message.items():
            self._refuse_points(source_id, points, bundle, index)

    def _refuse_points(self, source_id: int, points: list[RefusedPoint], bundle: Bundle, index: int) -> None:
        message = bundle.messages[index]
        for letter in deadletters.of_points(
            source_id,
            points,
            topic=message.topic,
            arrived_us=message.arrived_us,
            reference=self._reference(bundle, index),
            is_replayed=index in bundle.replayed,
        ):
            self._keep(letter)
        for point in points:
            self.counters.refuse(point.reason)

    def _keep(self, letter: DeadLetter) -> None:
        self.pending.dead.append(letter)
        self.pending.other_bytes += len(letter.payload) + len(letter.header) + 200

    def _reference(self, bundle: Bundle, index: int) -> str:
        stream, sequence = bundle.references[index]
        return f"{stream}:{sequence}" if stream else f"core:{bundle.messages[index].arrived_us}:{index}"

    def _timely(self, source_id: int, bundle: Bundle, points: PointBlock) -> PointBlock:
        """Take out points whose time cannot be right, as dead letters."""
        slots = self.tags.slots(points.tag)
        found = refused_times(points.time_us, slots, self.tags, now_us=self._clock_us(), future_us=self._future_us)
        if not found:
            return points
        keep = np.ones(len(points), np.bool_)
        by_message: dict[int, list[RefusedPoint]] = {}
        for mask, reason in found:
            keep &= ~mask
            for at in np.flatnonzero(mask).tolist():
                index = bundle.index_at(int(points.arrived_us[at]))
                by_message.setdefault(index, []).append(self._refused(points, at, reason))
        for index, refused in by_message.items():
            self._refuse_points(source_id, refused, bundle, index)
        return chosen(points, keep)

    def _refused(self, points: PointBlock, at: int, reason: Refusal) -> RefusedPoint:
        """Spell a point as it came, unscaled, so that it can be sent again."""
        tag = self.tags.tags[int(points.tag[at])]
        value = float(points.value[at])
        raw = None if np.isnan(value) else (value - tag.offset) / tag.scale if tag.scale else value
        return RefusedPoint(
            tag.address,
            int(points.time_us[at]),
            bool(raw) if tag.data_type == "bool" and raw is not None else raw,
            int(points.quality[at]),
            int(points.seq[at]),
            reason,
            "",
        )

    def _is_timely_text(self, source_id: int, bundle: Bundle, text: TextPoint) -> bool:
        found = refused_times(
            np.array([text.time_us], np.int64),
            np.array([self.tags.slot(text.tag)], np.int32),
            self.tags,
            now_us=self._clock_us(),
            future_us=self._future_us,
        )
        for _, reason in found:
            point = RefusedPoint(
                self.tags.tags[text.tag].address, text.time_us, text.text, text.quality, text.seq, reason, ""
            )
            self._refuse_points(source_id, [point], bundle, bundle.index_at(text.arrived_us))
        return not found

    def _act(self, source_id: int, action: RequestRebirth | KeepBirth | BirthExplains) -> None:
        if isinstance(action, BirthExplains):
            notice = msgspec.json.encode(BirthNotice(*action))
            self.pending.notices.append((subjects.born(source_id), b"", notice))
            self.pending.other_bytes += len(notice)
            return
        if isinstance(action, KeepBirth):
            key = f"{source_id}.{action.key}"
            self.births[key] = self.pending.births[key] = bytes(action.payload)
            self.pending.other_bytes += len(action.payload)
            return
        now_us = self._clock_us()
        node = f"{action.group}/{action.edge_node}"
        if now_us - self._rebirth_at.get(node, 0) < self.limits.rebirth_s * 1e6:
            return
        if len(self._rebirth_at) >= REMEMBERED_NODES:
            self._rebirth_at.clear()  # whoever invents nodes must not fill the memory
        self._rebirth_at[node] = now_us
        known = self._sources.get(source_id)
        if known is not None and "broker" in known.source.settings:  # somebody else's broker: the gateway is there
            command = {"kind": "rebirth", "group": action.group, "edge_node": action.edge_node}
            self._publish(subjects.command(source_id), json.dumps(command).encode())
            self.counters.rebirths += 1
            return
        topic, payload = rebirth_command(action.group, action.edge_node, now_us)
        if " " not in topic:
            self._publish(subjects.subject_of_topic(topic), payload)
            self.counters.rebirths += 1

    # ---- absorbing ----------------------------------------------------------------------------------------------

    def _absorb(self, points: PointBlock, texts: list[TextPoint]) -> None:
        """Update newest values, states and roll-up debts; put the points into the columns."""
        self.counters.points += len(points) + len(texts)
        points, slots = self.ordered(points)
        kept = self.deadband.kept(points, slots, self.tags)
        stored, stored_slots = points, slots
        if kept is not None:
            self.counters.deadband_skipped += len(kept) - int(kept.sum())
            stored, stored_slots = chosen(points, kept), slots[kept]
        calculated = self.observe(stored, stored_slots, texts)
        if kept is not None:
            self.changed_slots[self.latest.absorb(points, slots)] = True
        pending = self.pending
        if len(stored):
            pending.blocks.append(stored)
            pending.points += len(stored)
        pending.texts.extend(texts)
        pending.other_bytes += sum(len(text.text) + 100 for text in texts)
        if calculated is not None:
            points, slots = self.ordered(concatenated([points, calculated]))
        self.alarms.absorb(points, slots, texts, self._clock_us())
        self.job_signals.absorb(points, slots, texts)
        self.on_live()

    def ordered(self, points: PointBlock) -> tuple[PointBlock, np.ndarray[tuple[int], np.dtype[np.int32]]]:
        """Return points of known tags by (slot, time, sequence), with their slots."""
        slots = self.tags.slots(points.tag)
        order = time_order(slots, points.time_us, points.seq)
        order = order[slots[order] >= 0] if len(slots) and int(slots.min()) < 0 else order
        return chosen(points, order), slots[order]

    def observe(
        self, points: PointBlock, slots: np.ndarray[tuple[int], np.dtype[np.int32]], texts: list[TextPoint]
    ) -> PointBlock | None:
        """Let states, newest values and roll-up debts see stored samples; return what was calculated from them.

        Also used to catch up after a restart.
        """
        now_us = self._clock_us()
        self.dirty.mark(points.tag, points.time_us)
        calculated = self.calculating.of_batch(points, slots, now_us)
        if calculated is not None:  # together, or the earlier of a batch would come late behind its stored ones
            points, slots = self.ordered(concatenated([points, calculated]))
        self.units.absorb(points, slots, texts, now_us)
        self.changed_slots[self.latest.absorb(points, slots)] = True
        for text in texts:
            slot = self.tags.slot(text.tag)
            if slot >= 0 and self.latest.absorb_text(text, slot):
                self.changed_slots[slot] = True
        return calculated

    def _take_calculated(self, points: PointBlock | None) -> None:
        """Let states and newest values see calculated points, which are not stored."""
        if points is not None:
            slots = self.tags.slots(points.tag)
            self.units.absorb(points, slots, [], self._clock_us())
            self.changed_slots[self.latest.absorb(points, slots)] = True

    # ---- pending ------------------------------------------------------------------------------------------------

    def swap(self) -> Pending:
        """Hand over what is pending and begin anew."""
        pending, self.pending = self.pending, Pending()
        return pending

    def committed(self) -> None:
        """Room was made: let the logs go on."""
        self._hold_or_release()

    @property
    def is_held(self) -> bool:
        """Whether the logs are held because the buffer is full."""
        return self._is_held

    @property
    def fill_ratio(self) -> float:
        """How full the buffer is, 0 to 1 and a little more."""
        return max(self.pending.points / self.limits.buffer_points, self.pending.bytes / self.limits.buffer_bytes)

    def _hold_or_release(self) -> None:
        fill = self.fill_ratio
        if fill >= 1 and not self._is_held:
            self._is_held = True
            for reader in self._readers:
                reader.pause()
        elif fill < 0.5 and self._is_held:
            self._is_held = False
            for reader in self._readers:
                reader.resume()
            if self._best_effort:
                self._gather(0)


_OWN = (b"yh.", b"$JS", b"$KV", b"$SY", b"$MQ", b"_IN", b"_YH")
"""Beginnings of subjects that are ours or the server's, should somebody claim every topic."""
