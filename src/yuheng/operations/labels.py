"""Words for states, kinds and reasons, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from yuheng.operations.rules import (
    HelpKind,
    JobState,
    JobSubstate,
    LocationKind,
    LotState,
    MovementKind,
    OrderState,
    ReasonKind,
    RequestState,
    ResponseKind,
)
from yuheng.operations.rules.documents import Outcome
from yuheng.operations.rules.files import FileKind, Phase

JOB_STATE_LABELS: dict[JobState, Promise] = {
    JobState.NOT_ALLOWED_TO_START: _("Not allowed to start"),
    JobState.ALLOWED_TO_START: _("Allowed to start"),
    JobState.RUNNING: pgettext_lazy("job order", "Running"),
    JobState.INTERRUPTED: pgettext_lazy("job order", "Interrupted"),
    JobState.ENDED: pgettext_lazy("job order", "Ended"),
    JobState.ABORTED: pgettext_lazy("job order", "Aborted"),
    JobState.CANCELLED: pgettext_lazy("job order", "Cancelled"),
}
JOB_SUBSTATE_LABELS: dict[JobSubstate, Promise] = {
    JobSubstate.WAITING: pgettext_lazy("job order", "Waiting"),
    JobSubstate.READY: pgettext_lazy("job order", "Ready"),
    JobSubstate.LOADED: pgettext_lazy("job order", "Loaded"),
    JobSubstate.HELD: pgettext_lazy("job order", "Paused"),
    JobSubstate.SUSPENDED: pgettext_lazy("job order", "On hold"),
    JobSubstate.COMPLETED: pgettext_lazy("job order", "Completed"),
    JobSubstate.CLOSED: pgettext_lazy("job order", "Closed"),
}
REQUEST_STATE_LABELS: dict[RequestState, Promise] = {
    RequestState.FORECAST: pgettext_lazy("operations request", "Entered"),
    RequestState.RELEASED: pgettext_lazy("operations request", "Released"),
    RequestState.RUNNING: pgettext_lazy("operations request", "Running"),
    RequestState.HELD: pgettext_lazy("operations request", "On hold"),
    RequestState.COMPLETED: pgettext_lazy("operations request", "Completed"),
    RequestState.ABORTED: pgettext_lazy("operations request", "Aborted"),
    RequestState.CANCELLED: pgettext_lazy("operations request", "Cancelled"),
    RequestState.CLOSED: pgettext_lazy("operations request", "Closed"),
}
ORDER_STATE_LABELS: dict[OrderState, Promise] = {
    OrderState.ENTERED: pgettext_lazy("customer order", "Entered"),
    OrderState.RELEASED: pgettext_lazy("customer order", "Released"),
    OrderState.COMPLETED: pgettext_lazy("customer order", "Completed"),
    OrderState.CANCELLED: pgettext_lazy("customer order", "Cancelled"),
}
RESPONSE_LABELS: dict[ResponseKind, Promise] = {
    ResponseKind.STARTED: pgettext_lazy("job response", "Started"),
    ResponseKind.SET_UP: pgettext_lazy("job response", "Set up"),
    ResponseKind.PAUSED: pgettext_lazy("job response", "Paused"),
    ResponseKind.RESUMED: pgettext_lazy("job response", "Resumed"),
    ResponseKind.QUANTITY: pgettext_lazy("job response", "Quantities reported"),
    ResponseKind.FINISHED: pgettext_lazy("job response", "Finished"),
    ResponseKind.CONSUMED: pgettext_lazy("job response", "Material used"),
    ResponseKind.RETURNED: pgettext_lazy("job response", "Material returned"),
    ResponseKind.CHECK: pgettext_lazy("job response", "Checked"),
    ResponseKind.PARAMETERS: pgettext_lazy("job response", "Parameters recorded"),
    ResponseKind.HELP: pgettext_lazy("job response", "Help called"),
    ResponseKind.CREW: pgettext_lazy("job response", "People changed"),
    ResponseKind.NOTE: pgettext_lazy("job response", "Note"),
    ResponseKind.CORRECTION: pgettext_lazy("job response", "Corrected"),
    ResponseKind.ABORTED: pgettext_lazy("job response", "Aborted"),
}
HELP_LABELS: dict[HelpKind, Promise] = {
    HelpKind.MATERIAL: pgettext_lazy("help", "Material"),
    HelpKind.MAINTENANCE: pgettext_lazy("help", "Maintenance"),
    HelpKind.QUALITY: pgettext_lazy("help", "Quality"),
    HelpKind.LEAD: pgettext_lazy("help", "Team leader"),
    HelpKind.SAFETY: pgettext_lazy("help", "Safety"),
}
LOT_STATE_LABELS: dict[LotState, Promise] = {
    LotState.IN_PROGRESS: pgettext_lazy("lot", "Being made"),
    LotState.AVAILABLE: pgettext_lazy("lot", "Available"),
    LotState.UNAVAILABLE: pgettext_lazy("lot", "Blocked"),
    LotState.DESTROYED: pgettext_lazy("lot", "Destroyed"),
}
MOVEMENT_LABELS: dict[MovementKind, Promise] = {
    MovementKind.RECEIPT: pgettext_lazy("stock", "Received"),
    MovementKind.PRODUCE: pgettext_lazy("stock", "Made"),
    MovementKind.MOVE: pgettext_lazy("stock", "Moved"),
    MovementKind.ISSUE: pgettext_lazy("stock", "Issued"),
    MovementKind.RETURN: pgettext_lazy("stock", "Returned"),
    MovementKind.COUNT: pgettext_lazy("stock", "Counted"),
    MovementKind.SCRAP: pgettext_lazy("stock", "Scrapped"),
}
LOCATION_LABELS: dict[LocationKind, Promise] = {
    LocationKind.STORE: pgettext_lazy("location", "Store"),
    LocationKind.LINE: pgettext_lazy("location", "Line side"),
    LocationKind.OUTPUT: pgettext_lazy("location", "Finished"),
    LocationKind.BLOCKED: pgettext_lazy("location", "Blocked"),
    LocationKind.EXTERNAL: pgettext_lazy("location", "Outside"),
}
REASON_KIND_LABELS: dict[ReasonKind, Promise] = {
    ReasonKind.PAUSE: pgettext_lazy("reason", "Pause"),
    ReasonKind.SCRAP: pgettext_lazy("reason", "Scrap"),
    ReasonKind.REWORK: pgettext_lazy("reason", "Rework"),
    ReasonKind.HOLD: pgettext_lazy("reason", "Hold"),
    ReasonKind.CANCEL: pgettext_lazy("reason", "Cancel"),
    ReasonKind.COUNT: pgettext_lazy("reason", "Count"),
    ReasonKind.CONSUME: pgettext_lazy("reason", "Use of material"),
    ReasonKind.SHORT: pgettext_lazy("reason", "Finished short"),
}
USUAL_REASON_NAMES: dict[str, tuple[str, str]] = {
    # what the reasons of `rules.words.USUAL_REASONS` are called; data, in both languages, as a plant's own are
    "assembly": ("装配", "Assembly"),
    "booking_error": ("记账错误", "Booking error"),
    "break": ("休息", "Break"),
    "capacity": ("产能不足", "Capacity"),
    "count": ("盘点", "Count"),
    "customer": ("客户要求", "Customer"),
    "damage": ("损坏", "Damage"),
    "dimension": ("尺寸不良", "Dimension"),
    "duplicate": ("重复", "Duplicate"),
    "engineering": ("技术变更", "Engineering"),
    "found": ("找到", "Found"),
    "machine": ("设备", "Machine"),
    "material": ("物料", "Material"),
    "missing_part": ("缺件", "Missing part"),
    "more_needed": ("需要更多", "More needed"),
    "operator": ("操作", "Operator"),
    "order_changed": ("订单变更", "Order changed"),
    "other": ("其他", "Other"),
    "other_job": ("做别的任务", "Other job"),
    "quality": ("质量", "Quality"),
    "scrap": ("报废", "Scrap"),
    "set_up": ("调机", "Set-up"),
    "shift_change": ("交接班", "Shift change"),
    "substitute": ("代用料", "Substitute"),
    "surface": ("表面不良", "Surface"),
    "tool": ("刀具或工装", "Tool"),
}

OUTCOME_LABELS: dict[Outcome, Promise] = {
    Outcome.APPLIED: _("Applied"),
    Outcome.REFUSED: _("Refused"),
    Outcome.WAITING: _("Dry run looked at"),
}
IMPORT_ACTION_LABELS: dict[str, Promise] = {
    "add": _("Add"),
    "change": _("Change"),
    "leave": _("Unchanged"),
    "refuse": _("Refuse"),
}
ITEM_LABELS: dict[str, Promise] = {
    "request": _("Production order"),
    "response": _("Job"),
    "class": _("Class"),
    "classes": _("Class"),
    "material": _("Material"),
    "lot": _("Lot"),
    "sublot": _("Lot"),
    "areas": _("Area"),
    "work_centers": _("Work center"),
    "work_units": _("Work unit"),
    "equipment": _("Equipment"),
}
FILE_KIND_LABELS: dict[FileKind, Promise] = {
    FileKind.ORDERS: _("Customer orders"),
    FileKind.STOCK: _("Stock"),
    FileKind.LOG: _("Event log of a plant"),
}
FILE_PHASE_LABELS: dict[str, Promise] = {
    Phase.WAITING: pgettext_lazy("file", "Being looked at"),
    Phase.HELD: pgettext_lazy("file", "Being read by a command"),
    Phase.PLANNED: pgettext_lazy("file", "Looked at"),
    Phase.APPLYING: pgettext_lazy("file", "Being written"),
    Phase.APPLIED: pgettext_lazy("file", "Written"),
    Phase.FAILED: pgettext_lazy("file", "Cannot be read"),
    Phase.CANCELLED: pgettext_lazy("file", "Cancelled"),
}
LOG_LABELS: dict[str, Promise] = {
    "rows": _("Rows"),
    "orders": _("Orders"),
    "operations": pgettext_lazy("event log", "Operations"),
    "job_orders": pgettext_lazy("event log", "Jobs"),
    "machines": _("Machines"),
    "persons": _("People"),
    "materials": _("Products"),
    "customers": _("Customers"),
    "rejected": _("Refused rows"),
    "equipment": _("Machines"),
    "work_units": _("Machines"),
    "people": _("People"),
    "requests": _("Production orders"),
    "responses": pgettext_lazy("event log", "Reports"),
    "routings": pgettext_lazy("event log", "Routings"),
}
