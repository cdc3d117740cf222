"""Equipment classes and what their cause codes mean."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from yuheng.equipment import pictures
from yuheng.equipment.importing import fields as read
from yuheng.equipment.importing.fields import Field, Unreadable
from yuheng.equipment.importing.section import PlannedRow, RawRow, Section, Values, items
from yuheng.equipment.importing.sections.shared import CODE, NAMES, by_code, find, named, split
from yuheng.equipment.models import (
    CauseName,
    ClassPicture,
    EquipmentClass,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput


class EquipmentClassSection(Section):
    """Equipment classes; their states and tags are telemetry's, causes and pictures the next sections'."""

    name = "classes"
    fields = (CODE, *NAMES)
    passed_over = frozenset({"causes", "states", "no_data_after_s", "picture", "tags", "variables", "alarms"})

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        return {row.code: named(row) for row in EquipmentClass.objects.filter(site_id=site_id)}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        added, changed = split(rows)
        EquipmentClass.objects.bulk_create([EquipmentClass(site_id=site_id, **row.values) for row in added])
        for row in changed:
            EquipmentClass.objects.filter(site_id=site_id, code=row.key).update(**row.values)


class CauseSection(Section):
    """What the cause codes of a class mean."""

    name = "causes"
    fields = (
        Field("class", read.code, is_key=True, refers_to="classes"),
        Field("code", read.filled_text(40), is_key=True),
        *NAMES,
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
            kind = find(document["classes"], row["class"])
            if kind is not None:
                own = {name: value for name, value in row.items() if name != "class"}
                kind.setdefault("causes", []).append(own)

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = CauseName.objects.filter(equipment_class__site_id=site_id).select_related("equipment_class")
        values = [{"class": row.equipment_class.code, **named(row)} for row in rows.order_by("equipment_class", "id")]
        return {self.key_of(one): one for one in values}

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write."""
        kinds = by_code(EquipmentClass, site_id)
        for row in rows:
            names: Values = {name: row.values[name] for name in ("name_zh", "name_en") if name in row.values}
            CauseName.objects.update_or_create(
                equipment_class=kinds[row.values["class"]], code=row.values["code"], defaults=names
            )


def _picture(value: Any) -> str:
    """Read a picture: SVG as text, PNG in base64; cleaned, and written in the same way."""
    if not isinstance(value, str):
        raise Unreadable(_("must be an SVG as text, or a PNG in base64"))
    if not value.strip():
        return ""
    try:
        content = value.encode() if value.lstrip().startswith("<") else base64.b64decode(value, validate=False)
        return as_text(pictures.clean(content.strip() if value.lstrip().startswith("<") else content))
    except (binascii.Error, ValueError) as error:
        raise Unreadable(_("must be an SVG as text, or a PNG in base64")) from error
    except InvalidInput as refusal:
        raise Unreadable(str(refusal).rstrip(".")) from refusal


def as_text(picture: pictures.Picture) -> str:
    """Write a cleaned picture into a plant file."""
    is_svg = picture.media_type == "image/svg+xml"
    return picture.content.decode() if is_svg else base64.b64encode(picture.content).decode()


class PictureSection(Section):
    """What machines of a class look like."""

    name = "pictures"
    fields = (Field("class", read.code, is_key=True, refers_to="classes"), Field("picture", _picture))

    @property
    def document_key(self) -> str:
        """Nested in classes."""
        return "classes"

    def rows_of(self, document: Mapping[str, Any]) -> Iterator[RawRow]:
        """``classes[].picture``."""
        for where, kind in items(document, "classes"):
            if "picture" in kind:
                yield RawRow(where, {"class": kind.get("code", ""), "picture": kind["picture"]})

    def put_into(self, document: dict[str, Any], rows: Sequence[Values]) -> None:
        """Hang them into their classes."""
        for row in rows:
            kind = find(document["classes"], row["class"])
            if kind is not None:
                kind["picture"] = row["picture"]

    def existing(self, site_id: int) -> dict[str, Values]:
        """One query."""
        rows = ClassPicture.objects.filter(equipment_class__site_id=site_id).select_related("equipment_class")
        return {
            row.equipment_class.code: {
                "class": row.equipment_class.code,
                "picture": as_text(pictures.Picture(row.media_type, bytes(row.content), row.width, row.height)),
            }
            for row in rows.order_by("equipment_class__code")
        }

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Keep them; an empty one takes the picture away."""
        kinds = by_code(EquipmentClass, site_id)
        for row in rows:
            text = row.values["picture"]
            if not text:
                ClassPicture.objects.filter(equipment_class=kinds[row.key]).delete()
                continue
            picture = pictures.clean(text.encode() if text.startswith("<") else base64.b64decode(text))
            ClassPicture.objects.update_or_create(
                equipment_class=kinds[row.key],
                defaults={
                    "media_type": picture.media_type,
                    "content": picture.content,
                    "sha256": picture.sha256,
                    "width": picture.width,
                    "height": picture.height,
                },
            )
