"""From fills to trades, money and a curve: the same report as that of candles.

Money is counted in whole units of 1e-8 USDT: value = ticks × steps × unit, fees rounded up, funding to the nearest.
A trade lasts from flat to flat; a fill that turns the position belongs to both, split at zero.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.tape import SNAPSHOT, TRADE, Tape
from modules.backtest.trades import Curve, Trades

MONEY = Decimal(a.MONEY)
STEP_MS = 1_000


@dataclass(slots=True)
class _Open:
    """The position being held. `moved`: Σ value of its entries, and of its exits."""

    side: int
    opened_ns: int
    entered: int = 0
    entry_value: int = 0
    left: int = 0
    exit_value: int = 0
    fees: int = 0
    carry: int = 0


@dataclass(slots=True)
class Books:
    """What the fills come to: one row a trade, and cash after each fill. Columns as in `Trades`."""

    tape: Tape
    maker_fee: Decimal
    taker_fee: Decimal
    rows: list[tuple[int, ...]] = field(default_factory=list)
    cash: list[tuple[int, int, int]] = field(default_factory=list)  # ns, cash so far, position
    _held: _Open | None = None
    _cash: int = 0
    _position: int = 0
    funding: int = 0

    def take(self, fill: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> None:
        """One row of `Arena.fills`."""
        side, price, qty, maker, ns, note = (int(fill[c]) for c in (
            ar.F_SIDE, ar.F_PRICE, ar.F_QTY, ar.F_MAKER, ar.F_NS, ar.F_NOTE))
        if side == 0:
            self._funding(price, qty, ns)
            return
        held = self._held
        closing = min(qty, held.left) if held is not None and held.side != side else 0
        for part, closes in ((closing, True), (qty - closing, False)):
            if part:
                self._part(side, price, part, maker, ns, note, closes)
        self.cash.append((ns, self._cash, self._position))

    def end(self, price: int, ns: int) -> None:
        """Close what is still held at the last price, as a taker would."""
        if self._held is not None:
            row = np.zeros(ar.F_COLUMNS, np.int64)
            row[[ar.F_SIDE, ar.F_PRICE, ar.F_QTY, ar.F_NS, ar.F_NOTE]] = (
                -self._held.side, price, self._held.left, ns, a.END)
            self.take(row)

    def _part(self, side: int, price: int, qty: int, maker: int, ns: int, note: int, closes: bool) -> None:
        value = self._value(price * qty)
        fee = int((value * (self.maker_fee if maker else self.taker_fee)).to_integral_value(ROUND_CEILING))
        self._cash -= side * value + fee
        self._position += side * qty
        held = self._held
        if held is None:
            held = self._held = _Open(side, ns)
        held.fees += fee
        if not closes:
            held.entered += qty
            held.left += qty
            held.entry_value += value
            return
        held.left -= qty
        held.exit_value += value
        if held.left == 0:
            self._close(held, ns, note)

    def _close(self, held: _Open, ns: int, note: int) -> None:
        pnl = held.side * (held.exit_value - held.entry_value) - held.fees - held.carry
        self.rows.append((held.opened_ns // 1_000_000, ns // 1_000_000, held.side, held.entered, held.entry_value,
                          held.exit_value, held.fees, held.carry, pnl, note))
        self._held = None

    def _funding(self, mark: int, rate: int, ns: int) -> None:
        paid = self._value(mark * abs(self._position)) * rate * (1 if self._position > 0 else -1)
        amount = int((Decimal(paid) / MONEY).to_integral_value(ROUND_HALF_EVEN))
        self._cash -= amount
        self.funding += amount
        if self._held is not None:
            self._held.carry += amount
        self.cash.append((ns, self._cash, self._position))

    def _value(self, tick_steps: int) -> int:
        return int((tick_steps * self.tape.tick * self.tape.step * MONEY).to_integral_value(ROUND_HALF_EVEN))

    @property
    def result(self) -> int:
        """Σ of all money moved, in units."""
        return self._cash


def books_of(tape: Tape, made: ar.Arena, maker_fee: Decimal, taker_fee: Decimal) -> Books:
    """All fills of a run, the last position closed at the end. Fees as shares of the value."""
    books = Books(tape, maker_fee, taker_fee)
    for fill in made.fills[:made.now[ar.FILLS]]:
        books.take(fill)
    prices = np.abs(tape.key[tape.begin[:-1][tape.kind == TRADE]])
    if len(prices):
        books.end(int(prices[-1]), int(tape.exch_ns[-1]))
    return books


def trades_of(books: Books) -> Trades:
    """The trades as the report wants them."""
    rows = np.array(books.rows, np.int64).reshape(-1, 10)
    opened, closed, side, qty, entry, left, fees, carry, pnl, note = rows.T
    unit, step = float(books.tape.step * MONEY), float(books.tape.step)
    zero = np.zeros(len(rows), np.int64)
    whole = np.maximum(qty, 1)
    return Trades(token=zero, opened_ms=opened, closed_ms=closed, entry_price=entry / whole / unit,
                  exit_price=left / whole / unit, quantity=(qty * step).astype(np.float64),
                  cost=entry, proceeds=entry + pnl,
                  fees=fees, pnl=pnl, reason=note, hit=zero, entry=np.arange(len(rows)),
                  side=side, carry=carry)


def curve_of(books: Books, start: int) -> Curve:
    """Equity each second at the price of the last trade, beside the same money bought and held."""
    tape = books.tape
    traded = tape.kind == TRADE
    ms = tape.exch_ns[traded] // 1_000_000
    price = np.abs(tape.key[tape.begin[:-1][traded]]).astype(np.float64) * float(tape.tick)
    grid = np.arange(ms[0] // STEP_MS, ms[-1] // STEP_MS + 1) * STEP_MS + STEP_MS
    last = price[np.maximum(np.searchsorted(ms, grid, side="left") - 1, 0)]
    events = np.array(books.cash, np.int64).reshape(-1, 3)
    place = np.searchsorted(events[:, 0] // 1_000_000, grid, side="left") - 1
    known = np.where(place >= 0, place, 0)
    cash = np.where(place >= 0, events[known, 1], 0) if len(events) else np.zeros(len(grid))
    held = (np.where(place >= 0, events[known, 2], 0) if len(events) else np.zeros(len(grid))) * float(tape.step) * last
    if len(events):  # what is held at the end is sold there
        cash[-1], held[-1] = events[-1, 1], events[-1, 2] * float(tape.step) * last[-1]
    return Curve(grid.astype(np.int64), (start + cash) / a.MONEY + held, held, start / a.MONEY * last / last[0])


def counted_of(tape: Tape, made: ar.Arena) -> Counter[str]:
    """What was passed over, for the report."""
    found = Counter({name: count for name, count in tape.counted.items() if count})
    if made.far[0]:
        found["levels too far away for the book"] = int(made.far[0])
    if not (tape.kind == SNAPSHOT).any():
        found["no snapshot: the book is what the diffs told"] = 1
    return found
