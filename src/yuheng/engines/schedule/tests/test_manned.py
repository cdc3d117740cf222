"""The checker's matching of people and demands against every way of filling them, one person at a time."""

import random

import pytest

from yuheng.engines.schedule.manned import Crew


def most_filled(needs, people):
    """Try every person for every unit."""
    if not needs:
        return 0
    first, rest = needs[0], needs[1:]
    best = most_filled(rest, people)
    for p, able in enumerate(people):
        if first in able:
            best = max(best, 1 + most_filled(rest, people[:p] + people[p + 1 :]))
    return best


@pytest.mark.parametrize("seed", range(60))
def test_as_many_needs_are_filled_as_can_be(seed):
    r = random.Random(seed)
    skills = ["mill", "turn", "weld", "test"][: r.randint(1, 4)]
    people = [tuple(r.sample(skills, r.randint(1, len(skills)))) for _person in range(r.randint(0, 5))]
    crew = Crew(skills, people)
    for _question in range(4):
        present = [p for p in range(len(people)) if r.random() < 0.7]
        crew.there = [sum(crew.kind[p] == kind for p in present) for kind in range(len(crew.there))]
        needs = [r.randint(0, 2) for _skill in skills]
        each = [skill for skill, units in zip(skills, needs, strict=True) for _unit in range(units)]
        assert crew.filled(needs) == most_filled(each, [people[p] for p in present])


def test_who_has_none_of_the_skills_asked_for_is_of_no_kind():
    assert Crew(["weld"], [("mill",), ("mill", "weld"), ("weld",)]).kind == [-1, 0, 0]
