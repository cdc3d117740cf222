"""Decoders: bytes of a protocol to columns of points. Pure, fuzzed, and never raising on bad input."""
