"""Sentences about template plans, in the reader's language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from yuheng.engines.patterns import PatternError
from yuheng.telemetry.template_plans import BUILT_IN, Problem


def pattern_sentence(error: PatternError) -> str:
    """Say what is wrong with a pattern."""
    words = {"what": error.what, "known": ", ".join(BUILT_IN)}
    if error.reason == "brace":
        return _("A brace stands alone near %(what)s; write {{ or }} for a brace itself.") % words
    if error.reason == "unknown":
        return _("Nothing is called %(what)s here. Known: %(known)s, and the variables of the class.") % words
    if error.reason == "number":
        return _("%(what)s needs a whole number.") % words
    if error.reason == "long":
        return _("The pattern is too long or has too many placeholders.")
    return _("%(what)s is not a placeholder such as {unit}, {n:02d} or {n*10+1}.") % words


def problem_sentence(problem: Problem) -> str:
    """Say why a machine cannot be as planned."""
    first, *others = (*problem.details, "")
    second = others[0] if others else ""
    if problem.reason.startswith("pattern_"):
        return f"{first}: {pattern_sentence(PatternError(problem.reason.removeprefix('pattern_'), second))}"
    words = {"one": first, "two": second, "three": others[1] if len(others) > 1 else ""}
    return {
        "address": _("%(one)s: the address %(two)s is taken by %(three)s."),
        "symbol": _("The symbol %(one)s would stand twice in this machine."),
        "no_address": _("%(one)s: the address is empty."),
        "too_long": _("%(one)s: %(two)s is longer than %(three)s characters."),
        "code": _("%(one)s is no code: letters, digits and . _ - only, at most 40."),
        "code_twice": _("The code %(one)s would stand twice."),
        "code_taken": _("There is another work unit called %(one)s, in %(two)s."),
        "other_class": _("The work unit %(one)s is of the class %(two)s."),
        "retired": _("The work unit %(one)s is retired."),
        "templated": _("The work unit %(one)s follows the template already."),
        "name": _("The names of %(one)s must have 1 to 120 characters."),
        "unknown_variable": _("The class has no variable called %(one)s."),
        "source": _("There is no data source called %(one)s at this site."),
        "number": _("%(one)s is no number of a machine (0 to 999999)."),
    }[problem.reason] % words
