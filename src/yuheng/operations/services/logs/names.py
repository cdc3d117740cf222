"""Names of a log as codes of ours: readable where they can be, always the same, never two names one code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

_OTHER = re.compile(r"[^A-Za-z0-9\u3400-\u9fff._-]+")


def code_of(name: str, longest: int, taken: Mapping[str, object] | Iterable[str] = ()) -> str:
    """Return a code for a name; with a mark of the name's own where the bare code is taken, too long or empty.

    Examples
    --------
    >>> code_of("Machine 4 - Turning", 40), code_of("CNC-01", 40), code_of("车床 1", 40)
    ('Machine-4-Turning', 'CNC-01', '车床-1')
    >>> code_of("CNC-01", 40, {"CNC-01"}), code_of("???", 40)
    ('CNC-01-a6d8d4', 'X-a03b22')
    """
    bare = re.sub(r"-{2,}", "-", _OTHER.sub("-", name)).strip("-._")
    mark = hashlib.sha256(name.encode()).hexdigest()[:6]
    if not bare:
        return f"X-{mark}"
    if len(bare) > longest or bare in set(taken):
        return f"{bare[: longest - 7].rstrip('-._')}-{mark}"
    return bare


def stem_of(name: str) -> str:
    """Return a machine's name without its number: machines of one stem are of one class.

    Examples
    --------
    >>> stem_of("CNC-01"), stem_of("车床 3号"), stem_of("Packing"), stem_of("M12")
    ('CNC', '车床', 'Packing', 'M')
    """
    return re.sub(r"[\s_#.-]*\d+\s*[号#]?$", "", name).strip() or name
