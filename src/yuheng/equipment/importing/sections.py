"""What equipment itself imports: calendars, classes, causes, areas, work centers, work units, assets, targets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field, Unreadable
from yuheng.equipment.importing.section import Action, PlannedRow, RawRow, Section, Values, items
from yuheng.equipment.models import (
    Area,
    AssetAssignment,
    CauseName,
    EquipmentClass,
    MapPlacement,
    PhysicalAsset,
    Shift,
    ShiftBreak,
    ShiftCalendar,
    SiteTarget,
    WorkCenter,
    WorkUnit,
)
from yuheng.kernel import calendars, units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.models import SiteScopedModel

_NAMES = (Field("name_zh", read.filled_text()), Field("name_en", read.filled_text()))
_CODE = Field("code", read.code, is_key=True)
_RETIRED = Field("is_retired", read.boolean, default=False)
_PLACE_NAMES = ("map_x", "map_y", "map_w", "map_h")
_PLACE = tuple(
    Field(name, read.optional(read.number(least=-100_000, most=100_000)), default=None) for name in _PLACE_NAMES
)
_WEEK = [1, 2, 3, 4, 5, 6, 7]


def _split(rows: Sequence[PlannedRow]) -> tuple[list[PlannedRow], list[PlannedRow]]:
    """New rows and changed rows."""
    added = [row for row in rows if row.action is Action.ADD]
    return added, [row for row in rows if row.action is Action.CHANGE]


def _by_code(model: type[SiteScopedModel], site_id: int) -> dict[str, Any]:
    return {row.code: row for row in model.objects.filter(site_id=site_id)}


def _find(items_: Sequence[dict[str, Any]], code: str) -> dict[str, Any] | None:
    return next((item for item in items_ if item.get("code") == code), None)


# ---- tree levels: areas, work centers, work units -----------------------------------------------------------------


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
        added, changed = _split(rows)
        known = _by_code(self.model, site_id)
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
        own["map"] = {name[4:]: _short(values[name]) for name in _PLACE_NAMES}
    return own


def _short(value: float) -> float | int:
    return int(value) if value == int(value) else value


def _place_of(row: Any) -> Values:
    placement = getattr(row, "placement", None)
    if placement is None:
        return dict.fromkeys(_PLACE_NAMES)
    return dict(zip(_PLACE_NAMES, (placement.x, placement.y, placement.w, placement.h), strict=True))


def _check_place(values: Values) -> str:
    given = [values.get(name) for name in _PLACE_NAMES]
    if all(value is None for value in given):
        return ""
    if any(value is None for value in given):
        return _("A place on the map has all of x, y, w and h, or none.")
    is_flat = values["map_w"] <= 0 or values["map_h"] <= 0
    return _("A place on the map is wider and higher than 0.") if is_flat else ""


def _write_places(owner: str, ids: Mapping[str, int], rows: Sequence[PlannedRow]) -> None:
    """Place areas or work units (``owner``: the name of the key); a place without numbers is taken away."""
    for row in rows:
        if not any(name in row.values for name in _PLACE_NAMES):
            continue
        key: Values = {f"{owner}_id": ids[row.values["code"]]}
        if row.values.get("map_x") is None:
            MapPlacement.objects.filter(**key).delete()
        else:
            place: Values = {name[4:]: row.values[name] for name in _PLACE_NAMES}
            MapPlacement.objects.update_or_create(**key, defaults=place)


class AreaSection(_TreeSection):
    """Areas of the site."""

    name = "areas"
    model = Area
    fields = (_CODE, *_NAMES, *_PLACE, _RETIRED)
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
        return {row.code: {**_named(row), **_place_of(row), "is_retired": row.retired_at is not None} for row in rows}

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
        _CODE,
        *_NAMES,
        Field("area", read.code, refers_to="areas"),
        Field("calendar", read.optional_code, default="", refers_to="calendars"),
        _RETIRED,
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
            area = _find(document["areas"], row["area"])
            if area is not None:
                own = self.without_defaults(row)
                own.pop("area")
                area.setdefault("work_centers", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = WorkCenter.objects.filter(site_id=site_id).select_related("area", "calendar")
        return {
            row.code: {
                **_named(row),
                "area": row.area.code,
                "calendar": row.calendar.code if row.calendar else "",
                "is_retired": row.retired_at is not None,
            }
            for row in rows
        }

    def attributes(self, site_id: int) -> Callable[[Values], Values]:
        """Area and calendar by their codes."""
        areas, shifts = _by_code(Area, site_id), _by_code(ShiftCalendar, site_id)

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
        _CODE,
        *_NAMES,
        Field("work_center", read.code, refers_to="work_centers"),
        Field("class", read.optional_code, default="", refers_to="classes"),
        Field("calendar", read.optional_code, default="", refers_to="calendars"),
        *_PLACE,
        _RETIRED,
    )
    passed_over = frozenset({"asset"})

    @property
    def document_key(self) -> str:
        """Nested in areas."""
        return "areas"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``areas[].work_centers[].work_units[]``."""
        for where, center, unit in _units_in(document):
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
                **_named(row),
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
        centers, shifts = _by_code(WorkCenter, site_id), _by_code(ShiftCalendar, site_id)
        kinds = _by_code(EquipmentClass, site_id)

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


def _units_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    for area_place, area in items(document, "areas"):
        for center_place, center in items(area, "work_centers", area_place):
            for where, unit in items(center, "work_units", center_place):
                yield where, center, unit


def _named(row: Any) -> Values:
    return {"code": row.code, "name_zh": row.name_zh, "name_en": row.name_en}


# ---- physical assets ----------------------------------------------------------------------------------------------


class AssetSection(Section):
    """Physical assets; ``work_unit`` is the one an asset plays now. Moving one closes the old assignment."""

    name = "assets"
    fields = (
        Field("serial", read.filled_text(80), is_key=True),
        Field("maker", read.text(), default=""),
        Field("model", read.text(), default=""),
        Field("built", read.optional(read.whole_number(least=1800, most=2200)), default=None),
        Field("work_unit", read.optional_code, default="", refers_to="work_units"),
    )

    @property
    def document_key(self) -> str:
        """Nested in areas; those that play no unit stand at the top level."""
        return "assets"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``work_units[].asset``, and a top-level list."""
        for where, _center, unit in _units_in(document):
            asset = unit.get("asset")
            if isinstance(asset, dict):
                yield RawRow(f"{where}.asset", {**asset, "work_unit": unit.get("code", "")})
            elif asset is not None:
                yield RawRow(f"{where}.asset", {"asset": asset})
        yield from super().rows_of(document)

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into the units they play."""
        found = {str(unit["code"]): unit for _where, _center, unit in _units_in(document)}
        for row in rows:
            own = self.without_defaults(row)
            unit = found.get(own.pop("work_unit", ""))
            if unit is not None:
                unit["asset"] = own  # type: ignore[index]
            else:
                document.setdefault("assets", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """Two queries."""
        playing = dict(
            AssetAssignment.objects.filter(asset__site_id=site_id, to_at__isnull=True).values_list(
                "asset_id", "work_unit__code"
            )
        )
        return {
            row.serial: {
                "serial": row.serial,
                "maker": row.maker,
                "model": row.model,
                "built": row.built,
                "work_unit": playing.get(row.pk, ""),
            }
            for row in PhysicalAsset.objects.filter(site_id=site_id)
        }

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write assets, then who plays what: all leave before any comes, so that two may swap."""
        added, changed = _split(rows)
        own = ("serial", "maker", "model", "built")
        PhysicalAsset.objects.bulk_create(
            [PhysicalAsset(site_id=site_id, **{name: row.values[name] for name in own}) for row in added]
        )
        known = {row.serial: row for row in PhysicalAsset.objects.filter(site_id=site_id)}
        for row in changed:
            for name in own:
                if name in row.values:
                    setattr(known[row.key], name, row.values[name])
        PhysicalAsset.objects.bulk_update([known[row.key] for row in changed], ["maker", "model", "built"])
        self._assign(site_id, rows, known, at)

    def _assign(
        self, site_id: int, rows: Sequence[PlannedRow], known: Mapping[str, PhysicalAsset], at: datetime
    ) -> None:
        ids = dict(WorkUnit.objects.filter(site_id=site_id).values_list("code", "pk"))
        moved = {
            known[row.key].pk: ids.get(row.values["work_unit"])
            for row in rows
            if (row.action is Action.ADD and row.values["work_unit"]) or "work_unit" in row.changes
        }
        arriving = [unit_id for unit_id in moved.values() if unit_id is not None]
        still = AssetAssignment.objects.filter(to_at__isnull=True)
        (still.filter(asset_id__in=moved) | still.filter(work_unit_id__in=arriving)).update(to_at=at)
        AssetAssignment.objects.bulk_create(
            [
                AssetAssignment(asset_id=asset_id, work_unit_id=unit_id, from_at=at)
                for asset_id, unit_id in moved.items()
                if unit_id is not None
            ]
        )


# ---- classes and causes -------------------------------------------------------------------------------------------


class EquipmentClassSection(Section):
    """Equipment classes; their state rules are telemetry's, their causes the next section's."""

    name = "classes"
    fields = (_CODE, *_NAMES)
    passed_over = frozenset({"causes", "states", "no_data_after_s"})

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        return {row.code: _named(row) for row in EquipmentClass.objects.filter(site_id=site_id)}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        added, changed = _split(rows)
        EquipmentClass.objects.bulk_create([EquipmentClass(site_id=site_id, **row.values) for row in added])
        for row in changed:
            EquipmentClass.objects.filter(site_id=site_id, code=row.key).update(**row.values)


class CauseSection(Section):
    """What the cause codes of a class mean."""

    name = "causes"
    fields = (
        Field("class", read.code, is_key=True, refers_to="classes"),
        Field("code", read.filled_text(40), is_key=True),
        *_NAMES,
    )

    @property
    def document_key(self) -> str:
        """Nested in classes."""
        return "classes"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``classes[].causes[]``."""
        for place, kind in items(document, "classes"):
            for where, cause in items(kind, "causes", place):
                yield RawRow(where, {**cause, "class": kind.get("code", "")})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into their classes."""
        for row in rows:
            kind = _find(document["classes"], row["class"])
            if kind is not None:
                own = {name: value for name, value in row.items() if name != "class"}
                kind.setdefault("causes", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = CauseName.objects.filter(equipment_class__site_id=site_id).select_related("equipment_class")
        values = [{"class": row.equipment_class.code, **_named(row)} for row in rows.order_by("equipment_class", "id")]
        return {self.key_of(one): one for one in values}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        kinds = _by_code(EquipmentClass, site_id)
        for row in rows:
            names: Values = {name: row.values[name] for name in ("name_zh", "name_en") if name in row.values}
            CauseName.objects.update_or_create(
                equipment_class=kinds[row.values["class"]], code=row.values["code"], defaults=names
            )


# ---- calendars ----------------------------------------------------------------------------------------------------


def _breaks(value: Any) -> list[dict[str, str]]:
    """Read breaks: ``[{start, end}]``, or ``12:00-12:30 17:30-17:50`` in CSV."""
    if isinstance(value, str):
        parts = [part.split("-") for part in value.split()]
        if any(len(part) != 2 for part in parts):
            raise Unreadable(_("must be breaks such as 12:00-12:30 17:30-17:50"))
        value = [{"start": start, "end": end} for start, end in parts]
    if not isinstance(value, list) or not all(isinstance(one, dict) and set(one) == {"start", "end"} for one in value):
        raise Unreadable(_("must be a list of breaks with start and end"))
    return [{"start": read.time_of_day(one["start"]), "end": read.time_of_day(one["end"])} for one in value]


def _weekdays(value: Any) -> list[int]:
    """Read ISO weekdays: ``[1, 2]``, or ``1-5 7`` in CSV."""
    if isinstance(value, str):
        found: list[int] = []
        for part in re.split(r"[\s;]+", value.strip()):
            first, _dash, last = part.partition("-")
            if not first.isdecimal() or not (last or first).isdecimal():
                raise Unreadable(_("must be weekdays such as 1-5 (1 is Monday)"))
            found.extend(range(int(first), int(last or first) + 1))
        value = found
    if not isinstance(value, list) or not value or not all(isinstance(day, int) and 1 <= day <= 7 for day in value):
        raise Unreadable(_("must be weekdays such as 1-5 (1 is Monday)"))
    return sorted(set(value))


_SHIFT_FIELDS: dict[str, Callable[[Any], Any]] = {
    "code": read.code,
    "name_zh": read.filled_text(),
    "name_en": read.filled_text(),
    "start": read.time_of_day,
    "end": read.time_of_day,
    "weekdays": _weekdays,
    "breaks": _breaks,
}


def _shifts(value: Any) -> list[Values]:
    """Read the shifts of a calendar, each complete, by start time."""
    if not isinstance(value, list):
        raise Unreadable(_("must be a list of shifts"))
    found = sorted((_shift(one) for one in value), key=lambda shift: (shift["start"], shift["code"]))
    codes = [shift["code"] for shift in found]
    if len(set(codes)) < len(codes):
        raise Unreadable(_("has a shift code twice"))
    if clash := calendars.overlapping_shifts(tuple(_pure_shift(shift) for shift in found)):
        raise Unreadable(_("has overlapping shifts: %(one)s and %(other)s") % {"one": clash[0], "other": clash[1]})
    return found


def _shift(value: Any) -> Values:
    if not isinstance(value, dict):
        raise Unreadable(_("must be a list of shifts"))
    if unknown := set(value) - set(_SHIFT_FIELDS):
        raise Unreadable(
            _("has unknown fields in a shift: %(names)s") % {"names": ", ".join(sorted(map(str, unknown)))}
        )
    whole = {"weekdays": _WEEK, "breaks": [], **value}
    if missing := set(_SHIFT_FIELDS) - set(whole):
        raise Unreadable(_("has a shift without %(names)s") % {"names": ", ".join(sorted(missing))})
    return {name: reader(whole[name]) for name, reader in _SHIFT_FIELDS.items()}


def _pure_shift(shift: Values) -> calendars.Shift:
    start, end = time.fromisoformat(shift["start"]), time.fromisoformat(shift["end"])
    return calendars.Shift(shift["code"], start, end, frozenset(shift["weekdays"]))


class CalendarSection(Section):
    """Shift calendars. In CSV one line a shift; the lines of a calendar share its code."""

    name = "calendars"
    fields = (
        _CODE,
        *_NAMES,
        Field("is_site_default", read.boolean, default=False),
        Field("shifts", _shifts),
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """The calendar's columns, then the shift's with ``shift_`` before them."""
        return ("code", "name_zh", "name_en", "is_site_default", *(f"shift_{name}" for name in _SHIFT_FIELDS))

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Gather the lines of each calendar; the first says its names."""
        found: dict[str, RawRow] = {}
        for row in rows:
            code = str(row.values.get("code", "")).strip()
            own = {name: value for name, value in row.values.items() if not name.startswith("shift_")}
            one = found.setdefault(code, RawRow(row.where, {**own, "shifts": []}))
            shift = {name[6:]: value for name, value in row.values.items() if name.startswith("shift_")}
            if shift:
                one.values["shifts"].append(shift)
        return list(found.values())

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """One line a shift."""
        own = {name: read.as_cell(value) for name, value in values.items() if name != "shifts"}
        for shift in values["shifts"] or [{}]:
            cells = {f"shift_{name}": read.as_cell(value) for name, value in shift.items()}
            if shift:
                cells["shift_weekdays"] = " ".join(str(day) for day in shift["weekdays"])
                cells["shift_breaks"] = " ".join(f"{one['start']}-{one['end']}" for one in shift["breaks"])
            yield {**own, **cells}

    def existing(self, site_id: int) -> dict[str, Values]:
        """Three queries."""
        rows = ShiftCalendar.objects.filter(site_id=site_id).prefetch_related("shifts__breaks")
        return {
            row.code: {
                **_named(row),
                "is_site_default": row.is_site_default,
                "shifts": [_shift_values(shift) for shift in row.shifts.all()],
            }
            for row in rows
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """A calendar has at least one shift."""
        return "" if values["shifts"] else _("A calendar has at least one shift.")

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write; a calendar's shifts are replaced whole. The last one marked becomes the site's."""
        if any(row.values.get("is_site_default") for row in rows):
            ShiftCalendar.objects.filter(site_id=site_id).update(is_site_default=False)
        chosen = [row.key for row in rows if row.values.get("is_site_default")][-1:]
        for row in rows:
            own: Values = {
                name: row.values[name] for name in ("name_zh", "name_en", "is_site_default") if name in row.values
            }
            if own.get("is_site_default"):
                own["is_site_default"] = row.key in chosen
            calendar, _made = ShiftCalendar.objects.update_or_create(site_id=site_id, code=row.key, defaults=own)
            if row.action is Action.ADD or "shifts" in row.changes:
                _replace_shifts(calendar, row.values["shifts"])


def _replace_shifts(calendar: ShiftCalendar, shifts: Sequence[Values]) -> None:
    calendar.shifts.all().delete()
    for shift in shifts:
        own = {name: value for name, value in shift.items() if name != "breaks"}
        row = Shift.objects.create(calendar=calendar, **own)
        ShiftBreak.objects.bulk_create([ShiftBreak(shift=row, **one) for one in shift["breaks"]])


def _shift_values(shift: Shift) -> Values:
    return {
        **_named(shift),
        "start": f"{shift.start:%H:%M}",
        "end": f"{shift.end:%H:%M}",
        "weekdays": shift.weekdays,
        "breaks": [{"start": f"{one.start:%H:%M}", "end": f"{one.end:%H:%M}"} for one in shift.breaks.all()],
    }


# ---- targets ------------------------------------------------------------------------------------------------------


class TargetSection(Section):
    """What the site aims at."""

    name = "targets"
    fields = (
        Field("indicator", read.code, is_key=True),
        Field("value", read.number()),
        Field("unit", read.filled_text(40), default="1"),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = SiteTarget.objects.filter(site_id=site_id)
        return {row.indicator: {"indicator": row.indicator, "value": row.value, "unit": row.unit} for row in rows}

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """The unit is a UCUM code."""
        try:
            units.parse(values["unit"])
        except InvalidInput as error:
            return str(error)
        return ""

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        for row in rows:
            own: Values = {name: row.values[name] for name in ("value", "unit") if name in row.values}
            SiteTarget.objects.update_or_create(site_id=site_id, indicator=row.key, defaults=own)


SECTIONS: tuple[Section, ...] = (
    CalendarSection(),
    EquipmentClassSection(),
    CauseSection(),
    AreaSection(),
    WorkCenterSection(),
    WorkUnitSection(),
    AssetSection(),
    TargetSection(),
)
"""In the order in which they are applied: what is referred to comes first."""
