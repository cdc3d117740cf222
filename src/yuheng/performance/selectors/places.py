"""Where job orders lie: the work center of their work unit, or of all that could do them, else their class."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor, system_actor
from yuheng.operations.selectors.history import JobHead
from yuheng.performance.rules.tallies import Place

WATCHER: Actor = system_actor("performance")


@dataclass(frozen=True, slots=True)
class Floor:
    """The tree of one site as far as places need it."""

    center_of: dict[int, int]  # work unit -> its work center
    centers_of_class: dict[int, frozenset[int]]

    def place(self, head: JobHead, work_unit_id: int | None) -> Place:
        """Return where a job order lies that is a work unit's, or nobody's yet."""
        if work_unit_id is not None and work_unit_id in self.center_of:
            return Place(self.center_of[work_unit_id])
        if head.candidates:
            able = frozenset(self.center_of[one] for one in head.candidates if one in self.center_of)
        else:
            able = self.centers_of_class.get(head.equipment_class_id or 0, frozenset())
        if len(able) == 1:
            return Place(next(iter(able)))
        return Place(None, head.equipment_class_id)


def floor_of(site_id: int) -> Floor:
    """Return a site's tree. One query."""
    units = equipment.work_units(actor=WATCHER, site_id=site_id, with_retired=True)
    able: dict[int, set[int]] = defaultdict(set)
    for unit in units:
        if unit.class_id is not None and not unit.is_retired:
            able[unit.class_id].add(unit.work_center_id)
    return Floor({unit.id: unit.work_center_id for unit in units}, {kind: frozenset(ids) for kind, ids in able.items()})
