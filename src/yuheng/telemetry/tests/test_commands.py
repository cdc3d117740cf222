"""Writing to machines: off by default, checked, at most once, and what became of it is written down."""

import uuid
from datetime import timedelta

import pytest

from yuheng.bus.messages import CommandOutcome, SourceGap
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.telemetry import models
from yuheng.telemetry.models import MachineCommand, TagWriting
from yuheng.telemetry.rules import microseconds
from yuheng.telemetry.selectors import commands as questions
from yuheng.telemetry.services import commands, configuration, sources, tags
from yuheng.telemetry.services.tags import TagSpec
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_actor_with, another_site

pytestmark = pytest.mark.django_db

LATER = SHIFT_START + timedelta(seconds=5)


def an_engineer():
    return an_actor_with("telemetry.view", "telemetry.edit", "machines.command", name="eng")


def an_operator(site=None):
    return an_actor_with("telemetry.view", "machines.command", name="ana", site=site)


def a_tag(data_type="float", *, is_open=True, is_writable=True, address="press/speed", limits=None, **fields):
    source = models.DataSource.objects.filter(code="press").first() or sources.create_source(
        actor=SYSTEM, site_id=a_site().pk, code="press", connector="http", topics=[], settings={}, at=SHIFT_START
    )
    commands.allow_writes(actor=SYSTEM, source_id=source.pk, is_allowed=is_open, at=SHIFT_START)
    spec = TagSpec(source.pk, address, data_type, **fields)
    tag = tags.create_tag(actor=SYSTEM, site_id=a_site().pk, tag=spec, at=SHIFT_START)
    if is_writable:
        commands.set_tag_writing(actor=SYSTEM, tag_id=tag.pk, is_writable=True, at=SHIFT_START, **(limits or {}))
    OutboxEvent.objects.all().delete()
    return tag


def a_command(tag=None, **fields):
    tag = tag or a_tag()
    given = {
        "actor": an_operator(),
        "tag_id": tag.pk,
        "value": 5.0,
        "reason": "Trial run",
        "at": SHIFT_START,
        "command_id": uuid.uuid4(),
    }
    return commands.request_command(**given | fields)


def an_outcome(row, state="confirmed", **fields):
    return CommandOutcome(
        **{"id": str(row.pk), "state": state, "sentence": "Said.", "at_us": microseconds(LATER)} | fields
    )


def nothing_was_told():
    return OutboxEvent.objects.count() == 0 and MachineCommand.objects.count() == 0


def audited(action):
    return AuditRecord.objects.filter(action=action)


def test_asking_writes_a_row_tells_the_worker_and_is_audited_with_its_reason():
    row = a_command()

    assert (row.state, row.value, row.raw_value, row.requested_by) == ("requested", 5.0, 5.0, "ana")
    assert OutboxEvent.objects.get().kind == "telemetry.CommandRequested"
    assert audited("command.request").get().detail["reason"] == "Trial run"


@pytest.mark.parametrize(
    ("tag", "error"),
    [
        ({"is_open": False}, Conflict),
        ({"is_writable": False}, Conflict),
    ],
    ids=["source not opened", "tag not opened"],
)
def test_writing_is_off_until_source_and_tag_are_switched_on(tag, error):
    tag = a_tag(**tag)
    with pytest.raises(error):
        a_command(tag)
    assert nothing_was_told()


def test_a_disabled_source_takes_no_command():
    tag = a_tag()
    sources.switch_source(actor=SYSTEM, source_id=tag.source_id, is_enabled=False, at=SHIFT_START)
    with pytest.raises(Conflict):
        a_command(tag)
    assert MachineCommand.objects.count() == 0


def test_nobody_writes_without_the_permission():
    tag = a_tag()
    with pytest.raises(PermissionRefused):
        a_command(tag, actor=an_actor_with("telemetry.view", "telemetry.edit"))
    assert nothing_was_told()


def test_another_sites_tag_does_not_exist():
    tag = a_tag()
    with pytest.raises(NotVisible):
        a_command(tag, actor=an_operator(another_site()))
    assert nothing_was_told()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 401])
def test_a_command_needs_a_reason(reason):
    tag = a_tag()
    with pytest.raises(InvalidInput):
        a_command(tag, reason=reason)
    assert nothing_was_told()


@pytest.mark.parametrize(
    ("data_type", "value", "stored"),
    [
        ("float", "2.5", 2.5),
        ("float", 3, 3.0),
        ("int", "7", 7),
        ("int", 7.0, 7),
        ("bool", "on", True),
        ("bool", 0, False),
        ("text", "Recipe 7", "Recipe 7"),
    ],
)
def test_a_value_becomes_the_tags_type(data_type, value, stored):
    row = a_command(a_tag(data_type), value=value)
    assert row.value == stored
    assert type(row.value) is type(stored)


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("float", "fast"),
        ("float", "nan"),
        ("float", float("inf")),
        ("int", 1.5),
        ("bool", "2"),
        ("text", 3),
        ("text", "x" * 1001),
    ],
)
def test_a_value_that_does_not_fit_is_refused(data_type, value):
    tag = a_tag(data_type)
    with pytest.raises(InvalidInput) as refusal:
        a_command(tag, value=value)
    assert "value" in refusal.value.fields
    assert nothing_was_told()


@pytest.mark.parametrize(
    ("limits", "value"),
    [({"low": 0.0}, -0.1), ({"high": 10.0}, 10.1), ({"low": 1.0, "high": 2.0}, 3.0), ({"allowed": [1.0, 2.0]}, 1.5)],
)
def test_a_value_beyond_the_limits_is_refused(limits, value):
    tag = a_tag(limits=limits)
    with pytest.raises(InvalidInput):
        a_command(tag, value=value)
    assert nothing_was_told()


def test_limits_in_the_wrong_order_or_of_a_text_are_refused():
    tag = a_tag(is_writable=False)
    with pytest.raises(InvalidInput):
        commands.set_tag_writing(actor=SYSTEM, tag_id=tag.pk, is_writable=True, low=2.0, high=1.0, at=LATER)
    text = a_tag("text", address="press/recipe", is_writable=False)
    with pytest.raises(InvalidInput):
        commands.set_tag_writing(actor=SYSTEM, tag_id=text.pk, is_writable=True, low=2.0, at=LATER)
    assert TagWriting.objects.count() == 0


def test_opening_a_tag_needs_both_rights():
    tag = a_tag(is_writable=False)
    for actor in (an_operator(), an_actor_with("telemetry.view", "telemetry.edit")):
        with pytest.raises(PermissionRefused):
            commands.set_tag_writing(actor=actor, tag_id=tag.pk, is_writable=True, at=LATER)
        with pytest.raises(PermissionRefused):
            commands.allow_writes(actor=actor, source_id=tag.source_id, is_allowed=False, at=LATER)
    assert TagWriting.objects.count() == 0
    commands.set_tag_writing(actor=an_engineer(), tag_id=tag.pk, is_writable=True, at=LATER)
    assert TagWriting.objects.count() == 1


def test_the_configuration_says_what_may_be_written():
    open_tag = a_tag()
    a_tag(address="press/other", is_writable=False)
    plant = configuration.build_plant(1)
    assert [tag.address for tag in plant.tags if tag.is_writable] == [open_tag.address]
    assert [source.allows_writes for source in plant.sources] == [True]


def test_scale_and_offset_are_undone_for_the_machine_and_done_for_what_was_read_back():
    row = a_command(a_tag(scale=0.1, offset=5.0), value=25.0)
    assert row.raw_value == pytest.approx(200.0)
    commands.claim_commands(at=SHIFT_START)
    commands.note_outcomes(outcomes=[an_outcome(row, read_back=200)])
    row.refresh_from_db()
    assert (row.state, row.read_back) == ("confirmed", pytest.approx(25.0))


def test_the_same_id_asked_twice_is_one_command():
    tag, key = a_tag(), uuid.uuid4()
    first = a_command(tag, command_id=key)
    assert a_command(tag, command_id=key).pk == first.pk
    assert MachineCommand.objects.count() == 1
    with pytest.raises(Conflict):
        a_command(a_tag(address="press/other"), command_id=key)


def test_a_command_is_claimed_once():
    row = a_command()
    (claimed,) = commands.claim_commands(at=LATER)
    assert (claimed.message.id, claimed.message.value, claimed.source_id) == (str(row.pk), 5.0, row.source_id)
    assert commands.claim_commands(at=LATER) == []
    row.refresh_from_db()
    assert (row.state, row.sent_at) == ("sent", LATER)


def test_what_has_expired_is_refused_instead_of_sent():
    row = a_command(expires_s=3)
    assert commands.claim_commands(at=LATER) == []
    row.refresh_from_db()
    assert (row.state, row.ended_at) == ("refused", LATER)
    assert "before it could be sent" in row.sentence


def test_what_certainly_nobody_heard_is_sent_again():
    row = a_command()
    commands.claim_commands(at=SHIFT_START)
    commands.note_not_heard(command_id=str(row.pk))
    assert len(commands.claim_commands(at=LATER)) == 1


def test_what_the_gateway_does_not_take_is_refused_with_its_sentence():
    row = a_command()
    commands.claim_commands(at=SHIFT_START)
    commands.note_refused(command_id=str(row.pk), sentence="The source is not connected now.", at=LATER)
    row.refresh_from_db()
    assert (row.state, row.sentence) == ("refused", "The source is not connected now.")


def test_an_outcome_ends_a_command_once_and_is_audited():
    row = a_command()
    commands.claim_commands(at=SHIFT_START)
    outcome = an_outcome(row)
    assert commands.note_outcomes(outcomes=[outcome, outcome]) == 2
    commands.note_outcomes(outcomes=[an_outcome(row, "unknown")])
    row.refresh_from_db()
    assert (row.state, row.ended_at) == ("confirmed", LATER)
    assert audited("command.end").count() == 1
    assert OutboxEvent.objects.filter(kind="telemetry.CommandEnded").count() == 1


def test_after_a_crash_nothing_is_sent_again_and_what_is_not_known_is_said_to_be_unknown():
    row = a_command(expires_s=30, timeout_s=10)
    commands.claim_commands(at=SHIFT_START)  # and then the worker, or the gateway, is gone

    assert commands.note_silence(at=SHIFT_START + timedelta(seconds=50)) == 0
    assert commands.note_silence(at=SHIFT_START + timedelta(seconds=56)) == 1
    assert commands.claim_commands(at=SHIFT_START + timedelta(seconds=57)) == []
    row.refresh_from_db()
    assert row.state == "unknown"
    assert "may have been carried out" in row.sentence


def test_an_outcome_that_comes_late_makes_the_unknown_known():
    row = a_command()
    commands.claim_commands(at=SHIFT_START)
    commands.note_silence(at=SHIFT_START + timedelta(hours=1))
    commands.note_outcomes(outcomes=[an_outcome(row, "refused")])
    row.refresh_from_db()
    assert row.state == "refused"


def test_an_outcome_of_nothing_we_know_changes_nothing():
    row = a_command()
    strange = [
        an_outcome(row, "requested"),
        CommandOutcome("no uuid", "confirmed", "", 0),
        CommandOutcome(str(uuid.uuid4()), "confirmed", "", 0),
    ]
    assert commands.note_outcomes(outcomes=strange) == 0
    row.refresh_from_db()
    assert row.state == "requested"


def test_commands_are_listed_for_those_who_see_the_site_only(django_assert_num_queries):
    tag = a_tag()
    a_command(tag)
    ana = an_operator()
    with django_assert_num_queries(1):
        (row,) = questions.commands(actor=ana, source_id=tag.source_id)
    assert (row.value, row.state, row.address) == (5.0, "requested", tag.address)
    assert questions.commands(actor=an_operator(another_site())) == []
    with pytest.raises(NotVisible):
        questions.command(actor=an_operator(another_site()), command_id=row.id)


def test_a_gap_is_written_down_once_and_shown():
    tag = a_tag()
    gap = SourceGap(
        str(uuid.uuid4()),
        tag.source_id,
        microseconds(SHIFT_START),
        microseconds(LATER),
        "Why.",
        ["a", "b"],
        microseconds(LATER),
    )
    strange = SourceGap("no uuid", tag.source_id, 0, 0, "")
    nobodys = SourceGap(str(uuid.uuid4()), 4711, 0, 0, "")
    assert commands.note_gaps(gaps=[gap, strange, nobodys]) == 1
    assert commands.note_gaps(gaps=[gap]) == 1
    (row,) = questions.gaps(actor=an_operator(), source_id=tag.source_id)
    assert (row.started_at, row.ended_at, row.tag_count) == (SHIFT_START, LATER, 2)
    with pytest.raises(NotVisible):
        questions.gaps(actor=an_operator(another_site()), source_id=tag.source_id)
