import argparse
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from yuheng.bench import chaos
from yuheng.bench.chaos import OUTAGE_SPEED_OF, accelerated, chaos_plant, read_samples
from yuheng.bench.historian import HistorianRefused
from yuheng.bench.ledger import Ledger, judge
from yuheng.bench.plants import a_credential

NOW_US = 1_790_000_000_000_000


class FakeBus:
    """A historian with one tag's rows; ``troubles`` questions are refused first."""

    def __init__(self, rows, troubles=0):
        self._rows = sorted(rows)
        self._troubles = troubles
        self.questions = 0

    def table(self, operation, question):
        assert operation == "raw"
        self.questions += 1
        if self._troubles:
            self._troubles -= 1
            raise HistorianRefused("No historian answers.")
        rows = [row for row in self._rows if question.start_us <= row[0] < question.end_us][: question.limit]
        times = pa.array([datetime.fromtimestamp(row[0] / 1e6, UTC) for row in rows], pa.timestamp("us", "UTC"))
        columns = {"seq": [row[1] for row in rows], "value": [float(row[2]) for row in rows]}
        return pa.table({"time": times, "seq": pa.array(columns["seq"], pa.uint64()), "value": columns["value"]})


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(chaos, "PAGE_ROWS", 10)
    monkeypatch.setattr(chaos.time, "time", lambda: NOW_US / 1e6)


def rows_of(count):
    return [(NOW_US - 60_000_000 + number // 3 * 1000, number, number) for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, 10, 95])
def test_every_row_is_read_once_over_many_pages(count):
    bus = FakeBus(rows_of(count))

    samples = read_samples(bus, tag_id=1)

    assert [sample.number for sample in samples] == list(range(count))
    assert bus.questions > count // 10


def test_a_row_taken_out_of_the_store_is_found_to_be_lost():
    rows = rows_of(50)
    ledger = Ledger("m0/number", {number: time_us for time_us, _, number in rows}, set(range(50)))
    del rows[17]

    verdict = judge(ledger, read_samples(FakeBus(rows), tag_id=1))

    assert (verdict.lost, verdict.lost_numbers, verdict.duplicated) == (1, (17,), 0)


def test_a_row_put_in_twice_is_found_to_be_duplicated():
    rows = rows_of(50)
    ledger = Ledger("m0/number", {number: time_us for time_us, _, number in rows}, set(range(50)))
    rows.append((rows[17][0] + 1, 17, 17))

    verdict = judge(ledger, read_samples(FakeBus(rows), tag_id=1))

    assert (verdict.lost, verdict.duplicated, verdict.misplaced) == (0, 1, 1)


def test_a_historian_that_is_still_starting_is_asked_again(monkeypatch):
    monkeypatch.setattr(chaos.time, "sleep", lambda _: None)
    assert len(read_samples(FakeBus(rows_of(5), troubles=3), tag_id=1)) == 5
    with pytest.raises(HistorianRefused):
        read_samples(FakeBus(rows_of(5), troubles=99), tag_id=1)


def test_the_outages_clock_lives_an_hour_and_ends_at_the_real_time():
    real = iter([1_000_000, 1_000_000, 1_010_000])
    clock = accelerated(OUTAGE_SPEED_OF / 10, now_ms=lambda: next(real))

    first, last = clock(), clock()

    assert last - first == 3_600_000
    assert last == 1_000_000


def test_the_plant_gives_every_device_a_tag_and_its_topics():
    plant = chaos_plant(a_credential("x"))
    sources = {source["code"] for source in plant["sources"]}
    assert {tag["source"] for tag in plant["tags"]} == sources == set(plant["devices"][0]["sources"])
    assert len(plant["tags"]) == chaos.MQTT_DEVICES + chaos.HTTP_DEVICES


def test_kills_are_the_default_scenario():
    parser = argparse.ArgumentParser()
    chaos.add_arguments(parser)
    assert parser.parse_args([]).scenario == "kills"
