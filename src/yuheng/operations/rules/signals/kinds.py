"""Words of the meeting of signals and jobs."""

from __future__ import annotations

from enum import StrEnum


class SignalKind(StrEnum):
    """What a signal tells a job."""

    COUNT = "count"
    RUN_ID = "run_id"


class ExceptionKind(StrEnum):
    """What disagrees between a machine and what was booked."""

    COUNT_DIFFERS = "count_differs"  # the machine counted other than was reported
    NO_JOB = "no_job"  # the machine made pieces while no job ran there
    OTHER_RUN = "other_run"  # the controller runs another job than is booked
    UNKNOWN_RUN = "unknown_run"  # the controller's run is no job of ours, or not exactly one
    CANNOT_DO = "cannot_do"  # a signal should start, report or finish a job, and a rule said no
    STOPPED = "stopped"  # the job's clock runs while the machine stands
    AFTER_FINISH = "after_finish"  # the job was reported finished, and the machine goes on counting
    RESTING = "resting"  # the job is paused or on hold, and the machine goes on counting
    CLOCK = "clock"  # the machine's clock is wrong
    JUMP = "jump"  # a counter moved more than is possible, or back


class ExceptionState(StrEnum):
    """What became of a disagreement."""

    OPEN = "open"
    ACCEPTED = "accepted"  # the report stays
    CORRECTED = "corrected"  # the machine's count was taken
    EXPLAINED = "explained"
    CLEARED = "cleared"  # it is not true any more: what was missing came later
