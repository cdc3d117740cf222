"""What operations tell others: facts, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OrderEntered:
    """A customer order was entered."""

    site_id: int
    order_id: int
    code: str


@dataclass(frozen=True, slots=True)
class OrdersImported:
    """Customer orders were entered from a large file: up to some hundred at once, instead of `OrderEntered` of each."""

    site_id: int
    order_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """A customer order was changed: its promise, priority or lines."""

    site_id: int
    order_id: int
    code: str


@dataclass(frozen=True, slots=True)
class OrderReleased:
    """The lines of a customer order became operations requests and job orders."""

    site_id: int
    order_id: int
    code: str
    request_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class OrderCompleted:
    """Everything a customer ordered is made."""

    site_id: int
    order_id: int
    code: str


@dataclass(frozen=True, slots=True)
class OrderCancelled:
    """A customer order was cancelled."""

    site_id: int
    order_id: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class RequestReleased:
    """A product's operations request was released with all below it: versions are frozen, job orders are there."""

    site_id: int
    request_id: int
    code: str
    order_id: int | None
    job_orders: int


@dataclass(frozen=True, slots=True)
class RequestChanged:
    """An operations request was held, let go, given another priority, cancelled, aborted or closed."""

    site_id: int
    request_id: int
    code: str
    change: str


@dataclass(frozen=True, slots=True)
class RequestCompleted:
    """All job orders of an operations request are over."""

    site_id: int
    request_id: int
    code: str
    good: str
    scrap: str


@dataclass(frozen=True, slots=True)
class JobOrderStarted:
    """Work on a job order began."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    work_unit_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class JobOrderPaused:
    """Work on a job order was interrupted."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    work_unit_id: int | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobOrderResumed:
    """Work on an interrupted job order goes on."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    work_unit_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class QuantityReported:
    """Pieces of a job order were reported or corrected; signed differences, as text."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    work_unit_id: int | None
    good: str
    scrap: str
    rework: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobOrderFinished:
    """A job order is over as far as the floor is concerned; quantities are its totals, as text."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    work_unit_id: int | None
    good: str
    scrap: str
    rework: str
    at: datetime


@dataclass(frozen=True, slots=True)
class JobOrderAborted:
    """A job order was given up."""

    site_id: int
    job_order_id: int
    code: str
    request_id: int
    reason: str
    work_unit_id: int | None = None


@dataclass(frozen=True, slots=True)
class JobOrdersChanged:
    """Job orders were assigned, held, let go, split, cancelled or re-ordered."""

    site_id: int
    job_order_ids: tuple[int, ...]
    change: str


@dataclass(frozen=True, slots=True)
class StockChanged:
    """Stock of a material was received, moved, used, returned or counted."""

    site_id: int
    material_id: int
    lot_id: int
    kind: str
    quantity: str


@dataclass(frozen=True, slots=True)
class JobExceptionFound:
    """A machine's signals and what was booked disagree; ``kind``: `rules.signals.ExceptionKind`."""

    site_id: int
    exception_id: int
    kind: str
    work_unit_id: int
    job_order_id: int | None


@dataclass(frozen=True, slots=True)
class JobExceptionDecided:
    """A person said what becomes of a disagreement, or it is not true any more (``state``: cleared)."""

    site_id: int
    exception_id: int
    kind: str
    state: str
    work_unit_id: int
    job_order_id: int | None


@dataclass(frozen=True, slots=True)
class HelpCalled:
    """Somebody at a station called for help, somebody came, or it is over (``change``: called, answered, ended)."""

    site_id: int
    help_id: int
    work_unit_id: int
    kind: str
    change: str


@dataclass(frozen=True, slots=True)
class DeliveriesWaiting:
    """Messages to webhooks wait: the worker looks at once."""

    site_id: int
