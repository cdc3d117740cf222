"""B2MML version 7 documents: what may stand in them, reading them a piece at a time, writing them. Plain Python."""

from yuheng.engines.b2mml.faults import Misread
from yuheng.engines.b2mml.grammar import NAMESPACE, NOUNS, RELEASE, VERBS, Kind
from yuheng.engines.b2mml.nodes import Node
from yuheng.engines.b2mml.reading import MOST_BYTES, Document, read
from yuheng.engines.b2mml.writing import E, envelope, write

__all__ = [
    "MOST_BYTES",
    "NAMESPACE",
    "NOUNS",
    "RELEASE",
    "VERBS",
    "Document",
    "E",
    "Kind",
    "Misread",
    "Node",
    "envelope",
    "read",
    "write",
]
