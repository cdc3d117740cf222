"""What it takes to see equipment."""

VIEW = "equipment.view"
