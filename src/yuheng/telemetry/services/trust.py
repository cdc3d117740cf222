"""Accepting the certificate of a server: by a person, by its SHA-256, never by itself."""

from __future__ import annotations

import re
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import SourceChanged
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.services.access import locked
from yuheng.telemetry.source_settings import settings_schema

SETTING = "trusted_certificates"
"""A connector whose settings have this list accepts servers by the SHA-256 of their certificates."""
MOST = 20


@transaction.atomic
def trust_certificate(
    *, actor: Actor, source_id: int, thumbprint: str, at: datetime, is_trusted: bool = True
) -> DataSource:
    """Accept a server certificate for a source, or accept it no longer; needs ``telemetry.edit``.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The text is no SHA-256.
    Conflict
        Sources of this kind know no certificates, or the list is full.
    """
    source = locked(DataSource, actor=actor, pk=source_id)
    if not has_trust(source.connector):
        raise Conflict(_("A source of this kind knows no certificates."))
    found = thumbprint.replace(":", "").replace(" ", "").strip().lower()
    if re.fullmatch("[0-9a-f]{64}", found) is None:
        sentence = _("A SHA-256 has 64 hexadecimal digits.")
        raise InvalidInput(sentence, {"thumbprint": sentence})
    before = list(source.settings.get(SETTING, []))
    after = [each for each in before if each != found] + ([found] if is_trusted else [])
    if len(after) > MOST:
        raise Conflict(_("At most %(count)d certificates can be accepted.") % {"count": MOST})
    source.settings = {**source.settings, SETTING: after}
    source.save(update_fields=["settings"])
    if after != before:
        publish(SourceChanged(source_id=source.pk, site_id=source.site_id), at=at)
        audit.record(
            actor=actor,
            action="source.trust" if is_trusted else "source.distrust",
            at=at,
            site_id=source.site_id,
            object_kind="data_source",
            object_id=source.pk,
            code=source.code,
            sha256=found,
        )
    return source


def has_trust(connector: str) -> bool:
    """Return whether sources of a connector accept servers by certificate."""
    return SETTING in (settings_schema(connector) or {}).get("properties", {})
