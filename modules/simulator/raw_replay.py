"""`--replay` of raw frames: plays a recording at its own pace (times the market's speed) into the streams.

Market time is the venue's event time: a frame received at `local` is played at `local + skew`, where the skew is
the largest E − local of the recording's beginning, so that no frame is ever ahead of the market's clock. Played is
from the moment on at which every symbol with depth has its snapshot (30 s in, at the latest): before that no book is
known. Behind a hole in a recording a book is unknown again until the next snapshot, and REST says so. At its end the
streams fall silent and the book stands; `/sim/status` says so.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import chain, islice
from pathlib import Path
from typing import Any

from modules.simulator.raw_replay_market import Agg, ReplaySymbol
from modules.simulator.raw_replay_reader import RawFrame, RecordingError, frames_of, recordings
from modules.simulator.raw_replay_scan import UNDERSTOOD, look, symbol_of
from modules.simulator.sockets.feed import MarketFeed
from modules.simulator.sockets.frames import Candle, Day, Mark, Writer
from modules.simulator.sockets.merger import Levels

log = logging.getLogger(__name__)
_PATIENCE_MS = 30_000  # of the recording are passed over, at most, to have every book at the start
_LOOK = 20_000  # frames at the beginning that tell symbols, decimals and skew


class RawReplay:
    """A recording as the Source of the streams, and what plays it."""

    def __init__(self, files: Sequence[Path], name: str) -> None:
        self.name = name
        self.files = list(files)
        self.played: Counter[str] = Counter()
        self.passed_over: Counter[str] = Counter()
        self.problem = ""
        frames = self._frames()
        head = list(islice(frames, _LOOK))
        scan = look(head)
        if not scan.decimals:
            raise RecordingError(f"recording {name}: no trade, bookTicker, depth or aggTrade frame in it")
        self.skew_ms = scan.skew_ms or 0
        self.native = frozenset(scan.native)
        self._aggregates = scan.aggregates  # symbols whose aggTrades were recorded: none are derived
        self.symbols = {symbol: symbol_of(symbol, scan) for symbol in scan.decimals}
        self._order = {symbol: index for index, symbol in enumerate(self.symbols)}
        self._left: Iterator[RawFrame] = chain(head, frames)
        self._next: RawFrame | None = next(self._left, None)
        self._open: dict[str, Agg] = {}
        self._agg_id: Counter[str] = Counter()
        self._previous: dict[str, int] = {}  # spot recordings: u of the frame before
        self.now_ms = 0
        self.feed: MarketFeed | None = None
        self._send: Callable[[str, bytes], None] = lambda stream, data: None
        self._forward(scan.snapshots)

    @classmethod
    def load(cls, path: Path) -> RawReplay:
        """A file or a folder of recordings. Raises RecordingError."""
        files = recordings(path)
        if not files:
            raise RecordingError(f"recording {path}: no raw frames there. Give another --replay.")
        return cls(files, path.name)

    def connect(self, feed: MarketFeed, send: Callable[[str, bytes], None]) -> None:
        """Where what is played goes: derived streams to the feed, recorded ones straight to `send`."""
        self.feed, self._send = feed, send

    def _frames(self) -> Iterator[RawFrame]:
        streams = [self._guarded(file) for file in self.files]
        return merge(*streams, key=lambda frame: frame.at_ns) if len(streams) > 1 else streams[0]

    def _guarded(self, file: Path) -> Iterator[RawFrame]:
        """A torn end ends the file, not the replay."""
        try:
            yield from frames_of(file)
        except RecordingError as problem:
            self.problem = str(problem)
            log.warning("%s", problem)

    def _forward(self, snapshots: bool) -> None:
        """Silently up to where every symbol with depth has a book."""
        waiting = {symbol for symbol, one in self.symbols.items() if one.has_depth} if snapshots else set()
        frame = self._next
        begin = self._due_ms(frame) if frame is not None else 0
        while waiting and self._next is not None and self._due_ms(self._next) < begin + _PATIENCE_MS:
            frame = self._next
            self._play(frame)
            self._next = next(self._left, None)
            waiting = {symbol for symbol in waiting if not self.symbols[symbol].book.whole}
        for symbol in list(self._open):
            self._close_aggregate(symbol)
        self.start_ms = self._due_ms(self._next) if self._next is not None else begin
        self.now_ms = self.start_ms
        self.played.clear()
        self.passed_over.clear()

    # -- playing -------------------------------------------------------------------------------------------

    @property
    def ended(self) -> bool:
        """Whether everything was played."""
        return self._next is None

    def _due_ms(self, frame: RawFrame) -> int:
        return frame.at_ns // 1_000_000 + self.skew_ms

    def advance(self, ms: int) -> None:
        """Play up to market time `ms`, with a step of the feed at every 100 ms on the way."""
        while self.now_ms < ms:
            edge = min(ms, self.now_ms // 100 * 100 + 100)
            while self._next is not None and self._due_ms(self._next) <= edge:
                self._play(self._next)
                self._next = next(self._left, None)
                if self._next is None:
                    log.warning("replay %s: the recording is over, its streams are silent from now on", self.name)
            for symbol in list(self._open):
                self._close_aggregate(symbol)
            self.now_ms = edge
            if self.feed is not None:
                self.feed.step(edge)

    def _play(self, frame: RawFrame) -> None:
        if not frame.data:
            self.passed_over[frame.stream] += 1
            return
        try:
            content = json.loads(frame.data)
            if not frame.stream:
                self._snapshot(content, frame)
            else:
                self._event(content, frame)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as problem:
            # Recordings hold what the wire held, garbage included: passed over, counted, shown in /sim/status.
            self.passed_over[f"{frame.stream or 'snapshot'}: {type(problem).__name__}"] += 1

    def _snapshot(self, content: dict[str, Any], frame: RawFrame) -> None:
        with_depth = [symbol for symbol, one in self.symbols.items() if one.has_depth and not one.book.whole]
        name = frame.symbol or (with_depth[0] if len(with_depth) == 1 else "")
        if not name:
            found = [s for s in self.symbols if self.symbols[s].has_depth]
            name = found[0] if len(found) == 1 else ""
        if name not in self.symbols:
            self.passed_over["snapshot of an unnamed symbol"] += 1
            return
        one = self.symbols[name]
        if not one.book.whole:  # later ones say nothing that the differences did not
            ms = int(content.get("T", content.get("E", self._due_ms(frame))))
            one.book.snapshot(
                int(content["lastUpdateId"]), ms, _levels(one, content["bids"]), _levels(one, content["asks"]))
        self.played["snapshot"] += 1

    def _event(self, content: dict[str, Any], frame: RawFrame) -> None:
        kind = frame.stream.partition("@")[2]
        self.played[frame.stream] += 1
        if frame.stream in self.native:
            self._send(frame.stream, frame.data)
        if not kind.startswith(UNDERSTOOD):
            return
        one = self.symbols.get(str(content["s"]))
        if one is None:
            self.passed_over["a symbol that came later than the recording's beginning"] += 1
            return
        if kind.startswith("depth"):
            self._depth(one, content, frame)
        elif kind == "trade":
            self._trade(one, content, frame)
        elif kind == "aggTrade":
            self._agg_trade(one, content)
        elif kind == "bookTicker":
            self._touch(one, content, frame)
        elif kind.startswith("markPrice"):
            one.mark = Mark(content["p"], content["i"], content["P"], content["r"], int(content["T"]))

    def _depth(self, one: ReplaySymbol, content: dict[str, Any], frame: RawFrame) -> None:
        first, last = int(content["U"]), int(content["u"])
        symbol = one.writer.symbol
        previous = int(content.get("pu", self._previous.get(symbol, first - 1)))
        self._previous[symbol] = last
        ms = int(content.get("T", content["E"]))
        bids, asks = _levels(one, content["b"]), _levels(one, content["a"])
        one.book.apply(ms, first, last, previous, bids, asks)
        if self.feed is not None:
            self.feed.depth(self._order[symbol], ms, bids, asks, first, last, previous, native=frame.stream)

    def _trade(self, one: ReplaySymbol, content: dict[str, Any], frame: RawFrame) -> None:
        if content.get("X", "MARKET") != "MARKET":
            return  # insurance fund and ADL: in no candle and no aggregate, as the venue has it
        symbol, ms, number = one.writer.symbol, int(content["T"]), int(content["t"])
        tick, steps, maker = one.writer.price.units(content["p"]), one.writer.qty.units(content["q"]), content["m"]
        one.traded(ms, (number, number), tick, steps, maker)
        if frame.stream not in self.native and self.feed is not None:
            self.feed.single(self._order[symbol], ms, number, tick, steps, maker)
        if symbol in self._aggregates:
            return
        open_one = self._open.get(symbol)
        if open_one is not None and (open_one.ms, open_one.tick, open_one.maker) == (ms, tick, maker):
            self._open[symbol] = Agg(
                open_one.id, open_one.first, number, tick, open_one.steps + steps, maker, ms)
            return
        self._close_aggregate(symbol)
        self._agg_id[symbol] += 1
        self._open[symbol] = Agg(self._agg_id[symbol], number, number, tick, steps, maker, ms)

    def _close_aggregate(self, symbol: str) -> None:
        agg = self._open.pop(symbol, None)
        if agg is not None:
            self._tell(symbol, agg, single=False)

    def _agg_trade(self, one: ReplaySymbol, content: dict[str, Any]) -> None:
        agg = Agg(
            int(content["a"]), int(content["f"]), int(content["l"]), one.writer.price.units(content["p"]),
            one.writer.qty.units(content["q"]), content["m"], int(content["T"]))
        trades_too = f"{one.writer.symbol.lower()}@trade" in self.native
        if not trades_too:
            one.traded(agg.ms, (agg.first, agg.last), agg.tick, agg.steps, agg.maker)
        self._tell(one.writer.symbol, agg, single=not trades_too)

    def _tell(self, symbol: str, agg: Agg, *, single: bool) -> None:
        self.symbols[symbol].trades.append(agg)
        if self.feed is not None:
            ids = (agg.id, agg.first, agg.last)
            self.feed.trade(self._order[symbol], agg.ms, ids, agg.tick, agg.steps, agg.maker, single=single)

    def _touch(self, one: ReplaySymbol, content: dict[str, Any], frame: RawFrame) -> None:
        price, qty = one.writer.price.units, one.writer.qty.units
        ms = int(content.get("T", self._due_ms(frame)))
        bid, ask = (price(content["b"]), qty(content["B"])), (price(content["a"]), qty(content["A"]))
        one.touch = (ms, int(content["u"]), *bid, *ask)
        if self.feed is not None:
            self.feed.book_ticker(self._order[one.writer.symbol], ms, int(content["u"]), bid, ask)

    # -- questions (the streams' Source) -------------------------------------------------------------------

    @property
    def writers(self) -> list[Writer]:
        """The symbols."""
        return [one.writer for one in self.symbols.values()]

    def at(self, index: int) -> ReplaySymbol:
        """The symbol at a place."""
        return list(self.symbols.values())[index]

    def book(self, index: int, limit: int) -> tuple[int, int, Levels, Levels]:
        """(last update id, its time, bids, asks)."""
        one = self.at(index)
        bids, asks = one.book.top(limit)
        return one.book.last_id, one.book.ms, bids, asks

    def candle(self, index: int, interval: str, open_ms: int) -> Candle | None:
        """A candle of what was played."""
        return self.at(index).candle(interval, open_ms)

    def day(self, index: int) -> Day | None:
        """24 h figures of what was played."""
        return self.at(index).day(self.now_ms)

    def mark(self, index: int) -> Mark | None:
        """The last one recorded; where none was, none is made up."""
        return self.at(index).mark

    def describe(self) -> dict[str, Any]:
        """For /sim/status: what is recorded, what derived, what was passed over."""
        return {
            "recording": self.name, "symbols": list(self.symbols), "start_ms": self.start_ms, "ended": self.ended,
            "recorded_streams": sorted(self.native), "skew_ms": self.skew_ms, "played": dict(self.played),
            "derived": self._derived(), "passed_over": dict(self.passed_over), "problem": self.problem,
            "book_breaks": {name: one.book.breaks for name, one in self.symbols.items() if one.has_depth},
            "absent": ["accounts and orders", "what is neither recorded nor derived"]}

    def _derived(self) -> dict[str, str]:
        told = {"kline": "from trades, where not recorded; the first candle of each interval begins with the replay"}
        if not self._aggregates:
            told["aggTrade"] = "from trades of the same time, price and side; ids count from 1"
        elif not any(name.endswith("@trade") for name in self.native):
            told["trade"] = "from aggregate trades, sizes made even"
        for name, one in self.symbols.items():
            if one.has_depth:
                have = [s for s in self.native if s.startswith(name.lower() + "@depth")]
                told[f"{name} depth"] = (
                    f"other speeds gathered from {have[0]}" if have else "from a spot recording: pu and T added")
        return told


def _levels(one: ReplaySymbol, texts: list[list[str]]) -> Levels:
    price, qty = one.writer.price.units, one.writer.qty.units
    return [(price(text[0]), qty(text[1])) for text in texts]
