"""What an entry on futures is held against before anything leaves (X10, X22, X24, X38). Pure.

All refusals are told, each with a code; a figure that is not known refuses (X15).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from modules.exchange.futures_types import Bracket, FuturesMarket, MarginMode, Setup, Wallet
from modules.exchange.types import OrderType

ZERO = Decimal(0)


class PerpCode(StrEnum):
    """Why an entry was refused, in the order of the checklist."""

    CLOSED = "CLOSED"
    NOT_LISTED = "NOT_LISTED"
    HALTED = "HALTED"
    RISK = "RISK"
    BLOCKED = "BLOCKED"
    CLOSING = "CLOSING"
    OTHER_DIRECTION = "OTHER_DIRECTION"
    UNRESOLVED = "UNRESOLVED"
    STALE = "STALE"
    MODE = "MODE"
    MARGIN_MODE = "MARGIN_MODE"
    LEVERAGE = "LEVERAGE"
    TICK = "TICK"
    STEP = "STEP"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    TOO_LARGE = "TOO_LARGE"
    BAND = "BAND"
    STOP_SIDE = "STOP_SIDE"
    TAKE_SIDE = "TAKE_SIDE"
    BRACKET = "BRACKET"
    MARGIN = "MARGIN"
    EXPOSURE = "EXPOSURE"
    LIQUIDATION = "LIQUIDATION"


@dataclass(frozen=True, slots=True)
class PerpRefusal:
    """One reason; `text` is the sentence for people."""

    code: PerpCode
    text: str


@dataclass(frozen=True, slots=True)
class PerpAsk:
    """An entry somebody wants. `price` is None for a market order; `stop` is where it is given up (X18: never none)."""

    symbol: str
    long: bool
    quantity: Decimal
    type: OrderType
    price: Decimal | None
    stop: Decimal
    take: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PerpWorld:
    """What is known at this moment. `held` is the leg's quantity now, `account_age_s` the age of the account's figures;
    `closed` says why nothing may be opened, `blocked` why this leg may not, `stopped` which limits of risk are broken.
    `exposure`: margin that positions tie up, USDT.
    """

    closed: str
    market: FuturesMarket | None
    setup: Setup | None
    wallet: Wallet | None
    brackets: tuple[Bracket, ...]
    mark: Decimal | None
    account_age_s: float
    held: Decimal
    held_long: bool | None
    closing: str
    blocked: str
    unresolved: bool
    hedge_ok: bool
    stopped: tuple[str, ...] = ()
    exposure: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class PerpLimits:
    """Settings that an entry is held against. `exposure_pct`: most margin in positions, % of equity; 0: no limit."""

    margin: MarginMode
    leverage: int
    margin_share: Decimal = Decimal("0.9")
    exposure_pct: Decimal = ZERO
    freshest_s: float = 10.0


def check(ask: PerpAsk, world: PerpWorld, limits: PerpLimits) -> tuple[PerpRefusal, ...]:
    """Everything that speaks against an entry."""
    return tuple(PerpRefusal(code, text) for code, text in _all(ask, world, limits))


def _all(ask: PerpAsk, world: PerpWorld, limits: PerpLimits) -> Iterator[tuple[PerpCode, str]]:
    if world.closed:
        yield PerpCode.CLOSED, world.closed
    yield from ((PerpCode.RISK, why) for why in world.stopped)
    yield from _leg(ask, world)
    yield from _account(world, limits)
    market = world.market
    if market is None:
        yield PerpCode.NOT_LISTED, f"{ask.symbol} is no contract of the exchange"
        return
    if not market.trading:
        yield PerpCode.HALTED, f"{ask.symbol} is not trading now"
    mark = world.mark
    if mark is None or world.wallet is None or world.account_age_s > limits.freshest_s:
        yield PerpCode.STALE, "mark price or account could not be read in time"
        return
    yield from _units(ask, market, mark)
    yield from _money(ask, market, world, limits, mark, world.wallet.available)
    total = world.exposure + ask.quantity * mark / limits.leverage
    most = world.wallet.equity * limits.exposure_pct / 100
    if limits.exposure_pct and total > most:
        yield PerpCode.EXPOSURE, (f"{total:.2f} USDT of margin in positions; at most {most:.2f}, which is "
                                  f"{limits.exposure_pct.normalize():f} % of equity")


def _leg(ask: PerpAsk, world: PerpWorld) -> Iterator[tuple[PerpCode, str]]:
    if world.blocked:
        yield PerpCode.BLOCKED, world.blocked
    if world.closing:
        yield PerpCode.CLOSING, f"the position is being closed ({world.closing})"
    if world.held_long is not None and world.held_long != ask.long:
        yield PerpCode.OTHER_DIRECTION, "a position in the other direction is held"
    if world.unresolved:
        yield PerpCode.UNRESOLVED, "the end of an earlier order is not known yet"


def _account(world: PerpWorld, limits: PerpLimits) -> Iterator[tuple[PerpCode, str]]:
    """X22: verified, never switched silently."""
    if not world.hedge_ok:
        yield PerpCode.MODE, "the account's position mode is not the one in FUTURES_HEDGE"
    if world.setup is None:
        yield PerpCode.LEVERAGE, "leverage and margin mode of the symbol could not be read"
        return
    if world.setup.margin is not limits.margin:
        yield PerpCode.MARGIN_MODE, f"margin mode is {world.setup.margin}, FUTURES_MARGIN says {limits.margin}"
    if world.setup.leverage != limits.leverage:
        yield PerpCode.LEVERAGE, f"leverage is {world.setup.leverage}, FUTURES_LEVERAGE says {limits.leverage}"


def _units(ask: PerpAsk, market: FuturesMarket, mark: Decimal) -> Iterator[tuple[PerpCode, str]]:
    prices = {"price": ask.price, "stop": ask.stop, "take profit": ask.take}
    for name, price in prices.items():
        if price is not None and (price <= 0 or price % market.tick):
            yield PerpCode.TICK, f"the {name} {price} is no whole number of ticks of {market.tick}"
    if ask.quantity <= 0 or ask.quantity % market.step:
        yield PerpCode.STEP, f"the quantity {ask.quantity} is no whole number of steps of {market.step}"
    price = ask.price or mark
    if ask.quantity * min(price, mark) < market.min_notional:
        yield PerpCode.MIN_NOTIONAL, f"{ask.quantity * price:.2f} is under the least of {market.min_notional}"
    most = market.market_max if ask.type is OrderType.MARKET else market.limit_max
    if ask.quantity > most or ask.quantity < market.least:
        yield PerpCode.TOO_LARGE, f"one order takes {market.least} to {most}"
    high, low = mark * market.band_up, mark * market.band_down
    if ask.price is not None and ((ask.long and ask.price > high) or (not ask.long and ask.price < low)):
        yield PerpCode.BAND, f"the price {ask.price} is outside of the band around the mark price {mark}"
    worst = min(price, mark) if ask.long else max(price, mark)
    if ask.stop >= worst if ask.long else ask.stop <= worst:
        yield PerpCode.STOP_SIDE, f"the stop {ask.stop} is on the wrong side of {worst}"
    best = max(price, mark) if ask.long else min(price, mark)
    if ask.take is not None and (ask.take <= best if ask.long else ask.take >= best):
        yield PerpCode.TAKE_SIDE, f"the take profit {ask.take} is on the wrong side of {best}"


def _money(ask: PerpAsk, market: FuturesMarket, world: PerpWorld, limits: PerpLimits, mark: Decimal,
           available: Decimal) -> Iterator[tuple[PerpCode, str]]:
    price = max(ask.price or mark, mark)
    notional = (ask.quantity + world.held) * price
    bracket = next((one for one in world.brackets if notional <= one.cap), None)
    if bracket is None or bracket.leverage < limits.leverage:
        yield PerpCode.BRACKET, f"a position of {notional:.0f} is not possible at leverage {limits.leverage}"
    needed = ask.quantity * price * (1 / Decimal(limits.leverage) + 2 * market.taker_fee)
    if needed > available * limits.margin_share:
        yield PerpCode.MARGIN, f"{needed:.2f} of margin needed, {available * limits.margin_share:.2f} may be used"
    if bracket is not None and limits.margin is MarginMode.ISOLATED:
        liquidation = liquidation_price(ask.long, price, limits.leverage, bracket.rate)
        if ask.stop <= liquidation if ask.long else ask.stop >= liquidation:
            yield PerpCode.LIQUIDATION, f"the stop {ask.stop} is beyond liquidation at about {liquidation:.6g}"


def liquidation_price(long: bool, entry: Decimal, leverage: int, rate: Decimal) -> Decimal:
    """About where an isolated position is liquidated: entry × (1 ∓ 1/leverage) / (1 ∓ maintenance rate), fees apart."""
    if long:
        return entry * (1 - 1 / Decimal(leverage)) / (1 - rate)
    return entry * (1 + 1 / Decimal(leverage)) / (1 + rate)
