"""Positions from their opening to their end, folded from fills and funding: what history-position tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.simulator.perp.api import ZERO, Fill, Income, IncomeKind, Leg, Side

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


@dataclass(slots=True)
class Round:
    """One position. `result` before commissions and funding; fees are what was paid (> 0)."""

    id: int
    account: str
    symbol: str
    leg: Leg
    long: bool
    isolated: bool
    opened_ms: int
    updated_ms: int
    opened: Decimal = ZERO
    open_quote: Decimal = ZERO
    closed: Decimal = ZERO
    close_quote: Decimal = ZERO
    result: Decimal = ZERO
    open_fee: Decimal = ZERO
    close_fee: Decimal = ZERO
    funding: Decimal = ZERO

    @property
    def size(self) -> Decimal:
        """What is still open."""
        return self.opened - self.closed


@dataclass(slots=True)
class Sums:
    """Commission and result of an order."""

    fee: Decimal = ZERO
    result: Decimal = ZERO


_NONE = Sums()


@dataclass(slots=True)
class Rounds:
    """Follows the ledger of a venue; asked for anything, it reads what is new first."""

    venue: PerpVenue
    open: dict[tuple[str, str, Leg], Round] = field(default_factory=dict)
    ended: dict[str, list[Round]] = field(default_factory=dict)
    _orders: dict[int, Sums] = field(default_factory=dict)
    _fills: int = 0
    _income: int = 0

    def order(self, number: int) -> Sums:
        """Commission and result of an order."""
        self.read()
        return self._orders.get(number, _NONE)

    def held(self, account: str, symbol: str, leg: Leg) -> Round | None:
        """The open position of a leg."""
        self.read()
        return self.open.get((account, symbol, leg))

    def past(self, account: str) -> list[Round]:
        """Closed positions, oldest first."""
        self.read()
        return self.ended.get(account, [])

    def read(self) -> None:
        """Fold what the ledger has got since; fills and funding in the order of their times."""
        ledger = self.venue.ledger
        fills, self._fills = ledger.fills[self._fills:], len(ledger.fills)
        paid, self._income = ledger.income[self._income:], len(ledger.income)
        funding = [row for row in paid if row.kind is IncomeKind.FUNDING_FEE]
        for fill in fills:
            while funding and funding[0].ms <= fill.ms:
                self._fund(funding.pop(0))
            self._trade(fill)
        for row in funding:
            self._fund(row)

    def _fund(self, row: Income) -> None:
        """Funding names no leg: of two open ones the receiver has the sign of the payment that it gets."""
        held = [one for leg in Leg if (one := self.open.get((row.account, row.symbol, leg))) is not None]
        if not held:
            return
        if len(held) == 2:
            index = self.venue.by_symbol.get(row.symbol)
            settled = self.venue.market.marks.settled[index] if index is not None else []
            rate = next((rate for ms, rate, _ in reversed(settled) if ms <= row.ms), ZERO)
            receiver_long = (row.amount > 0) == (rate < 0)
            held = [one for one in held if one.long is receiver_long]
        held[0].funding += row.amount

    def _trade(self, fill: Fill) -> None:
        sums = self._orders.setdefault(fill.order_id, Sums())
        sums.fee += fill.fee
        sums.result += fill.realized
        key = (fill.account, fill.symbol, fill.leg)
        left, buys = fill.qty, fill.side is Side.BUY
        held = self.open.get(key)
        if held is not None and held.long is not buys:
            part = min(left, held.size)
            self._close(held, fill, part)
            left -= part
            if not held.size:
                self.ended.setdefault(fill.account, []).append(self.open.pop(key))
                held = None
        if not left:
            return
        if held is None:
            isolated = self.venue.accounts[fill.account].setup(fill.symbol).isolated
            held = self.open[key] = Round(
                fill.trade_id, fill.account, fill.symbol, fill.leg, buys, isolated, fill.ms, fill.ms)
        held.opened += left
        held.open_quote += fill.price * left
        held.open_fee += fill.fee * left / fill.qty
        held.updated_ms = fill.ms

    @staticmethod
    def _close(held: Round, fill: Fill, part: Decimal) -> None:
        held.closed += part
        held.close_quote += fill.price * part
        held.close_fee += fill.fee * part / fill.qty
        held.result += fill.realized
        held.updated_ms = fill.ms
