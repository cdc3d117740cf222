"""States, transitions, formulas, graphs and refusals. Plain Python."""
