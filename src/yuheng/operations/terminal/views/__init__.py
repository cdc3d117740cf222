"""The terminal's edges: what tablets ask (`floor`), and pages for engineers and supervisors (`office`)."""
