"""JSON edge: materials, classes, revisions, documents, where they are used, and products for orders."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema, Status

from yuheng.engineering import selectors, services
from yuheng.engineering.api.contents import AskedOut, LineOut, MadeOut, OptionValue, VersionOut, now
from yuheng.engineering.rules.specs import MaterialSpec
from yuheng.engineering.rules.words import Source, Tracking, VersionState
from yuheng.engineering.shown import file_response
from yuheng.people.identity import actor_of

router = Router(tags=["engineering"])


class MaterialOut(Schema):
    """A material definition. ``conversions``: other unit -> so many of ``unit``, as text."""

    id: int
    site_id: int
    code: str
    name_zh: str
    name_en: str
    description: str
    unit: str
    source: Source
    tracking: Tracking
    class_code: str
    revision: str
    retired_at: datetime | None
    conversions: dict[str, Decimal]


class MaterialIn(Schema):
    """A material. ``unit`` is a UCUM code; ``conversions`` say how many of it another unit is."""

    code: str
    name_zh: str
    name_en: str
    unit: str = "{piece}"
    source: Source = Source.BUY
    tracking: Tracking = Tracking.NONE
    class_code: str = ""
    description: str = ""
    conversions: dict[str, Decimal] = {}

    def spec(self) -> MaterialSpec:
        """Return it as services take it."""
        return MaterialSpec(**self.dict())


class MaterialQuestion(Schema):
    """Which materials; ``after`` is the last code of the page before."""

    text: str = ""
    source: Source | None = None
    class_code: str = ""
    with_retired: bool = False
    after: str = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class ClassOut(Schema):
    """A material class."""

    id: int
    code: str
    name_zh: str
    name_en: str


class ClassIn(Schema):
    """A material class; the one with this code is renamed."""

    code: str
    name_zh: str
    name_en: str


class RevisionOut(Schema):
    """What a material was changed to."""

    id: int
    code: str
    reason: str
    created_at: datetime
    created_by: str
    document_ids: list[int]


class RevisionIn(Schema):
    """A new revision with its drawings."""

    code: str
    reason: str = ""
    document_ids: list[int] = []


class VersionsOut(Schema):
    """Every version of a material, newest first."""

    boms: list[VersionOut]
    work_masters: list[VersionOut]


class WhereUsedOut(Schema):
    """A bill that uses the material, or something that contains it; ``way`` leads up to it."""

    level: int
    way: list[str]
    material_id: int
    code: str
    name_zh: str
    name_en: str
    bom_version_id: int
    number: int
    state: VersionState
    find_number: str
    quantity: str
    unit: str
    is_alternate: bool


class DocumentOut(Schema):
    """A kept file; its content is at ``/documents/{id}``."""

    id: int
    name: str
    media_type: str
    size_bytes: int
    sha256: str


class ResolveIn(Schema):
    """A product for one order. ``on`` decides which versions hold (default: today at the plant)."""

    material_id: int
    quantity: Decimal
    unit: str = ""
    on: date | None = None
    serial: str = ""
    order_code: str = ""
    options: dict[str, OptionValue] = {}


class ExplosionIn(Schema):
    """Options and quantity to look through a bill with."""

    quantity: Decimal = Decimal(1)
    on: date | None = None
    options: dict[str, OptionValue] = {}


@router.get("/sites/{int:site_id}/materials", response=list[MaterialOut])
def materials(request: HttpRequest, site_id: int, asked: Query[MaterialQuestion]) -> list[selectors.MaterialRow]:
    """List materials by code; every word of ``text`` stands in the code or a name."""
    return selectors.search_materials(
        actor=actor_of(request),
        site_id=site_id,
        text=asked.text,
        source=asked.source.value if asked.source else "",
        class_code=asked.class_code,
        with_retired=asked.with_retired,
        after=asked.after,
        limit=asked.limit,
    )


@router.post("/sites/{int:site_id}/materials", response={201: MadeOut})
def create_material(request: HttpRequest, site_id: int, body: MaterialIn) -> Status[MadeOut]:
    """Add a material."""
    row = services.create_material(actor=actor_of(request), site_id=site_id, spec=body.spec(), at=now())
    return Status(201, MadeOut(id=row.pk, code=row.code))


@router.get("/materials/{int:material_id}", response=MaterialOut)
def material(request: HttpRequest, material_id: int) -> selectors.MaterialRow:
    """Return one material."""
    return selectors.material(actor=actor_of(request), material_id=material_id)


@router.put("/materials/{int:material_id}", response=MaterialOut)
def edit_material(request: HttpRequest, material_id: int, body: MaterialIn) -> selectors.MaterialRow:
    """Change a material; its code stays, and its unit while bills use it."""
    actor = actor_of(request)
    services.edit_material(actor=actor, material_id=material_id, spec=body.spec(), at=now())
    return selectors.material(actor=actor, material_id=material_id)


@router.post("/materials/{int:material_id}/retire", response=MaterialOut)
def retire_material(request: HttpRequest, material_id: int) -> selectors.MaterialRow:
    """Take a material out of use; refused while a bill in force uses it."""
    actor = actor_of(request)
    services.retire_material(actor=actor, material_id=material_id, at=now())
    return selectors.material(actor=actor, material_id=material_id)


@router.post("/materials/{int:material_id}/restore", response=MaterialOut)
def restore_material(request: HttpRequest, material_id: int) -> selectors.MaterialRow:
    """Take a retired material into use again."""
    actor = actor_of(request)
    services.restore_material(actor=actor, material_id=material_id, at=now())
    return selectors.material(actor=actor, material_id=material_id)


@router.get("/materials/{int:material_id}/revisions", response=list[RevisionOut])
def material_revisions(request: HttpRequest, material_id: int) -> list[selectors.RevisionRow]:
    """List the revisions of a material, newest first."""
    return selectors.revisions_of(actor=actor_of(request), material_id=material_id)


@router.post("/materials/{int:material_id}/revisions", response={201: MadeOut})
def revise_material(request: HttpRequest, material_id: int, body: RevisionIn) -> Status[MadeOut]:
    """Make a new revision, which is the current one from now on."""
    row = services.revise_material(actor=actor_of(request), material_id=material_id, at=now(), **body.dict())
    return Status(201, MadeOut(id=row.pk, code=row.code))


@router.get("/materials/{int:material_id}/versions", response=VersionsOut)
def material_versions(request: HttpRequest, material_id: int) -> selectors.MaterialVersions:
    """List the bills of material and work masters of a material."""
    return selectors.versions_of(actor=actor_of(request), material_id=material_id)


@router.get("/materials/{int:material_id}/where-used", response=list[WhereUsedOut])
def material_where_used(
    request: HttpRequest, material_id: int, levels: Annotated[int, Field(ge=0, le=40)] = 0, with_drafts: bool = True
) -> list[selectors.WhereUsedRow]:
    """List the bills that use a material, directly and through others; ``levels`` 0: up to the products."""
    return selectors.where_used(
        actor=actor_of(request), material_id=material_id, levels=levels, with_drafts=with_drafts
    )


@router.get("/sites/{int:site_id}/material-classes", response=list[ClassOut])
def material_classes(request: HttpRequest, site_id: int) -> list[selectors.ClassRow]:
    """List the material classes of a site."""
    return selectors.material_classes(actor=actor_of(request), site_id=site_id)


@router.post("/sites/{int:site_id}/material-classes", response={201: MadeOut})
def save_material_class(request: HttpRequest, site_id: int, body: ClassIn) -> Status[MadeOut]:
    """Add a material class, or rename the one with this code."""
    row = services.save_material_class(actor=actor_of(request), site_id=site_id, at=now(), **body.dict())
    return Status(201, MadeOut(id=row.pk, code=row.code))


@router.get("/sites/{int:site_id}/documents", response=list[DocumentOut])
def documents(request: HttpRequest, site_id: int) -> list[selectors.DocumentName]:
    """List the first 500 drawings, pictures and instructions of a site by name."""
    return selectors.document_names(actor=actor_of(request), site_id=site_id)


@router.post("/sites/{int:site_id}/documents", response={201: MadeOut})
def keep_document(request: HttpRequest, site_id: int, name: str) -> Status[MadeOut]:
    """Keep a PDF, PNG, JPEG, GIF or WebP file of at most 16 MB: the body is the file itself. It is kept once."""
    actor = actor_of(request)
    actor.require("engineering.edit", site_id=site_id)
    content = request.read(services.LARGEST_DOCUMENT + 1)  # never more in memory, whatever is sent
    row = services.keep_document(actor=actor, site_id=site_id, name=name, content=content, at=now())
    return Status(201, MadeOut(id=row.pk))


@router.get("/documents/{int:document_id}", response={200: None})
def document_content(request: HttpRequest, document_id: int) -> HttpResponse:
    """Return the content of a kept file."""
    return file_response(selectors.document_file(actor=actor_of(request), document_id=document_id))


@router.post("/sites/{int:site_id}/resolve", response=AskedOut)
def resolve_material(request: HttpRequest, site_id: int, body: ResolveIn) -> AskedOut:
    """Return a product for one order: every level, quantity and time, as an order would freeze it; writes nothing."""
    at = now()
    found = selectors.resolve(
        actor=actor_of(request),
        site_id=site_id,
        material_id=body.material_id,
        quantity=body.quantity,
        unit=body.unit,
        on=body.on,
        serial=body.serial,
        order_code=body.order_code,
        options=body.options,
        at=at,
    )
    return AskedOut(sha256=found.sha256, document=found.document)


@router.post("/boms/{int:bom_id}/explosion", response=list[LineOut])
def material_explosion(request: HttpRequest, bom_id: int, body: ExplosionIn) -> list[object]:
    """Return every level of a bill, a draft's too; writes nothing."""
    return list(
        selectors.explode(
            actor=actor_of(request),
            version_id=bom_id,
            at=now(),
            on=body.on,
            options=body.options,
            quantity=body.quantity,
        )
    )
