"""Words of engineering: states, sources, kinds. Values are stored: never rename one."""

from __future__ import annotations

from enum import StrEnum


class VersionState(StrEnum):
    """A version's life. Only a draft can be changed."""

    DRAFT = "draft"
    RELEASED = "released"
    SUPERSEDED = "superseded"
    OBSOLETE = "obsolete"


class ChangeState(StrEnum):
    """An engineering change order's life."""

    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    IMPLEMENTED = "implemented"
    REJECTED = "rejected"


class VersionKind(StrEnum):
    """What a version is of."""

    BOM = "bom"
    WORK_MASTER = "work_master"


class Source(StrEnum):
    """Where a material comes from. A phantom is never made: its lines are used directly in what it is part of."""

    MAKE = "make"
    BUY = "buy"
    PHANTOM = "phantom"


class Tracking(StrEnum):
    """What is told apart: nothing, lots, or every single piece."""

    NONE = "none"
    LOT = "lot"
    SERIAL = "serial"


class SegmentKind(StrEnum):
    """What is done at a segment. A rework segment is only reached when a check fails."""

    PRODUCE = "produce"
    INSPECT = "inspect"
    MOVE = "move"
    SUBCONTRACT = "subcontract"
    REWORK = "rework"


class LinkKind(StrEnum):
    """How two segments follow each other."""

    FINISH_START = "finish_start"
    START_START = "start_start"
    REWORK = "rework"


class CheckKind(StrEnum):
    """How something is checked: looked at, measured, or confirmed as done."""

    VISUAL = "visual"
    MEASURED = "measured"
    CONFIRM = "confirm"


class Basis(StrEnum):
    """What an effectivity goes by; the more special one wins: order, then serial number, then date."""

    DATE = "date"
    SERIAL = "serial"
    ORDER = "order"


CONFIRMS = ("start", "setup", "materials", "checks", "quantity", "finish")
"""What a person may have to confirm at a segment, in the order in which it happens."""

VERSION_TRANSITIONS = {
    VersionState.DRAFT: frozenset({VersionState.RELEASED}),
    VersionState.RELEASED: frozenset({VersionState.SUPERSEDED, VersionState.OBSOLETE}),
    VersionState.SUPERSEDED: frozenset({VersionState.OBSOLETE}),
    VersionState.OBSOLETE: frozenset[VersionState](),
}
CHANGE_TRANSITIONS = {
    ChangeState.DRAFT: frozenset({ChangeState.IN_REVIEW, ChangeState.REJECTED}),
    ChangeState.IN_REVIEW: frozenset({ChangeState.APPROVED, ChangeState.REJECTED, ChangeState.DRAFT}),
    ChangeState.APPROVED: frozenset({ChangeState.IMPLEMENTED, ChangeState.REJECTED}),
    ChangeState.IMPLEMENTED: frozenset[ChangeState](),
    ChangeState.REJECTED: frozenset[ChangeState](),
}
