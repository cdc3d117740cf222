"""The equipment tree: areas, work centers, work units, with their places on the map."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field
from yuheng.equipment.importing.section import PlannedRow, RawRow, Section, Values, items
from yuheng.equipment.importing.sections.shared import CODE, NAMES, by_code, find, named, split, units_in
from yuheng.equipment.models import (
    Area,
    EquipmentClass,
    MapPlacement,
    ShiftCalendar,
    WorkCenter,
    WorkUnit,
)
from yuheng.kernel.actor import Actor

RETIRED = Field("is_retired", read.boolean, default=False)
PLACE_NAMES = ("map_x", "map_y", "map_w", "map_h")
PLACE = tuple(
    Field(name, read.optional(read.number(least=-100_000, most=100_000)), default=None) for name in PLACE_NAMES
)


class _TreeSection(Section):
    """Equipment with a code, names, perhaps a parent, a calendar, a class and a place on the map."""

    model: type[Any]  # Area, WorkCenter or WorkUnit
    kept_names: tuple[str, ...] = ("code", "name_zh", "name_en")

    def attributes(self, site_id: int) -> Callable[[Values], Values]:
        """Return what turns a row's values into the model's attributes."""
        raise NotImplementedError

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write rows in bulk; new ones come after those that are there, in the file's order."""
        turn = self.attributes(site_id)
        added, changed = split(rows)
        known = by_code(self.model, site_id)
        first = max((row.position for row in known.values()), default=-1) + 1
        self.model.objects.bulk_create(
            [
                self.model(site_id=site_id, position=first + index, **self._own(turn, row.values, at))
                for index, row in enumerate(added)
            ]
        )
        touched: set[str] = set()
        for row in changed:
            one = known[row.values["code"]]
            for name, value in self._own(turn, row.values, at).items():
                if name == "retired_at" and value is not None and one.retired_at is not None:
                    continue  # it keeps the day on which it was retired
                setattr(one, name, value)
                touched.add(name)
        if touched:
            self.model.objects.bulk_update([known[row.values["code"]] for row in changed], sorted(touched))
        self.after(site_id, rows)

    def after(self, site_id: int, rows: Sequence[PlannedRow]) -> None:
        """Write what hangs on the rows."""

    def _own(self, turn: Callable[[Values], Values], values: Values, at: datetime) -> Values:
        own = {name: values[name] for name in self.kept_names if name in values}
        if "is_retired" in values:
            own["retired_at"] = at if values["is_retired"] else None
        return {**own, **turn(values)}


def _with_place(item: Mapping[str, Any], without: frozenset[str]) -> Values:
    """Flatten ``map: {x, y, w, h}`` into ``map_x`` …"""
    values = {name: value for name, value in item.items() if name not in without and name != "map"}
    if "map" in item:
        place = item["map"]
        if isinstance(place, dict):
            values.update({f"map_{name}": value for name, value in place.items()})
        else:
            values["map"] = place  # unknown, so refused with a reason
    return values


def _nest_place(values: Values) -> Values:
    own = {name: value for name, value in values.items() if not name.startswith("map_")}
    if values.get("map_x") is not None:
        own["map"] = {name[4:]: _short(values[name]) for name in PLACE_NAMES}
    return own


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _place_of(row: Any) -> Values:
    placement = getattr(row, "placement", None)
    if placement is None:
        return dict.fromkeys(PLACE_NAMES)
    return dict(zip(PLACE_NAMES, (placement.x, placement.y, placement.w, placement.h), strict=True))


def _check_place(values: Values) -> str:
    given = [values.get(name) for name in PLACE_NAMES]
    if all(value is None for value in given):
        return ""
    if any(value is None for value in given):
        return _("A place on the map has all of x, y, w and h, or none.")
    is_flat = values["map_w"] <= 0 or values["map_h"] <= 0
    return _("A place on the map is wider and higher than 0.") if is_flat else ""


def _write_places(owner: str, ids: Mapping[str, int], rows: Sequence[PlannedRow]) -> None:
    """Place areas or work units (``owner``: the name of the key); a place without numbers is taken away."""
    for row in rows:
        if not any(name in row.values for name in PLACE_NAMES):
            continue
        key: Values = {f"{owner}_id": ids[row.values["code"]]}
        if row.values.get("map_x") is None:
            MapPlacement.objects.filter(**key).delete()
        else:
            place: Values = {name[4:]: row.values[name] for name in PLACE_NAMES}
            MapPlacement.objects.update_or_create(**key, defaults=place)


class AreaSection(_TreeSection):
    """Areas of the site."""

    name = "areas"
    model = Area
    fields = (CODE, *NAMES, *PLACE, RETIRED)
    passed_over = frozenset({"work_centers"})

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Top-level list."""
        for where, area in items(document, "areas"):
            yield RawRow(where, _with_place(area, self.passed_over))

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Start the tree."""
        if rows:
            document["areas"] = [_nest_place(self.without_defaults(row)) for row in rows]

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = Area.objects.filter(site_id=site_id).select_related("placement")
        return {row.code: {**named(row), **_place_of(row), "is_retired": row.retired_at is not None} for row in rows}

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """The place is whole."""
        return _check_place(values)

    def attributes(self, site_id: int) -> Callable[[Values], Values]:
        """Nothing beyond names."""
        return lambda _values: {}

    def after(self, site_id: int, rows: Sequence[PlannedRow]) -> None:
        """Place them."""
        ids = dict(Area.objects.filter(site_id=site_id).values_list("code", "pk"))
        _write_places("area", ids, rows)


class WorkCenterSection(_TreeSection):
    """Work centers, nested in their areas."""

    name = "work_centers"
    model = WorkCenter
    fields = (
        CODE,
        *NAMES,
        Field("area", read.code, refers_to="areas"),
        Field("calendar", read.optional_code, default="", refers_to="calendars"),
        RETIRED,
    )
    passed_over = frozenset({"work_units"})

    @property
    def document_key(self) -> str:
        """Nested in areas."""
        return "areas"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``areas[].work_centers[]``."""
        for place, area in items(document, "areas"):
            for where, center in items(area, "work_centers", place):
                own = {name: value for name, value in center.items() if name not in self.passed_over}
                yield RawRow(where, {**own, "area": area.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into their areas."""
        for row in rows:
            area = find(document["areas"], row["area"])
            if area is not None:
                own = self.without_defaults(row)
                own.pop("area")
                area.setdefault("work_centers", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = WorkCenter.objects.filter(site_id=site_id).select_related("area", "calendar")
        return {
            row.code: {
                **named(row),
                "area": row.area.code,
                "calendar": row.calendar.code if row.calendar else "",
                "is_retired": row.retired_at is not None,
            }
            for row in rows
        }

    def attributes(self, site_id: int) -> Callable[[Values], Values]:
        """Area and calendar by their codes."""
        areas, shifts = by_code(Area, site_id), by_code(ShiftCalendar, site_id)

        def turn(values: Values) -> Values:
            own: Values = {}
            if "area" in values:
                own["area"] = areas[values["area"]]
            if "calendar" in values:
                own["calendar"] = shifts.get(values["calendar"])
            return own

        return turn


class WorkUnitSection(_TreeSection):
    """Work units, nested in their work centers."""

    name = "work_units"
    model = WorkUnit
    fields = (
        CODE,
        *NAMES,
        Field("work_center", read.code, refers_to="work_centers"),
        Field("class", read.optional_code, default="", refers_to="classes"),
        Field("calendar", read.optional_code, default="", refers_to="calendars"),
        *PLACE,
        RETIRED,
    )
    # of other sections: the asset is equipment's, the last two alarms', the others telemetry's
    passed_over = frozenset({"asset", "tag_source", "number", "variables", "overrides", "alarms", "alarm_overrides"})

    @property
    def document_key(self) -> str:
        """Nested in areas."""
        return "areas"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``areas[].work_centers[].work_units[]``."""
        for where, center, unit in units_in(document):
            yield RawRow(where, {**_with_place(unit, self.passed_over), "work_center": center.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into their work centers."""
        centers = {
            center["code"]: center for area in document.get("areas", ()) for center in area.get("work_centers", ())
        }
        for row in rows:
            own = _nest_place(self.without_defaults(row))
            own.pop("work_center")
            centers[row["work_center"]].setdefault("work_units", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = WorkUnit.objects.filter(site_id=site_id).select_related(
            "work_center", "equipment_class", "calendar", "placement"
        )
        return {
            row.code: {
                **named(row),
                "work_center": row.work_center.code,
                "class": row.equipment_class.code if row.equipment_class else "",
                "calendar": row.calendar.code if row.calendar else "",
                **_place_of(row),
                "is_retired": row.retired_at is not None,
            }
            for row in rows
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """The place is whole."""
        return _check_place(values)

    def attributes(self, site_id: int) -> Callable[[Values], Values]:
        """Work center, class and calendar by their codes."""
        centers, shifts = by_code(WorkCenter, site_id), by_code(ShiftCalendar, site_id)
        kinds = by_code(EquipmentClass, site_id)

        def turn(values: Values) -> Values:
            own: Values = {}
            if "work_center" in values:
                own["work_center"] = centers[values["work_center"]]
            if "class" in values:
                own["equipment_class"] = kinds.get(values["class"])
            if "calendar" in values:
                own["calendar"] = shifts.get(values["calendar"])
            return own

        return turn

    def after(self, site_id: int, rows: Sequence[PlannedRow]) -> None:
        """Place them."""
        ids = dict(WorkUnit.objects.filter(site_id=site_id).values_list("code", "pk"))
        _write_places("work_unit", ids, rows)
