"""Notes and signatures of a shift: who may, once each, and refusals that leave nothing behind."""

from datetime import timedelta

import pytest

from yuheng.analysis.models import ShiftNote, ShiftSignature
from yuheng.analysis.rules import HandOverPart
from yuheng.analysis.selectors.hand_over import notes_of, shift_in_order, signatures_of
from yuheng.analysis.services.hand_over import LONGEST_NOTE, sign_shift, write_note
from yuheng.equipment.models import Shift, ShiftCalendar
from yuheng.kernel.errors import Conflict, InvalidInput, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_actor, an_actor_with

pytestmark = pytest.mark.django_db


@pytest.fixture
def shift():
    site = a_site()
    calendar = ShiftCalendar.objects.create(site=site, code="two", name_zh="两班", name_en="Two", is_site_default=True)
    for code, start, end in (("day", "08:00", "20:00"), ("night", "20:00", "08:00")):
        Shift.objects.create(
            calendar=calendar,
            code=code,
            name_zh=code,
            name_en=code,
            start=start,
            end=end,
            weekdays=[1, 2, 3, 4, 5, 6, 7],
        )

    order = shift_in_order(actor=SYSTEM, site_id=site.pk, at=SHIFT_START + timedelta(hours=1))
    return site, order


def test_a_shift_has_its_neighbours(shift):
    _site, order = shift
    assert order.before.end == order.shift.start
    assert order.after.start == order.shift.end


def test_a_note_is_kept_with_its_author_and_audited(shift):
    site, order = shift
    at = order.shift.start + timedelta(hours=2)
    write_note(
        actor=an_actor("ana", role="operator", site=site),
        site_id=site.pk,
        shift_start=order.shift.start,
        text="  焊机 H07 送丝不稳 ",
        at=at,
    )
    (note,) = notes_of(actor=SYSTEM, site_id=site.pk, shift_start=order.shift.start)
    assert (note.text, note.by, note.at) == ("焊机 H07 送丝不稳", "ana", at)
    assert AuditRecord.objects.get(action="shift.note").detail["text"] == note.text


@pytest.mark.parametrize(
    ("text", "hours", "late"),
    [("", 1, 0), ("   ", 1, 0), ("x" * (LONGEST_NOTE + 1), 1, 0), ("late", 24 * 9, 0), ("no shift", 1, 60)],
)
def test_a_note_that_cannot_be_kept_is_refused_and_leaves_nothing(shift, text, hours, late):
    site, order = shift
    with pytest.raises(InvalidInput):
        write_note(
            actor=an_actor("ana", role="operator", site=site),
            site_id=site.pk,
            shift_start=order.shift.start + timedelta(seconds=late),
            text=text,
            at=order.shift.start + timedelta(hours=hours),
        )
    assert not ShiftNote.objects.exists()
    assert not AuditRecord.objects.filter(action="shift.note").exists()


def test_who_may_only_look_writes_nothing(shift):
    site, order = shift
    with pytest.raises(PermissionRefused):
        write_note(
            actor=an_actor_with("telemetry.view", site=site),
            site_id=site.pk,
            shift_start=order.shift.start,
            text="x",
            at=order.shift.end,
        )
    assert not ShiftNote.objects.exists()


def test_two_people_sign_once_each(shift):
    site, order = shift
    ana, ben = (an_actor(name, role="operator", site=site) for name in ("ana", "ben"))

    def sign(actor, part):
        return sign_shift(actor=actor, site_id=site.pk, shift_start=order.shift.start, part=part, at=order.shift.end)

    sign(ana, HandOverPart.GIVING)
    for actor, part in ((ana, HandOverPart.TAKING), (ben, HandOverPart.GIVING)):
        with pytest.raises(Conflict):
            sign(actor, part)
    sign(ben, HandOverPart.TAKING)
    signed = signatures_of(actor=SYSTEM, site_id=site.pk, shift_start=order.shift.start)
    assert {part: row.by for part, row in signed.items()} == {"giving": "ana", "taking": "ben"}
    assert ShiftSignature.objects.count() == 2
