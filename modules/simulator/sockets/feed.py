"""Turns what a market tells into payloads of the streams that somebody listens to; nothing is made for nobody.

A market (the perpetual venue, or a replay) calls `depth`, `book_ticker`, `trade`, `force_order` as things happen and
`step` when a slice of market time is over. Streams with a pace of their own (klines 250 ms, tickers 0.5 and 2 s,
mark prices 1 and 3 s, all-market arrays) are asked of the `Source` at multiples of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from modules.simulator.sockets import frames
from modules.simulator.sockets.frames import Candle, Day, Mark, Writer
from modules.simulator.sockets.merger import Levels, Merger
from modules.simulator.sockets.names import Kind, Stream
from modules.simulator.sockets.times import candle_end, candle_open

Publish = Callable[[str, bytes], None]


class Source(Protocol):
    """Questions to the market behind the streams; `index` is a symbol's place in `writers`."""

    @property
    def writers(self) -> Sequence[Writer]:
        """The symbols."""

    def book(self, index: int, limit: int) -> tuple[int, int, Levels, Levels]:
        """(last update id, its time, bids, asks), best first."""

    def candle(self, index: int, interval: str, open_ms: int) -> Candle | None:
        """The candle of an interval that opened at `open_ms`; None where nothing is known of it."""

    def day(self, index: int) -> Day | None:
        """The last 24 hours; None before the first trade."""

    def mark(self, index: int) -> Mark | None:
        """The mark price; None where the market has none."""


@dataclass(slots=True)
class _Symbol:
    """The streams of one symbol that are listened to."""

    merged: dict[str, Merger] = field(default_factory=dict)
    partial: dict[str, Stream] = field(default_factory=dict)
    klines: dict[str, tuple[Stream, int]] = field(default_factory=dict)  # stream, open time of its candle
    names: set[str] = field(default_factory=set)
    previous: dict[str, int] = field(default_factory=dict)  # partial depth: last id told
    traded: bool = False
    touch: tuple[int, int, int, int, int, int] | None = None


class MarketFeed:
    """Implements the hub's Feed over a Source. `publish` is the hub's."""

    def __init__(
        self, source: Source, publish: Publish = lambda name, data: None, *, native: frozenset[str] = frozenset(),
        slice_ms: int = 100,
    ) -> None:
        self.source, self.publish = source, publish
        self._native = native  # streams that somebody else publishes as they were recorded
        self._slice_ms = slice_ms  # differences come this often; faster streams get each one
        self._writers = source.writers
        self._lower = [writer.symbol.lower() for writer in self._writers]
        self._index = {writer.symbol: index for index, writer in enumerate(self._writers)}
        self._symbols = [_Symbol() for _ in self._writers]
        self._timed: dict[str, Stream] = {}
        self._all: set[str] = set()
        self._begun: dict[str, Stream] = {}
        self._fresh_touches: set[int] = set()
        self._forced: dict[str, dict[int, bytes]] = {}
        self._now = 0

    def knows(self, symbol: str) -> bool:
        """Whether there is such a symbol."""
        return symbol in self._index

    def renamed(self, index: int) -> None:
        """A symbol is written otherwise, or has another name: the streams of the old one fall silent."""
        old, new = self._lower[index].upper(), self._writers[index].symbol
        if old != new:
            del self._index[old]
            self._index[new], self._lower[index] = index, new.lower()
            self._symbols[index] = _Symbol()
            self._timed = {name: stream for name, stream in self._timed.items() if stream.symbol != old}
            for stream in [one for one in self._begun.values() if one.symbol == new]:
                self.begin(stream)

    # -- listeners come and go (the hub's Feed) ------------------------------------------------------------

    def begin(self, stream: Stream) -> None:
        """Somebody listens. A symbol that is none is accepted and silent, as on the venue, until there is one."""
        kind, name = stream.kind, stream.name
        self._begun[name] = stream
        if stream.symbol is None:
            self._all.add(name)
            if kind not in (Kind.ALL_FORCES, Kind.CONTRACT):
                self._timed[name] = stream
            return
        index = self._index.get(stream.symbol)
        if index is None:
            return
        symbol = self._symbols[index]
        if name in self._native:
            return
        if kind is Kind.DEPTH and stream.every_ms > self._slice_ms:
            symbol.merged[name] = Merger(stream.every_ms)
        elif kind is Kind.PARTIAL:
            symbol.partial[name] = stream
        elif kind in (Kind.KLINE, Kind.CONTINUOUS):
            symbol.klines[name] = (stream, candle_open(stream.interval, self._now))
        elif kind in (Kind.MARK, Kind.MINI, Kind.TICKER):
            self._timed[name] = stream
        else:
            symbol.names.add(name)

    def end(self, stream: Stream) -> None:
        """Nobody listens any longer."""
        name = stream.name
        self._begun.pop(name, None)
        self._timed.pop(name, None)
        self._all.discard(name)
        index = self._index.get(stream.symbol or "")
        if index is not None:
            symbol = self._symbols[index]
            symbol.names.discard(name)
            for streams in (symbol.merged, symbol.partial, symbol.klines, symbol.previous):
                streams.pop(name, None)

    # -- what happens --------------------------------------------------------------------------------------

    def depth(
        self, index: int, ms: int, bids: Levels, asks: Levels, first: int, last: int, previous: int, *,
        native: str = "",
    ) -> None:
        """Changed levels. `native` names the stream that carried them: its listeners have them already."""
        symbol = self._symbols[index]
        names, lower = symbol.names, self._lower[index]
        if names:
            wanted = [name for name in (f"{lower}@depth@100ms", f"{lower}@depth@0ms")
                      if name in names and name != native]
            if wanted:
                data = self._depth(index, ms, (first, last, previous), sorted(bids), sorted(asks))
                for name in wanted:
                    self.publish(name, data)
        for merger in symbol.merged.values():
            merger.add(ms, first, last, previous, bids, asks)

    def _depth(
        self, index: int, ms: int, ids: tuple[int, int, int], bids: Iterable[tuple[int, int]],
        asks: Iterable[tuple[int, int]],
    ) -> bytes:
        writer = self._writers[index]
        return frames.depth(
            writer, max(self._now, ms), ms, ids, frames.levels(writer, bids), frames.levels(writer, asks))

    def book_ticker(self, index: int, ms: int, update_id: int, bid: tuple[int, int], ask: tuple[int, int]) -> None:
        """The touch changed."""
        name = f"{self._lower[index]}@bookTicker"
        if name in self._symbols[index].names:
            self.publish(name, frames.book_ticker(self._writers[index], max(self._now, ms), ms, update_id, bid, ask))
        if "!bookTicker" in self._all:
            self._symbols[index].touch = (ms, update_id, *bid, *ask)
            self._fresh_touches.add(index)

    def trade(
        self, index: int, ms: int, ids: tuple[int, int, int], tick: int, steps: int, maker: bool, *,
        single: bool = True,
    ) -> None:
        """An aggregate trade: `ids` its own, its first and last trade's. `single` False: no @trade from this."""
        symbol, writer, lower = self._symbols[index], self._writers[index], self._lower[index]
        symbol.traded = True
        if f"{lower}@aggTrade" in symbol.names:
            self.publish(
                f"{lower}@aggTrade", frames.agg_trade(writer, max(self._now, ms), ms, ids, tick, steps, maker))
        if single and f"{lower}@trade" in symbol.names:
            for number, part in _parts(ids[1], ids[2], steps):
                self.publish(
                    f"{lower}@trade", frames.trade(writer, max(self._now, ms), ms, number, tick, part, maker))

    def single(self, index: int, ms: int, number: int, tick: int, steps: int, maker: bool) -> None:
        """A single trade of a recording."""
        name = f"{self._lower[index]}@trade"
        if name in self._symbols[index].names:
            self.publish(
                name, frames.trade(self._writers[index], max(self._now, ms), ms, number, tick, steps, maker))

    def force_order(self, index: int, ms: int, side: str, tick: int, average: int, steps: int) -> None:
        """A liquidation; the venue tells at most the last of a symbol in a second."""
        data = frames.force_order(self._writers[index], max(self._now, ms), ms, side, tick, average, steps)
        for name in (f"{self._lower[index]}@forceOrder", "!forceOrder@arr"):
            self._forced.setdefault(name, {})[index] = data

    # -- a slice of market time is over --------------------------------------------------------------------

    def step(self, ms: int) -> None:
        """Tell what is due at market time `ms`."""
        before, self._now = self._now, ms
        for index, symbol in enumerate(self._symbols):
            if symbol.merged:
                self._merged(index, symbol, ms)
            if symbol.partial:
                self._partial(index, symbol, before, ms)
            if symbol.klines and _due(before, ms, 250):
                self._klines(index, symbol, ms)
        for stream in list(self._timed.values()):
            if _due(before, ms, stream.every_ms):
                self._tell(stream, ms)
        if self._forced and _due(before, ms, 1000):
            told, self._forced = self._forced, {}
            for name, by_index in told.items():
                for data in by_index.values():
                    self.publish(name, data)

    def _merged(self, index: int, symbol: _Symbol, ms: int) -> None:
        for name, merger in symbol.merged.items():
            got = merger.take(ms)
            if got is not None:
                ids = (got.first, got.last, got.previous)
                self.publish(name, self._depth(index, got.ms, ids, sorted(got.bids.items()), sorted(got.asks.items())))

    def _partial(self, index: int, symbol: _Symbol, before: int, ms: int) -> None:
        for name, stream in symbol.partial.items():
            if not _due(before, ms, stream.every_ms or 100):
                continue
            last, at_ms, bids, asks = self.source.book(index, stream.levels)
            previous = symbol.previous.get(name, last - 1)
            if last != previous:
                symbol.previous[name] = last
                self.publish(name, self._depth(index, at_ms, (min(previous + 1, last), last, previous), bids, asks))

    def _klines(self, index: int, symbol: _Symbol, ms: int) -> None:
        traded, symbol.traded = symbol.traded, False
        for name, (stream, open_ms) in symbol.klines.items():
            current = candle_open(stream.interval, ms)
            if current != open_ms:
                symbol.klines[name] = (stream, current)
                self._kline(index, stream, open_ms, ms, closed=True)
            if traded or current != open_ms:
                self._kline(index, stream, current, ms, closed=False)

    def _kline(self, index: int, stream: Stream, open_ms: int, ms: int, *, closed: bool) -> None:
        candle = self.source.candle(index, stream.interval, open_ms)
        if candle is not None:
            write = frames.kline if stream.kind is Kind.KLINE else frames.continuous
            end = candle_end(stream.interval, open_ms)
            self.publish(stream.name, write(self._writers[index], ms, stream.interval, end, candle, closed))

    def _tell(self, stream: Stream, ms: int) -> None:
        if stream.kind is Kind.ALL_BOOK_TICKERS:
            self._all_touches(stream.name, ms)
        elif stream.symbol is not None:
            text = self._text(stream.kind, self._index[stream.symbol], ms)
            if text is not None:
                self.publish(stream.name, text.encode())
        else:
            one = {Kind.ALL_MARKS: Kind.MARK, Kind.ALL_MINIS: Kind.MINI, Kind.ALL_TICKERS: Kind.TICKER}[stream.kind]
            texts = [self._text(one, index, ms) for index in range(len(self._writers))]
            told = [text for text in texts if text is not None]
            if told:
                self.publish(stream.name, ("[" + ",".join(told) + "]").encode())

    def _text(self, kind: Kind, index: int, ms: int) -> str | None:
        if kind is Kind.MARK:
            mark = self.source.mark(index)
            return frames.mark(self._writers[index].symbol, ms, mark) if mark is not None else None
        day = self.source.day(index)
        if day is None:
            return None
        return (frames.mini if kind is Kind.MINI else frames.ticker)(self._writers[index], ms, day)

    def _all_touches(self, name: str, ms: int) -> None:
        fresh, self._fresh_touches = self._fresh_touches, set()
        for index in sorted(fresh):
            touch = self._symbols[index].touch
            if touch is not None:
                at, update_id, bid, bid_qty, ask, ask_qty = touch
                self.publish(
                    name, frames.book_ticker(self._writers[index], ms, at, update_id, (bid, bid_qty), (ask, ask_qty)))


def _due(before: int, now: int, every: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]."""
    return every <= 0 or before // every != now // every


def _parts(first: int, last: int, steps: int) -> list[tuple[int, int]]:
    """An aggregate's single trades: the market tells how many there were, not their sizes; they are made even."""
    count = max(1, min(last - first + 1, steps))
    part = steps // count
    sizes = [part] * (count - 1) + [steps - part * (count - 1)]
    return list(zip(range(first, first + count), sizes, strict=True))


