"""Trials of the signal bot over recorded looks: gathered once, shared by all trials, judged like any other search.

1. Frames are played once (ticks/looks.py) with the least imbalance that any trial may ask for. What is measured there
   (`GATHERED`) is the same for all trials and cannot be searched; costs never are.
2. A trial runs the live rules over all looks. A signal counts on the UTC day of its end, and only where it began in
   the same segment: nothing reaches from the days a trial was fitted on into those it is judged by.
3. Every signal has one size (a tenth of the start): settings are judged, not a way to size.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from modules.backtest.arrays import Floats
from modules.backtest.optimise.arena import COLUMNS, DAY_MS, Segment, by_day
from modules.backtest.optimise.folds import LEAST_DAYS
from modules.backtest.optimise.space import Groups, Parameter, SpaceError, Value, with_values
from modules.backtest.ticks import signal_trial as st
from modules.backtest.ticks.looks import Looks, gather, most_told
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.signal_report import SHARE, span_of
from modules.backtest.ticks.tape import TapeError
from modules.strategies.signals import follow
from modules.strategies.signals.settings import SignalSettings

SEARCHED = ("imbalance", "large_trade_usdt", "large_trades", "intensity", "quality_high", "quality_medium",
            "quality_low", "rearm_s", "atr_factor", "max_stop_pct", "tp1_r", "tp2_r", "tp1_share", "breakeven")
GROUPS = ("signals", "ticks")


class SignalArena:
    """Looks of many symbols and the settings of a trial; the interface of `optimise.arena.Arena`."""

    def __init__(self, gathered: Sequence[Looks], base: Groups, held: dict[str, Value] | None = None) -> None:
        self.held = held or {}
        self.base: dict[str, BaseModel] = dict(base)
        ticks = self.base["ticks"]
        assert isinstance(ticks, TickSettings)
        self._start = ticks.start_usdt
        self._parts = [(one.looks, one.trades, one.tick) for one in gathered if len(one.looks) and len(one.trades)]
        if not self._parts:
            raise TapeError("no look of these recordings could be judged: books were in doubt, or the trade windows "
                            "had holes all the time (bot.py recording check tells more)")
        first, last = span_of(gathered)
        self.first_day = first // DAY_MS
        self.days = last // DAY_MS - self.first_day + 1

    def start_usdt(self) -> float:
        """Cash at the start of every segment."""
        return self._start

    def groups(self, values: dict[str, Value]) -> dict[str, BaseModel]:
        """The settings of a trial. Raises ValueError where they cannot be together."""
        return with_values(self.base, values)

    def trials(self, many: Sequence[dict[str, Value]], segments: Sequence[Segment]) -> list[Floats | str]:
        """Tables of days (days, 5) of many settings; a text where the settings refuse them."""
        found: list[Floats | str] = []
        for values in many:
            try:
                found.append(self.trial(values, segments))
            except ValueError as refused:
                found.append(str(refused))
        return found

    def trial(self, values: dict[str, Value], segments: Sequence[Segment]) -> Floats:
        """Table of days; NaN on days outside the segments. Raises ValueError for refused settings."""
        own = self.groups(values)["signals"]
        assert isinstance(own, SignalSettings)
        terms = st.terms_of(own)
        rows = np.concatenate([st.run(_plain(looks), _plain(trades), tick, terms)
                               for looks, trades, tick in self._parts])
        rows = rows[rows[:, st.ENDED] != follow.OPEN]
        begun, day = (rows[:, at].astype(np.int64) // DAY_MS - self.first_day for at in (st.BEGUN, st.CLOSED))
        pct = rows[:, st.NET_PCT]
        table = np.full((self.days, COLUMNS), np.nan)
        for one in segments:
            within = (begun >= one.begin) & (day < one.end)  # rule 2
            table[one.begin:one.end] = by_day(day[within] - one.begin, pct[within] / 100 * self._start * SHARE,
                                              pct[within], one.end - one.begin)
        return table


def _plain(values: Floats) -> Floats:
    """A writable array: mapped ones would compile every kernel again."""
    return values if values.flags.writeable else np.array(values)


def floor_of(space: Sequence[Parameter], held: Mapping[str, Value], own: SignalSettings) -> float:
    """The least imbalance that any trial asks for, the present settings among them."""
    lows = [min(float(value) for value in one.choices) if one.choices else one.low
            for one in space if one.name == "signals.imbalance"]
    return min([own.imbalance, float(held.get("signals.imbalance", own.imbalance)), *lows])


def searched(name: str) -> bool:
    """Whether trials may differ in a setting (by its full name)."""
    return name.partition(".")[2] in SEARCHED


def check_space(space: Sequence[Parameter]) -> None:
    """Raises SpaceError naming what is fixed while looks are gathered, or is a cost."""
    wrong = [one.name for one in space if not searched(one.name)]
    if wrong:
        raise SpaceError(f"--space {', '.join(wrong)}: cannot be searched on recordings (costs, or measured once for "
                         f"all trials); searched can be: {', '.join(SEARCHED)}")


def signal_arena(files: Sequence[Path], symbols: Sequence[str], top: int, base: Groups, held: dict[str, Value],
                 space: Sequence[Parameter], candles: Mapping[str, Floats], counted: Counter[str],
                 tell: Callable[[float, str], None]) -> tuple[SignalArena, str, int]:
    """(arena, hash of what it was gathered from, symbols). `top`: only so many symbols, 0 for all.

    Raises TapeError, CaptureError, SpaceError.
    """
    check_space(space)
    own, ticks = base["signals"], base["ticks"]
    assert isinstance(own, SignalSettings) and isinstance(ticks, TickSettings)
    symbols = symbols or most_told(files, top)
    gathered = gather(files, symbols, own, floor_of(space, held, own), round(ticks.look_ms), candles, tell)
    seen = hashlib.sha256()
    for one in gathered:
        seen.update(f"{one.symbol} {one.looks.shape} {one.trades.shape} {np.nansum(one.looks)!r}".encode())
        counted.update({f"{name} (left out)": count for name, count in one.counted.items() if count})
    return SignalArena(gathered, base, held), seen.hexdigest()[:16], len(gathered)


def fewer_folds(days: int, folds: int, first_share: float) -> int:
    """As many folds as the days allow, at most `folds`, at least one (`folds_of` then says what is missing)."""
    first = max(round(days * first_share), LEAST_DAYS)
    return max(min(folds, (days - first) // LEAST_DAYS), 1)
