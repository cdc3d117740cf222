"""Yuheng 玉衡: an open manufacturing brain."""

__version__ = "0.1.0"
