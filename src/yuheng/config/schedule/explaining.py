"""What a plan's reader wants explained: every start, every late order; as much of it as a few seconds allow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from yuheng.config.schedule.words import type_translate
from yuheng.engines.schedule.explain import Floor, Words, late_orders, story, why_not_earlier
from yuheng.engines.schedule.explain.bottleneck import Bottleneck, bottleneck, bottleneck_said
from yuheng.engines.schedule.objective import Objective
from yuheng.engines.schedule.plan import Plan
from yuheng.engines.schedule.problem import Id, OperationKey, Problem

ENOUGH_S = 10.0
"""CPU time for all explanations of one plan: thirty thousand operations that are all late would take longer."""

type_text = dict[str, str]
"""Language to sentence."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Sentences for starts by operation, and for late orders by job, the costliest first.

    ``narrow`` is the bottleneck, ``narrow_said`` its sentence. ``left_out`` counts starts and orders that there was no
    time for.
    """

    why: dict[OperationKey, type_text] = field(default_factory=dict)
    late: dict[Id, type_text] = field(default_factory=dict)
    narrow: Bottleneck | None = None
    narrow_said: type_text = field(default_factory=dict)
    left_out: int = 0


def explained(
    problem: Problem,
    plan: Plan,
    translate: Mapping[str, type_translate],
    objective: Objective | None = None,
    enough_s: float = ENOUGH_S,
) -> Explained:
    """Explain the bottleneck and late orders first, then starts in order of time, in every language given."""
    floor = Floor(problem, plan)
    words = {language: Words(floor, say) for language, say in translate.items()}
    until = time.process_time() + enough_s
    objective = objective or Objective()
    narrow = bottleneck(floor, objective) if enough_s > 0 else None
    narrow_said: type_text = {}
    if narrow is not None:
        for language, said in words.items():
            told = bottleneck_said(floor, narrow, said, objective)
            narrow_said[language] = translate[language](told.message) % told.values
    late: dict[Id, type_text] = {}
    left_out = 0
    for j in late_orders(floor):
        if time.process_time() >= until:
            left_out += 1
            continue
        where = story(floor, j)
        late[problem.jobs[j].id] = {language: said.late(where) for language, said in words.items()}
    why: dict[OperationKey, type_text] = {}
    for i in plan.start.argsort(kind="stable").tolist():
        if plan.machine[i] < 0:
            continue
        if time.process_time() >= until:
            left_out += 1
            continue
        found = why_not_earlier(floor, i)
        why[problem.operations[i].key] = {language: said.why(found) for language, said in words.items()}
    return Explained(why, late, narrow, narrow_said, left_out)
