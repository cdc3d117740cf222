"""Changed cells as the grid and the API send them: bounded JSON into `TagEdit`."""

from __future__ import annotations

from typing import Any

import msgspec
from django.utils.translation import gettext as _

from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.services.tag_edits import MOST_TAGS, TagEdit

LARGEST_BYTES = 8 * 1024 * 1024


class _Edit(msgspec.Struct):
    tag_id: int
    cells: dict[str, str | float | bool | None]
    seen: dict[str, Any] = {}


class _Edits(msgspec.Struct):
    edits: list[_Edit]


def read(body: bytes) -> list[TagEdit]:
    """Read ``{"edits": [{"tag_id", "cells", "seen"}]}``. Raises `InvalidInput`."""
    if len(body) > LARGEST_BYTES:
        raise InvalidInput(_("That is too much at once. Save in parts."))
    try:
        found = msgspec.json.decode(body, type=_Edits).edits
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(_("The table did not arrive whole. Send it again.")) from error
    if not found or len(found) > MOST_TAGS:
        raise InvalidInput(_("Between 1 and %(count)d tags are changed at once.") % {"count": MOST_TAGS})
    return [TagEdit(edit.tag_id, edit.cells, edit.seen) for edit in found]
