"""Limits that stand before every entry (A18, X10): one small class a limit, read as a checklist.

An entry that passed is an `Approved`; only that can be turned into an order. A refusal carries a reason code and the
figures. Exits pass none of these: a limit stops entries, never protection (X35).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol

from modules.exchange.types import Market


class EntryCode(StrEnum):
    """Why an entry was refused."""

    CLOSED = "CLOSED"
    PAUSED = "PAUSED"
    NOT_LISTED = "NOT_LISTED"
    HALTED = "HALTED"
    NOT_BY_API = "NOT_BY_API"
    HELD = "HELD"
    UNRESOLVED = "UNRESOLVED"
    TOO_OLD = "TOO_OLD"
    COOL_DOWN = "COOL_DOWN"
    MAX_TRADES = "MAX_TRADES"
    MAX_PER_DAY = "MAX_PER_DAY"
    MAX_TOKEN = "MAX_TOKEN"
    MAX_EXPOSURE = "MAX_EXPOSURE"
    SLIPPAGE = "SLIPPAGE"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    FUNDS = "FUNDS"


@dataclass(frozen=True, slots=True)
class EntryRequest:
    """An entry somebody wants: spend `quote` on `symbol`. `ask` is the best offer now, `price` that of the proposal."""

    symbol: str
    quote: Decimal
    price: Decimal
    proposed_ms: int
    ask: Decimal
    market: Market | None


@dataclass(frozen=True, slots=True)
class World:
    """All that the limits look at, read at one instant of market time. None means not known: that refuses (X35)."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures, from the settings."""

    max_open: int
    max_exposure: Decimal
    max_token: Decimal
    max_per_day: int
    max_age_ms: int
    max_slippage: Decimal


@dataclass(frozen=True, slots=True)
class Approved:
    """An entry that passed every limit; `worst_price` caps what may be paid."""

    request: EntryRequest
    market: Market
    worst_price: Decimal


@dataclass(frozen=True, slots=True)
class RefusedEntry:
    """An entry that a limit stopped; `text` is the sentence for people."""

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


class NotPaused:
    """PAUSE: no entries, exits run (X36)."""

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
        return "an earlier order's fate is not known yet" if ask.symbol in world.unresolved else ""


class Fresh:
    """A proposal is a view of a moment."""

    code: ClassVar[EntryCode] = EntryCode.TOO_OLD

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        age_ms = world.now_ms - ask.proposed_ms
        if age_ms <= limits.max_age_ms:
            return ""
        return f"the proposal is {age_ms / 1000:.0f} s old; at most {limits.max_age_ms / 1000:.0f} s"


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
    code: ClassVar[EntryCode] = EntryCode.MAX_TOKEN

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.quote <= limits.max_token:
            return ""
        return f"{ask.quote:.2f} USDT in one token; at most {limits.max_token:.2f}"


class Exposure:
    code: ClassVar[EntryCode] = EntryCode.MAX_EXPOSURE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        total = world.exposure + ask.quote
        if total <= limits.max_exposure:
            return ""
        return f"{total:.2f} USDT at risk in all; at most {limits.max_exposure:.2f}"


class Slippage:
    """The price has not run away from what was judged."""

    code: ClassVar[EntryCode] = EntryCode.SLIPPAGE

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.ask <= worst_price(ask, limits):
            return ""
        above = (ask.ask / ask.price - 1) * 100
        return f"offered {above:.2f} % above the proposal's price; at most {limits.max_slippage * 100:.2f} %"


class MinNotional:
    code: ClassVar[EntryCode] = EntryCode.MIN_NOTIONAL

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if ask.market is None or ask.quote >= ask.market.min_notional:
            return ""
        return f"{ask.quote:.2f} USDT is below the exchange's minimum of {ask.market.min_notional:.2f}"


class Funds:
    code: ClassVar[EntryCode] = EntryCode.FUNDS

    def refuse(self, ask: EntryRequest, world: World, limits: Limits) -> str:
        if world.free_quote is None:
            return "the balance could not be read"
        fee = ask.market.taker_fee if ask.market else Decimal(0)
        if world.free_quote >= ask.quote * (1 + fee):
            return ""
        return f"{world.free_quote:.2f} USDT free; {ask.quote:.2f} and the fee are needed"


CHECKLIST: Sequence[Limit] = (
    StartClosed(), NotPaused(), Listed(), Tradable(), OpenToApi(), NotHeld(), Resolved(), Fresh(), Rested(),
    OpenTrades(), TradesPerDay(), TokenExposure(), Exposure(), Slippage(), MinNotional(), Funds(),
)


def worst_price(ask: EntryRequest, limits: Limits) -> Decimal:
    """The highest price that may be paid."""
    return ask.price * (1 + limits.max_slippage)


def check(ask: EntryRequest, world: World, limits: Limits) -> Approved | RefusedEntry:
    """The first limit that refuses, or the approval."""
    for limit in CHECKLIST:
        text = limit.refuse(ask, world, limits)
        if text:
            return RefusedEntry(limit.code, text)
    assert ask.market is not None  # Listed has refused otherwise
    return Approved(ask, ask.market, worst_price(ask, limits))
