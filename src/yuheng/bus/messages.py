"""Requests, replies, live changes and durable facts. JSON unless said otherwise; times in microseconds UTC."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

# ---- gateway -> historian (YH_INGEST, msgpack) ----------------------------------------------------------------


class SampleBatch(msgspec.Struct, frozen=True):
    """Values read from one source, by address; columns of one length. Encoded as msgpack."""

    addresses: list[str]
    times_us: list[int]
    values: list[Any]  # float | int | bool | str | None (no value; quality says why)
    qualities: list[int]
    seqs: list[int] = []  # empty: all 0


# ---- historian -> worker (YH_DEAD) ------------------------------------------------------------------------------


class BirthNotice(msgspec.Struct, frozen=True):
    """The dead letters with this topic that arrived in ``[since_us, until_us)`` can be understood now."""

    topic: str
    since_us: int
    until_us: int


# ---- historian -> worker (YH_EVENTS) ----------------------------------------------------------------------------


class Interval(msgspec.Struct, frozen=True, array_like=True):
    """A merged state interval ``[start_us, end_us)``; ``end_us`` None while it lasts."""

    state: int
    cause: str
    start_us: int
    end_us: int | None


class StateRevision(msgspec.Struct, frozen=True):
    """From ``from_us`` on, the unit's states are these intervals. Idempotent: apply replaces what was there."""

    work_unit_id: int
    from_us: int
    intervals: list[Interval]


class JobSeries(msgspec.Struct, frozen=True):
    """Changes of one signal that jobs listen to; columns of one length, in order of time. See `documents.JobSymbol`."""

    tag_id: int
    symbol: str
    kind: str
    role: str
    times_us: list[int]  # by the source's clock
    seqs: list[int]
    values: list[float | str]
    arrived_us: list[int]


class JobSignals(msgspec.Struct, frozen=True):
    """What a work unit's signals say to its jobs. Told at least once; (symbol, time, sequence) names a reading.

    A reading is told when it is good and differs from what was told before it, when it comes late, and once after a
    start of the historian.
    """

    work_unit_id: int
    series: list[JobSeries]


# ---- commands: worker -> gateway (yh.cmd.<source id>, request), gateway -> worker (YH_EVENTS) --------------------


class WriteCommand(msgspec.Struct, frozen=True, tag="write", tag_field="kind"):
    """Write one value to a machine, once. The reply `CommandTaken` says whether it will be tried.

    Whoever sends it has written down that it did, before: it is never sent a second time unless the first was
    certainly not heard. ``value`` is in the machine's own unit, before scale and offset.
    """

    id: str  # UUID of the command; one seen already is not taken again
    address: str
    value: float | int | bool | str
    expires_us: int  # not begun after this
    timeout_s: float = 10.0  # from its beginning to the read-back


class CommandTaken(msgspec.Struct, frozen=True):
    """Reply to a `WriteCommand`: refused with a sentence, or taken, and a `CommandOutcome` will follow."""

    is_taken: bool
    sentence: str = ""


class CommandOutcome(msgspec.Struct, frozen=True):
    """What became of a command. ``state``: confirmed, refused, timed_out (written, not read back), unknown."""

    id: str
    state: str
    sentence: str
    at_us: int
    read_back: float | int | bool | str | None = None


class SourceGap(msgspec.Struct, frozen=True):
    """Values of a source between two source times that could not be had. ``addresses`` empty: all of its tags."""

    id: str  # UUID: the same gap may be told twice
    source_id: int
    start_us: int
    end_us: int
    sentence: str
    addresses: list[str] = []
    noted_us: int = 0


class BrowseQuestion(msgspec.Struct, frozen=True):
    """``yh.browse.<source id>`` -> `gateway.connector.BrowsePage` as JSON, or `Failure`."""

    node: str = ""
    cursor: str = ""
    search: str = ""


# ---- historian -> worker (YH_ALARMS) ----------------------------------------------------------------------------


class AlarmTransition(msgspec.Struct, frozen=True):
    """The condition of an alarm changed. Facts of one alarm come in the order of ``time_us``, at least once.

    ``kind`` is `engines.alarms.vocabulary.FactKind`; ``episode_us``, the time of the activation, with definition and
    work unit names the episode. ``values`` are the symbols of the condition at that moment.
    """

    definition_id: int
    work_unit_id: int
    kind: str
    time_us: int  # by the source's clock
    known_us: int  # when the historian found it
    episode_us: int
    count: int = 1  # how often active in this episode
    value: float | str | None = None
    values: dict[str, float | str | None] = {}
    is_suppressed: bool = False  # by design: state or condition


class AlarmsActive(msgspec.Struct, frozen=True):
    """As of this place in the stream, exactly these alarms are active; told after a start and a new configuration.

    Others that the worker holds for active are cleared: their definition or work unit is gone, or the history was
    restored. ``active``: (definition id, work unit id, episode_us).
    """

    known_us: int
    active: list[tuple[int, int, int]]


# ---- historian -> web (live) ------------------------------------------------------------------------------------


class UnitLive(msgspec.Struct, frozen=True, array_like=True):
    """A work unit now."""

    work_unit_id: int
    state: int
    cause: str
    since_us: int
    seen_us: int  # newest source time of any of its tags; 0: never


class ValueLive(msgspec.Struct, frozen=True, array_like=True):
    """A tag now. ``value`` is None when quality is bad and nothing is known; text for text tags."""

    tag_id: int
    time_us: int
    value: float | str | None
    quality: int


class LiveStates(msgspec.Struct, frozen=True):
    """State changes of a site. ``seq`` rises by one a message within an ``epoch`` (one run of the historian)."""

    epoch: str
    seq: int
    at_us: int
    units: list[UnitLive]


class LiveValues(msgspec.Struct, frozen=True):
    """Changed values of a site; coalesced: the newest only. ``data_time_us``: newest source time received."""

    at_us: int
    values: list[ValueLive]
    data_time_us: int
    seen: list[tuple[int, int]]  # (work unit id, seen_us) of units heard since the last message


class LiveSnapshot(msgspec.Struct, frozen=True):
    """Reply to ``yh.q.live``: all units of a site and the latest value of the tags asked for."""

    epoch: str
    seq: int
    at_us: int
    units: list[UnitLive]
    values: list[ValueLive]
    data_time_us: int


# ---- worker -> web (live alarms) --------------------------------------------------------------------------------


class AlarmLive(msgspec.Struct, frozen=True, array_like=True):
    """One alarm now. ``bits``: `alarms.rules.packed`. ``root_id`` 0: it heads the list or stands alone."""

    alarm_id: int
    work_unit_id: int
    definition_id: int
    priority: int
    bits: int
    activated_us: int
    cleared_us: int  # 0: active
    count: int
    child_count: int
    acked_by: str
    value: str
    message_zh: str
    message_en: str
    changed_us: int
    root_id: int = 0
    is_shown: bool = True  # needs somebody and is not hidden


class AlarmCountsLive(msgspec.Struct, frozen=True):
    """How many alarms of a site need somebody; see `alarms.selectors.alarms.AlarmCounts`."""

    headlines: int = 0
    unacked: int = 0
    active: int = 0
    grouped: int = 0
    shelved: int = 0
    suppressed: int = 0
    out_of_service: int = 0
    by_priority: dict[int, int] = {}
    unacked_by_priority: dict[int, int] = {}


class LiveAlarms(msgspec.Struct, frozen=True):
    """Alarms of a site that changed. ``seq`` rises by one a message within an ``epoch`` (one run of the worker).

    As the reply to ``yh.q.alarms``: every alarm that heads the list.
    """

    epoch: str
    seq: int
    at_us: int
    counts: AlarmCountsLive
    alarms: list[AlarmLive]


class DispatchLive(msgspec.Struct, frozen=True):
    """Plan, breakdowns or suggestions of a site changed: ask for them again. A hint: nothing is lost with it.

    ``plan_id``: the published plan, as far as who tells it knows; 0: not known.
    """

    site_id: int
    at_us: int
    plan_id: int = 0


class JobLive(msgspec.Struct, frozen=True, array_like=True):
    """What a work unit makes now; ``job_order_id`` 0: nothing. ``made``: good pieces as far as is known."""

    work_unit_id: int
    job_order_id: int
    state: str  # running, interrupted
    made: float
    scrap: float
    quantity: float
    end_us: int  # expected
    is_late: bool
    exceptions: int  # open disagreements of machine and report at the unit


class LiveJobs(msgspec.Struct, frozen=True):
    """Work units of a site whose jobs changed; the newest of a unit is the truth."""

    at_us: int
    jobs: list[JobLive]


# ---- questions to the historian (yh.q.<operation>) --------------------------------------------------------------


class LiveQuestion(msgspec.Struct, frozen=True):
    """``yh.q.live`` -> `LiveSnapshot`. ``tags`` None: the latest values of all tags of the site."""

    site_id: int
    tags: list[int] | None = None


class AlarmsQuestion(msgspec.Struct, frozen=True):
    """``yh.q.alarms`` -> `LiveAlarms`; the worker answers."""

    site_id: int


class AlarmPreviewQuestion(msgspec.Struct, frozen=True):
    """``yh.q.alarm_preview`` -> `AlarmPreview`: a rule tried on history, nothing stored."""

    rule: dict[str, Any]  # `documents.AlarmRule`
    start_us: int
    end_us: int


class AlarmPreview(msgspec.Struct, frozen=True):
    """Work unit id -> episodes (start_us, end_us or None while it lasts, count)."""

    episodes: dict[int, list[tuple[int, int | None, int]]]


class LatestQuestion(msgspec.Struct, frozen=True):
    """``yh.q.latest`` -> Arrow: tag, time, value, quality, arrived, text. ``at_us``: as known at that source time."""

    tags: list[int]
    at_us: int | None = None


MORE = b"more"
"""Key in the metadata of an Arrow reply that holds fewer rows than were found."""


RESOLUTION = b"resolution"
"""Key in the metadata of an Arrow reply: calculated tags in it come from averages over so many microseconds."""


class RawQuestion(msgspec.Struct, frozen=True):
    """``yh.q.raw`` -> Arrow: tag, time, seq, value, text, quality, arrived; ordered by tag, time, seq.

    At most ``limit`` rows a reply (server's maximum 500,000); page on with ``start_us`` = last time. Rows that do not
    fit a message of the broker are left out, and the table's metadata has `MORE`.
    """

    tags: list[int]
    start_us: int
    end_us: int
    limit: int = 100_000


class AggregateQuestion(msgspec.Struct, frozen=True):
    """``yh.q.aggregate`` -> Arrow: tag, bucket, min, max, avg, count, first, last, time_weighted_avg, good_count.

    ``bucket_us`` of a whole minute or hour is answered from roll-ups where they are complete, else from raw.
    """

    tags: list[int]
    start_us: int
    end_us: int
    bucket_us: int


class PixelsQuestion(msgspec.Struct, frozen=True):
    """``yh.q.pixels`` -> Arrow: tag, time, min, max, first, last, count; one row a pixel with data: peaks survive."""

    tags: list[int]
    start_us: int
    end_us: int
    width: int


class IncreaseQuestion(msgspec.Struct, frozen=True):
    """``yh.q.increase`` -> Arrow: tag, increase: growth of counters over [start, end), resets counted from zero."""

    tags: list[int]
    start_us: int
    end_us: int


class BoardQuestion(msgspec.Struct, frozen=True):
    """``yh.q.board_at`` -> `PastBoard`: everything that the live screens of a site knew, or should have known, then.

    ``known_as``
        ``shown``: as it was shown at ``at_us``. Units are the recorded live messages; values are the newest ones that
        had arrived by then. ``known``: as it is known now, late data and corrections included; values by source time.
    ``tags``
        Whose values are wanted; None: all of the site.
    """

    site_id: int
    at_us: int
    tags: list[int] | None = None
    known_as: Literal["shown", "known"] = msgspec.field(name="as", default="shown")


class PastBoard(msgspec.Struct, frozen=True):
    """A `LiveSnapshot` of the past; ``epoch`` and ``seq`` name the run of the historian and are no live stream's.

    ``known_as``
        ``known`` although ``shown`` was asked for: nothing was recorded yet at that time (see ``recorded_from_us``).
    ``trouble``
        ``no_historian``: nothing was being shown as fresh at that moment, the historian was not running.
    ``recorded_from_us``
        Since when what was shown is recorded; 0: not yet.
    ``seen_us`` of a unit is exact when the values of all its tags were asked for, else at most a minute old.
    """

    epoch: str
    seq: int
    at_us: int
    units: list[UnitLive]
    values: list[ValueLive]
    data_time_us: int
    known_as: Literal["shown", "known"] = msgspec.field(name="as", default="shown")
    trouble: str = ""
    recorded_from_us: int = 0


class BoardBetweenQuestion(msgspec.Struct, frozen=True):
    """``yh.q.board_between`` -> `BoardChanges`: what changed on the screens in ``(from_us, to_us]``, as shown.

    ``tags``
        Whose values are wanted; none by default. The newest of each tag in every ``step_us`` is told.
    """

    site_id: int
    from_us: int
    to_us: int
    tags: list[int] = []
    step_us: int = 1_000_000


class BoardFrame(msgspec.Struct, frozen=True):
    """What changed on the board at ``at_us``; ``is_whole``: the board is replaced, units not named are gone.

    Fold it as the live page does: units replace units; a value replaces one that is not newer by its own time.
    """

    at_us: int
    units: list[UnitLive]
    values: list[ValueLive]
    is_whole: bool = False
    trouble: str = ""


class BoardChanges(msgspec.Struct, frozen=True):
    """Frames in order of time; everything until ``until_us`` is told. Not ``to_us``: ask on from there."""

    frames: list[BoardFrame]
    until_us: int


class FormulaQuestion(msgspec.Struct, frozen=True):
    """``yh.q.formula_preview`` -> Arrow as `PixelsQuestion` (tag 0): a formula tried on history, nothing stored."""

    formula: str
    inputs: dict[str, int]
    unit: str
    start_us: int
    end_us: int
    width: int


class CyclesQuestion(msgspec.Struct, frozen=True):
    """``yh.q.cycles`` -> `CyclesAnswer`: stretches that repeat, and statistics of tags in each.

    Either ``work_unit_id`` or ``tag`` says of what. A cycle is

    - with ``condition`` (language of the state rules, over the unit's symbols; ``value`` for a tag): a stretch in which
      it holds, from the sample that makes it true to the one that makes it false;
    - without: from one increase of a counter to the next. The counter is ``tag``, or the unit's tag with ``role``.

    ``unless`` leaves out cycles in which this condition held at any time; ``min_s`` and ``max_s`` bound their length.
    ``last`` asks for that many whole ones, newest first searched from ``end_us`` back, told in order of time; 0: all.
    """

    start_us: int
    end_us: int
    work_unit_id: int | None = None
    tag: int | None = None
    condition: str = ""
    role: str = ""
    unless: str = ""
    tags: list[int] = []
    last: int = 0
    min_s: float = 0.0
    max_s: float = 0.0  # 0: any


class CycleStatistics(msgspec.Struct, frozen=True, array_like=True):
    """One tag in one cycle. ``avg`` weighs by time and holds the value from before; None: no good value."""

    tag: int
    min: float | None
    max: float | None
    avg: float | None
    first: float | None
    last: float | None
    count: int


class Cycle(msgspec.Struct, frozen=True):
    """A stretch ``[start_us, end_us)``; not ``is_whole``: cut off by the ends of the time that was asked for."""

    start_us: int
    end_us: int
    is_whole: bool
    statistics: list[CycleStatistics]


class CyclesAnswer(msgspec.Struct, frozen=True):
    """Cycles in order of time. ``more``: there were more than are told (``from_us``: everything since is told)."""

    cycles: list[Cycle]
    from_us: int
    more: bool = False


class OverlayQuestion(msgspec.Struct, frozen=True):
    """``yh.q.overlay`` -> Arrow: cycle, tag, offset, min, max, first, last, count; one row a pixel with data.

    ``cycle`` is the place in ``intervals``; ``offset`` (microseconds, a multiple of one step for all) counts from the
    interval's start. The value held when an interval began is its first row, with count 0, when no sample is there.
    """

    tags: list[int]
    intervals: list[tuple[int, int]]
    width: int = 600


class DescribeQuestion(msgspec.Struct, frozen=True):
    """``yh.q.describe`` -> Arrow: statistics of each tag in each span ``[starts_us[i], ends_us[i])``.

    tag, span, count, good_count, min, max, mean, std, percentiles (5, 25, 50, 75, 95 %), first, last, min_us, max_us,
    covered_s, integral (value · s), above_s and below_s (the limits, in the tag's unit).
    """

    tags: list[int]
    starts_us: list[int]
    ends_us: list[int]
    low: float | None = None
    high: float | None = None


class HistogramQuestion(msgspec.Struct, frozen=True):
    """``yh.q.histogram`` -> Arrow: low, high, count of equal classes of a tag's good values."""

    tag: int
    start_us: int
    end_us: int
    bins: int = 40


class StatesPreviewQuestion(msgspec.Struct, frozen=True):
    """``yh.q.states_preview`` -> {"intervals": {unit id: [Interval]}}: rules tried on history, nothing stored."""

    work_unit_ids: list[int]
    start_us: int
    end_us: int
    rules: list[dict[str, Any]] | None = None  # StateRule fields; None: the configured ones


class Failure(msgspec.Struct, frozen=True):
    """Reply body when the header ``Yh-Error`` is set: what is wrong and what to do.

    ``is_busy``: nothing is wrong with the question; the same one can be answered in a moment.
    """

    error: str
    is_busy: bool = False


class Health(msgspec.Struct, frozen=True):
    """A process says how it is, once a second."""

    process: str
    at_us: int
    facts: dict[str, Any]  # rates, queue depths, drops, last error; see the process's own documentation
