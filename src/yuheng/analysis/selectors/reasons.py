"""The reason tree of a site, and what was said about a work unit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.utils.translation import gettext as _

from yuheng.analysis.models import Explanation, Reason
from yuheng.analysis.rules import ISO_22400, LossKind, Said
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.telemetry.rules import microseconds

VIEW = "telemetry.view"
EXPLAIN = "states.explain"
EDIT = "equipment.edit"


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """A node of the tree. ``path`` are the ids from the top to itself; ``loss`` is its own or its parents'."""

    id: int
    site_id: int
    code: str
    parent_id: int | None
    parent_code: str
    name_zh: str
    name_en: str
    loss: str
    own_loss: str
    class_ids: tuple[int, ...]
    classes: tuple[str, ...]
    position: int
    depth: int
    path: tuple[int, ...]
    is_leaf: bool
    is_retired: bool

    @property
    def time_element(self) -> str:
        """Where ISO 22400-2 counts the time: ``ADOT``, ``AUST``, ``ADET``, ``PDOT``."""
        return ISO_22400[LossKind(self.loss)] if self.loss else ""

    def holds_for(self, class_id: int | None) -> bool:
        """Return whether it can be given for a unit of the class."""
        return not self.class_ids or class_id in self.class_ids


def reason_tree(*, actor: Actor, site_id: int, with_retired: bool = False) -> list[ReasonRow]:
    """The site's reasons, each behind its parent. Two queries."""
    actor.require(VIEW, site_id=site_id)
    return _tree(Reason.objects.filter(site_id=site_id), with_retired)


def reasons_for_unit(*, actor: Actor, unit: equipment.WorkUnitRow) -> list[ReasonRow]:
    """The reasons that can be given for a work unit. Two queries."""
    rows = reason_tree(actor=actor, site_id=unit.site_id)
    hidden: set[int] = set()
    for row in rows:  # what stands below a group that does not hold is not offered either
        if not row.holds_for(unit.class_id) or (row.parent_id in hidden):
            hidden.add(row.id)
    return [row for row in rows if row.id not in hidden]


def reason(*, actor: Actor, reason_id: int) -> ReasonRow:
    """One reason, retired or not. Three queries. Raises `NotVisible`."""
    found = Reason.objects.visible_to(actor).filter(pk=reason_id).first()
    if found is None:
        raise NotVisible(_("There is no such reason here."))
    return next(
        row for row in reason_tree(actor=actor, site_id=found.site_id, with_retired=True) if row.id == reason_id
    )


def use_counts(*, site_id: int) -> dict[int, int]:
    """Reason id -> how often it stands for something now. One query."""
    rows = Explanation.objects.filter(site_id=site_id, replaced_at__isnull=True).order_by()
    return dict(rows.values_list("reason_id").annotate(number=Count("pk")))


def _tree(rows: Any, with_retired: bool) -> list[ReasonRow]:
    found = list(rows.prefetch_related("of_classes__equipment_class"))
    if not with_retired:
        found = [row for row in found if row.retired_at is None]
    children: dict[int | None, list[Reason]] = {}
    known = {row.pk for row in found}
    for row in found:
        children.setdefault(row.parent_id if row.parent_id in known else None, []).append(row)
    codes = {row.pk: row.code for row in found}
    listed: list[ReasonRow] = []

    def walk(parent: int | None, path: tuple[int, ...], loss: str) -> None:
        for row in children.get(parent, ()):
            kinds = [one.equipment_class for one in row.of_classes.all()]
            mine = (*path, row.pk)
            listed.append(
                ReasonRow(
                    id=row.pk,
                    site_id=row.site_id,
                    code=row.code,
                    parent_id=row.parent_id,
                    parent_code=codes.get(row.parent_id, ""),
                    name_zh=row.name_zh,
                    name_en=row.name_en,
                    loss=row.loss or loss,
                    own_loss=row.loss,
                    class_ids=tuple(kind.pk for kind in kinds),
                    classes=tuple(sorted(kind.code for kind in kinds)),
                    position=row.position,
                    depth=len(path),
                    path=mine,
                    is_leaf=row.pk not in children,
                    is_retired=row.retired_at is not None,
                )
            )
            walk(row.pk, mine, row.loss or loss)

    walk(None, (), "")
    return listed


# ---- what was said ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExplanationRow:
    """Something said about ``[from_at, until_at)`` of a work unit; ``replaced_at`` None: it counts."""

    id: int
    work_unit_id: int
    reason_id: int
    comment: str
    from_at: datetime
    until_at: datetime
    is_start_cut: bool
    is_end_cut: bool
    given_by: str
    given_at: datetime
    replaced_at: datetime | None
    replaced_by: str
    continues_id: int | None

    @property
    def said(self) -> Said:
        """As the rules read it."""
        span = microseconds(self.from_at), microseconds(self.until_at)
        return Said(self.id, self.reason_id, *span, self.is_start_cut, self.is_end_cut)


_COLUMNS = tuple(ExplanationRow.__slots__)


def explanations(
    *, actor: Actor, site_id: int, start: datetime, end: datetime, work_unit_ids: Collection[int] | None = None
) -> list[ExplanationRow]:
    """What counts now and touches [start, end), by unit and time. One query."""
    actor.require(VIEW, site_id=site_id)
    rows = Explanation.objects.filter(site_id=site_id, replaced_at__isnull=True, from_at__lt=end, until_at__gt=start)
    if work_unit_ids is not None:
        rows = rows.filter(work_unit_id__in=work_unit_ids)
    return explanation_rows(rows)


def history_of(*, actor: Actor, unit: equipment.WorkUnitRow, start: datetime, end: datetime) -> list[ExplanationRow]:
    """Everything ever said about [start, end) of a unit, newest first. One query."""
    actor.require(VIEW, site_id=unit.site_id)
    rows = Explanation.objects.filter(work_unit_id=unit.id, from_at__lt=end, until_at__gt=start)
    return explanation_rows(rows.order_by("-given_at", "-id")[:200])


def explanation_rows(rows: Any) -> list[ExplanationRow]:
    """Read rows of the table as dataclasses."""
    return [ExplanationRow(*values) for values in rows.values_list(*_COLUMNS)]


def by_unit(rows: Iterable[ExplanationRow]) -> Mapping[int, Sequence[ExplanationRow]]:
    """Group what was said by work unit."""
    found: dict[int, list[ExplanationRow]] = {}
    for row in rows:
        found.setdefault(row.work_unit_id, []).append(row)
    return found
