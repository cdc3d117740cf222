"""Public recordings of real machines, recognised by what is in the file, never by its name alone.

==============  =====================================================================================================
water-rig       SKAB: ``;``-separated, 8 channels of a water-circulation rig at 1 Hz, with its faults marked
machine-temp    NAB ``timestamp,value`` of an industrial machine's temperature, every 5 min
series          any other NAB ``timestamp,value``
screw-station   pyscrew: one JSON file a screw, torque and angle every 1.2 ms
nut-runner      Fraunhofer IPA: one JSON object a line (``.jsonl``, ``.jsonl.gz``), torque and angle of each curve
==============  =====================================================================================================
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

WATER_RIG, MACHINE_TEMPERATURE, SERIES = "water-rig", "machine-temp", "series"
SCREW_STATION, NUT_RUNNER = "screw-station", "nut-runner"

SKAB_CHANNELS: dict[str, str] = {
    "Accelerometer1RMS": "vibration1_g",
    "Accelerometer2RMS": "vibration2_g",
    "Current": "current_a",
    "Pressure": "pressure_bar",
    "Temperature": "motor_temp_c",
    "Thermocouple": "fluid_temp_c",
    "Voltage": "voltage_v",
    "Volume Flow RateRMS": "flow_l_min",
}
SKAB_LABELS = {"anomaly": "anomaly_label", "changepoint": "changepoint_label"}

CURVE_KEY = "tightening steps"
HEAD_CHARACTERS = 4096
POINTS_A_CURVE = 1_000_000
"""Sequence numbers reserved for each curve; its points are counted within."""
END_AFTER_S = 0.05
"""A result is said this long after the last point of its curve."""
PLAYED_NAMES = (".csv", ".json", ".jsonl", ".jsonl.gz")


@dataclass(frozen=True, slots=True)
class Record:
    """Values of one moment of a recording.

    Attributes
    ----------
    at
        Recorded time, seconds since 1970; a recording without a time zone is read as UTC.
    values
        Symbol -> value (float, bool, int or text).
    seq
        Tells apart points that share a time: the clocks of screwdrivers are coarse, and two curves may overlap.
    """

    at: float
    values: dict[str, Any]
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording of one machine; its records are read from the file each time it is played."""

    kind: str
    name: str
    starts_at: float
    records: Callable[[], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a path holds.

    Attributes
    ----------
    recordings
        In order of kind and recorded time.
    skipped
        File -> sentence saying why it is not played.
    """

    recordings: list[Recording]
    skipped: Mapping[Path, str]


class NotARecording(ValueError):
    """The file is none of the known formats; the sentence says what is wrong."""


def find_recordings(path: Path) -> Found:
    """Read what can be played from a file or from a folder and everything below it.

    In a folder, series of things that are no machines (web servers, traffic) are left out: name such a file to play it.

    Raises
    ------
    FileNotFoundError
        There is nothing at the path.
    NotARecording
        The path is a file, and none of the known formats.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is nothing at {path}.")
    if path.is_file():
        return Found(_sorted(read_recordings(path)), {})
    recordings: list[Recording] = []
    skipped: dict[Path, str] = {}
    for file in sorted(file for file in path.rglob("*") if file.is_file() and file.name.endswith(PLAYED_NAMES)):
        try:
            found = read_recordings(file)
        except NotARecording as error:
            skipped[file] = str(error)
            continue
        if found and found[0].kind == SERIES:
            skipped[file] = "It is a series of something that is no machine; name the file to play it."
        else:
            recordings += found
    return Found(_sorted(recordings), skipped)


def read_recordings(path: Path) -> list[Recording]:
    """Return the recordings in one file; many for a file with a curve a line.

    Raises
    ------
    NotARecording
        It is none of the known formats.
    """
    try:
        with _opened(path) as file:
            head = file.read(HEAD_CHARACTERS)
        first_line = head.split("\n", 1)[0].strip("\ufeff\r")
        if first_line.startswith("datetime;"):
            return [_skab(path, first_line)]
        if first_line == "timestamp,value":
            return [_nab(path)]
        if f'"{CURVE_KEY}"' in head:
            return _curves(path)
    except (OSError, EOFError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, NotARecording):
            raise
        raise NotARecording(f"It cannot be read as a recording: {error}") from error
    raise NotARecording("It is none of the known formats: SKAB or NAB CSV, pyscrew JSON, curves as JSON lines.")


def _sorted(recordings: list[Recording]) -> list[Recording]:
    return sorted(recordings, key=lambda recording: (recording.kind, recording.starts_at, recording.name))


def _opened(path: Path) -> TextIO:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8")
    return path.open(encoding="utf-8", newline="")


def _seconds(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# ---- tables ---------------------------------------------------------------------------------------------------------


def _skab(path: Path, header: str) -> Recording:
    missing = sorted(set(SKAB_CHANNELS) - set(header.split(";")))
    if missing:
        raise NotARecording(f"It looks like SKAB, but the channel {missing[0]} is missing.")

    def records() -> Iterator[Record]:
        with _opened(path) as file:
            for row in csv.DictReader(file, delimiter=";"):
                values: dict[str, Any] = {SKAB_CHANNELS[name]: float(row[name]) for name in SKAB_CHANNELS if row[name]}
                values |= {symbol: float(row[name]) > 0 for name, symbol in SKAB_LABELS.items() if row.get(name)}
                yield Record(_seconds(row["datetime"]), values)

    return Recording(WATER_RIG, f"{path.parent.name}/{path.name}", _checked(records).at, records)


def _nab(path: Path) -> Recording:
    is_machine = "machine_temperature" in path.name
    kind, symbol = (MACHINE_TEMPERATURE, "temperature_f") if is_machine else (SERIES, "value")

    def records() -> Iterator[Record]:
        with _opened(path) as file:
            for row in csv.DictReader(file):
                if row["value"]:
                    yield Record(_seconds(row["timestamp"]), {symbol: float(row["value"])})

    return Recording(kind, path.stem, _checked(records).at, records)


def _checked(records: Callable[[], Iterator[Record]]) -> Record:
    """Read all rows once, so that a bad one is named now and not in the middle of playing; return the first."""
    first: Record | None = None
    number = 0
    try:
        for record in records():
            first = first or record
            number += 1
    except (ValueError, TypeError, csv.Error) as error:
        raise NotARecording(f"The row after record {number} cannot be read: {error}.") from error
    if first is None:
        raise NotARecording("It has a header and no rows.")
    return first


# ---- curves ---------------------------------------------------------------------------------------------------------


def _curves(path: Path) -> list[Recording]:
    """Return one recording a curve. Their texts are kept (about 15 kB each), their points are made when played."""
    is_lines = ".jsonl" in path.name
    recordings = []
    with _opened(path) as file:
        for number, text in enumerate(file if is_lines else [file.read()], start=1):
            if text.strip():
                curve = json.loads(text)
                for step in curve[CURVE_KEY]:
                    _axes(step)  # a curve without its axes is refused here, not in the middle of playing
                recordings.append(
                    Recording(
                        NUT_RUNNER if is_lines else SCREW_STATION,
                        f"{path.name}:{number}" if is_lines else path.name,
                        _seconds(str(curve["date"])),
                        partial(_curve_records, text),
                    )
                )
    if not recordings:
        raise NotARecording("It holds no curves.")
    return recordings


def _curve_records(text: str) -> Iterator[Record]:
    """Yield the points of one curve: ``is_running`` from its first to its last, the result with the last."""
    curve = json.loads(text)
    started_at = _seconds(str(curve["date"]))
    run: dict[str, Any] = {"run_id": str(curve["id code"]), "cycle": int(curve["cycle"]), "is_running": True}
    seq = int(curve["cycle"]) * POINTS_A_CURVE
    peak_torque = angle = last_s = 0.0
    for step in curve[CURVE_KEY]:
        run["step"] = str(step["name"])
        for last_s, angle, torque in zip(*_axes(step), strict=True):
            yield Record(started_at + last_s, {"torque_nm": float(torque), "angle_deg": float(angle), **run}, seq)
            seq += 1
            run = {}  # said once; what did not change need not be repeated 2,000 times
            peak_torque = max(peak_torque, float(torque), key=abs)  # negative when unfastening
    is_ok = curve["result"] == "OK"
    yield Record(
        started_at + last_s + END_AFTER_S,
        {"is_running": False, "result_ok": is_ok, "peak_torque_nm": peak_torque, "final_angle_deg": float(angle)},
        seq,
    )


def _axes(step: dict[str, Any]) -> tuple[list[float], list[float], list[float]]:
    graph = step["graph"]
    axes = (graph["time values"], graph["angle values"], graph["torque values"])
    if len({len(axis) for axis in axes}) != 1:
        raise NotARecording("The axes of a curve have different lengths.")
    return axes
