"""Products as CSV, such that importing the file again changes nothing. Streamed."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import msgspec

from yuheng.engineering.importing.planning import COLUMNS
from yuheng.engineering.models import BomVersion, MaterialDefinition, WorkMasterVersion
from yuheng.engineering.rules.specs import BomSpec, MaterialSpec, ParameterSpec, WorkMasterSpec
from yuheng.engineering.rules.words import Source, Tracking
from yuheng.engineering.selectors.contents import bom_specs, places_of, work_master_specs
from yuheng.engineering.tables import rows

BATCH = 200


class _Echo:
    """What `csv.writer` writes to: it gives the line back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(kind: str, site_id: int) -> Iterator[str]:
    """Yield a file line by line: the newest version of every material, or all materials."""
    writer = csv.DictWriter(_Echo(), COLUMNS[kind], restval="", extrasaction="ignore")
    yield "\ufeff" + ",".join(COLUMNS[kind]) + "\r\n"
    make = {"materials": _materials, "boms": _boms, "routings": _routings}[kind]
    for row in make(site_id):
        yield str(writer.writerow(row))


def _materials(site_id: int) -> Iterator[dict[str, str]]:
    found = MaterialDefinition.objects.filter(site_id=site_id, retired_at=None).order_by("code")
    for row in found.select_related("material_class").prefetch_related("units").iterator(chunk_size=BATCH):
        yield rows.write_material(
            MaterialSpec(
                row.code,
                row.name_zh,
                row.name_en,
                row.unit,
                Source(row.source),
                Tracking(row.tracking),
                row.material_class.code if row.material_class else "",
                row.description,
                {one.unit: one.factor for one in row.units.all()},
            )
        )


def _parameters(spec: BomSpec | WorkMasterSpec) -> str:
    found: tuple[ParameterSpec, ...] = spec.parameters
    return msgspec.json.encode(found).decode() if found else ""


def _boms(site_id: int) -> Iterator[dict[str, str]]:
    newest = BomVersion.objects.filter(site_id=site_id, material__retired_at=None)
    newest = newest.order_by("material_id", "-number").distinct("material_id")
    versions: list[BomVersion] = []
    for version in newest.select_related("material").iterator(chunk_size=BATCH):
        versions.append(version)
        if len(versions) == BATCH:
            yield from _bom_rows(versions)
            versions = []
    yield from _bom_rows(versions)


def _bom_rows(versions: list[BomVersion]) -> Iterator[dict[str, str]]:
    specs = bom_specs(versions)
    ids = {line.material_id for spec in specs.values() for line in spec.lines}
    ids |= {one.material_id for spec in specs.values() for line in spec.lines for one in line.alternates}
    codes = dict(MaterialDefinition.objects.filter(pk__in=ids).values_list("pk", "code"))
    for version in versions:
        spec = specs[version.pk]
        for at, line in enumerate(spec.lines):
            own = {"material": version.material.code, "parameters": _parameters(spec) if at == 0 else ""}
            yield own | rows.write_line(line, codes)


def _routings(site_id: int) -> Iterator[dict[str, str]]:
    places = places_of(site_id)
    known = rows.Equipment(
        {code: pk for pk, code in places.classes.items()}, {code: pk for pk, code in places.units.items()}
    )
    newest = WorkMasterVersion.objects.filter(site_id=site_id, material__retired_at=None)
    newest = newest.order_by("material_id", "-number").distinct("material_id")
    for version in newest.select_related("material").iterator(chunk_size=BATCH):
        spec = work_master_specs([version])[version.pk]
        for at, segment in enumerate(spec.segments):
            own = {"material": version.material.code, "parameters": _parameters(spec) if at == 0 else ""}
            yield own | rows.write_segment(segment, spec.whole_links(), known)
