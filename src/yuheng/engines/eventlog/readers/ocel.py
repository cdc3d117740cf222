"""OCEL 2.0, whatever it is written in: objects and events to rows of one order each.

An event of an object-centric log touches many objects. One type of object is the order. An event that touches no order
belongs to the orders of the objects it touches: an item belongs to the order it was once handled with, or is related
to; what serves everybody (machines, people, products) leads nowhere.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.source import Row, Source
from yuheng.engines.eventlog.roles import Role, meanings

MOST_ORDERS_OF_EVENT = 200
DEEPEST = 4
EVENT_ID, ACTIVITY, TIME = "ocel:eid", "ocel:activity", "ocel:timestamp"
_SHARED = (Role.MACHINE, Role.OPERATOR, Role.CUSTOMER)


@dataclass(slots=True)
class ObjectRow:
    """An object: its attributes as last known, and the ids of objects it is related to."""

    id: str
    type: str
    attributes: dict[str, object] = field(default_factory=dict)
    related: list[str] = field(default_factory=list)


@dataclass(slots=True)
class EventRow:
    """An event and the ids of the objects it touches."""

    id: str
    type: str
    time: object
    attributes: dict[str, object] = field(default_factory=dict)
    objects: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Ocel:
    """A log that can be read again."""

    objects: Callable[[], Iterator[ObjectRow]]
    events: Callable[[], Iterator[EventRow]]


def as_source(log: Ocel, kind: str, scratch: Path, order_type: str) -> Source:
    """Return the rows of an object-centric log. Raises `LogError`."""
    found = _Objects(scratch / "ocel.sqlite")
    names = found.take(log)
    if not found.events:
        raise LogError(gettext_noop("There is no event in the file."))
    orders = found.order_type(order_type)
    found.own(orders)
    columns = [EVENT_ID, ACTIVITY, TIME, *(found.column(name) for name in found.sizes)]
    columns += [f"{orders}.{name}" for name in sorted(found.named.get(orders, ()))]
    columns += [name for name in names if name not in columns]

    def rows() -> Iterator[Row]:
        for number, event in enumerate(log.events(), start=1):
            yield from ((number, cells) for cells in found.cells(event, orders))

    hints = {"order": found.column(orders), "operation": ACTIVITY, "time": TIME}
    return Source(kind, "", columns, rows, hints=hints, identity=EVENT_ID)


class _Objects:
    """What is known of objects: types in memory, what touches what on disk."""

    def __init__(self, path: Path) -> None:
        self.store = sqlite3.connect(path)
        self.store.execute("PRAGMA journal_mode=OFF")
        self.store.execute("PRAGMA synchronous=OFF")
        self.store.execute("CREATE TABLE touch (event INTEGER, object TEXT)")
        self.types: dict[str, str] = {}
        self.attributes: dict[str, dict[str, object]] = {}
        self.owners: dict[str, frozenset[str]] = {}
        self.sizes: Counter[str] = Counter()
        self.covered: Counter[str] = Counter()
        self.named: dict[str, set[str]] = {}
        self.events = 0
        self.shared: set[str] = set()
        self.orders = ""

    def take(self, log: Ocel) -> list[str]:
        """Read everything once; return the names of attributes of events."""
        number = 0
        for one in log.objects():
            self.types[one.id] = one.type
            self.sizes[one.type] += 1
            if one.attributes:
                self.attributes[one.id] = one.attributes
                self.named.setdefault(one.type, set()).update(one.attributes)
            if one.related:
                number -= 1
                self._touch(number, [one.id, *one.related])
        names: dict[str, None] = {}
        for event in log.events():
            self.events += 1
            names.update(dict.fromkeys(event.attributes))
            self._touch(self.events, event.objects)
            self.covered.update({self.types[one] for one in event.objects if one in self.types})
        self.store.execute("CREATE INDEX of_event ON touch (event)")
        self.store.commit()
        return list(names)

    def _touch(self, number: int, objects: Iterable[str]) -> None:
        self.store.executemany("INSERT INTO touch VALUES (?, ?)", ((number, one) for one in dict.fromkeys(objects)))

    def order_type(self, wanted: str) -> str:
        """Return the type of objects that are the orders."""
        if wanted:
            near = [name for name in self.sizes if name.casefold() == wanted.casefold()]
            if not near:
                raise LogError(
                    gettext_noop("There is no type of objects '%(name)s' in the log. There are: %(known)s."),
                    {"name": wanted[:60], "known": ", ".join(self.sizes)[:500]},
                )
            self.orders = near[0]
        else:
            self.orders = self._likely_order_type()
        for name, size in self.sizes.items():
            role = next((role for role, _score in meanings(name)), None)
            often = self.covered[name] / size
            is_of_many = role is Role.MATERIAL and size * 2 < self.sizes[self.orders]
            if name != self.orders and (role in _SHARED or is_of_many or (often > 50 and size < 500)):
                self.shared.add(name)
        return self.orders

    def _likely_order_type(self) -> str:
        scores: dict[str, float] = {}
        for name, size in self.sizes.items():
            covered = self.covered[name]
            if not covered:
                continue
            own = max((score for role, score in meanings(name) if role is Role.ORDER), default=0.0)
            other = any(role in _SHARED for role, _score in meanings(name))
            score = own + 50.0 * covered / self.events
            score -= 40.0 if covered < 1.5 * size else 0.0  # seen once: nothing happens to it
            score -= 100.0 if other or (covered / size > 50 and size < 500) else 0.0
            scores[name] = score
        if not scores:
            raise LogError(gettext_noop("No event of the log touches an object: there are no orders in it."))
        return max(scores, key=lambda name: scores[name])

    def own(self, orders: str) -> None:
        """Find out whose every object is, step by step away from the orders."""
        self.owners = {one: frozenset((one,)) for one, kind in self.types.items() if kind == orders}
        for _step in range(DEEPEST):
            found: dict[str, set[str]] = {}
            for together in self._together():
                theirs = {order for one in together for order in self.owners.get(one, ())}
                if not theirs or len(theirs) > MOST_ORDERS_OF_EVENT:
                    continue
                for one in together:
                    if one not in self.owners and self.types.get(one, "") not in self.shared:
                        found.setdefault(one, set()).update(theirs)
            if not found:
                return
            self.owners.update({one: frozenset(theirs) for one, theirs in found.items()})

    def _together(self) -> Iterator[list[str]]:
        last, together = None, list[str]()
        for event, one in self.store.execute("SELECT event, object FROM touch ORDER BY event"):
            if event != last and together:
                yield together
                together = []
            last = event
            together.append(one)
        if together:
            yield together

    def column(self, kind: str) -> str:
        """Return the column of a type: under its own name when it is the order or serves many."""
        return kind if kind == self.orders or kind in self.shared else f"object:{kind}"

    def cells(self, event: EventRow, orders: str) -> Iterator[dict[str, object]]:
        """Yield a row for each order of an event; one without an order when it has none."""
        base: dict[str, object] = {**event.attributes, EVENT_ID: event.id, ACTIVITY: event.type, TIME: event.time}
        direct: list[str] = []
        for one in event.objects:
            kind = self.types.get(one, "")
            if kind == orders:
                direct.append(one)
            elif kind:
                column = self.column(kind)
                base[column] = f"{base[column]}, {one}" if column in base and kind not in self.shared else one
        if not direct:
            direct = sorted({order for one in event.objects for order in self.owners.get(one, ())})
        if not direct or len(direct) > MOST_ORDERS_OF_EVENT:
            yield base
            return
        own = self.column(orders)
        for order in dict.fromkeys(direct):
            more = {f"{orders}.{name}": value for name, value in self.attributes.get(order, {}).items()}
            yield {**base, **more, own: order}
