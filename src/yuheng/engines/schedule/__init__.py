"""Finite-capacity scheduling: problem, plan, checker, search, repair, explanation. No Django, no I/O."""

from yuheng.engines.schedule.kept import keep_kernels

keep_kernels()  # before anything imports numba, which reads its settings once
