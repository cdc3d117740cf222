"""Sessions of MQTT sources, shared by all connectors that come over MQTT."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from yuheng.gateway.connector import CommandRefused, ConfigRefused, Context, PayloadRefused, State
from yuheng.gateway.mqtt_client import BrokerAddress, MqttClient, Received

WINDOW = 256
"""Messages that may wait for the durable log at once. Policy: *hold the producer*: we stop reading the socket."""


class BuiltInSession:
    """A source whose devices connect to our own broker: its log is read by the historian, nothing runs here."""

    def __init__(self, context: Context) -> None:
        self.context = context

    async def run(self) -> None:
        """Only say so."""
        self.context.set_health(State.CONNECTED, "Devices connect to the built-in broker.")
        await asyncio.get_running_loop().create_future()

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """JSON devices know no commands."""
        raise CommandRefused(f"This source knows no command '{command.get('kind')}'.")


class ExternalSession:
    """Subscribes at an external broker with QoS 1 and a persistent session; PUBACK after the durable log's.

    Reconnects for ever by ending: the gateway opens it anew, with its own pauses.
    """

    def __init__(self, broker: Mapping[str, Any], context: Context) -> None:
        if not context.source.topics:
            raise ConfigRefused("The source has no topics to subscribe to.")
        self.context = context
        self._address = BrokerAddress.from_settings(broker, f"yuheng-{context.source.code}")
        self._client: MqttClient | None = None

    async def run(self) -> None:
        """Forward messages until the connection is lost; then raise `MqttError`."""
        self.context.set_health(State.CONNECTING, f"Connecting to {self._address.host}:{self._address.port}.")
        client = await MqttClient.connect(self._address)
        self._client = client
        waiting: asyncio.Queue[tuple[Received, asyncio.Task[None]]] = asyncio.Queue(WINDOW)
        try:
            client.subscribe(self.context.source.topics)
            self.context.set_health(State.CONNECTED, f"Subscribed at {self._address.host}:{self._address.port}.")
            async with asyncio.TaskGroup() as group:
                group.create_task(client.keep_alive())
                group.create_task(self._acknowledge(client, waiting))
                while True:
                    message = await client.receive()
                    self.context.count("received")
                    await waiting.put((message, group.create_task(self._keep(message))))
        except ExceptionGroup as errors:
            raise _first(errors) from errors
        finally:
            self._client = None
            await client.close()

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish at the external broker."""
        if self._client is None:
            raise CommandRefused("The external broker is not connected now.")
        self._client.publish(topic, payload)

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """JSON devices know no commands."""
        raise CommandRefused(f"This source knows no command '{command.get('kind')}'.")

    async def _keep(self, message: Received) -> None:
        try:
            await self.context.emit_raw(message.topic, message.payload)
        except PayloadRefused as refused:
            # It would come again for ever; acknowledging it and saying so is the lesser evil.
            self.context.count("refused")
            self.context.set_health(State.DEGRADED, f"A message on {message.topic} was not kept: {refused}")

    async def _acknowledge(
        self, client: MqttClient, waiting: asyncio.Queue[tuple[Received, asyncio.Task[None]]]
    ) -> None:
        """Acknowledge in the order of receipt (MQTT-4.6.0-2), each after the log has it."""
        while True:
            message, kept = await waiting.get()
            await kept
            client.acknowledge(message.packet_id)
            self.context.count("acknowledged")


def _first(error: Exception) -> Exception:
    return _first(error.exceptions[0]) if isinstance(error, ExceptionGroup) else error
