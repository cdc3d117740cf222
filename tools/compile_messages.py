"""Compiles every ``locale/*/LC_MESSAGES/*.po`` below ``src`` to the ``.mo`` beside it, with Babel: no gettext binary.

Used by ``tools/bootstrap.py`` (editable install) and by ``hatch_build.py`` (wheel, sdist).
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent


def compile_all(root: Path) -> list[Path]:
    """Compile all catalogues; return the files written.

    Fuzzy entries are guesses of a tool, not translations, and are left out.
    """
    written = []
    for source in sorted((root / "src").rglob("locale/*/LC_MESSAGES/*.po")):
        locale = source.parent.parent.name.replace("-", "_")
        with source.open("rb") as file:
            catalogue = read_po(file, locale=_known(locale), domain=source.stem)
        target = source.with_suffix(".mo")
        fresh = target.with_suffix(".mo.new")
        with fresh.open("wb") as file:
            write_mo(file, catalogue, use_fuzzy=False)
        fresh.replace(target)
        written.append(target)
    return written


def _known(locale: str) -> str:
    """Return Babel's name of a Django locale: ``zh_Hans`` is written the same, lower-case scripts are not."""
    language, _, script = locale.partition("_")
    return f"{language}_{script.capitalize()}" if len(script) == 4 else locale


if __name__ == "__main__":
    for path in compile_all(ROOT):
        print(f"compiled {path.relative_to(ROOT)}")
    sys.exit(0)
