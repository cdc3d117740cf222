"""Subscriptions and monitored items at the server, and the notifications that come from them.

A notification is acknowledged after its values are kept. What the server still holds when a session is taken up again
comes first (Republish); numbers that are missing in between are asked for; what it has no more is a gap.

References: OPC UA Part 4, 5.12 (MonitoredItem), 5.13 (Subscription), 6.7 (re-establishing), 7.25.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asyncua import ua

from yuheng.connectors.opcua.addresses import Address, AddressWrong, NodeName, index_of, parse_address
from yuheng.connectors.opcua.delivery import Delivery
from yuheng.connectors.opcua.history import Missed
from yuheng.connectors.opcua.link import Link, LinkLost
from yuheng.connectors.opcua.memory import HeldSubscription, Memory
from yuheng.connectors.opcua.settings import OpcUaSettings
from yuheng.connectors.opcua.values import has_overflowed, name_of_status
from yuheng.connectors.opcua.wire import (
    Malformed,
    Notification,
    Published,
    Reading,
    read_publish_response,
    read_republish_response,
    us_of,
)
from yuheng.gateway.connector import Context, TagAddress

PUBLISHERS = 3
"""Publish requests waiting at the server. While values wait for the log, no new one is sent: the server holds them."""
KEEP_ALIVE_S = 10.0
MISSING_MOST = 1000
"""Missing notifications asked for one by one; more of them mean that the server dropped its queue."""
_SEQUENCE_MOST = 0xFFFFFFFF


@dataclass(slots=True)
class _Subscription:
    """One subscription of this session."""

    held: HeldSubscription
    interval_ms: float
    next: int = 0  # sequence number expected next; 0: not known
    is_taken_up: bool = False
    is_first: bool = True  # no response since it was made or taken up
    flush: dict[int, int] = field(default_factory=dict)  # after being taken up: values of each node in the first flush
    first: dict[int, tuple[int, int]] = field(default_factory=dict)  # (known before, first that came), in ticks
    is_flushed: bool = True


class SubscriptionEnded(Exception):
    """The server has the subscription no more; a new one is needed."""


class Subscriptions:
    """All subscriptions of one session; ``missed`` collects what must be looked for in the history."""

    def __init__(
        self, settings: OpcUaSettings, context: Context, link: Link, memory: Memory, delivery: Delivery
    ) -> None:
        self._settings = settings
        self._context = context
        self._link = link
        self._memory = memory
        self._delivery = delivery
        self._all: dict[int, _Subscription] = {}
        self._nodes: dict[int, ua.NodeId] = {}
        self._acks: list[tuple[int, int]] = []
        self._in_turn = asyncio.Lock()
        self._awaited: dict[int, int] = {}
        """After the subscription was made anew: handle to the ticks known before, until a first value comes."""
        self._known_until_us = 0
        self.bad: dict[int, int] = {}
        """Handles that cannot be monitored, and the status code that says why."""
        self.wrong: dict[str, str] = {}
        """Addresses that are none, and why."""
        self.missed: dict[int, Missed] = {}
        self.has_missed = asyncio.Event()
        self.is_complete = asyncio.Event()
        """Set when each node has sent a first value since the subscriptions were made anew."""
        self.is_complete.set()

    @property
    def held(self) -> list[HeldSubscription]:
        """What must be written down to take the subscriptions up again."""
        return [each.held for each in self._all.values()]

    @property
    def count(self) -> int:
        """Return how many nodes are monitored."""
        return sum(len(each.held.items) for each in self._all.values())

    def node_of(self, handle: int) -> ua.NodeId:
        """Return the node of a handle, by this server's index."""
        return self._nodes[handle]

    # ---- taking up, making, following -------------------------------------------------------------------------

    async def take_up(self, held: Sequence[HeldSubscription]) -> None:
        """Take up subscriptions that the server still has: in our session, or from the one before by transfer."""
        if not held:
            return
        ids = [each.id for each in held]
        statuses = await self._alive(ids) if self._link.is_resumed else await self._transferred(ids)
        for each, is_there in zip(held, statuses, strict=True):
            if is_there:
                taken = _Subscription(each, self._settings.publishing_ms, is_taken_up=True, is_flushed=False)
                taken.next = self._memory.next_numbers.get(each.id, 0)
                self._all[each.id] = taken
        self._context.count("subscriptions_taken_up", sum(statuses))

    async def _alive(self, ids: list[int]) -> list[bool]:
        params = ua.SetPublishingModeParameters(PublishingEnabled=True, SubscriptionIds=[ua.IntegerId(i) for i in ids])
        try:
            return [status.is_good() for status in await self._link.session.set_publishing_mode(params)]
        except ua.UaStatusCodeError:
            return [False] * len(ids)

    async def _transferred(self, ids: list[int]) -> list[bool]:
        params = ua.TransferSubscriptionsParameters([ua.IntegerId(i) for i in ids], SendInitialValues=False)
        try:
            return [result.StatusCode.is_good() for result in await self._link.session.transfer_subscriptions(params)]
        except ua.UaStatusCodeError:
            return [False] * len(ids)

    def expect_first_values(self) -> None:
        """The subscriptions are new: what changed since the last notification of the old ones is to be looked for."""
        self._known_until_us = self._memory.published_us
        if self._known_until_us:
            self._awaited = {handle: ticks for handle, ticks in enumerate(self._memory.last_ticks) if ticks}
            self.is_complete.clear()
            self._await_no_more(())

    async def follow(self, tags: Sequence[TagAddress]) -> None:
        """Monitor what these tags want, and nothing else."""
        wanted = self._wanted(tags)
        present = {handle for each in self._all.values() for handle in each.held.items}
        await self._drop([handle for handle in present if handle not in wanted])
        self._await_no_more([handle for handle in self._awaited if handle not in wanted])
        self.bad = {handle: status for handle, status in self.bad.items() if handle in wanted}
        deadbands = {tag.address: tag.deadband for tag in tags if tag.data_type in ("float", "int")}
        self._memory.save_nodes()
        await self._add({handle: addresses for handle, addresses in wanted.items() if handle not in present}, deadbands)

    def _wanted(self, tags: Sequence[TagAddress]) -> dict[int, list[tuple[str, Address]]]:
        self.wrong = {}
        wanted: dict[int, list[tuple[str, Address]]] = {}
        for tag in tags:
            try:
                address = parse_address(tag.address)
            except AddressWrong as wrong:
                self.wrong[tag.address] = str(wrong)
                continue
            wanted.setdefault(self._memory.handle_of(str(address.node)), []).append((tag.address, address))
        for handle, addresses in wanted.items():
            self._delivery.want(handle, addresses)
            self._resolve(handle, addresses[0][1].node)
        return wanted

    def _resolve(self, handle: int, node: NodeName) -> None:
        index = index_of(node, self._link.namespaces)
        if index is None:
            self._nodes.pop(handle, None)
        else:
            self._nodes[handle] = node_id(node, index)

    async def retry(self) -> None:
        """Try again what could not be monitored: a program may have been loaded into the controller since."""
        tags = self._context.tags
        wanted = {handle: addresses for handle, addresses in self._wanted(tags).items() if handle in self.bad}
        await self._add(wanted, {tag.address: tag.deadband for tag in tags})

    async def _add(self, wanted: Mapping[int, list[tuple[str, Address]]], deadbands: Mapping[str, float]) -> None:
        for handle in wanted:
            if handle not in self._nodes:
                self.bad[handle] = ua.StatusCodes.BadNodeIdUnknown
        handles = [handle for handle in wanted if handle in self._nodes]
        filters = {handle: _deadband(wanted[handle], deadbands) for handle in handles}
        while handles:
            subscription = await self._with_room()
            refused = await self._create(subscription, handles, filters)
            full = [handle for handle, status in refused.items() if name_of_status(status) in _FULL]
            without_filter = [handle for handle, status in refused.items() if name_of_status(status) in _NO_FILTER]
            for handle, status in refused.items():
                if handle not in full and handle not in without_filter:
                    self.bad[handle] = status
            if full and len(full) == len(handles):  # an empty subscription takes none of them: the server is full
                self.bad.update({handle: refused[handle] for handle in full})
                break
            if full:
                subscription.interval_ms = 0.0  # full: the rest goes into another one
            for handle in without_filter:
                filters[handle] = 0.0
            handles = full + without_filter
        failed = [handle for handle in wanted if handle in self.bad]
        await self._delivery.say_bad(address for handle in failed for address in self._delivery.addresses_of(handle))
        self._await_no_more(failed)

    async def _with_room(self) -> _Subscription:
        for each in self._all.values():
            if each.interval_ms:
                return each
        return await self._make()

    async def _make(self) -> _Subscription:
        interval = self._settings.publishing_ms
        keep_alive = max(1, math.ceil(KEEP_ALIVE_S * 1000 / interval))
        params = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval,
            RequestedLifetimeCount=ua.Counter(max(3 * keep_alive, math.ceil(self._settings.keep_s * 1000 / interval))),
            RequestedMaxKeepAliveCount=ua.Counter(keep_alive),
            MaxNotificationsPerPublish=ua.Counter(10_000),
            PublishingEnabled=True,
            Priority=ua.Byte(0),
        )
        request = ua.CreateSubscriptionRequest()
        request.Parameters = params
        response = ua.ua_binary.struct_from_binary(ua.CreateSubscriptionResponse, await self._link.ask(request))
        response.ResponseHeader.ServiceResult.check()
        result = response.Parameters
        made = _Subscription(
            HeldSubscription(int(result.SubscriptionId)), float(result.RevisedPublishingInterval) or 1.0
        )
        made.next = 1
        self._all[made.held.id] = made
        return made

    async def _create(
        self, subscription: _Subscription, handles: Sequence[int], filters: Mapping[int, float]
    ) -> dict[int, int]:
        """Create monitored items; return what was refused, and why."""

        async def send(batch: Sequence[int]) -> Sequence[Any]:
            params = ua.CreateMonitoredItemsParameters(
                SubscriptionId=ua.IntegerId(subscription.held.id),
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._item(handle, filters[handle]) for handle in batch],
            )
            results: Sequence[Any] = await self._link.session.create_monitored_items(params)
            return results

        refused: dict[int, int] = {}
        results = await self._link.in_batches(handles, self._link.limits.items, send)
        for handle, result in zip(handles, results, strict=True):
            if result.StatusCode.is_good():
                subscription.held.items[handle] = int(result.MonitoredItemId)
                subscription.held.queues[handle] = int(result.RevisedQueueSize)
                self.bad.pop(handle, None)
            else:
                refused[handle] = int(result.StatusCode.value)
        return refused

    def _item(self, handle: int, deadband: float) -> ua.MonitoredItemCreateRequest:
        parameters = ua.MonitoringParameters(
            ClientHandle=ua.IntegerId(handle),
            SamplingInterval=self._settings.sampling_ms,
            QueueSize=ua.Counter(self._settings.queue_size),
            DiscardOldest=True,
        )
        if deadband:
            parameters.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValue,
                DeadbandType=ua.UInt32(ua.DeadbandType.Absolute),
                DeadbandValue=deadband,
            )
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=self._nodes[handle], AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=parameters,
        )

    async def _drop(self, handles: Sequence[int]) -> None:
        for handle in handles:
            self._delivery.forget(handle)
        for each in self._all.values():
            items = [each.held.items.pop(handle) for handle in handles if handle in each.held.items]

            async def send(batch: Sequence[int], id_: int = each.held.id) -> Sequence[Any]:
                params = ua.DeleteMonitoredItemsParameters(ua.IntegerId(id_), [ua.IntegerId(item) for item in batch])
                results: Sequence[Any] = await self._link.session.delete_monitored_items(params)
                return results

            await self._link.in_batches(items, self._link.limits.items, send)

    # ---- notifications ----------------------------------------------------------------------------------------

    async def publish(self) -> None:
        """Keep publish requests at the server and take what comes; ends with an error only."""
        for subscription in list(self._all.values()):
            await self._catch_up(subscription)
        async with asyncio.TaskGroup() as group:
            for number in range(PUBLISHERS):
                group.create_task(self._publisher(is_last=number == 0))

    async def _catch_up(self, subscription: _Subscription) -> None:
        """Ask for what was sent while nobody listened, number after number until there is none (Part 4, 6.7)."""
        while subscription.is_taken_up and subscription.next:
            notification = await self._again(subscription, subscription.next)
            if notification is None:
                return
            await self._keep(subscription, notification)
            self._acks.append((subscription.held.id, subscription.next))
            self._move_on(subscription, subscription.next)

    async def _publisher(self, *, is_last: bool) -> None:
        while True:
            request = ua.PublishRequest()
            acks, self._acks = self._acks, []
            request.Parameters.SubscriptionAcknowledgements = [
                ua.SubscriptionAcknowledgement(ua.IntegerId(id_), ua.Counter(number)) for id_, number in acks
            ]
            try:
                answer = read_publish_response(await self._link.ask(request, timeout_s=self._patience_s()))
            except ua.UaStatusCodeError as error:
                if name_of_status(error.code) == "BadTooManyPublishRequests" and not is_last:
                    return  # the server takes fewer; the first publisher stays
                await self._refused(name_of_status(error.code))
                continue
            except Malformed as error:
                self._context.count("malformed")
                raise LinkLost(str(error)) from error
            await self._take(answer)

    def _patience_s(self) -> float:
        """How long nothing may come: keep-alives come every 10 s, or every interval when that is longer."""
        interval_s = max((each.interval_ms for each in self._all.values()), default=0.0) / 1000
        return 2 * max(KEEP_ALIVE_S, interval_s) + self._settings.request_timeout_s

    async def _refused(self, code: str) -> None:
        if code in ("BadTimeout", "BadTooManyPublishRequests"):
            await asyncio.sleep(0.1)
            return
        if code in ("BadNoSubscription", "BadSubscriptionIdInvalid"):
            if not self._all:  # no tags yet, so no subscription either
                await asyncio.sleep(1.0)
                return
            raise SubscriptionEnded("The server has dropped the subscription.")
        raise LinkLost(f"The server sends no more notifications: {code}.")

    async def _take(self, answer: Published) -> None:
        subscription = self._all.get(answer.subscription_id)
        notification = answer.notification
        if subscription is None or notification is None:
            return
        missing = self._missing(subscription, answer, notification)
        async with self._in_turn:  # values are kept, and the clock moves on, in the order of the notifications
            for number in missing:
                await self._republish(subscription, number, notification)
            if notification.is_keep_alive:
                self._heard(subscription, notification, answer)
                return
            await self._keep(subscription, notification)
            self._acks.append((subscription.held.id, notification.sequence))
            self._heard(subscription, notification, answer)
        for status in notification.statuses:
            if name_of_status(status) != "GoodSubscriptionTransferred" or subscription.is_taken_up is False:
                raise SubscriptionEnded(f"The server has ended the subscription: {name_of_status(status)}.")

    def _missing(self, subscription: _Subscription, answer: Published, notification: Notification) -> list[int]:
        """Return the numbers to ask for again, and note which one comes next."""
        number = notification.sequence
        missing: list[int] = []
        if subscription.is_first and subscription.is_taken_up:  # what was never acknowledged is still held
            missing = [each for each in answer.available if each != number]
        if subscription.next and number > subscription.next:  # smaller: they began again after 4294967295
            between = range(subscription.next, number)[: MISSING_MOST + 1]
            missing += [each for each in between if each not in missing]
        subscription.is_first = False
        if notification.is_keep_alive:
            subscription.next = number
        else:
            self._move_on(subscription, number)
        return missing

    def _move_on(self, subscription: _Subscription, number: int) -> None:
        subscription.next = 1 if number >= _SEQUENCE_MOST else number + 1
        self._memory.next_numbers[subscription.held.id] = subscription.next

    async def _again(self, subscription: _Subscription, number: int) -> Notification | None:
        """Return a notification that was sent before; None when the server has it no more."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = ua.IntegerId(subscription.held.id)
        request.Parameters.RetransmitSequenceNumber = ua.Counter(number)
        try:
            notification = read_republish_response(await self._link.ask(request))
        except ua.UaStatusCodeError:
            return None
        if notification.is_keep_alive:  # some servers answer with nothing in it
            return None
        self._context.count("republished")
        return notification

    async def _republish(self, subscription: _Subscription, number: int, behind: Notification) -> None:
        notification = await self._again(subscription, number)
        if notification is None:
            self._lost(subscription, behind.published_us)
            return
        await self._keep(subscription, notification)
        self._acks.append((subscription.held.id, number))

    async def _keep(self, subscription: _Subscription, notification: Notification) -> None:
        try:
            readings = await notification.readings()
        except Malformed as error:
            self._context.count("malformed")
            raise LinkLost(str(error)) from error
        # not by what the server has confirmed: first values may come before the answer that made their items
        readings = [reading for reading in readings if self._delivery.wants(reading.handle)]
        self._context.count("received", len(readings))
        before = {reading.handle: self._memory.last_ticks[reading.handle] for reading in readings}
        await self._delivery.deliver(readings)
        self._look_for_missed(subscription, readings, before)

    def _heard(self, subscription: _Subscription, notification: Notification, answer: Published) -> None:
        if answer.has_more:
            return
        self._memory.heard(notification.published_us)
        if not subscription.is_flushed:
            self._end_flush(subscription)

    # ---- what did not come ------------------------------------------------------------------------------------

    def _look_for_missed(
        self, subscription: _Subscription, readings: Sequence[Reading], before: Mapping[int, int]
    ) -> None:
        for reading in readings:
            handle, ticks = reading.handle, reading.source_ticks or reading.server_ticks
            known = self._awaited.pop(handle, 0)
            if known and ticks > known:
                self._miss(handle, known, max(us_of(known), min(self._known_until_us, us_of(ticks))), us_of(ticks))
            elif before[handle] and has_overflowed(reading.status):
                self._miss(handle, before[handle], us_of(before[handle]), us_of(ticks), has_overflowed=True)
            if not subscription.is_flushed:
                subscription.flush[handle] = subscription.flush.get(handle, 0) + 1
                subscription.first.setdefault(handle, (before[handle], ticks))
        self._await_no_more(())

    def _end_flush(self, subscription: _Subscription) -> None:
        """All that waited at the server has come: a queue that was full has probably dropped its oldest values."""
        subscription.is_flushed = True
        for handle, count in subscription.flush.items():
            known, first = subscription.first[handle]
            if 1 < subscription.held.queues.get(handle, 0) <= count and known and first > known:
                self._miss(handle, known, us_of(known), us_of(first), has_overflowed=True)
        subscription.flush.clear()
        subscription.first.clear()

    def _lost(self, subscription: _Subscription, until_us: int) -> None:
        """A notification cannot be had any more: it may have had values of every node of its subscription."""
        for handle in subscription.held.items:
            known = self._memory.last_ticks[handle]
            if known:
                self._miss(handle, known, us_of(known), max(until_us, us_of(known)))

    def _miss(self, handle: int, known: int, after_us: int, before_us: int, *, has_overflowed: bool = False) -> None:
        earlier = self.missed.get(handle)
        if earlier is not None:
            known, after_us = min(earlier.known_ticks, known), min(earlier.after_us, after_us)
            before_us, has_overflowed = max(earlier.before_us, before_us), earlier.has_overflowed or has_overflowed
        if handle in self._nodes:
            self.missed[handle] = Missed(self._nodes[handle], known, after_us, before_us, has_overflowed)
            self.has_missed.set()

    def give_up_waiting(self) -> None:
        """Look at what is missed now, although some nodes have sent nothing yet."""
        self._await_no_more(list(self._awaited))

    def _await_no_more(self, handles: Sequence[int]) -> None:
        for handle in handles:
            self._awaited.pop(handle, None)
        if not self._awaited:
            self.is_complete.set()


_FULL = ("BadTooManyMonitoredItems", "BadMonitoredItemsLimitExceeded")
_NO_FILTER = (
    "BadFilterNotAllowed",
    "BadMonitoredItemFilterUnsupported",
    "BadMonitoredItemFilterInvalid",
    "BadDeadbandFilterInvalid",
)


def node_id(node: NodeName, index: int) -> ua.NodeId:
    """Return a node by the index that its namespace has at this server."""
    identifier: Any = node.identifier
    return ua.NodeId(identifier, ua.Int16(index))


def _deadband(addresses: Sequence[tuple[str, Address]], deadbands: Mapping[str, float]) -> float:
    """Return the deadband the server can apply: only for a node that one tag wants as a whole."""
    if len(addresses) != 1 or addresses[0][1].steps:
        return 0.0
    return deadbands.get(addresses[0][0], 0.0)
