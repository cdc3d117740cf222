"""Tables of performance: what follows from operations' logs, and proposals of people."""

from yuheng.performance.models.flow import FlowTally, JobStage, LeadTime
from yuheng.performance.models.times import JobTime, StandardProposal

__all__ = ["FlowTally", "JobStage", "JobTime", "LeadTime", "StandardProposal"]
