"""The shortest plan: tabu search on the disjunctive graph, with a pool of good plans and paths between them.

`MakespanSearch` runs, stops and runs on; `supports` tells which problems it knows; `warm` compiles its kernels.
"""

from yuheng.engines.schedule.makespan.search import MakespanSearch, Settings, warm
from yuheng.engines.schedule.makespan.shop import supports

__all__ = ["MakespanSearch", "Settings", "supports", "warm"]
