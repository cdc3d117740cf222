"""The exact solver: small problems to the proof, small windows of big ones. A scalpel, in a child process.

Optional: without OR-Tools `is_available` is false, every answer says "unavailable", and the rest of the engine works.
"""

from yuheng.engines.schedule.exact.process import Answer, ExactSolver, is_available
from yuheng.engines.schedule.exact.solving import ExactResult, solve_exact

__all__ = ["Answer", "ExactResult", "ExactSolver", "is_available", "solve_exact"]
