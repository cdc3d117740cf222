"""Signals and jobs meet: taken in, given to jobs, acted upon, compared with what people report, decided by people."""
