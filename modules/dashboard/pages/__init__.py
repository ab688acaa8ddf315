"""What each page shows: builders that read shared state and SQL, and change nothing. Their names, as in the menu."""

PAGES = ("overview", "hype", "signals", "btc", "grid", "scalper", "backtests", "reconciliation", "logs", "system")
