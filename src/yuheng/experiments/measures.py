"""What came out of one run."""

from __future__ import annotations

from collections.abc import Mapping

from yuheng.experiments.floor import Floor, Order
from yuheng.experiments.statistics import quantile
from yuheng.scheduling.rules import weight_of

HOUR, DAY = 60.0, 1440.0

FIGURES: Mapping[str, str] = {
    "shipped_per_day": "orders shipped a day, within the measured time",
    "hours_mean": "hours from order to shipment, mean",
    "hours_p50": "hours from order to shipment, median",
    "hours_p90": "hours from order to shipment, 90 % take no longer",
    "floor_hours": "hours from the first work on an order to its shipment, mean",
    "on_time": "share of the orders shipped by their promise",
    "weighted_late_min": "weighted minutes of lateness an order",
    "open_orders": "orders begun and not shipped, mean over the measured time",
    "moved": "job orders that a re-plan gave another machine, for each order",
    "cpu_s": "CPU seconds of the run",
}
"""Name -> what it means. Of all orders that came within the measured time, until the last of them was shipped."""


def figures(floor: Floor, *, moved: int = 0, cpu_s: float = 0.0) -> dict[str, float]:
    """Return the figures of a floor that has been run until everything was shipped.

    Raises
    ------
    ValueError
        Something was not shipped: the run was cut off, or the policy has forgotten it.
    """
    begin, end = floor.parameters.warm_up_min, floor.parameters.ends_min
    lost = [number for number, order in floor.orders.items() if order.shipped_at < 0]
    if lost:
        raise ValueError(f"{len(lost)} orders were never shipped, the first is {lost[0]}")
    counted = [order for order in floor.orders.values() if order.demand.at >= begin]
    hours = [(order.shipped_at - order.demand.at) / HOUR for order in counted]
    late = [max(0, order.shipped_at - order.demand.due) for order in counted]
    shipped = sum(begin <= order.shipped_at < end for order in floor.orders.values())
    present = sum(_within(order, begin, end) for order in floor.orders.values())
    n = len(counted)
    return {
        "shipped_per_day": shipped * DAY / (end - begin),
        "hours_mean": sum(hours) / n,
        "hours_p50": quantile(hours, 0.5),
        "hours_p90": quantile(hours, 0.9),
        "floor_hours": sum((order.shipped_at - order.begun_at) / HOUR for order in counted) / n,
        "on_time": sum(minutes == 0 for minutes in late) / n,
        "weighted_late_min": weighted_late_min(counted) / n,
        "open_orders": present / (end - begin),
        "moved": moved / len(floor.orders),
        "cpu_s": cpu_s,
    }


def weighted_late_min(orders: list[Order]) -> float:
    """Return the weighted minutes of lateness of shipped orders."""
    return sum(
        max(0, order.shipped_at - order.demand.due) * weight_of(order.demand.rank) for order in orders
    )  # fmt: skip


def _within(order: Order, begin: int, end: int) -> int:
    return max(0, min(order.shipped_at, end) - max(order.begun_at, begin))
