"""Search for plans of low weighted tardiness: see `search.TardinessSearch`; temperatures and filters in its modules."""

from yuheng.engines.schedule.tardiness.layout import Costs, Reference
from yuheng.engines.schedule.tardiness.search import TardinessSearch, supports, warm

__all__ = ["Costs", "Reference", "TardinessSearch", "supports", "warm"]
