"""What becomes of a decision that trades (C7): quotes, the emergency fill, targets, the end. Pure; time is given.

1. A decision is followed for `entry_lives_s`; older ones, ones from ahead of the clock and ones whose figures cannot be
   are not followed.
2. Chase: quote k of n rests at our side's best price, at worst at the zone's end plus k/n of the drift. The quantity
   shrinks with the price, so that what is lost at the stop, fees included, never exceeds the decision's risk.
3. Emergency: once, when the quotes are used up, for what is left, as an immediate-or-cancel order capped at
   `emergency_slippage_pct` beyond the best offer; only where every condition of `emergency` holds.
4. At the first target part is closed, then the stop goes to the entry's average. A stop never gets looser.
The backtest calls the same functions on candles (modules/backtest/showdown.py); it simulates the venue's side only.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import NamedTuple

import msgspec

from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.trade_settings import TradeSettings

ZERO = Decimal(0)
AHEAD_MS = 5_000  # a decision newer than the clock by more: the clock jumped
Levels = Sequence[tuple[Decimal, Decimal]]  # (price, quantity) from best to worst


class Trade(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that is followed; ``[test_]showdown_trades.json`` keeps it from before its first order.

    `worst` is the zone's end farthest from the stop; `stop` the stop that is meant now; `stays` what the order that
    waits at the first target leaves, `leave` the same once that target was reached (None: not yet); `entering`: quotes
    still go out, `entered`: how that ended; `closing`: why it is to end, `by_hand`: a person wanted that.
    """

    id: str
    symbol: str
    mode: str
    long: bool
    decided_ms: int
    price: Decimal
    worst: Decimal
    sl: Decimal
    tp1: Decimal
    tp2: Decimal
    quantity: Decimal
    risk: Decimal
    confidence: float
    risk_level: int
    reason: str
    stop: Decimal
    entering: bool = True
    entered: str = ""
    entered_ms: int = 0
    stays: Decimal | None = None
    leave: Decimal | None = None
    part_done: bool = False
    closing: str = ""
    by_hand: bool = False

    @property
    def sign(self) -> int:
        return 1 if self.long else -1


class Units(NamedTuple):
    """The contract's grid and costs."""

    tick: Decimal
    step: Decimal
    min_notional: Decimal
    fee: Decimal


class Refusal(NamedTuple):
    """Why something is not done: a code and a sentence."""

    code: str
    said: str


class Sent(NamedTuple):
    """What went out for an entry so far, by the journal: quotes, emergency orders, and what was filled."""

    quotes: int = 0
    emergencies: int = 0
    filled: Decimal = ZERO
    average: Decimal = ZERO


class Quote(NamedTuple):
    """The next order of an entry. `emergency`: immediate or cancel."""

    price: Decimal
    quantity: Decimal
    emergency: bool = False


class Stop(NamedTuple):
    """The entry is over; `emergency` names what spoke against an emergency fill."""

    why: str
    emergency: tuple[str, ...] = ()


def followed(decision: Decision, now_ms: int, settings: TradeSettings) -> Trade | Refusal:
    """The trade of a long or short decision, or why it is not followed (rule 1)."""
    age_s = (now_ms - decision.ms) / 1000
    if age_s < -AHEAD_MS / 1000:
        return Refusal("CLOCK", f"it was made {-age_s:.0f} s ahead of the clock: a clock jumped")
    if age_s > settings.entry_lives_s:
        return Refusal("STALE", f"it is {age_s:.0f} s old and lives {settings.entry_lives_s:g} s")
    if decision.action == "flat" or decision.entry_zone is None:
        return Refusal("FLAT", "it is flat")
    long = decision.action == "long"
    try:
        zone = [Decimal(text) for text in decision.entry_zone]
        sl, tp1, tp2, quantity, risk = (Decimal(text or "NaN") for text in (
            decision.sl, decision.tp1, decision.tp2, decision.quantity, decision.risk_usdt))
    except InvalidOperation:
        return Refusal("FIGURES", "a price or size of it is no number")
    best, worst = (zone[0], zone[1]) if long else (zone[1], zone[0])
    figures = (sl, best, worst, tp1, tp2)
    if not all(one.is_finite() and one > 0 for one in (*figures, quantity, risk)):
        return Refusal("FIGURES", "a price or size of it cannot be")
    if list(figures) != sorted(figures, reverse=not long) or len({sl, worst, tp1}) < 3:
        return Refusal("FIGURES", "stop, zone and targets are not in order")
    return Trade(id=decision.hash[:20], symbol=decision.symbol, mode=decision.mode, long=long, decided_ms=decision.ms,
                 price=worst, worst=worst, sl=sl, tp1=tp1, tp2=tp2, quantity=quantity, risk=risk,
                 confidence=decision.confidence, risk_level=decision.risk_level, reason=decision.reason, stop=sl)


def limit(trade: Trade, number: int, units: Units, settings: TradeSettings) -> Decimal:
    """The worst price of quote `number`, from 0 (rule 2)."""
    share = Decimal(number) / max(1, settings.chase_requotes)
    drift = abs(trade.worst - trade.sl) * Decimal(str(settings.chase_drift_pct)) / 100 * min(share, Decimal(1))
    return to_tick(trade.worst + trade.sign * drift, units.tick, down=trade.long)


def room(trade: Trade, price: Decimal, sent: Sent, units: Units) -> Decimal:
    """How much may still be taken at `price` (rule 2), in whole steps; less than the venue takes is nothing."""
    def loss(at: Decimal) -> Decimal:
        return max(ZERO, trade.sign * (at - trade.sl)) + units.fee * (at + trade.sl)
    left = trade.risk - (sent.filled * loss(sent.average) if sent.filled else ZERO)
    most = min(trade.quantity - sent.filled, left / loss(price))
    quantity = (most // units.step) * units.step
    return quantity if quantity > 0 and quantity * price >= units.min_notional else ZERO


def next_order(trade: Trade, sent: Sent, bids: Levels, asks: Levels, now_ms: int, units: Units,
               settings: TradeSettings) -> Quote | Stop:
    """What the entry does next (rules 2, 3)."""
    if not bids or not asks:
        return Stop("one side of the book is empty")
    own, other = (bids[0][0], asks[0][0]) if trade.long else (asks[0][0], bids[0][0])
    if trade.sign * (own - trade.tp1) >= 0:
        return Stop("the first target was reached before")
    if trade.sign * (other - trade.sl) <= 0:
        return Stop("the price is beyond the stop")
    if now_ms > trade.decided_ms + 1000 * settings.entry_lives_s:
        return Stop("the decision is too old")
    number = min(sent.quotes, settings.chase_requotes)
    worst = limit(trade, number, units, settings)
    price = min(own, worst) if trade.long else max(own, worst)
    quantity = room(trade, price, sent, units)
    if not quantity:
        return Stop("filled" if sent.filled else "nothing that the venue takes is left to order")
    if sent.quotes <= settings.chase_requotes:
        return Quote(price, quantity)
    against, quote = emergency(trade, sent, bids, asks, units, settings)
    if quote is None or against:
        return Stop("the quotes are used up", against)
    return quote


def emergency(trade: Trade, sent: Sent, bids: Levels, asks: Levels, units: Units,
              settings: TradeSettings) -> tuple[tuple[str, ...], Quote | None]:
    """What speaks against taking the rest at the market now (each a code), and the order (rule 3)."""
    offers = asks if trade.long else bids
    best, spread = offers[0][0], (asks[0][0] - bids[0][0]) / asks[0][0] * 100
    cap = best * (1 + trade.sign * Decimal(str(settings.emergency_slippage_pct)) / 100)
    furthest = limit(trade, settings.chase_requotes, units, settings)
    price = to_tick(min(cap, furthest) if trade.long else max(cap, furthest), units.tick, down=trade.long)
    quantity = room(trade, price, sent, units)
    within = sum((much for at, much in offers if trade.sign * (price - at) >= 0), ZERO)
    way, risked = trade.sign * (trade.tp1 - price), trade.sign * (price - trade.sl)
    found = {
        "OFF": not settings.emergency, "DONE_BEFORE": sent.emergencies > 0,
        "CONFIDENCE": trade.confidence < settings.emergency_confidence,
        "RISK_LEVEL": trade.risk_level > settings.emergency_risk_level,
        "DRIFT": trade.sign * (best - furthest) > 0,
        "REWARD": way < Decimal(str(settings.emergency_reward)) * risked,
        "SPREAD": spread > Decimal(str(settings.emergency_spread_pct)),
        "DEPTH": within < quantity, "SIZE": not quantity}
    against = tuple(code for code, holds in found.items() if holds)
    return against, (Quote(price, quantity, True) if quantity else None)


class Part(NamedTuple):
    """Close down to `leave`: the first target."""

    leave: Decimal


class Even(NamedTuple):
    """Move the stop."""

    stop: Decimal


class Close(NamedTuple):
    """Close all of it."""

    why: str


def part_of(held: Decimal, units: Units, settings: TradeSettings) -> Decimal:
    """What is closed at the first target of `held`, in whole steps (rule 4); zero where the position is too small."""
    return (held * Decimal(str(settings.tp1_share_pct)) / 100 // units.step) * units.step


def due(trade: Trade, held: Decimal, average: Decimal, mark: Decimal, now_ms: int, units: Units,
        settings: TradeSettings) -> Part | Even | Close | None:
    """What is to be done with a position of `held` (above zero) at `average`, the mark price given (rule 4)."""
    if trade.closing:
        return Close(trade.closing)
    if now_ms >= (trade.entered_ms or trade.decided_ms) + 1000 * settings.max_hold_s:
        return Close("it was held for the longest time")
    if not trade.part_done:
        if trade.leave is not None:
            return Part(trade.leave)
        if trade.sign * (mark - trade.tp1) >= 0:
            return Part(held - part_of(held, units, settings))
        return None
    even = to_tick(average, units.tick, down=not trade.long)
    return Even(even) if trade.sign * (even - trade.stop) > 0 else None


def to_tick(value: Decimal, tick: Decimal, down: bool) -> Decimal:
    """A price on the venue's grid."""
    return (value / tick).to_integral_value(ROUND_FLOOR if down else ROUND_CEILING) * tick
