"""A venue in memory for the scanner's tests: MarketData over prices that a test sets."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from modules.exchange.types import Book, Candles, Market, Print, Ticker, Unavailable
from tests.quiet_market import QuietMarket

START_MS = 1_750_000_000_000 // 300_000 * 300_000
STEP = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000}


@dataclass
class Coin:
    """What a token is like: percent grown over 5m, 1h, 24h, its surge of volume, spread and depth."""

    price: float = 1.0
    growth_5m: float = 0.0
    growth_1h: float = 0.0
    growth_24h: float = 0.0
    surge: float = 1.0
    spread_pct: float = 0.1
    depth_usdt: float = 5_000.0
    volume_24h: float = 1_000_000.0
    wobble_pct: float = 0.2
    trading: bool = True
    api_allowed: bool = True
    high_before_pct: float = 0.0  # a high of days ago, above today's price


class MemoryMarket(QuietMarket):
    """A venue of these coins. `broken` names calls, or symbols, that are unavailable."""

    def __init__(self, coins: dict[str, Coin]) -> None:
        super().__init__(START_MS)
        self.coins = coins
        self.broken: set[str] = set()
        self.calls: list[str] = []

    def _called(self, call: str, symbol: str = "") -> None:
        self.calls.append(f"{call} {symbol}".strip())
        if call in self.broken or symbol in self.broken:
            raise Unavailable(f"{call} is broken by the test")

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        self._called("markets")
        return {
            symbol: Market(symbol, symbol[:-4], "USDT", Decimal("0.0001"), Decimal(1), Decimal(1), Decimal("0.001"),
                           Decimal(0), coin.trading, coin.api_allowed)
            for symbol, coin in self.coins.items()
        }

    async def tickers(self) -> dict[str, Ticker]:
        self._called("tickers")
        found = {}
        for symbol, coin in self.coins.items():
            half = coin.price * coin.spread_pct / 200.0
            found[symbol] = Ticker(symbol, coin.price, coin.price - half, coin.price + half, coin.volume_24h,
                                   coin.growth_24h)
        return found

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        self._called("candles", symbol)
        step = STEP[interval]
        coin = self.coins[symbol]
        opens = (self.hand.ms // step - np.arange(limit - 1, -1, -1)) * step
        ages = np.maximum(self.hand.ms - (opens + step), 0) / 60_000.0  # minutes since each close
        close = path(coin, ages)
        volume = np.full(limit, 1000.0) / close
        volume[ages < 60.0] *= coin.surge
        before = np.concatenate((close[:1], close[:-1]))
        sway = 1.0 + coin.wobble_pct / 100.0
        high = np.maximum(before, close) * sway
        if coin.high_before_pct and interval == "1h":
            high[2] = coin.price * (1.0 + coin.high_before_pct / 100.0)
        return np.column_stack((opens, before, high, np.minimum(before, close) / sway, close, volume))

    async def book(self, symbol: str, limit: int = 50) -> Book:
        self._called("book", symbol)
        coin = self.coins[symbol]
        half = coin.price * coin.spread_pct / 200.0
        quantity = Decimal(repr(coin.depth_usdt / coin.price))
        return Book(symbol, ((Decimal(repr(coin.price - half)), quantity),),
                    ((Decimal(repr(coin.price + half)), quantity),), self.hand.ms)

    async def trades(self, symbol: str, limit: int = 500) -> list[Print]:
        self._called("trades", symbol)
        return []


def path(coin: Coin, ages: np.ndarray) -> np.ndarray:
    """Price at these ages (minutes): straight lines between now, 5m, 1h and 24h ago, level before that."""
    marks = np.array([0.0, 5.0, 60.0, 1440.0])
    values = coin.price / (1.0 + np.array([0.0, coin.growth_5m, coin.growth_1h, coin.growth_24h]) / 100.0)
    return np.interp(ages, marks, values)
