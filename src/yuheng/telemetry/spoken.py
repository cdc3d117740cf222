"""Sentences of the historian and the gateway in the reader's language.

Those processes know no reader and speak English. What they say is made of a few known sentences with names and numbers
in them; here each is a msgid. One that is not known is shown as it was said: better English than nothing.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from yuheng.kernel import spoken
from yuheng.kernel.spoken_formulas import SENTENCES as FORMULAS
from yuheng.telemetry.spoken_modbus import MODBUS

SENTENCES = (
    _("Too many questions are waiting for the history. Ask again in a moment."),
    _("The answer is too large. Ask for fewer tags, a shorter time or wider buckets."),
    _("The width must be between 1 and 20,000 pixels."),
    _("A bucket must be at least a millisecond."),
    _("That would be more than five million rows. Ask for wider buckets or fewer tags."),
    _("The historian has no configuration yet."),
    _("No tags were asked for."),
    _("More than %(number)s tags were asked for."),
    _("A tag id is not a number from 0 to 4294967295."),
    _("The end must be after the start."),
    _("That moment has not come yet."),
    _("Ask for at most a day of changes at a time."),
    _("Ask for at most 400 days of cycles at a time."),
    _("There is no such work unit."),
    _("Say of which work unit or tag the cycles are asked for."),
    _("There is no such tag."),
    _("The condition names no symbol: it holds always or never."),
    _("This work unit has no tag with the role of a counter; give a condition."),
    _("Ask for 1 to %(number)s intervals."),
    _("Ask for 1 to %(number)s spans, each with a start and an end."),
    _("A histogram has 1 to 1000 classes."),
    _("The intervals are more than 40 days together. Ask for fewer or shorter ones."),
    _("The message log does not take dead letters or state changes."),
    _("The message log does not answer."),
    _(
        "The disk of the history is almost full: %(free)s MB free, %(reserve)s MB must stay free. Free some space; "
        "nothing is lost."
    ),
    *FORMULAS,
    *MODBUS,
    _("The settings of the source %(code)s cannot be used: %(error)s"),
    # the gateway: commands
    _("Writing is not allowed at this source."),
    _("Writing is not allowed to this tag."),
    _("The gateway knows no such tag of this source."),
    _("This kind of source cannot be written to."),
    _("This kind of source cannot be browsed."),
    _("The source is not connected now."),
    _("The source does not run in this gateway."),
    _("The command came after its time and was not carried out."),
    _("The command's time was over before its turn came."),
    _("The command's time was over before it could be sent."),
    _("Nobody told what became of it. It may have been carried out."),
    _("Too many commands wait for this source. Try again in a moment."),
    _("The machine did not answer within %(seconds)s s. It may have carried it out."),
    _("The gateway ended while it was being written."),
    _("The connection failed while it was being written: %(reason)s. It may have been carried out."),
    _("Read back as written."),
    _("The machine took it, but does not show the value."),
    _("Too many machines are being browsed. Ask again in a moment."),
    _("The machine is too slow to say what it has. Ask again."),
    # OPC UA
    _("The server took it, but the node does not show it."),
    _("The server refused: %(code)s."),
    _("The server does not let our user write to this node."),
    _("The server has no such node: %(code)s."),
    _("The server has no such namespace now."),
    _("The node takes true or false only."),
    _("The node takes a whole number."),
    _("The node takes a number."),
    _("The node takes %(low)s to %(high)s."),
    _("The node takes whole numbers; %(value)s is none."),
    _("Connecting to %(url)s."),
    _("%(tags)s tags of %(nodes)s nodes at %(url)s."),
    _("Connected to %(url)s. There are no tags yet: browse the server and choose some."),
    _("%(count)s nodes cannot be read, one is %(address)s: %(code)s."),
    _("%(count)s addresses are wrong. %(reason)s"),
    _("The server's clock is %(seconds)s s ahead of ours."),
    _("The server's clock is %(seconds)s s behind ours."),
    _("Nobody has accepted the server's certificate yet. Compare it and accept it."),
    _("The server shows another certificate than the accepted one. Compare it before you accept it."),
    _("The server does not accept the user or the password: %(code)s."),
    _("The server does not accept our certificate: %(code)s. Put it into the server's trust list."),
    _("The server does not offer this security. It offers: %(offers)s."),
    _("The password would travel in clear text. Choose a security, or allow it."),
    _("The connection to the server was lost: %(reason)s."),
    _("%(url)s cannot be reached: %(reason)s."),
    _("%(url)s does not answer."),
    _("The server was away, or had dropped the subscription, and gave no history of these values."),
    _("The server's history does not prove that it reaches back to where the gap begins."),
    _("The server was away, or had dropped the subscription, and its history is not to be read."),
    _("The server's queue was full and dropped values: raise the queue size, or read the history."),
    _("The server could not give its history: %(code)s."),
)


def is_known(sentence: str) -> bool:
    """Return whether a sentence has a translation."""
    return spoken.is_one_of(sentence, SENTENCES)


def in_readers_words(sentence: str) -> str:
    """Return what a process said, in the reader's language; as it is when it is not known."""
    return spoken.in_readers_words(sentence, SENTENCES)
