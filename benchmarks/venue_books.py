"""Our books against the venue's truth, to the last unit: the judge of storm, crash matrix and soak.

1. Ours is what the files say: tracked tokens, trade history, intents journal. Nothing of the program's own arithmetic
   is used; a sum that is wrong there cannot hide here.
2. The venue's is ``GET /sim/truth``. Its orders with our prefix are ours, all others are the account owner's.
3. **Doubled**: a purchase made twice for one cause, a sale of more than was bought, an order booked twice.
   **Lost**: executed at the venue and not in the history, or in the history and not at the venue, or coins of a
   position that neither the history nor the venue explains.
   **Misbooked**: booked once, with other amounts than the venue's.
4. A trade that ends a position without an order (dust, coins gone) leaves its coins in the account, on record.
5. Where the owner traded a symbol by hand, its coins are explained by his fills, and a position may be smaller than
   its history says, never larger than what is there.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from modules.exchange.types import Mode
from modules.execution.intents import PREFIX, Intent
from modules.execution.journal import Closed, Line, Opened
from modules.strategies.hype.files import HypeFiles
from modules.strategies.hype.records import Position, Trade
from utils.paths import Paths

ZERO = Decimal(0)
QUOTE = "USDT"
TRADER = "trader"


@dataclass(slots=True)
class Books:
    """What our files say at one moment."""

    positions: dict[str, Position]
    trades: list[Trade]
    intents: dict[str, Intent]
    open: set[str]

    @classmethod
    def read(cls, home: Path) -> Books:
        """The LIVE books below `home`. Raises OSError, msgspec.MsgspecError where a file is caught in between."""
        files = HypeFiles(Paths(home), Mode.LIVE)
        intents, closed = _journal(home / "data")
        return cls(files.tracked.load(), list(files.trades.records()),
                   {name: intent for name, intent in intents.items() if intent.account == Mode.LIVE.value},
                   {name for name, intent in intents.items()
                    if intent.account == Mode.LIVE.value and name not in closed})


@dataclass(slots=True)
class Verdict:
    """What the comparison found; every list is empty where all is well."""

    orders: int = 0
    executed: int = 0
    manual: int = 0
    doubled: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    misbooked: list[str] = field(default_factory=list)
    unresolved: list[str] = field(default_factory=list)
    resting: list[str] = field(default_factory=list)
    coins_off: list[str] = field(default_factory=list)
    cash_error: Decimal = ZERO
    fees_error: Decimal = ZERO
    equity_error: Decimal = ZERO

    @property
    def problems(self) -> list[str]:
        """All that is wrong, as lines."""
        found = [f"doubled: {text}" for text in self.doubled] + [f"lost: {text}" for text in self.lost]
        found += [f"misbooked: {text}" for text in self.misbooked]
        found += [f"unresolved: {text}" for text in self.unresolved] + [f"resting: {text}" for text in self.resting]
        found += [f"coins: {text}" for text in self.coins_off]
        found += [f"cash is off by {self.cash_error}"] if self.cash_error else []
        found += [f"fees are off by {self.fees_error}"] if self.fees_error else []
        return found


def _journal(data: Path) -> tuple[dict[str, Intent], set[str]]:
    """Every intent in all segments of the journal, and the ids that are closed."""
    intents: dict[str, Intent] = {}
    closed: set[str] = set()
    for path in [*sorted(data.glob("intents.[0-9]*.jsonl")), data / "intents.jsonl"]:
        if not path.exists():
            continue
        for raw in path.read_bytes().splitlines():
            line = msgspec.json.decode(raw, type=Line)
            if isinstance(line, Opened):
                intents[line.intent.id] = line.intent
            elif isinstance(line, Closed):
                closed.add(line.id)
    return intents, closed


def compare(books: Books, truth: dict[str, Any], start_usdt: Decimal = Decimal(10_000)) -> Verdict:
    """Judge `books` by the venue's `truth` (an answer of /sim/truth)."""
    account = truth["accounts"][TRADER]
    ours = [order for order in account["orders"] if (order["client_id"] or "").startswith(PREFIX)]
    own_ids = {order["id"] for order in ours}
    foreign = [fill for fill in account["fills"] if fill["order"] not in own_ids]
    verdict = Verdict(orders=len(ours), executed=sum(Decimal(order["filled_qty"]) > 0 for order in ours),
                      manual=len({fill["order"] for fill in foreign}), unresolved=sorted(books.open))
    verdict.resting = [f"{o['symbol']} {o['client_id']}" for o in ours if o["status"] in ("NEW", "PARTIALLY_FILLED")]
    fills: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fill in account["fills"]:
        fills[fill["order"]].append(fill)
    _orders(verdict, books, ours, fills)
    _positions(verdict, books, {fill["symbol"] for fill in foreign})
    _money(verdict, books, account, foreign, start_usdt)
    return verdict


def _orders(verdict: Verdict, books: Books, ours: list[dict[str, Any]], fills: dict[str, list[dict[str, Any]]]) -> None:
    """Every executed order is booked once, with the venue's amounts (rule 3)."""
    trades = Counter(trade.id for trade in books.trades)
    verdict.doubled += [f"trade {name} is {count} times in the history" for name, count in trades.items() if count > 1]
    by_id = {trade.id: trade for trade in books.trades}
    executed: Counter[str] = Counter()
    causes: Counter[tuple[str, str]] = Counter()
    for order in ours:
        name, what = order["client_id"], f"{order['side']} {order['symbol']} {order['client_id']}"
        intent = books.intents.get(name)
        if intent is None:
            verdict.lost.append(f"{what}: an order of ours without an intent")
        if Decimal(order["filled_qty"]) <= 0:
            continue
        executed[name] += 1
        if intent is not None and intent.leg == "entry":
            causes[intent.symbol, intent.slot] += 1
        trade = by_id.get(name)
        if trade is None:
            if name not in books.open:  # an open one is told as unresolved
                verdict.lost.append(f"{what}: executed, not in the history")
            continue
        quantity, quote, fee = _sums(order, fills[order["id"]])
        told = (trade.quantity, trade.quote_usdt, trade.fee_usdt)
        if told != (quantity, quote, fee):
            verdict.misbooked.append(f"{what}: {told} in the history, {(quantity, quote, fee)} at the venue")
    verdict.doubled += [f"client id {name}: executed {count} times" for name, count in executed.items() if count > 1]
    verdict.doubled += [f"{symbol}: bought {count} times for one proposal"
                        for (symbol, _), count in causes.items() if count > 1]
    verdict.lost += [f"{trade.side} {trade.symbol} {trade.id}: in the history, not at the venue"
                     for trade in books.trades if trade.quote_usdt and not executed[trade.id]]


def _sums(order: dict[str, Any], fills: list[dict[str, Any]]) -> tuple[Decimal, Decimal, Decimal]:
    """Coins moved (net of a fee in the coin), quote, and the value of the fees of one order."""
    quantity = quote = fee = ZERO
    for fill in fills:
        amount, price, paid = Decimal(fill["qty"]), Decimal(fill["price"]), Decimal(fill["fee"])
        quantity, quote = quantity + amount, quote + amount * price
        in_coin = fill["fee_asset"] == order["base"]
        quantity -= paid if in_coin and order["side"] == "BUY" else ZERO
        fee += paid * price if in_coin else paid
    return quantity, quote, fee


def _positions(verdict: Verdict, books: Books, by_hand: set[str]) -> None:
    """A position is what its history bought and has not sold (rules 3, 5)."""
    left: dict[str, Decimal] = defaultdict(Decimal)
    symbols: dict[str, str] = {}
    ended = {trade.position_id for trade in books.trades if trade.closes}
    for trade in books.trades:
        symbols[trade.position_id] = trade.symbol
        left[trade.position_id] += trade.quantity if trade.side == "BUY" else -trade.quantity
    held = {position.id: position for position in books.positions.values()}
    for name, quantity in left.items():
        symbol = symbols[name]
        if quantity < 0:
            verdict.doubled.append(f"{symbol}: {-quantity} more sold than bought")
        if symbol in by_hand:
            continue
        if name in ended:
            if name in held:
                verdict.lost.append(f"{symbol}: position {name} has ended and is still tracked")
        elif name not in held:
            verdict.lost.append(f"{symbol}: {quantity} bought, neither sold nor tracked")
        elif held[name].quantity != quantity:
            verdict.lost.append(f"{symbol}: {held[name].quantity} tracked, {quantity} by its history")
    verdict.lost += [f"{position.symbol}: tracked, no purchase in the history"
                     for name, position in held.items() if name not in left]


def _money(verdict: Verdict, books: Books, account: dict[str, Any], foreign: list[dict[str, Any]],
           start_usdt: Decimal) -> None:
    """Coins and cash of the account are those of our history, the owner's own trades and his transfers."""
    there = {asset: Decimal(row["free"]) + Decimal(row["locked"]) for asset, row in account["balances"].items()}
    expected: dict[str, Decimal] = defaultdict(Decimal, {QUOTE: start_usdt})
    fees = ZERO
    for trade in books.trades:
        sign = 1 if trade.side == "BUY" else -1
        if trade.quote_usdt:  # rule 4
            expected[trade.symbol.removesuffix(QUOTE)] += sign * trade.quantity
            expected[QUOTE] -= sign * trade.quote_usdt + trade.fee_usdt
            fees += trade.fee_usdt
    for fill in foreign:
        sign = 1 if fill["side"] == "BUY" else -1
        expected[fill["symbol"].removesuffix(QUOTE)] += sign * Decimal(fill["qty"])
        expected[QUOTE] -= sign * Decimal(fill["quote"])
        expected[fill["fee_asset"]] -= Decimal(fill["fee"])
        fees += Decimal(fill["fee"]) if fill["fee_asset"] == QUOTE else ZERO
    for transfer in account["transfers"]:
        expected[transfer["asset"]] += Decimal(transfer["amount"])
    prices = {trade.symbol.removesuffix(QUOTE): trade.price for trade in books.trades}
    for asset in sorted(there.keys() | expected.keys()):
        off = there.get(asset, ZERO) - expected[asset]
        if asset == QUOTE:
            verdict.cash_error = off
            verdict.equity_error += abs(off)
        elif off:
            verdict.coins_off.append(f"{asset}: {there.get(asset, ZERO)} there, {expected[asset]} by our books")
            verdict.equity_error += abs(off) * prices.get(asset, Decimal(1))
    verdict.coins_off += [f"{name}: {position.quantity} tracked, {there.get(name.removesuffix(QUOTE), ZERO)} there"
                          for name, position in books.positions.items() if position.state != "external"
                          and position.quantity > there.get(name.removesuffix(QUOTE), ZERO)]
    verdict.fees_error = Decimal(account["fees"].get(QUOTE, "0")) - fees


def same_orders(first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether nothing was ordered or filled between two truths."""
    def mark(truth: dict[str, Any]) -> str:
        account = truth["accounts"][TRADER]
        return json.dumps([account["orders"], account["balances"]], sort_keys=True)
    return mark(first) == mark(second)
