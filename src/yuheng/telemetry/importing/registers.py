"""Register maps read into tags: a CSV of its own kind, so that each line keeps its sentence to the dry run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from yuheng.equipment.importing import Field, PlannedRow, RawRow, Values
from yuheng.equipment.importing import fields as read
from yuheng.gateway.connector import Maps
from yuheng.kernel.actor import Actor
from yuheng.kernel.units import meant
from yuheng.telemetry.importing.shared import whole
from yuheng.telemetry.importing.signals import TagSection
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.services import sources
from yuheng.telemetry.source_settings import maps_of

REGISTERS = "registers"
_OWN = ("every_s", "problem")


def _unit(value: Any) -> str:
    """Read a unit as people write it: °C is Cel."""
    return meant(read.filled_text(24)(value))


class RegisterSection(TagSection):
    """Tags of a source that reads registers, with the rhythm of each. Never part of a plant file: the tags are."""

    name = REGISTERS
    fields = (
        *(replace(field, read=_unit) if field.name == "unit" else field for field in TagSection.fields),
        Field("every_s", read.optional(read.number(above=0.0, most=86_400.0)), default=None),
        Field("problem", read.text(600), default=""),
    )

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """Find nothing in a plant file."""
        return iter(())

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Write nothing into a plant file."""

    def existing(self, site_id: int) -> dict[str, Values]:
        """Tags of the site with their rhythms. Two queries."""
        found = TagSection().existing(site_id)
        rhythms = {
            code: maps.rhythms(settings, addresses) for code, maps, settings, addresses in _mapped(site_id, found)
        }
        for values in found.values():
            values["every_s"] = rhythms.get(values["source"], {}).get(values["address"])
            values["problem"] = ""
        return found

    def check(self, values: Values, known: Mapping[str, frozenset[str]]) -> str:
        """Return why the line is refused: it could not be read, or its tag cannot be."""
        return str(values["problem"] or "") or super().check(_as_tag(values), known)

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write the tags, and the rhythms into the settings of their sources."""
        complete = [(row, values) for row, values in whole(self, site_id, rows)]
        plain = [replace(row, values=_as_tag(values)) for row, values in complete]
        TagSection().apply(actor=actor, site_id=site_id, rows=plain, at=at)
        wanted: dict[str, dict[str, float]] = {}
        for _row, values in complete:
            if values["every_s"] is not None:
                wanted.setdefault(values["source"], {})[values["address"]] = values["every_s"]
        for code, maps, settings, addresses in _mapped(site_id, TagSection().existing(site_id)):
            if code in wanted:
                all_of_them = {**maps.rhythms(settings, addresses), **wanted[code]}
                _set_rhythms(actor, site_id, code, maps.with_rhythms(settings, all_of_them), at)


def _mapped(site_id: int, tags: Mapping[str, Values]) -> Iterator[tuple[str, Maps, dict[str, Any], list[str]]]:
    """Yield code, maps, settings and the addresses of the tags, of each source that has register maps."""
    for code, connector, settings in DataSource.objects.filter(site_id=site_id).values_list(
        "code", "connector", "settings"
    ):
        maps = maps_of(connector)
        if maps is not None:
            yield code, maps, settings, [values["address"] for values in tags.values() if values["source"] == code]


def _set_rhythms(actor: Actor, site_id: int, code: str, settings: dict[str, Any], at: datetime) -> None:
    source = DataSource.objects.get(site_id=site_id, code=code)
    if source.settings != settings:
        sources.configure_source(
            actor=actor,
            source_id=source.pk,
            topics=source.topics,
            settings=settings,
            makes_tags_by_itself=source.makes_tags_by_itself,
            own_tags_limit=source.own_tags_limit,
            at=at,
        )


def _as_tag(values: Values) -> Values:
    return {name: value for name, value in values.items() if name not in _OWN}
