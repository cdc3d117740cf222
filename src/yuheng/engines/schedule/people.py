"""People with several skills, seen as pools: exactly the pools that can run short (Hall's theorem).

Whether the demands for skills at one tick can be filled by the people present is a matching of demands and people. It
exists if and only if, for every set of skills, the demand for them is at most the number of people who have any of
them. Only *closed* sets matter (no further skill is covered by the same people), and only those that people connect:
so a pool for each skill that one group of people has alone, and a few unions where people have several.

References
----------
Hall, P. (1935). On representatives of subsets. J. London Math. Soc. 10, 26-30.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from yuheng.engines.schedule.parts import Id, Operator

MAX_POOLS = 256


@dataclass(frozen=True, slots=True)
class Pool:
    """The demand for any of ``skills`` is filled by ``people``."""

    skills: frozenset[Id]
    people: tuple[int, ...]


def pools(operators: Sequence[Operator]) -> tuple[Pool, ...]:
    """Return the pools whose capacities say exactly what these people can do at a tick.

    Raises
    ------
    OverflowError
        The skills overlap in more than `MAX_POOLS` ways.

    Examples
    --------
    >>> people = [Operator("Ana", ("mill",)), Operator("Ben", ("mill", "weld"))]
    >>> [(sorted(pool.skills), pool.people) for pool in pools(people)]
    [(['mill', 'weld'], (0, 1)), (['weld'], (1,))]
    """
    people_of: dict[Id, frozenset[int]] = {}
    for skill in dict.fromkeys(skill for person in operators for skill in person.skills):
        people_of[skill] = frozenset(k for k, person in enumerate(operators) if skill in person.skills)
    unions: dict[frozenset[int], None] = dict.fromkeys(people_of.values())
    frontier = list(unions)
    while frontier:
        grown: list[frozenset[int]] = []
        for group in frontier:
            for people in people_of.values():
                if group & people and not people <= group and (union := group | people) not in unions:
                    unions[union] = None
                    grown.append(union)
                    if len(unions) > MAX_POOLS:
                        raise OverflowError(f"more than {MAX_POOLS} overlapping groups of skills")
        frontier = grown
    return tuple(
        Pool(frozenset(skill for skill, people in people_of.items() if people <= group), tuple(sorted(group)))
        for group in unions
    )
