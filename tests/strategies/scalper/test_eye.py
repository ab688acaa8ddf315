"""One contract on the feed's memory: what it takes in equals the batch form, and every doubt stops decisions."""

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modules.exchange.feed.reader import Liveness
from modules.exchange.orderbook import layout as at
from modules.exchange.orderbook import ring as rg
from modules.exchange.orderbook.layout import Stale
from modules.strategies.scalper import flow as fl
from modules.strategies.scalper.eye import Eye
from modules.strategies.scalper.flow_batch import Best, Tick, features_of
from modules.strategies.scalper.live import Scalper
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.settings import ScalperSettings

BEGIN = 1_770_000_000_000
LEVELS = 30


class Memory:
    """A book and a ring as the feed's writer leaves them."""

    def __init__(self, size: int = 1024) -> None:
        self.book, self.ring = np.zeros(at.words(64), np.int64), np.zeros(rg.words(size), np.int64)
        self.book[at.CAPACITY], self.book[at.PRICE_SCALE], self.book[at.QTY_SCALE] = 64, 1, 3
        self.book[[at.BID_EDGE, at.ASK_EDGE]] = at.EVERYTHING
        self.ring[rg.SIZE] = size
        self.ms = BEGIN
        self.ticks: list[Tick] = []
        self.bests: list[Best] = []
        self.levels = np.zeros((4, fl.DEPTH), np.int64)

    def depth(self, ms: int, bid: int, bids: "np.ndarray[tuple[int], np.dtype[np.int64]]",
              asks: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        """A whole book: quantities from the best on, a tick apart, the spread one tick."""
        self.book[at.SEQ] += 1
        for side, (first, sizes) in enumerate(((bid, bids), (-bid - 1, asks))):
            low = at.HEADER + 2 * side * 64
            self.book[low:low + LEVELS] = first - np.arange(LEVELS)[::-1]
            self.book[low + 64:low + 64 + LEVELS] = sizes[::-1]
            self.book[at.BIDS + side] = LEVELS
        self.ms, self.book[at.EVENT_MS], self.book[at.LOCAL_NS] = ms, ms, time.monotonic_ns()
        self.book[at.SEQ] += 1
        self.bests.append(Best(ms, bid, int(bids[0]), bid + 1, int(asks[0])))
        self.levels[:] = bid - np.arange(20), bids[:20], bid + 1 + np.arange(20), asks[:20]

    def trade(self, ms: int, price: int, qty: int, sold: bool) -> None:
        number = int(self.ring[rg.WRITTEN])
        place = rg.RING_HEADER + number % int(self.ring[rg.SIZE]) * rg.SLOT
        self.ring[place:place + rg.SLOT] = (number, ms, price, qty, sold, 0)
        self.ring[rg.WRITTEN] = number + 1
        self.ticks.append(Tick(ms, price, qty, sold))


def watching(memory: Memory, **settings: float) -> Eye:
    eye = Eye("BTCUSDT", ScalperSettings(flow_s=2, fast_s=1, max_book_age_s=10, **settings))
    eye._words = (memory.book, memory.ring)
    eye._scales()
    eye.know(np.array([0.0, 0.0, 0.0, 20.0]), BEGIN)
    return eye


def lively(memory: Memory, dice: np.random.Generator, ms: int) -> None:
    for _ in range(int(dice.integers(0, 4))):
        memory.trade(ms - 20, 600_000 + int(dice.integers(-5, 5)), int(dice.integers(1, 90_000)), dice.random() < 0.5)
    memory.depth(ms, 600_000 + int(dice.integers(-3, 4)), dice.integers(1, 500, LEVELS), dice.integers(1, 500, LEVELS))


@pytest.mark.parametrize("seed", range(4))
def test_what_it_sees_of_the_memory_is_the_batch_form(seed: int) -> None:
    memory, dice = Memory(), np.random.default_rng(seed)
    memory.depth(BEGIN, 600_000, np.full(LEVELS, 9), np.full(LEVELS, 9))
    eye = watching(memory)
    eye.look()
    for step in range(1, 60):
        lively(memory, dice, BEGIN + 100 * step)
        assert eye.news()
        eye.look()
        assert not eye.news()
        told = features_of(memory.ticks, memory.bests, memory.levels, memory.ms, eye.terms)
        assert {name: eye.desk.features[place] for place, name in enumerate(fl.NAMES)} == told
    assert eye.code not in (Code.FLOW_NOT_WHOLE, Code.BOOK_STALE)


def ready(seed: int = 1) -> tuple[Memory, Eye, np.random.Generator]:
    memory, dice = Memory(), np.random.default_rng(seed)
    memory.depth(BEGIN, 600_000, np.full(LEVELS, 9), np.full(LEVELS, 9))
    eye = watching(memory)
    for step in range(30):
        eye.look()
        lively(memory, dice, BEGIN + 100 * (step + 1))
    assert eye.look() not in (Code.FLOW_NOT_WHOLE, Code.BOOK_STALE, Code.BOOK_OLD)
    return memory, eye, dice


def test_a_stale_book_decides_nothing_and_leaves_a_hole() -> None:
    memory, eye, dice = ready()
    memory.book[at.STALE] = Stale.GAP
    lively(memory, dice, memory.ms + 100)
    assert eye.look() is Code.BOOK_STALE
    memory.book[at.STALE] = Stale.FRESH
    lively(memory, dice, memory.ms + 100)
    assert eye.look() is Code.FLOW_NOT_WHOLE
    for _ in range(25):
        lively(memory, dice, memory.ms + 100)
        eye.look()
    assert eye.code is not Code.FLOW_NOT_WHOLE


@pytest.mark.parametrize("cell", ["epoch", "missed"])
def test_a_new_epoch_or_a_missed_trade_leaves_a_hole(cell: str) -> None:
    memory, eye, dice = ready()
    if cell == "epoch":
        memory.book[at.EPOCH] += 1
    else:
        memory.ring[rg.MISSED] += 1
    lively(memory, dice, memory.ms + 100)
    assert eye.look() is Code.FLOW_NOT_WHOLE


def test_a_writer_that_died_inside_is_no_book() -> None:
    memory, eye, dice = ready()
    lively(memory, dice, memory.ms + 100)
    memory.book[at.SEQ] += 1
    assert eye.look() is Code.BOOK_STALE and eye.score == 0


def test_an_old_book_is_not_decided_on_but_its_trades_count() -> None:
    memory, eye, dice = ready()
    memory.book[at.LOCAL_NS] -= 11_000_000_000
    before = int(eye.flow.cells[fl.T_TO])
    memory.trade(memory.ms + 5, 600_000, 7, True)
    assert eye.look() is Code.BOOK_OLD
    assert int(eye.flow.cells[fl.T_TO]) == before + 1


def test_trades_that_were_overwritten_leave_a_hole() -> None:
    memory, eye, dice = ready()
    for _ in range(3000):
        memory.trade(memory.ms + 10, 600_000, 5, False)
    memory.depth(memory.ms + 100, 600_000, np.full(LEVELS, 9), np.full(LEVELS, 9))
    assert eye.look() is Code.FLOW_NOT_WHOLE


def test_a_signal_tells_what_each_part_gave() -> None:
    memory, eye, _ = ready()
    for step in range(30):
        memory.trade(memory.ms + 20, 600_000, 90_000, False)
        memory.trade(memory.ms + 30, 600_000, 9_000, False)
        memory.depth(memory.ms + 100, 600_000 + step, np.full(LEVELS, 500), np.full(LEVELS, 20))
        eye.look()
    assert eye.code is Code.OK
    signal = eye.signal()
    assert signal.side == 1 and sum(signal.parts.values()) == pytest.approx(signal.score, abs=1e-3)
    assert (signal.bid, signal.ask) == pytest.approx((60_002.9, 60_003.0))
    assert signal.features["ofi"] > 0.9 and signal.features["delta"] > 0.9 and signal.features["cvd_usdt"] > 0


@pytest.mark.parametrize("seen", [{"trade_stale": Stale.SILENT}, {"trade_stale": Stale.DISCONNECTED},
                                  {"mark_age_s": 5.0}, {}], ids=["silent", "cut", "mark silent", "fresh"])
def test_a_window_is_not_whole_while_the_trade_stream_is_silent(seen: dict[str, Any]) -> None:  # X29
    memory = Memory()
    eye = watching(memory)
    live = replace(Liveness(Stale.FRESH, 0.1, 30.0, 0.1, 0.1), **seen)
    desk: Any = SimpleNamespace(reader=SimpleNamespace(liveness=lambda symbol: live))
    now = BEGIN + 60_000
    eye.flow.cells[fl.NOW], eye.flow.cells[fl.WHOLE_FROM] = now, BEGIN
    Scalper._silence(desk, eye)
    assert int(eye.flow.cells[fl.WHOLE_FROM]) == (now if seen else BEGIN)
