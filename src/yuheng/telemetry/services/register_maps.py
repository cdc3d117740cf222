"""Taking a manufacturer's table of signals for a source to its dry run."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.equipment import services as equipment
from yuheng.equipment.importing import Plan
from yuheng.equipment.importing.files import decode
from yuheng.gateway.connector import MapLine
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.services.access import EDIT
from yuheng.telemetry.source_settings import maps_of
from yuheng.telemetry.spoken import in_readers_words

KIND = "registers"
"""Kind of the CSV that a map becomes; `telemetry.importing.registers` reads it."""


def upload_register_map(
    *, actor: Actor, source_id: int, file_name: str, content: bytes, numbering: str = "", at: datetime
) -> tuple[int, Plan]:
    """Read a table of signals into tags of a source and keep it for its dry run; nothing else is written.

    Parameters
    ----------
    content
        CSV in UTF-8, UTF-16 or GB18030.
    numbering
        One of the source's ways of counting registers, or "".

    Returns
    -------
    (int, Plan)
        Key of the upload, to apply with `equipment.services.apply_upload`, and what would happen to each line.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The source has no such tables, or the file is none; the message says why.
    """
    source = DataSource.objects.visible_to(actor).filter(pk=source_id).first()
    if source is None:
        raise NotVisible(_("There is no such thing here."))
    actor.require(EDIT, site_id=source.site_id)
    maps = maps_of(source.connector)
    if maps is None:
        raise InvalidInput(_("A source of this kind has no register map."))
    if numbering not in {"", *(value for value, _en, _zh in maps.numberings)}:
        raise InvalidInput(_("Choose how the file counts registers."))
    try:
        lines = maps.read(decode(content), numbering)
    except ValueError as error:
        raise InvalidInput(in_readers_words(str(error))) from error
    if not lines:
        raise InvalidInput(_("The file names columns, but has no line below them."))
    kept, plan = equipment.upload_plant(
        actor=actor,
        site_id=source.site_id,
        file_name=file_name,
        content=_as_rows(source.code, lines),
        kind=KIND,
        at=at,
    )
    return int(kept.pk), plan


def _as_rows(code: str, lines: Sequence[MapLine]) -> bytes:
    """Write lines as a CSV of kind `KIND`, each on the line that it had, so that the dry run names it."""
    columns = [
        "source",
        "address",
        "data_type",
        *sorted({name for line in lines for name in line.values} - {"data_type"}),
    ]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=[*columns, "problem"], restval="", lineterminator="\n")
    writer.writeheader()
    at_line = 1
    for line in lines:
        out.write("\n" * (line.line - at_line - 1))
        at_line = max(line.line, at_line + 1)
        row = {
            "source": code,
            "address": line.address[:400] or f"line {line.line}",
            "data_type": "float",
            **line.values,
        }
        if line.problem:
            row["problem"] = in_readers_words(line.problem)[:600]
        writer.writerow({name: " ".join(text.split()) for name, text in row.items()})
    return out.getvalue().encode()
