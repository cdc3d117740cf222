"""What is wrong in a log is counted with its rows; what is left out stands in a file; nothing disappears."""

from __future__ import annotations

import csv
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yuheng.engines.eventlog import Log, LogError
from yuheng.engines.eventlog.issues import SENTENCES, Weight
from yuheng.engines.eventlog.tests import logs
from yuheng.engines.eventlog.tests.logs import NOW, START, issues, look

HEAD = ["WO001", "Turn", "CNC-1", "P1"]
DAY = "2026-04-01"


def row(order="WO001", operation="Turn", machine="CNC-1", start="08:00", end="09:00", quantity="10", good="10"):
    times = [f"{DAY} {at}:00" if at else "" for at in (start, end)]
    return [order, operation, machine, "P1", *times, quantity, good, "0"]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (row(order=""), "no_order"),
        (row(operation=""), "no_operation"),
        (row(start="", end=""), "no_time"),
        (row(start="10:00", end="09:00"), "end_before_start"),
        (row(good="-4"), "negative_quantity"),
        (row(end=""), "start_without_end"),
        ([*row(), "one", "cell too many"], "unreadable_row"),
        (
            ["WO001", "Turn", "CNC-1", "P1", "1970-01-01 00:00:00", "1970-01-01 00:00:09", "1", "1", "0"],
            "clock_not_set",
        ),
    ],
)
def test_a_row_that_cannot_be_is_rejected_with_its_number_and_written_beside(tmp_path, bad, code):
    done = logs.a_plant_s_work()
    path = logs.as_csv(tmp_path / "log.csv", done, more=(bad,))
    with Log(path, zone=ZoneInfo("UTC"), now=NOW) as log:
        assert log.counts()["rejected"] == 1
        assert log.counts()["operations"] == len(done)
        assert log.counts()["rows"] == len(done) + 1
        assert log.issues.found[code].rows[0]["row"] == len(done) + 2
        assert log.write_refused(tmp_path / "rejected.csv") == 1
    with (tmp_path / "rejected.csv").open(encoding="utf-8-sig", newline="") as file:
        [told] = list(csv.DictReader(file))
    assert (told["code"], told["row"]) == (code, str(len(done) + 2))
    assert told["reason"] == SENTENCES[code][1]


def test_a_row_that_stands_twice_counts_once(tmp_path):
    done = logs.a_plant_s_work()
    told = look(logs.as_csv(tmp_path / "log.csv", [*done, done[3]]))
    assert (told["rejected"], told["operations"], issues(told)["duplicate"]) == (1, 18, 1)


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (row(machine=""), "no_machine"),
        (row(start="08:00", end="08:00"), "zero_duration"),
        (row(good="ten"), "bad_quantity"),
        (row(machine="cnc-1"), "name_variants"),
        (row(start="", end="09:00"), "end_without_start"),
        (row(good="99"), "more_than_ordered"),
    ],
)
def test_a_row_that_is_odd_is_kept_and_reported(tmp_path, odd, code):
    done = logs.a_plant_s_work()
    told = look(logs.as_csv(tmp_path / "log.csv", done, more=(odd,)))
    assert (told["rejected"], told["operations"], issues(told)[code]) == (0, len(done) + 1, 1)


def test_two_jobs_at_once_on_one_machine_and_a_gap_are_reported(tmp_path):
    odd = (row(order="A"), row(order="B", start="08:30", end="09:30"))
    told = look(logs.as_csv(tmp_path / "log.csv", logs.a_plant_s_work(), more=odd))
    assert issues(told)["overlap"] == 1
    assert issues(told)["gap"] == 1


def test_a_clock_that_goes_back_and_a_time_to_come_are_reported(tmp_path):
    done = logs.a_plant_s_work(orders=20)
    early = ["WO001", "Turn", "CNC-9", "P1", "2026-01-01 08:00:00", "2026-01-01 09:00:00", 10, 10, 0]
    late = ["WO001", "Check", "CNC-9", "P1", "2027-01-01 08:00:00", "2027-01-01 09:00:00", 10, 10, 0]
    told = look(logs.as_csv(tmp_path / "log.csv", done, more=(early, late)))
    assert issues(told)["clock_jump"] == 1
    assert issues(told)["in_the_future"] == 1


def test_a_night_that_has_an_hour_twice_is_reported(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "order,operation,start,end\nA,x,2025-10-26 02:30:00,2025-10-26 04:00:00\n"
        "B,x,2025-10-27 08:00:00,2025-10-27 09:00:00\n"
    )
    assert issues(look(path, zone="Europe/Berlin"))["clock_change"] == 1
    assert "clock_change" not in issues(look(path, zone="Asia/Shanghai"))


def test_what_comes_back_is_another_job_and_what_goes_on_is_the_same(tmp_path):
    path = tmp_path / "log.csv"
    lines = ["order,operation,machine,start,end,order qty,good,scrap"]
    for start, end, operation, good in (
        ("08", "09", "turn", 4),
        ("10", "11", "turn", 6),
        ("12", "13", "mill", 10),
        ("14", "15", "turn", 0),
    ):
        lines.append(f"A,{operation},M,{DAY} {start}:00,{DAY} {end}:00,10,{good},0")
    path.write_text("\n".join(lines))
    with Log(path, zone=ZoneInfo("UTC"), now=NOW) as log:
        [order] = log.orders()
    assert [(job.operation, job.visit, len(job.stretches), job.good) for job in order.jobs] == [
        ("turn", 1, 2, 10), ("mill", 1, 1, 10), ("turn", 2, 1, 0),
    ]  # fmt: skip
    assert order.quantity == 10
    assert order.jobs[0].worked_s == 7200


def test_operations_done_at_once_do_not_wait_for_each_other(tmp_path):
    path = tmp_path / "log.csv"
    lines = ["order,operation,start,end"]
    for number in range(10):
        day = f"2026-04-{number + 1:02}"
        for operation, start, end in (
            ("cut", "08", "09"),
            ("frame", "09", "12"),
            ("motor", "09", "11"),
            ("join", "13", "14"),
        ):
            lines.append(f"O{number},{operation},{day} {start}:00,{day} {end}:00")
    path.write_text("\n".join(lines))
    links = look(path)["routings"][0]["links"]
    assert sorted(map(tuple, links)) == [("cut", "frame"), ("cut", "motor"), ("frame", "join"), ("motor", "join")]


def test_only_ends_are_known(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(
        "order,operation,machine,timestamp\nA,x,M,2026-04-01 08:00\nA,y,N,2026-04-01 09:00\n"
        "B,y,N,2026-04-01 09:20\nB,z,N,2026-04-01 10:00\n"
    )
    with Log(path, zone=ZoneInfo("UTC"), now=NOW) as log:
        orders = list(log.orders())
        assert "only_end_times" in log.issues.found
    assert orders[0].jobs[1].worked_s == 3600  # since its order was free
    assert orders[1].jobs[0].start.hour == 9  # since its machine was free


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=400),
    head=st.sampled_from([b"", b"order,operation,end\n", b"<log>", b'{"events":[', b"\xff\xfe"]),
)
def test_whatever_comes_is_a_report_or_a_refusal(tmp_path, data, head):
    path = tmp_path / "anything"
    path.write_bytes(head + data)
    try:
        told = look(path)
    except LogError:
        return
    left_out = sum(one["count"] for one in told["issues"] if one["weight"] == Weight.REJECTED.value)
    assert left_out == told["rejected"]


cells = st.text(alphabet="AB12 -:/.,;\"'年\n", max_size=12)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.lists(cells, min_size=9, max_size=9), max_size=12))
def test_every_row_is_an_operation_or_rejected(tmp_path, rows):
    done = logs.a_plant_s_work(orders=2)
    given = [one for one in rows if any(cell.strip() for cell in one)]
    told = look(logs.as_csv(tmp_path / "log.csv", done, more=tuple(given)))
    assert told["operations"] + told["rejected"] == told["rows"] == len(done) + len(given)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shift=st.lists(st.integers(-3, 300), min_size=18, max_size=18))
def test_time_worked_is_never_more_than_time_gone(tmp_path, shift):
    done = [
        logs.Done(one.order, one.operation, one.machine, one.operator, one.start, one.start + timedelta(minutes=by), 10)
        for one, by in zip(logs.a_plant_s_work(), shift, strict=True)
    ]
    with Log(logs.as_csv(tmp_path / "log.csv", done), zone=ZoneInfo("UTC"), now=NOW) as log:
        counts = log.counts()
        assert counts["rejected"] == sum(by < 0 for by in shift)
        for order in log.orders():
            assert order.start >= START
            for job in order.jobs:
                assert 0 <= job.worked_s <= (job.end - job.start).total_seconds()
