"""Recordings of real machines, played into the real path.

`readers` know the files, `plant` the machines as equipment, `player` the pace.
"""
