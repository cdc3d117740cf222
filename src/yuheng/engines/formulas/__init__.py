"""Calculated tags: a small, safe language over the values of other tags, with units that must fit."""
