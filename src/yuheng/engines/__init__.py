"""Pure calculation: no Django, no I/O, no clock."""
