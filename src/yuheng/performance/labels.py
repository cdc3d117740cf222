"""Words of performance, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from yuheng.performance.rules.stages import Stage
from yuheng.performance.rules.standards import Part, Verdict
from yuheng.performance.rules.times import Told

STAGE_LABELS: dict[Stage, Promise] = {
    Stage.WAIT: _("waits for steps before"),
    Stage.QUEUE: pgettext_lazy("stage", "queue"),
    Stage.MATERIAL: _("waits for material"),
    Stage.HOLD: pgettext_lazy("stage", "hold"),
    Stage.SETUP: pgettext_lazy("stage", "set-up"),
    Stage.PROCESS: pgettext_lazy("stage", "process"),
    Stage.STOP: pgettext_lazy("stage", "stop"),
    Stage.OUTSIDE: _("at a supplier"),
    Stage.DONE: pgettext_lazy("stage", "over"),
}
GROUP_LABELS: dict[str, Promise] = {
    "waiting": _("Waits for steps before"),
    "queued": _("Queue"),
    "worked": _("In work"),
    "stopped": _("Stopped or on hold"),
    "done": _("Finished since the beginning"),
}
PART_LABELS: dict[Part, Promise] = {Part.SETUP: _("Set-up"), Part.RUN: _("Run")}
TOLD_LABELS: dict[Told, Promise] = {
    Told.PERSON: _("people"),
    Told.SIGNAL: _("signals"),
    Told.MIXED: _("people and signals"),
    Told.IMPORT: _("imported log"),
}
VERDICT_LABELS: dict[Verdict, Promise] = {
    Verdict.PROPOSED: _("The standard is off; a new one is proposed."),
    Verdict.TOO_FEW: _("Too few job orders to say: at least 8 are needed."),
    Verdict.TOO_WIDE: _("The times differ too much to say: find out why first."),
    Verdict.HOLDS: _("The standard holds."),
    Verdict.NO_STANDARD: _("There is no standard to compare with: no work master in force says one for this."),
}
CHANGE_LABELS: dict[str, Promise] = {
    "draft": _("draft"),
    "in_review": _("in review"),
    "approved": _("approved"),
    "rejected": _("rejected"),
    "implemented": _("implemented"),
}
