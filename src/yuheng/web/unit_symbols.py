"""Units as people write them; see `kernel.unit_symbols`."""

from __future__ import annotations

from yuheng.kernel.unit_symbols import shown, symbol_of

__all__ = ["shown", "symbol_of"]
