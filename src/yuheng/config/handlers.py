"""Who reacts to what: the one table from event kinds to handlers. The worker delivers; see `kernel.outbox`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from yuheng.kernel.models import OutboxEvent
from yuheng.kernel.outbox import Handler
from yuheng.operations.services.signals.intake import look_soon
from yuheng.operations.services.webhooks import TOLD, queue_event

CHANGES_OF_CONFIGURATION = (
    "alarms.AlarmDefinitionsChanged",
    "engineering.VersionReleased",
    "equipment.EquipmentChanged",
    "equipment.PlantImported",
    "telemetry.DeviceChanged",
    "telemetry.SourceChanged",
    "telemetry.StateRulesChanged",
    "telemetry.TagsChanged",
)
"""After any of these the configuration document and the broker's device list are made anew."""

REPLAY_REQUESTED = "telemetry.DeadLetterReplayRequested"
ALARMS_CHANGED = "alarms.AlarmsChanged"
COMMAND_REQUESTED = "telemetry.CommandRequested"
NOTIFICATIONS_CHANGED = "alarms.NotificationsChanged"
EVENTS_OF_ORDERS = tuple(f"operations.{name}" for name in TOLD)
"""Each is written down for the webhooks that want it, in the transaction that counts it as delivered."""
DELIVERIES_WAITING = "operations.DeliveriesWaiting"
MOVED_JOBS = tuple(
    f"operations.{name}"
    for name in (
        "JobOrderStarted",
        "JobOrderPaused",
        "JobOrderResumed",
        "JobOrderFinished",
        "JobOrderAborted",
        "QuantityReported",
    )
)
"""After any of these the signals of the job's machine are looked at again: whose pieces they are may have changed."""


def handlers_of_worker(
    *,
    configuration_changed: Callable[[], None],
    replay_requested: Callable[[], None],
    alarms_changed: Callable[[Mapping[int, set[int]]], None],
    command_requested: Callable[[], None],
    notifications_changed: Callable[[], None],
    deliveries_waiting: Callable[[], None],
    jobs_moved: Callable[[int], None],
) -> dict[str, Sequence[Handler]]:
    """Return the table. The callables only wake a task of the worker, which then reads what is true in the database:
    so a crash between an event and its effect loses nothing, because the worker looks once at its start too.
    """

    def publish_configuration(_event: OutboxEvent) -> None:
        configuration_changed()

    def replay(_event: OutboxEvent) -> None:
        replay_requested()

    def tell_screens(event: OutboxEvent) -> None:
        alarms_changed({event.payload["site_id"]: set(event.payload["alarm_ids"])})

    def send(_event: OutboxEvent) -> None:
        command_requested()

    def look_at_notifications(_event: OutboxEvent) -> None:
        notifications_changed()

    def tell_webhooks(event: OutboxEvent) -> None:
        if queue_event(event):
            deliveries_waiting()

    def look_at_deliveries(_event: OutboxEvent) -> None:
        deliveries_waiting()

    def look_at_signals(event: OutboxEvent) -> None:
        unit_id = event.payload.get("work_unit_id")
        if unit_id is not None:
            look_soon(work_unit_ids=[unit_id], at=datetime.now(UTC))
            jobs_moved(unit_id)

    table: dict[str, Sequence[Handler]] = dict.fromkeys(CHANGES_OF_CONFIGURATION, (publish_configuration,))
    table[REPLAY_REQUESTED] = (replay,)
    table[ALARMS_CHANGED] = (tell_screens,)
    table[COMMAND_REQUESTED] = (send,)
    table[NOTIFICATIONS_CHANGED] = (look_at_notifications,)
    table |= dict.fromkeys(EVENTS_OF_ORDERS, (tell_webhooks,))
    for kind in MOVED_JOBS:
        table[kind] = (*table[kind], look_at_signals)
    table[DELIVERIES_WAITING] = (look_at_deliveries,)
    return table
