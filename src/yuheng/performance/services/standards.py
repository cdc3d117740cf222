"""Having a standard changed to what was measured: a draft version in a change that another person approves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.engineering import services as changing
from yuheng.engineering.rules.specs import ChangeSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import ChangeState, VersionKind
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict
from yuheng.performance.models import StandardProposal
from yuheng.performance.rules.periods import Period
from yuheng.performance.rules.standards import Part
from yuheng.performance.selectors.times import Standard, StepDetail, measured_step

EDIT = "engineering.edit"
OPEN = (ChangeState.DRAFT, ChangeState.IN_REVIEW, ChangeState.APPROVED)
MOST_EVIDENCE = 2_000


@transaction.atomic
def propose_standard(
    *,
    actor: Actor,
    site_id: int,
    material_id: int,
    segment: str,
    part: Part,
    period: Period,
    on: date,
    at: datetime,
    work_unit_id: int | None = None,
) -> StandardProposal:
    """Write the measured time into the next draft of the work master, inside an engineering change order.

    A change of a product that an earlier proposal wrote and nobody has submitted yet takes this one, too. Released
    versions stay as they are; another person approves the change.

    Raises
    ------
    PermissionRefused
        Needs ``engineering.edit`` (and ``operations.view``) at the site.
    NotVisible
    Conflict
        What was measured says nothing better: too few job orders, too wide a spread, or the standard holds; or a
        proposal for this time is open already.
    """
    actor.require(EDIT, site_id=site_id)
    detail = measured_step(
        actor=actor, site_id=site_id, material_id=material_id, segment=segment, period=period, on=on,
        work_unit_id=work_unit_id,
    )  # fmt: skip
    standard = detail.setup if part is Part.SETUP else detail.run
    found, judged = standard.spread, standard.judged
    if judged.proposed_s is None or judged.present_s is None or found is None or detail.version_id is None:
        raise Conflict(_("What was measured proposes nothing for this time; the page says why."))
    _check_none_is_open(detail, part)
    draft_id, draft_number, change_id, change_code = _draft_of(actor, detail, period, on=on, at=at)
    _write(actor, draft_id, detail, standard, at=at)
    assert found.low is not None
    assert found.high is not None
    row = StandardProposal.objects.create(
        site_id=site_id, material_id=material_id, segment=segment, work_unit_id=work_unit_id, part=part.value,
        version_id=detail.version_id, draft_id=draft_id, draft_number=draft_number, change_id=change_id,
        change_code=change_code, present_formula=standard.formula, proposed_formula=standard.proposed_formula,
        present_s=judged.present_s, proposed_s=judged.proposed_s, n=found.n, p10_s=found.p10, p90_s=found.p90,
        low_s=found.low, high_s=found.high, open_jobs=standard.open_jobs, load_s=standard.load_s,
        evidence=_evidence(detail, part), first_at=period.start, last_at=period.end, made_at=at,
        made_by=actor.name, person_id=actor.person_id,
    )  # fmt: skip
    audit.record(
        actor=actor, action="performance.standard_proposed", at=at, site_id=site_id, object_kind="standard_proposal",
        object_id=change_code, material=detail.material_code, segment=segment, unit=detail.unit_code, part=part.value,
        present_s=judged.present_s, proposed_s=judged.proposed_s, n=found.n, draft=draft_number,
    )  # fmt: skip
    return row


def _check_none_is_open(detail: StepDetail, part: Part) -> None:
    for one in detail.proposals:
        if one.part is part and one.work_unit_id == detail.work_unit_id and one.change_state in OPEN:
            raise Conflict(
                _("Change %(code)s proposes a new standard for this time already. Decide on it first.")
                % {"code": one.change_code}
            )


def _draft_of(actor: Actor, detail: StepDetail, period: Period, *, on: date, at: datetime) -> tuple[int, int, int, str]:
    """Return the draft version and the change that take the new standard: open ones of this product, or new ones."""
    open_rows = StandardProposal.objects.filter(
        site_id=detail.site_id, material_id=detail.material_id, version_id=detail.version_id, draft__isnull=False,
        change__state=ChangeState.DRAFT.value,
    )  # fmt: skip
    known = open_rows.values_list("draft_id", "draft_number", "change_id", "change_code").first()
    if known is not None and known[0] is not None:
        return known[0], known[1], known[2], known[3]
    assert detail.version_id is not None
    draft = changing.copy_work_master(actor=actor, version_id=detail.version_id, at=at)
    change = changing.create_change(
        actor=actor,
        site_id=detail.site_id,
        spec=ChangeSpec(
            title=_("Measured times of %(product)s") % {"product": detail.material_code},
            reason=_("Job orders finished from %(first)s to %(last)s took other times than the standard says.")
            % {"first": period.first.isoformat(), "last": period.last.isoformat()},
            effective_from=on,
        ),
        at=at,
    )
    changing.add_to_change(actor=actor, change_id=change.pk, kind=VersionKind.WORK_MASTER, version_id=draft.pk, at=at)
    return draft.pk, draft.number, change.pk, change.code


def _write(actor: Actor, draft_id: int, detail: StepDetail, standard: Standard, *, at: datetime) -> None:
    present = engineering.work_master_version(actor=actor, version_id=draft_id)
    segments = tuple(
        _changed(one, detail.work_unit_id, standard) if one.code == detail.segment else one
        for one in present.spec.segments
    )
    spec: WorkMasterSpec = replace(present.spec, segments=segments)
    changing.replace_work_master(actor=actor, version_id=draft_id, spec=spec, at=at, edition=present.version.edition)


def _changed(one: SegmentSpec, work_unit_id: int | None, standard: Standard) -> SegmentSpec:
    name = "setup_time" if standard.part is Part.SETUP else "run_time"
    new: dict[str, Any] = {name: standard.proposed_formula}
    if work_unit_id is None:
        return replace(one, **new)
    alternatives = tuple(
        replace(other, **new) if other.work_unit_id == work_unit_id else other for other in one.alternatives
    )
    return replace(one, alternatives=alternatives)


def _evidence(detail: StepDetail, part: Part) -> list[list[float]]:
    rows = ((one.job_order_id, one.setup_s if part is Part.SETUP else one.run_s) for one in detail.jobs)
    return [[pk, seconds] for pk, seconds in rows if seconds is not None][:MOST_EVIDENCE]
