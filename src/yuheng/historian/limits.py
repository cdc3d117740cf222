"""Every bound of the historian in one place, each with the policy that holds when it is reached."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and rhythms. Tests make them small."""

    # intake: waiting messages are decoded together after this time, or at once when they are this many bytes
    gather_s: float = 0.012
    gather_bytes: int = 400_000

    # column buffer, full: the log is held (nothing more is pulled)
    buffer_points: int = 1_500_000
    buffer_bytes: int = 96_000_000
    best_effort_messages: int = 20_000  # QoS 0 waiting to be decoded; full: the oldest is dropped and counted

    # commit
    quiet_commit_s: float = 1.0
    busy_commit_s: float = 0.25
    busy_points: int = 20_000  # more waiting than this: use the busy rhythm
    commit_points: int = 200_000  # at once
    retry_first_s: float = 0.2
    retry_last_s: float = 5.0
    reserve_bytes: int = 500_000_000  # less free disk than this: hold the log before the engine fails

    # dead letters and events wait for their acknowledgement in windows of this many
    publish_window: int = 512
    publish_timeout_s: float = 15.0

    # rhythms
    values_s: float = 1.0
    watched_values_s: float = 0.1
    health_s: float = 1.0
    snapshot_s: float = 60.0
    snapshot_points: int = 20_000_000
    old_minutes: int = 100_000  # minutes with replayed dead letters that wait for a snapshot; more: it comes at once
    rollup_s: float = 10.0
    rollup_grace_s: float = 3.0
    retention_first_s: float = 300.0
    retention_s: float = 24 * 3600.0
    recompute_s: float = 0.5
    rerun_s: float = 0.5  # between two units whose past is derived anew
    board_s: float = 60.0  # the whole board is recorded again, for replay
    board_changes: int = 20_000  # and after this many changes of a site

    # answers
    waiting_questions: int = 64  # full: refused with a sentence
    question_threads: int = 2
    raw_rows: int = 500_000
    frames_changes: int = 20_000  # changes of units in one answer of what changed between; more: "ask on"
    frames_values: int = 50_000
    preview_messages: int = 20
    preview_bytes: int = 64_000

    # Sparkplug: at most one rebirth request a node in this time
    rebirth_s: float = 10.0


DEFAULT_LIMITS = Limits()
