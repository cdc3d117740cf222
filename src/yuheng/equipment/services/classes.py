"""Equipment classes and the causes they know."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment import pictures
from yuheng.equipment.models import (
    CauseName,
    ClassPicture,
    EquipmentClass,
)
from yuheng.equipment.services.access import (
    check_named,
    lock_site,
    locked,
    tell,
    unique,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput


@transaction.atomic
def create_equipment_class(
    *, actor: Actor, site_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> EquipmentClass:
    """Add an equipment class to a site."""
    lock_site(actor, site_id)
    check_named(code, name_zh, name_en)
    kind = unique(lambda: EquipmentClass.objects.create(site_id=site_id, code=code, name_zh=name_zh, name_en=name_en))
    tell(actor, site_id, "equipment_class", kind.pk, "created", at, code=code)
    return kind


@transaction.atomic
def name_cause(
    *, actor: Actor, equipment_class_id: int, code: str, name_zh: str, name_en: str, at: datetime
) -> CauseName:
    """Say what a cause code of a class means."""
    kind = locked(EquipmentClass, actor, equipment_class_id)
    if not code.strip() or not name_zh.strip() or not name_en.strip():
        raise InvalidInput(_("A cause has a code and a name in both languages."))
    cause, _made = CauseName.objects.update_or_create(
        equipment_class=kind, code=code.strip(), defaults={"name_zh": name_zh.strip(), "name_en": name_en.strip()}
    )
    tell(actor, kind.site_id, "equipment_class", kind.pk, "cause_named", at, code=code)
    return cause


@transaction.atomic
def rename_equipment_class(
    *, actor: Actor, equipment_class_id: int, name_zh: str, name_en: str, at: datetime
) -> EquipmentClass:
    """Change the names of a class."""
    kind: EquipmentClass = locked(EquipmentClass, actor, equipment_class_id)
    check_named(kind.code, name_zh, name_en)
    old = [kind.name_zh, kind.name_en]
    kind.name_zh, kind.name_en = name_zh, name_en
    kind.save(update_fields=["name_zh", "name_en"])
    tell(actor, kind.site_id, "equipment_class", kind.pk, "renamed", at, old=old, new=[name_zh, name_en])
    return kind


@transaction.atomic
def forget_cause(*, actor: Actor, equipment_class_id: int, code: str, at: datetime) -> None:
    """Take away what a cause code of a class means; intervals keep the code."""
    kind: EquipmentClass = locked(EquipmentClass, actor, equipment_class_id)
    gone, _kinds = CauseName.objects.filter(equipment_class=kind, code=code).delete()
    if gone:
        tell(actor, kind.site_id, "equipment_class", kind.pk, "cause_forgotten", at, code=code)


@transaction.atomic
def set_class_picture(*, actor: Actor, equipment_class_id: int, content: bytes, at: datetime) -> ClassPicture:
    """Keep what machines of a class look like: an SVG or PNG of at most 512 KB, cleaned first.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        It is neither, or too large, or has what a picture must not have.
    """
    kind: EquipmentClass = locked(EquipmentClass, actor, equipment_class_id)
    picture = pictures.clean(content)
    row, _made = ClassPicture.objects.update_or_create(
        equipment_class=kind,
        defaults={
            "media_type": picture.media_type,
            "content": picture.content,
            "sha256": picture.sha256,
            "width": picture.width,
            "height": picture.height,
        },
    )
    detail = {"media_type": picture.media_type, "bytes": len(picture.content), "sha256": picture.sha256}
    tell(actor, kind.site_id, "equipment_class", kind.pk, "picture_set", at, **detail)
    return row


@transaction.atomic
def remove_class_picture(*, actor: Actor, equipment_class_id: int, at: datetime) -> None:
    """Show no picture of a class any more."""
    kind: EquipmentClass = locked(EquipmentClass, actor, equipment_class_id)
    gone, _kinds = ClassPicture.objects.filter(equipment_class=kind).delete()
    if gone:
        tell(actor, kind.site_id, "equipment_class", kind.pk, "picture_removed", at)
