"""``yuheng schedule``: files in, the engine between, words out. No Django, no database."""
