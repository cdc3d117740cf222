"""Uploaded plants."""

from __future__ import annotations

from django.utils.translation import gettext as _

from yuheng.equipment.models import (
    PlantImport,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible


def plant_import(*, actor: Actor, import_id: int) -> PlantImport:
    """An uploaded file that waits for its dry run to be accepted. One query. Raises `NotVisible`."""
    found: PlantImport | None = PlantImport.objects.visible_to(actor).filter(pk=import_id).first()
    if found is None:
        raise NotVisible(_("There is no such import here."))
    actor.require("equipment.edit", site_id=found.site_id)
    return found
