"""Prices and flow of all contracts at once: numpy arrays over symbols, one call for each slice of market time.

State of a contract: log price, log volatility (mean-reverting, clustering), flow imbalance in (−1, 1), activity.
What moves a price in a slice of dt seconds:

    r = σ √dt (β z_market + √(1 − β²/2) z_own) + EDGE σ imbalance dt + burst(dt)

with σ per √second from the volatility state times the market regime (calm, normal, wild). The *planted relation*
for tests of signals: the imbalance decays with FLOW_TAU_S and drifts the price by EDGE σ per second while it lasts,
so the expected log return after an imbalance I over a long horizon is EDGE σ I FLOW_TAU_S. Books lean and takers
side with the same imbalance. EDGE = 0 plants nothing. Bursts are pumps and dumps: a drift that dies out.
The draws of a slice depend on the seed and the count of slices alone, never on what users do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.simulator.perp.specs import Character
from modules.simulator.randomness import generator

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EDGE = 0.06
FLOW_TAU_S = 120.0
EPISODES_A_DAY = 14.0  # of leaning flow, for each contract
BURSTS_A_DAY = 0.7
PREMIUM_TAU_S = 5400.0
PREMIUM_SD = 2.5e-4
VOL_TAU_S = 5400.0
VOL_SD = 0.45
REGIMES = (0.65, 1.0, 1.9)
REGIME_S = 7200.0  # mean stay
PRINTS_CAP = 40  # of one contract in a slice of 100 ms
FORCED_SHARE = 0.003  # of takers, in a market of mean volatility
FAST_CAP = 12  # in a longer one; prints grow instead


@dataclass(slots=True)
class Taken:
    """Takers of one slice, in order of time: contract, side (+1 buys), size in USDT, moment 0 … 1 of the slice."""

    index: list[int]
    sign: list[int]
    quote: list[float]
    when: list[float]


class Model:
    """The market model. `log_price` is the perpetual's fair price; the books follow it."""

    def __init__(self, characters: list[Character], seed: int, edge: float = EDGE) -> None:
        count = len(characters)
        self.edge = edge
        self._rng = generator(seed, "perp-model")
        self.log_price: Floats = np.log(np.array([c.price for c in characters]))
        self.sigma: Floats = np.array([c.sigma_day for c in characters]) / math.sqrt(86_400.0)  # per √second
        self.beta: Floats = np.array([c.beta for c in characters]) * 0.75
        self._own = np.sqrt(np.maximum(0.2, 1 - self.beta**2 / 2))
        self.turnover: Floats = np.array([c.turnover for c in characters])
        # Takers a second: 25 for BTC's 12 G$ a day, 0.5 for 50 M$.
        self.rate: Floats = np.clip(0.5 * (self.turnover / 5e7) ** 0.72, 0.15, 25.0)
        self._mean_quote = self.turnover / 86_400.0 / self.rate
        self.log_vol: Floats = self._rng.normal(0.0, VOL_SD, count)
        self.imbalance: Floats = self._rng.normal(0.0, 0.12, count)
        self.lean: Floats = np.zeros(count)  # episode's pull on the imbalance
        self.lean_left: Floats = np.zeros(count)
        self.burst: Floats = np.zeros(count)  # drift per second, dies out
        self.premium: Floats = self._rng.normal(0.0, PREMIUM_SD, count)
        self.basis: Floats = np.zeros(count)
        self._move: Floats = np.zeros(count)  # of the last slice
        self.regime = 1
        self.count = count

    def advance(self, dt: float) -> None:
        """Move everything by dt seconds."""
        rng, n = self._rng, self.count
        z = rng.standard_normal((6, n))
        u = rng.random((3, n))
        self._regime(dt)
        keep = math.exp(-dt / VOL_TAU_S)
        self.log_vol = self.log_vol * keep + z[0] * VOL_SD * math.sqrt(1 - keep * keep)
        self._episodes(dt, u, z[1])
        keep = math.exp(-dt / FLOW_TAU_S)
        noise = 0.13 * math.sqrt(1 - keep * keep)
        self.imbalance = np.clip(self.imbalance * keep + (1 - keep) * self.lean + z[2] * noise, -0.95, 0.95)
        sigma = self.volatility()
        common = float(rng.standard_normal())
        move = sigma * math.sqrt(dt) * (self.beta * common + self._own * z[3])
        move += self.edge * sigma * self.imbalance * dt + self.burst * dt
        self.burst *= math.exp(-dt / 240.0)
        self.log_price += move
        self._move = move
        keep = math.exp(-dt / PREMIUM_TAU_S)
        pull = 0.4 * PREMIUM_SD * np.sign(self.burst)
        self.premium = (
            self.premium * keep + (1 - keep) * (5e-5 + pull) + z[4] * PREMIUM_SD * math.sqrt(1 - keep * keep))
        keep = math.exp(-dt / 60.0)
        self.basis = self.basis * keep + z[5] * 4e-5 * math.sqrt(1 - keep * keep)

    def volatility(self) -> Floats:
        """σ per √second, now."""
        scale = REGIMES[self.regime] * (1.0 + np.minimum(2.0, np.abs(self.burst) / self.sigma * 0.2))
        return self.sigma * np.exp(self.log_vol - VOL_SD * VOL_SD) * scale

    def _regime(self, dt: float) -> None:
        draw = float(self._rng.random())
        if draw < dt / REGIME_S:
            self.regime = (0, 1, 1, 2)[int(draw / (dt / REGIME_S) * 4)]

    def _episodes(self, dt: float, u: Floats, z: Floats) -> None:
        self.lean_left -= dt
        begins = u[0] < EPISODES_A_DAY * dt / 86_400.0
        ends = (self.lean_left <= 0) & (self.lean != 0)
        if ends.any():
            self.lean[ends] = 0.0
        if begins.any():
            self.lean[begins] = np.where(u[1] < 0.5, -1.0, 1.0)[begins] * (0.45 + 0.4 * u[2][begins])
            self.lean_left[begins] = 240.0 + 480.0 * u[1][begins]
        bursts = (u[0] > 1.0 - BURSTS_A_DAY * dt / 86_400.0)
        if bursts.any():
            self.burst[bursts] = (np.sign(z) * self.sigma * (0.25 + 0.5 * u[2]))[bursts]

    def activity(self) -> Floats:
        """Takers a second, now: more in volatile times, in episodes and in bursts."""
        busy = np.exp(0.8 * self.log_vol) * REGIMES[self.regime]
        busy *= 1.0 + 2.2 * np.abs(self.lean) + np.minimum(6.0, np.abs(self.burst) / self.sigma * 8.0)
        result: Floats = self.rate * busy
        return result

    def takers(self, dt: float) -> Taken:
        """Market orders of the next dt seconds."""
        rng = self._rng
        expected = self.activity() * dt
        cap = PRINTS_CAP if dt <= 0.1 else FAST_CAP
        counts = np.minimum(rng.poisson(np.minimum(expected, 1e6)), cap)
        total = int(counts.sum())
        index = np.repeat(np.arange(self.count), counts)
        u = rng.random((2, total))
        size = np.exp(rng.standard_normal(total) * 1.5 - 1.125)  # mean 1, heavy tail
        more = np.maximum(1.0, expected / cap)[index]  # what the cap holds together
        buys = u[0] < 0.5 + 0.45 * self.imbalance[index]
        order = np.argsort(u[1], kind="stable")
        quote = self._mean_quote[index] * size * more
        sign = np.where(buys, 1, -1)
        return Taken(index[order].tolist(), sign[order].tolist(), quote[order].tolist(), u[1][order].tolist())

    def liquidations(self, dt: float) -> list[tuple[int, int, float]]:
        """Forced takers of the last slice: (contract, sign, USDT); the wilder its move, the more of them."""
        u = self._rng.random((2, self.count))
        wild = np.abs(self._move) / (self.sigma * math.sqrt(dt))
        hit = np.flatnonzero(u[0] < np.minimum(0.5, self.rate * dt * FORCED_SHARE * wild**2))
        size = self._mean_quote * (2.0 + 30.0 * u[1] ** 4)
        return [(i, 1 if self._move[i] > 0 else -1, float(size[i])) for i in hit.tolist()]

    def jump(self, index: int, factor: float) -> None:
        """Move one price at once (an act)."""
        self.log_price[index] += math.log(factor)

    def state(self) -> dict[str, list[float]]:
        """What a restart needs; the draws start anew."""
        names = ("log_price", "log_vol", "imbalance", "lean", "lean_left", "burst", "premium", "basis")
        return {name: getattr(self, name).tolist() for name in names}

    def restore(self, kept: dict[str, list[float]], salt: int, seed: int) -> None:
        """Continue from `state`; `salt` (the market time) makes the draws others than those before."""
        for name, values in kept.items():
            setattr(self, name, np.array(values, dtype=np.float64))
        self._rng = generator(seed, "perp-model", salt)
