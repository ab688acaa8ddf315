"""Mark and index prices, funding, open interest and the public ratios of all contracts.

Index = perpetual's fair price × e^−premium; mark = index × e^(premium's slow part + a small basis), so a thin book
does not move it. Funding (as Binance documents it): F = P + clamp(I − P, −0.05 %, 0.05 %), capped, with P the
time-weighted mean premium of the interval and I = 0.01 % for 8 hours; longs pay shorts where F > 0.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from modules.simulator.perp.model import Model
from modules.simulator.perp.records import Spec
from modules.simulator.randomness import generator, key64, uniform_cells

HOUR_MS = 3_600_000
INTEREST = 1e-4  # for 8 hours
HISTORY_DAYS = 365
_RATE = Decimal("0.00000001")


class Prices(Sequence[Decimal]):
    """Prices of all contracts as Decimal, each made when it is first asked for."""

    def __init__(self, values: NDArray[np.float64], units: list[Decimal]) -> None:
        self._values, self._units = values, units
        self._made: dict[int, Decimal] = {}

    def __len__(self) -> int:
        return len(self._units)

    @overload
    def __getitem__(self, index: int) -> Decimal: ...
    @overload
    def __getitem__(self, index: slice) -> list[Decimal]: ...
    def __getitem__(self, index: int | slice) -> Decimal | list[Decimal]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        found = self._made.get(index)
        if found is None:
            unit = self._units[index]
            found = self._made[index] = round(float(self._values[index]) / float(unit)) * unit
        return found


class Marks:
    """Per contract: `mark`, `index` (Decimal prices, one digit finer than the tick), `rate` (next funding)."""

    def __init__(self, specs: list[Spec], model: Model, seed: int, ms: int) -> None:
        self._specs, self._model, self._seed = specs, model, seed
        self._unit = [spec.tick / 10 for spec in specs]
        self.mark = self.index = Prices(np.zeros(len(specs)), self._unit)
        self.mark_float: NDArray[np.float64] = np.zeros(len(specs))
        self._sum: NDArray[np.float64] = np.zeros(len(specs))
        self._weight = 0.0
        self.override: dict[int, Decimal] = {}  # an act's rate for the next settlement
        self.begun = ms // HOUR_MS // 8 * 8 * HOUR_MS
        self.settled: list[list[tuple[int, Decimal, Decimal]]] = [[] for _ in specs]  # (ms, rate, mark)
        self._rates: list[Decimal] = []
        rng = generator(seed, "perp-interest")
        self.interest: NDArray[np.float64] = model.turnover * rng.uniform(0.15, 0.4, len(specs))  # USDT
        self._interest_noise = rng
        self.refresh(0.0)

    def refresh(self, dt: float) -> None:
        """Prices of this instant; `dt` seconds of premium go into the mean."""
        model = self._model
        index = np.exp(model.log_price - model.premium)
        mark = index * np.exp(model.premium * 0.9 + model.basis)
        self.mark_float = mark
        self.mark, self.index = Prices(mark, self._unit), Prices(index, self._unit)
        self._sum += model.premium * dt
        self._weight += dt
        self.interest *= np.exp(self._interest_noise.standard_normal(len(self._specs)) * 4e-5 * np.sqrt(dt))
        self._rates = []

    def state(self) -> dict[str, Any]:
        """What a restart needs."""
        return {
            "begun": self.begun, "sum": self._sum.tolist(), "weight": self._weight, "interest": self.interest.tolist(),
            "settled": [[(ms, str(rate), str(mark)) for ms, rate, mark in rows] for rows in self.settled]}

    def restore(self, kept: dict[str, Any]) -> None:
        """Continue from `state`."""
        self.begun, self._weight = kept["begun"], kept["weight"]
        self._sum, self.interest = np.array(kept["sum"]), np.array(kept["interest"])
        self.settled = [
            [(ms, Decimal(rate), Decimal(mark)) for ms, rate, mark in rows] for rows in kept["settled"]]
        self.refresh(0.0)

    def retick(self, index: int, spec: Spec) -> None:
        """Another tick size."""
        self._specs[index], self._unit[index] = spec, spec.tick / 10
        self.refresh(0.0)

    @property
    def rate(self) -> list[Decimal]:
        """Funding rate of the running interval as it stands."""
        if not self._rates:
            mean = self._sum / self._weight if self._weight else self._model.premium
            value = mean + np.clip(INTEREST - mean, -5e-4, 5e-4)
            self._rates = [
                self.override.get(i, Decimal(repr(one)).quantize(_RATE)) for i, one in enumerate(value.tolist())]
            caps = [spec.funding_cap for spec in self._specs]
            self._rates = [max(-cap, min(cap, one)) for one, cap in zip(self._rates, caps, strict=True)]
        return self._rates

    def next_funding(self, index: int) -> int:
        """When the running interval settles, ms."""
        return self.begun + self._specs[index].funding_hours * HOUR_MS

    def settle(self, ms: int) -> list[Decimal]:
        """End the interval; the rates that are paid."""
        paid = list(self.rate)
        for i, rate in enumerate(paid):
            self.settled[i].append((ms, rate, self.mark[i]))
        self.begun = ms
        self._sum[:] = 0.0
        self._weight = 0.0
        self.override.clear()
        self._rates = []
        return paid

    def funding_history(
        self, index: int, first_ms: int | None, last_ms: int | None, limit: int
    ) -> list[tuple[int, Decimal, Decimal | None]]:
        """Settled (ms, rate, mark or None before the birth), oldest first; from `first_ms` on, else the newest."""
        eight = 8 * HOUR_MS
        rows: list[tuple[int, Decimal, Decimal | None]] = list(self.settled[index])
        birth = rows[0][0] if rows else self.begun + eight
        earlier = [birth - k * eight for k in range(HISTORY_DAYS * 3, 0, -1)]
        cells = uniform_cells(key64(self._seed, "perp-funding", index), np.array(earlier) // eight)
        past = [Decimal(repr(0.0001 if u < 0.45 else (u - 0.55) * 0.0006)).quantize(_RATE) for u in cells.tolist()]
        rows = [*((ms, rate, None) for ms, rate in zip(earlier, past, strict=True)), *rows]
        times = [row[0] for row in rows]
        low = 0 if first_ms is None else bisect_left(times, first_ms)
        high = len(rows) if last_ms is None else bisect_right(times, last_ms)
        rows = rows[low:high]
        return rows[:limit] if first_ms is not None else rows[-limit:]

    # -- open interest and what the venue publishes about its crowd ----------------------------------------

    def open_interest(self, index: int) -> int:
        """Steps."""
        return int(self.interest[index] / self.mark_float[index] / float(self._specs[index].step))

    def interest_at(self, index: int, ms: int, period_ms: int) -> float:
        """Open interest in USDT at an earlier instant: today's, with a slow past made backwards from it."""
        cells = np.array([ms // period_ms, 0])
        wave = np.sin(ms / 86_400_000 * 0.9 + index) * 0.08 + float(self._noise(index, "oi", cells)[0] - 0.5) * 0.01
        return float(self.interest[index] * (1.0 + wave))

    def ratio(self, index: int, name: str, ms: int, period_ms: int) -> float:
        """A share 0.3 … 0.7 (longs of all, buys of all) for one period; the same whenever asked."""
        day = np.sin(ms / 86_400_000 * 1.7 + index * 2.1) * 0.08
        return float(0.5 + day + (self._noise(index, name, np.array([ms // period_ms, 0]))[0] - 0.5) * 0.08)

    def _noise(self, index: int, name: str, cells: NDArray[np.int64]) -> NDArray[np.float64]:
        return uniform_cells(key64(self._seed, "perp", name, index), cells)
