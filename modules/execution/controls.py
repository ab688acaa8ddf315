"""The gate before every order: only what passed its checklist can be sent, by type (X10).

1. `Executor.execute` takes an `Approved`, and only this module can make one: its constructor wants a token that nobody
   else has. mypy refuses an order that was not checked; at run time it is refused as well.
2. Entries pass every limit of `limits.CHECKLIST`; all refusals come back, not only the first.
3. Exits pass a checklist of their own, which makes the quantity smaller rather than refuse (X25, X35): at most what our
   ledger says is held, at most what the venue has free, in whole steps. What is not known does not stop an exit.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Generic, TypeVar, final

import msgspec

from modules.exchange.futures_types import FuturesMarket
from modules.exchange.types import Market, OrderType, PositionSide, Side
from modules.execution.futures.checklist import PerpAsk, PerpLimits, PerpRefusal, PerpWorld
from modules.execution.futures.checklist import check as check_perp
from modules.execution.intents import Intent
from modules.execution.limits import EntryRequest, Limits, RefusedEntry, World, check

T_co = TypeVar("T_co", covariant=True)


class NotApprovedError(Exception):
    """Somebody tried to send, or to approve, what no checklist has passed. Always a fault of the program."""


class _Token:
    """Its one instance makes an approval genuine."""


_TOKEN: Final = _Token()


@final
class Approved(Generic[T_co]):
    """Something that passed its checklist; made by `approve_entry` and `approve_exit` alone (rule 1)."""

    __slots__ = ("_order", "_token")

    def __init__(self, order: T_co, token: _Token) -> None:
        if token is not _TOKEN:
            raise NotApprovedError("only a checklist can approve an order")
        self._order = order
        self._token = token

    @property
    def order(self) -> T_co:
        """What was approved. Raises NotApprovedError where no checklist approved it."""
        if getattr(self, "_token", None) is not _TOKEN:
            raise NotApprovedError("this order was not approved by a checklist")
        return self._order


@dataclass(frozen=True, slots=True)
class Refusals:
    """Every limit that spoke against an entry, in the order of the checklist; never empty."""

    found: tuple[RefusedEntry, ...]

    @property
    def first(self) -> RefusedEntry:
        """The headline."""
        return self.found[0]

    def text(self) -> str:
        """All of them, for /why."""
        return "; ".join(f"{one.code}: {one.text}" for one in self.found)


def approve_entry(intent: Intent, ask: EntryRequest, world: World, limits: Limits) -> Approved[Intent] | Refusals:
    """The order of an entry, approved, or all that speaks against it (rule 2).

    Raises NotApprovedError if `intent` is not the order that `ask` describes.
    """
    same = (intent.symbol, intent.side, intent.leg, intent.quantity, intent.price) == (
        ask.symbol, Side.BUY, "entry", ask.quantity, ask.cap)
    if not same or intent.type not in (OrderType.IOC, OrderType.LIMIT) or intent.quote_quantity is not None:
        raise NotApprovedError(f"{intent.symbol}: the order is not the one that was to be checked")
    refused = check(ask, world, limits)
    return Refusals(refused) if refused else Approved(intent, _TOKEN)


class ExitCode(StrEnum):
    """Why an exit cannot go now."""

    IN_FLIGHT = "IN_FLIGHT"
    HALTED = "HALTED"
    NOTHING = "NOTHING"


@dataclass(frozen=True, slots=True)
class ExitWorld:
    """What an exit is held against. `ledger`: coins that our fills say are held; `free`: what the venue has free, own
    resting orders included. None means not known (rule 3).
    """

    market: Market
    ledger: Decimal | None
    free: Decimal | None
    placing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RefusedExit:
    """An exit that would be of no use now; `text` is the sentence for people."""

    code: ExitCode
    text: str


def approve_exit(intent: Intent, world: ExitWorld) -> Approved[Intent] | RefusedExit:
    """The order of an exit, approved, with as much as may be sold (rule 3).

    Raises NotApprovedError if `intent` is not a sale of a quantity that leaves a position.
    """
    if intent.side is not Side.SELL or intent.leg != "exit" or intent.quantity is None:
        raise NotApprovedError(f"{intent.symbol}: this is not the order of an exit")
    if intent.symbol in world.placing:  # X8
        return RefusedExit(ExitCode.IN_FLIGHT, "an order for it is on its way")
    if not (world.market.trading and world.market.sells):
        return RefusedExit(ExitCode.HALTED, "the exchange takes no sales of it now")
    known = [amount for amount in (world.ledger, world.free) if amount is not None]
    most = min([intent.quantity, *known])
    quantity = (most // world.market.step) * world.market.step
    if quantity <= 0:
        return RefusedExit(ExitCode.NOTHING, "less than one step of it can be sold")
    if quantity != intent.quantity:
        intent = msgspec.structs.replace(intent, quantity=quantity)
    return Approved(intent, _TOKEN)


@dataclass(frozen=True, slots=True)
class PerpRefusals:
    """Everything that spoke against an entry on futures; never empty."""

    found: tuple[PerpRefusal, ...]

    @property
    def first(self) -> PerpRefusal:
        """The headline."""
        return self.found[0]

    def text(self) -> str:
        """All of them."""
        return "; ".join(f"{one.code}: {one.text}" for one in self.found)


def approve_perp_entry(intent: Intent, ask: PerpAsk, world: PerpWorld,
                       limits: PerpLimits) -> Approved[Intent] | PerpRefusals:
    """The order of an entry on futures, approved, or all that speaks against it (rule 2).

    Raises NotApprovedError if `intent` is not the order that `ask` describes.
    """
    side = Side.BUY if ask.long else Side.SELL
    same = (intent.symbol, intent.side, intent.leg, intent.quantity, intent.price, intent.type, intent.reduce_only) == (
        ask.symbol, side, "entry", ask.quantity, ask.price, ask.type, False)
    leg = PositionSide.LONG if ask.long else PositionSide.SHORT
    if not same or intent.quote_quantity is not None or intent.position_side not in (leg, PositionSide.BOTH):
        raise NotApprovedError(f"{intent.symbol}: the order is not the one that was to be checked")
    refused = check_perp(ask, world, limits)
    return PerpRefusals(refused) if refused else Approved(intent, _TOKEN)


def approve_perp_exit(intent: Intent, market: FuturesMarket, held: Decimal) -> Approved[Intent] | RefusedExit:
    """The order of an exit on futures, approved, with at most what the leg holds (X25). `held` is signed.

    Raises NotApprovedError if `intent` would open or enlarge a position.
    """
    closes = intent.reduce_only and intent.side is (Side.SELL if held > 0 else Side.BUY)
    if held and intent.position_side is not PositionSide.BOTH:
        closes = closes and intent.position_side is (PositionSide.LONG if held > 0 else PositionSide.SHORT)
    if intent.leg != "exit" or intent.quantity is None or (held and not closes):
        raise NotApprovedError(f"{intent.symbol}: this is not the order of an exit")
    most = market.market_max if intent.type is OrderType.MARKET else market.limit_max
    quantity = (min(intent.quantity, abs(held), most) // market.step) * market.step
    if quantity <= 0:
        return RefusedExit(ExitCode.NOTHING, "less than one step of it can be closed")
    return Approved(msgspec.structs.replace(intent, quantity=quantity), _TOKEN)
