"""Where prices come from: the seeded model or a recording. The venue knows only this interface."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from modules.simulator.factors import Factors
from modules.simulator.paths import DayRow, PathMaker
from modules.simulator.universe import Calendar, Universe


class Source(Protocol):
    """Days of one-minute candles for every slot, and what lives in the slots."""

    @property
    def slots(self) -> int:
        """How many places for pairs there are."""

    @property
    def key(self) -> int:
        """Seed of the fine structure (book levels, trade prints)."""

    def calendar(self, day: int) -> Calendar:
        """The pairs of a day."""

    def row(self, slot: int, day: int) -> DayRow:
        """One-minute candles of a slot's day."""

    def halt(self, slot: int, day: int) -> tuple[int, int] | None:
        """Minutes [from, to) of the day without trading."""

    def pressure(self, slot: int, minute: float) -> float:
        """Shift of the buyers' share of taker flow at an absolute minute, about −0.3 … 0.3."""

    def last_ms(self) -> int | None:
        """Market time at which the source ends, None if it never does."""

    def describe(self) -> str:
        """A line that tells two different markets apart (checked by the state folder)."""


class ModelSource:
    """The seeded market model."""

    def __init__(self, seed: int, tokens: int) -> None:
        self._universe = Universe(seed, tokens)
        self._factors = Factors(self._universe)
        self._paths = PathMaker(self._universe, self._factors)
        self._name = f"model seed={seed} tokens={tokens}"

    @property
    def slots(self) -> int:
        """Majors and tokens."""
        return self._universe.slots

    @property
    def key(self) -> int:
        """The seed."""
        return self._universe.seed

    @property
    def factors(self) -> Factors:
        """The coarse skeleton, for those who study the market itself."""
        return self._factors

    def calendar(self, day: int) -> Calendar:
        """The pairs of a day."""
        return self._universe.calendar(day)

    def row(self, slot: int, day: int) -> DayRow:
        """One-minute candles of a slot's day."""
        return self._paths.row(slot, day)

    def halt(self, slot: int, day: int) -> tuple[int, int] | None:
        """Minutes [from, to) of the day without trading."""
        return self._universe.halt(slot, day)

    def pressure(self, slot: int, minute: float) -> float:
        """Shift of the buyers' share of taker flow by the events under way."""
        total = 0.0
        for events, row in self._factors.of_slot(slot, int(minute // 1440)):
            tau = minute - float(events.start[row])
            if 0.0 <= tau <= events.tau[row, -1]:
                total += float(np.interp(tau, events.tau[row], events.buys[row]))
        return max(-0.35, min(0.35, total))

    def last_ms(self) -> int | None:
        """The model never ends."""
        return None

    def describe(self) -> str:
        """Seed and size."""
        return self._name
