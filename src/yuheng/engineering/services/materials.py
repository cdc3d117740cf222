"""Materials: create, edit, revise, retire; their classes and documents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from yuheng.engineering.models import (
    BomAlternate,
    BomLine,
    BomVersion,
    Document,
    Effectivity,
    MaterialClass,
    MaterialDefinition,
    MaterialRevision,
    MaterialUnit,
)
from yuheng.engineering.rules.specs import MaterialSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.engineering.services.access import EDIT, check_in_use, lock_site, locked_material, record, tell_material
from yuheng.kernel import units
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible

CODE_PATTERN = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._/+-]{0,59}")
LARGEST_DOCUMENT = 16 * 1024 * 1024
LARGEST_FACTOR = Decimal(10) ** 9
_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def is_code(text: str) -> bool:
    """Return whether the text may name a material: letters, digits and CJK, then also ``. _ / + -``; at most 60."""
    return CODE_PATTERN.fullmatch(text) is not None


def check_material(spec: MaterialSpec) -> dict[str, str]:
    """Return what is wrong by field; empty when nothing is."""
    wrong: dict[str, str] = {}
    if not is_code(spec.code):
        wrong["code"] = _("A code has letters, digits and . _ / + - only, at most 60.")
    if not spec.name_zh.strip() or not spec.name_en.strip():
        wrong["name_zh"] = _("Give the name in both languages.")
    if max(len(spec.name_zh), len(spec.name_en)) > 160:
        wrong["name_zh"] = _("A name has at most 160 characters.")
    for unit in (spec.unit, *spec.conversions):
        if not units.is_unit(unit):
            wrong["unit"] = _unit_sentence(unit)
    for unit, factor in spec.conversions.items():
        if not factor.is_finite() or not 0 < factor <= LARGEST_FACTOR or unit == spec.unit:
            wrong["conversions"] = _("Another unit is so many of the material's own, more than nothing.")
    return wrong


def _unit_sentence(unit: str) -> str:
    meant = units.meant(unit)
    if meant != unit:
        return _("'%(unit)s' is not a UCUM unit; write '%(meant)s'.") % {"unit": unit, "meant": meant}
    return _("'%(unit)s' is not a UCUM unit.") % {"unit": unit}


def _checked(spec: MaterialSpec) -> None:
    if wrong := check_material(spec):
        raise InvalidInput(" ".join(wrong.values()), wrong)


@transaction.atomic
def create_material(*, actor: Actor, site_id: int, spec: MaterialSpec, at: datetime) -> MaterialDefinition:
    """Add a material to a plant.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        Its code is taken or none, a name is missing, a unit is unknown, or there is no such class.
    """
    lock_site(actor, site_id)
    _checked(spec)
    try:
        with transaction.atomic():
            row = MaterialDefinition.objects.create(
                site_id=site_id,
                code=spec.code,
                name_zh=spec.name_zh.strip(),
                name_en=spec.name_en.strip(),
                description=spec.description,
                material_class=_class_of(site_id, spec.class_code),
                unit=spec.unit,
                source=Source(spec.source),
                tracking=Tracking(spec.tracking),
                created_at=at,
            )
    except IntegrityError as error:
        message = _("This code is taken at the site.")
        raise InvalidInput(message, {"code": message}) from error
    _write_units(row, spec.conversions)
    tell_material(actor, row, "created", at)
    return row


@transaction.atomic
def edit_material(*, actor: Actor, material_id: int, spec: MaterialSpec, at: datetime) -> MaterialDefinition:
    """Change a material; its code stays. Its unit only while nothing counts in it.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    Conflict
        The unit would change under bills that use the material.
    """
    row = locked_material(actor, material_id)
    _checked(spec)
    if spec.code != row.code:
        message = _("A material keeps its code. Make a new one instead.")
        raise InvalidInput(message, {"code": message})
    if spec.unit != row.unit and _is_used(row):
        raise Conflict(
            _("%(code)s is used in bills of material; its unit cannot change any more.") % {"code": row.code}
        )
    old = {name: getattr(row, name) for name in ("name_zh", "name_en", "unit", "source", "tracking")}
    row.name_zh, row.name_en = spec.name_zh.strip(), spec.name_en.strip()
    row.description, row.unit = spec.description, spec.unit
    row.source, row.tracking = Source(spec.source), Tracking(spec.tracking)
    row.material_class = _class_of(row.site_id, spec.class_code)
    row.save(update_fields=["name_zh", "name_en", "description", "unit", "source", "tracking", "material_class"])
    _write_units(row, spec.conversions)
    changed = {name: [value, getattr(row, name)] for name, value in old.items() if getattr(row, name) != value}
    tell_material(actor, row, "edited", at, changed=changed)
    return row


def _class_of(site_id: int, code: str) -> MaterialClass | None:
    if not code:
        return None
    found: MaterialClass | None = MaterialClass.objects.filter(site_id=site_id, code=code).first()
    if found is None:
        message = _("There is no material class %(code)s at this plant.") % {"code": code}
        raise InvalidInput(message, {"class_code": message})
    return found


def _write_units(row: MaterialDefinition, conversions: Mapping[str, Decimal]) -> None:
    row.units.all().delete()
    MaterialUnit.objects.bulk_create(
        MaterialUnit(material=row, unit=unit, factor=factor) for unit, factor in sorted(conversions.items())
    )


def _is_used(row: MaterialDefinition) -> bool:
    return (
        BomLine.objects.filter(component=row).exists()
        or BomAlternate.objects.filter(component=row).exists()
        or BomVersion.objects.filter(material=row).exists()
    )


@transaction.atomic
def revise_material(
    *, actor: Actor, material_id: int, code: str, reason: str, document_ids: Sequence[int] = (), at: datetime
) -> MaterialRevision:
    """Say that a material is another from now on: a new revision with its drawings. The one before stays as it was.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    row = locked_material(actor, material_id)
    check_in_use(row)
    if not re.fullmatch(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff._-]{0,19}", code):
        message = _("A revision is a short word such as A or 2.1.")
        raise InvalidInput(message, {"code": message})
    documents = list(Document.objects.filter(site_id=row.site_id, pk__in=set(document_ids)).defer("content"))
    if len(documents) != len(set(document_ids)):
        raise NotVisible(_("There is no such document at this plant."))
    try:
        with transaction.atomic():
            revision = MaterialRevision.objects.create(
                material=row, code=code, reason=reason, created_at=at, created_by=actor.name
            )
    except IntegrityError as error:
        message = _("%(code)s has a revision %(revision)s already.") % {"code": row.code, "revision": code}
        raise InvalidInput(message, {"code": message}) from error
    revision.documents.set(documents)
    tell_material(actor, row, "revised", at, revision=code, reason=reason[:400])
    return revision


@transaction.atomic
def retire_material(*, actor: Actor, material_id: int, at: datetime) -> MaterialDefinition:
    """Take a material out of use. Refused while a bill in force uses it."""
    found = MaterialDefinition.objects.visible_to(actor).filter(pk=material_id).first()
    if found is not None:
        lock_site(actor, found.site_id)  # nothing is released meanwhile
    row = locked_material(actor, material_id)
    if row.retired_at is not None:
        return row
    using = Effectivity.objects.filter(is_active=True, bom__lines__component=row).select_related("material").first()
    if using is not None:
        sentence = _("%(code)s is part of %(parent)s; replace it there first.")
        raise Conflict(sentence % {"code": row.code, "parent": using.material.code})
    row.retired_at = at
    row.save(update_fields=["retired_at"])
    tell_material(actor, row, "retired", at)
    return row


@transaction.atomic
def restore_material(*, actor: Actor, material_id: int, at: datetime) -> MaterialDefinition:
    """Take a retired material into use again."""
    row = locked_material(actor, material_id)
    if row.retired_at is not None:
        row.retired_at = None
        row.save(update_fields=["retired_at"])
        tell_material(actor, row, "restored", at)
    return row


@transaction.atomic
def save_material_class(
    *, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> MaterialClass:
    """Add a material class, or rename the one with this code."""
    lock_site(actor, site_id)
    if not is_code(code):
        message = _("A code has letters, digits and . _ / + - only, at most 60.")
        raise InvalidInput(message, {"code": message})
    if not name_zh.strip() or not name_en.strip():
        message = _("Give the name in both languages.")
        raise InvalidInput(message, {"name_zh": message})
    row, _made = MaterialClass.objects.update_or_create(
        site_id=site_id, code=code, defaults={"name_zh": name_zh.strip(), "name_en": name_en.strip()}
    )
    record(actor, site_id, "engineering.class_saved", "material_class", row.pk, at, code=code)
    return row


@transaction.atomic
def keep_document(*, actor: Actor, site_id: int, name: str, content: bytes, at: datetime) -> Document:
    """Keep a drawing, picture or instruction; the same content under the same name is kept once.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It is empty, larger than 16 MB, or neither PDF, PNG, JPEG, GIF nor WebP: what a tablet can show safely.
    """
    actor.require(EDIT, site_id=site_id)
    name = name.replace("\\", "/").rsplit("/", 1)[-1].strip()[:200]
    media_type = next((kind for sign, kind in _SIGNS if content.startswith(sign)), "")
    if media_type == "image/webp" and content[8:12] != b"WEBP":
        media_type = ""
    if not content or not name:
        raise InvalidInput(_("Choose a file first."))
    if len(content) > LARGEST_DOCUMENT:
        raise InvalidInput(_("The file is larger than 16 MB."))
    if not media_type:
        raise InvalidInput(_("A drawing is a PDF, PNG, JPEG, GIF or WebP file."))
    if any(ord(char) < 32 for char in name):
        raise InvalidInput(_("The file's name has control characters."))
    digest = hashlib.sha256(content).hexdigest()
    row, made = Document.objects.get_or_create(
        site_id=site_id,
        sha256=digest,
        name=name,
        defaults={
            "media_type": media_type,
            "content": content,
            "size_bytes": len(content),
            "created_at": at,
            "created_by": actor.name,
        },
    )
    if made:
        record(actor, site_id, "engineering.document_kept", "document", row.pk, at, name=name, sha256=digest)
    return row
