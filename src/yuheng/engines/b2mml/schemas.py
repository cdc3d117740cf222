"""Hold a document against the public schemas themselves: the user's own copy of them, in a folder.

The schemas are not part of this program. Nothing is loaded from the network, and no entity is expanded.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from lxml import etree

from yuheng.engines.b2mml.faults import Misread, _
from yuheng.engines.b2mml.grammar import ROOTS

_FILES = {
    "OperationsSchedule": "B2MML-OperationsSchedule.xsd",
    "OperationsRequest": "B2MML-OperationsSchedule.xsd",
    "OperationsPerformance": "B2MML-OperationsPerformance.xsd",
    "OperationsResponse": "B2MML-OperationsPerformance.xsd",
    "MaterialInformation": "B2MML-Material.xsd",
    "MaterialClass": "B2MML-Material.xsd",
    "MaterialDefinition": "B2MML-Material.xsd",
    "MaterialLot": "B2MML-Material.xsd",
    "EquipmentInformation": "B2MML-Equipment.xsd",
    "Equipment": "B2MML-Equipment.xsd",
    "EquipmentClass": "B2MML-Equipment.xsd",
}
MOST_TOLD = 20


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


@lru_cache(maxsize=8)
def _schema(folder: Path, file_name: str) -> etree.XMLSchema:
    found = sorted(folder.rglob(file_name), key=lambda path: len(path.parts))
    if not found:
        raise Misread(_("The folder %(folder)s has no schema %(name)s."), folder=str(folder), name=file_name)
    try:
        return etree.XMLSchema(etree.parse(str(found[0]), _parser()))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError, OSError) as error:
        raise Misread(_("The schema %(name)s cannot be used: %(why)s"), name=str(found[0]), why=str(error)) from error


def check(content: bytes, folder: Path) -> list[tuple[str, int, str]]:
    """Return what the public schemas say against a document: path, line, sentence (the library's, in English).

    Raises
    ------
    Misread
        The folder has no such schema, or the document is not well-formed or of no kind that we know.
    """
    try:
        tree = etree.fromstring(content, _parser()).getroottree()
    except etree.XMLSyntaxError as error:
        raise Misread(
            _("The document is not well-formed XML: %(why)s."), "", error.lineno or 0, why=error.msg
        ) from error
    root = etree.QName(tree.getroot()).localname
    if root not in ROOTS:
        raise Misread(_("There is no schema for a document '%(tag)s'."), f"/{root}", 1, tag=root)
    schema = _schema(folder.resolve(), _FILES[ROOTS[root][1]])
    if schema.validate(tree):
        return []
    log: Iterable[Any] = schema.error_log  # type: ignore[assignment]  # the stubs do not know that it is iterable
    return [(entry.path or "", entry.line, entry.message) for entry in islice(log, MOST_TOLD)]
