"""The fills ledger of one account: every fill counted once, holdings folded from them (X11, X12, X19, X20).

1. A fill is unique by (venue, symbol, trade id). The same again changes nothing; the same id with another content is a
   conflict: the first stands, the second is reported. Only the two halves of a trade of the account with itself share
   an id (`exchange.own_trades`): both count, the second one under ``ID SIDE``.
2. The order of arrival does not matter: fills are folded by market time. Within one millisecond a buy comes before a
   sale on spot (what was sold must have been there), then by id. A late fill has its symbol folded anew.
3. A long history is shortened to an opening holding up to a moment; a fill before that moment is ``too old`` and is
   reported, since nobody can tell any more whether it was counted.
4. A synthetic entry (X19) is made only where quantity and average can both be met; its id is deterministic and marked.
"""

import hashlib
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext
from enum import StrEnum

import msgspec

from modules.exchange.own_trades import halves
from modules.exchange.types import Fill, Market, Side
from modules.execution.holding import EXACT, ZERO, Holding, apply, empty, fund, problem_of

SYNTHETIC = "synthetic-"


class Taken(StrEnum):
    """What became of a fill given to the ledger."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    TOO_OLD = "too_old"
    INVALID = "invalid"
    UNKNOWN_MARKET = "unknown_market"


class Funding(msgspec.Struct, frozen=True):
    """Funding of a futures position; unique by (symbol, id)."""

    id: str
    symbol: str
    amount: Decimal
    market_ms: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol as it is kept on disk: the opening up to `through_ms`, and every fill after it."""

    opening: Holding
    through_ms: int = 0
    fills: tuple[Fill, ...] = ()
    funding: tuple[Funding, ...] = ()


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """The whole ledger as it is kept on disk."""

    venue: str
    account: str
    pages: dict[str, Page] = {}


@dataclass(slots=True)
class _Symbol:
    opening: Holding
    through_ms: int
    held: Holding
    order: list[tuple[tuple[int, int, int, str], str]] = field(default_factory=list)
    fills: dict[str, Fill] = field(default_factory=dict)
    funding: dict[str, Funding] = field(default_factory=dict)


class Ledger:
    """All fills of one account at one venue. Not safe between threads: its one writer is the tracker."""

    def __init__(self, venue: str, account: str, signed: bool = False) -> None:
        self.venue = venue
        self.account = account
        self.signed = signed
        self._symbols: dict[str, _Symbol] = {}

    def take(self, fill: Fill, market: Market | None) -> Taken:
        """Count one fill (rules 1–3). `market` may be None for a symbol that has been seen before."""
        if problem_of(fill):
            return Taken.INVALID
        page = self._symbols.get(fill.symbol)
        if page is None:
            if market is None:
                return Taken.UNKNOWN_MARKET
            opening = empty(market, self.signed)
            page = self._symbols[fill.symbol] = _Symbol(opening, 0, opening)
        known = page.fills.get(fill.id)
        if known is not None and halves(known, fill):
            fill = replace(fill, id=f"{fill.id} {fill.side}")
            known = page.fills.get(fill.id)
        if known is not None:
            return Taken.DUPLICATE if _same(known, fill) else Taken.CONFLICT
        if fill.market_ms < page.through_ms:
            return Taken.TOO_OLD
        newest = page.order[-1][0] if page.order else None
        key = _key(fill, self.signed)
        page.fills[fill.id] = fill
        insort(page.order, (key, fill.id))
        if newest is None or newest < key:
            page.held = apply(page.held, fill)
        else:  # rule 2: it came late
            page.held = _fold(page)
        return Taken.NEW

    def has(self, fill: Fill) -> bool:
        """Whether this very half of a trade was counted here."""
        page = self._symbols.get(fill.symbol)
        known = [] if page is None else [page.fills.get(fill.id), page.fills.get(f"{fill.id} {fill.side}")]
        return any(one is not None and (one.side, one.order_id) == (fill.side, fill.order_id) for one in known)

    def take_all(self, fills: Iterable[Fill], markets: Mapping[str, Market]) -> dict[Taken, list[Fill]]:
        """Count many; what became of each."""
        out: dict[Taken, list[Fill]] = {}
        for fill in fills:
            out.setdefault(self.take(fill, markets.get(fill.symbol)), []).append(fill)
        return out

    def take_funding(self, payment: Funding) -> Taken:
        """Count one funding payment of a symbol that has been traded."""
        if not payment.amount.is_finite() or not payment.id:
            return Taken.INVALID
        page = self._symbols.get(payment.symbol)
        if page is None:
            return Taken.UNKNOWN_MARKET
        known = page.funding.get(payment.id)
        if known is not None:
            return Taken.DUPLICATE if known == payment else Taken.CONFLICT
        if payment.market_ms < page.through_ms:
            return Taken.TOO_OLD
        page.funding[payment.id] = payment
        page.held = fund(page.held, payment.amount, payment.market_ms)
        return Taken.NEW

    def holding(self, symbol: str) -> Holding | None:
        """What is held of a symbol; None if no fill of it was ever seen."""
        page = self._symbols.get(symbol)
        return page.held if page else None

    def holdings(self) -> dict[str, Holding]:
        """Every symbol ever traded."""
        return {symbol: page.held for symbol, page in self._symbols.items()}

    def assets(self) -> dict[str, Decimal]:
        """What the fills say about every coin: bases held, quotes earned or spent, third coins paid as fees."""
        total: dict[str, Decimal] = {}
        with localcontext(EXACT):
            for page in self._symbols.values():
                held = page.held
                for asset, amount in ((held.base, held.quantity - held.surplus), (held.quote, held.cash),
                                      *((asset, -fee) for asset, fee in held.fees_other.items())):
                    total[asset] = total.get(asset, ZERO) + amount
        return total

    def since_ms(self, symbol: str) -> int:
        """From when on fills must be asked for (the newest known one's time, X16): the venue repeats those."""
        page = self._symbols.get(symbol)
        return page.held.last_ms if page else 0

    def through_ms(self, symbol: str) -> int:
        """Up to when fills are folded into the opening: older ones can no longer be told apart (rule 3)."""
        page = self._symbols.get(symbol)
        return page.through_ms if page else 0

    def fills(self, symbol: str) -> list[Fill]:
        """The fills since the opening, in the order in which they are folded."""
        page = self._symbols.get(symbol)
        return [page.fills[fill_id] for _, fill_id in page.order] if page else []

    def shorten(self, before_ms: int) -> int:
        """Fold what is older than `before_ms` into the openings (rule 3); returns how many fills went."""
        gone = 0
        for page in self._symbols.values():
            old = [fill_id for key, fill_id in page.order if key[0] < before_ms]
            paid = [item for item in page.funding.values() if item.market_ms < before_ms]
            opening = page.opening
            for fill_id in old:
                opening = apply(opening, page.fills.pop(fill_id))
            for item in paid:
                opening = fund(opening, item.amount, item.market_ms)
                del page.funding[item.id]
            page.opening, page.through_ms = opening, max(page.through_ms, before_ms)
            page.order = page.order[len(old):]
            gone += len(old)
        return gone

    def pages(self) -> Pages:
        """As it is kept on disk."""
        return Pages(venue=self.venue, account=self.account, pages={
            symbol: Page(opening=page.opening, through_ms=page.through_ms, fills=tuple(self.fills(symbol)),
                         funding=tuple(page.funding.values()))
            for symbol, page in self._symbols.items()
        })

    @classmethod
    def restore(cls, kept: Pages, signed: bool = False) -> "Ledger":
        """The ledger that `pages` came from."""
        ledger = cls(kept.venue, kept.account, signed)
        for symbol, page in kept.pages.items():
            restored = _Symbol(page.opening, page.through_ms, page.opening)
            restored.fills = {fill.id: fill for fill in page.fills}
            restored.order = sorted((_key(fill, signed), fill.id) for fill in page.fills)
            restored.funding = {item.id: item for item in page.funding}
            restored.held = _fold(restored)
            ledger._symbols[symbol] = restored
        return ledger


def synthetic_entry(held: Holding, quantity: Decimal, average: Decimal, market_ms: int) -> Fill | None:
    """The fill that would bring `held` to the venue's quantity and average (rule 4); None where none can.

    Only an addition on the same side changes an average in a way that one price explains; its price is
    (quantity × average − basis) / (quantity − held) and must be above zero.
    """
    with localcontext(EXACT):
        delta = quantity - held.quantity
        same_side = delta and (not held.quantity or (delta > 0) == (held.quantity > 0))
        if not same_side or average <= 0 or (quantity < 0 and not held.signed):
            return None
        price = (quantity * average - held.basis) / delta
        if price <= 0:
            return None
    text = f"{held.symbol}|{held.quantity}|{held.basis}|{quantity}|{average}"
    name = SYNTHETIC + hashlib.sha256(text.encode()).hexdigest()[:16]
    return Fill(id=name, symbol=held.symbol, order_id=name, client_id=name, side=Side.BUY if delta > 0 else Side.SELL,
                price=price, quantity=abs(delta), fee=ZERO, fee_asset=held.quote, market_ms=market_ms)


def _key(fill: Fill, signed: bool) -> tuple[int, int, int, str]:
    """Where a fill stands among the others (rule 2); shorter ids first, so that 9 comes before 10."""
    rank = 1 if fill.side is Side.SELL and not signed else 0
    return fill.market_ms, rank, len(fill.id), fill.id


def _same(known: Fill, fill: Fill) -> bool:
    """Whether two reports of one trade agree in what counts; order ids are told late by some endpoints."""
    return (known.side, known.price, known.quantity, known.fee, known.fee_asset, known.market_ms) == (
        fill.side, fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.market_ms)


def _fold(page: _Symbol) -> Holding:
    held = page.opening
    for _, fill_id in page.order:
        held = apply(held, page.fills[fill_id])
    for item in page.funding.values():
        held = fund(held, item.amount, item.market_ms)
    return held
