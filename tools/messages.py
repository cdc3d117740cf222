"""Collect every sentence a person may read, and keep the catalogues complete. Pure Python: no gettext binary.

    python tools/messages.py            bring the catalogues up to date; new sentences are empty until translated
    python tools/messages.py --check    fail when a sentence is missing, empty, fuzzy, or its placeholders differ
    python tools/messages.py --missing  print the Chinese sentences that are still to be written, as JSON
    python tools/messages.py --fill F   take translations from a JSON file {english: chinese}, then as without options

msgids are English, so the English catalogue fills itself. Python and templates of the whole package are read; the
islands' sentences are in ``web/island_strings.py`` and thereby Python.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "yuheng"
LOCALES = PACKAGE / "web" / "locale"
KEYWORDS: dict[str, tuple[object, ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
PLACEHOLDER = re.compile(r"%(?:\((\w+)\))?[-0-9.]*[sdfgr]|\{(\w*)\}")

Key = str | tuple[str, str]
Found = tuple[str, Key, str | None]


def sentences() -> Iterator[Found]:
    """Yield (file, msgid or (singular, plural), context) of the whole package, tests left out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not {"tests", "testing", "migrations"} & set(path.relative_to(PACKAGE).parts):
            yield from _python(path, path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("templates/**/*")):
        if path.suffix in {".html", ".txt"}:
            yield from _python(path, templatize(path.read_text(encoding="utf-8"), origin=str(path)))


def _python(path: Path, text: str) -> Iterator[Found]:
    file = str(path.relative_to(ROOT))
    for _line, function, found, _comments in extract_python(io.BytesIO(text.encode()), list(KEYWORDS), [], {}):
        parts = found if isinstance(found, tuple) else (found,)
        words = [part for part in parts if isinstance(part, str)]
        if not words:
            continue
        if function.startswith("pgettext"):
            yield file, words[1], words[0]
        elif function.startswith("ngettext"):
            yield file, (words[0], words[1]), None
        else:
            yield file, words[0], None


def updated(locale: str) -> Catalog:
    """Return the locale's catalogue with every sentence of the package; what nobody says any more is dropped."""
    old = _read(locale)
    fresh = Catalog(
        locale=locale, project="Yuheng", charset="utf-8", fuzzy=False, copyright_holder="the authors of Yuheng"
    )
    fresh.creation_date = fresh.revision_date = datetime(2026, 1, 1, tzinfo=UTC)  # a date would change every file
    for file, msgid, context in sentences():
        known = old.get(msgid, context) if old is not None else None
        string = known.string if known is not None else ""
        if locale == "en":
            string = msgid
        fresh.add(msgid, string, locations=[(file, None)], context=context, flags=known.flags if known else ())
    return fresh


def _path(locale: str) -> Path:
    return LOCALES / locale / "LC_MESSAGES" / "django.po"


def _read(locale: str) -> Catalog | None:
    path = _path(locale)
    if not path.exists():
        return None
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def _written(catalogue: Catalog) -> bytes:
    out = io.BytesIO()
    write_po(out, catalogue, width=120, sort_output=True, omit_header=False, include_lineno=False)
    return out.getvalue()


def faults(locale: str) -> Iterator[str]:
    """Yield one sentence for each thing that is wrong with a locale's catalogue."""
    kept, wanted = _read(locale), updated(locale)
    if kept is None:
        yield f"{locale}: there is no catalogue; run tools/messages.py."
        return
    for message in wanted:
        if not message.id:
            continue
        known = kept.get(message.id, message.context)
        if known is None:
            yield f"{locale}: missing: {message.id!r}; run tools/messages.py."
        elif "fuzzy" in known.flags:
            yield f"{locale}: fuzzy: {message.id!r}"
        elif not _strings(known) or not all(_strings(known)):
            yield f"{locale}: not translated: {message.id!r}"
        elif not _same_placeholders(known):
            yield f"{locale}: other placeholders than the original: {message.id!r}"
    spoken = {(message.id if isinstance(message.id, str) else message.id[0], message.context) for message in wanted}
    for message in kept:
        if message.id and (message.id if isinstance(message.id, str) else message.id[0], message.context) not in spoken:
            yield f"{locale}: nobody says this any more: {message.id!r}; run tools/messages.py."


def _same_placeholders(message: Message) -> bool:
    """The last form has all placeholders of the plural; a singular may say "one row" without a number."""
    wanted, strings = _placeholders(_longest(message)), _strings(message)
    return _placeholders(strings[-1]) == wanted and all(_placeholders(text) <= wanted for text in strings)


def _strings(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def _longest(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[-1]


def _placeholders(text: str) -> set[str]:
    return {match[0] if not match[1] else match[1] for match in PLACEHOLDER.finditer(text)}


def write(translations: dict[str, str]) -> None:
    """Write both catalogues, with new Chinese sentences from a mapping."""
    for locale in ("zh_Hans", "en"):
        catalogue = updated(locale)
        if locale == "zh_Hans":
            for message in catalogue:
                chinese = translations.get(_longest(message)) if message.id else None
                if chinese and not any(_strings(message)):
                    message.string = chinese if isinstance(message.id, str) else (chinese,)
        path = _path(locale)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_written(catalogue))
        empty = sum(1 for message in catalogue if message.id and not any(_strings(message)))
        print(f"{locale}: {len(catalogue)} sentences, {empty} to translate")


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--fill", type=Path)
    options = parser.parse_args()
    settings.configure(USE_I18N=False)
    django.setup()
    if options.check:
        found = [fault for locale in ("zh_Hans", "en") for fault in faults(locale)]
        print("\n".join(found) or "Both catalogues are complete.")
        return 1 if found else 0
    if options.missing:
        ids = [_longest(message) for message in updated("zh_Hans") if message.id and not any(_strings(message))]
        print(json.dumps(dict.fromkeys(sorted(ids), ""), ensure_ascii=False, indent=0))
        return 0
    write(json.loads(options.fill.read_text(encoding="utf-8")) if options.fill else {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
