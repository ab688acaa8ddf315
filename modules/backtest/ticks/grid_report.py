"""``backtest grid --ticks``: the live session of the grid on a tape, as the same report as the others'."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from modules.backtest import arrays as a
from modules.backtest.frames import DataError, resampled
from modules.backtest.load import load
from modules.backtest.metrics import metrics, shuffle
from modules.backtest.pipeline import MoneyFault
from modules.backtest.report import Report
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.grid import Player, candles_of, quoted
from modules.backtest.ticks.grid_venue import Ended, GridVenue
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.tape import DEPTH, FUNDING, SNAPSHOT, TRADE, Tape, TapeError, with_funding
from modules.backtest.trades import Curve, Trades
from modules.strategies.grid.past import LOTS
from modules.strategies.grid.settings import INTERVAL_MS, GridSettings
from modules.strategies.grid.signals import Candle
from modules.strategies.grid.state import Rulebook
from modules.strategies.grid.units import Bracket, Contract, exact, misfits, rules_of, scale_of
from modules.strategies.grid.worst_case import may_start
from modules.strategies.hype import exits

Groups = Mapping[str, BaseModel]
FUNDING_MS = 28_800_000
LEAST_USDT = Decimal(5)
# Products of the compiled rules must stay below 2^63: balance × leverage is the largest of them.
ROOM = 1 << 58
REASONS = {"SINGLE_ORDER_PROFIT": exits.TARGET, "PAIR_GLOBAL_PROFIT": exits.TARGET, "GLOBAL_PROFIT": exits.TARGET,
           "MAX_LOSS": exits.STOP, "PROTECTIVE_STOP": exits.STOP, "LIQUIDATED": exits.STOP, "END": a.END,
           "FLATTEN": a.SIGNAL}


def backtest_grid(paths: Sequence[Path], symbols: Sequence[str], groups: Groups, candles: Sequence[Path]) -> Report:
    """One whole run. Raises TapeError, CaptureError, DataError, MoneyFault."""
    own, ticks = groups["grid"], groups["ticks"]
    assert isinstance(own, GridSettings) and isinstance(ticks, TickSettings)
    if len(symbols) > 1:
        raise TapeError("a grid trades one contract: give one symbol")
    seconds: dict[str, float] = {}
    began = time.perf_counter()
    tape = load_tape(paths, symbols[0] if symbols else None, round(ticks.feed_ms * 1e6), snapshots=not ticks.trust)
    if not (tape.kind == TRADE).any():
        raise TapeError(f"{tape.symbol}: the files hold no trade: candles and prices need them")
    known, counted = known_candles(tape, own, candles)
    booked = bool(np.isin(tape.kind, (DEPTH, SNAPSHOT)).any())
    told = funded(tape if booked else quoted(tape), own)
    seconds["read"] = time.perf_counter() - began
    began = time.perf_counter()
    book = book_of(told, own, ticks)
    player = played(told, book, ticks, known, booked)
    seconds["loop"] = time.perf_counter() - began
    waived = [*_assumed(told, player, ticks, booked, known), *_proof(book, player, ticks)]
    return _report(told, player, book, ticks, seconds, waived, counted)


def played(tape: Tape, book: Rulebook, ticks: TickSettings, known: Sequence[Candle], booked: bool = True) -> Player:
    """The session walked along the tape. Raises TapeError where tables are full."""
    arena = ar.arena_of(tape, entry_ns=round(ticks.entry_ms * 1e6), answer_ns=round(ticks.answer_ms * 1e6),
                        trust=ticks.trust, slip_ticks=ticks.slip_ticks)
    venue = GridVenue(ticks.start_usdt, tape.tick * tape.step, exact(ticks.taker_fee_pct) / 100,
                      exact(ticks.maintenance_pct) / 100, book.settings.leverage)
    player = Player(arena, tape, book, venue, known, booked)
    player.run()
    if arena.now[ar.FAULT]:
        raise TapeError(f"more orders or fills than the tables hold ({len(arena.fills):,} fills)")
    return player


def book_of(tape: Tape, own: GridSettings, ticks: TickSettings) -> Rulebook:
    """Settings and a contract made of the tape's own steps. Raises TapeError for settings that cannot trade it."""
    traded = tape.key[tape.begin[:-1][tape.kind == TRADE]]
    price = Decimal(abs(int(traded[0]))) * tape.tick
    chosen = own.model_copy(update={"trading_symbol": tape.symbol, **scaled(own, price, tape.step, ticks.lot_usdt)})
    contract = Contract(tape.symbol, tape.tick, tape.step, tape.step, LEAST_USDT,
                        taker=exact(ticks.taker_fee_pct) / 100, brackets=(
                            Bracket(Decimal(10**12), 125, exact(ticks.maintenance_pct) / 100),))
    wrong = misfits(chosen, contract)
    if exact(chosen.base_lot if chosen.multiplier else chosen.space_lots) * price < LEAST_USDT:
        wrong.append(f"the first lot is worth less than {LEAST_USDT} USDT at {price:f}: give --set ticks.lot_usdt=60")
    if wrong:
        raise TapeError(f"{tape.symbol}: {'; '.join(wrong)}")
    for parts in (10_000, 1_000, 100, 10, 1):
        scale = scale_of(contract, parts)
        if scale.to_money(exact(ticks.start_usdt)) * chosen.leverage < ROOM:
            return Rulebook(chosen, contract, scale, rules_of(chosen, contract, scale))
    raise TapeError(f"{tape.symbol}: {ticks.start_usdt:g} USDT are too much to count in steps of "
                    f"{contract.tick * contract.step}")


def scaled(own: GridSettings, price: Decimal, step: Decimal, lot_usdt: float) -> dict[str, float]:
    """All lots in proportion, the first one worth `lot_usdt`; nothing for 0."""
    if not lot_usdt:
        return {}
    factor = exact(lot_usdt) / price / exact(own.base_lot)
    return {name: float(max(round(exact(getattr(own, name)) * factor / step), 1) * step) for name in LOTS}


def known_candles(tape: Tape, own: GridSettings, files: Sequence[Path]) -> tuple[list[Candle], Counter[str]]:
    """Candles of the signals' timeframe: those of files, then the tape's own. Raises DataError."""
    interval, counted = INTERVAL_MS[own.timeframe], Counter[str]()
    found: dict[int, Candle] = {one.time: one for one in candles_of(tape, interval)}
    for frame in load(files, counted, frozenset({tape.symbol})) if files else ():
        if frame.interval_ms > interval:
            raise DataError(f"{frame.symbol}: candles of {frame.interval_ms // 60_000} minutes are too coarse for "
                            f"grid.timeframe={own.timeframe}; give finer ones, or another timeframe")
        made = resampled(frame, interval)
        first = int(tape.exch_ns[0]) // 1_000_000 - 400 * interval
        rows = made.rows(slice(*made.time.searchsorted((first, int(tape.exch_ns[-1]) // 1_000_000))))
        found |= {int(ms): Candle(int(ms), *prices) for ms, *prices in zip(
            rows.time.tolist(), rows.open.tolist(), rows.high.tolist(), rows.low.tolist(), rows.close.tolist(),
            strict=True)}
    return [found[ms] for ms in sorted(found)], counted


def funded(tape: Tape, own: GridSettings) -> Tape:
    """The tape with funding: its own, or where it tells none `grid.funding_pct` every eight hours (UTC)."""
    first, last = int(tape.exch_ns[0]) // 1_000_000, int(tape.exch_ns[-1]) // 1_000_000
    due = np.arange(first // FUNDING_MS + 1, last // FUNDING_MS + 1, dtype=np.int64) * FUNDING_MS
    if (tape.kind == FUNDING).any() or not len(due):
        return tape
    traded = np.flatnonzero(tape.kind == TRADE)
    place = np.maximum(np.searchsorted(tape.exch_ns[traded], due * 1_000_000, side="right") - 1, 0)
    mark = np.abs(tape.key[tape.begin[:-1][traded[place]]]) * float(tape.tick)
    return with_funding(tape, due, np.full(len(due), own.funding_pct / 100), mark)


def _report(tape: Tape, player: Player, book: Rulebook, ticks: TickSettings, seconds: dict[str, float],
            waived: list[str], counted: Counter[str]) -> Report:
    trades, venue = trades_of(player, tape), player.venue
    if venue.start + int(trades.pnl.sum()) != venue.wallet:
        raise MoneyFault(f"money is not conserved: the wallet moved by {venue.wallet - venue.start}, trades made "
                         f"{int(trades.pnl.sum())} units of 1e-8 USDT; please report this")
    curve = curve_of(player, ticks.start_usdt)
    counted = +(player.counted + tape.counted + counted)
    if player.doubtful:
        counted["looks left out because the book was in doubt"] = player.doubtful
    return Report(
        title="Backtest grid on ticks", symbols=[tape.symbol], trades=trades,
        strategy=[one.why for one in ordered(player)],
        confidence=[1.0] * len(trades), curve=curve, metrics=metrics(trades, curve, ticks.start_usdt),
        shuffled=shuffle(trades, ticks.start_usdt), refused={}, candles=len(tape), seconds=seconds,
        settings={f"ticks.{key}": value for key, value in ticks.model_dump().items()}
        | {f"grid.{key}": value for key, value in book.settings.model_dump().items()},
        waived=waived, counted=counted, walked="messages")


def ordered(player: Player) -> list[Ended]:
    """What ended, in the order of entry."""
    return sorted(player.venue.ended, key=lambda one: one.opened_ms)


def trades_of(player: Player, tape: Tape) -> Trades:
    """Entries of the grid as the report wants them; one closed in parts is several trades."""
    ended = ordered(player)
    columns = np.array([(one.opened_ms, one.closed_ms, one.side, one.steps, one.cost, one.value, one.fees, one.carry,
                         one.pnl, REASONS.get(one.why, a.SIGNAL)) for one in ended], np.int64).reshape(-1, 10)
    opened, closed, side, steps, cost, value, fees, carry, pnl, why = columns.T
    zero, whole = np.zeros(len(ended), np.int64), np.maximum(steps, 1) * float(tape.step) * a.MONEY
    return Trades(token=zero, opened_ms=opened, closed_ms=closed, entry_price=cost / whole, exit_price=value / whole,
                  quantity=(steps * float(tape.step)).astype(np.float64),
                  cost=cost, proceeds=cost + pnl, fees=fees, pnl=pnl, reason=why,
                  hit=zero, entry=np.arange(len(ended)), side=side, carry=carry)


def curve_of(player: Player, start: float) -> Curve:
    """Equity at each look, beside the same money bought and held."""
    rows = np.array(player.curve, np.int64).reshape(-1, 4)
    return Curve(rows[:, 0], rows[:, 1] / a.MONEY, rows[:, 2] / a.MONEY, start * rows[:, 3] / max(int(rows[0, 3]), 1))


def _proof(book: Rulebook, player: Player, ticks: TickSettings) -> list[str]:
    """What the proof before a start would have said (X38)."""
    price = Decimal(player.curve[0][3]) * book.contract.tick
    found = may_start(book.settings, book.contract, price, exact(ticks.start_usdt))
    word = "starts" if found.figures.safe else "starts only with acceptRisk"
    return [f"worst case at the first price {found.figures.loss:.2f} USDT of {ticks.start_usdt:g}: this grid {word}"]


def _assumed(tape: Tape, player: Player, ticks: TickSettings, booked: bool, known: Sequence[Candle]) -> list[str]:
    minutes = (int(tape.exch_ns[-1]) - int(tape.exch_ns[0])) / 6e10
    earlier = sum(one.time < int(tape.exch_ns[0]) // 1_000_000 for one in known)
    told = [f"{minutes:.1f} minutes of {tape.symbol}; what the grid takes from the book is not missing afterwards",
            f"order and answer travel {ticks.entry_ms:g} and {ticks.answer_ms:g} ms, always; balance and positions are "
            "read at once",
            "a protective stop fires at the best price of its side (live: at the mark price) and stands at once",
            f"one maintenance rate of {ticks.maintenance_pct:g} %; a liquidation loses the whole balance",
            f"{len(known)} candles for the signals, {earlier} of them from before the recording"]
    if not booked:
        told.append("the files hold trades alone: best prices are taken one tick apart around each of them, as deep as "
                    "one wants")
    if not player.state.signals.time:
        told.append("there was no signal: it needs 200 candles (--candles FILE gives earlier ones, or a shorter "
                    "--set grid.timeframe=1m)")
    if minutes < 24 * 60:
        told.append("minutes are no proof of anything: use days")
    return told
