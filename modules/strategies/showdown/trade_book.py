"""Trades on disk: those that are followed, and those that ended with the chain decision → orders → fills → cost.

One writer, the service. ``[test_]showdown_trades.json`` is written before the first order of a trade leaves, and before
each step that must not be forgotten; ``[test_]showdown_history.json`` holds every trade that ended.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

import msgspec

from modules.exchange.types import Fill, Mode, Side
from modules.execution.journal import Entry
from modules.storage.history import History
from modules.storage.json_state import JsonFile
from modules.strategies.showdown.positions import ZERO, Sent, Trade


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    """`open` by symbol; `seen`: market ms of the newest decision that was followed or refused, by symbol; `rests`: long
    or short, where a person closed such a trade and the decisions have said nothing else since (X37).
    """

    open: dict[str, Trade] = {}
    seen: dict[str, int] = {}
    rests: dict[str, str] = {}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A trade that ended. Money in USDT; `slip` is what the entry cost beyond the zone's end, negative: it was cheaper.

    `net` = `realised` − `fees` + `funding`; `r` is it in units of the decision's risk.
    """

    id: str
    symbol: str
    mode: str
    side: Literal["long", "short"]
    decided_ms: int
    opened_ms: int
    closed_ms: int
    reason: str
    ended: str
    quotes: int
    emergencies: int
    quantity: Decimal
    entry: Decimal
    exit: Decimal
    slip: Decimal
    realised: Decimal
    fees: Decimal
    funding: Decimal
    net: Decimal
    r: Decimal
    orders: tuple[str, ...]
    fills: tuple[str, ...]
    by_hand: bool = False


class TradeBook:
    """The files of one mode. Raises StateError where one is damaged beyond its copy, OSError by the disk."""

    def __init__(self, folder: Path, mode: Mode) -> None:
        prefix = "test_" if mode is Mode.TEST else ""
        self._file = JsonFile(folder / f"{prefix}showdown_trades.json", Trades, Trades)
        self.history = History(folder / f"{prefix}showdown_history.json", Ended)
        self.trades = Trades()

    def load(self) -> None:
        """Read what lies on disk."""
        self.trades = self._file.load()

    def keep(self, trade: Trade) -> None:
        """A trade as it is now, durable. Raises OSError: then it is as before."""
        seen = {**self.trades.seen, trade.symbol: max(trade.decided_ms, self.trades.seen.get(trade.symbol, 0))}
        self._save(msgspec.structs.replace(self.trades, open={**self.trades.open, trade.symbol: trade}, seen=seen))

    def pass_over(self, symbol: str, decided_ms: int) -> None:
        """A decision that is not followed, so that none is looked at twice."""
        self._save(msgspec.structs.replace(self.trades, seen={**self.trades.seen, symbol: decided_ms}))

    def end(self, trade: Trade, ended: Ended | None) -> None:
        """It is over; with a record where anything was filled. A crash in between: told once."""
        if ended is not None and all(one.id != ended.id for one in self.history.newest(20)):
            self.history.append(ended)
        rests = {**self.trades.rests, trade.symbol: "long" if trade.long else "short"} if trade.by_hand else \
            self.trades.rests
        left = {name: one for name, one in self.trades.open.items() if name != trade.symbol}
        self._save(msgspec.structs.replace(self.trades, open=left, rests=rests))

    def rested(self, symbol: str) -> None:
        """A decision said something else than what a person had closed (X37). Raises OSError."""
        self._save(msgspec.structs.replace(
            self.trades, rests={name: side for name, side in self.trades.rests.items() if name != symbol}))

    def _save(self, trades: Trades) -> None:
        self._file.save(trades)
        self.trades = trades


def open_trades(folder: Path, mode: Mode) -> dict[str, Trade]:
    """What is followed now, for other processes: read only. Raises StateError, OSError."""
    book = TradeBook(folder, mode)
    book.load()
    return book.trades.open


def sent(entries: Iterable[Entry]) -> Sent:
    """What went out for an entry, out of the intents it caused."""
    quotes = emergencies = 0
    filled = quote = ZERO
    for entry in entries:
        if entry.intent.leg != "entry":
            continue
        emergencies += entry.intent.reason.startswith("emergency")
        quotes += not entry.intent.reason.startswith("emergency")
        if entry.executed is not None:
            filled += entry.executed.quantity
            quote += entry.executed.quote
    return Sent(quotes, emergencies, filled, quote / filled if filled else ZERO)


def fills_of(trade: Trade, entries: Iterable[Entry], fills: Sequence[Fill]) -> list[Fill]:
    """The leg's fills from the first one of the trade's own orders on, whatever a clock said; where none is known by
    its order, those since the decision.
    """
    orders = {entry.answer.order_id for entry in entries if entry.answer is not None and entry.answer.order_id}
    first = next((place for place, fill in enumerate(fills) if fill.order_id in orders), None)
    return list(fills[first:]) if first is not None else [
        fill for fill in fills if fill.market_ms >= trade.decided_ms]


def ended(trade: Trade, entries: Iterable[Entry], fills: Iterable[Fill], funding: Decimal) -> Ended | None:
    """The record of a trade from its intents and the leg's `fills` since it began, oldest first."""
    mine = list(entries)
    went = sent(mine)
    opens = Side.BUY if trade.long else Side.SELL
    bought = [fill for fill in fills if fill.side is opens]
    sold = [fill for fill in fills if fill.side is not opens]
    size = sum((one.quantity for one in bought), ZERO)
    if not size:
        return None
    paid = sum((one.price * one.quantity for one in bought), ZERO)
    out = sum((one.quantity for one in sold), ZERO)
    got = sum((one.price * one.quantity for one in sold), ZERO)
    entry, exit_ = paid / size, got / out if out else ZERO
    realised = trade.sign * (got - entry * out)
    fees = sum((one.fee for one in (*bought, *sold)), ZERO)
    net = realised - fees + funding
    return Ended(
        id=trade.id, symbol=trade.symbol, mode=trade.mode, side="long" if trade.long else "short",
        decided_ms=trade.decided_ms, opened_ms=bought[0].market_ms, closed_ms=(sold or bought)[-1].market_ms,
        reason=trade.reason, ended=_how(trade, sold), quotes=went.quotes, emergencies=went.emergencies, quantity=size,
        entry=_cut(entry), exit=_cut(exit_), slip=_cut(trade.sign * (entry - trade.worst) * size),
        realised=_cut(realised), fees=fees, funding=funding, net=_cut(net), r=_cut(net / trade.risk),
        orders=tuple(one.intent.id for one in mine), fills=tuple(one.id for one in (*bought, *sold)),
        by_hand=trade.by_hand)


def _how(trade: Trade, sold: list[Fill]) -> str:
    if trade.closing:
        return trade.closing
    if not sold:
        return "nothing was closed by us"
    last = sold[-1].price
    if abs(last - trade.tp2) < abs(last - trade.stop):
        return "second target"
    return "break-even" if trade.part_done and trade.stop != trade.sl else "stop"


def _cut(value: Decimal) -> Decimal:
    return value.quantize(Decimal("1e-8"))
