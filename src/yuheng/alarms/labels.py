"""Words for kinds, priorities, categories, shelvings and states of messages, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.engines.alarms.machine import Shelving
from yuheng.engines.alarms.vocabulary import Category, JournalKind, Priority

PRIORITY_LABELS: dict[Priority, Promise] = {
    Priority.CRITICAL: _("Critical"),
    Priority.HIGH: _("High"),
    Priority.MEDIUM: _("Medium"),
    Priority.LOW: _("Low"),
}

CATEGORY_LABELS: dict[Category, Promise] = {
    Category.SAFETY: _("Safety"),
    Category.QUALITY: _("Quality"),
    Category.PROCESS: _("Process"),
    Category.EQUIPMENT: _("Equipment"),
    Category.UTILITY: _("Utilities"),
    Category.COMMUNICATION: _("Communication"),
}

KIND_LABELS: dict[JournalKind, Promise] = {
    JournalKind.ACTIVATED: _("Raised"),
    JournalKind.CLEARED: _("Returned to normal"),
    JournalKind.REPEATED: _("Raised again"),
    JournalKind.CHATTERING: _("Still chattering"),
    JournalKind.UNCERTAIN: _("In doubt: no good value"),
    JournalKind.CERTAIN: _("Certain again"),
    JournalKind.ACKNOWLEDGED: _("Acknowledged"),
    JournalKind.CONFIRMED: _("Confirmed"),
    JournalKind.COMMENTED: _("Commented"),
    JournalKind.SHELVED: _("Shelved"),
    JournalKind.UNSHELVED: _("Unshelved"),
    JournalKind.SUPPRESSED: _("Suppressed"),
    JournalKind.UNSUPPRESSED: _("No longer suppressed"),
    JournalKind.OUT_OF_SERVICE: _("Taken out of service"),
    JournalKind.IN_SERVICE: _("Back in service"),
    JournalKind.RESET: _("Reset"),
    JournalKind.DISABLED: _("Disabled"),
    JournalKind.ENABLED: _("Enabled"),
    JournalKind.GROUPED: _("Grouped under its cause"),
    JournalKind.UNGROUPED: _("No longer grouped"),
}

SHELVING_LABELS: dict[Shelving, Promise] = {
    Shelving.UNSHELVED: _("Not shelved"),
    Shelving.TIMED: _("Shelved for a time"),
    Shelving.ONE_SHOT: _("Shelved once"),
}

CHANNEL_LABELS: dict[ChannelKind, Promise] = {
    ChannelKind.MAIL: _("Mail"),
    ChannelKind.WEBHOOK: _("Webhook"),
}

MESSAGE_LABELS: dict[MessageState, Promise] = {
    MessageState.WAITING: _("Waiting"),
    MessageState.SENT: _("Sent"),
    MessageState.DEAD: _("Given up"),
    MessageState.DROPPED: _("No longer needed"),
}
