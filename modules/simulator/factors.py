"""Where prices stand at each midnight, and the mood of each day: the coarse skeleton of the market.

log price(slot, midnight) = log reference + beta · M + idiosyncratic level + effects of recent events

M (the market factor, BTC's own log price) and the idiosyncratic levels are moving averages of daily shocks
with exponentially falling weights, cut off at WINDOW days: stationary for ever, and a pure function of the
seed and the date, without a beginning to start from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from modules.simulator.events import WINDOW_DAYS, Events, draw_events, effect
from modules.simulator.randomness import generator
from modules.simulator.universe import Calendar, Universe

WINDOW = 120
_TAU_DAYS = 45.0
REGIME_DAYS = 4
SIGMA_MARKET = 0.021  # daily, at an average day
Floats = NDArray[np.float64]

_AGES = np.arange(WINDOW, dtype=np.float64)
#: weight of a shock k days ago in today's level; the taper makes the cut exact
WEIGHTS = np.exp(-_AGES / _TAU_DAYS) * (1.0 - _AGES / WINDOW)


@dataclass(frozen=True, slots=True)
class Day:
    """Shocks and mood of one day."""

    mood: float  # about N(0, 1): the regime, shared by a few days
    market_sigma: float  # of the market factor that day
    market_shock: float
    shocks: Floats  # per slot, in units of the token's own daily sigma
    vol: Floats  # per slot: that day's multiplier of sigma


class Factors:
    """Midnight levels and events of one seed's market."""

    def __init__(self, universe: Universe) -> None:
        # The caches live and die with this object; each is bounded, for a market that runs for months.
        self._universe = universe
        self._seed = universe.seed
        self.day = lru_cache(maxsize=600)(self._make_day)
        self._noise = lru_cache(maxsize=600)(self._make_noise)
        self.events = lru_cache(maxsize=90)(self._make_events)
        self._shock_level = lru_cache(maxsize=80)(self._make_shock_level)
        self._recent = lru_cache(maxsize=12)(self._make_recent)
        self.level = lru_cache(maxsize=40)(self._make_level)

    def _make_noise(self, day: int) -> Floats:
        return generator(self._seed, "vol", day).standard_normal(self._universe.slots)

    def regime(self, day: int) -> tuple[float, float]:
        """(mood, log volatility) of the regime a day lies in, smoothed over its borders."""
        position, within = divmod(day, REGIME_DAYS)
        now = generator(self._seed, "regime", position).standard_normal(2)
        before = generator(self._seed, "regime", position - 1).standard_normal(2)
        weight = (within + 1) / REGIME_DAYS
        mood, wild = weight * now + (1.0 - weight) * before
        return float(mood), float(wild)

    def _make_day(self, day: int) -> Day:
        """Shocks and mood of a day."""
        rng = generator(self._seed, "day", day)
        mood, wild = self.regime(day)
        sigma = SIGMA_MARKET * float(np.exp(0.30 * wild - 0.08 * mood + 0.20 * rng.standard_normal()))
        shock = 0.006 * mood + sigma * float(rng.standard_normal())
        # Volatility of a token clusters over days: a short moving average of its own noise.
        cluster = sum(w * self._noise(day - k) for k, w in enumerate((0.60, 0.50, 0.40, 0.30, 0.22, 0.16)))
        vol = np.exp(0.33 * np.asarray(cluster) + 0.18 * wild - 0.05)
        return Day(mood, sigma, shock, vol * rng.standard_normal(self._universe.slots), vol)

    def _make_shock_level(self, day: int) -> tuple[float, Floats]:
        """(market factor, idiosyncratic levels in sigmas) at midnight before `day`."""
        days = [self.day(day - 1 - k) for k in range(WINDOW)]
        market = float(sum(w * d.market_shock for w, d in zip(WEIGHTS, days, strict=True)))
        levels = np.zeros(self._universe.slots)
        for weight, past in zip(WEIGHTS, days, strict=True):
            levels += weight * past.shocks
        return market, levels

    def market_level(self, day: int) -> float:
        """The market factor at midnight before `day`."""
        return self._shock_level(day)[0]

    def _make_events(self, day: int) -> Events:
        """Events that begin on a day."""
        calendar = self._universe.calendar(day)
        calm = -sum(0.25 * self._noise(day - k) for k in range(1, 5))
        scale = np.clip(calendar.sigma / 0.055, 0.25, 1.7)
        fresh = np.exp(-np.maximum(day - calendar.listed_day, 0) / 6.0)
        hot = calendar.hot * (1.0 + 1.5 * fresh)
        return draw_events(self._seed, day, hot, scale, np.asarray(calm), self.day(day).mood)

    def _make_recent(self, day: int) -> Events:
        """All events that can still have an effect on a day (those that begin on it too)."""
        parts = [self.events(d) for d in range(day - WINDOW_DAYS, day + 1)]
        return Events(*(np.concatenate([getattr(p, name) for p in parts]) for name in Events.__slots__))

    def recent(self, day: int) -> Events:
        """Cached `_make_recent`."""
        return self._recent(day)

    def of_slot(self, slot: int, day: int) -> list[tuple[Events, int]]:
        """Events of one slot that touch a day's minutes: (table, row)."""
        events = self.recent(day)
        return [(events, int(row)) for row in np.flatnonzero(events.slot == slot)]

    def event_level(self, day: int) -> Floats:
        """Sum of event effects on log price at midnight before `day`, per slot."""
        events = self.recent(day)
        values = effect(day * 1440.0 - events.start, events.tau, events.price, fades=True)
        return np.bincount(events.slot, weights=values, minlength=self._universe.slots).astype(np.float64)

    def _make_level(self, day: int, params_day: int) -> Floats:
        """Log prices at midnight before `day`, for the tokens that live on `params_day`."""
        calendar: Calendar = self._universe.calendar(params_day)
        market, levels = self._shock_level(day)
        return calendar.log_ref + calendar.beta * market + calendar.sigma * levels + self.event_level(day)
