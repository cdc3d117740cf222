"""Changing the rules that say what a work unit of a class is doing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.engines.states.rules import RuleError, compile_rules
from yuheng.engines.states.vocabulary import UnitState
from yuheng.equipment import selectors as equipment
from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import StateRulesChanged
from yuheng.telemetry.models import StateRule, StateRuleSet
from yuheng.telemetry.services.access import EDIT

MAX_RULES = 100
_NAMES = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LONGEST_SILENCE_S = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule as somebody wrote it."""

    state: UnitState
    when: str
    cause: str = ""


MAX_PAST_DAYS = 366


@transaction.atomic
def set_state_rules(
    *,
    actor: Actor,
    equipment_class_id: int,
    rules: Sequence[RuleSpec],
    at: datetime,
    no_data_after_s: float = 60.0,
    past_days: int = 0,
) -> StateRuleSet:
    """Replace all rules of an equipment class, in the order given; needs ``telemetry.edit`` at the class's site.

    Units of the class count as without data after ``no_data_after_s`` seconds of silence.

    With ``past_days`` the states of so many days before ``at`` are judged by them too; the historian does it unit by
    unit, and goes on after a restart.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        A condition or cause is not in the language; ``fields`` maps ``rules.<position>`` to the reason.
    """
    site_id = equipment.site_of_equipment_class(actor=actor, equipment_class_id=equipment_class_id)
    actor.require(EDIT, site_id=site_id)
    check_rules(rules, no_data_after_s=no_data_after_s)
    if not 0 <= past_days <= MAX_PAST_DAYS:
        raise InvalidInput(
            _("The past can be judged anew for at most %(count)s days.") % {"count": MAX_PAST_DAYS},
            {"past_days": str(past_days)},
        )
    wish = {"rederive_from": at - timedelta(days=past_days), "rederive_asked_at": at} if past_days else {}
    rule_set, _made = StateRuleSet.objects.select_for_update().update_or_create(
        equipment_class_id=equipment_class_id, defaults={"no_data_after_s": no_data_after_s, **wish}
    )
    rule_set.rules.all().delete()
    StateRule.objects.bulk_create(
        StateRule(
            rule_set=rule_set,
            ordinal=ordinal,
            state=int(rule.state),
            when=rule.when.strip(),
            cause=rule.cause.strip(),
        )
        for ordinal, rule in enumerate(rules)
    )
    publish(StateRulesChanged(equipment_class_id=equipment_class_id), at=at)
    audit.record(
        actor=actor,
        action="state_rules.set",
        at=at,
        site_id=site_id,
        object_kind="equipment_class",
        object_id=equipment_class_id,
        rules=[{"state": rule.state.name.lower(), "when": rule.when, "cause": rule.cause} for rule in rules],
        no_data_after_s=no_data_after_s,
        **({"past_days": past_days} if past_days else {}),
    )
    return rule_set


def check_rules(rules: Sequence[RuleSpec], *, no_data_after_s: float = 60.0) -> None:
    """Raise `InvalidInput` naming each rule that is not in the language.

    Any name is accepted as a symbol: tags may come after the rules. The editor shows which ones exist.
    """
    wrong: dict[str, str] = {}
    if not 0.0 < no_data_after_s <= LONGEST_SILENCE_S:
        wrong["no_data_after_s"] = _("The time after which a unit is without data is above zero, at most 30 days.")
    if len(rules) > MAX_RULES:
        wrong["rules"] = _("A class has at most %(count)s state rules.") % {"count": MAX_RULES}
    for position, rule in enumerate(rules):
        try:
            compile_rules([rule], _NAMES.findall(f"{rule.when} {rule.cause}"))
        except RuleError as error:
            wrong[f"rules.{position}"] = str(error).replace("Rule 1", f"Rule {position + 1}", 1)
    if wrong:
        raise InvalidInput(_("The state rules cannot be accepted as they are."), wrong)
