"""TA-Lib, imported without pandas and polars. Import `talib` from here everywhere in the program."""

from modules.learning.quiet import without

with without("pandas", "polars"):
    import talib

__all__ = ["talib"]
