"""The page stands alone: no network, no inline style, a policy that allows its own script and style only."""

import base64
import hashlib
import json
import re

import numpy as np

from yuheng.engines.schedule.arrays import compile_problem
from yuheng.engines.schedule.parts import Job, Machine
from yuheng.engines.schedule.plan import plan_of
from yuheng.engines.schedule.shown import WORDS, Shown, gantt_page
from yuheng.engines.schedule.tests.shop import DAYTIME, a_problem, an_operation

LANGUAGES = {"en": lambda text: text, "zh": lambda text: f"中{text}"}


def a_page(**rest):
    problem = a_problem(
        an_operation(1, "</script><b>", (("M", 60),)),
        machines=(Machine("M", "day"),), calendars=(DAYTIME,), jobs=(Job("</script><b>", due=500, weight=2.0),),
        origin="2026-01-05T00:00:00+08:00",
    )  # fmt: skip
    plan = plan_of(compile_problem(problem), np.array([0]), np.array([560]))
    shown = Shown(
        "Plan <1>", plan.rows(problem),
        {("</script><b>", 1): {"en": "why", "zh": "为什么"}}, {"</script><b>": [{"en": "cause", "zh": "原因"}]},
        problem,
    )  # fmt: skip
    return gantt_page(shown, LANGUAGES, **rest)


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="plan">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_allows_itself_only_its_own_script_and_style():
    page = a_page()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"""(?:src|href)=|style=|url\(|https?://|\son\w+=""", page)


def test_names_cannot_break_out_of_the_page():
    page = a_page()
    assert page.count("</script>") == 2
    assert "Plan &lt;1&gt;" in page
    assert data_of(page)["jobs"][0]["id"] == "</script><b>"


def test_the_page_holds_bars_reasons_causes_and_closed_times():
    data = data_of(a_page())
    assert (data["bars"][0]["start"], data["bars"][0]["end"]) == (560, 650)
    assert data["whys"][data["bars"][0]["why"]] == {"en": "why", "zh": "为什么"}
    assert (data["jobs"][0]["late"], data["jobs"][0]["chain"]) == (150, [{"en": "cause", "zh": "原因"}])
    assert data["closed"][data["rows"][0]["closed"]] == [[0, 360], [600, 630]]
    assert data["offset"] == 480


def test_every_word_of_the_script_is_there_in_both_languages():
    page = a_page(language="zh")
    used = set(re.findall(r"""\bword\("([^"]+)"\)""", page)) | set(
        re.findall(r'data-(?:word|label|hint)="([^"]+)"', page)
    )
    assert used
    assert used <= set(WORDS)
    words = data_of(page)["words"]
    assert set(words["en"]) == set(words["zh"]) == set(WORDS)
    assert '<html lang="zh-Hans">' in page


def test_bare_rows_are_shown_without_a_problem():
    rows = [{"job": 1, "op": 2, "machine": 3, "start": 4, "end": 5}]
    data = data_of(gantt_page(Shown("bare", rows, {}, {}), LANGUAGES))
    assert data["bars"] == [{"row": 0, "job": 0, "op": "2", "start": 4, "end": 5, "setup": 4, "leave": 5, "why": -1}]
