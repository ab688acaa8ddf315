"""System E: the hedging grid on perpetual futures, as pure functions; its settings, ledger and session."""
