"""What each page shows: builders that read shared state and SQL, and change nothing. Their names, as in the menu."""

PAGES = ("overview", "hype", "signals", "btc", "grid", "scalper", "backtests", "data", "reconciliation", "logs",
         "system", "settings")
OWNERS = frozenset({"settings"})  # not for a login that may only look, as /settings is not
