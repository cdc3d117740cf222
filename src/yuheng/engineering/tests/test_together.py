"""Two people at once, on real connections: one of them is told, and nothing is half done."""

import threading
from datetime import date

import pytest
from django.db import connection, connections

from yuheng.engineering import selectors, services
from yuheng.engineering.models import BomLine, BomVersion, Effectivity
from yuheng.engineering.rules import BomSpec, EffectivitySpec
from yuheng.engineering.said import CyclicStructure, VersionIsReleased
from yuheng.kernel.errors import Conflict, DomainError
from yuheng.testing.builders import SHIFT_START, SYSTEM
from yuheng.testing.products import a_bom, a_line, a_material

pytestmark = pytest.mark.django_db(transaction=True)
NOW = EffectivitySpec(valid_from=date(2026, 1, 1))


def together(*works):
    """Run all at the same moment, each on its own connection; return what each said: its result or its refusal."""
    start, said = threading.Barrier(len(works)), [None] * len(works)

    def run(at, work):
        start.wait(20)
        try:
            said[at] = work()
        except DomainError as refusal:
            said[at] = refusal
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(at, work)) for at, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return said


def released(version):
    return services.release_bom(actor=SYSTEM, version_id=version.pk, effectivity=NOW, at=SHIFT_START)


def test_of_two_versions_for_the_same_days_one_is_released():
    product = a_material("P", source="make")
    drafts = [a_bom(product, a_line("10", "a"), release=False) for _ in range(4)]
    said = together(*(lambda draft=draft: released(draft) for draft in drafts))
    assert sorted(isinstance(one, Conflict) for one in said) == [False, True, True, True]
    assert Effectivity.objects.filter(is_active=True).count() == 1
    assert BomVersion.objects.filter(state="released").count() == 1


def test_a_version_is_released_once():
    draft = a_bom(a_material("P", source="make"), a_line("10", "a"), release=False)
    said = together(*(lambda: released(draft) for _ in range(4)))
    assert sum(isinstance(one, BomVersion) for one in said) == 1
    assert sum(isinstance(one, VersionIsReleased) for one in said) == 3


def test_an_edit_that_races_with_a_release_is_whole_or_refused():
    product = a_material("P", source="make")
    for round_ in range(5):
        draft = a_bom(product, a_line("10", "a"), release=False)
        spec = BomSpec((a_line("10", "a"), a_line("20", "b")))
        holds = EffectivitySpec(valid_from=date(2026, 1, 1 + round_), valid_to=date(2026, 1, 2 + round_))
        edited, _released = together(
            lambda pk=draft.pk, spec=spec: services.replace_bom(actor=SYSTEM, version_id=pk, spec=spec, at=SHIFT_START),
            lambda pk=draft.pk, holds=holds: services.release_bom(
                actor=SYSTEM, version_id=pk, effectivity=holds, at=SHIFT_START
            ),
        )
        count = BomLine.objects.filter(bom=draft).count()
        row = BomVersion.objects.get(pk=draft.pk)
        assert row.state == "released"
        assert count == (1 if isinstance(edited, VersionIsReleased) else 2)


def test_two_bills_that_make_a_circle_are_not_both_released():
    a, b = a_material("A", source="make"), a_material("B", source="make")
    drafts = [a_bom(a, a_line("10", b), release=False), a_bom(b, a_line("10", a), release=False)]
    said = together(*(lambda draft=draft: released(draft) for draft in drafts))
    assert sum(isinstance(one, CyclicStructure) for one in said) == 1


def test_a_line_written_past_the_services_while_a_release_is_open_is_refused():
    """The trigger's lock: an insert that begins before the release is committed waits for it, and then fails."""
    part = a_material("b")
    draft = a_bom(a_material("P", source="make"), a_line("10", "a"), release=False)

    def insert():
        try:
            BomLine.objects.create(bom_id=draft.pk, rank=9, find_number="90", component=part, quantity="1", unit="kg")
        except Exception as error:
            return str(error)
        return "written"

    said = together(insert, lambda: released(draft))
    row = BomVersion.objects.get(pk=draft.pk)
    spec = selectors.bom_version(actor=SYSTEM, version_id=draft.pk).spec
    if said[0] == "written":  # before the release looked: 'kg' is no piece, so it must have been seen and refused
        assert row.state == "draft" or len(spec.lines) == 1
    else:
        assert "never changes" in said[0]
        assert len(spec.lines) == 1


def test_numbers_of_versions_never_collide():
    product = a_material("P", source="make")
    spec = BomSpec((a_line("10", "a"),))
    together(
        *(
            lambda: services.define_bom(actor=SYSTEM, material_id=product.pk, spec=spec, at=SHIFT_START)
            for _ in range(6)
        )
    )
    assert sorted(BomVersion.objects.values_list("number", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert connection.alias == "default"
