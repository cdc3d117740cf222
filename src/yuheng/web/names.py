"""Names of domain things in the reader's language; see `kernel.names`."""

from __future__ import annotations

from yuheng.kernel.names import local_name

__all__ = ["local_name"]
