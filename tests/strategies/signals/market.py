"""A feed's memory made by hand: books, trades and candles of a few symbols, and every doubt there can be."""

import time
from pathlib import Path
from typing import Any

import numpy as np

from modules.exchange.feed.reader import Candles, Liveness
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.trades import Rows
from modules.exchange.orderbook.views import BookView
from modules.strategies.signals.desk import Desk
from modules.strategies.signals.follower import Follower, Tick
from modules.strategies.signals.ledger import Ledger
from modules.strategies.signals.market import MarketNow
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.outbox import Outbox
from utils.paths import Paths

NOW = 1_800_000_000_000 // 900_000 * 900_000 + 450_000


class Source:
    """What `FeedReader` offers. Prices 100.00, two decimals; quantities with one."""

    def __init__(self) -> None:
        self.alive, self.life = True, 1
        self.now = NOW
        self.stale: dict[str, Stale] = {}
        self.lean: dict[str, float] = {}
        self.age_s = self.mark_age_s = 0.0
        self.trade_stale = Stale.FRESH
        self.epoch, self.depth = 1, 20
        self.rows: dict[str, list[tuple[int, int, int, int, int, int]]] = {}
        self.price: dict[str, float] = {}
        self.after_book: Any = lambda symbol: None
        self.quote_24h = 144e6

    def symbols(self) -> list[str]:
        return sorted(self.lean)

    def book(self, symbol: str, levels: int = 20) -> BookView:
        lean, mid = self.lean[symbol], self.price.get(symbol, 100.0)
        count = min(levels, self.depth)
        bids = np.array([[mid - 0.01 * (n + 0.5), 10 * (1 + lean)] for n in range(count)]).reshape(-1, 2)
        asks = np.array([[mid + 0.01 * (n + 0.5), 10 * (1 - lean)] for n in range(count)]).reshape(-1, 2)
        view = BookView(self.epoch, 7, self.stale.get(symbol, Stale.FRESH), self.now,
                        time.monotonic_ns() - int(self.age_s * 1e9), bids, asks, True, 2, 1)
        self.after_book(symbol)
        return view

    def trade(self, symbol: str, ms: int, price: float, usdt: float, sold: bool = False) -> None:
        rows = self.rows.setdefault(symbol, [])
        number = rows[-1][0] + 1 if rows else 1
        rows.append((number, ms, round(price * 100), round(usdt / price * 10), int(sold), 0))

    def trades(self, symbol: str, since: int = 0) -> Rows:
        rows = self.rows.get(symbol, [])
        return Rows(np.array(rows[since:], dtype=np.int64).reshape(-1, 6), len(rows), 0)

    def candles(self, symbol: str, interval: str) -> Candles:
        first = NOW // 900_000 * 900_000 - 99 * 900_000
        rows = np.zeros((100, 9))
        rows[:, 0] = first + np.arange(100) * 900_000
        wave = np.sin(np.arange(100) * (1 + (hash(symbol) % 7)))
        rows[:, 1:5] = 99.5
        rows[:, 4] += 0.01 * wave
        rows[:, 2], rows[:, 3] = 99.8, 99.2
        rows[:, 6] = self.quote_24h / 96
        rows[:, 5] = rows[:, 6] / 99.5
        rows[:-1, 8] = 1
        return Candles(rows, 0, self.now)

    def liveness(self, symbol: str) -> Liveness:
        return Liveness(Stale.FRESH, 0.0, 0.0, 0.0, self.mark_age_s, self.trade_stale)

    def changes(self) -> tuple[list[tuple[str, str]], int]:
        return [], 0


class Rowkeeper:
    """The writer: what was stored, and whether it was before something else."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []
        self.fails: Exception | None = None

    def add(self, table: str, rows: list[dict[str, Any]], durable: bool = False) -> None:
        if self.fails is not None:
            raise self.fails
        self.rows.extend((table, row) for row in rows)

    def of(self, table: str) -> list[dict[str, Any]]:
        return [row for name, row in self.rows if name == table]


async def no_trades(symbol: str, from_id: int, limit: int) -> list[Tick]:
    return []


class House:
    """A desk over a source, with its ledger on disk."""

    def __init__(self, folder: Path, source: Source | None = None, **settings: Any) -> None:
        self.paths = Paths(folder).prepare()
        self.settings = SignalSettings(**settings)
        self.source = source or Source()
        self.rows = Rowkeeper()
        self.outbox = Outbox(self.paths.outbox, "signals")
        self.clock = [0.0]
        self.now = MarketNow(1.0, lambda: self.clock[0])
        self.now.heard(NOW)
        self.ledger = Ledger(self.paths, self.settings, self.rows, self.outbox, "UTC")
        self.follower = Follower(self.ledger.rules, no_trades, self.ledger.ended)
        self.desk = Desk(self.settings, self.ledger, self.follower, self.now, self.source)

    def ready(self, symbol: str = "XUSDT", lean: float = 0.5, side: int = 1) -> None:
        """All conditions of a signal hold: four large trades, pace, VWAP below."""
        source = self.source
        source.lean[symbol] = lean * side
        source.price[symbol] = 99.5 + 0.5 * side
        for number in range(400):
            source.trade(symbol, NOW - 400_000 + number * 1000, source.price[symbol], 4000, side < 0)
        for number in range(4):
            source.trade(symbol, NOW - 400 + number, source.price[symbol], 60_000, side < 0)
        self.desk.universe.add(symbol)
