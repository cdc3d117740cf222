"""What the language of formulas says about mistakes, in the reader's language; see `spoken`."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

SENTENCES = (
    _("The formula is empty."),
    _("The formula is longer than %(count)s characters."),
    _("Character %(place)s: this is not a formula."),
    _("This is not a formula."),
    _("The formula names no tag: it would always be the same."),
    _("Character %(place)s: the formula is too long or nested too deeply."),
    _("Character %(place)s: this cannot be used in a formula."),
    _("Character %(place)s: this number is too large."),
    _("Character %(place)s: only numbers are values here; text belongs to tag(), avg() and the like."),
    _("Character %(place)s: an exponent is a whole number such as 2."),
    _("Character %(place)s: an exponent is between 1 and %(most)s."),
    _("Character %(place)s: of the calculations only + - * / and ** can be used."),
    _("Character %(place)s: only < <= > >= == and != compare here."),
    _("Character %(place)s: '%(name)s' is not a function here. There are: %(known)s."),
    _("Character %(place)s: avg() needs a tag and a length of time: avg(power, '10m')."),
    _("Character %(place)s: %(name)s() needs two values or more, or one and a length of time."),
    _("Character %(place)s: %(name)s() needs %(count)s values."),
    _("Character %(place)s: %(name)s() needs %(count)s value."),
    _("Character %(place)s: %(name)s() is written like this: %(like)s."),
    _("Character %(place)s: '%(text)s' is not a length of time; write '30s', '10m' or '1h'."),
    _("Character %(place)s: A length of time is more than nothing and at most 24h."),
    _("%(one)s cannot be added to %(other)s: they measure different things."),
    _("%(one)s cannot be subtracted from %(other)s: they measure different things."),
    _("%(one)s cannot be compared with %(other)s: they measure different things."),
    _("%(one)s cannot be converted to %(other)s: they measure different things."),
    _("%(one)s cannot be an alternative to %(other)s: they measure different things."),
    _("%(one)s cannot be %(what)s %(other)s: one is a temperature, the other a difference."),
    _("%(one)s has no fixed zero: it cannot be subtracted from %(other)s."),
    _("%(one)s has no fixed zero: it cannot be multiplied or divided. Use a difference, or K."),
    _("%(one)s has no square root."),
    _("%(word)s needs a value without a unit, not %(one)s."),
    _("quantity() gives a unit to a bare number only."),
    _("The formula gives %(one)s, which cannot be converted to '%(wanted)s'."),
    _("The unit of the formula, '%(code)s', is too long; name the unit that you want."),
)
