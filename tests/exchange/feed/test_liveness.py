"""Each stream's own clock (X29): what is injected makes the matching part stale, that part alone, and it heals."""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from modules.exchange.feed import page as pages
from modules.exchange.feed.engine import FeedEngine, Units
from modules.exchange.feed.page import Shape
from modules.exchange.feed.reader import FeedReader, Liveness
from modules.exchange.feed.watch import Watch
from modules.exchange.orderbook import trades
from modules.exchange.orderbook.book import opener
from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.messages import Snapshot
from tests.exchange.orderbook.wire import Truth, compact
from utils.paths import Paths

SYMBOL = "BTCUSDT"
SECOND = 1_000_000_000
KINDS = ("depth", "trade", "ticker", "mark", "candle")
SHAPE = Shape(2, 256, 64, 8, ("1m", "15m"))


class Line:
    """A feed without sockets: `pass_s` sends every stream but those in `mute`, and looks as the process does."""

    def __init__(self, home: Path) -> None:
        self.paths = Paths(home).prepare()
        make, _ = opener(compiled=False)
        self.page, self.file = pages.create(self.paths, SHAPE, 1)
        self.engine = FeedEngine(self.page, make, trades.writer(compiled=False))
        self.state = self.engine.add(SYMBOL, Units(1, 1))
        self.watch = Watch(self.engine, stale_after_s=3.0, late_after_s=2.0, silent_after_s=5.0)
        self.truth = Truth(random.Random(5), symbol=SYMBOL)
        self.now = 1000 * SECOND
        self.mute: set[str] = set()
        self.trade_id, self.volume, self.trading = 100, 10.0, True
        self.state.sync.on_snapshot(msgspec.json.decode(self.truth.snapshot(), type=Snapshot), 1000)

    def send(self, stream: str, data: dict[str, Any]) -> None:
        self.engine.on_frame(compact({"stream": f"btcusdt@{stream}", "data": data}), self.now)

    def pass_s(self, seconds: float) -> Liveness:
        """Ten messages of each stream a second; returns what a reader sees then."""
        for step in range(round(seconds * 10)):
            self.now += SECOND // 10
            self._all(step)
            if step % 2 == 0:
                self.watch.look(self.now)
        self.watch.look(self.now)
        return self.seen()

    def _all(self, step: int) -> None:
        truth = self.truth
        frame = truth.frame()
        if "depth" not in self.mute:
            self.engine.on_frame(frame, self.now)
        price = truth.text(truth.middle)
        if self.trading:
            self.trade_id, self.volume = self.trade_id + 1, self.volume + 1
            if "trade" not in self.mute:
                self.send("aggTrade", {"e": "aggTrade", "E": truth.ms, "s": SYMBOL, "a": self.trade_id, "p": price,
                                       "q": "2.0", "f": 1, "l": 1, "T": truth.ms, "m": False})
            for interval in SHAPE.intervals:
                if "candle" not in self.mute and f"kline_{interval}" not in self.mute:
                    self.send(f"kline_{interval}", {"e": "kline", "E": truth.ms, "s": SYMBOL, "k": {
                        "t": 60_000, "T": 119_999, "s": SYMBOL, "i": interval, "f": 1, "L": 2, "o": "1.0", "c": "2.0",
                        "h": "3.0", "l": "0.5", "v": str(self.volume), "n": 2, "x": False, "q": "20", "V": "4",
                        "Q": "8", "B": "0"}})
        if "ticker" not in self.mute:
            bid, ask = truth.text(max(truth.bids)), truth.text(min(truth.asks))
            self.send("bookTicker", {"e": "bookTicker", "u": truth.last_id, "s": SYMBOL, "b": bid, "B": "1.0", "a": ask,
                                     "A": "2.0", "T": truth.ms, "E": truth.ms})
        if "mark" not in self.mute and step % 10 == 0:
            self.send("markPrice@1s", {"e": "markPriceUpdate", "E": truth.ms, "s": SYMBOL, "p": price, "i": price,
                                       "r": "0.0001", "T": truth.ms + 1000})

    def beat(self) -> None:
        """The process lives."""
        self.page.words[pages.H_BEAT_NS] = time.monotonic_ns()

    def join(self) -> None:
        """What was missed of depth is a gap: only a snapshot joins it again."""
        self.pass_s(1)
        self.state.sync.on_snapshot(msgspec.json.decode(self.truth.snapshot(), type=Snapshot), 1000)

    def seen(self) -> Liveness:
        reader = FeedReader(self.paths)
        self.beat()
        return reader.liveness(SYMBOL)

    def stale(self) -> dict[str, Stale]:
        """Every part that is not fresh."""
        return told(self.seen())


def told(seen: Liveness) -> dict[str, Stale]:
    verdicts = (seen.stale, seen.trade_stale, seen.ticker_stale, seen.mark_stale, seen.candle_stale)
    return {kind: one for kind, one in zip(KINDS, verdicts, strict=True) if one is not Stale.FRESH}


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    monkeypatch.setattr("modules.exchange.feed.reader.BEAT_WITHIN_S", 600.0)  # whatever this machine is busy with
    one = Line(tmp_path)
    yield one
    one.file.unlink(missing_ok=True)


def test_nothing_is_fresh_before_it_was_heard(line: Line) -> None:
    assert {kind: reason for kind, reason in line.stale().items() if kind != "depth"} == dict.fromkeys(
        KINDS[1:], Stale.STARTING)
    line.mute = {"ticker"}
    assert told(line.pass_s(2)) == {"ticker": Stale.STARTING}
    line.mute = set()
    assert not told(line.pass_s(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_falls_silent_makes_its_own_part_stale_and_heals(line: Line, kind: str) -> None:
    assert not told(line.pass_s(3))
    line.mute = {kind}
    assert told(line.pass_s(8)) == {kind: Stale.SILENT}
    line.mute = set()
    if kind == "depth":
        line.join()
    assert not told(line.pass_s(2))


def test_one_interval_of_candles_is_enough(line: Line) -> None:
    line.pass_s(3)
    line.mute = {"kline_15m"}
    assert told(line.pass_s(8)) == {"candle": Stale.SILENT}
    reader = FeedReader(line.paths)
    assert reader.candles(SYMBOL, "15m").stale is Stale.SILENT and reader.candles(SYMBOL, "1m").stale is Stale.FRESH


def test_a_quiet_market_is_not_a_silent_stream(line: Line) -> None:
    line.pass_s(3)
    line.trading = False
    assert not told(line.pass_s(60)), "no trades, no candles, and nothing that says there were any"


def test_who_decides_by_trades_is_told_when_they_may_be_missing(line: Line) -> None:
    def silent(seconds: float) -> bool:
        return replace(line.pass_s(seconds), mark_age_s=0.1).trades_silent  # the line has a clock of its own

    assert not silent(3)
    line.mute = {"trade"}
    assert silent(8), "candles tell of trades that did not come; the mark price speaks"
    line.mute = set()
    assert not silent(3)
    assert replace(line.seen(), mark_age_s=5.0).trades_silent


def test_a_dead_socket_family_puts_all_of_it_in_doubt(line: Line) -> None:
    line.pass_s(3)
    line.mute, line.trading = {"trade", "mark", "candle"}, True
    assert told(line.pass_s(8)) == dict.fromkeys(("trade", "mark", "candle"), Stale.SILENT)
    line.mute = {"depth", "ticker"}
    assert set(told(line.pass_s(8))) == {"depth", "ticker"}


@pytest.mark.parametrize(("stream", "kind"), [
    ("aggTrade", "trade"), ("bookTicker", "ticker"), ("markPrice@1s", "mark"), ("kline_1m", "candle"),
    ("depth@100ms", "depth")])
@pytest.mark.parametrize("reason", [Stale.DISCONNECTED, Stale.MALFORMED_FRAME])
def test_a_cut_line_is_doubt_until_the_stream_speaks_again(line: Line, stream: str, kind: str, reason: Stale) -> None:
    line.pass_s(3)
    line.engine.doubt([f"btcusdt@{stream}"], reason)
    assert line.stale() == {kind: reason}, "at once, not at the next look"
    line.mute = {kind}
    assert told(line.pass_s(1)) == {kind: reason}
    line.mute = set()
    if kind == "depth":
        line.join()
    assert not told(line.pass_s(1.5))


def test_garbage_puts_everything_that_its_socket_carries_in_doubt(line: Line) -> None:
    line.pass_s(3)
    line.engine.on_frame(b'{"str\x00eam":', line.now, line.engine.streams_of(SYMBOL))
    assert line.stale() == dict.fromkeys(KINDS, Stale.MALFORMED_FRAME)
    assert not told(line.pass_s(1.5))


def test_flow_of_a_stale_stream_is_not_whole_and_nothing_is_fresh_of_a_dead_feed(line: Line) -> None:
    line.pass_s(3)
    reader = FeedReader(line.paths)
    line.beat()
    since = line.truth.ms - 1000
    assert reader.window(SYMBOL, since, 1e9).whole
    line.engine.doubt(["btcusdt@aggTrade"], Stale.DISCONNECTED)
    assert not reader.window(SYMBOL, since, 1e9).whole
    line.pass_s(0.5)
    assert reader.ticker(SYMBOL).stale is Stale.FRESH and reader.window(SYMBOL, since, 1e9).whole
    line.page.words[pages.H_BEAT_NS] = 0
    assert told(reader.liveness(SYMBOL)) == dict.fromkeys(KINDS, Stale.SILENT)
    assert reader.ticker(SYMBOL).mark_stale is Stale.SILENT and not reader.window(SYMBOL, since, 1e9).whole
