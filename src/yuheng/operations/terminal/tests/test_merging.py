"""Whatever the network does: each action once, in order; conflicts kept, what depends on them held, nothing guessed."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from datetime import timedelta

import pytest
from django.db import OperationalError

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.operations.terminal.models import StationDevice, StationStream, TerminalAction
from yuheng.operations.terminal.rules import (
    Action,
    ConflictSettled,
    Kind,
    OlderConflictOpen,
    Outcome,
    StreamCollides,
    read_actions,
)
from yuheng.operations.terminal.services import devices
from yuheng.operations.terminal.services.conflicts import discard_action, retry_action
from yuheng.operations.terminal.services.merging import merge
from yuheng.testing.builders import SHIFT_START, a_site, an_actor, an_actor_with, another_site

pytestmark = pytest.mark.django_db

AT = SHIFT_START
NOBODY = Actor(kind="person", name="ana")


class Floor:
    """Stands in for operations: writes down what was done; refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.refused: dict[int, Exception] = {}

    def __call__(self, row, device, at) -> Actor:
        if row.sequence in self.refused:
            raise self.refused[row.sequence]
        self.done.append(row.sequence)
        return NOBODY


@pytest.fixture
def floor() -> Floor:
    return Floor()


@pytest.fixture
def device() -> StationDevice:
    actor = an_actor_with("equipment.edit")
    return devices.register_device(actor=actor, site_id=a_site().pk, name="T1", at=AT)[0]


STREAM = uuid.UUID(int=1)
SESSION = uuid.UUID(int=2)


def an_action(sequence: int, *, job: int | None = 1, kind: Kind = Kind.REPORT, **more) -> Action:
    return Action(
        id=more.pop("id", uuid.uuid5(STREAM, str(sequence))),
        sequence=sequence,
        kind=kind,
        happened_at=more.pop("happened_at", AT - timedelta(minutes=30) + timedelta(seconds=sequence)),
        session=more.pop("session", SESSION),
        job_order_id=job,
        payload=more,
    )


def outcomes(device) -> dict[int, str]:
    return dict(TerminalAction.objects.filter(device=device).values_list("sequence", "outcome"))


def test_an_action_is_applied_once_and_told_so_again(device, floor):
    first = merge(device=device, stream=STREAM, actions=[an_action(1)], at=AT, perform=floor)
    again = merge(device=device, stream=STREAM, actions=[an_action(1)], at=AT, perform=floor)
    assert [(one.outcome, one.is_new) for one in first.answers + again.answers] == [
        (Outcome.APPLIED, True),
        (Outcome.APPLIED, False),
    ]
    assert floor.done == [1]


def test_what_comes_after_a_gap_is_not_taken(device, floor):
    merged = merge(device=device, stream=STREAM, actions=[an_action(3), an_action(1)], at=AT, perform=floor)
    assert [(one.sequence, one.outcome) for one in merged.answers] == [(1, Outcome.APPLIED), (3, None)]
    assert (floor.done, merged.last_sequence) == ([1], 1)


@pytest.mark.parametrize("seed", range(12))
def test_any_network_leads_to_each_action_once_and_in_order(seed, device, floor):
    """Batches are lost, repeated, mixed up and cut short; answers are lost, too. The client only knows its queue."""
    chance = random.Random(seed)
    actions = [an_action(n, job=chance.choice([1, 2, 3])) for n in range(1, 31)]
    refused = {n: Conflict("It is over.") for n in chance.sample(range(1, 31), chance.randint(0, 4))}
    floor.refused = refused
    waiting = {action.id: action for action in actions}
    rounds = 0
    while waiting:
        rounds += 1
        assert rounds < 2000
        batch = chance.sample(sorted(waiting.values(), key=lambda one: one.sequence), min(len(waiting), 7))
        batch += chance.choices(actions, k=chance.randint(0, 4))  # long taken ones, sent once more
        if chance.random() < 0.5:
            batch = sorted(waiting.values(), key=lambda one: one.sequence)[:5]
        chance.shuffle(batch)
        merged = merge(device=device, stream=STREAM, actions=batch, at=AT, perform=floor)
        if chance.random() < 0.3:
            continue  # the answer did not arrive
        for answer in merged.answers:
            if answer.outcome is not None:
                waiting.pop(answer.id, None)
    assert floor.done == sorted(set(floor.done))
    rows = list(TerminalAction.objects.filter(device=device).order_by("id"))
    assert [row.sequence for row in rows] == list(range(1, 31))
    blocked: dict[int, bool] = defaultdict(bool)
    for row in rows:
        if row.sequence in refused and not blocked[row.job_order_id]:
            assert row.outcome == Outcome.CONFLICT
            blocked[row.job_order_id] = True
        else:
            expected = Outcome.HELD if blocked[row.job_order_id] else Outcome.APPLIED
            assert row.outcome == expected, (seed, row.sequence)
            assert (row.sequence in floor.done) == (expected is Outcome.APPLIED)


@pytest.mark.parametrize("seed", range(6))
def test_terminals_do_not_disturb_each_other(seed, floor):
    actor = an_actor_with("equipment.edit")
    both = [devices.register_device(actor=actor, site_id=a_site().pk, name=name, at=AT)[0] for name in ("A", "B")]
    chance = random.Random(seed)
    turns = [device for device in both for _n in range(15)]
    chance.shuffle(turns)
    sent = dict.fromkeys([device.pk for device in both], 0)
    for device in turns:
        sent[device.pk] += 1
        action = an_action(sent[device.pk], id=uuid.uuid4())
        merge(device=device, stream=uuid.UUID(int=device.pk), actions=[action], at=AT, perform=floor)
    for device in both:
        assert outcomes(device) == dict.fromkeys(range(1, 16), "applied")


# ---- conflicts ----------------------------------------------------------------------------------------------------


def test_a_conflict_holds_what_depends_on_it_and_nothing_else(device, floor):
    floor.refused[1] = Conflict("Another station runs this job.")
    actions = [
        an_action(1, job=7, kind=Kind.START),
        an_action(2, job=7, kind=Kind.FINISH),
        an_action(3, job=8, kind=Kind.START),
        an_action(4, job=7, kind=Kind.NOTE),
        an_action(5, job=None, kind=Kind.HELP),
    ]
    merged = merge(device=device, stream=STREAM, actions=actions, at=AT, perform=floor)
    assert outcomes(device) == {1: "conflict", 2: "held", 3: "applied", 4: "applied", 5: "applied"}
    assert merged.answers[0].sentence == "Another station runs this job."
    assert AuditRecord.objects.filter(action="terminal.conflict").count() == 1


def test_a_doubtful_sign_in_holds_all_that_the_person_did(device, floor):
    floor.refused[1] = PermissionRefused("This badge is not known.")
    other = uuid.UUID(int=9)
    actions = [
        an_action(1, job=None, kind=Kind.SIGN_IN),
        an_action(2, job=7),
        an_action(3, job=7, session=other),
        an_action(4, job=8, session=other),
    ]
    merge(device=device, stream=STREAM, actions=actions, at=AT, perform=floor)
    assert outcomes(device) == {1: "conflict", 2: "held", 3: "held", 4: "applied"}


def test_a_conflict_that_is_tried_again_lets_the_others_go_in_order(device, floor):
    floor.refused[1] = Conflict("Not now.")
    merge(device=device, stream=STREAM, actions=[an_action(n) for n in (1, 2, 3)], at=AT, perform=floor)
    floor.refused.clear()
    ben = an_actor("ben")
    conflict = TerminalAction.objects.get(sequence=1)
    settled = retry_action(actor=ben, action_id=conflict.pk, at=AT, perform=floor)
    assert (settled.outcome, settled.settled_by) == (Outcome.APPLIED, "ben")
    assert (floor.done, outcomes(device)) == ([1, 2, 3], dict.fromkeys((1, 2, 3), "applied"))


def test_a_retry_that_is_refused_again_stays_in_the_list(device, floor):
    floor.refused[1] = Conflict("Not now.")
    merge(device=device, stream=STREAM, actions=[an_action(1), an_action(2)], at=AT, perform=floor)
    floor.refused[1] = Conflict("Still not.")
    row = retry_action(actor=an_actor("ben"), action_id=TerminalAction.objects.get(sequence=1).pk, at=AT, perform=floor)
    assert (row.outcome, row.sentence, floor.done) == (Outcome.CONFLICT, "Still not.", [])
    assert outcomes(device) == {1: "conflict", 2: "held"}


def test_a_discarded_conflict_lets_the_next_one_take_its_own_chance(device, floor):
    floor.refused = {1: Conflict("Not now."), 2: Conflict("It never began.")}
    merge(device=device, stream=STREAM, actions=[an_action(n) for n in (1, 2, 3)], at=AT, perform=floor)
    ben, first = an_actor("ben"), TerminalAction.objects.get(sequence=1)
    discard_action(actor=ben, action_id=first.pk, reason="Done twice by mistake.", at=AT, perform=floor)
    assert outcomes(device) == {1: "discarded", 2: "conflict", 3: "held"}
    second = TerminalAction.objects.get(sequence=2)
    discard_action(actor=ben, action_id=second.pk, reason="Same.", at=AT, perform=floor)
    assert outcomes(device) == {1: "discarded", 2: "discarded", 3: "applied"}


def test_decisions_are_refused_where_they_would_be_guesses(device, floor):
    floor.refused = {1: Conflict("Not now.")}
    merge(device=device, stream=STREAM, actions=[an_action(n) for n in (1, 2)], at=AT, perform=floor)
    first, second = TerminalAction.objects.order_by("sequence")
    ben = an_actor("ben")
    with pytest.raises(OlderConflictOpen):
        retry_action(actor=ben, action_id=second.pk, at=AT, perform=floor)
    with pytest.raises(InvalidInput):
        discard_action(actor=ben, action_id=first.pk, reason="  ", at=AT, perform=floor)
    with pytest.raises(PermissionRefused):
        discard_action(actor=an_actor("ana"), action_id=first.pk, reason="x", at=AT, perform=floor)
    with pytest.raises(NotVisible):
        discard_action(actor=an_actor("dora"), action_id=first.pk, reason="x", at=AT, perform=floor)
    assert outcomes(device) == {1: "conflict", 2: "held"}
    discard_action(actor=ben, action_id=first.pk, reason="x", at=AT, perform=floor)
    with pytest.raises(ConflictSettled):
        retry_action(actor=ben, action_id=first.pk, at=AT, perform=floor)


# ---- faults -------------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_a_conflict_and_does_not_stop_the_rest(device, floor, caplog):
    floor.refused[1] = KeyError("oops")
    merge(device=device, stream=STREAM, actions=[an_action(1), an_action(2, job=2)], at=AT, perform=floor)
    assert outcomes(device) == {1: "conflict", 2: "applied"}
    assert "oops" in caplog.text


def test_a_database_that_does_not_answer_takes_nothing(device, floor):
    floor.refused[2] = OperationalError("deadlock detected")
    with pytest.raises(OperationalError):
        merge(device=device, stream=STREAM, actions=[an_action(1), an_action(2)], at=AT, perform=floor)
    assert outcomes(device) == {1: "applied"}
    floor.refused.clear()
    merge(device=device, stream=STREAM, actions=[an_action(1), an_action(2)], at=AT, perform=floor)
    assert (floor.done, outcomes(device)) == ([1, 2], {1: "applied", 2: "applied"})


def test_a_store_that_was_rolled_back_must_count_anew(device, floor):
    merge(device=device, stream=STREAM, actions=[an_action(1), an_action(2)], at=AT, perform=floor)
    other = an_action(2, id=uuid.uuid4())
    with pytest.raises(StreamCollides):
        merge(device=device, stream=STREAM, actions=[other], at=AT, perform=floor)
    fresh = uuid.uuid4()
    renumbered = [an_action(1, id=an_action(2).id), an_action(2, id=other.id)]  # one of them was taken before
    merged = merge(device=device, stream=fresh, actions=renumbered, at=AT, perform=floor)
    assert [(one.outcome, one.is_new) for one in merged.answers] == [
        (Outcome.APPLIED, False),
        (Outcome.APPLIED, True),
    ]
    assert StationStream.objects.get(stream=fresh).last_sequence == 2
    assert TerminalAction.objects.count() == 3


def test_another_terminals_action_is_not_taken_over(device, floor):
    merge(device=device, stream=STREAM, actions=[an_action(1)], at=AT, perform=floor)
    other, _code = devices.register_device(actor=an_actor_with("equipment.edit"), site_id=a_site().pk, name="T2", at=AT)
    with pytest.raises(InvalidInput):
        merge(device=other, stream=STREAM, actions=[an_action(1)], at=AT, perform=floor)
    assert TerminalAction.objects.filter(device=other).count() == 0


@pytest.mark.parametrize(("off", "outcome"), [(60, "applied"), (600, "conflict"), (-8 * 86400, "conflict")])
def test_a_wrong_clock_is_told_not_believed(off, outcome, device, floor):
    said = AT + timedelta(seconds=off)
    merge(device=device, stream=STREAM, actions=[an_action(1, happened_at=said)], at=AT, perform=floor)
    row = TerminalAction.objects.get()
    assert (row.outcome, row.said_at) == (outcome, said)
    assert row.happened_at <= AT


# ---- reading ------------------------------------------------------------------------------------------------------

GOOD = {
    "id": str(uuid.UUID(int=5)),
    "sequence": 1,
    "kind": "finish",
    "at_ms": AT.timestamp() * 1000,
    "session": str(SESSION),
    "job": 4,
}


def test_a_batch_is_read_in_its_order():
    second = GOOD | {"id": str(uuid.UUID(int=6)), "sequence": 2, "payload": {"good": "2.50", "unknown": 1}}
    found = read_actions([second, GOOD], AT)
    assert [one.sequence for one in found] == [1, 2]
    assert found[1].payload == {
        "good": "2.50",
        "scrap": "0",
        "rework": "0",
        "reason": "",
        "note": "",
        "is_short": False,
    }


@pytest.mark.parametrize(
    "wrong", [{"id": "x"}, {"id": None}, {"sequence": 0}, {"sequence": True}, {"sequence": 1.5}], ids=str
)
def test_what_has_no_id_or_number_is_refused_with_its_batch(wrong):
    with pytest.raises(InvalidInput):
        read_actions([GOOD, GOOD | wrong], AT)
    with pytest.raises(InvalidInput):
        read_actions([GOOD, "no action"], AT)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "drop_table"},
        {"kind": "unreadable"},
        {"kind": ["finish"]},
        {"at_ms": None},
        {"at_ms": "1"},
        {"session": None},
        {"session": 5},
        {"job": None},
        {"job": "4"},
        {"job": -1},
        {"payload": []},
        {"payload": {"good": -1}},
        {"payload": {"good": "NaN"}},
        {"payload": {"good": "1e400"}},
        {"payload": {"note": "a\x00b"}},
        {"payload": {"note": 5}},
        {"kind": "consume", "payload": {"lot": ""}},
        {"kind": "consume", "payload": {"lot": "L", "requirement": "x"}},
        {"kind": "sign_in", "payload": {"badge": "12345678"}},
        {"kind": "check", "payload": {"check": "c", "value": "5"}},
        {"kind": "crew", "payload": {"crew": ["ana"]}},
        {"kind": "parameters", "payload": {"values": {"a": [1]}}},
    ],
    ids=str,
)
def test_what_cannot_be_read_is_a_conflict_and_blocks_nothing(wrong, device):
    second = GOOD | {"id": str(uuid.UUID(int=6)), "sequence": 2, "job": 5, "kind": "note"}
    actions = read_actions([second, GOOD | wrong], AT)
    assert [one.kind for one in actions] == [Kind.UNREADABLE, Kind.NOTE]
    merge(device=device, stream=STREAM, actions=actions[:1], at=AT)
    row = TerminalAction.objects.get()
    assert (row.outcome, row.kind) == ("conflict", "unreadable")
    assert row.sentence


def test_a_batch_is_bounded():
    with pytest.raises(InvalidInput):
        read_actions([GOOD] * 101, AT)
    with pytest.raises(InvalidInput):
        read_actions({"actions": []}, AT)


# ---- registered tablets -------------------------------------------------------------------------------------------


def test_a_tablet_is_connected_once_with_its_code():
    engineer = an_actor_with("equipment.edit")
    device, code = devices.register_device(actor=engineer, site_id=a_site().pk, name="T1", at=AT)
    found, token = devices.pair_device(code=code.lower().replace("-", ""), address="192.0.2.9", at=AT)
    assert found == device
    assert devices.device_of_token(token=token, at=AT) == device
    with pytest.raises(PermissionRefused):
        devices.pair_device(code=code, address="192.0.2.9", at=AT)
    assert code not in str(list(AuditRecord.objects.values()))


def test_a_code_grows_old_and_a_revoked_tablet_is_turned_away():
    engineer = an_actor_with("equipment.edit")
    device, code = devices.register_device(actor=engineer, site_id=a_site().pk, name="T1", at=AT)
    with pytest.raises(PermissionRefused):
        devices.pair_device(code=code, address="a", at=AT + timedelta(hours=2))
    _device, code = devices.new_pairing_code(actor=engineer, device_id=device.pk, at=AT)
    _device, token = devices.pair_device(code=code, address="a", at=AT)
    devices.revoke_device(actor=engineer, device_id=device.pk, at=AT)
    with pytest.raises(PermissionRefused):
        devices.device_of_token(token=token, at=AT)
    with pytest.raises(PermissionRefused):
        devices.device_of_token(token="", at=AT)


def test_codes_cannot_be_guessed_for_long():
    for _n in range(50):
        with pytest.raises(PermissionRefused):
            devices.pair_device(code="AAAAA-AAAAA", address="192.0.2.9", at=AT)
    engineer = an_actor_with("equipment.edit")
    _device, code = devices.register_device(actor=engineer, site_id=a_site().pk, name="T1", at=AT)
    with pytest.raises(PermissionRefused, match=r"\d+ (s|秒)"):
        devices.pair_device(code=code, address="192.0.2.9", at=AT)


def test_only_engineers_of_the_site_register_terminals():
    with pytest.raises(PermissionRefused):
        devices.register_device(actor=an_actor("ana"), site_id=a_site().pk, name="T", at=AT)
    with pytest.raises(NotVisible):
        devices.register_device(actor=an_actor("dora"), site_id=a_site().pk, name="T", at=AT)
    stranger = an_actor_with("equipment.edit", site=another_site())
    device, _code = devices.register_device(actor=stranger, site_id=another_site().pk, name="T", at=AT)
    with pytest.raises(NotVisible):
        devices.revoke_device(actor=an_actor("lin"), device_id=device.pk, at=AT)
    assert StationDevice.objects.count() == 1
