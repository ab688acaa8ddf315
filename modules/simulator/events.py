"""What happens to single tokens: pumps that run or collapse, empty volume surges, dumps, trends, rebounds.

An event is a small table of knots: minutes since its start → log price, log volume, log volatility, and how
much of the taker flow buys. Between knots everything is linear; after the last knot the price effect fades
away within WINDOW_DAYS. Each has a latent `quality`: it shifts the odds that a pump runs *and*, with noise,
what can be seen beforehand (length and size of the volume surge, book support). So a filter can learn
something and is still wrong often.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from modules.simulator.randomness import generator

KNOTS = 8
WINDOW_DAYS = 20
FADE_MINUTES = 4 * 1440.0
RATE_PER_DAY = 0.65  # events a day on the average token
Floats = NDArray[np.float64]


class Kind(IntEnum):
    """What an event is. The share of each is in SHARES."""

    PUMP = 0
    FAKE = 1
    DUMP = 2
    TREND = 3
    BLEED = 4
    REBOUND = 5


SHARES = (0.46, 0.12, 0.14, 0.11, 0.10, 0.07)


@dataclass(frozen=True, slots=True)
class Events:
    """Events that begin within one day; all arrays have one row each."""

    slot: NDArray[np.int64]
    kind: NDArray[np.int64]
    start: Floats  # absolute minute
    quality: Floats
    runs: NDArray[np.bool_]  # pumps: does it run
    tau: Floats  # (n, KNOTS) minutes since start, rising
    price: Floats  # (n, KNOTS) log price effect
    volume: Floats  # (n, KNOTS) log multiplier of volume
    vol: Floats  # (n, KNOTS) log multiplier of volatility
    buys: Floats  # (n, KNOTS) shift of the buyers' share of taker flow

    def __len__(self) -> int:
        return len(self.slot)


def draw_events(seed: int, day: int, hot: Floats, scale: Floats, calm: Floats, mood: float) -> Events:
    """The events of one day.

    hot: rate of each slot against the average; scale: size of its moves; calm: how quiet it has been
    (standardised); mood: the market's regime that day, about N(0, 1).
    """
    rng = generator(seed, "events", day)
    rate = RATE_PER_DAY * hot * np.exp(0.20 * mood)
    counts = np.minimum(rng.poisson(rate), 3)
    slot = np.repeat(np.arange(len(hot)), counts)
    n = len(slot)
    kind = np.searchsorted(np.cumsum(SHARES)[:-1], rng.random(n), side="right").astype(np.int64)
    start = day * 1440.0 + np.floor(rng.random(n) * 1440.0)
    quality = rng.standard_normal(n)
    score = -1.20 + 2.20 * quality + 0.45 * mood + 0.45 * calm[slot]
    runs = rng.random(n) < 1.0 / (1.0 + np.exp(-score))
    tables = [np.zeros((n, KNOTS)) for _ in range(5)]
    makers = (_pump, _fake, _dump, _trend, _bleed, _rebound)
    for code, make in enumerate(makers):
        rows = np.flatnonzero(kind == code)
        if len(rows):
            made = make(rng, len(rows), quality[rows], runs[rows], scale[slot[rows]])
            for table, part in zip(tables, made, strict=True):
                table[rows] = part
    tables[0] = np.cumsum(tables[0], axis=1)
    return Events(slot, kind, start, quality, runs & (kind == Kind.PUMP), *tables)


def effect(tau: Floats, knots: Floats, values: Floats, fades: bool) -> Floats:
    """Values of events (rows) at `tau` minutes after their starts (same length), fading after the last knot."""
    result = np.where(tau < 0, 0.0, values[:, -1])
    for k in range(KNOTS - 1):
        left, right = knots[:, k], knots[:, k + 1]
        inside = (tau >= left) & (tau < right)
        weight = (tau - left) / np.maximum(right - left, 1e-9)
        result = np.where(inside, values[:, k] + weight * (values[:, k + 1] - values[:, k]), result)
    if fades:
        age = np.maximum(tau - knots[:, -1], 0.0)
        result = result * np.exp(-age / FADE_MINUTES) * np.maximum(1.0 - age / (WINDOW_DAYS * 1440.0 - 1.0), 0.0)
    return result


def _columns(*columns: Floats | float, n: int) -> Floats:
    return np.stack([np.broadcast_to(np.asarray(c, dtype=np.float64), (n,)) for c in columns], axis=1)


_Made = tuple[Floats, Floats, Floats, Floats, Floats]


def _pump(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """Volume first, then the first leg; then it runs on (after a pullback) or gives the move back."""
    early = np.clip(np.exp(rng.normal(np.log(7.0) + 0.70 * q, 0.30)), 2.0, 40.0)
    leg = np.clip(np.exp(rng.normal(np.log(5.0) + 0.25 * q, 0.40)), 2.0, 18.0)
    first = np.clip(0.046 * scale * np.exp(rng.normal(0.0, 0.40, n)), 0.012, 0.25)
    surge = np.log(3.2) + 0.55 * q + rng.normal(0.0, 0.30, n)
    peak = np.log(13.0) + 0.40 * q + rng.normal(0.0, 0.35, n)
    pull = rng.uniform(0.10, 0.55, n) * first
    second = np.clip(0.085 * scale * np.exp(rng.normal(0.0, 0.65, n)), 0.01, 0.9)
    length = np.clip(np.exp(rng.normal(np.log(75.0), 0.7, n)), 12.0, 420.0)
    top = first + second
    kept = top * (1.0 - rng.uniform(0.25, 0.75, n))
    extra = rng.uniform(0.0, 0.30, n) * first
    low = first * (1.0 - rng.uniform(0.75, 1.35, n))
    fall = np.clip(np.exp(rng.normal(np.log(28.0), 0.7, n)), 5.0, 150.0)
    tau = _columns(
        0.0, early * 0.5, early * 0.5, leg,
        np.where(runs, rng.uniform(4.0, 15.0, n), rng.uniform(1.0, 7.0, n)),
        np.where(runs, length, fall),
        np.where(runs, rng.uniform(90.0, 330.0, n), rng.uniform(40.0, 120.0, n)),
        np.where(runs, 240.0, 120.0), n=n)
    price = _columns(
        0.0, 0.02 * first, 0.12 * first, first,
        np.where(runs, first - pull, first + extra),
        np.where(runs, top, low),
        np.where(runs, kept, low * 0.8),
        np.where(runs, kept * 0.95, low * 0.6), n=n)
    volume = _columns(
        0.4, surge, surge + 0.2, peak,
        np.where(runs, peak - 0.35 + 0.15 * q, peak - 0.2),
        np.where(runs, peak - 0.4, peak - 0.7),
        np.where(runs, 1.2, 0.9), 0.0, n=n)
    vol = _columns(0.0, 0.3, 0.5, 1.0, 1.0, np.where(runs, 0.8, 0.9), 0.5, 0.0, n=n)
    buys = _columns(
        0.0, 0.10 + 0.05 * q, 0.12 + 0.05 * q, 0.22, np.where(runs, 0.06, -0.02),
        np.where(runs, 0.10, -0.15), -0.05, 0.0, n=n)
    return tau, price, volume, vol, buys


def _fake(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """A surge of volume with hardly any move: volume alone is not a signal."""
    span = np.clip(np.exp(rng.normal(np.log(4.0), 0.5, n)), 1.0, 15.0)
    surge = np.log(4.0) + rng.normal(0.0, 0.45, n)
    end = rng.normal(0.0, 0.010, n) * scale
    tau = _columns(0.0, span, span, span, span, span * 2, 20.0, 60.0, n=n)
    price = _columns(0.0, 0.2 * end, 0.5 * end, end, end, end, end, end, n=n)
    volume = _columns(0.3, surge, surge + 0.1, surge, surge - 0.2, surge * 0.5, 0.2, 0.0, n=n)
    vol = _columns(0.0, 0.3, 0.4, 0.4, 0.3, 0.1, 0.0, 0.0, n=n)
    return tau, price, volume, vol, _columns(*([0.0] * KNOTS), n=n)


def _dump(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """A fall within minutes, part of which comes back."""
    leg = np.clip(np.exp(rng.normal(np.log(6.0), 0.5, n)), 2.0, 25.0)
    depth = -np.clip(0.060 * scale * np.exp(rng.normal(0.0, 0.5, n)), 0.015, 0.5)
    back = rng.uniform(0.0, 0.55, n)
    peak = np.log(9.0) + rng.normal(0.0, 0.35, n)
    tau = _columns(0.0, 1.0, leg * 0.5, leg * 0.5, rng.uniform(5, 30, n), rng.uniform(30, 120, n), 120.0, 240.0, n=n)
    price = _columns(
        0.0, 0.05 * depth, 0.5 * depth, depth, depth * 0.95, depth * (1 - back), depth * (1 - back),
        depth * (1 - back) * 0.9, n=n)
    volume = _columns(0.2, 1.0, peak, peak, peak - 0.5, 1.0, 0.4, 0.0, n=n)
    vol = _columns(0.0, 0.6, 1.0, 1.1, 0.9, 0.6, 0.2, 0.0, n=n)
    return tau, price, volume, vol, _columns(0.0, -0.15, -0.25, -0.2, 0.0, 0.05, 0.0, 0.0, n=n)


def _trend(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """Hours of steady growth on raised volume."""
    hours = rng.uniform(3.0, 14.0, n) * 60.0
    gain = np.clip(0.12 * scale * np.exp(rng.normal(0.0, 0.45, n)), 0.03, 0.6)
    kept = gain * rng.uniform(0.3, 0.8, n)
    raised = np.log(2.4) + rng.normal(0.0, 0.3, n)
    tau = _columns(0.0, hours * 0.2, hours * 0.3, hours * 0.3, hours * 0.2, 120.0, 360.0, 720.0, n=n)
    price = _columns(0.0, 0.15 * gain, 0.5 * gain, 0.85 * gain, gain, gain * 0.92, kept, kept * 0.9, n=n)
    volume = _columns(0.2, raised, raised, raised, raised, 0.7, 0.3, 0.0, n=n)
    vol = _columns(0.0, 0.2, 0.2, 0.2, 0.3, 0.3, 0.1, 0.0, n=n)
    return tau, price, volume, vol, _columns(0.0, 0.08, 0.08, 0.08, 0.04, -0.04, -0.02, 0.0, n=n)


def _bleed(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """Hours of slow decline."""
    hours = rng.uniform(4.0, 18.0, n) * 60.0
    loss = -np.clip(0.11 * scale * np.exp(rng.normal(0.0, 0.45, n)), 0.03, 0.5)
    kept = loss * rng.uniform(0.4, 0.9, n)
    tau = _columns(0.0, hours * 0.2, hours * 0.3, hours * 0.3, hours * 0.2, 180.0, 360.0, 720.0, n=n)
    price = _columns(0.0, 0.2 * loss, 0.55 * loss, 0.9 * loss, loss, loss * 0.95, kept, kept * 0.9, n=n)
    volume = _columns(0.1, 0.5, 0.5, 0.5, 0.5, 0.2, 0.1, 0.0, n=n)
    vol = _columns(0.0, 0.1, 0.1, 0.2, 0.2, 0.1, 0.0, 0.0, n=n)
    return tau, price, volume, vol, _columns(0.0, -0.06, -0.06, -0.06, -0.04, 0.0, 0.0, 0.0, n=n)


def _rebound(rng: np.random.Generator, n: int, q: Floats, runs: NDArray[np.bool_], scale: Floats) -> _Made:
    """A sharp fall that is bought back within two hours: what `revival` looks for."""
    depth = -np.clip(0.085 * scale * np.exp(rng.normal(0.0, 0.4, n)), 0.02, 0.5)
    back = rng.uniform(0.5, 1.25, n)
    peak = np.log(8.0) + rng.normal(0.0, 0.3, n)
    tau = _columns(
        0.0, 4.0, rng.uniform(4, 12, n), rng.uniform(5, 40, n), rng.uniform(10, 30, n), rng.uniform(20, 80, n),
        120.0, 360.0, n=n)
    price = _columns(
        0.0, 0.4 * depth, depth, depth * 0.92, depth * (1 - 0.5 * back), depth * (1 - back),
        depth * (1 - back), depth * (1 - back) * 0.9, n=n)
    volume = _columns(0.2, peak - 0.4, peak, 1.4, peak - 0.3, peak - 0.8, 0.5, 0.0, n=n)
    vol = _columns(0.0, 0.8, 1.1, 0.7, 0.8, 0.6, 0.2, 0.0, n=n)
    return tau, price, volume, vol, _columns(0.0, -0.2, -0.2, 0.0, 0.15, 0.12, 0.0, 0.0, n=n)
