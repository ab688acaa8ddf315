"""The feed process: books, trades and candles of the whole universe in memory that all processes read."""
