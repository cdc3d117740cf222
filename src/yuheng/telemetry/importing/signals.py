"""Tag classes, data sources, tags, devices and the states of equipment classes, in plant files and CSV."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast

from django.utils.translation import gettext as _

from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.equipment.importing import (
    Action,
    Field,
    Misplaced,
    PlannedRow,
    RawRow,
    Section,
    Unreadable,
    Values,
    items,
)
from yuheng.equipment.importing import fields as read
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.importing.shared import CLASSES, EDIT, WORK_UNITS, sentences, whole
from yuheng.telemetry.models import DataSource, Device, StateRuleSet, Tag, TagClass
from yuheng.telemetry.services import devices, sources, state_rules, tags
from yuheng.telemetry.services.state_rules import RuleSpec
from yuheng.telemetry.services.tags import TagSpec
from yuheng.telemetry.source_settings import masked, with_kept_passwords
from yuheng.telemetry.tag_fields import DATA_TYPE, FORMULA, STANDARD, SYMBOL, TRAITS

STATE_WORDS = tuple(state.name.lower() for state in UnitState)
_ANY_WORK_UNIT = 1
"""Stands for the work unit while a row is checked by itself; which one it is was checked by `refers_to`."""

days = read.whole_number(least=0, most=36_500)


@dataclass(frozen=True, slots=True, eq=False)
class Secret:
    """A password on its way in. It is never shown; two are equal when their hashes are."""

    text: str = ""
    sha256: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.digest(), other.digest())

    def __hash__(self) -> int:
        return hash(self.digest())

    def __repr__(self) -> str:
        return "••••••"

    def digest(self) -> str:
        """SHA-256 of the text, or the stored one."""
        return self.sha256 or hashlib.sha256(self.text.encode()).hexdigest()


def password(value: Any) -> Secret | None:
    """Read a password; nothing: one is generated for a new device, an old one keeps its own."""
    if value in ("", None):
        return None
    if not isinstance(value, str):
        raise Unreadable(_("must be text"))
    return Secret(value)


class TagClassSection(Section):
    """How long tags are kept."""

    name = "tag_classes"
    permission = EDIT
    fields = (
        Field("code", read.code, is_key=True),
        Field("raw_days", days, default=730),
        Field("minute_days", days, default=3650),
        Field("hour_days", days, default=0),
        Field("is_time_weighted", read.boolean, default=False),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """Tag classes of the site by code."""
        names = [field.name for field in self.fields]
        return {row["code"]: dict(row) for row in TagClass.objects.filter(site_id=site_id).values(*names)}

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the class is refused."""
        return tags.what_is_wrong_with_class_code(values["code"])

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Define them."""
        for _row, values in whole(self, site_id, rows):
            tags.define_tag_class(actor=actor, site_id=site_id, at=at, **values)


class SettingsOfSource(dict[str, Any]):
    """Settings that never show a password, and equal others that keep theirs (`source_settings.MASK`)."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return False
        return with_kept_passwords(self, other) == dict(other) or with_kept_passwords(other, self) == dict(self)

    def __ne__(self, other: object) -> bool:
        return not self == other  # dict has its own

    __hash__ = None

    def __repr__(self) -> str:
        return repr(masked(self))

    __str__ = __repr__


def _settings(value: Any) -> SettingsOfSource:
    return SettingsOfSource(read.mapping(value))


class SourceSection(Section):
    """Ways in."""

    name = "sources"
    permission = EDIT
    fields = (
        Field("code", read.filled_text(60), is_key=True),
        Field("connector", read.filled_text(60)),
        Field("topics", read.texts(400), default=[]),
        Field("settings", _settings, default={}),
        Field("is_enabled", read.boolean, default=True),
        Field("makes_tags_by_itself", read.boolean, default=False),
        Field("own_tags_limit", read.whole_number(least=1, most=1_000_000), default=5000),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """Sources of the site by code."""
        names = [field.name for field in self.fields]
        rows = DataSource.objects.filter(site_id=site_id).values(*names)
        return {row["code"]: {**row, "settings": SettingsOfSource(row["settings"])} for row in rows}

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Write them without their passwords."""
        super().put_into(document, [{**row, "settings": masked(row["settings"])} for row in rows])

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """Turn a row into a line without passwords."""
        return super().to_csv({**values, "settings": masked(values["settings"])})

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the source is refused."""
        wanted = {name: values[name] for name in ("code", "connector", "topics", "settings")}
        return sentences(lambda: sources.check_source(**wanted))

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Create and configure them. The connector of a source never changes: its tags speak that protocol."""
        ids = dict(DataSource.objects.filter(site_id=site_id).values_list("code", "pk"))
        for row, values in whole(self, site_id, rows):
            if row.action is Action.ADD:
                sources.create_source(actor=actor, site_id=site_id, at=at, **values)
                continue
            if "connector" in row.changes:
                raise InvalidInput(
                    _("The connector of the data source %(code)s cannot change; make a new source.") % values
                )
            given = {name: value for name, value in values.items() if name not in ("code", "connector", "is_enabled")}
            sources.configure_source(actor=actor, source_id=ids[row.key], at=at, **given)
            sources.switch_source(actor=actor, source_id=ids[row.key], is_enabled=values["is_enabled"], at=at)


class TagSection(Section):
    """Signals."""

    name = "tags"
    permission = EDIT
    fields: ClassVar[tuple[Field, ...]] = (
        Field("source", read.filled_text(60), is_key=True, refers_to="sources"),
        Field("address", read.filled_text(400), is_key=True),
        DATA_TYPE,
        Field("work_unit", read.optional_code, default="", refers_to=WORK_UNITS),
        SYMBOL,
        *TRAITS,
        FORMULA,
    )
    _columns = (
        "source__code",
        "address",
        "data_type",
        "work_unit__code",
        "symbol",
        "role",
        "name_zh",
        "name_en",
        "unit",
        "scale",
        "offset",
        "deadband",
        "tag_class__code",
        "stale_after_s",
        "formula",
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """Tags of the site by source and address. One query."""
        names = [field.name for field in self.fields]
        in_use = Tag.objects.filter(site_id=site_id, retired_at__isnull=True)
        rows = in_use.order_by("source__code", "address").values_list(*self._columns)
        found: dict[str, Values] = {}
        for row in rows:
            values = dict(zip(names, row, strict=True))
            values["work_unit"] = values["work_unit"] or ""
            found[self.key_of(values)] = values
        return found

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the tag is refused."""
        if values["tag_class"] != STANDARD and values["tag_class"] not in known.get("tag_classes", frozenset()):
            return _("The site has no tag class called %(code)s.") % {"code": values["tag_class"]}
        unit_id = _ANY_WORK_UNIT if values["work_unit"] else None
        return tags.check_tag(_spec(values, source_id=0, work_unit_id=unit_id)) or ""

    def check_together(self, rows: Sequence[PlannedRow], existing: Mapping[str, Values]) -> dict[str, str]:
        """Refuse the symbol of a work unit that another tag has. What is refused keeps the symbol it has."""
        refused: dict[str, str] = {}
        while True:
            written = [row for row in rows if row.key not in refused]
            found = _second_owners(written, existing)
            if not found:
                return refused
            refused |= found

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write all of them at once."""
        source_ids = dict(DataSource.objects.filter(site_id=site_id).values_list("code", "pk"))
        unit_ids = equipment.work_unit_ids(site_id=site_id)
        specs = [
            _spec(values, source_id=source_ids[values["source"]], work_unit_id=unit_ids.get(values["work_unit"]))
            for _row, values in whole(self, site_id, rows)
        ]
        tags.write_tags(actor=actor, site_id=site_id, tags=specs, at=at)


def _second_owners(rows: Sequence[PlannedRow], existing: Mapping[str, Values]) -> dict[str, str]:
    """Return key -> why, of rows whose symbol stands for another tag of the work unit already."""
    complete = {row.key: {**existing.get(row.key, {}), **row.values} for row in rows}
    owners = {
        (values["work_unit"], values["symbol"]): (key, values["address"])
        for key, values in existing.items()
        if values["symbol"] and key not in complete
    }
    found: dict[str, str] = {}
    for key, values in complete.items():
        if not values["symbol"]:
            continue
        owner, address = owners.setdefault((values["work_unit"], values["symbol"]), (key, values["address"]))
        if owner != key:
            found[key] = _("The symbol %(symbol)s stands for %(one)s and for %(other)s in one work unit.") % {
                "symbol": values["symbol"],
                "one": address,
                "other": values["address"],
            }
    return found


def _spec(values: Values, *, source_id: int, work_unit_id: int | None) -> TagSpec:
    given = {name: value for name, value in values.items() if name not in ("source", "work_unit")}
    return TagSpec(source_id=source_id, work_unit_id=work_unit_id, **given)


class DeviceSection(Section):
    """Credentials of what sends. A new device without a password gets one that nobody knows: rotate it to see one."""

    name = "devices"
    permission = EDIT
    fields = (
        Field("username", read.filled_text(60), is_key=True),
        Field("publish_topics", read.texts(400), default=[]),
        Field("subscribe_topics", read.texts(400), default=[]),
        Field("sources", read.texts(60), default=[], refers_to="sources"),
        Field("password", password, default=None),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """Active devices of the site by name."""
        rows = Device.objects.filter(site_id=site_id, is_active=True).prefetch_related("sources").order_by("username")
        return {
            row.username: {
                "username": row.username,
                "publish_topics": row.publish_topics,
                "subscribe_topics": row.subscribe_topics,
                "sources": sorted(source.code for source in row.sources.all()),
                "password": Secret(sha256=row.password_sha256),
            }
            for row in rows
        }

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Write them without their passwords."""
        super().put_into(document, [{**row, "password": None} for row in rows])

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """Turn a row into a line without its password."""
        return super().to_csv({**values, "password": None})

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the device is refused."""
        given = values.get("password")
        text = given.text if isinstance(given, Secret) and given.text else None
        return sentences(
            lambda: devices.check_device(
                username=values["username"],
                publish_topics=values["publish_topics"],
                subscribe_topics=values["subscribe_topics"],
                password=text,
            )
        )

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Issue and configure them; a password that differs from the one in force replaces it."""
        source_ids = dict(DataSource.objects.filter(site_id=site_id).values_list("code", "pk"))
        device_ids = dict(Device.objects.filter(site_id=site_id).values_list("username", "pk"))
        for row, values in whole(self, site_id, rows):
            given = values["password"].text if isinstance(values["password"], Secret) else ""
            topics = {name: values[name] for name in ("publish_topics", "subscribe_topics")}
            feeds = [source_ids[code] for code in values["sources"]]
            if row.key not in device_ids:
                devices.issue_device(
                    actor=actor,
                    site_id=site_id,
                    username=values["username"],
                    source_ids=feeds,
                    password=given or None,
                    at=at,
                    **topics,
                )
                continue
            pk = device_ids[row.key]
            devices.configure_device(actor=actor, device_id=pk, source_ids=feeds, at=at, **topics)
            if row.action is Action.ADD or (given and "password" in row.changes):  # ADD: it had been revoked
                devices.rotate_device_password(actor=actor, device_id=pk, password=given or None, at=at)


def _rules(value: Any) -> list[dict[str, str]]:
    """Read the state rules of a class: a list of objects with ``state``, ``when`` and perhaps ``cause``."""
    if not isinstance(value, list):
        raise Unreadable(_("must be a list"))
    found: list[dict[str, str]] = []
    for item in value:
        if not isinstance(item, dict) or not {"state", "when"} <= set(item) <= {"state", "when", "cause"}:
            raise Unreadable(_("must be a list of rules with state, when and perhaps cause"))
        found.append(
            {
                "state": read.one_of(STATE_WORDS)(item["state"]),
                "when": read.filled_text(500)(_expression(item["when"])),
                "cause": read.text(200)(_expression(item.get("cause") or "")),
            }
        )
    return found


def _expression(value: Any) -> Any:
    """YAML reads ``when: true`` and ``cause: 12`` as values; a rule is text."""
    return str(value).lower() if isinstance(value, bool) else value


class ClassStateSection(Section):
    """The states of an equipment class. In a plant file they stand with the class itself, under ``classes``."""

    name = "class_states"
    permission = EDIT
    fields = (
        Field("class", read.code, is_key=True, refers_to=CLASSES),
        Field("no_data_after_s", read.number(above=0.0, most=state_rules.LONGEST_SILENCE_S), default=60.0),
        Field("states", _rules, default=[]),
    )

    @property
    def document_key(self) -> str:
        """They stand with the classes."""
        return CLASSES

    @property
    def columns(self) -> tuple[str, ...]:
        """One line a rule."""
        return ("class", "no_data_after_s", "state", "when", "cause")

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Take from each class what is ours; a class that says nothing about states keeps what it has."""
        for where, item in items(document, CLASSES):
            ours = {name: item[name] for name in ("no_data_after_s", "states") if name in item}
            if ours:
                yield RawRow(where, {"class": item.get("code", ""), **ours})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Add them to the classes that the section before has written."""
        classes = {item["code"]: item for item in document.get(CLASSES, [])}
        for row in rows:
            item = classes.get(row["class"])
            if item is None:
                raise Misplaced(f"{CLASSES}: {row['class']}")
            item["no_data_after_s"] = row["no_data_after_s"]
            item["states"] = [{name: text for name, text in rule.items() if text} for rule in row["states"]]

    def from_csv(self, rows: Sequence[RawRow]) -> Sequence[RawRow]:
        """Gather the lines of each class, in their order."""
        gathered: dict[str, RawRow] = {}
        for row in rows:
            code = str(row.values.get("class", ""))
            rule = {name: row.values[name] for name in ("state", "when", "cause") if name in row.values}
            others = {name: value for name, value in row.values.items() if name not in ("state", "when", "cause")}
            first = gathered.setdefault(code, RawRow(row.where, {**others, "states": []}))
            if rule:
                cast("list[dict[str, Any]]", first.values["states"]).append(rule)
        return list(gathered.values())

    def to_csv(self, values: Values) -> Iterator[dict[str, str]]:
        """One line a rule; a class without rules has one line, too."""
        head = {"class": values["class"], "no_data_after_s": read.as_cell(values["no_data_after_s"])}
        for rule in values["states"] or [{}]:
            yield {**head, **rule}

    def existing(self, site_id: int) -> dict[str, Values]:
        """Rules of the site's classes by class. Two queries."""
        sets = StateRuleSet.objects.filter(equipment_class__site_id=site_id).order_by("equipment_class__code")
        return {
            row.equipment_class.code: {
                "class": row.equipment_class.code,
                "no_data_after_s": row.no_data_after_s,
                "states": [
                    {"state": UnitState(rule.state).name.lower(), "when": rule.when, "cause": rule.cause}
                    for rule in row.rules.all()
                ],
            }
            for row in sets.select_related("equipment_class").prefetch_related("rules")
        }

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return which rule is not in the language."""
        return sentences(lambda: state_rules.check_rules(_specs(values["states"])))

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Set the rules of each class."""
        ids = equipment.equipment_class_ids(site_id=site_id)
        for row, values in whole(self, site_id, rows):
            state_rules.set_state_rules(
                actor=actor,
                equipment_class_id=ids[row.key],
                rules=_specs(values["states"]),
                no_data_after_s=values["no_data_after_s"],
                at=at,
            )


def _specs(rules: Sequence[Mapping[str, str]]) -> list[RuleSpec]:
    return [RuleSpec(UnitState[rule["state"].upper()], rule["when"], rule["cause"]) for rule in rules]
