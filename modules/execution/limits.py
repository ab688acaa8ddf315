"""Limits that stand before every entry (A18, X10): one small class a limit, read as a checklist.

1. `check` asks every limit; all that refuse are named, the first is the headline. Only `controls.approve_entry` turns
   an entry that nothing refused into an order that can be sent.
2. What is not known refuses (X15, X35): None stands for a figure that could not be read.
3. Quantity and price are those of the order as it would go, in whole steps and ticks; the minimum is held against them.
4. Exits pass none of these: a limit stops entries, never protection (X35).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol

from modules.exchange.types import Market

# The exit rules count in whole ticks; products stay below 2**63 up to this many.
MOST_TICKS = 10**10


class EntryCode(StrEnum):
    """Why an entry was refused, in the order of the checklist."""

    CLOSED = "CLOSED"
    SECOND_WRITER = "SECOND_WRITER"
    PAUSED = "PAUSED"
    NOT_LISTED = "NOT_LISTED"
    HALTED = "HALTED"
    NOT_BY_API = "NOT_BY_API"
    HELD = "HELD"
    UNRESOLVED = "UNRESOLVED"
    IN_FLIGHT = "IN_FLIGHT"
    TOO_OLD = "TOO_OLD"
    STALE_PRICE = "STALE_PRICE"
    COOL_DOWN = "COOL_DOWN"
    MAX_TRADES = "MAX_TRADES"
    MAX_PER_DAY = "MAX_PER_DAY"
    MAX_TOKEN = "MAX_TOKEN"
    MAX_EXPOSURE = "MAX_EXPOSURE"
    SLIPPAGE = "SLIPPAGE"
    PRICE_FELL = "PRICE_FELL"
    UNITS = "UNITS"
    THIN_BOOK = "THIN_BOOK"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    STALE_BALANCE = "STALE_BALANCE"
    FUNDS = "FUNDS"


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """An entry somebody wants: spend `quote` on `symbol`. `price` is that of the proposal, `ask` the best offer at
    `price_ms`; `offered` are the coins that `quote` buys in that book, `quantity` and `cap` those of the order.
    """

    symbol: str
    quote: Decimal
    price: Decimal
    proposed_ms: int
    ask: Decimal
    price_ms: int
    offered: Decimal
    quantity: Decimal
    cap: Decimal
    market: Market | None


@dataclass(frozen=True, slots=True)
class World:
    """All that the limits look at, read at one instant of market time. None means not known: that refuses (rule 2).

    `placing`: symbols whose order is on its way now. `token_value`: what the account holds of the token, a person's own
    coins included, in quote. `blocked`: why the risk rules take no entry.
    """

    now_ms: int
    closed: str
    paused: str
    held: frozenset[str]
    unresolved: frozenset[str]
    exposure: Decimal
    entries_today: int
    free_quote: Decimal | None
    rests_until_ms: int
    rests_why: str
    token_value: Decimal | None
    balance_ms: int | None
    placing: frozenset[str] = frozenset()
    second_writer: str = ""
    doubted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures, from the settings. `max_fall` is the lower side of the collar around the proposal's price."""

    max_open: int
    max_exposure: Decimal
    max_token: Decimal
    max_per_day: int
    max_age_ms: int
    max_slippage: Decimal
    max_fall: Decimal
    max_data_age_ms: int


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """One limit's refusal; `text` is the sentence for people."""

    code: EntryCode
    text: str


class Limit(Protocol):
    """One limit. `refuse` gives the reason, or "" where it has nothing against the entry."""

    code: ClassVar[EntryCode]

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str: ...


class StartClosed:
    """X16: no entry before balances and open intents have been read."""

    code: ClassVar[EntryCode] = EntryCode.CLOSED

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return world.closed


class OneWriter:
    """X14: somebody else orders with our mark on the same account."""

    code: ClassVar[EntryCode] = EntryCode.SECOND_WRITER

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return world.second_writer


class NotPaused:
    """The trading state and the risk limits (X35, X36): no entries, exits run."""

    code: ClassVar[EntryCode] = EntryCode.PAUSED

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return f"entries are paused: {world.paused}" if world.paused else ""


class Listed:
    """A11."""

    code: ClassVar[EntryCode] = EntryCode.NOT_LISTED

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return "" if ask.market else "the exchange does not list it"


class Tradable:
    """A11."""

    code: ClassVar[EntryCode] = EntryCode.HALTED

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.market is None or (ask.market.trading and ask.market.buys and ask.market.sells):
            return ""
        return "one cannot both buy and sell it now" if ask.market.trading else "trading is halted there"


class OpenToApi:
    """A11: MEXC takes no API orders on many pairs."""

    code: ClassVar[EntryCode] = EntryCode.NOT_BY_API

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return "the exchange takes no API orders for it" if ask.market and not ask.market.api_allowed else ""


class NotHeld:
    """One position a token, so that its exits stay clear."""

    code: ClassVar[EntryCode] = EntryCode.HELD

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return "it is held already" if ask.symbol in world.held else ""


class Resolved:
    """X9: an order whose fate is not known blocks the next one on the same token."""

    code: ClassVar[EntryCode] = EntryCode.UNRESOLVED

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.symbol in world.doubted:
            return "books and exchange do not agree on it yet (/reconcile)"
        return "an earlier order's fate is not known yet" if ask.symbol in world.unresolved else ""


class OneAtATime:
    """X8: one placement at a time an account and symbol."""

    code: ClassVar[EntryCode] = EntryCode.IN_FLIGHT

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        return "an order for it is on its way" if ask.symbol in world.placing else ""


class Fresh:
    """A proposal is a view of a moment."""

    code: ClassVar[EntryCode] = EntryCode.TOO_OLD

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        age_ms = world.now_ms - ask.proposed_ms
        if age_ms <= limits.max_age_ms:
            return ""
        return f"the proposal is {age_ms / 1000:.0f} s old; at most {limits.max_age_ms / 1000:.0f} s"


class FreshPrice:
    """X10: the book that the order is made from."""

    code: ClassVar[EntryCode] = EntryCode.STALE_PRICE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        age_ms = world.now_ms - ask.price_ms
        return f"the price is {age_ms / 1000:.0f} s old" if age_ms > limits.max_data_age_ms else ""


class Rested:
    """Cool-down after a stop or a sale of the same token (A18, X37)."""

    code: ClassVar[EntryCode] = EntryCode.COOL_DOWN

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        left_ms = world.rests_until_ms - world.now_ms
        return f"it rests {left_ms / 60_000:.0f} more min after {world.rests_why}" if left_ms > 0 else ""


class OpenTrades:
    code: ClassVar[EntryCode] = EntryCode.MAX_TRADES

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        full = len(world.held) >= limits.max_open
        return f"{len(world.held)} trades are open; at most {limits.max_open}" if full else ""


class TradesPerDay:
    code: ClassVar[EntryCode] = EntryCode.MAX_PER_DAY

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        full = world.entries_today >= limits.max_per_day
        return f"{world.entries_today} entries today; at most {limits.max_per_day}" if full else ""


class TokenExposure:
    """With what the account holds of it already, whoever bought it."""

    code: ClassVar[EntryCode] = EntryCode.MAX_TOKEN

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if world.token_value is None:
            return "what is held of it already could not be read"
        total = world.token_value + ask.quote
        if total <= limits.max_token:
            return ""
        return f"{total:.2f} USDT in one token; at most {limits.max_token:.2f}"


class Exposure:
    code: ClassVar[EntryCode] = EntryCode.MAX_EXPOSURE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        total = world.exposure + (world.token_value or Decimal(0)) + ask.quote  # not known: TokenExposure refuses
        if total <= limits.max_exposure:
            return ""
        return f"{total:.2f} USDT at risk in all; at most {limits.max_exposure:.2f}"


class Slippage:
    """The price has not run away from what was judged."""

    code: ClassVar[EntryCode] = EntryCode.SLIPPAGE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.ask <= worst_price(ask, limits) and ask.cap <= worst_price(ask, limits):
            return ""
        above = (ask.ask / ask.price - 1) * 100
        return f"offered {above:.2f} % above the proposal's price; at most {limits.max_slippage * 100:.2f} %"


class NotFallen:
    """The other side of the collar: a price that broke down is not what was judged either."""

    code: ClassVar[EntryCode] = EntryCode.PRICE_FELL

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.ask >= ask.price * (1 - limits.max_fall):
            return ""
        below = (1 - ask.ask / ask.price) * 100
        return f"offered {below:.2f} % below the proposal's price; at most {limits.max_fall * 100:.2f} %"


class WholeUnits:
    """Tick and step: what is not whole would be refused or cut by the venue; and the rules count in whole ticks."""

    code: ClassVar[EntryCode] = EntryCode.UNITS

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.market is None:
            return ""
        if ask.cap % ask.market.tick or ask.quantity % ask.market.step:
            return f"{ask.quantity} at {ask.cap} is not in whole steps and ticks"
        ticks = ask.ask // ask.market.tick
        return "" if 0 < ticks <= MOST_TICKS else f"a price of {ask.ask} is {ticks} ticks of {ask.market.tick}"


class Offered:
    """The book holds enough up to the worst price."""

    code: ClassVar[EntryCode] = EntryCode.THIN_BOOK

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.market is None or ask.quote < ask.market.min_notional:
            return ""
        thin = ask.offered * ask.ask < ask.market.min_notional
        return "too little is offered up to the worst price allowed" if thin else ""


class MinNotional:
    """After rounding to whole steps (rule 3)."""

    code: ClassVar[EntryCode] = EntryCode.MIN_NOTIONAL

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.market is None:
            return ""
        worth = ask.quantity * ask.ask
        if worth > 0 and min(worth, ask.quote) >= ask.market.min_notional:
            return ""
        return f"{worth:.2f} USDT is below the exchange's minimum of {ask.market.min_notional:.2f}"


class FreshBalance:
    """X10, X15: a balance that is not known, or old, allows nothing."""

    code: ClassVar[EntryCode] = EntryCode.STALE_BALANCE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if world.balance_ms is None:
            return "the balance could not be read"
        age_ms = world.now_ms - world.balance_ms
        return f"the balance is {age_ms / 1000:.0f} s old" if age_ms > limits.max_data_age_ms else ""


class Funds:
    """What the order may cost at most, its fee included."""

    code: ClassVar[EntryCode] = EntryCode.FUNDS

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if world.free_quote is None:
            return "the balance could not be read"
        fee = ask.market.taker_fee if ask.market else Decimal(0)
        needed = max(ask.quote, ask.quantity * ask.cap) * (1 + fee)
        if world.free_quote >= needed:
            return ""
        return f"{world.free_quote:.2f} USDT free; up to {needed:.2f} are needed, the fee included"


CHECKLIST: Sequence[Limit] = (
    StartClosed(), OneWriter(), NotPaused(), Listed(), Tradable(), OpenToApi(), NotHeld(), Resolved(),
    OneAtATime(), Fresh(), FreshPrice(), Rested(), OpenTrades(), TradesPerDay(), TokenExposure(), Exposure(),
    Slippage(), NotFallen(), WholeUnits(), Offered(), MinNotional(), FreshBalance(), Funds(),
)


def worst_price(ask: EntryRequest, limits: Limits) -> Decimal:
    """The highest price that may be paid."""
    return ask.price * (1 + limits.max_slippage)


def check(ask: EntryRequest, world: World, limits: Limits) -> tuple[RefusedEntry, ...]:
    """Every limit that refuses, in the order of the checklist (rule 1)."""
    said = ((limit.code, limit.refuse(ask, world, limits)) for limit in CHECKLIST)
    return tuple(RefusedEntry(code, text) for code, text in said if text)
