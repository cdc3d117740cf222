"""``yuheng schedule check``: every broken constraint in words, or the key figures of a plan that breaks none."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict

from yuheng.config.schedule.files import read_bytes, read_problem
from yuheng.config.schedule.words import filled, language_of, translator, type_translate
from yuheng.engines.schedule.check import Violation, check
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.kpis import Kpis, kpis
from yuheng.engines.schedule.plan import plan_from_json

SHOWN = 50

_FEASIBLE = gettext_noop("The plan is feasible: %(operations)s operations, every constraint holds.")
_BROKEN = gettext_noop("The plan breaks %(count)s constraints: %(kinds)s.")
_MORE = gettext_noop("and %(count)s more.")
_OPERATION = gettext_noop("job %(job)s, operation %(operation)s %(what)s.")
_FIGURES = gettext_noop(
    "Makespan %(makespan)s, %(late)s of %(jobs)s orders late, weighted tardiness %(tardiness)s, set-up %(setup)s."
)


def run(args: argparse.Namespace) -> int:
    """Check: 0 feasible, 1 not."""
    problem, _kind = read_problem(args.file, args.format, use_setups=args.setups)
    plan = plan_from_json(problem, read_bytes(args.plan))
    violations = check(problem, plan)
    say = translator(language_of(args.lang))
    if args.json:
        answer = {
            "feasible": not violations,
            "violations": [violation_row(violation, say) for violation in violations],
            "kpis": figures(kpis(problem, plan)),
        }
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return 1 if violations else 0
    if not violations:
        sys.stdout.write(say(_FEASIBLE) % {"operations": int(plan.is_present.sum())} + "\n")
        sys.stdout.write(sentence_of(kpis(problem, plan), say) + "\n")
        return 0
    kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(v.kind for v in violations).most_common())
    sys.stdout.write(say(_BROKEN) % {"count": len(violations), "kinds": kinds} + "\n")
    for violation in violations[:SHOWN]:
        sys.stdout.write(f"  {violation.kind}: {words_of(violation, say)}\n")
    if len(violations) > SHOWN:
        sys.stdout.write("  " + say(_MORE) % {"count": len(violations) - SHOWN} + "\n")
    return 1


def words_of(violation: Violation, say: type_translate) -> str:
    """Return a violation as a sentence in the reader's language."""
    job, operation = violation.operation
    what = filled(say, violation.message, violation.values)
    return say(_OPERATION) % {"job": job, "operation": operation, "what": what}


def violation_row(violation: Violation, say: type_translate) -> dict[str, object]:
    """Return a violation as JSON values."""
    return {
        "kind": violation.kind,
        "job": violation.operation[0],
        "op": violation.operation[1],
        "sentence": words_of(violation, say),
        "values": {
            name: value if isinstance(value, int | str) else str(value) for name, value in violation.values.items()
        },
    }


def sentence_of(found: Kpis, say: type_translate) -> str:
    """Return the key figures as one sentence."""
    return say(_FIGURES) % {
        "makespan": found.makespan,
        "late": found.late_jobs,
        "jobs": found.jobs,
        "tardiness": f"{found.weighted_tardiness:g}",
        "setup": found.setup,
    }


def figures(found: Kpis) -> dict[str, object]:
    """Return key figures as JSON values; machines by their id as text."""
    values = asdict(found)
    values["utilisation"] = {str(machine): round(share, 4) for machine, share in found.utilisation.items()}
    return values
