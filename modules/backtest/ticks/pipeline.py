"""From files of frames to a report: tape, engine with a strategy, account, ratios."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest.metrics import metrics, shuffle
from modules.backtest.report import Report
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.account import books_of, counted_of, curve_of, trades_of
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.settings import ImbalanceSettings, TickSettings
from modules.backtest.ticks.tape import TRADE, Tape, TapeError
from modules.strategies.scalper.settings import ScalperSettings

Groups = Mapping[str, BaseModel]


@dataclass(frozen=True, slots=True)
class TickStrategy:
    """A strategy on ticks: `run` goes through the whole tape and returns how many looks fell on a doubtful book.

    `whole` instead makes a report of files, symbols, settings and files of earlier candles by itself: systems whose
    own process is played.
    """

    name: str
    about: str
    groups: tuple[str, ...]
    run: Callable[[ar.Arena, Tape, Groups], int] | None = None
    assumed: Callable[[Tape, Groups], list[str]] | None = None
    whole: Callable[[Sequence[Path], Sequence[str], Groups, Sequence[Path]], Report] | None = None


def _imbalance(arena: ar.Arena, tape: Tape, groups: Groups) -> int:
    from modules.backtest.ticks.imbalance import run
    own = groups["imbalance"]
    assert isinstance(own, ImbalanceSettings)
    traded = tape.begin[:-1][tape.kind == TRADE]
    if not len(traded):
        raise TapeError(f"{tape.symbol}: the files hold no trade: prices, sizes and fills need them")
    price = Decimal(abs(int(tape.key[traded[0]]))) * tape.tick
    qty = int(Decimal(str(own.trade_usdt)) / price / tape.step)
    if qty < 1:
        raise TapeError(f"imbalance.trade_usdt={own.trade_usdt}: {tape.symbol} at {price} needs at least "
                        f"{price * tape.step:f} USDT for its smallest quantity")
    return int(run(arena, round(own.look_ms * 1e6), own.levels, own.enter, own.both, own.maker, qty,
                   round(own.wait_s * 1e9), _ppm(own.target_pct), _ppm(own.stop_pct), _ppm(own.trail_pct),
                   round(own.hold_s * 1e9)))


def _scalper(arena: ar.Arena, tape: Tape, groups: Groups) -> int:
    from modules.backtest.ticks.scalper_play import play
    from modules.strategies.scalper.reasons import WORDS, Code
    own, ticks = groups["scalper"], groups["ticks"]
    assert isinstance(own, ScalperSettings) and isinstance(ticks, TickSettings)
    counts = np.zeros(64, np.int64)
    doubtful = play(arena, tape, own, ticks.start_usdt, ticks.maker_fee_pct / 100, ticks.taker_fee_pct / 100, counts)
    names = {Code.OK: "signals that became an order"}
    for code in Code:
        if counts[code]:
            tape.counted[f"looks: {names.get(code, WORDS[code])}"] += int(counts[code])
    return doubtful


def _scalper_assumed(tape: Tape, groups: Groups) -> list[str]:
    from modules.backtest.ticks.scalper_play import assumed
    own = groups["scalper"]
    assert isinstance(own, ScalperSettings)
    return assumed(tape, own)


def _signals(paths: Sequence[Path], symbols: Sequence[str], groups: Groups, candles: Sequence[Path]) -> Report:
    from modules.backtest.ticks.context_candles import context_rows
    from modules.backtest.ticks.signal_report import backtest_signals
    return backtest_signals(paths, symbols, groups, context_rows(candles, symbols))


def _grid(paths: Sequence[Path], symbols: Sequence[str], groups: Groups, candles: Sequence[Path]) -> Report:
    from modules.backtest.ticks.grid_report import backtest_grid
    return backtest_grid(paths, symbols, groups, candles)


TICK_STRATEGIES: dict[str, TickStrategy] = {each.name: each for each in (
    TickStrategy("imbalance", "plain rules for ticks: enter with the book's imbalance, leave by the live exit rules",
                 ("imbalance",), _imbalance),
    TickStrategy("scalper", "the live scalper: flow windows, judgement, limit-first entries, limits and exits",
                 ("scalper",), _scalper, _scalper_assumed),
    TickStrategy("signals", "the signal bot: its own desk on the feed's own books, each signal followed to its end",
                 ("signals",), whole=_signals),
    TickStrategy("grid", "the hedging grid: its live session, both legs, stops, funding, liquidation", ("grid",),
                 whole=_grid),
)}


def backtest_ticks(paths: Sequence[Path], symbol: str | None, name: str, groups: Groups) -> Report:
    """One whole run. Raises TapeError, CaptureError, MoneyFault."""
    ticks = groups["ticks"]
    assert isinstance(ticks, TickSettings)
    seconds: dict[str, float] = {}
    started = time.perf_counter()
    tape = load_tape(paths, symbol, round(ticks.feed_ms * 1e6), snapshots=not ticks.trust)
    seconds["read"] = time.perf_counter() - started
    started = time.perf_counter()
    arena = ar.arena_of(tape, entry_ns=round(ticks.entry_ms * 1e6), answer_ns=round(ticks.answer_ms * 1e6),
                        queue=ar.QUEUE_POWER if ticks.queue == "power" else ar.QUEUE_BACK, power=ticks.queue_power,
                        trust=ticks.trust, slip_ticks=ticks.slip_ticks, partial=ticks.partial)
    run = TICK_STRATEGIES[name].run
    assert run is not None, f"{name} makes its report by itself"
    doubtful = run(arena, tape, groups)
    if arena.now[ar.FAULT]:
        raise TapeError("more orders or fills than the tables hold: " + (
            "too many orders at once" if arena.now[ar.FAULT] == ar.FAULT_ORDERS else f"{len(arena.fills):,} fills"))
    seconds["loop"] = time.perf_counter() - started
    started = time.perf_counter()
    report = _report(tape, arena, name, groups, ticks, doubtful, seconds)
    seconds["report"] = time.perf_counter() - started
    return report


def _report(tape: Tape, arena: ar.Arena, name: str, groups: Groups, ticks: TickSettings, doubtful: int,
            seconds: dict[str, float]) -> Report:
    books = books_of(tape, arena, _share(ticks.maker_fee_pct), _share(ticks.taker_fee_pct))
    trades = trades_of(books)
    start = round(ticks.start_usdt * a.MONEY)
    if books.result != int(trades.pnl.sum()):
        from modules.backtest.pipeline import MoneyFault
        raise MoneyFault(f"money is not conserved: cash moved by {books.result}, trades made "
                         f"{int(trades.pnl.sum())} units of 1e-8 USDT; please report this")
    curve = curve_of(books, start)
    counted = counted_of(tape, arena)
    if doubtful:
        counted["looks left out because the book was in doubt"] = doubtful
    return Report(
        title=f"Backtest {name} on ticks", symbols=[tape.symbol], trades=trades, strategy=[name] * len(trades),
        confidence=[1.0] * len(trades), curve=curve, metrics=metrics(trades, curve, start / a.MONEY),
        shuffled=shuffle(trades, start / a.MONEY), refused={}, candles=len(tape), seconds=seconds,
        settings={f"{group}.{key}": value for group in ("ticks", *TICK_STRATEGIES[name].groups)
                  for key, value in groups[group].model_dump().items()},
        waived=_assumed(tape, ticks) + _own(tape, name, groups), counted=counted, walked="messages")


def _own(tape: Tape, name: str, groups: Groups) -> list[str]:
    """What the strategy itself assumes."""
    assumed = TICK_STRATEGIES[name].assumed
    return assumed(tape, groups) if assumed is not None else []


def _assumed(tape: Tape, ticks: TickSettings) -> list[str]:
    minutes = (int(tape.exch_ns[-1]) - int(tape.exch_ns[0])) / 6e10
    told = [f"what we take from the book is not missing afterwards; {minutes:.1f} minutes of {tape.symbol}",
            f"order and answer travel {ticks.entry_ms:g} and {ticks.answer_ms:g} ms, always; the feed at least "
            f"{ticks.feed_ms:g} ms"]
    if minutes < 24 * 60:
        told.append("minutes are no proof of anything: use days")
    return told


def _ppm(pct: float) -> int:
    return round(pct * 10_000)


def _share(pct: float) -> Decimal:
    return Decimal(str(pct)) / 100

