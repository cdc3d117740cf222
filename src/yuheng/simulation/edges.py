"""The edge devices of a plant: each scans its area's machines once a second and publishes what they say."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from yuheng.simulation.layout import MQTT_JSON, AreaSpec, PlantSpec, units_of
from yuheng.simulation.model import Plant
from yuheng.simulation.mqtt import Login, Publisher
from yuheng.simulation.outages import Outages
from yuheng.simulation.signals import AreaSensors
from yuheng.simulation.sparkplug import SparkplugSpeaker
from yuheng.simulation.speakers import JsonSpeaker, Sample, Speaker

log = logging.getLogger(__name__)

SCAN_EVERY_S = 1.0
LATE_S = 5.0
SPOOL_S = 600
"""How long an edge device keeps what the broker does not take; then it stops scanning (held, and said in the log)."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Model time from wall-clock time: the plant may live faster than we do, its stamps are always real.

    Attributes
    ----------
    wall_start, model_start
        The same moment on both clocks, seconds since 1970.
    speed
        Model seconds in a real second.
    """

    wall_start: float
    model_start: float
    speed: float = 1.0

    def model(self, wall: float) -> float:
        """Return the model time at a wall-clock time."""
        return self.model_start + (wall - self.wall_start) * self.speed


class AreaReader:
    """The sensors of an area, and who of it can be heard."""

    def __init__(self, area: AreaSpec, plant: Plant, outages: Outages, *, seed: int) -> None:
        machines = [plant.machines[unit.code] for unit in units_of(area)]
        self._outages = outages
        self.sensors = AreaSensors(machines, seed=seed, name=area.code, start=plant.now, families=plant.spec.routes)
        self._silent: set[str] = set()

    def scan(self, model_time: float, at_ms: int) -> tuple[list[Sample], list[str]]:
        """Read every machine that can be heard; also return who has just fallen silent.

        The plant must have lived until ``model_time``.
        """
        readings = self.sensors.read(model_time)
        heard = [reading for reading in readings if not self._outages.is_silent(reading.work_unit)]
        silent = {reading.work_unit for reading in readings} - {reading.work_unit for reading in heard}
        fallen = sorted(silent - self._silent)
        self._silent = silent
        return [Sample(reading.work_unit, at_ms, reading.values) for reading in heard], fallen


class Edge:
    """One edge device: sensors of an area, a speaker, a publisher."""

    def __init__(self, area: AreaSpec, plant: Plant, outages: Outages, *, seed: int) -> None:
        self.area = area
        self.held_s = 0.0
        self._plant = plant
        self._reader = AreaReader(area, plant, outages, seed=seed)
        self.sensors = self._reader.sensors
        self.publisher: Publisher[Any] | None = None
        self.speaker: Speaker = _speaker(plant.spec, area, self._rebirth)

    @property
    def username(self) -> str:
        """Name of its credential."""
        return self._plant.spec.edge_username(self.area)

    def connect(self, login: Login) -> Publisher[Any]:
        """Return the publisher of this device; somebody must let it `run`."""
        self.publisher = Publisher(
            login,
            self.speaker.encoding,
            capacity=self.area.size * SPOOL_S,
            subscribe=self._plant.spec.subscribe_topics(self.area),
            on_message=getattr(self.speaker, "hear", None),
        )
        return self.publisher

    def scan(self, model_time: float, at_ms: int) -> tuple[list[Sample], list[str]]:
        """Read every machine that can be heard; also return who has just fallen silent; see `AreaReader.scan`."""
        return self._reader.scan(model_time, at_ms)

    async def publish(self, samples: list[Sample], fallen: list[str], at_ms: int) -> None:
        """Publish one scan; waits while the spool is full."""
        assert self.publisher is not None
        for work_unit in fallen:
            for item in self.speaker.fall_silent(work_unit, at_ms):
                await self.publisher.publish(item)
        for sample in samples:
            for item in self.speaker.say(sample):
                await self.publisher.publish(item)

    async def run(self, clock: Clock, first_scan_at: float) -> None:
        """Scan for ever, once a second from ``first_scan_at`` (wall clock) on."""
        due = first_scan_at
        while True:
            wait_s = due - time.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif wait_s < -LATE_S:  # held by a full spool, or the machine slept
                self.held_s -= wait_s
                log.warning("%s did not scan for %.0f s: the broker took nothing.", self.username, -wait_s)
                due = time.time()
            model_time = clock.model(due)
            self._plant.run_until(model_time)
            at_ms = int(due * 1000)
            samples, fallen = self.scan(model_time, at_ms)
            await self.publish(samples, fallen, at_ms)
            due += SCAN_EVERY_S

    def _rebirth(self, item: Any) -> None:
        if self.publisher is not None:
            self.publisher.publish_nowait(item)


def make_edges(plant: Plant, outages: Outages, *, seed: int) -> list[Edge]:
    """Return the edge device of every area whose machines connect to our broker."""
    return [Edge(area, plant, outages, seed=seed) for area in plant.spec.edge_areas()]


def _speaker(plant: PlantSpec, area: AreaSpec, publish: Callable[[Any], None]) -> Speaker:
    if area.speaks == MQTT_JSON:
        return JsonSpeaker(f"{plant.site_code}/{area.code}")
    return SparkplugSpeaker(plant.sparkplug_group, area.code, publish)


async def recall(edges: list[Edge], plant: Plant, *, start: float, end: float, step_s: float) -> int:
    """Publish what happened in ``[start, end)`` with its original stamps; return the number of samples.

    The devices kept it while nobody listened: history goes the same way as everything else.
    """
    kept: dict[str, list[Sample]] = {}
    at = start
    while at < end:
        plant.run_until(at)
        for edge in edges:
            for sample in edge.scan(at, int(at * 1000))[0]:
                kept.setdefault(sample.work_unit, []).append(sample)
        at += step_s
    for edge in edges:
        assert edge.publisher is not None
        for unit in units_of(edge.area):
            for item in edge.speaker.recall(kept.pop(unit.code, [])):
                await edge.publisher.publish(item)
    return round((end - start) / step_s) * sum(edge.area.size for edge in edges)
