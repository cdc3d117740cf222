"""Recordings: recognised by their content, read whole, played at a pace."""

import asyncio
import gzip
import json
import time
from datetime import UTC, datetime
from itertools import pairwise

import orjson
import pytest

from yuheng.engines.states.rules import compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.simulation.recorded.plant import MACHINES, recorded_plant
from yuheng.simulation.recorded.player import LONGEST_PAUSE_S, Pace, Progress, play
from yuheng.simulation.recorded.readers import (
    MACHINE_TEMPERATURE,
    NUT_RUNNER,
    SCREW_STATION,
    SERIES,
    WATER_RIG,
    NotARecording,
    Record,
    Recording,
    find_recordings,
    read_recordings,
)
from yuheng.simulation.tests.support import Rule

SKAB_HEADER = (
    "datetime;Accelerometer1RMS;Accelerometer2RMS;Current;Pressure;Temperature;Thermocouple;Voltage;"
    "Volume Flow RateRMS;anomaly;changepoint"
)


def a_curve(
    cycle, *, date="2022-09-05 13:43:39", result="OK", points=((0, 0.0, 0.0), (0.5, 90.0, 2.5), (0.5, 91, 1.0))
):
    times, angles, torques = (list(axis) for axis in zip(*points, strict=True))
    graph = {"time values": times, "angle values": angles, "torque values": torques}
    steps = [{"name": "Finding", "result": "OK", "graph": graph}]
    return {"date": date, "id code": f"W{cycle}", "cycle": cycle, "result": result, "tightening steps": steps}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "rig").mkdir()
    (tmp_path / "rig" / "0.csv").write_text(
        SKAB_HEADER + "\n2020-03-09 10:14:33;0.1;0.2;1.3;0.05;79;26;233;32.0;0.0;0.0"
        "\n2020-03-09 10:14:34;0.1;0.2;1.4;;80;26;234;0.0;1.0;1.0\n"
    )
    rows = "timestamp,value\n2013-12-02 21:15:00,73.9\n2013-12-02 21:20:00,\n2013-12-02 21:25:00,75.5\n"
    (tmp_path / "machine_temperature_system_failure.csv").write_text(rows)
    (tmp_path / "web_server.csv").write_text(rows)
    (tmp_path / "screw.json").write_text(json.dumps(a_curve(7, result="NOK")))
    with gzip.open(tmp_path / "curves.jsonl.gz", "wt") as file:
        file.write(
            json.dumps(a_curve(2, date="2021-02-15 10:00:10"))
            + "\n\n"
            + json.dumps(a_curve(1, date="2021-02-15 10:00:00"))
        )
    (tmp_path / "labels.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("no recording, and no name of one")
    return tmp_path


def test_a_folder_gives_the_machines_in_it_and_says_what_it_leaves_out(folder):
    found = find_recordings(folder)

    assert [(recording.kind, recording.name) for recording in found.recordings] == [
        (MACHINE_TEMPERATURE, "machine_temperature_system_failure"),
        (NUT_RUNNER, "curves.jsonl.gz:3"),
        (NUT_RUNNER, "curves.jsonl.gz:1"),
        (SCREW_STATION, "screw.json"),
        (WATER_RIG, "rig/0.csv"),
    ]
    assert {path.name for path in found.skipped} == {"web_server.csv", "labels.json"}
    (other,) = find_recordings(folder / "web_server.csv").recordings
    assert other.kind == SERIES


def test_the_rig_is_read_with_its_labels_and_without_what_is_missing(folder):
    (recording,) = read_recordings(folder / "rig" / "0.csv")
    first, second = recording.records()

    assert first.at == datetime(2020, 3, 9, 10, 14, 33, tzinfo=UTC).timestamp() == recording.starts_at
    assert first.values["flow_l_min"] == 32.0
    assert first.values["anomaly_label"] is False
    assert second.values["anomaly_label"] is True
    assert "pressure_bar" not in second.values
    assert len(first.values) == 10


def test_a_row_without_a_value_is_no_record(folder):
    (recording,) = read_recordings(folder / "machine_temperature_system_failure.csv")
    assert [record.values["temperature_f"] for record in recording.records()] == [73.9, 75.5]


def test_a_curve_runs_from_its_first_to_its_last_point_and_ends_with_its_result(folder):
    (recording,) = read_recordings(folder / "screw.json")
    records = list(recording.records())

    assert [record.values.get("is_running") for record in records] == [True, None, None, False]
    assert [record.values["torque_nm"] for record in records[:-1]] == [0.0, 2.5, 1.0]
    assert records[0].values["run_id"] == "W7"
    assert records[-1].values == {
        "is_running": False, "result_ok": False, "peak_torque_nm": 2.5, "final_angle_deg": 91.0,
    }  # fmt: skip
    assert len({(record.at, record.seq) for record in records}) == len(records)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "timestamp,value\n",
        "timestamp,value\nnot a time,1\n",
        "timestamp,value\n2013-12-02 21:15:00,73.9\n2013-12-02 21:20:00,warm\n",
        "timestamp,value\n2013-12-02 21:15:00\n2013\n",
        '[{"tightening steps": 1}]',
        '{"tightening steps": [7], "date": "2022-01-01"}',
        "datetime;Current\n2020-01-01;1\n",
        SKAB_HEADER + "\n",
        '{"tightening steps": [',
        '{"tightening steps": [{"name": "x", "graph": {}}], "date": "2022-01-01"}',
        '{"tightening steps": [], "date": 7}',
        "a,b\n1,2\n",
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path, text):
    path = tmp_path / "some.json"
    path.write_text(text)
    with pytest.raises(NotARecording, match=r"\.$|: "):
        find_recordings(path)


def test_axes_of_different_lengths_and_bytes_that_are_no_text_are_refused(tmp_path):
    curve = a_curve(1)
    curve["tightening steps"][0]["graph"]["torque values"].pop()
    path = tmp_path / "curve.json"
    path.write_text(json.dumps(curve))
    with pytest.raises(NotARecording, match="different lengths"):
        read_recordings(path)
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(NotARecording):
        read_recordings(path)
    (tmp_path / "x.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(NotARecording):
        read_recordings(tmp_path / "x.jsonl.gz")


def test_nothing_at_the_path_is_said_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing at"):
        find_recordings(tmp_path / "absent")


def test_every_value_of_a_recording_is_a_tag_and_every_rule_compiles(folder):
    recordings = [*find_recordings(folder).recordings, *read_recordings(folder / "web_server.csv")]
    assert {recording.kind for recording in recordings} == set(MACHINES)
    for recording in recordings:
        machine = MACHINES[recording.kind]
        types = {signal.symbol: signal.data_type for signal in machine.signals}
        for record in recording.records():
            for symbol, value in record.values.items():
                assert type(value).__name__.replace("str", "text") == types[symbol], symbol
        compile_rules([Rule(UnitState[state.upper()], when) for state, when in machine.states], set(types))


def test_the_description_holds_only_the_kinds_asked_for_and_keeps_raw_values_for_ever():
    plant = recorded_plant({WATER_RIG})
    assert {tag["work_unit"] for tag in plant["tags"]} == {"R01"}
    assert {tag["tag_class"] for tag in plant["tags"]} == {plant["tag_classes"][0]["code"]}
    assert plant["tag_classes"][0]["raw_days"] == 0


class Collected:
    """A publisher that keeps messages and the moment it got them."""

    def __init__(self):
        self.messages = []

    async def publish(self, message):
        """Keep it."""
        self.messages.append((time.time(), message.topic, orjson.loads(message.payload)))

    async def drain(self):
        """Everything is there."""

    def stamps(self):
        """Return all time stamps in seconds, in the order sent."""
        return [entry["ts"] / 1e6 for _, _, body in self.messages for entry in body]


def a_recording(kind=WATER_RIG, *, starts_at=1_000_000.0, seconds=10):
    def records():
        for second in range(seconds):
            yield Record(starts_at + second, {"flow_l_min": float(second)}, seq=second)

    return Recording(kind, f"r{starts_at:.0f}", starts_at, records)


async def played(recordings, pace, **options):
    publisher, progress = Collected(), Progress()
    async with asyncio.timeout(60):
        await play(recordings, publisher, pace, progress, **options)
    return publisher, progress


async def test_as_recorded_keeps_the_stamps_and_does_not_wait():
    publisher, progress = await played([a_recording(seconds=500)], Pace(is_as_recorded=True))

    assert publisher.stamps() == [1_000_000.0 + second for second in range(500)]
    assert [topic for _, topic, _ in publisher.messages] == ["recordings/R01"] * 3
    assert (progress.records, progress.recordings, progress.total) == (500, 1, 1)


async def test_at_a_speed_stamps_are_now_and_the_rhythm_is_the_recorded_one_divided():
    began = time.time()
    publisher, _ = await played([a_recording()], Pace(speed=10))

    stamps = publisher.stamps()
    assert stamps[0] >= began
    assert stamps[-1] - stamps[0] == pytest.approx(0.9, abs=1e-3)
    assert [round(later - earlier, 4) for earlier, later in pairwise(stamps)] == [0.1] * 9
    for got_at, _, body in publisher.messages:
        assert body[-1]["ts"] / 1e6 <= got_at + 0.05  # nothing is said before it happens


async def test_a_night_between_two_recordings_is_shortened():
    recordings = [a_recording(seconds=2), a_recording(starts_at=1_050_000.0, seconds=2)]
    publisher, _ = await played(recordings, Pace(speed=1000))

    stamps = publisher.stamps()
    assert stamps[2] - stamps[1] == pytest.approx(LONGEST_PAUSE_S, abs=0.01)


async def test_machines_play_at_the_same_time():
    recordings = [a_recording(seconds=5), a_recording(MACHINE_TEMPERATURE, seconds=5)]
    publisher, progress = await played(recordings, Pace(speed=20))

    assert {topic for _, topic, _ in publisher.messages} == {"recordings/R01", "recordings/R02"}
    assert max(got_at for got_at, *_ in publisher.messages) - min(got_at for got_at, *_ in publisher.messages) < 0.5
    assert set(progress.now_playing) == {WATER_RIG, MACHINE_TEMPERATURE}


async def test_a_loop_plays_on_until_it_is_told_to_stop():
    publisher, progress = Collected(), Progress()
    playing = asyncio.create_task(play([a_recording(seconds=3)], publisher, Pace(speed=1000), progress, loops=True))
    async with asyncio.timeout(60):
        while progress.recordings < 3:  # noqa: ASYNC110  what is awaited happens in the player
            await asyncio.sleep(0.01)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)

    stamps = publisher.stamps()
    assert stamps == sorted(stamps)
    assert len(stamps) >= 9
