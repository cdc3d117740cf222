"""The publishing process: ``python -m yuheng.bench.publisher``, its orders as one JSON line on standard input.

QoS 1 with a bounded number of messages waiting for PUBACK (`Orders.window`), and, when the bench asks for it, held to
what the store has already committed: each further line on standard input is the number of messages that may have
been sent by then. So a run of a minute measures a sustained minute and not how fast a queue can grow.
Prints one line a second (`Progress`) and a last one with ``done`` true.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from collections.abc import Callable

import msgspec

from yuheng.bench import mqtt
from yuheng.bench.sparkplug import node_death
from yuheng.bench.workload import WORKLOADS, Workload

RECEIVE_BYTES = 1 << 18
RETRY_PAUSE_S = 0.2
RETRY_FOR_S = 3.0
CONNECT_DEADLINE_S = 10.0
STALL_DEADLINE_S = 60.0
BURST = 64
"""Messages joined into one write."""


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """What to send, where and for how long."""

    host: str
    port: int
    username: str
    password: str
    kind: str  # a key of workload.WORKLOADS
    seed: int
    start_ms: int
    seconds: float
    window: int = 512
    allowed: int = 1 << 62
    client_id: str = "yuheng-bench"
    rate: float = 0.0  # messages a second; 0: as fast as acknowledged
    first: int = 0
    messages: int = 1 << 62  # stop after so many, if the seconds are not over before


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is. Times are Unix seconds; ``cpu_s`` is this process's own."""

    sent: int
    acked: int
    at: float
    began_at: float
    cpu_s: float
    done: bool = False


class Publisher:
    """One connection that sends messages in order and counts their acknowledgements."""

    def __init__(self, orders: Orders, workload: Workload) -> None:
        self._orders = orders
        self._workload = workload
        self._allowed = orders.allowed
        self._packet_id = 0
        self._reader = mqtt.PacketReader()
        self._outgoing = memoryview(b"")
        self.sent = 0
        self.acked = 0
        self.births_open = 0
        self.began_at = 0.0
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        """Connect as a device does: once more while the broker has not yet read that we may."""
        deadline = time.monotonic() + RETRY_FOR_S
        while True:
            try:
                return self._try_to_connect()
            except mqtt.MqttRefused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(RETRY_PAUSE_S)

    def _try_to_connect(self) -> socket.socket:
        orders = self._orders
        connection = socket.create_connection((orders.host, orders.port), timeout=CONNECT_DEADLINE_S)
        try:
            self._greet(connection)
        except OSError:
            connection.close()
            raise
        connection.setblocking(False)
        return connection

    def _greet(self, connection: socket.socket) -> None:
        orders = self._orders
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        will = None
        if orders.kind == "sparkplug":
            will = mqtt.Will("spBv1.0/bench/NDEATH/edge", node_death(bd_seq=0))
        connection.sendall(
            mqtt.connect_packet(orders.client_id, orders.username, orders.password, keep_alive_s=0, will=will)
        )
        packets: list[tuple[int, bytes]] = []
        while not packets:
            data = connection.recv(RECEIVE_BYTES)
            if not data:
                raise mqtt.MqttRefused("The broker closed the connection instead of answering.")
            packets = self._reader.feed(data)
        mqtt.check_connack(packets[0][1])

    def allow(self, messages: int) -> None:
        """Let messages up to this number be sent."""
        self._allowed = messages

    def run(self, tell: Callable[[Progress], None]) -> Progress:
        """Send until the time is over and everything sent is acknowledged."""
        self._send_births()
        self.began_at = time.time()
        deadline = self.began_at + self._orders.seconds
        last = self._orders.messages
        heard_at = time.monotonic()
        next_line = self.began_at + 1
        poll = select.poll()
        poll.register(sys.stdin.fileno(), select.POLLIN)
        while True:
            now = time.time()
            is_over = now >= deadline or self.sent >= last
            if is_over and self.acked == self.sent and not self._outgoing:
                return self.progress(done=True)
            if now >= next_line:
                tell(self.progress())
                next_line += 1
            if not is_over:
                self._refill(now)
            acked = self.acked
            self._wait(poll, (next_line if is_over else min(deadline, next_line)) - now)
            heard_at = time.monotonic() if self.acked != acked or self.acked == self.sent else heard_at
            if time.monotonic() - heard_at > STALL_DEADLINE_S:
                raise TimeoutError(f"The broker acknowledged nothing for {STALL_DEADLINE_S:.0f} s.")

    def close(self) -> None:
        """Leave the broker; a node's will is not published then."""
        self._socket.setblocking(True)
        self._socket.sendall(mqtt.DISCONNECT_PACKET)
        self._socket.close()

    def progress(self, *, done: bool = False) -> Progress:
        """Say how far it is."""
        cpu_s = time.process_time()
        return Progress(
            sent=self.sent, acked=self.acked, at=time.time(), began_at=self.began_at, cpu_s=cpu_s, done=done
        )

    def _send_births(self) -> None:
        births = self._workload.births()
        if not births:
            return
        packets = []
        for topic, payload in births:
            self._packet_id = mqtt.next_packet_id(self._packet_id)
            packets.append(mqtt.publish_packet(topic, payload, self._packet_id))
        self.births_open = len(births)
        self._socket.setblocking(True)
        self._socket.sendall(b"".join(packets))
        while self.births_open:
            self._receive()
        self._socket.setblocking(False)

    def _refill(self, now: float) -> None:
        if self._outgoing:
            return
        orders = self._orders
        room = min(orders.window - (self.sent - self.acked), self._allowed - self.sent, BURST)
        room = min(room, orders.messages - self.sent)
        if orders.rate:
            room = min(room, int((now - self.began_at) * orders.rate) - self.sent)
        if room <= 0:
            return
        packets = []
        packet_id = self._packet_id
        for index in range(orders.first + self.sent, orders.first + self.sent + room):
            packet_id = mqtt.next_packet_id(packet_id)
            topic, payload = self._workload.message(index)
            packets.append(mqtt.publish_packet(topic, payload, packet_id))
        self._packet_id = packet_id
        self.sent += room
        self._outgoing = memoryview(b"".join(packets))

    def _wait(self, poll: select.poll, timeout_s: float) -> None:
        events = select.POLLIN | (select.POLLOUT if self._outgoing else 0)
        poll.register(self._socket, events)
        if self._orders.rate:
            timeout_s = min(timeout_s, 0.005)
        for number, event in poll.poll(max(timeout_s, 0.001) * 1000):
            if number == self._socket.fileno():
                if event & (select.POLLIN | select.POLLHUP | select.POLLERR):
                    self._receive()
                if event & select.POLLOUT and self._outgoing:
                    self._outgoing = self._outgoing[self._socket.send(self._outgoing) :]
            else:
                self._read_orders(poll)

    def _receive(self) -> None:
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("The broker closed the connection while messages were waiting.")
        count = sum(kind == mqtt.PUBACK for kind, _ in self._reader.feed(data))
        births = min(count, self.births_open)
        self.births_open -= births
        self.acked += count - births

    def _read_orders(self, poll: select.poll) -> None:
        lines = os.read(sys.stdin.fileno(), 65536).decode().split()
        if not lines:  # the bench is gone; so are we, once what was sent is acknowledged
            poll.unregister(sys.stdin.fileno())
            self._allowed = self.sent
            return
        self.allow(int(lines[-1]))


def _tell(progress: Progress) -> None:
    sys.stdout.write(msgspec.json.encode(progress).decode() + "\n")
    sys.stdout.flush()


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):  # unbuffered: what follows must stay readable for poll()
        byte = os.read(sys.stdin.fileno(), 1)
        if not byte:
            break
        line += byte
    return bytes(line)


def main() -> None:
    """Read the orders, compute the messages, publish, report."""
    orders = msgspec.json.decode(_first_line(), type=Orders)
    workload = WORKLOADS[orders.kind](seed=orders.seed, start_ms=orders.start_ms)
    publisher = Publisher(orders, workload)
    last_word = publisher.run(_tell)
    publisher.close()
    _tell(last_word)


if __name__ == "__main__":
    main()
