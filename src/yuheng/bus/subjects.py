"""Streams, buckets and subjects: the only place where their names are spelled.

::

    $MQTT_msgs     made by nats-server: QoS 1 and 2 messages, stored before PUBACK    -> historian
    YH_INGEST      yh.in.<source id>.<raw|points>   from the gateway (HTTP push, files, polled machines) -> historian
    YH_DEAD        yh.dead.<source id or 0>.<reason>   everything unreadable, whole, for page and replay -> worker
                   yh.dead.<source id>.born   `messages.BirthNotice`: behind the letters that a Sparkplug birth explains
    YH_EVENTS      yh.ev.state.<work unit id>, yh.ev.signal.<work unit id>, yh.ev.command.<source id>,
                   yh.ev.gap.<source id>
                   durable facts for the worker
    YH_ALARMS      yh.alarm.<work unit id>, yh.alarm.active   facts about alarms for the worker: a stream of their own,
                   so that they never wait behind thousands of states
    KV yh_config   key "plant": the configuration document (see `documents`)
    KV yh_births   key <source id>.<edge>[.<device>]: Sparkplug birth certificates, so that aliases survive a restart

    yh.live.state.<site id>     state changes, published as soon as they are known
    yh.live.values.<site id>    latest values that changed, coalesced (1 Hz; watched tags 10 Hz)
    yh.live.alarms.<site id>    alarms that changed, from the worker, after they are committed
    yh.live.dispatch.<site id>  plan, breakdowns or suggestions of a site changed, from the planner, after the commit
    yh.live.jobs.<site id>      what work units make, as it changes, from the worker, after it is committed
    yh.live.health.<process>    one line a second from gateway and historian (queues, rates, drops)
    yh.watch                    {"tags": [...], "ttl_s": 15}: somebody looks at these tags closely
    yh.q.<operation>            history and live questions to the historian; see `messages`
    yh.preview.<source id>      ask the historian for the last raw messages of a source
    yh.cmd.<source id>          commands for the gateway to carry out (rebirth; `messages.WriteCommand`, a request)
    yh.browse.<source id>       ask the gateway what the machine behind a source has; see `messages.BrowseQuestion`
"""

from __future__ import annotations

from yuheng.engines.points import Refusal

MQTT_STREAM = "$MQTT_msgs"
MQTT_PREFIX = "$MQTT.msgs."
MQTT_STATE_STREAMS = ("$MQTT_rmsgs", "$MQTT_sess", "$MQTT_out", "$MQTT_qos2in")
"""nats-server's own: retained messages, sessions, and both directions of QoS 2."""

INGEST_STREAM = "YH_INGEST"
DEAD_STREAM = "YH_DEAD"
EVENTS_STREAM = "YH_EVENTS"
ALARMS_STREAM = "YH_ALARMS"

CONFIG_BUCKET = "yh_config"
CONFIG_KEY = "plant"
BIRTHS_BUCKET = "yh_births"

HISTORIAN_DURABLE = "historian"
WORKER_DURABLE = "worker"

WATCH = "yh.watch"

HEADER_TOPIC = "Yh-Topic"
HEADER_ARRIVED_US = "Yh-Arrived-Us"
HEADER_REFERENCE = "Yh-Ref"
HEADER_DETAIL = "Yh-Detail"
HEADER_KIND = "Yh-Kind"

KIND_MESSAGE = "message"
"""Dead letter holding the whole message as it arrived; replay sends it to ``yh.in.<source>.raw``."""
KIND_POINTS = "points"
"""Dead letter holding refused points as `messages.SampleBatch`; replay sends it to ``yh.in.<source>.points``."""
KIND_REFUSED_PUBLISH = "refused"
"""Dead letter about messages that the broker threw away for want of permission: there is nothing to replay."""
BORN = "born"
HEADER_COUNTED = "Yh-Counted"
"""Set on a dead letter that was counted when it first came: ``COUNTED_PUT_BACK`` or ``COUNTED_REPLAYED``."""
COUNTED_PUT_BACK = "1"
"""A partial replay left it in the stream."""
COUNTED_REPLAYED = "replayed"
"""A replay sent it through the path (there, the header is set already), and it was refused again."""


def ingest_raw(source_id: int) -> str:
    """Undecoded payload of a source; headers carry the topic and the arrival time."""
    return f"yh.in.{source_id}.raw"


def ingest_points(source_id: int) -> str:
    """`messages.SampleBatch`: values already read from a machine, by address."""
    return f"yh.in.{source_id}.points"


def dead(source_id: int, reason: Refusal) -> str:
    """Where an unreadable message of a source (0: of no source) is kept."""
    return f"yh.dead.{source_id}.{reason.value}"


def born(source_id: int) -> str:
    """`messages.BirthNotice`. It travels with the dead letters, so that whoever hears it knows the letters it means."""
    return f"yh.dead.{source_id}.{BORN}"


def state_event(work_unit_id: int) -> str:
    """`messages.StateRevision` of one work unit."""
    return f"yh.ev.state.{work_unit_id}"


def signal_event(work_unit_id: int) -> str:
    """`messages.JobSignals` of one work unit."""
    return f"yh.ev.signal.{work_unit_id}"


def alarm_event(work_unit_id: int) -> str:
    """`messages.AlarmTransition` of one work unit."""
    return f"yh.alarm.{work_unit_id}"


ALARMS_ACTIVE = "yh.alarm.active"
"""`messages.AlarmsActive`."""


def live_alarms(site_id: int) -> str:
    """`messages.LiveAlarms` of one site."""
    return f"yh.live.alarms.{site_id}"


def live_dispatch(site_id: int) -> str:
    """Return where the planner tells that plan, breakdowns or suggestions of a site changed."""
    return f"yh.live.dispatch.{site_id}"


def live_jobs(site_id: int) -> str:
    """`messages.LiveJobs` of one site."""
    return f"yh.live.jobs.{site_id}"


def live_state(site_id: int) -> str:
    """`messages.LiveStates` of one site."""
    return f"yh.live.state.{site_id}"


def live_values(site_id: int) -> str:
    """`messages.LiveValues` of one site."""
    return f"yh.live.values.{site_id}"


def live_health(process: str) -> str:
    """`messages.Health` of one process."""
    return f"yh.live.health.{process}"


def question(operation: str) -> str:
    """Request/reply address of one of the historian's answers."""
    return f"yh.q.{operation}"


def command(source_id: int) -> str:
    """Where the gateway listens for commands to one source."""
    return f"yh.cmd.{source_id}"


def browse(source_id: int) -> str:
    """Where the gateway answers what the machine behind a source has."""
    return f"yh.browse.{source_id}"


def command_event(source_id: int) -> str:
    """`messages.CommandOutcome` of a command to one source."""
    return f"yh.ev.command.{source_id}"


def gap_event(source_id: int) -> str:
    """`messages.SourceGap` of one source."""
    return f"yh.ev.gap.{source_id}"


def subject_of_topic(topic: str) -> str:
    """Spell an MQTT topic or filter as the NATS subject that nats-server uses for it.

    ``/`` becomes ``.``, ``.`` becomes ``//``, an empty level becomes ``/``; ``+`` and ``#`` become ``*`` and ``>``.

    Raises
    ------
    ValueError
        The topic has a space, which nats-server refuses.

    Examples
    --------
    >>> subject_of_topic("spBv1.0/Plant/DDATA/edge/L01")
    'spBv1//0.Plant.DDATA.edge.L01'
    >>> topic_of_subject("spBv1//0.Plant.DDATA.edge.L01")
    'spBv1.0/Plant/DDATA/edge/L01'
    """
    if " " in topic:
        raise ValueError(f"The topic {topic!r} has a space, which the broker refuses.")
    words = []
    for level in topic.split("/"):
        if level == "+":
            words.append("*")
        elif level == "#":
            words.append(">")
        elif level == "":
            words.append("/")
        else:
            words.append(level.replace(".", "//"))
    return ".".join(words)


def topic_of_subject(subject: str) -> str:
    """Spell a NATS subject as the MQTT topic a device published."""
    return "/".join("" if word == "/" else word.replace("//", ".") for word in subject.split("."))
