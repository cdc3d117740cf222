"""Set-ups in the model: the order on a machine as a circuit, with the time between neighbours on its arcs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yuheng.engines.schedule.cpsat.model import Model


def add_sequence(model: Model, m: int, rows: list[tuple[int, int]]) -> None:
    """Order the operations of a machine whose set-ups depend on what came before; ``rows``: (operation, mode)."""
    arrays, cp = model.arrays, model.cp
    matrix = arrays.setup[arrays.setup_of_machine[m]]
    families = arrays.family.tolist()
    free = model.time.before_tick(m, int(arrays.machine_free[m]))
    arcs: list[tuple[int, int, Any]] = []

    def arc(a: int, b: int, name: str) -> Any:
        literal = cp.new_bool_var(name)
        arcs.append((a, b, literal))
        return literal

    unused = arc(0, 0, f"m{m}_unused")
    for place, (j, mode) in enumerate(rows, start=1):
        arcs.append((place, place, ~model.mode[mode]))
        cp.add_implication(model.mode[mode], ~unused)
        arc(place, 0, f"m{m}_last{j}")
        first = arc(0, place, f"m{m}_first{j}")
        needed = 0 if families[j] < 0 else int(matrix[arrays.initial_family[m], families[j]])
        if needed:
            model.setup_cost.append((first, needed))
        if arrays.fixed_start[j] < 0:
            cp.add(model.time.before_start(j, mode) >= free + needed).only_enforce_if(first)
        for before, (i, other) in enumerate(rows, start=1):
            if i == j:
                continue
            literal = arc(before, place, f"m{m}_{i}_{j}")
            needed = 0 if families[j] < 0 else int(matrix[families[i], families[j]])
            if needed:
                model.setup_cost.append((literal, needed))
            if arrays.fixed_start[i] >= 0 and arrays.fixed_start[j] >= 0:
                cp.add(model.start[j] >= model.start[i]).only_enforce_if(literal)  # facts are not argued with
                continue
            worked = model.time.before_end(i, other)
            cp.add(model.time.before_start(j, mode) >= worked + needed).only_enforce_if(literal)
    cp.add_circuit(arcs)
