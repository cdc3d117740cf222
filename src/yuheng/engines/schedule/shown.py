"""A plan as one HTML page: a Gantt chart that zooms, tells the reason of every start, and needs nothing from a network.

The page forbids itself everything but its own script and style (Content Security Policy by hash), so it may be kept,
mailed, and served under any policy.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

from yuheng.engines.schedule.calendars import OpenTime, open_intervals
from yuheng.engines.schedule.faults import gettext_noop
from yuheng.engines.schedule.parts import Id
from yuheng.engines.schedule.problem import Problem

type_translate = Callable[[str], str]
type_text = Mapping[str, str]
"""Language ("en", "zh") to text."""

WORDS = {
    "order": gettext_noop("Order"),
    "operation": gettext_noop("operation"),
    "machine": gettext_noop("Machine"),
    "set-up": gettext_noop("Set-up"),
    "due": gettext_noop("Due"),
    "late by": gettext_noop("late by"),
    "why then": gettext_noop("Why then"),
    "blocks the machine until": gettext_noop("Blocks the machine until"),
    "day": gettext_noop("Day {n}"),
    "min": gettext_noop("min"),
    "h": gettext_noop("h"),
    "no such order": gettext_noop("There is no such order."),
    "late orders": gettext_noop("Late orders"),
    "none late": gettext_noop("No order is late."),
    "zoom in": gettext_noop("Zoom in"),
    "zoom out": gettext_noop("Zoom out"),
    "whole plan": gettext_noop("Whole plan"),
    "find": gettext_noop("Find an order"),
    "theme": gettext_noop("Light or dark"),
    "language": gettext_noop("中文"),
    "in time": gettext_noop("in time"),
    "is late": gettext_noop("order is late"),
    "closed": gettext_noop("closed"),
    "blocked": gettext_noop("blocked"),
    "chosen": gettext_noop("chosen order"),
    "keys": gettext_noop("Arrow keys: next operation. + and −: zoom. 0: whole plan. Enter: follow the order."),
    "makespan": gettext_noop("Makespan"),
    "weighted tardiness": gettext_noop("Weighted tardiness"),
    "orders late": gettext_noop("Orders late"),
    "operations": gettext_noop("Operations"),
    "chart": gettext_noop("Plan by machine and time"),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows; everything but ``rows`` may be missing.

    Parameters
    ----------
    rows
        As `Plan.rows` gives them.
    why
        (job, operation) to the reason of its start, by language.
    chains
        Job to the causes of its delay, by language.
    problem
        Adds due dates, closed times, idle machines and the origin of time.
    remarks
        Sentences about the whole plan, such as its bottleneck.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    why: Mapping[tuple[Id, Id], type_text]
    chains: Mapping[Id, Sequence[type_text]]
    problem: Problem | None = None
    remarks: Sequence[type_text] = ()


def gantt_page(shown: Shown, translate: Mapping[str, type_translate], language: str = "en") -> str:
    """Return the page.

    Parameters
    ----------
    translate
        Language to the function that gives an English sentence in it; "en" and "zh".
    language
        Which one it opens in; a button changes it.
    """
    words = {name: {key: say(text) for key, text in WORDS.items()} for name, say in translate.items()}
    words["zh"]["language"], words["en"]["language"] = "English", "中文"
    data = _document(shown)
    data |= {"words": words, "language": language}
    script = resources.files(__package__).joinpath("gantt", "gantt.js").read_text(encoding="utf-8")
    style = resources.files(__package__).joinpath("gantt", "gantt.css").read_text(encoding="utf-8")
    # "<" cannot end the data block, and U+2028 is no line end inside JSON.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return _PAGE.format(
        language="zh-Hans" if language == "zh" else "en",
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'",
        title=html.escape(shown.name),
        style=style,
        script=script,
        data=text,
        figures=_figures(data),
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _document(shown: Shown) -> dict[str, Any]:
    """Everything the script draws, as plain JSON values."""
    problem = shown.problem
    machines: dict[Id, int] = {} if problem is None else dict(problem.machine_index)
    jobs: dict[Id, int] = {} if problem is None else dict(problem.job_index)
    whys: dict[tuple[tuple[str, str], ...], int] = {}
    bars = []
    for row in shown.rows:
        reason = shown.why.get((row["job"], row["op"]))
        why = -1 if reason is None else whys.setdefault(tuple(sorted(reason.items())), len(whys))
        bars.append(
            {
                "row": machines.setdefault(row["machine"], len(machines)),
                "job": jobs.setdefault(row["job"], len(jobs)),
                "op": str(row["op"]),
                "start": row["start"],
                "end": row["end"],
                "setup": row.get("setup_start", row["start"]),
                "leave": row.get("leave", row["end"]),
                "why": why,
            }
        )
    closed, closed_of = _closed(problem, max((bar["leave"] for bar in bars), default=0))
    return {
        "name": shown.name,
        "unit": "tick" if problem is None else problem.time_unit,
        "origin": "" if problem is None else problem.origin,
        "offset": 0 if problem is None else _offset(problem.origin),
        "now": 0 if problem is None else problem.now,
        "rows": [{"id": str(machine), "closed": closed_of[k] if k < len(closed_of) else -1}
                 for machine, k in machines.items()],
        "bars": bars,
        "jobs": _jobs(shown, jobs, bars),
        "whys": [dict(texts) for texts in whys],
        "closed": closed,
        "remarks": [dict(text) for text in shown.remarks],
    }  # fmt: skip


def _jobs(shown: Shown, jobs: Mapping[Id, int], bars: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    ends: dict[int, int] = {}
    for bar in bars:
        ends[bar["job"]] = max(ends.get(bar["job"], 0), bar["end"])
    found = []
    for job, k in jobs.items():
        row = None if shown.problem is None else shown.problem.jobs[k]
        due = None if row is None else row.due
        late = 0 if due is None else max(0, ends.get(k, 0) - due)
        weight = 1.0 if row is None else row.weight
        chain = [dict(text) for text in shown.chains.get(job, ())]
        found.append({"id": str(job), "due": due, "late": late, "weight": weight, "chain": chain})
    return found


def _closed(problem: Problem | None, until: int) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """Closed times of each distinct calendar until the plan's end, and which one every machine has (−1: none)."""
    if problem is None:
        return [], []
    calendars = {calendar.id: calendar for calendar in problem.calendars}
    known: dict[tuple[object, ...], int] = {}
    closed: list[list[tuple[int, int]]] = []
    of_machine = []
    for machine in problem.machines:
        key = (machine.calendar, machine.closures)
        if machine.calendar is None and not machine.closures:
            of_machine.append(-1)
            continue
        if key not in known:
            known[key] = len(closed)
            calendar = None if machine.calendar is None else calendars[machine.calendar]
            closed.append(OpenTime(open_intervals(calendar, machine.closures, until + 1)).closed_inside(0, until))
        of_machine.append(known[key])
    return closed, of_machine


def _offset(origin: str) -> int:
    """Minutes of the origin's own zone: the page shows the plant's time wherever it is opened."""
    try:
        offset = datetime.fromisoformat(origin).utcoffset()
    except ValueError:
        return 0
    return 0 if offset is None else int(offset.total_seconds() // 60)


def _figures(data: Mapping[str, Any]) -> str:
    jobs = data["jobs"]
    makespan = max((bar["end"] for bar in data["bars"]), default=0)
    rows = [("operations", f"<dd>{len(data['bars']):,}</dd>"), ("makespan", f'<dd data-ticks="{makespan}"></dd>')]
    if any(job["due"] is not None for job in jobs):
        late = sum(job["late"] > 0 for job in jobs)
        tardiness = sum(job["late"] * job["weight"] for job in jobs)
        rows.append(("orders late", f"<dd>{late:,} / {len(jobs):,}</dd>"))
        rows.append(("weighted tardiness", f"<dd>{tardiness:,.0f}</dd>"))
    return "".join(f'<div><dt data-word="{word}"></dt>{value}</div>' for word, value in rows)


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
<div class="tools">
<input id="find" type="search" data-label="find" data-hint="find">
<button type="button" id="out" data-label="zoom out">−</button>
<button type="button" id="in" data-label="zoom in">+</button>
<button type="button" id="fit" data-word="whole plan"></button>
<button type="button" id="theme" data-word="theme"></button>
<button type="button" id="language" data-word="language"></button>
</div>
<dl>{figures}</dl>
</header>
<main>
<div class="chart">
<canvas tabindex="0" role="application" data-label="chart" aria-describedby="keys"></canvas>
<div class="tip" hidden></div>
<p class="unseen" id="spoken" role="status"></p>
</div>
<aside>
<div id="remarks"></div>
<h2 data-word="late orders"></h2>
<p id="none" data-word="none late"></p>
<ul id="late"></ul>
</aside>
</main>
<footer>
<span class="key"><svg viewBox="0 0 28 14" aria-hidden="true"><rect width="28" height="14" fill="var(--bar)"/></svg>
<span data-word="in time"></span></span>
<span class="key"><svg viewBox="0 0 28 14" aria-hidden="true"><rect width="28" height="14" fill="var(--late-fill)"/>
<rect y="10" width="28" height="4" fill="var(--late)"/></svg><span>! <span data-word="is late"></span></span></span>
<span class="key"><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M.5.5h27v13H.5zM4 14 18 0M12 14 26 0"
fill="none" stroke="var(--setup)"/></svg><span data-word="set-up"></span></span>
<span class="key"><svg viewBox="0 0 28 14" aria-hidden="true"><rect width="28" height="14" fill="var(--closed)"/></svg>
<span data-word="closed"></span></span>
<span class="key"><svg viewBox="0 0 28 14" aria-hidden="true"><rect x="1" y="1" width="26" height="12" fill="none"
stroke="var(--focus)" stroke-width="2"/></svg><span data-word="chosen"></span></span>
<span id="keys" data-word="keys"></span>
</footer>
<script type="application/json" id="plan">{data}</script>
<script>{script}</script>
</body>
</html>
"""
