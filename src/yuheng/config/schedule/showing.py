"""``yuheng schedule show``: a plan as one HTML page."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yuheng.config.schedule.explaining import explained
from yuheng.config.schedule.files import read_bytes, read_problem
from yuheng.config.schedule.words import LANGUAGES, language_of, translator
from yuheng.engines.schedule.faults import Fault, ProblemError, gettext_noop
from yuheng.engines.schedule.objective import Objective, parse_objective
from yuheng.engines.schedule.plan import plan_from_rows
from yuheng.engines.schedule.problem import Id, Problem
from yuheng.engines.schedule.readers import read_plant
from yuheng.engines.schedule.shown import Shown, gantt_page

_NO_PLAN = gettext_noop("is no plan. Give what yuheng schedule solve --json prints, or a list of its rows.")
_ROW = gettext_noop("a row must name job, op, machine, start and end; %(missing)s is missing or not of its kind.")
_WRITTEN = gettext_noop("The plan is in %(path)s.")


def run(args: argparse.Namespace) -> int:
    """Write the page and say where."""
    document = _document(args.plan)
    rows = _rows(document)
    problem = _problem(args, document)
    translate = {language: translator(language) for language in LANGUAGES}
    why: dict[tuple[Id, Id], dict[str, str]] = {}
    chains: dict[Id, list[dict[str, str]]] = {}
    remarks: list[dict[str, str]] = []
    if problem is not None:
        plan = plan_from_rows(problem, rows)
        rows = plan.rows(problem)
        told = explained(problem, plan, translate, _objective(document))
        why = told.why
        chains = {job: [sentence] for job, sentence in told.late.items()}
        remarks = [told.narrow_said] if told.narrow_said else []
    language = language_of(args.lang)
    page = gantt_page(Shown(_name(document, args.plan), rows, why, chains, problem, remarks), translate, language)
    output = Path(args.output) if args.output else _beside(args.plan)
    output.write_text(page, encoding="utf-8")
    sys.stdout.write(translate[language](_WRITTEN) % {"path": output} + "\n")
    return 0


def _document(path: str) -> Any:
    try:
        return json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise ProblemError([Fault(path, "plan", _NO_PLAN)]) from error


def _rows(document: Any) -> list[Any]:
    rows = document.get("plan") if isinstance(document, Mapping) else document
    if not isinstance(rows, list):
        raise ProblemError([Fault("plan", "plan", _NO_PLAN)])
    for number, row in enumerate(rows, start=1):
        for name, kinds in (
            ("job", (int, str)),
            ("op", (int, str)),
            ("machine", (int, str)),
            ("start", int),
            ("end", int),
        ):
            if not isinstance(row, Mapping) or not isinstance(row.get(name), kinds):
                raise ProblemError([Fault(f"row {number}", name, _ROW, {"missing": name})])
        for name in ("setup_start", "leave"):
            if not isinstance(row.get(name, 0), int):
                raise ProblemError([Fault(f"row {number}", name, _ROW, {"missing": name})])
    return rows


def _problem(args: argparse.Namespace, document: Any) -> Problem | None:
    """The problem asked for, else the one that the plan's file carries."""
    if args.problem:
        return read_problem(args.problem, args.format, use_setups=args.setups)[0]
    carried = document.get("problem") if isinstance(document, Mapping) else None
    return read_plant(json.dumps(carried)) if isinstance(carried, Mapping) else None


def _objective(document: Any) -> Objective:
    """What the plan was made for, as its file says; else tardiness."""
    terms = document.get("terms") if isinstance(document, Mapping) else None
    return parse_objective(terms) if isinstance(terms, str) else Objective()


def _name(document: Any, path: str) -> str:
    name = document.get("name") if isinstance(document, Mapping) else None
    return name if isinstance(name, str) and name else Path(path).stem


def _beside(path: str) -> Path:
    if path == "-":
        return Path("plan.html")
    return Path(path.removesuffix(".gz")).with_suffix(".html")
