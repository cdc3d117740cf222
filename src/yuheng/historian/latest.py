"""The newest value of every tag, in arrays by slot. A late value never replaces a newer one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yuheng.engines.points import PointBlock, TextPoint

type_index = npt.NDArray[np.int64]


def time_order(
    slots: npt.NDArray[np.int32], times_us: npt.NDArray[np.int64], seqs: npt.NDArray[np.uint64]
) -> type_index:
    """Return the order by (slot, time, sequence).

    Notes
    -----
    When the sequences are all zero and the span of times is below 2**40 µs (12 days), one integer key is
    sorted, several times faster than three.
    """
    if not len(slots):
        return np.empty(0, np.int64)
    first = int(times_us.min())
    if int(times_us.max()) - first < 2**40 and int(slots.max()) < 2**22 and not seqs.any():
        key = (slots.astype(np.int64) << 40) | (times_us - first)
        order: type_index = np.argsort(key, kind="stable")
        return order
    return np.lexsort((seqs, times_us, slots))


def group_ends(slots: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Mark the last element of each run of equal slots."""
    ends = np.ones(len(slots), np.bool_)
    if len(slots):
        np.not_equal(slots[1:], slots[:-1], out=ends[:-1])
    return ends


class Latest:
    """Newest (time, seq, value, quality, arrival) by slot; ``time_us`` 0 means never."""

    def __init__(self) -> None:
        self.time_us: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.seq: npt.NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.value: npt.NDArray[np.float64] = np.zeros(0, np.float64)
        self.quality: npt.NDArray[np.uint8] = np.zeros(0, np.uint8)
        self.arrived_us: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.texts: dict[int, str] = {}

    def resize(self, size: int) -> None:
        """Make room for more slots."""
        more = size - len(self.time_us)
        if more > 0:
            self.time_us = np.pad(self.time_us, (0, more))
            self.seq = np.pad(self.seq, (0, more))
            self.value = np.pad(self.value, (0, more), constant_values=np.nan)
            self.quality = np.pad(self.quality, (0, more))
            self.arrived_us = np.pad(self.arrived_us, (0, more))

    def absorb(self, block: PointBlock, slots: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Take over points that lie in `time_order`; return the slots whose newest value is now another."""
        ends = np.flatnonzero(group_ends(slots))
        found = slots[ends]
        time_us, seq = block.time_us[ends], block.seq[ends]
        is_newer = (time_us > self.time_us[found]) | ((time_us == self.time_us[found]) & (seq >= self.seq[found]))
        if not is_newer.all():
            ends, found = ends[is_newer], found[is_newer]
            time_us, seq = time_us[is_newer], seq[is_newer]
        self.time_us[found] = time_us
        self.seq[found] = seq
        self.value[found] = block.value[ends]
        self.quality[found] = block.quality[ends]
        self.arrived_us[found] = block.arrived_us[ends]
        return found

    def absorb_text(self, point: TextPoint, slot: int) -> bool:
        """Take over one text; return whether it is the newest."""
        if (point.time_us, point.seq) < (int(self.time_us[slot]), int(self.seq[slot])):
            return False
        self.time_us[slot] = point.time_us
        self.seq[slot] = point.seq
        self.quality[slot] = point.quality
        self.arrived_us[slot] = point.arrived_us
        self.value[slot] = np.nan
        self.texts[slot] = point.text
        return True
