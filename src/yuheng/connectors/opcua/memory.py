"""What must survive a restart of the gateway: our session at the server, and until when each node is known.

Small files in the source's own directory, replaced at once. Losing them costs no value that the server would have sent
anyway: a gap is then looked for in the server's history, or reported.
"""

from __future__ import annotations

import json
import struct
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yuheng.connectors.opcua.certificates import write_private

_HEADER = struct.Struct("<qq")


@dataclass(slots=True)
class HeldSubscription:
    """A subscription that the server may still have: node handle to the server's item, and its queue."""

    id: int
    items: dict[int, int] = field(default_factory=dict)
    queues: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class HeldSession:
    """How to take up our session again (Part 4, 6.7). The token is as good as a password."""

    fingerprint: str
    token: str = field(repr=False)
    nonce: str = field(repr=False)
    timeout_ms: float = 0.0


class Memory:
    """Handles of nodes for ever (a node keeps its number), and what is known of each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.nodes: list[str] = []
        self.handles: dict[str, int] = {}
        self.last_ticks: array[int] = array("q")
        """Source time of the newest value of each handle; 0: none yet."""
        self.published_us = 0
        """Server time of the newest notification: until then, everything is known."""
        self.next_numbers: dict[int, int] = {}
        """Subscription to the number of the notification that comes next."""
        self._is_changed = False
        self._load()

    def handle_of(self, node: str) -> int:
        """Return the number of a node; a new one when it is new."""
        found = self.handles.get(node)
        if found is None:
            found = len(self.nodes)
            self.nodes.append(node)
            self.handles[node] = found
            self.last_ticks.append(0)
        return found

    def saw(self, handle: int, ticks: int) -> None:
        """Remember the newest source time of a node."""
        if ticks > self.last_ticks[handle]:
            self.last_ticks[handle] = ticks
            self._is_changed = True

    def heard(self, published_us: int) -> None:
        """Remember that everything until this server time has come."""
        if published_us > self.published_us:
            self.published_us = published_us
            self._is_changed = True

    # ---- files ------------------------------------------------------------------------------------------------

    def save_known(self) -> None:
        """Write down until when each node is known, when that changed."""
        if self._is_changed:
            self._is_changed = False
            numbers = array("q", [number for pair in self.next_numbers.items() for number in pair])
            header = _HEADER.pack(self.published_us, len(self.last_ticks))
            _replace(self._directory / "known.bin", header + self.last_ticks.tobytes() + numbers.tobytes())

    def save_nodes(self) -> None:
        """Write down which node has which number. Before any value of a new node is asked for."""
        _replace(self._directory / "nodes.json", json.dumps(self.nodes).encode())

    def save_session(self, session: HeldSession, subscriptions: list[HeldSubscription]) -> None:
        """Write down how to take up the session again."""
        held = {each.id for each in subscriptions}
        self.next_numbers = {id_: number for id_, number in self.next_numbers.items() if id_ in held}
        found: dict[str, Any] = {
            "fingerprint": session.fingerprint,
            "token": session.token,
            "nonce": session.nonce,
            "timeout_ms": session.timeout_ms,
            "subscriptions": [
                {"id": held.id, "items": list(held.items.items()), "queues": list(held.queues.items())}
                for held in subscriptions
            ],
        }
        self._directory.mkdir(parents=True, exist_ok=True)
        write_private(self._directory / "session.json", json.dumps(found).encode())

    def held_session(self, fingerprint: str) -> tuple[HeldSession, list[HeldSubscription]] | None:
        """Return the session of these settings, if there is one to take up."""
        found = _json(self._directory / "session.json")
        try:
            if found["fingerprint"] != fingerprint:
                return None
            session = HeldSession(fingerprint, found["token"], found["nonce"], float(found["timeout_ms"]))
            held = [
                HeldSubscription(int(each["id"]), dict(each["items"]), dict(each["queues"]))
                for each in found["subscriptions"]
            ]
        except (KeyError, TypeError, ValueError):
            return None
        return session, held

    def forget_session(self) -> None:
        """There is nothing to take up any more."""
        (self._directory / "session.json").unlink(missing_ok=True)

    def _load(self) -> None:
        nodes = _json(self._directory / "nodes.json")
        if not isinstance(nodes, list):
            return
        for node in nodes:
            self.handle_of(str(node))
        try:
            data = (self._directory / "known.bin").read_bytes()
            self.published_us, count = _HEADER.unpack_from(data)
            known, numbers = array("q"), array("q")
            known.frombytes(data[_HEADER.size : _HEADER.size + 8 * count])
            numbers.frombytes(data[_HEADER.size + 8 * count :])
            self.last_ticks[: min(count, len(self.nodes))] = known[: len(self.nodes)]
            self.next_numbers = dict(zip(numbers[::2], numbers[1::2], strict=True))
        except (FileNotFoundError, struct.error, ValueError):
            return


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(path.suffix + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
