"""Dead-letter groups while their letters go through the path again: what is counted, and when somebody must look."""

import pytest

from yuheng.kernel.errors import Conflict
from yuheng.telemetry.models import DataSource, DeadLetterGroup
from yuheng.telemetry.rules import MAX_GROUP_BYTES, MAX_SAMPLE_BYTES
from yuheng.telemetry.services.dead_letters import DeadLetter, note_dead_letters, note_replayed, replay_dead_letters
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site

pytestmark = pytest.mark.django_db


@pytest.fixture
def letter():
    source = DataSource.objects.create(site=a_site(), code="laser", connector="mqtt_json", topics=["laser/#"])

    def come(sequence, **more):
        given = DeadLetter(source.pk, "unknown_tag", "points", "L01/new", "laser/L01", 1, b"{}", sequence, **more)
        note_dead_letters([given])

    return come


def back(letter, sequence):
    letter(sequence, is_counted=True, is_replayed=True)


def group():
    return DeadLetterGroup.objects.get()


def as_shown():
    row = group()
    return row.count, row.replayed_count, row.state


def replay(count, until):
    note_replayed(group_id=group().pk, count=count, until_sequence=until, at=SHIFT_START)


def ask():
    replay_dead_letters(actor=SYSTEM, group_ids=[group().pk], at=SHIFT_START)


def test_what_went_through_needs_nobody(letter):
    letter(1)
    ask()
    replay(1, until=1)
    assert as_shown() == (1, 1, "replayed")


@pytest.mark.parametrize("is_early", [True, False], ids=["before the replay is noted", "after it"])
def test_one_that_comes_back_is_not_counted_again_and_waits(letter, is_early):
    letter(1)
    ask()
    if is_early:
        back(letter, 2)
    replay(1, until=1)
    if not is_early:
        back(letter, 2)
    assert as_shown() == (1, 0, "open")
    ask()
    replay(1, until=2)
    assert as_shown() == (1, 1, "replayed")


def test_a_new_one_during_the_replay_is_not_forgotten(letter):
    letter(1)
    ask()
    letter(2)
    replay(1, until=1)
    assert as_shown() == (2, 1, "open")


def test_one_put_back_by_a_partial_replay_changes_nothing(letter):
    letter(1)
    letter(2, is_counted=True)
    assert as_shown() == (1, 0, "open")


def test_what_the_broker_threw_away_is_not_sent_again_as_nothing():
    note_dead_letters([DeadLetter(0, "unknown_topic", "refused", "plant/x", "plant/x", 1, b"", 1)])
    with pytest.raises(Conflict, match="nothing to replay"):
        ask()
    assert as_shown() == (1, 0, "open")


def test_large_samples_are_few_and_the_newest_is_always_there():
    source = DataSource.objects.create(site=a_site(), code="laser", connector="mqtt_json", topics=["laser/#"])
    large = b"x" * (3 * MAX_SAMPLE_BYTES)
    note_dead_letters(
        [DeadLetter(source.pk, "undecodable", "message", "laser/L01", "laser/L01", 1, large, n) for n in range(1, 9)]
    )
    kept = group().samples.order_by("sequence").values_list("sequence", flat=True)
    assert list(kept) == [7, 8]
    assert MAX_GROUP_BYTES == 2 * MAX_SAMPLE_BYTES
