"""What had to be dropped, refused or held because something was full: counted by the processes, told to people."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from yuheng.telemetry.selectors import history


def losses() -> list[str]:
    """Return one sentence for each kind of loss or hold since the processes started; empty when all is well."""
    worker, historian = history.health_of("worker"), history.health_of("historian")
    said: list[str] = []
    if count := int(worker.get("dead_letters_discarded", 0)):
        said.append(
            ngettext(
                "%(n)d letter was discarded because the store is full (bound %(bound)d MB): the oldest go first.",
                "%(n)d letters were discarded because the store is full (bound %(bound)d MB): the oldest go first.",
                count,
            )
            % {"n": count, "bound": int(worker.get("dead_letters_bound_bytes", 0)) // 1_000_000}
        )
    if count := int(historian.get("dropped_qos0", 0)):
        said.append(_("Messages of QoS 0 dropped because too many waited: %(n)d.") % {"n": count})
    if count := int(historian.get("births_refused", 0)):
        said.append(_("Sparkplug births that found no room and will be asked for again: %(n)d.") % {"n": count})
    if reason := history.hold_reason():
        said.append(_("Devices and the log are held: %(reason)s") % {"reason": reason})
    return said
