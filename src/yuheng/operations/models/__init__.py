"""Tables of operations, by noun."""

from yuheng.operations.models.documents import ExchangedDocument
from yuheng.operations.models.files import OrderFile, OrderFilePiece, OrderFileRow
from yuheng.operations.models.floor import FloorReason, Qualification, Skill, Tool
from yuheng.operations.models.history import JobMove, TouchedJob
from yuheng.operations.models.jobs import HelpCall, JobDependency, JobOrder, JobResponse
from yuheng.operations.models.orders import (
    Counter,
    CustomerOrder,
    CustomerOrderLine,
    MaterialRequirement,
    OperationsRequest,
    Party,
)
from yuheng.operations.models.signals import JobCount, JobException, MachineSignal, UnitMeeting
from yuheng.operations.models.stock import MaterialLot, StockBalance, StockLocation, StockMovement
from yuheng.operations.models.webhooks import OrderWebhook, WebhookDelivery

__all__ = [
    "Counter",
    "CustomerOrder",
    "CustomerOrderLine",
    "ExchangedDocument",
    "FloorReason",
    "HelpCall",
    "JobCount",
    "JobDependency",
    "JobException",
    "JobMove",
    "JobOrder",
    "JobResponse",
    "MachineSignal",
    "MaterialLot",
    "MaterialRequirement",
    "OperationsRequest",
    "OrderFile",
    "OrderFilePiece",
    "OrderFileRow",
    "OrderWebhook",
    "Party",
    "Qualification",
    "Skill",
    "StockBalance",
    "StockLocation",
    "StockMovement",
    "Tool",
    "TouchedJob",
    "UnitMeeting",
    "WebhookDelivery",
]
