"""Trials of the scalper on recorded frames: the tick engine itself, with flow windows, queue and latency (B8).

1. A trial plays the tapes with its settings until the last day that it is asked for: weights of order flow, thresholds
   and exits are all searched where they act. Costs (`ticks.*`) never are.
2. A trade counts on the UTC day of its end, and only where it began in the same segment: nothing reaches from the days
   a trial was fitted on into those it is judged by. What is open when the tape ends does not count.
3. Each contract has an account of its own: `most_open` and the risk rules across contracts are not part of a trial.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints
from modules.backtest.optimise.arena import COLUMNS, DAY_MS, MoneyFault, Segment, by_day
from modules.backtest.optimise.space import Groups, Value, with_values
from modules.backtest.scalper import history_of
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.account import books_of, trades_of
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.looks import most_told
from modules.backtest.ticks.scalper_play import candles_of, moods_of, play_known
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.tape import TRADE, Tape, TapeError
from modules.strategies.scalper.settings import ScalperSettings

GROUPS = ("scalper", "ticks")
DAY_NS = DAY_MS * 1_000_000


class ScalperArena:
    """Tapes of some contracts; the interface of `optimise.arena.Arena`."""

    def __init__(self, tapes: Sequence[Tape], base: Groups, held: dict[str, Value] | None = None) -> None:
        self.held = held or {}
        self.base: dict[str, BaseModel] = dict(base)
        ticks, own = self.base["ticks"], self.base["scalper"]
        assert isinstance(ticks, TickSettings) and isinstance(own, ScalperSettings)
        self.ticks = ticks
        history = history_of(own)
        self._parts = [(tape, candles_of(tape), moods_of(tape, history)) for tape in tapes]
        self.first_day = min(int(tape.exch_ns[0]) for tape in tapes) // DAY_NS
        self.days = max(int(tape.exch_ns[-1]) for tape in tapes) // DAY_NS - self.first_day + 1

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In a worker: arrays that are mapped look like any other to the compiled code."""
        self.__dict__.update(state)
        self._parts = [(_own(tape), candles, moods) for tape, candles, moods in self._parts]

    def start_usdt(self) -> float:
        """Cash at the start of every segment."""
        return self.ticks.start_usdt

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
        own = self.groups(values)["scalper"]
        assert isinstance(own, ScalperSettings)
        until_ns = (self.first_day + segments[-1].end) * DAY_NS
        rows = np.concatenate([self._played(part, own, until_ns) for part in self._parts])
        begun, day = (rows[:, at].astype(np.int64) // DAY_MS - self.first_day for at in (0, 1))
        table = np.full((self.days, COLUMNS), np.nan)
        for one in segments:
            within = (begun >= one.begin) & (day < one.end) & (day >= one.begin)  # rule 2
            table[one.begin:one.end] = by_day(day[within] - one.begin, rows[within, 2], rows[within, 3],
                                              one.end - one.begin)
        return table

    def _played(self, part: tuple[Tape, tuple[Ints, Floats], tuple[Floats, Ints]], own: ScalperSettings,
                until_ns: int) -> Floats:
        """(n, 4) begun ms, ended ms, USDT, % of each trade that ended by itself."""
        tape, candles, moods = part
        ticks = self.ticks
        arena = ar.arena_of(tape, entry_ns=round(ticks.entry_ms * 1e6), answer_ns=round(ticks.answer_ms * 1e6),
                            queue=ar.QUEUE_POWER if ticks.queue == "power" else ar.QUEUE_BACK,
                            power=ticks.queue_power, trust=ticks.trust, slip_ticks=ticks.slip_ticks,
                            partial=ticks.partial)
        fees = ticks.maker_fee_pct / 100, ticks.taker_fee_pct / 100
        play_known(arena, tape, own, candles, moods, (ticks.start_usdt, *fees), np.zeros(64, np.int64), until_ns)
        if arena.now[ar.FAULT]:
            raise TapeError(f"{tape.symbol}: more orders or fills than the tables hold")
        books = books_of(tape, arena, *(Decimal(str(pct)) / 100 for pct in (ticks.maker_fee_pct, ticks.taker_fee_pct)))
        trades = trades_of(books)
        if books.result != int(trades.pnl.sum()):
            raise MoneyFault("money is not conserved in a trial; please report this")
        done = trades.reason != a.END
        return np.stack([trades.opened_ms[done].astype(float), trades.closed_ms[done].astype(float),
                         trades.pnl[done] / a.MONEY, trades.pnl_pct[done]], axis=1)


def _own(tape: Tape) -> Tape:
    """The tape with plain, writable columns."""
    columns: dict[str, Any] = {name: np.array(value) for name in Tape.__dataclass_fields__
                               if isinstance(value := getattr(tape, name), np.ndarray)}
    return replace(tape, **columns)


def scalper_arena(files: Sequence[Path], symbols: Sequence[str], top: int, base: Groups, held: dict[str, Value],
                  counted: Counter[str], tell: Callable[[float, str], None]) -> tuple[ScalperArena, str, int]:
    """(arena, hash of its data, contracts). `top`: the contracts that most was recorded of, 0 for the named ones, or
    for those that are scalped. Raises TapeError, CaptureError."""
    own, ticks = base["scalper"], base["ticks"]
    assert isinstance(own, ScalperSettings) and isinstance(ticks, TickSettings)
    wanted = list(symbols) or most_told(files, top) or list(own.symbols)
    tapes, why = list[Tape](), ""
    for place, symbol in enumerate(wanted):
        tell(place / len(wanted), symbol)
        try:
            tape = load_tape(files, symbol, round(ticks.feed_ms * 1e6), snapshots=not ticks.trust)
            if not (tape.kind == TRADE).any():
                raise TapeError(f"{symbol}: the files hold no trade of it")
            tapes.append(tape)
        except TapeError as problem:
            counted[f"{symbol} (left out)"] += 1
            why = str(problem)
    if not tapes:
        raise TapeError(why)
    seen = hashlib.sha256()
    for tape in tapes:
        seen.update(f"{tape.symbol} {len(tape)} {tape.exch_ns[0]} {tape.exch_ns[-1]} {int(tape.qty.sum())}".encode())
    return ScalperArena(tapes, base, held), seen.hexdigest()[:16], len(tapes)
