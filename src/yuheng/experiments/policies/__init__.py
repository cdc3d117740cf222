"""Ways to run a floor: who decides what a station does next."""
