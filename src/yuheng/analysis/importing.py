"""What analysis adds to plant files: the reason tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils.translation import gettext as _

from yuheng.analysis.models import Reason
from yuheng.analysis.rules import LossKind, Node, what_is_wrong_with_tree
from yuheng.analysis.services import reasons
from yuheng.analysis.services.reasons import WRONG, ReasonSpec
from yuheng.equipment.importing import Field, PlannedRow, Section, Values
from yuheng.equipment.importing import fields as read
from yuheng.kernel.actor import Actor


class ReasonSection(Section):
    """Why machines stand: a tree by ``parent``."""

    name = "reasons"
    fields = (
        Field("code", read.code, is_key=True),
        Field("parent", read.optional_code, default=""),
        Field("name_zh", read.filled_text()),
        Field("name_en", read.filled_text()),
        Field("loss", read.one_of(("", *LossKind)), default=""),
        Field("classes", read.texts(40), default=[], refers_to="classes"),
        Field("is_retired", read.boolean, default=False),
    )

    def existing(self, site_id: int) -> dict[str, Values]:
        """Two queries; in the order of the tree's positions."""
        rows = (
            Reason.objects.filter(site_id=site_id)
            .select_related("parent")
            .prefetch_related("of_classes__equipment_class")
        )
        return {
            row.code: {
                "code": row.code,
                "parent": row.parent.code if row.parent else "",
                "name_zh": row.name_zh,
                "name_en": row.name_en,
                "loss": row.loss,
                "classes": sorted(one.equipment_class.code for one in row.of_classes.all()),
                "is_retired": row.retired_at is not None,
            }
            for row in rows
        }

    def check_together(self, rows: Sequence[PlannedRow], existing: Mapping[str, Values]) -> dict[str, str]:
        """Return the rows that cannot stand in a tree."""
        wanted = {**existing, **{row.key: {**existing.get(row.key, {}), **row.values} for row in rows}}
        nodes = [Node(code, str(one.get("parent", "")), str(one.get("loss", ""))) for code, one in wanted.items()]
        wrong = {code: str(WRONG[why]) for code, why in what_is_wrong_with_tree(nodes).items()}
        for node in nodes:
            if node.parent and node.parent not in wanted:
                wrong[node.code] = _("There is no reason '%(code)s' above it.") % {"code": node.parent}
        return wrong

    def apply(self, *, actor: Actor, site_id: int, rows: Sequence[PlannedRow], at: datetime) -> None:
        """Write them; new ones stand behind those that are there."""
        existing = self.existing(site_id)
        places = {code: number for number, code in enumerate([*existing, *(row.key for row in rows)])}
        specs = []
        for row in rows:
            values = {**existing.get(row.key, {}), **row.values}
            classes = tuple(values.pop("classes"))
            specs.append(ReasonSpec(**values, classes=classes, position=places[row.key]))
        reasons.write_reasons(actor=actor, site_id=site_id, reasons=specs, at=at)


SECTIONS: tuple[Section, ...] = (ReasonSection(),)
"""Behind those of equipment: reasons name classes."""
