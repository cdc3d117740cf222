"""Finite-capacity scheduling: problem, plan, checker, search, repair, explanation. No Django, no I/O."""
