"""Which source a message belongs to, and what is known of each tag: the configuration document, made quick to ask."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from yuheng.bus import subjects
from yuheng.bus.documents import Plant, Source, Tag

DAY_US = 86_400_000_000
LONGEST_REMEMBERED = 500
"""Bytes of a subject that is worth remembering; MQTT allows 65,535."""
FOR_EVER = np.int64(2**62)


def matches(topic_filter: str, topic: str) -> bool:
    """Return whether an MQTT filter covers a topic (MQTT 3.1.1, 4.7).

    Examples
    --------
    >>> matches("a/+/c", "a/b/c"), matches("a/#", "a"), matches("a/#", "ab"), matches("#", "$SYS/x")
    (True, True, False, False)
    """
    wanted, given = topic_filter.split("/"), topic.split("/")
    if given[0].startswith("$") and wanted[0] in ("#", "+"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def _specificity(topic_filter: str) -> tuple[int, int]:
    levels = topic_filter.split("/")
    return (sum(level not in ("+", "#") for level in levels), -int(levels[-1] == "#"))


class Router:
    """Topic to source. The most specific filter wins, then the older source; answers are remembered by subject."""

    REMEMBERED = 200_000
    """Subjects remembered at most; then the memory is emptied (a device that invents topics must not fill it)."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._claims = sorted(
            ((f, source) for source in sources if source.is_enabled for f in source.topics),
            key=lambda claim: (*(-n for n in _specificity(claim[0])), claim[1].id),
        )
        self._remembered: dict[bytes, tuple[int, str]] = {}

    def route(self, subject: bytes) -> tuple[int, str]:
        """Return (source id or 0, topic) of a core subject such as ``b'plant.laser.L01'``."""
        found = self._remembered.get(subject)
        if found is None:
            if len(self._remembered) >= self.REMEMBERED:
                self._remembered.clear()
            topic = subjects.topic_of_subject(subject.decode("utf-8", "replace"))
            found = (self.source_of(topic), topic)
            if len(subject) <= LONGEST_REMEMBERED:
                self._remembered[subject] = found
        return found

    def source_of(self, topic: str) -> int:
        """Return the id of the source that claims the topic; 0 when none does."""
        return next((source.id for f, source in self._claims if matches(f, topic)), 0)


def best_effort_subjects(plant: Plant) -> list[str]:
    """Return the core subjects on which QoS 0 messages of devices appear, none covered by another.

    ``a/#`` covers ``a`` itself in MQTT but not in NATS, so both are listed.
    """
    filters = {f for source in plant.sources if source.is_enabled for f in source.topics}
    filters |= {f for device in plant.devices for f in device.publish_topics}
    found: set[str] = set()
    for f in filters:
        if " " in f:
            continue  # nats-server refuses such topics at the door
        found.add(subjects.subject_of_topic(f))
        if f.endswith("/#"):
            found.add(subjects.subject_of_topic(f[:-2]))
    return sorted(s for s in found if not any(other != s and _covers(other, s) for other in found))


def _covers(wide: str, narrow: str) -> bool:
    """Return whether every subject of ``narrow`` is one of ``wide``."""
    ours, theirs = wide.split("."), narrow.split(".")
    for place, word in enumerate(ours):
        if word == ">":
            return len(theirs) > place
        if place >= len(theirs) or theirs[place] == ">":
            return False
        if word not in ("*", theirs[place]):
            return False
    return len(ours) == len(theirs)


class TagTable:
    """Tags by *slot*: a dense number that stays the tag's own as long as the process runs.

    Arrays have one entry a slot. A tag that leaves the configuration keeps its slot and is marked unknown.
    """

    def __init__(self) -> None:
        self.tag_ids: npt.NDArray[np.uint32] = np.empty(0, np.uint32)
        self.retention_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.deadband: npt.NDArray[np.float64] = np.empty(0, np.float64)
        self.stale_us: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.site: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.unit: npt.NDArray[np.int64] = np.empty(0, np.int64)  # work unit id; 0: none
        self.is_known: npt.NDArray[np.bool_] = np.empty(0, np.bool_)
        self.has_deadbands = False
        self.shortest_retention_us = int(FOR_EVER)
        self.tags: dict[int, Tag] = {}
        self._slot_of: dict[int, int] = {}
        self._lookup: npt.NDArray[np.int32] = np.full(1, -1, np.int32)

    def __len__(self) -> int:
        return len(self.tag_ids)

    def load(self, plant: Plant) -> None:
        """Take over the tags of a document."""
        for tag in plant.tags:
            self._slot_of.setdefault(tag.id, len(self._slot_of))
        size = len(self._slot_of)
        self.tag_ids = np.fromiter(self._slot_of, np.uint32, size)
        self._lookup = np.full(int(self.tag_ids.max(initial=0)) + 1, -1, np.int32)
        self._lookup[self.tag_ids] = np.arange(size, dtype=np.int32)
        self.retention_us = np.full(size, FOR_EVER)
        self.deadband = np.zeros(size)
        self.stale_us = np.full(size, 60_000_000, np.int64)
        self.site, self.unit = np.zeros(size, np.int64), np.zeros(size, np.int64)
        self.is_known = np.zeros(size, np.bool_)
        days = {c.code: c.raw_days for c in plant.tag_classes}
        sites = {source.id: source.site_id for source in plant.sources}
        for tag in plant.tags:
            slot = self._slot_of[tag.id]
            keep = days.get(tag.tag_class, 0)
            self.retention_us[slot] = keep * DAY_US if keep > 0 else FOR_EVER
            self.deadband[slot] = tag.deadband
            self.stale_us[slot] = int(tag.stale_after_s * 1e6)
            self.site[slot] = sites.get(tag.source_id, 0)
            self.unit[slot] = tag.work_unit_id or 0
            self.is_known[slot] = True
        self.tags = {tag.id: tag for tag in plant.tags}
        self.has_deadbands = bool((self.deadband > 0).any())
        self.shortest_retention_us = int(self.retention_us.min(initial=FOR_EVER))

    def slots(self, tags: npt.NDArray[np.uint32]) -> npt.NDArray[np.int32]:
        """Return the slots of tag ids; -1 where there is none."""
        if len(tags) and int(tags.max()) >= len(self._lookup):
            inside = tags < len(self._lookup)
            found: npt.NDArray[np.int32] = np.full(len(tags), -1, np.int32)
            found[inside] = self._lookup[tags[inside]]
            return found
        return self._lookup[tags]

    def slot(self, tag: int) -> int:
        """Return the slot of one tag id; -1 when it has none."""
        return self._slot_of.get(tag, -1)
