"""Uploading a plant, its dry run, and doing what that said."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from yuheng.equipment import importing, selectors
from yuheng.equipment.importing import Plan, Section
from yuheng.equipment.models import (
    PlantImport,
)
from yuheng.equipment.services.access import EDIT
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.kernel.models import Site

UPLOADS_KEPT = timedelta(days=1)


def sections() -> tuple[Section, ...]:
    """Everything that can be imported, in order; higher contexts' rows included (``config.plant_file``)."""
    found: tuple[Section, ...] = import_string(settings.PLANT_FILE_SECTIONS)
    return found


@transaction.atomic
def upload_plant(
    *, actor: Actor, site_id: int, file_name: str, content: bytes, kind: str = "", at: datetime
) -> tuple[PlantImport, Plan]:
    """Keep an uploaded file and say what it would do; nothing else is written.

    Parameters
    ----------
    kind
        What a CSV file holds; "" to find out (a YAML or JSON file is a plant file).

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
    """
    actor.require(EDIT, site_id=site_id)
    if importing.is_csv(file_name) and not kind:
        kind = importing.kind_of_csv(content, sections=sections(), file_name=file_name)
    parsed = importing.parse(content, kind=kind, sections=sections())
    plan = importing.make_plan(actor=actor, parsed=parsed, sections=sections(), site_id=site_id)
    PlantImport.objects.filter(applied_at__isnull=True, created_at__lt=at - UPLOADS_KEPT).delete()
    upload = PlantImport.objects.create(
        site_id=site_id,
        person_name=actor.name,
        file_name=file_name[:200],
        content=content,
        kind=kind,
        plan_sha256=plan.sha256(),
        created_at=at,
        counts=plan.counts(),
    )
    return upload, plan


def plan_of_upload(*, actor: Actor, import_id: int) -> tuple[PlantImport, Plan]:
    """Say again what an uploaded file would do, as the plant is now.

    Raises
    ------
    Conflict
        It was applied already.
    """
    upload = selectors.plant_import(actor=actor, import_id=import_id)
    if upload.applied_at is not None:
        raise Conflict(_("This file was applied already. Upload it again to see what it would do now."))
    parsed = importing.parse(bytes(upload.content), kind=upload.kind, sections=sections())
    return upload, importing.make_plan(actor=actor, parsed=parsed, sections=sections(), site_id=upload.site_id)


@transaction.atomic
def apply_upload(
    *, actor: Actor, import_id: int, plan_sha256: str, leave_out_refused: bool = False, at: datetime
) -> Plan:
    """Do what the dry run with this fingerprint said.

    Raises
    ------
    Conflict
        The plant changed since, the file was applied already, or rows are refused and were not left out.
    """
    upload = selectors.plant_import(actor=actor, import_id=import_id)
    Site.objects.select_for_update().get(pk=upload.site_id)
    upload.refresh_from_db()
    if upload.applied_at is not None:
        raise Conflict(_("This file was applied already. Upload it again to see what it would do now."))
    plan = importing.apply_plan(
        actor=actor,
        parsed=importing.parse(bytes(upload.content), kind=upload.kind, sections=sections()),
        sections=sections(),
        site_id=upload.site_id,
        plan_sha256=plan_sha256,
        at=at,
        leave_out_refused=leave_out_refused,
    )
    upload.content, upload.applied_at, upload.counts = b"", at, plan.counts()
    upload.save(update_fields=["content", "applied_at", "counts"])
    return plan
