"""Words of a log for what becomes of an operation, and pairs of its starts and ends."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Step(StrEnum):
    """What an event does to its operation. ``OTHER``: nothing to the work (scheduled, assigned, …)."""

    START = "start"
    END = "end"
    OTHER = "other"


_WORDS = {
    Step.START: "start started begin begun starting resume resumed in running run "
    "开始 开工 启动 上机 恢复 继续 进站 开始加工",
    Step.END: "complete completed completion end ended finish finished stop stopped done close closed suspend "
    "suspended pause paused out ate_abort pi_abort abort aborted confirmed "
    "完成 完工 结束 停止 下机 暂停 出站 报工 完成加工 已完成 确认",
    Step.OTHER: "schedule scheduled assign assigned reassign reassigned withdraw withdrawn manualskip autoskip skip "
    "unknown created create enqueue enqueued released release queued 创建 下达 派工 分配 排程 计划 等待 waiting "
    "announced arrived",
}
_STEPS = {word: step for step, words in _WORDS.items() for word in words.split()}


def step_of(word: str) -> Step | None:
    """Return what a word of a lifecycle column means; None for a word that is none.

    Examples
    --------
    >>> step_of("COMPLETE"), step_of("开始"), step_of("schedule"), step_of("A-17")
    (<Step.END: 'end'>, <Step.START: 'start'>, <Step.OTHER: 'other'>, None)
    """
    text = unicodedata.normalize("NFKC", word).strip().lower()
    if (found := _STEPS.get(text)) is not None:
        return found
    parts = re.split(r"[\s_\-.:]+", text)
    for part in (parts[-1], parts[0]):
        if (found := _STEPS.get(part)) is not None:
            return found
    return None
