"""Keeping the reason tree of a site. Reasons are retired, never deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from yuheng.analysis.models import Reason, ReasonClass
from yuheng.analysis.rules import MAX_REASONS, LossKind, Node, what_is_wrong_with_tree
from yuheng.analysis.selectors.reasons import EDIT
from yuheng.equipment import selectors as equipment
from yuheng.equipment.rules import is_code
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput, NotVisible


@dataclass(frozen=True, slots=True)
class ReasonSpec:
    """What a reason is; ``parent`` and ``classes`` by code."""

    code: str
    name_zh: str
    name_en: str
    parent: str = ""
    loss: str = ""
    classes: tuple[str, ...] = ()
    position: int = 0
    is_retired: bool = False


WRONG = {
    "circle": gettext_lazy("A reason cannot stand below itself."),
    "depth": gettext_lazy("The tree would be deeper than 5 levels."),
    "loss": gettext_lazy("A reason at the top must say what kind of loss it is."),
}


@transaction.atomic
def write_reasons(*, actor: Actor, site_id: int, reasons: Sequence[ReasonSpec], at: datetime) -> None:
    """Add the reasons, or change those that are there (by code); others stay as they are.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput
        ``fields`` says for each code why it is refused; then nothing is written.
    """
    actor.require(EDIT, site_id=site_id)
    there = {row.code: row for row in Reason.objects.select_for_update().filter(site_id=site_id)}
    kinds = equipment.equipment_class_ids(site_id=site_id)
    if wrong := _what_is_wrong(reasons, there, kinds):
        raise InvalidInput(_("The reasons cannot be written: %(why)s") % {"why": next(iter(wrong.values()))}, wrong)
    for spec in reasons:
        row = there.get(spec.code) or Reason(site_id=site_id, code=spec.code, loss=spec.loss or _placeholder(spec))
        row.name_zh, row.name_en, row.position = spec.name_zh, spec.name_en, spec.position
        row.retired_at = (row.retired_at or at) if spec.is_retired else None
        if row.pk is None:
            row.save()
        there[spec.code] = row
    for spec in reasons:  # parents may come behind their children
        row = there[spec.code]
        row.parent, row.loss = there.get(spec.parent), spec.loss
        row.save()
        row.of_classes.all().delete()
        ReasonClass.objects.bulk_create(
            ReasonClass(reason=row, equipment_class_id=kinds[code]) for code in dict.fromkeys(spec.classes)
        )
    audit.record(
        actor=actor,
        action="reasons.write",
        at=at,
        site_id=site_id,
        object_kind="reasons",
        object_id=site_id,
        codes=[spec.code for spec in reasons][:100],
        count=len(reasons),
    )


def _placeholder(spec: ReasonSpec) -> str:
    """A row at the top must name its loss; one that gets a parent in the next step need not."""
    return LossKind.WAITING.value if spec.parent else ""


def _what_is_wrong(specs: Sequence[ReasonSpec], there: dict[str, Reason], kinds: dict[str, int]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    wanted = {code: Node(code, row.parent.code if row.parent else "", row.loss) for code, row in there.items()}
    for spec in specs:
        if why := _what_is_wrong_with(spec, kinds):
            wrong[spec.code] = why
        wanted[spec.code] = Node(spec.code, spec.parent, spec.loss)
    for spec in specs:
        if spec.parent and spec.parent not in wanted:
            wrong[spec.code] = _("There is no reason '%(code)s' above it.") % {"code": spec.parent}
    if len(wanted) > MAX_REASONS:
        wrong[""] = _("A site has at most %(most)d reasons.") % {"most": MAX_REASONS}
    tree = what_is_wrong_with_tree(list(wanted.values()))
    return wrong | {code: str(WRONG[why]) for code, why in tree.items()}


def _what_is_wrong_with(spec: ReasonSpec, kinds: dict[str, int]) -> str:
    if not is_code(spec.code):
        return _("A code has letters, digits, '-', '_' and '.', at most 40.")
    if not spec.name_zh.strip() or not spec.name_en.strip():
        return _("Give the name in Chinese and in English.")
    if len(spec.name_zh) > 120 or len(spec.name_en) > 120:
        return _("A name has at most 120 characters.")
    if spec.loss and spec.loss not in {kind.value for kind in LossKind}:
        return _("There is no such kind of loss.")
    if unknown := [code for code in spec.classes if code not in kinds]:
        return _("There is no equipment class '%(code)s' here.") % {"code": unknown[0]}
    return ""


@transaction.atomic
def retire_reason(*, actor: Actor, reason_id: int, is_retired: bool, at: datetime) -> None:
    """Take a reason, with all below it, out of use or back into it. Raises `NotVisible`, `PermissionRefused`."""
    row = Reason.objects.visible_to(actor).select_for_update().filter(pk=reason_id).first()
    if row is None:
        raise NotVisible(_("There is no such reason here."))
    actor.require(EDIT, site_id=row.site_id)
    for one in [row, *_below(row)]:
        one.retired_at = at if is_retired else None
        one.save(update_fields=["retired_at"])
    audit.record(
        actor=actor,
        action="reasons.retire" if is_retired else "reasons.restore",
        at=at,
        site_id=row.site_id,
        object_kind="reason",
        object_id=row.code,
    )


def _below(row: Reason) -> list[Reason]:
    found: list[Reason] = []
    for child in Reason.objects.filter(parent=row):
        found += [child, *_below(child)]
    return found
