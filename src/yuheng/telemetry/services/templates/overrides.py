"""Which fields of a machine's tag somebody set by hand: noted with every change but those of the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from yuheng.engines.patterns import PatternError
from yuheng.telemetry.models import ClassTemplate, DataSource, Tag, TagClass
from yuheng.telemetry.selectors import templates as stored
from yuheng.telemetry.tag_fields import FOLLOWED
from yuheng.telemetry.template_plans import Values, WantedTag, rendered, with_derived_unit

_FOLLOWED_BY_COLUMN = {"source_id": "source", "tag_class_id": "tag_class"}


def mark_overrides(rows: Sequence[Tag], touched: Mapping[int, Iterable[str]]) -> None:
    """Note in each tag that follows a template which of its touched columns differ from it now. Nothing is saved.

    A tag that leaves its work unit follows nothing any more. Six queries when any tag follows a template, else none.

    Parameters
    ----------
    touched
        Tag id -> columns that were given another value.
    """
    following = [row for row in rows if row.template_tag_id is not None]
    if not following:
        return
    expected = expected_values(following)
    sources = dict(DataSource.objects.filter(pk__in={row.source_id for row in following}).values_list("pk", "code"))
    classes = dict(TagClass.objects.filter(pk__in={row.tag_class_id for row in following}).values_list("pk", "code"))
    for row in following:
        template = expected.get(row.pk)
        if template is None or "work_unit_id" in touched.get(row.pk, ()):
            row.template_tag, row.overrides = None, []
            continue
        values = {name: getattr(row, name) for name in stored.TRAITS}
        values |= {"source": sources[row.source_id], "tag_class": classes[row.tag_class_id]}
        template = with_derived_unit(template, values)
        names = {_FOLLOWED_BY_COLUMN.get(name, name) for name in touched.get(row.pk, ())} & set(FOLLOWED)
        own = {name for name in names if values[name] != template[name]}
        row.overrides = sorted((set(row.overrides) - names) | own)


def expected_values(rows: Sequence[Tag]) -> dict[int, Values]:
    """Tag id -> what its template says it is; tags of units that follow no template are left out. Four queries."""
    unit_ids = list({row.work_unit_id or 0 for row in rows})
    machines = {one.id: one for one in stored.load_machines(work_unit_ids=unit_ids, with_retired=True)}
    keys = {row.template_tag_id for row in rows}
    templates = list(ClassTemplate.objects.filter(tags__in=keys).distinct())
    defaults = {row.pk: stored.defaults_of(stored.variables_of(row)) for row in templates}
    wanted: dict[int | None, tuple[int, WantedTag]] = {
        tag.key: (template_id, tag)
        for template_id, tags in stored.wanted_tags(template_ids=list(defaults)).items()
        for tag in tags
    }
    found: dict[int, Values] = {}
    for row in rows:
        machine = machines.get(row.work_unit_id or 0)
        if machine is not None and row.template_tag_id in wanted:
            template_id, tag = wanted[row.template_tag_id]
            try:
                found[row.pk] = rendered(tag, machine, defaults[template_id])
            except PatternError:  # a variable is missing since: nothing can be said, so everything stays as it is
                found[row.pk] = {**tag.values, "source": tag.values["source"] or machine.source}
    return found
