"""JSON edge: work masters."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from yuheng.engineering import selectors, services
from yuheng.engineering.api.contents import ComparisonOut, MadeOut, ReleaseIn, RetireIn, VersionOut, now
from yuheng.engineering.rules.comparing import Comparison
from yuheng.engineering.rules.specs import LinkSpec, ParameterSpec, SegmentSpec, WorkMasterSpec
from yuheng.engineering.rules.words import VersionKind
from yuheng.people.identity import actor_of

router = Router(tags=["engineering"])


class WorkMasterIn(Schema):
    """The whole content of a work master; without ``links`` its segments follow each other as they stand."""

    content: WorkMasterSpec
    edition: int | None = None


class WorkMasterOut(VersionOut):
    """A work master whole."""

    segments: list[SegmentSpec]
    links: list[LinkSpec]
    parameters: list[ParameterSpec]


@router.post("/materials/{int:material_id}/work-masters", response={201: MadeOut})
def define_work_master(request: HttpRequest, material_id: int, body: WorkMasterIn) -> Status[MadeOut]:
    """Make a new draft with all of its segments and links."""
    row = services.define_work_master(actor=actor_of(request), material_id=material_id, spec=body.content, at=now())
    return Status(201, MadeOut(id=row.pk, number=row.number, edition=row.edition))


@router.get("/work-masters/{int:work_master_id}", response=WorkMasterOut)
def work_master(request: HttpRequest, work_master_id: int) -> dict[str, Any]:
    """Return one work master whole."""
    found = selectors.work_master_version(actor=actor_of(request), version_id=work_master_id)
    version = {name: getattr(found.version, name) for name in VersionOut.model_fields}
    return version | {
        "segments": list(found.spec.segments),
        "links": list(found.spec.whole_links()),
        "parameters": list(found.spec.parameters),
    }


@router.put("/work-masters/{int:work_master_id}", response=MadeOut)
def replace_work_master(request: HttpRequest, work_master_id: int, body: WorkMasterIn) -> MadeOut:
    """Write a draft's whole content anew; a released work master is refused."""
    row = services.replace_work_master(
        actor=actor_of(request), version_id=work_master_id, spec=body.content, edition=body.edition, at=now()
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.delete("/work-masters/{int:work_master_id}", response={204: None})
def discard_work_master(request: HttpRequest, work_master_id: int) -> Status[None]:
    """Throw a draft away."""
    services.discard_work_master(actor=actor_of(request), version_id=work_master_id, at=now())
    return Status(204, None)


@router.post("/work-masters/{int:work_master_id}/copy", response={201: MadeOut})
def copy_work_master(request: HttpRequest, work_master_id: int) -> Status[MadeOut]:
    """Make a draft with the content of this version."""
    row = services.copy_work_master(actor=actor_of(request), version_id=work_master_id, at=now())
    return Status(201, MadeOut(id=row.pk, number=row.number, edition=row.edition))


@router.post("/work-masters/{int:work_master_id}/release", response=MadeOut)
def release_work_master(request: HttpRequest, work_master_id: int, body: ReleaseIn) -> MadeOut:
    """Put a draft into force; where another version holds, that takes an engineering change order."""
    row = services.release_work_master(
        actor=actor_of(request), version_id=work_master_id, effectivity=body.effectivity, at=now(body.at)
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.post("/work-masters/{int:work_master_id}/retire", response=MadeOut)
def retire_work_master(request: HttpRequest, work_master_id: int, body: RetireIn) -> MadeOut:
    """Take a released work master out of force: it must not be used any more."""
    kind = VersionKind.WORK_MASTER
    row = services.retire_version(
        actor=actor_of(request), kind=kind, version_id=work_master_id, reason=body.reason, at=now()
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.get("/work-masters/{int:work_master_id}/comparison", response=ComparisonOut)
def work_master_comparison(request: HttpRequest, work_master_id: int, other_id: int) -> Comparison:
    """Return what ``other_id`` has more, less and otherwise than this version."""
    return selectors.compare_work_masters(actor=actor_of(request), before_id=work_master_id, after_id=other_id)
