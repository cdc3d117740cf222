"""People and tools that job orders need while they are worked on.

What can never run short, whatever runs at once, is left out: each machine does one thing at a time, so the most that
all of them can need together is known. The engine is several times as fast without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from yuheng.engines.schedule.parts import Demand, Id, Operation, Operator, Resource
from yuheng.engines.schedule.people import pools
from yuheng.operations.selectors.planning import OpenJob, OpenWork
from yuheng.scheduling.building.facts import Away
from yuheng.scheduling.building.notices import Notice

TOOL = "tool "


def skill_id(code: str, level: int) -> str:
    """Return the engine's name of a skill at a level."""
    return f"{code} {level}"


class Held:
    """Demands of job orders, and what there is to fill them."""

    def __init__(
        self, work: OpenWork, notices: list[Notice], absences: Iterable[Away], tick: Callable[[datetime], int]
    ) -> None:
        self._tools, self._notices = work.tools, notices
        away: dict[int, list[tuple[int, int]]] = {}
        for one in absences:
            away.setdefault(one.person_id, []).append((max(0, tick(one.start)), max(1, tick(one.end) + 1)))
        self._away = frozenset(away)
        needed = {(skill, level) for job in work.jobs for skill, _count, level in job.step.skills}
        people = []
        for person_id, levels in work.skills.items():
            able = tuple(skill_id(skill, level) for skill, level in sorted(needed) if levels.get(skill, -1) >= level)
            if able:
                people.append(Operator(person_id, able, absences=joined(away.get(person_id, ()))))
        self.operators: tuple[Operator, ...] = tuple(people)
        self._able: dict[str, int] = {}
        for person in people:
            for skill in person.skills:
                self._able[str(skill)] = self._able.get(str(skill), 0) + 1
        self.resources: tuple[Resource, ...] = ()

    def demands(self, job: OpenJob) -> tuple[Demand, ...]:
        """Return what a job order needs; what there is not enough of is named and not asked for."""
        if not job.step.skills and not job.step.tools:
            return ()
        found = []
        for skill, count, level in job.step.skills:
            there = self._able.get(skill_id(skill, level), 0)
            if there >= count:
                found.append(Demand(skill_id(skill, level), count))
                continue
            told = {"job": job.code, "skill": skill, "level": level, "needed": count, "there": there}
            self._notices.append(Notice("too_few_able" if there else "nobody_able", told, job.id))
        for tool, count in job.step.tools:
            there = self._tools.get(tool, 0)
            if there >= count:
                found.append(Demand(TOOL + tool, count))
                continue
            told = {"job": job.code, "tool": tool, "needed": count, "there": there}
            self._notices.append(Notice("too_few_tools", told, job.id))
        return tuple(found)

    def fitted(self, operations: dict[int, Operation]) -> dict[int, Operation]:
        """Return operations without the demands that can always be filled, and set what is there for the others."""
        if not any(row.demands for row in operations.values()):
            self.operators = ()
            return operations
        scarce = self._scarce_tools(operations) | self._scarce_skills(operations)
        self.resources = (
            *self.resources,
            *(Resource(TOOL + tool, count) for tool, count in sorted(self._tools.items()) if TOOL + tool in scarce),
        )
        if not any(not str(one).startswith(TOOL) for one in scarce):
            self.operators = ()
        return {
            job_id: row
            if not row.demands
            else replace(row, demands=tuple(one for one in row.demands if one.resource in scarce))
            for job_id, row in operations.items()
        }

    def _scarce_tools(self, operations: Mapping[int, Operation]) -> set[Id]:
        most = _most_at_once(operations)
        return {TOOL + tool for tool, there in self._tools.items() if sum(most.get(TOOL + tool, {}).values()) > there}

    def _scarce_skills(self, operations: Mapping[int, Operation]) -> set[Id]:
        """Skills of every pool that could run short; if one could, people of all pools that share skills count."""
        try:
            groups = pools(self.operators)
        except OverflowError:
            self._notices.append(Notice("too_many_skills", {}))
            self.resources = tuple(
                Resource(skill, count, kept_over_breaks=False) for skill, count in sorted(self._able.items())
            )
            self.operators = ()
            return set(self._able)
        is_scarce = False
        for pool in groups:
            most: dict[Id, int] = {}
            for row in operations.values():
                count = sum(one.amount for one in row.demands if one.resource in pool.skills)
                if count:
                    for mode in row.modes:
                        most[mode.machine] = max(most.get(mode.machine, 0), count)
            is_scarce |= sum(most.values()) > len(pool.people) - len(self._away)
        return set(self._able) if is_scarce else set()


def joined(times: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Return times by start, those that touch or overlap as one: the engine takes no two absences at once.

    Examples
    --------
    >>> joined([(5, 9), (0, 3), (8, 12)])
    ((0, 3), (5, 12))
    """
    found: list[tuple[int, int]] = []
    for start, end in sorted(times):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def _most_at_once(operations: Mapping[int, Operation]) -> dict[Id, dict[Id, int]]:
    """Resource -> machine -> the most that one operation there needs of it."""
    most: dict[Id, dict[Id, int]] = {}
    for row in operations.values():
        for demand in row.demands:
            of = most.setdefault(demand.resource, {})
            for mode in row.modes:
                of[mode.machine] = max(of.get(mode.machine, 0), demand.amount)
    return most
