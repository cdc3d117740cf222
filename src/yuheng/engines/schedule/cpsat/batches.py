"""Batch machines in the model: two operations are together, or one is over before the other starts."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

from yuheng.engines.schedule.cpsat.task import NotModelled

if TYPE_CHECKING:
    from yuheng.engines.schedule.cpsat.model import Model


def add_batches(model: Model, m: int, rows: list[tuple[int, int]]) -> None:
    """Let a machine perform operations of one family together; ``rows``: (operation, mode)."""
    arrays, cp = model.arrays, model.cp
    capacity = int(arrays.batch_capacity[m])
    if any(arrays.dem_ptr[i] < arrays.dem_ptr[i + 1] for i, _k in rows):
        raise NotModelled("batches that need a resource")
    if len({bool(arrays.interruptible[i]) for i, _k in rows}) > 1:
        raise NotModelled("batches of operations that may and may not pause")
    together: dict[tuple[int, int], Any] = {}
    for (i, a), (j, b) in combinations(rows, 2):
        modes = [model.mode[a], model.mode[b]]
        if arrays.fixed_start[i] >= 0 and arrays.fixed_start[j] >= 0:
            is_same = int(arrays.fixed_start[i] == arrays.fixed_start[j])
            together[i, j] = together[j, i] = cp.new_constant(is_same)
            continue
        same, first = cp.new_bool_var(f"t{i}_{j}"), cp.new_bool_var(f"o{i}_{j}")
        together[i, j] = together[j, i] = same
        fits = arrays.family[i] == arrays.family[j] and arrays.op_size[i] + arrays.op_size[j] <= capacity
        for mode in modes:
            cp.add_implication(same, mode)
        if not fits:
            cp.add(same == 0)
        cp.add(model.start[i] == model.start[j]).only_enforce_if(same)
        cp.add(model.end[i] <= model.start[j]).only_enforce_if([*modes, ~same, first])
        cp.add(model.end[j] <= model.start[i]).only_enforce_if([*modes, ~same, ~first])
    for i, k in rows:
        others = [(j, b) for j, b in rows if j != i]
        longest = cp.new_int_var(0, max(int(arrays.mode_duration[b]) for _j, b in rows), f"l{m}_{i}")
        own = int(arrays.mode_duration[k])
        cp.add_max_equality(longest, [own, *(int(arrays.mode_duration[b]) * together[i, j] for j, b in others)])
        filled = sum(int(arrays.op_size[j]) * together[i, j] for j, _b in others)
        cp.add(filled + int(arrays.op_size[i]) <= capacity).only_enforce_if(model.mode[k])
        model.time.takes(i, k, longest)
