"""Trials of the hedging grid over past candles: every contract a grid of its own, judged by equity day by day.

1. A day's result is the change of equity, what is open included: a martingale's realised results alone hide its losses.
   What is open at a segment's end is closed there, costs paid.
2. Each segment begins with accounts of its own (`grid.paper_usdt` a contract); signals know the candles before it.
3. Settings whose worst case (X38) breaks a limit at the first price of a contract are refused, as a start would be:
   they count as tried, without a result. The present settings are judged as they are.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from pydantic import BaseModel

from modules.backtest.arrays import Floats
from modules.backtest.frames import Frame
from modules.backtest.grid_cli import past_of
from modules.backtest.optimise.arena import COLUMNS, COUNT, DAY_MS, GAIN, PCT, PNL, WON, Segment
from modules.backtest.optimise.space import Groups, Value, with_values
from modules.strategies.grid.past import Costs, Past, Result, Untestable, fitted, run_past
from modules.strategies.grid.settings import GridSettings

GROUPS = ("grid",)
OPENING = (5, 6)  # FIRST, ADD
LIQUIDATED = 7
ASSUMED = ("results are of equity by day, open positions included; settings whose worst case breaks its limit were "
           "refused (X38)")


class GridArena:
    """Candles of some contracts and the settings of a trial; the interface of `optimise.arena.Arena`."""

    def __init__(self, frames: Sequence[Frame], base: Groups, held: dict[str, Value] | None = None,
                 lot_usdt: float = 0.0) -> None:
        self.held = held or {}
        self.base: dict[str, BaseModel] = dict(base)
        own = self.base["grid"]
        assert isinstance(own, GridSettings)
        self.costs = Costs(own.paper_usdt, lot_usdt=lot_usdt)
        self.frames = list(frames)
        self.first_day = int(min(frame.time[0] for frame in frames)) // DAY_MS
        self.days = int(max(frame.time[-1] for frame in frames)) // DAY_MS - self.first_day + 1
        self._pasts: dict[str, list[Past]] = {}
        self._past_of(own)  # raises DataError now where candles are too long

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_pasts": {}}

    def start_usdt(self) -> float:
        """Cash of all contracts at the start of every segment."""
        return self.costs.balance * len(self.frames)

    def trials(self, many: Sequence[dict[str, Value]], segments: Sequence[Segment]) -> list[Floats | str]:
        """Tables of days (days, 5) of many settings; a text where they are refused."""
        found: list[Floats | str] = []
        for values in many:
            try:
                found.append(self.trial(values, segments))
            except (ValueError, Untestable) as refused:
                found.append(str(refused))
        return found

    def trial(self, values: dict[str, Value], segments: Sequence[Segment]) -> Floats:
        """Table of days; NaN on days outside the segments. Raises ValueError, Untestable for refused settings."""
        own = with_values(self.base, values)["grid"]
        assert isinstance(own, GridSettings)
        pasts = self._past_of(own)
        if values:
            self._proven(own, pasts)
        table = np.full((self.days, COLUMNS), np.nan)
        for segment in segments:
            table[segment.begin:segment.end] = 0.0
            for past in pasts:
                part = self._part(past, segment)
                if len(part.time):
                    self._add(table, run_past(own, self.costs, part), part)
        return table

    def _past_of(self, own: GridSettings) -> list[Past]:
        if own.timeframe not in self._pasts:
            self._pasts[own.timeframe] = [past_of(frame, own) for frame in self.frames]
        return self._pasts[own.timeframe]

    def _proven(self, own: GridSettings, pasts: Sequence[Past]) -> None:
        """Rule 3. Raises ValueError with the first limit broken."""
        from modules.strategies.grid.units import exact
        from modules.strategies.grid.worst_case import may_start
        for past in pasts:
            chosen, contract = fitted(own, self.costs, past)
            found = may_start(chosen, contract, Decimal(str(past.prices[0, 0])), exact(self.costs.balance))
            if not found.allowed:
                raise ValueError(f"{past.symbol}: {(*found.impossible, *found.figures.unsafe)[0]}")

    def _part(self, past: Past, segment: Segment) -> Past:
        """The candles of a segment; those of the signals up to its end."""
        begin, end = ((self.first_day + day) * DAY_MS for day in (segment.begin, segment.end))
        first, after = np.searchsorted(past.time, (begin, end))
        last = np.searchsorted(past.longer_time, end)
        return Past(past.symbol, past.time[first:after], past.prices[first:after], past.longer_time[:last],
                    past.longer_high[:last], past.longer_low[:last], past.longer_close[:last])

    def _add(self, table: Floats, made: Result, part: Past) -> None:
        """One contract's run into the days (rule 1)."""
        day = part.time // DAY_MS - self.first_day
        ends = np.append(np.flatnonzero(np.diff(day)), len(day) - 1)
        equity = made.curve[ends].copy()
        equity[-1] -= self._leaving(made)
        moved = np.diff(np.concatenate(([made.start], equity)))
        table[day[ends], PNL] += moved
        table[day[ends], GAIN] += np.maximum(moved, 0.0)
        closed = made.deals[~np.isin(made.deals[:, 1], (*OPENING, LIQUIDATED))]
        net = closed[:, 5] - 2 * closed[:, 6]  # its opening fee is about its closing one
        cost = closed[:, 3] * closed[:, 4] - closed[:, 2] * closed[:, 5]
        for column, weights in ((COUNT, np.ones(len(closed))), (PCT, net / np.maximum(cost, 1) * 100.0),
                                (WON, net > 0)):
            np.add.at(table[:, column], day[closed[:, 0]], weights)

    def _leaving(self, made: Result) -> float:
        """What closing everything that is left would cost, USDT."""
        if made.liquidated:
            return 0.0
        deals = made.deals
        sign = np.where(np.isin(deals[:, 1], OPENING), 1, -1)
        left = float((deals[:, 3] * sign).sum()) * float(made.scale.step)  # of both sides
        return left * made.last * (self.costs.fee_pct + self.costs.slippage_pct) / 100


def grid_arena(frames: Sequence[Frame], base: Groups, held: dict[str, Value], lot_usdt: float) -> GridArena:
    """The arena of a search. Raises Untestable where the present settings trade none of these contracts."""
    arena = GridArena(frames, base, held, lot_usdt)
    own = arena.base["grid"]
    assert isinstance(own, GridSettings)
    for past in arena._past_of(own):
        fitted(own, arena.costs, past)
    return arena
