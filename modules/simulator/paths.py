"""One token, one day: 1,440 one-minute candles between two midnight levels.

The path is a Brownian bridge between the levels of `factors`, with volatility that clusters on three scales
(hours, ten minutes, minutes: fat tails come from the mixture), the market factor's own minutes times beta,
and the events on top. The high and low of a minute come from the exact law of a bridge's extremes:
max = (r + sqrt(r² − 2σ² ln U)) / 2 (Karatzas & Shreve, 2.8). Volume grows with volatility and |return|.
Thin tokens have minutes without a trade; in a halt nothing trades and the price jumps at the resumption.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.simulator.events import Events
from modules.simulator.factors import Factors
from modules.simulator.randomness import generator
from modules.simulator.universe import MINUTE_MS, Calendar, Universe

MINUTES = 1440
#: quote volume is counted in 10^-QUOTE_SCALE USDT
QUOTE_SCALE = 4
_TIMES = np.arange(MINUTES + 1, dtype=np.float64)
_SEASON = 0.30 * np.sin((_TIMES[:-1] / MINUTES - 0.375) * 2 * np.pi)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day of one-minute candles: prices in ticks, volume in base steps, quote volume in 10^-4 USDT."""

    open: NDArray[np.int32]
    high: NDArray[np.int32]
    low: NDArray[np.int32]
    close: NDArray[np.int32]
    volume: NDArray[np.int64]
    quote: NDArray[np.int64]


class PathMaker:
    """Makes days of tokens from the factors; pure but for a small cache of the market's own minutes."""

    def __init__(self, universe: Universe, factors: Factors) -> None:
        self._universe = universe
        self._factors = factors
        self._market_rows: OrderedDict[int, Floats] = OrderedDict()

    def market_minutes(self, day: int) -> Floats:
        """The market factor at each minute's end of a day, relative to midnight; MINUTES + 1 values."""
        found = self._market_rows.get(day)
        if found is None:
            found = self._market_rows[day] = self._make_market(day)
            while len(self._market_rows) > 64:
                self._market_rows.popitem(last=False)
        return found

    def _make_market(self, day: int) -> Floats:
        rng = generator(self._universe.seed, "market", day)
        shape = _shape(rng)
        jumps = (rng.random(MINUTES) < 0.0015) * rng.normal(0.0, 6.0, MINUTES)
        sigma = self._factors.day(day).market_sigma / math.sqrt(MINUTES) * shape
        path = np.concatenate(([0.0], np.cumsum(sigma * (rng.standard_normal(MINUTES) + jumps))))
        target = self._factors.market_level(day + 1) - self._factors.market_level(day)
        weight = np.concatenate(([0.0], np.cumsum(sigma**2)))
        result: Floats = path + (target - path[-1]) * weight / weight[-1]
        return result

    def row(self, slot: int, day: int) -> DayRow:
        """The day of a slot's token."""
        calendar = self._universe.calendar(day)
        rng = generator(self._universe.seed, "minutes", slot, day)
        today = self._factors.day(day)
        shape = _shape(rng)
        events = _SlotEvents(self._factors.of_slot(slot, day), day)
        fresh = 1.0 + 1.2 * math.exp(-max(day - int(calendar.listed_day[slot]), 0) / 6.0)
        sigma = float(calendar.sigma[slot] * today.vol[slot]) * fresh / math.sqrt(MINUTES) * shape
        sigma = sigma * np.exp(events.vol)
        noise = sigma * rng.standard_normal(MINUTES)
        start = float(self._factors.level(day, day)[slot])
        end = float(self._factors.level(day + 1, day)[slot])
        market = float(calendar.beta[slot]) * self.market_minutes(day)
        raw = market
        raw[1:] += np.cumsum(noise + _ragged(np.diff(events.price), rng))
        variance = np.cumsum(sigma**2)
        weight = np.concatenate(([0.0], variance / variance[-1])) if variance[-1] > 0 else _TIMES / MINUTES
        path = start + raw + (end - start - raw[-1]) * weight
        path[1:-1] += 0.35 * sigma[:-1] * rng.standard_normal(MINUTES - 1)  # prints bounce around the value
        path[-1] = end
        wiggle = np.sqrt(sigma**2 + (calendar.beta[slot] * today.market_sigma) ** 2 / MINUTES)
        return self._candles(slot, day, calendar, path, wiggle, events, rng)

    def _candles(
        self, slot: int, day: int, calendar: Calendar, path: Floats, sigma: Floats, events: _SlotEvents,
        rng: np.random.Generator,
    ) -> DayRow:
        tick, step = float(calendar.tick[slot]), float(calendar.step[slot])
        moves = np.diff(path)
        quote = self._volume(slot, day, calendar, moves, sigma, events, rng)
        traded = self._traded(slot, day, calendar, quote, rng)
        ends = np.maximum(np.rint(np.exp(path) / tick), 1.0).astype(np.int32)
        last = np.maximum.accumulate(np.where(traded, np.arange(1, MINUTES + 1), 0))
        close = ends[last]
        opened = np.concatenate((ends[:1], close[:-1]))
        spread = -2.0 * sigma**2
        lift = 0.5 * (moves + np.sqrt(moves**2 + spread * np.log(rng.random(MINUTES) + 1e-12)))
        drop = 0.5 * (moves - np.sqrt(moves**2 + spread * np.log(rng.random(MINUTES) + 1e-12)))
        base = path[:-1]
        high = np.rint(np.exp(base + lift) / tick).astype(np.int32)
        low = np.rint(np.exp(base + drop) / tick).astype(np.int32)
        high = np.where(traded, np.maximum(high, np.maximum(opened, close)), close)
        low = np.where(traded, np.maximum(np.minimum(low, np.minimum(opened, close)), 1), close)
        opened = np.where(traded, opened, close)
        price = (opened + high + low + 2.0 * close) / 5.0 * tick
        volume = np.where(traded, np.maximum(np.rint(quote / price / step), 1.0), 0.0)
        worth = np.where(traded, np.maximum(np.rint(volume * step * price * 10**QUOTE_SCALE), 1.0), 0.0)
        return DayRow(opened, high, low, close, volume.astype(np.int64), worth.astype(np.int64))

    def _volume(
        self, slot: int, day: int, calendar: Calendar, moves: Floats, sigma: Floats, events: _SlotEvents,
        rng: np.random.Generator,
    ) -> Floats:
        """Quote volume of each minute, USDT, before empty minutes are taken out."""
        usual = float(np.median(sigma)) + 1e-9
        busy = 0.75 * np.log(sigma / usual + 0.05) + 0.36 * np.minimum(np.abs(moves) / usual, 6.0)
        daily = math.log(float(calendar.adv[slot]) / MINUTES) + 0.7 * math.log(self._factors.day(day).vol[slot])
        noise = 0.50 * rng.standard_normal(MINUTES) - 0.75
        result: Floats = np.exp(daily + _SEASON + busy + noise + events.volume)
        return result

    def _traded(
        self, slot: int, day: int, calendar: Calendar, quote: Floats, rng: np.random.Generator
    ) -> NDArray[np.bool_]:
        """Which minutes see a trade at all. The last one always does, so that midnights join."""
        size = 25.0 + 0.06 * math.sqrt(float(calendar.adv[slot]))
        chance = -np.expm1(-quote / size)
        quote /= np.maximum(chance, 0.05)
        traded = rng.random(MINUTES) < chance
        token = calendar.tokens[slot]
        traded[: max(0, min(MINUTES, token.list_ms // MINUTE_MS - day * MINUTES))] = False
        if token.delist_ms is not None:
            traded[max(0, token.delist_ms // MINUTE_MS - day * MINUTES) :] = False
        halt = self._universe.halt(slot, day)
        if halt is not None:
            traded[halt[0] : halt[1]] = False
        traded[-1] = True
        result: NDArray[np.bool_] = traded
        return result


def _shape(rng: np.random.Generator) -> Floats:
    """Volatility within a day: lognormal on three scales, mean square 1."""
    hours = np.interp(_TIMES[:-1], np.arange(25) * 60.0, rng.standard_normal(25))
    tens = np.repeat(rng.standard_normal(MINUTES // 10), 10)
    log = 0.48 * hours + 0.36 * tens + 0.40 * rng.standard_normal(MINUTES) + 0.5 * _SEASON
    shape = np.exp(log)
    result: Floats = shape / math.sqrt(float(np.mean(shape**2)))
    return result


def _ragged(steps: Floats, rng: np.random.Generator) -> Floats:
    """Event moves in uneven steps: a leg is made by a few minutes, not by a ramp. Ups and downs keep their sums."""
    weights = np.exp(1.1 * rng.standard_normal(MINUTES))
    result = np.zeros(MINUTES)
    for part in (np.maximum(steps, 0.0), np.minimum(steps, 0.0)):
        uneven = part * weights
        total = float(uneven.sum())
        if total != 0.0:
            result += uneven * (float(part.sum()) / total)
    return result


class _SlotEvents:
    """The events of one slot summed over the minutes of one day."""

    __slots__ = ("price", "vol", "volume")

    def __init__(self, rows: list[tuple[Events, int]], day: int) -> None:
        self.price = np.zeros(MINUTES + 1)
        self.volume = np.zeros(MINUTES)
        self.vol = np.zeros(MINUTES)
        for events, row in rows:
            tau = events.tau[row]
            since = day * float(MINUTES) - float(events.start[row])
            if since > tau[-1] or since + MINUTES < 0:
                continue
            times = since + _TIMES
            self.price += np.interp(times, tau, events.price[row], left=0.0)
            middle = times[:-1] + 0.5
            self.volume += np.interp(middle, tau, events.volume[row], left=0.0, right=0.0)
            self.vol += np.interp(middle, tau, events.vol[row], left=0.0, right=0.0)
        np.minimum(self.vol, 1.8, out=self.vol)
        np.minimum(self.volume, 5.0, out=self.volume)
