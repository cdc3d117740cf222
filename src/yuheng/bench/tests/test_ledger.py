from dataclasses import replace

import pytest

from yuheng.bench.ledger import NOTHING, Ledger, StoredSample, judge


def a_ledger(*, sent: range = range(1, 11), unacked: frozenset[int] = frozenset()) -> Ledger:
    return Ledger("m0/number", {n: n * 1000 for n in sent}, {n for n in sent if n not in unacked})


def rows_of(ledger: Ledger) -> list[StoredSample]:
    return [StoredSample(number, time_us, number) for number, time_us in ledger.sent.items()]


def test_a_complete_store_is_acquitted():
    ledger = a_ledger()

    verdict = judge(ledger, rows_of(ledger))

    assert (verdict.sent, verdict.acked, verdict.stored) == (10, 10, 10)
    assert (verdict.lost, verdict.duplicated, verdict.misplaced, verdict.strange) == (0, 0, 0, 0)


@pytest.mark.parametrize("missing", [1, 5, 10])
def test_an_acknowledged_sample_that_is_not_found_is_lost(missing):
    ledger = a_ledger()

    verdict = judge(ledger, [row for row in rows_of(ledger) if row.number != missing])

    assert (verdict.lost, verdict.lost_numbers, verdict.stored) == (1, (missing,), 9)


def test_an_unacknowledged_sample_may_be_missing_or_found():
    ledger = a_ledger(unacked=frozenset({4, 7}))

    verdict = judge(ledger, [row for row in rows_of(ledger) if row.number != 7])

    assert (verdict.acked, verdict.stored, verdict.lost) == (8, 9, 0)


def test_a_second_row_of_a_sample_is_a_duplicate_even_with_another_time():
    ledger = a_ledger()
    rows = rows_of(ledger)

    exact = judge(ledger, [*rows, rows[3]])
    shifted = judge(ledger, [*rows, replace(rows[3], time_us=99)])

    assert (exact.duplicated, exact.misplaced) == (1, 0)
    assert (shifted.duplicated, shifted.misplaced) == (1, 1)


def test_a_sample_with_another_sequence_is_misplaced():
    ledger = a_ledger()
    rows = rows_of(ledger)

    assert judge(ledger, [replace(rows[0], seq=0), *rows[1:]]).misplaced == 1


def test_a_row_that_nobody_sent_is_strange():
    ledger = a_ledger()

    verdict = judge(ledger, [*rows_of(ledger), StoredSample(999, 1, 999)])

    assert (verdict.strange, verdict.stored) == (1, 10)


def test_verdicts_of_several_devices_add_up():
    one, other = a_ledger(), a_ledger()

    total = sum((judge(one, rows_of(one)[1:]), judge(other, rows_of(other)[2:])), NOTHING)

    assert (total.acked, total.lost, total.lost_numbers) == (20, 3, (1, 1, 2))
