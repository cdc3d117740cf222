"""XML that may come from anybody: no document type, no entities, no network, and nothing kept that was read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.readers.bytes import opened


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def walk(path: Path) -> Iterator[tuple[str, etree._Element]]:
    """Yield starts and ends of elements; the caller empties what it has read (`forget`).

    Raises
    ------
    LogError
        It is not well-formed, or carries a document type.
    """
    with opened(path) as file:
        try:
            is_checked = False
            for event, element in etree.iterparse(
                file, events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False,
                dtd_validation=False, huge_tree=False, remove_comments=True, remove_pis=True,
            ):  # fmt: skip
                if not is_checked:
                    if element.getroottree().docinfo.internalDTD is not None:
                        raise LogError(gettext_noop("The file has a document type (DOCTYPE): that is refused."))
                    is_checked = True
                yield event, element
        except etree.XMLSyntaxError as error:
            raise LogError(
                gettext_noop("The file is no whole XML: line %(line)d, %(why)s."),
                {"line": error.lineno or 0, "why": (error.msg or "")[:200]},
            ) from error


def forget(element: etree._Element) -> None:
    """Empty an element, and drop what stands before it."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]
