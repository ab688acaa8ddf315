"""Figures of closed and open trades, from the trade history alone: one pass, no clock, no I/O.

1. A *trade* is a position from its first buy to the sale that closes it; its result is the sum of its sales' net
   results (both sides' fees are in), its percent is that over what was paid.
2. A period's net result is that of all sales within it, also of positions still open; its win rate, best and worst
   are of the trades closed within it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from modules.strategies.hype.records import Position, Trade

DAY_MS = 86_400_000
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Closed:
    """One closed trade. `pnl` in USDT net of fees, `cost` what the buys took."""

    symbol: str
    strategy: str
    reason: str
    opened_ms: int
    closed_ms: int
    pnl: Decimal
    cost: Decimal

    @property
    def pct(self) -> float:
        """The result in percent of the cost."""
        return float(self.pnl / self.cost) * 100 if self.cost else 0.0


@dataclass(slots=True)
class _Running:
    opened_ms: int
    cost: Decimal = ZERO
    pnl: Decimal = ZERO


@dataclass(slots=True)
class Ledger:
    """The history, digested: closed trades, and each sale's result and each order's fee by time."""

    closed: list[Closed] = field(default_factory=list)
    realised: list[tuple[int, Decimal]] = field(default_factory=list)
    fees: list[tuple[int, Decimal]] = field(default_factory=list)
    orders: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """One period's figures (rule 2)."""

    trades: int
    wins: int
    pnl: Decimal
    fees: Decimal
    best: Closed | None
    worst: Closed | None

    @property
    def win_rate(self) -> float:
        """Won trades in percent of all."""
        return 100 * self.wins / self.trades if self.trades else 0.0


def digest(trades: Iterable[Trade]) -> Ledger:
    """Read a history once, oldest first."""
    ledger = Ledger()
    running: dict[str, _Running] = {}
    for trade in trades:
        ledger.orders += 1
        ledger.fees.append((trade.market_ms, trade.fee_usdt))
        state = running.setdefault(trade.position_id, _Running(trade.opened_ms or trade.market_ms))
        if trade.side == "BUY":
            state.cost += trade.quote_usdt
            continue
        pnl = trade.pnl_usdt if trade.pnl_usdt is not None else ZERO
        state.pnl += pnl
        ledger.realised.append((trade.market_ms, pnl))
        if trade.closes:
            del running[trade.position_id]
            ledger.closed.append(Closed(trade.symbol, str(trade.strategy), trade.reason, state.opened_ms,
                                        trade.market_ms, state.pnl, state.cost))
    return ledger


def totals(ledger: Ledger, since_ms: int = 0, until_ms: int | None = None) -> Totals:
    """Figures of the period from `since_ms` up to, not including, `until_ms`."""
    def within(market_ms: int) -> bool:
        return market_ms >= since_ms and (until_ms is None or market_ms < until_ms)

    closed = [trade for trade in ledger.closed if within(trade.closed_ms)]
    return Totals(
        trades=len(closed),
        wins=sum(1 for trade in closed if trade.pnl > 0),
        pnl=sum((pnl for at, pnl in ledger.realised if within(at)), ZERO),
        fees=sum((fee for at, fee in ledger.fees if within(at)), ZERO),
        best=max(closed, key=lambda trade: trade.pct, default=None),
        worst=min(closed, key=lambda trade: trade.pct, default=None),
    )


def by(ledger: Ledger, key: Callable[[Closed], str]) -> list[tuple[str, Totals]]:
    """Closed trades grouped, best sum first. Fees are not split by group (they are in the results)."""
    groups: dict[str, list[Closed]] = {}
    for trade in ledger.closed:
        groups.setdefault(key(trade), []).append(trade)
    rows = [(name, totals(Ledger(closed=found, realised=[(t.closed_ms, t.pnl) for t in found])))
            for name, found in groups.items()]
    return sorted(rows, key=lambda row: row[1].pnl, reverse=True)


def curve(ledger: Ledger) -> list[tuple[int, float]]:
    """The realised result summed up over time."""
    total = ZERO
    points: list[tuple[int, float]] = []
    for at, pnl in ledger.realised:
        total += pnl
        points.append((at, float(total)))
    return points


def unrealised(position: Position) -> Decimal | None:
    """What the rest of a position is worth over its entry, USDT, before the exit's fee; None without a price."""
    if position.last_price is None:
        return None
    return (position.last_price - position.entry_price) * position.quantity


def exposure(position: Position) -> Decimal:
    """What the rest of a position is worth, USDT: by the last price seen, else by the entry."""
    return (position.last_price if position.last_price is not None else position.entry_price) * position.quantity
