"""The demo plants: discrete-event models that speak the real protocols."""
