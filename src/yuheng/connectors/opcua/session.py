"""One OPC UA source: its link, its subscriptions, and what is done beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from asyncua import ua

from yuheng.connectors.opcua.browsing import Browser
from yuheng.connectors.opcua.delivery import Delivery
from yuheng.connectors.opcua.history import HistoryReader
from yuheng.connectors.opcua.link import Link, LinkLost
from yuheng.connectors.opcua.memory import HeldSession, HeldSubscription, Memory
from yuheng.connectors.opcua.settings import OpcUaSettings
from yuheng.connectors.opcua.structures import Structures
from yuheng.connectors.opcua.subscriptions import SubscriptionEnded, Subscriptions
from yuheng.connectors.opcua.types import TypeReader
from yuheng.connectors.opcua.values import name_of_status
from yuheng.connectors.opcua.writing import write_value
from yuheng.gateway.connector import (
    BrowsePage,
    CommandRefused,
    ConfigRefused,
    Context,
    ReadBack,
    State,
    TagAddress,
    Value,
)

SAVE_EVERY_S = 2.0
RETRY_EVERY_S = 60.0
FIRST_VALUES_WITHIN_S = 15.0
"""After this, nodes that have sent nothing yet do not hold up the search for what was missed."""


class OpcUaSession:
    """`gateway.connector.Session`, with writing and browsing."""

    def __init__(self, settings: OpcUaSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._link: Link | None = None
        self._browser: Browser | None = None
        self._types: TypeReader | None = None

    async def run(self) -> None:
        """Subscribe to the tags of the source until the connection is lost; then raise `LinkLost`."""
        memory = await asyncio.to_thread(Memory, self._context.state_dir)
        link = Link(self._settings, self._context)
        held = memory.held_session(self._settings.fingerprint)
        ends_session = False
        try:
            session = await link.open(None if held is None else held[0])
            await self._work(link, memory, session, [] if held is None else held[1])
        except Exception as error:
            first = _first(error)
            ends_session = isinstance(first, SubscriptionEnded) or _is_about_session(first)
            raise _translated(first) from None
        finally:
            self._link = self._browser = self._types = None
            with suppress(OSError):
                memory.save_known()
            if ends_session:
                memory.forget_session()
            await link.close(ends_session=ends_session)

    async def _work(self, link: Link, memory: Memory, session: HeldSession, held: list[HeldSubscription]) -> None:
        types = TypeReader(link)
        structures = Structures(types.definition, types.super_type)
        delivery = Delivery(self._context, memory, structures, self._settings.timestamps)
        subscriptions = Subscriptions(self._settings, self._context, link, memory, delivery)
        history = HistoryReader(link, self._context, delivery, is_on=self._settings.reads_history)
        self._link, self._types, self._browser = link, types, Browser(link, types)
        await subscriptions.take_up(held)
        if not subscriptions.held:
            subscriptions.expect_first_values()
        tags = self._context.tags
        await self._follow(tags, subscriptions, structures)
        await asyncio.to_thread(memory.save_session, session, subscriptions.held)
        self._say(subscriptions, delivery, tags)
        async with asyncio.TaskGroup() as group:
            group.create_task(link.keep_alive())
            group.create_task(link.renew())
            group.create_task(subscriptions.publish())
            group.create_task(self._follow_tags(tags, subscriptions, structures, delivery, memory, session))
            group.create_task(self._fill_gaps(subscriptions, history))
            group.create_task(self._save(memory))
            group.create_task(self._retry(subscriptions, delivery))

    # ---- tags -------------------------------------------------------------------------------------------------

    async def _follow(self, tags: tuple[TagAddress, ...], subscriptions: Subscriptions, structures: Structures) -> None:
        await self._learn_structures(tags, structures)
        await subscriptions.follow(tags)

    async def _learn_structures(self, tags: tuple[TagAddress, ...], structures: Structures) -> None:
        """Read what the values are made of, for the tags that want a field or may be a whole structure as text."""
        assert self._types is not None
        for data_type in await self._types.data_types(tag.address for tag in tags if _may_be_structured(tag)):
            with suppress(ua.UaStatusCodeError):
                await structures.learn(data_type)

    async def _follow_tags(
        self,
        tags: tuple[TagAddress, ...],
        subscriptions: Subscriptions,
        structures: Structures,
        delivery: Delivery,
        memory: Memory,
        session: HeldSession,
    ) -> None:
        while True:
            tags = await self._context.tags_after(tags)
            await self._follow(tags, subscriptions, structures)
            await asyncio.to_thread(memory.save_session, session, subscriptions.held)
            self._say(subscriptions, delivery, tags)

    async def _retry(self, subscriptions: Subscriptions, delivery: Delivery) -> None:
        while True:
            await asyncio.sleep(RETRY_EVERY_S)
            if subscriptions.bad:
                await subscriptions.retry()
            self._say(subscriptions, delivery, self._context.tags)

    def _say(self, subscriptions: Subscriptions, delivery: Delivery, tags: tuple[TagAddress, ...]) -> None:
        """Say how we are, with the one thing that a person should do first."""
        assert self._link is not None
        problem = self._problem(subscriptions, delivery) or self._link.skew_sentence
        sentence = f"{len(tags)} tags of {subscriptions.count} nodes at {self._settings.url}."
        if not tags:
            sentence = f"Connected to {self._settings.url}. There are no tags yet: browse the server and choose some."
        if problem:
            self._context.set_health(State.CONNECTED, sentence)  # it was connected first; then it says what is wrong
        self._context.set_health(State.DEGRADED if problem else State.CONNECTED, problem or sentence)

    def _problem(self, subscriptions: Subscriptions, delivery: Delivery) -> str:
        if subscriptions.wrong:
            return f"{len(subscriptions.wrong)} addresses are wrong. {next(iter(subscriptions.wrong.values()))}"
        if subscriptions.bad:
            handle, status = next(iter(subscriptions.bad.items()))
            example = (delivery.addresses_of(handle) or [""])[0]
            return f"{len(subscriptions.bad)} nodes cannot be read, one is {example}: {name_of_status(status)}."
        if delivery.missing:
            address, why = next(iter(delivery.missing.items()))
            return f"{len(delivery.missing)} values have not the part that is asked for, one is {address}: {why}."
        return ""

    # ---- beside -----------------------------------------------------------------------------------------------

    async def _fill_gaps(self, subscriptions: Subscriptions, history: HistoryReader) -> None:
        """Look for what was missed, in one go when all nodes have spoken, and whenever something is missed later."""
        while True:
            await subscriptions.has_missed.wait()
            subscriptions.has_missed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_VALUES_WITHIN_S):
                    await subscriptions.is_complete.wait()
            subscriptions.give_up_waiting()
            missed, subscriptions.missed = subscriptions.missed, {}
            await history.fill(missed)

    async def _save(self, memory: Memory) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY_S)
            with suppress(OSError):  # a full disk: then a gap will be looked for from earlier
                await asyncio.to_thread(memory.save_known)

    # ---- asked for by people ----------------------------------------------------------------------------------

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """There are no commands but writing."""
        raise CommandRefused(f"An OPC UA source knows no command '{command.get('kind')}'.")

    async def write(self, address: str, value: Value) -> ReadBack:
        """Write one value and read it back; see the port."""
        if self._link is None or self._types is None:
            raise CommandRefused("The source is not connected now.")
        return await write_value(self._link, self._types, address, value)

    async def browse(self, node: str = "", cursor: str = "", search: str = "") -> BrowsePage:
        """List what the server has; see the port."""
        if self._browser is None:
            raise CommandRefused("The source is not connected now.")
        return await self._browser.page(node, cursor, search)


def _may_be_structured(tag: TagAddress) -> bool:
    return "#" in tag.address or tag.data_type == "text"


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _is_about_session(error: BaseException) -> bool:
    """Whether the session or the subscription is at fault, so that taking it up again would fail again."""
    return isinstance(error, ua.UaStatusCodeError) and name_of_status(error.code).startswith(
        ("BadSession", "BadSubscription")
    )


def _translated(error: BaseException) -> BaseException:
    """Return what went wrong as one sentence for the person who looks at the source."""
    if isinstance(error, LinkLost | SubscriptionEnded | ConfigRefused):
        return error
    if isinstance(error, ua.UaStatusCodeError):
        return LinkLost(f"The server refused: {name_of_status(error.code)}.")
    if isinstance(error, OSError | TimeoutError | ua.UaError):
        return LinkLost(f"The connection to the server failed: {str(error).rstrip('.') or type(error).__name__}.")
    return error
