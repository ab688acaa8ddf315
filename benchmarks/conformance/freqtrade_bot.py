"""freqtrade, a whole foreign bot, on a simulator: dry and live mode, futures, isolated, stop loss on the exchange.

``python -m benchmarks.conformance.freqtrade_bot http://127.0.0.1:PORT [SECONDS]``: each mode gets so many seconds
(default 100) to open trades with their stop orders and to close them; what it did stands in its own database.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.conformance.ccxt_at import config as ccxt_config
from benchmarks.conformance.tally import KEY, SECRET, Tally, address

STRATEGY = '''
from freqtrade.strategy import IStrategy


class Always(IStrategy):
    """Buys at once, sells after twenty seconds."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    stoploss = -0.10
    minimal_roi = {"100": 0.5}
    process_only_new_candles = False
    startup_candle_count = 5
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "emergency_exit": "market",
                   "stoploss_on_exchange": True, "stoploss_on_exchange_interval": 60}

    def populate_indicators(self, dataframe, metadata):
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe["enter_long" if metadata["pair"].startswith("BTC") else "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "long enough" if (current_time - trade.open_date_utc).total_seconds() > 20 else None

    def leverage(self, pair, current_time, current_rate, proposed_leverage, max_leverage, entry_tag, side, **kwargs):
        return 3.0
'''


def settings(base: str, dry: bool) -> dict[str, Any]:
    """freqtrade's own configuration; only urls and keys point here."""
    client = ccxt_config(base, keys=False)
    client = {"urls": client["urls"], "enableRateLimit": False,
              "options": {"fetchMarkets": {"types": ["linear"]}, "fetchMargins": False, "fetchCurrencies": False}}
    side = {"use_order_book": True, "order_book_top": 1, "price_side": "other"}
    return {
        "trading_mode": "futures", "margin_mode": "isolated", "dry_run": dry, "dry_run_wallet": 10_000,
        "max_open_trades": 2, "stake_currency": "USDT", "stake_amount": 500, "tradable_balance_ratio": 0.9,
        "timeframe": "1m", "entry_pricing": side, "exit_pricing": side, "bot_name": "conformance",
        "internals": {"process_throttle_secs": 3}, "pairlists": [{"method": "StaticPairList"}],
        "exchange": {"name": "binance", "key": "" if dry else KEY, "secret": "" if dry else SECRET,
                     "ccxt_config": client, "ccxt_async_config": {},
                     "pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"], "pair_blacklist": []},
        "initial_state": "running", "force_entry_enable": False}


def run(tally: Tally, base: str, dry: bool, seconds: float) -> None:
    """One mode."""
    mode = "dry" if dry else "live"
    with tempfile.TemporaryDirectory(prefix="conformance-") as name:
        folder = Path(name)
        (folder / "user" / "strategies").mkdir(parents=True)
        (folder / "user" / "strategies" / "always.py").write_text(STRATEGY)
        (folder / "config.json").write_text(json.dumps(settings(base, dry)))
        log, book = folder / "log.txt", folder / "trades.sqlite"
        with log.open("w") as out:
            bot = subprocess.Popen(
                [str(Path(sys.executable).parent / "freqtrade"), "trade", "-c", "config.json", "-s", "Always",
                 "--userdir", "user", "--db-url", f"sqlite:///{book}"], cwd=folder, stdout=out, stderr=out,
                env={**os.environ, "NO_COLOR": "1"})
            try:
                _wait(bot, book, time.monotonic() + seconds)
            finally:
                bot.send_signal(signal.SIGINT)
                try:
                    bot.wait(30)
                except subprocess.TimeoutExpired:
                    bot.kill()
        _judge(tally, mode, book, log.read_text())


def _rows(book: Path, query: str) -> list[tuple[Any, ...]]:
    if not book.exists():
        return []
    connection = sqlite3.connect(f"file:{book}?mode=ro", uri=True)
    try:
        return connection.execute(query).fetchall()
    except sqlite3.Error:
        return []
    finally:
        connection.close()


def _wait(bot: Any, book: Path, until: float) -> None:
    """Until two trades are closed, or the time is over, or the bot has ended."""
    while time.monotonic() < until and bot.poll() is None:
        if len(_rows(book, "select id from trades where is_open = 0")) >= 2:
            return
        time.sleep(1.0)


def _judge(tally: Tally, mode: str, book: Path, log: str) -> None:
    trades = _rows(book, "select pair, is_short, is_open, open_rate, close_rate, leverage from trades order by id")
    orders = _rows(book, "select ft_order_side, status, order_type, filled from orders")
    tally.note(f"{mode}: trades were opened", "" if trades else _tail(log))
    sides = {bool(row[1]) for row in trades}
    tally.note(f"{mode}: long and short", "" if sides == {True, False} else f"sides {sides}; {_tail(log)}")
    closed = [row for row in trades if not row[2]]
    tally.note(f"{mode}: trades were closed", "" if closed else f"{trades}; {_tail(log)}")
    if mode == "live":
        stops = [row for row in orders if row[0] == "stoploss"]
        tally.note("live: stop orders on the exchange", "" if stops else f"{orders}; {_tail(log)}")
    errors = [line for line in log.splitlines()
              if (" - ERROR - " in line or "Traceback" in line or "Could not" in line) and "rest" not in line.lower()]
    tally.note(f"{mode}: no errors in its log", " | ".join(errors[:5]))


def _tail(log: str) -> str:
    return " | ".join(log.splitlines()[-8:])


def main() -> None:
    """Both modes."""
    tally, base = Tally("freqtrade"), address()
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 100.0
    for dry in (True, False):
        run(tally, base, dry, seconds)
    tally.end()


if __name__ == "__main__":
    main()
