"""Bybit's public topics from the perpetual venue: books (snapshot, then deltas), trades, tickers, candles.

``orderbook.N`` is a window of the best N levels a side. `u` counts its frames by one, a snapshot carries the number
that the next delta follows; it is 1 only where the venue began anew. `seq` is the book's own update id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.bybit_market import INTERVALS, MINUTES, Market
from modules.simulator.perp.api import Listener, Print
from modules.simulator.sockets.bybit_hub import BybitHub
from modules.simulator.sockets.window import Levels, changes

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_TOPIC = re.compile(r"(orderbook\.(?:1|50|200|1000)|publicTrade|tickers|kline\.[0-9DWM]+|allLiquidation)\.([A-Z0-9]+)")
#: how often a topic tells, market ms; what is not here tells as it happens
PACES = {1: 100, 50: 100, 200: 100, 1000: 200}
TICKER_MS, KLINE_MS = 100, 1000


@dataclass(slots=True)
class Window:
    """A book as its listeners know it."""

    update: int = 2
    seq: int = 0
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)


class BybitFeed(Listener):
    """Asks the venue what its topics need, when it is due."""

    def __init__(self, venue: PerpVenue, hub: BybitHub) -> None:
        self._venue, self._hub, self._market = venue, hub, Market(venue)
        self._windows: dict[str, Window] = {}
        self._tickers: dict[str, dict[str, Any]] = {}
        self._candles: dict[str, int] = {}
        self._prints: dict[int, list[Print]] = {}
        self._now = 0

    def knows(self, topic: str) -> bool:
        """Whether there is such a topic of such a contract."""
        found = _TOPIC.fullmatch(topic)
        if found is None or found[2] not in self._venue.by_symbol:
            return False
        return not found[1].startswith("kline") or found[1].removeprefix("kline.") in INTERVALS

    def end(self, topic: str) -> None:
        """Nobody listens any longer."""
        self._windows.pop(topic, None)
        self._tickers.pop(topic, None)
        self._candles.pop(topic, None)

    def trade(self, index: int, one: Print) -> None:
        """An aggregate trade."""
        if f"publicTrade.{self._venue.specs[index].symbol}" in self._hub.topics:
            self._prints.setdefault(index, []).append(one)

    # -- first frames ------------------------------------------------------------------------------------------

    def first(self, topic: str) -> tuple[str, Any] | None:
        """What a new listener gets first; of a book what the others know, so that the next delta fits."""
        name, index = self._parts(topic)
        if name.startswith("orderbook"):
            window = self._windows.get(topic)
            if window is None:
                window = self._windows[topic] = self._read(index, _depth(name), 2)
            return "snapshot", self._book(index, window.bids, window.asks, window)
        if name == "tickers":
            self._tickers.setdefault(topic, self._market.ticker(index))
            return "snapshot", self._tickers[topic]
        if name.startswith("kline"):
            return "snapshot", self._candle(index, topic, name.removeprefix("kline."), 1)
        return None

    def _parts(self, topic: str) -> tuple[str, int]:
        name, _, symbol = topic.rpartition(".")
        return name, self._venue.by_symbol[symbol]

    # -- a slice of market time is over ------------------------------------------------------------------------

    def step(self, ms: int) -> None:
        """Tell what is due at market time `ms`."""
        before, self._now = self._now, ms
        for topic in list(self._hub.topics):
            if not self.knows(topic):
                continue
            name, index = self._parts(topic)
            if name.startswith("orderbook"):
                if before // PACES[_depth(name)] != ms // PACES[_depth(name)]:
                    self._tell_book(index, topic, _depth(name))
            elif name == "publicTrade":
                prints = self._prints.pop(index, None)
                if prints:
                    self._hub.publish(topic, "snapshot", [self._print(index, one) for one in prints])
            elif name == "tickers" and before // TICKER_MS != ms // TICKER_MS:
                self._tell_ticker(index, topic)
            elif name.startswith("kline") and before // KLINE_MS != ms // KLINE_MS:
                interval = name.removeprefix("kline.")
                opened = self._market.rows(index, interval, None, None, 1)[-1].open_ms
                count = 2 if self._candles.get(topic, opened) != opened else 1
                self._hub.publish(topic, "snapshot", self._candle(index, topic, interval, count))
        self._prints.clear()

    def _tell_ticker(self, index: int, topic: str) -> None:
        """The fields that changed."""
        known, now = self._tickers.get(topic, {}), self._market.ticker(index)
        self._tickers[topic] = now
        changed = {name: value for name, value in now.items() if known.get(name) != value}
        if changed:
            self._hub.publish(topic, "delta", {"symbol": now["symbol"], **changed})

    def _candle(self, index: int, topic: str, interval: str, count: int) -> list[dict[str, Any]]:
        spec, rows = self._venue.specs[index], self._market.rows(index, interval, None, None, count)
        self._candles[topic] = rows[-1].open_ms
        found = []
        for place, row in enumerate(rows):
            start, opened, high, low, close, volume, turnover = self._market.candle(spec, row)
            found.append({
                "start": int(start), "end": int(start) + MINUTES[interval] * 60_000 - 1, "interval": interval,
                "open": opened, "close": close, "high": high, "low": low, "volume": volume, "turnover": turnover,
                "confirm": place < len(rows) - 1, "timestamp": self._now or self._venue.now()})
        return found

    def _print(self, index: int, one: Print) -> dict[str, Any]:
        spec = self._venue.specs[index]
        return {"T": one.ms, "s": spec.symbol, "S": "Sell" if one.buyer_is_maker else "Buy",
                "v": fmt.qty(one.steps, spec.step), "p": fmt.price(one.tick, spec.tick), "L": "ZeroPlusTick",
                "i": f"{spec.symbol}-{one.last}", "BT": False, "RPI": False, "seq": one.last}

    # -- books -------------------------------------------------------------------------------------------------

    def _read(self, index: int, limit: int, update: int) -> Window:
        seq, bids, asks = self._venue.depth(index, limit)
        return Window(update, seq, dict(bids), dict(asks))

    def _tell_book(self, index: int, topic: str, limit: int) -> None:
        known = self._windows.get(topic) or Window()
        now = self._read(index, limit, known.update + 1)
        bids, asks = changes(known.bids, now.bids), changes(known.asks, now.asks)
        if not bids and not asks:
            return
        self._windows[topic] = now
        if limit == 1:
            self._hub.publish(topic, "snapshot", self._book(index, now.bids, now.asks, now))
        else:
            self._hub.publish(topic, "delta", self._book(index, bids, asks, now))

    def _book(self, index: int, bids: Levels, asks: Levels, window: Window) -> dict[str, Any]:
        spec = self._venue.specs[index]
        return {"s": spec.symbol, "b": self._market.levels(spec, sorted(bids.items(), reverse=True)),
                "a": self._market.levels(spec, sorted(asks.items())), "u": window.update, "seq": window.seq}


def _depth(name: str) -> int:
    return int(name.rpartition(".")[2])
