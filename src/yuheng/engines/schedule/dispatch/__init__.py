"""Plans at once by dispatching rules: see `rules.Dispatcher`."""

from yuheng.engines.schedule.dispatch.rules import Dispatched, Dispatcher, Rule, Settings, first_plan, sweep, warm

__all__ = ["Dispatched", "Dispatcher", "Rule", "Settings", "first_plan", "sweep", "warm"]
