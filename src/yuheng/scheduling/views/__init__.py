"""Pages of scheduling: the board, what-ifs, promises, settings."""
