"""JSON edge: bills of material."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema, Status

from yuheng.engineering import selectors, services
from yuheng.engineering.api.contents import ComparisonOut, MadeOut, ReleaseIn, RetireIn, VersionOut, now
from yuheng.engineering.rules.comparing import Comparison
from yuheng.engineering.rules.specs import BomSpec, LineSpec, ParameterSpec
from yuheng.engineering.rules.words import VersionKind
from yuheng.people.identity import actor_of

router = Router(tags=["engineering"])


class BomIn(Schema):
    """The whole content of a bill; ``edition`` of the draft that it replaces, so that nobody's work is lost."""

    content: BomSpec
    edition: int | None = None


class BomOut(VersionOut):
    """A bill of material whole; ``codes``: material id -> code of every material in it."""

    base_quantity: str
    lines: list[LineSpec]
    parameters: list[ParameterSpec]
    codes: dict[int, str]


@router.post("/materials/{int:material_id}/boms", response={201: MadeOut})
def define_bom(request: HttpRequest, material_id: int, body: BomIn) -> Status[MadeOut]:
    """Make a new draft with all of its lines."""
    row = services.define_bom(actor=actor_of(request), material_id=material_id, spec=body.content, at=now())
    return Status(201, MadeOut(id=row.pk, number=row.number, edition=row.edition))


@router.get("/boms/{int:bom_id}", response=BomOut)
def bom(request: HttpRequest, bom_id: int) -> dict[str, Any]:
    """Return one bill of material whole."""
    found = selectors.bom_version(actor=actor_of(request), version_id=bom_id)
    version = {name: getattr(found.version, name) for name in VersionOut.model_fields}
    return version | {
        "base_quantity": str(found.spec.base_quantity),
        "lines": list(found.spec.lines),
        "parameters": list(found.spec.parameters),
        "codes": {pk: part.code for pk, part in found.parts.items()},
    }


@router.put("/boms/{int:bom_id}", response=MadeOut)
def replace_bom(request: HttpRequest, bom_id: int, body: BomIn) -> MadeOut:
    """Write a draft's whole content anew; a released bill is refused."""
    row = services.replace_bom(
        actor=actor_of(request), version_id=bom_id, spec=body.content, edition=body.edition, at=now()
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.delete("/boms/{int:bom_id}", response={204: None})
def discard_bom(request: HttpRequest, bom_id: int) -> Status[None]:
    """Throw a draft away."""
    services.discard_bom(actor=actor_of(request), version_id=bom_id, at=now())
    return Status(204, None)


@router.post("/boms/{int:bom_id}/copy", response={201: MadeOut})
def copy_bom(request: HttpRequest, bom_id: int) -> Status[MadeOut]:
    """Make a draft with the content of this version."""
    row = services.copy_bom(actor=actor_of(request), version_id=bom_id, at=now())
    return Status(201, MadeOut(id=row.pk, number=row.number, edition=row.edition))


@router.post("/boms/{int:bom_id}/release", response=MadeOut)
def release_bom(request: HttpRequest, bom_id: int, body: ReleaseIn) -> MadeOut:
    """Put a draft into force; where another version holds, that takes an engineering change order."""
    row = services.release_bom(
        actor=actor_of(request), version_id=bom_id, effectivity=body.effectivity, at=now(body.at)
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.post("/boms/{int:bom_id}/retire", response=MadeOut)
def retire_bom(request: HttpRequest, bom_id: int, body: RetireIn) -> MadeOut:
    """Take a released bill out of force: it must not be used any more."""
    row = services.retire_version(
        actor=actor_of(request), kind=VersionKind.BOM, version_id=bom_id, reason=body.reason, at=now()
    )
    return MadeOut(id=row.pk, number=row.number, edition=row.edition)


@router.get("/boms/{int:bom_id}/comparison", response=ComparisonOut)
def bom_comparison(request: HttpRequest, bom_id: int, other_id: int) -> Comparison:
    """Return what ``other_id`` has more, less and otherwise than this version."""
    return selectors.compare_boms(actor=actor_of(request), before_id=bom_id, after_id=other_id)
