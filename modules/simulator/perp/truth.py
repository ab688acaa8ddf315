"""What the venue holds to be true about its users, for /sim/truth. No keys, no secrets."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from modules.simulator.perp.records import ZERO, Account

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


def truth(venue: PerpVenue) -> dict[str, Any]:
    """Per account: wallet, positions, orders, conditional orders, fills, income; `identity` = wallet − Σ income (0)."""
    return {
        "market_ms": venue.market.ms,
        "marks": {symbol: str(venue.market.marks.mark[index]) for symbol, index in venue.by_symbol.items()},
        "accounts": {account.name: _account(venue, account) for account in venue.accounts.values()}}


def _account(venue: PerpVenue, account: Account) -> dict[str, Any]:
    income = venue.income_of(account)
    sums: dict[str, Decimal] = {}
    for row in income:
        sums[row.kind] = sums.get(row.kind, ZERO) + row.amount
    view = venue.view(account)
    return {
        "wallet": str(account.wallet), "identity": str(account.wallet - sum(sums.values(), ZERO)),
        "sums": {kind: str(amount) for kind, amount in sums.items()}, "hedge": account.hedge,
        "setups": plain(account.setups), "money": plain(view),
        "positions": plain([view for view in venue.position_views(account) if view.steps]),
        "orders": [{**plain(order), "price": str(order.price * order.tick), "qty": str(order.qty * order.step),
                    "filled_qty": str(order.filled * order.step)} for order in venue.orders_of(account)],
        "algos": [{**plain(algo), "trigger": str(algo.trigger * algo.tick), "price": str(algo.price * algo.tick),
                   "qty": str(algo.qty * algo.step)} for algo in venue.algos_of(account)],
        "fills": plain(venue.fills_of(account)), "income": plain(income)}


def plain(thing: Any) -> Any:
    """A record as JSON-ready values; Decimals as text."""
    return msgspec.to_builtins(thing, enc_hook=_other)


def _other(thing: Any) -> Any:
    return thing.value if isinstance(thing, Enum) else str(thing)
