"""The account in SQL for pages and reports (C10): orders, trades, income, equity; from journal and books, idempotent.

Rows follow what the journal and the books hold, whatever was written before: after a crash or a database that was away
they are handed over again, and the tables keep one of each.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from modules.exchange.futures_types import Wallet
from modules.exchange.types import Fill, Mode
from modules.execution.futures.desk import FuturesDesk
from modules.execution.intents import CONDITIONAL
from modules.execution.journal import Entry

Put = Callable[[str, list[dict[str, Any]]], None]
NEWEST = 400


def account_of(mode: Mode) -> str:
    """How the account is called in SQL."""
    return f"showdown-{mode.lower()}"


class Rows:
    """What has been handed over of one mode's account since this process began."""

    def __init__(self, mode: Mode, desk: FuturesDesk, venue: str, put: Put) -> None:
        self._mode, self._desk, self._put = mode, desk, put
        self.account = account_of(mode)
        self._venue = "paper" if mode is Mode.TEST else venue
        self._orders: dict[str, tuple[Any, ...]] = {}
        self._fills: set[tuple[str, str]] = set()
        self._income: set[tuple[str, str]] = set()

    def follow(self) -> int:
        """Hand over what is new; how many rows. Raises SpoolFull, OSError: they come again with the next call."""
        return self._new_orders() + self._new_fills() + self._new_income()

    def equity(self, wallet: Wallet, ms: int) -> None:
        """One point of the curve. Raises SpoolFull, OSError."""
        balance, equity = _cut(wallet.balance), _cut(wallet.equity)
        self._put("equity_curve", [{"account": self.account, "ms": ms, "mode": str(self._mode), "wallet": balance,
                                    "unrealised": equity - balance, "equity": equity}])

    def _new_orders(self) -> int:
        known = self._desk.journal.newest(self._desk.who.system, self._desk.who.account, NEWEST)
        marks = {entry.intent.id: (_status(entry), entry.executed is not None) for entry in known}
        rows = [self._order(entry) for entry in known
                if self._orders.get(entry.intent.id) != marks[entry.intent.id]]
        if rows:
            self._put("orders", rows)
        self._orders = marks
        return len(rows)

    def _order(self, entry: Entry) -> dict[str, Any]:
        intent, done, answer = entry.intent, entry.executed, entry.answer
        guard = intent.leg in CONDITIONAL
        cause = f" · decision {intent.cause}" if intent.cause else ""
        kind = {"stop": "STOP_MARKET", "take": "TAKE_PROFIT_MARKET", "part": "TAKE_PROFIT_MARKET"}.get(
            intent.leg, str(intent.type))
        return {"account": self.account, "client_id": intent.id, "system": "showdown", "venue": self._venue,
                "mode": str(self._mode), "symbol": intent.symbol, "leg": intent.leg, "side": str(intent.side),
                "type": kind, "reduce_only": intent.reduce_only, "status": _status(entry), "quantity": intent.quantity,
                "price": None if guard else intent.price, "trigger": intent.price if guard else None,
                "filled": done.quantity if done else None, "order_id": answer.order_id if answer else None,
                "average": _cut(done.quote / done.quantity) if done and done.quantity else None,
                "reason": intent.reason + cause, "created_ms": intent.market_ms,
                "updated_ms": done.market_ms if done else intent.market_ms}

    def _new_fills(self) -> int:
        books = self._desk.books
        new = [fill for ledger in books.ledgers.values() for symbol in ledger.holdings()
               for fill in ledger.fills(symbol)[-NEWEST:] if (fill.symbol, fill.id) not in self._fills]
        if not new:
            return 0
        legs = {entry.answer.order_id: entry.intent for entry in self._desk.journal.entries.values()
                if entry.answer is not None and entry.answer.order_id}
        self._put("trades", [self._fill(fill, legs.get(fill.order_id)) for fill in new])
        self._fills.update((fill.symbol, fill.id) for fill in new)
        return len(new)

    def _fill(self, fill: Fill, intent: Any) -> dict[str, Any]:
        return {"venue": self._venue, "symbol": fill.symbol, "trade_id": fill.id, "account": self.account,
                "mode": str(self._mode), "client_id": intent.id if intent else fill.client_id,
                "order_id": fill.order_id, "leg": intent.leg if intent else "guard or other", "side": str(fill.side),
                "price": _cut(fill.price), "quantity": fill.quantity, "fee": _cut(fill.fee),
                "fee_asset": fill.fee_asset, "realised": None if fill.realised is None else _cut(fill.realised),
                "maker": fill.maker, "ms": fill.market_ms}

    def _new_income(self) -> int:
        cash = self._desk.books.cash
        new = [row for row in cash.rows if (row.kind, row.id) not in self._income] if cash is not None else []
        if new:
            self._put("income", [{"account": self.account, "income_id": row.id, "kind": row.kind, "symbol": row.symbol,
                                  "amount": _cut(row.amount), "asset": row.asset, "ms": row.market_ms} for row in new])
            self._income.update((row.kind, row.id) for row in new)
        return len(new)


def _cut(value: Decimal) -> Decimal:
    """To what the column holds exactly."""
    return value.quantize(Decimal("1e-12"))


def _status(entry: Entry) -> str:
    """Where an order is, by the journal."""
    if entry.verdict:
        return entry.verdict
    return entry.answer.phase if entry.answer is not None else "sent"
