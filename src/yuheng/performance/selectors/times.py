"""Planned against measured: set-up and run of each step on each machine, with spread, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from statistics import median
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from yuheng.engineering import selectors as engineering
from yuheng.engineering.rules.specs import SegmentSpec, WorkMasterSpec
from yuheng.engineering.said import NoEffectiveVersion
from yuheng.equipment import selectors as equipment
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import NotVisible
from yuheng.operations.selectors import history
from yuheng.operations.selectors.pages import VIEW
from yuheng.performance.models import JobTime, StandardProposal
from yuheng.performance.rules.periods import Period
from yuheng.performance.rules.spread import Spread, spread
from yuheng.performance.rules.standards import Judged, Part, Verdict, judge, plain_seconds, rewritten
from yuheng.performance.rules.times import Told

MOST_STEPS = 500
MOST_JOBS = 2_000
ENGINEERING_VIEW = "engineering.view"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step of a product on a machine: what finished job orders took, seconds; run for one ``run_quantity``.

    ``by_person``, ``by_signal``, ``by_import``: how many were told by whom (both: counted with the signals).
    """

    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    segment: str
    work_unit_id: int | None
    unit_code: str
    unit_zh: str
    unit_en: str
    n: int
    planned_run_s: float
    run_s: float
    run_p10_s: float
    run_p90_s: float
    planned_setup_s: float
    setups: int
    setup_s: float | None
    setup_p10_s: float | None
    setup_p90_s: float | None
    pauses: int
    by_person: int
    by_signal: int
    by_import: int

    @property
    def ratio(self) -> float | None:
        """Return measured over planned run."""
        return self.run_s / self.planned_run_s if self.planned_run_s > 0 else None


_STEPS = """
SELECT material_id, segment, work_unit_id, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY planned_run_s),
       percentile_cont(ARRAY[0.5, 0.1, 0.9]) WITHIN GROUP (ORDER BY run_s),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY planned_setup_s), count(setup_s),
       percentile_cont(ARRAY[0.5, 0.1, 0.9]) WITHIN GROUP (ORDER BY setup_s), sum(pauses),
       count(*) FILTER (WHERE source = 'person'), count(*) FILTER (WHERE source IN ('signal', 'mixed')),
       count(*) FILTER (WHERE source = 'import')
FROM performance_jobtime
WHERE site_id = %s AND ended_at >= %s AND ended_at < %s AND (%s::bigint IS NULL OR material_id = %s)
      AND (%s::bigint IS NULL OR work_unit_id = %s)
GROUP BY material_id, segment, work_unit_id
ORDER BY count(*) DESC, material_id, segment, work_unit_id
LIMIT %s
"""


def measured_steps(
    *, actor: Actor, site_id: int, period: Period, material_id: int | None = None, work_unit_id: int | None = None
) -> list[StepRow]:
    """Steps that were finished in a period, those with the most job orders first; at most 500. Three queries.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    with connection.cursor() as cursor:
        cursor.execute(
            _STEPS,
            [site_id, period.start, period.closes, material_id, material_id, work_unit_id, work_unit_id, MOST_STEPS],
        )
        rows = cursor.fetchall()
    names = engineering.material_names({row[0] for row in rows})
    units = equipment.names_of_work_units({row[2] for row in rows if row[2] is not None})
    found = []
    for material, segment, unit, n, planned, runs, planned_setup, setups, setup, *counts in rows:
        name = names[material]
        made: list[Any] = [
            material, name.code, name.name_zh, name.name_en, segment, unit, *units.get(unit, ("", "", "")), n, planned,
            *runs, planned_setup, setups, *(setup or (None, None, None)), *(int(one) for one in counts),
        ]  # fmt: skip
        found.append(StepRow(*made))
    return found


# ---- one step --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimedJob:
    """One finished job order of a step. ``*_outlier``: it stands apart from the others."""

    job_order_id: int
    code: str
    work_unit_id: int | None
    unit_code: str
    source: Told
    pieces: Decimal
    setup_s: float | None
    planned_setup_s: float
    run_s: float
    planned_run_s: float
    pauses: int
    paused_s: float
    started_at: datetime
    ended_at: datetime
    is_setup_outlier: bool = False
    is_run_outlier: bool = False


@dataclass(frozen=True, slots=True)
class Standard:
    """One time of a step as the work master in force says it, what was measured, and what follows.

    ``formula`` is the present one, ``proposed_formula`` "" unless something is proposed. ``load_s``: what it would add
    to the planned work of ``open_jobs`` job orders that have not begun.
    """

    part: Part
    formula: str
    is_plain: bool
    spread: Spread | None
    judged: Judged
    proposed_formula: str
    open_jobs: int
    load_s: float


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """A proposal to change a standard, with the change that carries it and its state."""

    id: int
    segment: str
    work_unit_id: int | None
    unit_code: str
    part: Part
    present_s: float
    proposed_s: float
    present_formula: str
    proposed_formula: str
    n: int
    low_s: float
    high_s: float
    change_id: int
    change_code: str
    change_state: str
    draft_id: int | None
    draft_number: int
    material_id: int
    material_code: str
    made_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class StepDetail:
    """A step of a product, on one machine or on all that share its standard.

    ``version_id`` None: no work master is in force, or the reader may not see it. ``is_own``: the machine has a
    standard of its own, or could have one.
    """

    site_id: int
    material_id: int
    material_code: str
    material_zh: str
    material_en: str
    segment: str
    segment_zh: str
    segment_en: str
    work_unit_id: int | None
    unit_code: str
    version_id: int | None
    version_number: int | None
    run_quantity: Decimal
    is_batch: bool
    is_own: bool
    jobs: tuple[TimedJob, ...]
    machines: tuple[StepRow, ...]
    setup: Standard
    run: Standard
    proposals: tuple[ProposalRow, ...]


def measured_step(
    *,
    actor: Actor,
    site_id: int,
    material_id: int,
    segment: str,
    period: Period,
    on: date,
    work_unit_id: int | None = None,
) -> StepDetail:
    """Return one step with everything behind its numbers. About twenty-five queries.

    Raises
    ------
    PermissionRefused, NotVisible
    """
    actor.require(VIEW, site_id=site_id)
    name = engineering.material_names([material_id]).get(material_id)
    machines = [
        row
        for row in measured_steps(actor=actor, site_id=site_id, period=period, material_id=material_id)
        if row.segment == segment
    ]
    if name is None or not (machines or _is_known(site_id, material_id, segment)):
        raise NotVisible(_("Nothing was measured of this step here."))
    version = _in_force(actor, site_id, material_id, on)
    spec = _segment(version.spec, segment) if version is not None else None
    own = _own(spec, work_unit_id)
    shared = _sharing(spec, machines) if work_unit_id is None else None
    jobs = _jobs(site_id, material_id, segment, period, work_unit_id, shared)
    version_id = version.version.id if version is not None else None
    open_work = history.open_work(site_id=site_id, material_id=material_id, segment=segment, work_unit_id=work_unit_id)
    has_scope = spec is not None and (work_unit_id is None or own is not None)
    setup = _standard(Part.SETUP, spec if has_scope else None, own, jobs, version_id, open_work)
    run = _standard(Part.RUN, spec if has_scope else None, own, jobs, version_id, open_work)
    units = equipment.names_of_work_units([work_unit_id] if work_unit_id is not None else [])
    return StepDetail(
        site_id=site_id,
        material_id=material_id,
        material_code=name.code,
        material_zh=name.name_zh,
        material_en=name.name_en,
        segment=segment,
        segment_zh=spec.name_zh if spec is not None else "",
        segment_en=spec.name_en if spec is not None else "",
        work_unit_id=work_unit_id,
        unit_code=units[work_unit_id][0] if work_unit_id in units else "",
        version_id=version_id,
        version_number=version.version.number if version is not None else None,
        run_quantity=spec.run_quantity if spec is not None else Decimal(1),
        is_batch=spec is not None and spec.batch_size is not None,
        is_own=own is not None,
        jobs=_with_outliers(jobs, setup.spread, run.spread),
        machines=tuple(machines),
        setup=setup,
        run=run,
        proposals=tuple(proposals(actor=actor, site_id=site_id, material_id=material_id, segment=segment)),
    )


def _is_known(site_id: int, material_id: int, segment: str) -> bool:
    return JobTime.objects.filter(site_id=site_id, material_id=material_id, segment=segment).exists()


def _in_force(actor: Actor, site_id: int, material_id: int, on: date) -> engineering.WorkMasterRow | None:
    if not actor.may(ENGINEERING_VIEW, site_id=site_id):
        return None
    try:
        found = engineering.effective_versions(material_id=material_id, on=on)
    except NoEffectiveVersion:
        return None
    if found.work_master_version_id is None:
        return None
    return engineering.work_master_version(actor=actor, version_id=found.work_master_version_id)


def _segment(spec: WorkMasterSpec, code: str) -> SegmentSpec | None:
    return next((one for one in spec.segments if one.code == code), None)


def _own(spec: SegmentSpec | None, work_unit_id: int | None) -> Any:
    """Return the machine's own line in the step, or None."""
    if spec is None or work_unit_id is None:
        return None
    return next((one for one in spec.alternatives if one.work_unit_id == work_unit_id), None)


def _sharing(spec: SegmentSpec | None, machines: Sequence[StepRow]) -> set[int | None] | None:
    """Return the machines that go by the step's own standard; None: all of them."""
    if spec is None:
        return None
    apart = {one.work_unit_id for one in spec.alternatives if one.run_time.strip() or one.setup_time.strip()}
    return {row.work_unit_id for row in machines} - apart if apart else None


def _jobs(
    site_id: int, material_id: int, segment: str, period: Period, unit: int | None, shared: set[int | None] | None
) -> list[tuple[TimedJob, int | None]]:
    """Return the newest finished job orders of a step with the version they were made by. One query."""
    rows = JobTime.objects.filter(
        site_id=site_id, material_id=material_id, segment=segment, ended_at__gte=period.start,
        ended_at__lt=period.closes,
    )  # fmt: skip
    if unit is not None:
        rows = rows.filter(work_unit_id=unit)
    elif shared is not None:
        rows = rows.filter(work_unit_id__in=[one for one in shared if one is not None])
    values = rows.order_by("-ended_at", "-pk").values_list(
        "job_order_id", "job_order__code", "work_unit_id", "work_unit__code", "source", "pieces", "setup_s",
        "planned_setup_s", "run_s", "planned_run_s", "pauses", "paused_s", "started_at", "ended_at",
        "work_master_version_id",
    )  # fmt: skip
    found = []
    for *told, version in values[:MOST_JOBS]:
        told[3], told[4] = told[3] or "", Told(told[4])
        found.append((TimedJob(*told), version))
    return found


def _standard(
    part: Part,
    spec: SegmentSpec | None,
    own: Any,
    jobs: Sequence[tuple[TimedJob, int | None]],
    version_id: int | None,
    open_work: history.OpenWork,
) -> Standard:
    """Compare one time of a step. A formula that depends on the product is compared by ratios, of its own version."""
    name = "setup_time" if part is Part.SETUP else "run_time"
    text = (getattr(own, name).strip() if own is not None else "") or (getattr(spec, name) if spec is not None else "")
    plain = plain_seconds(text) if spec is not None else None
    values = values_of(part, jobs, plain is not None, version_id)
    planned = [one.planned_setup_s if part is Part.SETUP else one.planned_run_s for one, _version in jobs]
    present = plain if plain is not None else (median(planned) if planned else None)
    if plain is None and spec is not None and present:
        values = [value * present for value in values]
    elif plain is None and spec is not None:
        values = []
    found = spread(values)
    judged = judge(present if spec is not None else None, found)
    if spec is None and present:
        ratio = found.median / present if found is not None else None
        judged = Judged(Verdict.NO_STANDARD, present, None, ratio)
    proposed = ""
    load_s = 0.0
    if judged.proposed_s is not None and judged.present_s is not None:
        proposed = rewritten(text, judged.present_s, judged.proposed_s)
        if part is Part.SETUP:
            load_s = open_work.jobs * (judged.proposed_s - judged.present_s)
        elif judged.present_s > 0:
            load_s = open_work.run_s * (judged.proposed_s / judged.present_s - 1.0)
    return Standard(part, text, plain is not None, found, judged, proposed, open_work.jobs, load_s)


def values_of(
    part: Part, jobs: Sequence[tuple[TimedJob, int | None]], is_plain: bool, version_id: int | None
) -> list[float]:
    """Return what is compared: seconds, or, where the standard is a formula, measured over planned."""
    found = []
    for one, version in jobs:
        measured = one.setup_s if part is Part.SETUP else one.run_s
        planned = one.planned_setup_s if part is Part.SETUP else one.planned_run_s
        if measured is None:
            continue
        if is_plain or version_id is None:
            found.append(measured)
        elif version == version_id and planned > 0:
            found.append(measured / planned)
    return found


def _with_outliers(
    jobs: Sequence[tuple[TimedJob, int | None]], setup: Spread | None, run: Spread | None
) -> tuple[TimedJob, ...]:
    """Name the job orders that stand apart from the others by their own values."""
    runs = spread([one.run_s for one, _version in jobs]) if run is not None else None
    told = [index for index, (one, _version) in enumerate(jobs) if one.setup_s is not None]
    setups = spread([one.setup_s or 0.0 for one, _version in jobs if one.setup_s is not None]) if setup else None
    apart_run = set(runs.outliers) if runs is not None else set()
    apart_setup = {told[index] for index in setups.outliers} if setups is not None else set()
    return tuple(_marked(one, index in apart_setup, index in apart_run) for index, (one, _version) in enumerate(jobs))


def _marked(job: TimedJob, is_setup: bool, is_run: bool) -> TimedJob:
    fields = [getattr(job, name) for name in TimedJob.__slots__]
    fields[-2:] = [is_setup, is_run]
    return TimedJob(*fields)


# ---- proposals -------------------------------------------------------------------------------------------------------


def proposals(
    *, actor: Actor, site_id: int, material_id: int | None = None, segment: str = "", limit: int = 100
) -> list[ProposalRow]:
    """Proposals of a site, newest first. One query.

    Raises
    ------
    PermissionRefused
    """
    actor.require(VIEW, site_id=site_id)
    rows = StandardProposal.objects.filter(site_id=site_id)
    if material_id is not None:
        rows = rows.filter(material_id=material_id)
    if segment:
        rows = rows.filter(segment=segment)
    values = rows.values_list(
        "pk", "segment", "work_unit_id", "work_unit__code", "part", "present_s", "proposed_s", "present_formula",
        "proposed_formula", "n", "low_s", "high_s", "change_id", "change_code", "change__state", "draft_id",
        "draft_number", "material_id", "material__code", "made_at", "made_by",
    )  # fmt: skip
    found = []
    for told in values[:limit]:
        row = list(told)
        row[3], row[4] = row[3] or "", Part(row[4])
        found.append(ProposalRow(*row))
    return found
