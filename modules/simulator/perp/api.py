"""What dialects of the perpetual-futures venue use: its words and records, and what a listener is told.

Dialect-free: Binance's and Bitget's wires are written around these; the venue itself is `venue.PerpVenue`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from modules.simulator.perp.records import (
    ZERO,
    Account,
    AccountView,
    Algo,
    Bracket,
    Fill,
    ForceOrder,
    Income,
    NewAlgo,
    NewOrder,
    Order,
    Position,
    PositionView,
    Print,
    Spec,
    SymbolSetup,
)
from modules.simulator.perp.words import (
    AlgoStatus,
    Cause,
    Execution,
    IncomeKind,
    Kind,
    Leg,
    Refused,
    Side,
    Status,
    Tif,
    Why,
    Working,
)

__all__ = [
    "ZERO", "Account", "AccountView", "Algo", "AlgoStatus", "Bracket", "Cause", "Execution", "Fill", "ForceOrder",
    "Income", "IncomeKind", "Kind", "Leg", "Levels", "Listener", "NewAlgo", "NewOrder", "Order", "Position",
    "PositionView", "Print", "Refused", "Side", "Spec", "Status", "SymbolSetup", "Tif", "Why", "Working",
]

Levels = Sequence[tuple[int, int]]  # (tick, steps), steps 0: gone


class Listener:
    """What happens, told in order. Override what you need; every method returns at once."""

    def depth(
        self, index: int, ms: int, bids: Levels, asks: Levels, first_id: int, last_id: int, prev_last_id: int
    ) -> None:
        """Changed levels of a symbol in one slice (100 ms at speed ≤ 4). Not told where nothing changed."""

    def book_ticker(
        self, index: int, ms: int, update_id: int, bid: int, bid_qty: int, ask: int, ask_qty: int
    ) -> None:
        """The touch changed (told once in a slice)."""

    def trade(self, index: int, one: Print) -> None:
        """An aggregate trade."""

    def mark(self, ms: int) -> None:
        """Once in a market second: mark, index and funding of all symbols stand in `venue.marks`."""

    def candle_closed(self, ms: int) -> None:
        """A market minute closed; `venue.candles` has it. Open candles are asked for with `candles.current`."""

    def force_order(self, one: ForceOrder) -> None:
        """A liquidation."""

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """An order changed."""

    def account_update(
        self, account: Account, cause: Cause, change: Decimal, symbols: Sequence[tuple[str, Leg]]
    ) -> None:
        """Wallet or positions changed; `change` is the balance change that is no trade."""

    def algo_update(self, account: Account, algo: Algo) -> None:
        """A conditional order changed."""

    def config_update(self, account: Account, symbol: str | None) -> None:
        """Leverage of a symbol changed, or (None) the position mode."""

    def margin_call(self, account: Account, legs: Sequence[tuple[str, Leg]]) -> None:
        """Margin ratio of these legs passed 80 %."""


# What `venue.PerpVenue` offers (prices in ticks, quantities in steps, market ms); its docstrings say the rest:
#
#   specs[i] · by_symbol · index(symbol) · accounts · by_key(key) · now() · step() · listeners
#   market data   depth(i, limit) · touch(i) · market.tape.recent(i, n) / .since(i, n, from_id, first_ms, last_ms)
#                 market.candles.klines(i, "5m", first_ms, last_ms, limit) / .current(i, "1m") / .last(i)
#                 market.marks.mark[i] / .index[i] (Decimal) / .rate[i] / .next_funding(i) / .funding_history(i, …)
#                 market.marks.open_interest(i) (steps) / .interest_at(i, ms, period) (USDT)
#                 market.marks.ratio(i, name, ms, period) · day(i)
#   trading       place, test, modify, cancel, cancel_all, countdown, find, open_orders, orders_of
#   conditional   place_algo, cancel_algo, cancel_all_algo, find_algo, open_algos, algos_of
#   account       set_leverage, set_isolated, set_hedge, move_margin, transfer, view, position_views, position_view,
#                 fills_of, income_of
