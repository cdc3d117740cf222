"""Why a plan is as it is: reasons of starts, stories of late orders, the bottleneck. Data first, then words."""

from yuheng.engines.schedule.explain.floor import Floor
from yuheng.engines.schedule.explain.reasons import Cause, Reason, WhyNotEarlier, why_not_earlier
from yuheng.engines.schedule.explain.story import Segment, Share, Story, Wait, late_orders, story
from yuheng.engines.schedule.explain.words import Said, Words

__all__ = [
    "Cause",
    "Floor",
    "Reason",
    "Said",
    "Segment",
    "Share",
    "Story",
    "Wait",
    "WhyNotEarlier",
    "Words",
    "late_orders",
    "story",
    "why_not_earlier",
]
