"""Tabu search on the disjunctive graph, in calls of some thousand moves: it can be stopped and goes on."""

from yuheng.engines.schedule.compiled import kernel
from yuheng.engines.schedule.makespan.graph import Longs, Nodes, Table, apply, makespan
from yuheng.engines.schedule.makespan.moves import (
    SPARE,
    Blocks,
    Random,
    below,
    block_moves,
    critical_path,
    exchanges,
    machine_moves,
)

# Places in the control array of a run.
IT, SPAN, BEST, QUIET, TENURE, SPREAD, FLEXIBLE, FAILED, WIDTH, WINDOW, NEAR, GREED = range(12)
CONTROLS = 12

RUNNING, STALLED, REACHED, OPTIMAL = range(4)


@kernel
def run(  # noqa: C901
    node: Nodes,
    arc_ptr: Table,
    arc: Table,
    seq_ptr: Table,
    seq: Table,
    count: Table,
    order: Table,
    mode_ptr: Table,
    mode_table: Table,
    mode_on: Table,
    ctl: Longs,
    tabu: Table,
    tabu_mode: Longs,
    best_mode: Table,
    best_order: Table,
    path: Table,
    work: Table,
    block: Blocks,
    found: Longs,
    rng: Random,
    moves: int,
    quiet: int,
    target: int,
) -> int:
    """Make up to ``moves`` moves.

    Parameters
    ----------
    quiet
        Moves without improvement after which the run is over.
    target
        Makespan at which to stop at once.

    Returns
    -------
    int
        ``RUNNING``, ``STALLED`` or ``REACHED``; the best plan is in ``best_mode`` and ``best_order``.
    """
    n = order.shape[0]
    width = ctl[WIDTH]
    mask = tabu.shape[0] - 1
    it = ctl[IT]
    span = ctl[SPAN]
    best = ctl[BEST]
    still = ctl[QUIET]
    tenure = ctl[TENURE]
    spread = ctl[SPREAD]
    window = ctl[WINDOW]
    near = ctl[NEAR]
    greed = ctl[GREED]
    flexible = ctl[FLEXIBLE]
    status = RUNNING
    if best <= target:
        return REACHED
    for _ in range(moves):
        it += 1
        length = critical_path(node, arc_ptr, arc, seq_ptr, seq, count, n, rng, span, path)
        found[0] = 1 << 60
        found[1] = 0
        found[SPARE] = 1 << 60
        found[SPARE + 1] = 0
        block_moves(node, arc_ptr, arc, n, tabu, width, mask, it, best, path, length, window, block, found, rng)
        if flexible:
            machine_moves(
                node, arc_ptr, arc, seq_ptr, seq, count, mode_ptr, mode_table, n, greed, tabu_mode, it, best, path,
                length, found, rng,
            )  # fmt: skip
            if near:
                exchanges(
                    node, arc_ptr, arc, seq_ptr, seq, count, mode_ptr, mode_table, mode_on, n, greed, tabu_mode, it,
                    best, path, length, near, found, rng,
                )  # fmt: skip
        at = 0 if found[1] else SPARE
        if found[at + 1] == 0:
            # A critical path of routing arcs alone, or one machine's work from its first tick to its last, and no
            # other machine for any of it: no plan is shorter, this one (which `best` is, or would become) included.
            best = min(best, span)
            status = OPTIMAL
            break
        i, k, index, other = found[at + 2], found[at + 3], found[at + 4], found[at + 5]
        m = node[i].machine
        old_mode, old_place = node[i].mode, node[i].place
        until = it + tenure + below(rng, spread)
        if mode_table[k, 0] == m:
            base = seq_ptr[m]
            a = node[i].place
            if index > a:
                for b in range(a + 1, index + 1):
                    tabu[(i * width + node[seq[base + b]].local) & mask] = until
            else:
                own = node[i].local
                for b in range(index, a):
                    tabu[(seq[base + b] * width + own) & mask] = until
        else:
            tabu_mode[old_mode] = until
        done = apply(node, arc_ptr, arc, seq_ptr, seq, count, order, mode_table, work, i, k, index)
        if done and other >= 0:
            tabu_mode[node[other].mode] = until
            done = apply(
                node, arc_ptr, arc, seq_ptr, seq, count, order, mode_table, work, other, found[at + 6], found[at + 7]
            )
            if not done:
                apply(node, arc_ptr, arc, seq_ptr, seq, count, order, mode_table, work, i, old_mode, old_place)
        if done:
            span = makespan(node, seq_ptr, seq, count)
        else:
            ctl[FAILED] += 1
        if span < best:
            best = span
            still = 0
            for b in range(n):
                best_mode[b] = node[b].mode
                best_order[b] = order[b]
            if best <= target:
                status = REACHED
                break
        else:
            still += 1
            if still >= quiet:
                status = STALLED
                break
    ctl[IT] = it
    ctl[SPAN] = span
    ctl[BEST] = best
    ctl[QUIET] = still
    return status
