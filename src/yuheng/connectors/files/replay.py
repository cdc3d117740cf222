"""Replaying recordings: now and accelerated, or as backfill with their own stamps; goes on where it stopped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yuheng.bus.messages import SampleBatch
from yuheng.connectors.files.readers import RecordingFormat, Row, UnreadableRecording, read_chunks, recordings_in
from yuheng.gateway.connector import CommandRefused, Context, State

_ROWS_AT_ONCE = 500
_VALUES_AT_ONCE = 20_000
_SAVE_EVERY_S = 1.0
_TICK_US = 50_000  # rows due within this of each other leave together


_DONE = -1  # rows kept of a file that was replayed to its end
_LOOK_AGAIN_S = 0.5


@dataclass(slots=True)
class _Clock:
    """Maps recorded times to times now: the first recorded one is now, the others follow at ``speed``."""

    speed: float
    recorded_us: int = 0
    now_us: int = 0

    def start(self, recorded_us: int, now_us: int) -> None:
        self.recorded_us, self.now_us = recorded_us, now_us

    def at(self, recorded_us: int) -> int:
        return self.now_us + round((recorded_us - self.recorded_us) / self.speed)


class ReplaySession:
    """One replay of one file or directory."""

    def __init__(self, config: Mapping[str, Any], context: Context) -> None:
        self._context = context
        self._path = Path(config["path"])
        self._pattern = str(config.get("pattern", "*.csv"))
        self._format = RecordingFormat.from_settings(config)
        self._is_backfill = config.get("stamps", "now") == "as_recorded"
        self._speed = float(config.get("speed", 1))
        self._is_loop = bool(config.get("loop", False)) and not self._is_backfill
        self._is_following = bool(config.get("follow", False)) and not self._is_loop
        self._kept: dict[str, int] = {}  # file -> rows that are in the durable log
        self._saved_at = 0.0
        self._troubles = 0

    async def run(self) -> None:
        """Replay what is not yet in the log; with ``loop`` for ever, with ``follow`` wait for more files."""
        self._kept = await asyncio.to_thread(self._saved)
        while True:
            files = await asyncio.to_thread(self._files)
            for file in files:
                if self._kept.get(file.name) != _DONE:
                    await self._replay(file, self._kept.get(file.name, 0))
            if self._is_loop:
                self._kept.clear()
                await asyncio.to_thread(self._save)
            elif not self._is_following:
                self._context.set_health(State.STOPPED, f"All {len(files)} recordings have been replayed.")
                return
            elif not self._troubles:
                self._context.set_health(State.CONNECTED, f"Waiting for recordings in {self._path.name}.")
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _files(self) -> list[Path]:
        try:
            return recordings_in(self._path, self._pattern)
        except UnreadableRecording:
            if self._is_following and self._path.is_dir():
                return []
            raise

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """A recording takes no commands."""
        raise CommandRefused("A recording cannot be given commands.")

    async def _replay(self, file: Path, skip: int) -> None:
        verb = "Backfilling" if self._is_backfill else f"Replaying at ×{self._speed:g}"
        if not self._troubles:
            self._context.set_health(State.CONNECTED, f"{verb}: {file.name}.")
        chunks = read_chunks(file, self._format, skip_rows=skip, size=_ROWS_AT_ONCE)
        clock = _Clock(self._speed)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            await self._keep_unreadable(file, chunk)
            good = [row for row in chunk if not row.trouble]
            if self._is_backfill:
                await self._emit(good, None)
            else:
                await self._emit_in_time(good, clock)
            self._kept[file.name] = chunk[-1].number
            await self._save_sometimes()
        self._kept[file.name] = _DONE
        await asyncio.to_thread(self._save)

    async def _emit_in_time(self, rows: list[Row], clock: _Clock) -> None:
        for due_us, group in _groups(rows, clock, self._context.now_us):
            await asyncio.sleep(max(0.0, (due_us - self._context.now_us()) / 1_000_000))
            await self._emit(group, clock)

    async def _emit(self, rows: list[Row], clock: _Clock | None) -> None:
        cells = [
            (address, row.time_us if clock is None else clock.at(row.time_us), value)
            for row in rows
            for address, value in row.values
        ]
        for start in range(0, len(cells), _VALUES_AT_ONCE):
            addresses, times, values = zip(*cells[start : start + _VALUES_AT_ONCE], strict=True)
            batch = SampleBatch(list(addresses), list(times), list(values), [0] * len(addresses))
            await self._context.emit_samples(batch)
        self._context.count("rows", len(rows))

    async def _keep_unreadable(self, file: Path, rows: list[Row]) -> None:
        """Keep rows without a readable time whole: they become dead letters that a person sees."""
        for row in rows:
            if row.trouble:
                self._troubles += 1
                self._context.count("unreadable")
                sentence = f"{file.name}, row {row.number}: {row.trouble}"
                self._context.set_health(State.DEGRADED, sentence)
                await self._context.emit_raw(f"{file.name}:{row.number}", row.text.encode())

    # ---- position -------------------------------------------------------------------------------------------

    async def _save_sometimes(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._saved_at >= _SAVE_EVERY_S:
            self._saved_at = now
            await asyncio.to_thread(self._save)

    def _save(self) -> None:
        target = self._context.state_dir / "position.json"
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps({"path": str(self._path), "kept": self._kept}), encoding="utf-8")
        fresh.replace(target)

    def _saved(self) -> dict[str, int]:
        """Return what was kept in an earlier life; nothing when that was of another path or is not readable."""
        try:
            found = json.loads((self._context.state_dir / "position.json").read_text(encoding="utf-8"))
            return {str(k): int(v) for k, v in found["kept"].items()} if found["path"] == str(self._path) else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}


def _groups(rows: list[Row], clock: _Clock, now_us: Any) -> Iterator[tuple[int, list[Row]]]:
    """Group rows that are due together; the first row ever is due now."""
    group: list[Row] = []
    due_us = 0
    for row in rows:
        if not clock.now_us:
            clock.start(row.time_us, now_us())
        row_due_us = clock.at(row.time_us)
        if group and row_due_us - due_us > _TICK_US:
            yield due_us, group
            group = []
        if not group:
            due_us = row_due_us
        group.append(row)
    if group:
        yield due_us, group
