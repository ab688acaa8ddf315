"""Bitget's public channels from the perpetual venue: books with checksums, tickers, candles, trades.

`books` is a window of the best 200 levels a side: a snapshot first, then what changed in it, with the signed CRC32 of
the best 25 levels, bid and ask in turn, as they were sent ("price:size:price:size…").
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.bitget_market import GRANULARITIES, Market
from modules.simulator.perp.api import Listener, Print
from modules.simulator.perp.candles import MINUTE_MS, begin_of
from modules.simulator.sockets.bitget_hub import BitgetHub
from modules.simulator.sockets.bitget_names import BOOKS, CANDLE_MS, PACES, Topic
from modules.simulator.sockets.window import Levels, changes

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

FIRST_CANDLES, FIRST_TRADES, CHECKED = 100, 50, 25


@dataclass(slots=True)
class Window:
    """A book as its listeners know it."""

    seq: int = 0
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)


class BitgetFeed(Listener):
    """Asks the venue what its channels need, when it is due."""

    def __init__(self, venue: PerpVenue, hub: BitgetHub) -> None:
        self._venue, self._hub, self._market = venue, hub, Market(venue)
        self._windows: dict[Topic, Window] = {}
        self._candles: dict[Topic, int] = {}  # open time of the candle told last
        self._traded: set[int] = set()
        self._prints: dict[int, list[Print]] = {}
        self._now = 0

    def knows(self, topic: Topic) -> bool:
        """Whether there is such a contract."""
        return topic.of in self._venue.by_symbol

    def end(self, topic: Topic) -> None:
        """Nobody listens any longer."""
        self._windows.pop(topic, None)
        self._candles.pop(topic, None)

    def trade(self, index: int, one: Print) -> None:
        """An aggregate trade."""
        self._traded.add(index)
        if Topic("USDT-FUTURES", "trade", self._venue.specs[index].symbol) in self._hub.topics:
            self._prints.setdefault(index, []).append(one)

    # -- first frames --------------------------------------------------------------------------------------

    def first(self, topic: Topic) -> tuple[str, Any] | None:
        """What a new listener gets first; of a book what the others know, so that the next difference fits."""
        index = self._venue.by_symbol[topic.of]
        if topic.channel in BOOKS:
            window = self._windows.get(topic)
            if window is None:
                window = self._windows[topic] = self._read(index, topic)
            return "snapshot", [self._book(index, window.bids, window.asks, window, -1)]
        if topic.channel == "ticker":
            return "snapshot", [self._ticker(index)]
        if topic.channel == "trade":
            prints = self._venue.market.tape.recent(index, FIRST_TRADES)
            return ("snapshot", [self._print(index, one) for one in reversed(prints)]) if prints else None
        granularity = topic.channel.removeprefix("candle")
        rows = self._market.klines(index, granularity, None, None, FIRST_CANDLES)
        self._candles[topic] = rows[-1].open_ms if rows else 0
        spec = self._venue.specs[index]
        return "snapshot", [self._candle(self._market.candle_row(spec, row)) for row in rows]

    # -- a slice of market time is over --------------------------------------------------------------------

    def step(self, ms: int) -> None:
        """Tell what is due at market time `ms`."""
        before, self._now = self._now, ms
        traded: set[int] = set()
        if before // CANDLE_MS != ms // CANDLE_MS:
            traded, self._traded = self._traded, set()
        for topic in list(self._hub.topics):
            if topic.private or topic.of not in self._venue.by_symbol:
                continue
            index, pace = self._venue.by_symbol[topic.of], PACES.get(topic.channel)
            if pace is not None and before // pace == ms // pace:
                continue
            if topic.channel in BOOKS:
                self._tell_book(index, topic)
            elif topic.channel == "ticker":
                self._hub.publish(topic, "snapshot", [self._ticker(index)])
            elif topic.channel == "trade":
                prints = self._prints.pop(index, None)
                if prints:
                    self._hub.publish(topic, "update", [self._print(index, one) for one in reversed(prints)])
            elif before // CANDLE_MS != ms // CANDLE_MS:
                self._tell_candle(index, topic, index in traded)
        self._prints.clear()

    def _tell_candle(self, index: int, topic: Topic, traded: bool) -> None:
        """The open candle; the one before it once more, where it has just closed."""
        granularity = topic.channel.removeprefix("candle")
        opened = begin_of(self._venue.market.candles.minute, GRANULARITIES[granularity]) * MINUTE_MS
        closed = self._candles.get(topic, opened) != opened
        if not (traded or closed):
            return
        self._candles[topic] = opened
        spec = self._venue.specs[index]
        rows = self._market.klines(index, granularity, None, None, 2 if closed else 1)
        self._hub.publish(topic, "update", [self._candle(self._market.candle_row(spec, row)) for row in rows])

    @staticmethod
    def _candle(row: list[str]) -> list[str]:
        return [*row, row[-1]]  # turnover in the quote coin and in USDT

    def _ticker(self, index: int) -> dict[str, Any]:
        row = self._market.ticker_row(index, self._now or self._venue.now())
        for name in ("deliveryStartTime", "deliveryTime", "deliveryStatus", "usdtVolume", "changeUtc24h"):
            del row[name]
        return {"instId": row["symbol"], **row, "symbolType": "1", "deliveryPrice": "0",
                "nextFundingTime": str(self._venue.market.marks.next_funding(index))}

    def _print(self, index: int, one: Print) -> dict[str, str]:
        spec = self._venue.specs[index]
        return {"ts": str(one.ms), "price": fmt.price(one.tick, spec.tick), "size": fmt.qty(one.steps, spec.step),
                "side": "sell" if one.buyer_is_maker else "buy", "tradeId": str(one.last)}

    # -- books ---------------------------------------------------------------------------------------------

    def _read(self, index: int, topic: Topic) -> Window:
        seq, bids, asks = self._venue.depth(index, BOOKS[topic.channel])
        return Window(seq, dict(bids), dict(asks))

    def _tell_book(self, index: int, topic: Topic) -> None:
        known, now = self._windows.get(topic), self._read(index, topic)
        if known is not None and known.seq == now.seq:
            return
        self._windows[topic] = now
        if topic.channel != "books" or known is None:
            self._hub.publish(topic, "snapshot", [self._book(index, now.bids, now.asks, now, -1)])
            return
        bids, asks = changes(known.bids, now.bids), changes(known.asks, now.asks)
        if bids or asks:
            self._hub.publish(topic, "update", [self._book(index, bids, asks, now, known.seq)])
        else:
            self._windows[topic] = Window(known.seq, now.bids, now.asks)  # nothing in the window changed

    def _book(self, index: int, bids: Levels, asks: Levels, window: Window, before: int) -> dict[str, Any]:
        spec = self._venue.specs[index]
        price, qty = fmt.digits(spec.tick).text, fmt.digits(spec.step).text
        parts: list[str] = []
        best = zip_longest(list(window.bids.items())[:CHECKED], list(window.asks.items())[:CHECKED])
        for bid, ask in best:
            parts += [f"{price(level[0])}:{qty(level[1])}" for level in (bid, ask) if level is not None]
        number = zlib.crc32(":".join(parts).encode())
        return {
            "asks": [[price(tick), qty(steps) if steps else "0"] for tick, steps in sorted(asks.items())],
            "bids": [[price(tick), qty(steps) if steps else "0"] for tick, steps in sorted(bids.items(), reverse=True)],
            "checksum": number - (1 << 32) if number >= 1 << 31 else number, "seq": window.seq, "pseq": max(0, before),
            "ts": str(self._now or self._venue.now())}
