"""LWMA, SAR, CCI and the signal made of them; state over restarts and gaps."""

import random

import msgspec
import numpy as np
import pytest
import talib

from modules.strategies.grid import indicators as i
from modules.strategies.grid.backtest import signals_over
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.signals import Candle, Signals, advanced, needs_fill

HOUR = 3_600_000
BEGIN = 480_000 * HOUR


def made(count: int, seed: int = 1) -> list[Candle]:
    """A random walk of hourly candles."""
    draw, price, found = random.Random(seed), 100.0, []
    for place in range(count):
        opened, price = price, price * (1 + draw.gauss(0, 0.01))
        high, low = max(opened, price) * (1 + draw.random() * 0.005), min(opened, price) * (1 - draw.random() * 0.005)
        found.append(Candle(BEGIN + place * HOUR, opened, high, low, price))
    return found


def column(candles: list[Candle], name: str) -> "np.ndarray":
    """One column."""
    return np.array([getattr(one, name) for one in candles])


class SeedSar:
    """The seed's own arithmetic, called with all candles so far, as an oracle."""

    def __init__(self) -> None:
        self.sar: float | None = None

    def calculate(self, candles: list[Candle]) -> float:
        now, before = candles[-1], candles[-2]
        if self.sar is None:
            recent = candles[-5:]
            up = now.close > before.close
            highest, lowest = max(c.high for c in recent), min(c.low for c in recent)
            self.trend, self.ep, self.sar = (1, highest, lowest) if up else (-1, lowest, highest)
            self.af = 0.1
            return self.sar
        new = self.sar + self.af * (self.ep - self.sar)
        if self.trend == 1:
            new = min(new, before.low, candles[-3].low if len(candles) > 2 else before.low)
            if now.low < new:
                self.trend, self.sar, self.ep, self.af = -1, self.ep, now.low, 0.1
            else:
                if now.high > self.ep:
                    self.ep, self.af = now.high, min(self.af + 0.1, 0.8)
                self.sar = new
        else:
            new = max(new, before.high, candles[-3].high if len(candles) > 2 else before.high)
            if now.high > new:
                self.trend, self.sar, self.ep, self.af = 1, self.ep, now.high, 0.1
            else:
                if now.low < self.ep:
                    self.ep, self.af = now.low, min(self.af + 0.1, 0.8)
                self.sar = new
        return self.sar


def test_lwma_is_talibs_wma_and_cci_is_talibs() -> None:
    some = made(300)
    high, low, close = column(some, "high"), column(some, "low"), column(some, "close")
    weighted, typical = (high + low + 2 * close) / 4, (high + low + close) / 3
    wma, cci = talib.WMA(weighted, 7), talib.CCI(high, low, close, 20)
    for end in range(30, 300):
        assert i.lwma(weighted, end + 1, 7) == pytest.approx(wma[end], rel=1e-12)
        assert i.cci(typical, end + 1, 20) == pytest.approx(cci[end], rel=1e-6, abs=1e-6)
    assert i.cci([5.1] * 20, 20, 20) == 0


def test_sar_is_the_seeds() -> None:
    some, oracle, state = made(400, 3), SeedSar(), Signals()
    for place, candle in enumerate(some):
        state = advanced(state, [candle], GridSettings())
        if place >= 4:
            assert state.sar[0] == oracle.calculate(some[:place + 1])
            assert state.trend == oracle.trend


def test_state_over_a_restart_equals_one_without() -> None:
    some, settings = made(120), GridSettings(cci_period=14)
    whole = advanced(Signals(), some, settings)
    half = msgspec.json.decode(msgspec.json.encode(advanced(Signals(), some[:60], settings)), type=Signals)
    assert advanced(half, some[40:], settings) == whole  # those already seen are passed over, the missed rolled through
    assert whole.restarts == 0


def test_a_gap_begins_anew_and_asks_for_the_past() -> None:
    some, settings = made(300), GridSettings()
    before = advanced(Signals(), some[:50], settings)
    assert needs_fill(before, some[60:], settings) and not needs_fill(before, some[49:], settings)
    assert needs_fill(Signals(), some[:5], settings)
    after = advanced(before, some[60:260], settings)
    assert after.restarts == 1
    assert after.sar == advanced(Signals(), some[60:260], settings).sar


@pytest.mark.parametrize(("before", "now", "signal"), [
    (99, 100, i.SELL), (99, 101, i.SELL), (100, 101, 0), (-99, -100, i.BUY), (-100, -101, 0), (0, 50, 0), (101, 99, 0)])
def test_cci_crossings(before: float, now: float, signal: int) -> None:
    assert i.crossing(before, now, -100, 100) == signal


def test_cci_crossing_overrides_and_its_absence_leaves_the_signal() -> None:
    some = made(200, 5)
    plain, state, crossed = Signals(), Signals(), 0
    settings = GridSettings(cci_period=20)
    for candle in some:
        before = state.cci
        plain, state = advanced(plain, [candle], GridSettings()), advanced(state, [candle], settings)
        cross = i.crossing(before, state.cci, -100, 100) if before is not None and state.cci is not None else 0
        crossed += cross != 0
        assert state.signal == (cross or plain.signal)
    assert crossed > 3


def test_sar_above_the_average_buys_and_reverse_turns_it() -> None:
    assert i.signal_of(100, 101, False) == i.BUY == i.signal_of(100, 99, True)
    assert i.signal_of(100, 99, False) == i.SELL == i.signal_of(100, 101, True)
    assert i.signal_of(100, 100, False) == 0


@pytest.mark.parametrize("cci", [0, 20])
def test_signals_of_the_backtest_are_those_of_the_session(cci: int) -> None:
    some = made(150, 7)
    del some[80:83]
    settings = GridSettings(cci_period=cci)
    state, live = Signals(), []
    for candle in some:
        state = advanced(state, [candle], settings)
        live.append(state.signal)
    found = signals_over(column(some, "time"), column(some, "high"), column(some, "low"), column(some, "close"), HOUR,
                         7, (0.1, 0.8), False, True, (cci, -100.0, 100.0))
    assert found.tolist() == live


@pytest.mark.parametrize("bad", [
    Candle(BEGIN, 1, float("nan"), 1, 1), Candle(BEGIN, 1, 2, 0, 1), Candle(BEGIN, 3, 2, 1, 1)])
def test_a_candle_that_cannot_be_is_refused(bad: Candle) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        advanced(Signals(), [bad], GridSettings())


def test_candles_out_of_order_are_refused() -> None:
    some = made(3)
    with pytest.raises(ValueError, match="oldest first"):
        advanced(Signals(), [some[1], some[0]], GridSettings())
