"""The port between the gateway and everything that speaks to machines.

A connector is a class with a ``manifest`` and an ``open`` method, named by an entry point of the group
``yuheng.connectors``; a third-party package does exactly what the built-in ones do. ``docs/connectors/writing.md``
builds one in a page, and `yuheng.testing.connector_suite` is what it must pass.

A session that can do more than deliver says so in its manifest and has the method: ``can_write`` and
`WritingSession.write`, ``can_browse`` and `BrowsingSession.browse`. Whether a command may be carried out at all (source
and tag switched on, not expired, never twice) is the gateway's business, before a session hears of it.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from jsonschema import Draft202012Validator

from yuheng.bus.messages import SampleBatch

GROUP = "yuheng.connectors"


class Kind(StrEnum):
    """How values come in."""

    SUBSCRIBE = "subscribe"  # the machine, or a broker, tells us
    POLL = "poll"  # we ask
    PUSH = "push"  # the machine calls our door
    REPLAY = "replay"  # read from a recording


class Tier(StrEnum):
    """Quality, by the numbered checks of `yuheng.testing.connector_suite`."""

    BRONZE = "bronze"  # passes the suite, has a page in the documentation
    SILVER = "silver"  # and reconnects without loss, reports diagnostics, has an owner
    GOLD = "gold"  # and discovers addresses, and writes back with interlocks


class MapLine(NamedTuple):
    """One line of a manufacturer's table of signals, read into an address and what a tag needs."""

    line: int  # of the file, as a person counts
    address: str  # for `telemetry.Tag.address`; as it stood when there is a problem
    values: dict[str, str]  # columns of a tag, and ``every_s``, as text
    problem: str = ""  # a sentence; the line is refused


class Maps(Protocol):
    """How a connector reads tables of signals that people have as files."""

    @property
    def numberings(self) -> Sequence[tuple[str, str, str]]:
        """Ways of counting that a person must choose from: value, English, Chinese."""
        ...

    def read(self, text: str, numbering: str = "") -> list[MapLine]:
        """Read a table, line by line. Raises `ValueError` with a sentence when it is none."""
        ...

    def rhythms(self, settings: Mapping[str, Any], addresses: Iterable[str]) -> dict[str, float]:
        """Return how often each address is read, in seconds."""
        ...

    def with_rhythms(self, settings: Mapping[str, Any], rhythms: Mapping[str, float]) -> dict[str, Any]:
        """Return settings with which each address is read as often as is said."""
        ...


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a connector says about itself before it is started.

    Attributes
    ----------
    name
        Also the name of the entry point and the value of ``Source.connector``.
    config_schema
        JSON Schema (draft 2020-12) of the source's settings; renders the set-up form and validates it. Titles and
        descriptions are in English; ``x-title-zh`` and ``x-description-zh`` stand beside them.
    can_write, can_browse
        Whether its sessions have `WritingSession.write` and `BrowsingSession.browse`.
    needs_tags
        Whether its sessions use `Context.tags`: what to read is then what the source has tags for.
    maps
        Reads the tables of signals that manufacturers hand out; None: there are no such tables.
    docs
        Path of its page below ``docs/``, or an address.
    """

    name: str
    title_zh: str
    title_en: str
    version: str
    config_schema: Mapping[str, Any]
    kinds: frozenset[Kind]
    tier: Tier = Tier.BRONZE
    can_write: bool = False
    can_browse: bool = False
    needs_tags: bool = False
    maps: Maps | None = None
    owner: str = "Yuheng"
    docs: str = ""

    @property
    def title(self) -> str:
        """Both titles, for lists without a language."""
        return f"{self.title_zh} {self.title_en}"


class State(StrEnum):
    """How a session is."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"  # works, but something is wrong; the sentence says what
    FAILED = "failed"  # nothing comes; it is tried again
    STOPPED = "stopped"


@dataclass(slots=True)
class SessionHealth:
    """What a person sees of a session: state, one sentence, and counters."""

    state: State = State.CONNECTING
    sentence: str = "Starting."
    since_us: int = 0
    restarts: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)


class SourceIdentity(NamedTuple):
    """Which source a session works for."""

    id: int
    code: str
    topics: tuple[str, ...]


class Pushed(NamedTuple):
    """One body pushed to our HTTP door, inflated, from a credential that may write to this source."""

    path: str  # below the source: "write" or "push[/device]"
    query: str
    body: bytes
    device: str


PushHandler = Callable[[Pushed], Awaitable[str]]
"""Takes a body and keeps it durably; returns "" or a sentence that says what can never be read in it."""


Value = float | int | bool | str
"""One value, as the machine has it: before the tag's scale and offset."""


class TagAddress(NamedTuple):
    """One tag that the source has, as far as whoever reads and writes it must know."""

    address: str
    data_type: str  # float | int | bool | text
    is_writable: bool = False
    deadband: float = 0.0  # in the machine's own unit: the tag's deadband divided by its scale


class Gap(NamedTuple):
    """Values of ``(start_us, end_us)`` that could not be had, so that a person can see which and why."""

    start_us: int  # source time of the last value that is known; 0: from the beginning
    end_us: int  # source time of the first value that is known again
    sentence: str  # why: one sentence, in English
    addresses: tuple[str, ...] = ()  # empty: every tag of the source


class Context(Protocol):
    """What the gateway gives to a session. Nothing else of the system is needed."""

    source: SourceIdentity
    state_dir: Path  # for what must survive a restart, such as a position in a file

    async def emit_raw(self, topic: str, payload: bytes, *, arrived_us: int | None = None) -> None:
        """Keep an undecoded payload; return when the durable log has it.

        Waits while the log cannot take it, for as long as that lasts. What may be under way at once is bounded by
        number and bytes. Policy: *hold the producer*; so acknowledge to the machine after this returns.

        Raises
        ------
        PayloadRefused
            The log will never take it (larger than its limit): tell the machine, count it, go on.
        """
        ...

    async def emit_samples(self, batch: SampleBatch) -> None:
        """Keep values that were read by address; otherwise as `emit_raw`."""
        ...

    def set_health(self, state: State, sentence: str) -> None:
        """Say how the session is, in one sentence for the person who must do something."""
        ...

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter that is shown beside the health: ``received``, ``refused``, ``reconnects``, ..."""
        ...

    def now_us(self) -> int:
        """Return microseconds since 1970 UTC; tests turn this clock."""
        ...

    def accept_pushes(self, handler: PushHandler) -> AbstractAsyncContextManager[None]:
        """Open the HTTP door for this source while the context lasts."""
        ...

    async def tell_broker(self, topic: str, payload: bytes) -> None:
        """Publish to the built-in broker, as QoS 0; for commands to its MQTT clients."""
        ...

    @property
    def tags(self) -> tuple[TagAddress, ...]:
        """The tags of the source now, in the order of their addresses; empty unless the manifest ``needs_tags``.

        When they change, the session stays open and `tags_after` returns: add and drop what differs.
        """
        ...

    async def tags_after(self, known: tuple[TagAddress, ...]) -> tuple[TagAddress, ...]:
        """Return the tags as soon as they are not ``known`` (at once when they are not already)."""
        ...

    async def report_gap(self, gap: Gap) -> None:
        """Keep durably that values could not be had; shown on the source's page. Waits like `emit_raw`."""
        ...

    def set_fact(self, name: str, text: str) -> None:
        """Show something about the machine beside the health, such as a certificate to accept; "" takes it away."""
        ...


class Session(Protocol):
    """One open connection to one source."""

    async def run(self) -> None:
        """Work until cancelled. Raise to be opened anew after a pause; return when there is nothing left to do."""
        ...

    async def carry_out(self, command: Mapping[str, Any]) -> str:
        """Carry out a command such as ``{"kind": "rebirth", ...}``; return a sentence about what was done.

        Raises
        ------
        CommandRefused
            The session does not know it, or it cannot be done now.
        """
        ...


class ReadBack(NamedTuple):
    """What the machine showed after a write."""

    value: Value | None  # as the machine has it; None: it could not be read
    is_confirmed: bool  # the value read is the value written
    sentence: str = ""  # what to know when it is not confirmed


class WritingSession(Session, Protocol):
    """A session of a connector whose manifest says ``can_write``."""

    async def write(self, address: str, value: Value) -> ReadBack:
        """Write one value, once, and read it back; never repeat a write whose fate is not known.

        Called for one command at a time. ``value`` fits the tag's data type and is in the machine's unit (scale and
        offset taken off, a float even for an integer register when the tag is scaled); give it the exact type and
        range of the machine, or refuse. Read back until the machine shows it; the gateway cancels when the command's
        time is over.

        Raises
        ------
        CommandRefused
            Certainly not written: no such address, does not fit, not connected, or the machine said no.
        Exception
            Anything else, cancellation too: it is not known whether it was written, and the gateway says so.
        """
        ...


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of what a machine has: a folder, something to read, or both."""

    node: str  # what `BrowsingSession.browse` takes; means something to the session only
    name: str
    address: str = ""  # for `telemetry.Tag.address`; "": nothing to read here
    data_type: str = ""  # float | int | bool | text, as proposed for a tag
    unit: str = ""  # UCUM, as proposed for a tag; "": not known
    description: str = ""
    value: str = ""  # what it is now, as text
    has_children: bool = False
    is_writable: bool = False


class BrowsePage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Some lines of a folder; ``cursor`` gives the next ones, "" when there are no more."""

    nodes: list[Node]
    cursor: str = ""


class BrowsingSession(Session, Protocol):
    """A session of a connector whose manifest says ``can_browse``."""

    async def browse(self, node: str = "", cursor: str = "", search: str = "") -> BrowsePage:
        """List what is below a node ("": the top), at most some hundred lines a page.

        With ``search``: what can be read, at any depth below the node, and has the text in its name or address.

        Raises
        ------
        CommandRefused
            There is no such node, the cursor is not known any more, or the source is not connected.
        """
        ...


class Connector(Protocol):
    """Talks one protocol to one data source. Made without arguments; keeps nothing between sessions."""

    manifest: Manifest

    def open(self, config: Mapping[str, Any], context: Context) -> AbstractAsyncContextManager[Session]:
        """Connect and clean up on exit. ``config`` has passed the manifest's schema."""
        ...


class ConfigRefused(Exception):
    """The settings cannot work; the message is a sentence for the person who wrote them."""


class CommandRefused(Exception):
    """The command was not carried out; the message says why."""


class PayloadRefused(Exception):
    """The durable log will never take this payload; the message says why."""


def find_connectors(group: str = GROUP) -> dict[str, EntryPoint]:
    """Map connector name to its entry point, without importing any of them.

    Raises
    ------
    RuntimeError
        Two installed packages provide the same name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        if point.name in found:
            raise RuntimeError(f"Two installed packages provide the connector '{point.name}'.")
        found[point.name] = point
    return found


def find_manifests(group: str = GROUP) -> dict[str, Manifest]:
    """Map connector name to its manifest. Imports the classes, which keep what is heavy for `Connector.open`."""
    return {name: point.load().manifest for name, point in sorted(find_connectors(group).items())}


def check_config(manifest: Manifest, config: Mapping[str, Any]) -> None:
    """Raise `ConfigRefused`, with a sentence for each wrong setting, unless the config passes the schema."""
    errors = sorted(Draft202012Validator(dict(manifest.config_schema)).iter_errors(config), key=lambda e: e.json_path)
    if errors:
        raise ConfigRefused(" ".join(_sentence(error.json_path, error.message) for error in errors[:5]))


def _sentence(path: str, message: str) -> str:
    where = path.removeprefix("$").lstrip(".")
    return f"Setting {where}: {message}." if where else f"{message}."


def is_same_value(written: Value, read: Value | None, *, relative: float = 1e-6) -> bool:
    """Return whether a machine that may keep single precision shows what was written.

    Examples
    --------
    >>> is_same_value(0.1, 0.10000000149011612), is_same_value(1, True), is_same_value("a", "b"), is_same_value(1, None)
    (True, True, False, False)
    """
    if read is None or isinstance(written, str) or isinstance(read, str):
        return written == read
    return math.isclose(written, read, rel_tol=relative, abs_tol=1e-30)


def schema(properties: Mapping[str, Any], *, required: Sequence[str] = ()) -> dict[str, Any]:
    """Return a JSON Schema of an object with these properties and no others."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": dict(properties),
    }


def setting(kind: str, title_en: str, title_zh: str, description: str = "", **more: Any) -> dict[str, Any]:
    """Return the JSON Schema of one setting, with its titles in both languages."""
    found: dict[str, Any] = {"type": kind, "title": title_en, "x-title-zh": title_zh, **more}
    if description:
        found["description"] = description
    return found


@asynccontextmanager
async def opened(session: Session) -> AsyncIterator[Session]:
    """Give a session that has nothing to clean up the shape that `Connector.open` returns."""
    yield session
