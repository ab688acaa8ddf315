"""Candles before the venue was born: minutes made backwards from each contract's first price, a day at a time.

Pure functions of (seed, contract, day): the market factor of a day is shared, so contracts move together as they do
live. Day d ends where day d+1 begins, the last one ends at the birth price.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from modules.simulator.perp.records import Spec
from modules.simulator.perp.specs import Character
from modules.simulator.randomness import generator

Floats = NDArray[np.float64]
DAY = 1440
COLUMNS = 9  # open high low close (ticks), volume (steps), quote, trades, taker buy (steps), taker buy quote
MOST_DAYS = 800


class Past:
    """Minutes before `birth_minute` (minutes since the epoch)."""

    def __init__(self, specs: list[Spec], characters: list[Character], seed: int, birth_minute: int) -> None:
        self._specs, self._characters, self._seed = specs, characters, seed
        self.birth = birth_minute
        self.first = birth_minute - MOST_DAYS * DAY
        self._days: list[list[Floats]] = [[] for _ in specs]  # newest first
        self._first_price: list[float] = [c.price for c in characters]
        self._factors: dict[int, Floats] = {}

    def rows(self, index: int, first: int, last: int) -> Floats:
        """Rows of minutes [first, last), clipped to what there is; shape (n, 9)."""
        first, last = max(first, self.first), min(last, self.birth)
        if last <= first:
            return np.zeros((0, COLUMNS))
        days = self._days[index]
        need = (self.birth - first + DAY - 1) // DAY
        while len(days) < need:
            days.append(self._day(index, len(days)))
        newest = (self.birth - last) // DAY
        whole = np.concatenate(days[newest:need][::-1])
        begin = self.birth - need * DAY
        return whole[first - begin:last - begin]

    def rescale(self, index: int, spec: Spec, ticks: float, steps: float) -> None:
        """Another tick or step size: prices are worth `ticks` × as many ticks, quantities `steps` × as many steps."""
        self._specs[index] = spec
        for day in self._days[index]:
            day[:, :4] = np.round(day[:, :4] * ticks)
            day[:, [4, 7]] *= steps

    def _factor(self, back: int) -> Floats:
        if back not in self._factors:
            rng = generator(self._seed, "perp-past", back)
            mood = float(np.exp(rng.normal(0.0, 0.35)))
            self._factors[back] = rng.standard_normal(DAY) * mood
        return self._factors[back]

    def _day(self, index: int, back: int) -> Floats:
        """The day that ends `back` days before the birth."""
        spec, character = self._specs[index], self._characters[index]
        rng = generator(self._seed, "perp-past", spec.symbol, back)
        sigma = character.sigma_day / math.sqrt(DAY)
        beta = character.beta * 0.75
        own = math.sqrt(max(0.2, 1 - beta * beta / 2))
        slow = np.exp(np.repeat(rng.normal(-0.06, 0.35, 24), 60))
        move = sigma * slow * (beta * self._factor(back) + own * rng.standard_normal(DAY))
        end = self._first_price[index]
        tick = float(spec.tick)
        path = np.log(end) - np.concatenate([np.cumsum(move[::-1])[::-1], [0.0]])
        # Decades of coins do not come back to nothing: a long backward walk is held near its first price.
        path -= 0.02 * (path - math.log(character.price)) * np.linspace(1.0, 0.0, DAY + 1)
        self._first_price[index] = float(np.exp(path[0]))
        price = np.exp(path)
        opens, closes = price[:-1], price[1:]
        reach = np.abs(rng.standard_normal((2, DAY))) * sigma * slow * 0.6
        rows = np.zeros((DAY, COLUMNS))
        rows[:, 0], rows[:, 3] = np.round(opens / tick), np.round(closes / tick)
        ends = rows[:, [0, 3]]
        high, low = np.maximum(opens, closes) * (1 + reach[0]), np.minimum(opens, closes) * (1 - reach[1])
        rows[:, 1] = np.maximum(np.round(high / tick), ends.max(axis=1))
        rows[:, 2] = np.minimum(np.round(low / tick), ends.min(axis=1))
        busy = slow * np.exp(rng.normal(-0.3, 0.75, DAY)) * (1 + np.abs(move) / sigma * 0.4)
        quote = character.turnover / DAY * busy * 0.8
        buys = np.clip(0.5 + 0.12 * move / sigma + rng.normal(0, 0.06, DAY), 0.05, 0.95)
        middle = rows[:, :4].mean(axis=1) * tick
        step = float(spec.step)
        rows[:, 4] = np.maximum(1.0, np.round(quote / middle / step))
        rows[:, 5] = rows[:, 4] * step * middle
        rows[:, 6] = np.maximum(1.0, np.round(rows[:, 5] / (character.turnover / DAY) * 60))
        rows[:, 7] = np.round(rows[:, 4] * buys)
        rows[:, 8] = rows[:, 7] * step * middle
        return rows
