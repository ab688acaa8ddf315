"""Positions between two worlds: Decimal in the files, ticks and steps in the exit rules. And how fills change them.

1. Ticks and steps are whole: prices round down (the worse side for a seller), quantities round down.
2. An order is booked into a position once: its id goes into `applied` with the same write that moves the quantity.
3. What an entry cost, fees included, is spread evenly over the coins received; a sale's profit is what it brought
   after fees, less that share.
4. A position ends when less than one step is left.
"""

from dataclasses import dataclass
from decimal import Decimal

import msgspec

from modules.exchange.types import Market, Mode
from modules.execution.intents import FeeTerms, Intent
from modules.execution.order_state import Executed
from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import ppm, strategy_index
from modules.strategies.hype.records import Position, Proposal, Trade

ZERO = Decimal(0)
# Products within the exit rules stay below 2**63 up to these.
MOST_VALUE = 2**62


def whole_up(value: Decimal, unit: Decimal) -> int:
    """How many whole `unit`s `value` needs, rounded up (Decimal's // would cut towards zero). For positive values."""
    whole, rest = divmod(value, unit)
    return int(whole) + (rest > 0)


@dataclass(frozen=True, slots=True)
class Units:
    """Price step and quantity step of a market."""

    tick: Decimal
    step: Decimal
    min_notional: Decimal
    taker_fee: Decimal

    @classmethod
    def of(cls, market: Market) -> "Units":
        return cls(market.tick, market.step, market.min_notional, market.taker_fee)

    def ticks(self, price: Decimal) -> int:
        """Whole ticks, rounded down (rule 1)."""
        return int(price // self.tick)

    def steps(self, quantity: Decimal) -> int:
        """Whole steps, rounded down (rule 1)."""
        return int(quantity // self.step)

    def price(self, ticks: int) -> Decimal:
        return ticks * self.tick

    def quantity(self, steps: int) -> Decimal:
        return steps * self.step

    def min_value(self) -> int:
        """The minimum notional in tick·steps, rounded up, at most what the rules can carry."""
        return min(whole_up(self.min_notional, self.tick * self.step), MOST_VALUE)


def open_position(intent: Intent, executed: Executed, proposal: Proposal, market: Market, mode: Mode,
                  rules: exits.Rules) -> Position:
    """The position that a filled entry makes."""
    units = Units.of(market)
    plan = exits.make_plan(rules, *plan_terms(executed, proposal, units))
    return Position(
        id=intent.id, symbol=intent.symbol, mode=mode.value, strategy=proposal.strategy,
        confidence=proposal.confidence, probability=proposal.probability, opened_ms=executed.market_ms,
        entry_price=executed.price, quantity=executed.received, initial_quantity=executed.received,
        cost_usdt=executed.cost, fees_usdt=executed.fee_usdt,
        tp_prices=tuple(units.price(ticks) for ticks in plan.tp[:plan.levels]),
        slices=tuple(units.quantity(steps) for steps in plan.slices[:plan.levels]),
        sl_price=units.price(plan.stop), sl_initial=units.price(plan.stop), dynamic_peak=executed.price,
        last_price=executed.price, last_seen_ms=executed.market_ms, atr_pct=proposal.atr_pct,
        cause=proposal.candidate_id, applied=(intent.id,),
    )


def plan_terms(executed: Executed, proposal: Proposal, units: Units) -> tuple[int, int, int, int, int, int, int, int]:
    """What `exits.make_plan` is asked about a filled entry, beside the rules."""
    return (strategy_index(proposal.strategy), ppm(proposal.confidence), ppm(proposal.atr_pct, 100),
            units.ticks(executed.price), units.steps(executed.received), even_ticks(executed, units),
            units.min_value(), executed.market_ms)


def even_ticks(executed: Executed, units: Units) -> int:
    """The price in ticks, rounded up, at which a sale pays back the entry with both fees."""
    even = executed.cost / executed.received / (1 - units.taker_fee)
    return whole_up(even, units.tick)


def plan_of(position: Position, rules: exits.Rules, units: Units) -> exits.Plan:
    """The plan of a stored position: targets, slices and first stop as made at entry, distances from the settings."""
    tp = [units.ticks(price) for price in position.tp_prices]
    slices = [units.steps(quantity) for quantity in position.slices]
    even = position.cost_usdt / position.initial_quantity / (1 - units.taker_fee)
    break_even = min(whole_up(even, units.tick), tp[0] - 1) if rules.break_even and tp else 0
    deadline = position.opened_ms + rules.max_hold_ms if rules.max_hold_ms else 0
    return exits.Plan(_four(tp), _four(slices), len(tp), units.ticks(position.sl_initial), break_even,
                      rules.trail_ppm, units.min_value(), deadline)


def state_of(position: Position, units: Units) -> exits.State:
    """Where a stored position stands."""
    return exits.State(units.steps(position.quantity), units.ticks(position.sl_price),
                       units.ticks(position.dynamic_peak), position.tp_hit, units.steps(position.owed))


def moved(position: Position, state: exits.State, units: Units, bid: Decimal, now_ms: int) -> Position:
    """`position` after a look that sold nothing: stop and peak risen, targets reached but too small to sell."""
    return msgspec.structs.replace(
        position, sl_price=max(position.sl_price, units.price(state.stop)),
        dynamic_peak=max(position.dynamic_peak, bid), tp_hit=max(position.tp_hit, state.hit),
        owed=units.quantity(state.owed), last_price=bid, last_seen_ms=now_ms,
        trailing=state.hit >= len(position.tp_prices),
    )


def book_sale(position: Position, intent: Intent, executed: Executed, market: Market) -> tuple[Position, Trade]:
    """The position after a sale (still to be removed if `closes`), and the trade for the history (rules 2, 3, 4).

    What a slice could not sell stays due with the next target. Raises ValueError if the order is booked already.
    """
    if intent.id in position.applied:
        raise ValueError(f"{position.symbol}: order {intent.id} is booked already")
    sold = min(executed.quantity, position.quantity)
    left = position.quantity - sold
    pnl = executed.proceeds - position.cost_usdt * sold / position.initial_quantity
    closes = left < market.step
    asked = intent.quantity or sold
    hit = max(position.tp_hit, int(intent.note.get("hit", "0")))
    unsold = max(asked - executed.quantity, ZERO) if intent.reason.startswith("tp") else ZERO
    stop = max(position.sl_price, Decimal(intent.note.get("stop", "0")))
    after = msgspec.structs.replace(
        position, quantity=left, realized_usdt=position.realized_usdt + pnl,
        fees_usdt=position.fees_usdt + executed.fee_usdt, tp_hit=hit, sl_price=stop, owed=min(unsold, left),
        trailing=hit >= len(position.tp_prices), applied=(*position.applied, intent.id),
    )
    return after, sale_record(position, intent, executed, sold, pnl, closes)


def sale_record(position: Position, intent: Intent, executed: Executed, sold: Decimal, pnl: Decimal,
                closes: bool) -> Trade:
    """The trade of a sale; its percentage is of what the sold coins cost."""
    cost = position.cost_usdt * sold / position.initial_quantity
    return Trade(
        id=intent.id, position_id=position.id, symbol=position.symbol, mode=position.mode, side="SELL",
        market_ms=executed.market_ms, price=executed.price, quantity=sold, quote_usdt=executed.quote,
        fee_usdt=executed.fee_usdt, strategy=position.strategy, confidence=position.confidence, reason=intent.reason,
        pnl_usdt=pnl, pnl_pct=float(pnl / cost * 100) if cost else None, closes=closes, opened_ms=position.opened_ms,
    )


def corrected(position: Position, executed: Executed, fees: FeeTerms) -> Position:
    """A position that was made from its order's own figures, by the fills themselves; what was sold stays sold."""
    if (position.initial_quantity, position.cost_usdt) == (executed.received, executed.cost):
        return position
    gone = position.initial_quantity - position.quantity
    left = max(ZERO, executed.received - gone)
    return msgspec.structs.replace(
        position, entry_price=executed.price, initial_quantity=executed.received, quantity=left,
        cost_usdt=executed.cost, owed=min(position.owed, left),
        fees_usdt=position.fees_usdt + executed.fee_usdt - executed.quote * fees.taker)


def buy_record(position: Position, executed: Executed, reason: str) -> Trade:
    """The trade of an entry."""
    return Trade(
        id=position.id, position_id=position.id, symbol=position.symbol, mode=position.mode, side="BUY",
        market_ms=executed.market_ms, price=executed.price, quantity=executed.received, quote_usdt=executed.quote,
        fee_usdt=executed.fee_usdt, strategy=position.strategy, confidence=position.confidence, reason=reason,
        opened_ms=position.opened_ms,
    )


def write_off(position: Position, reason: str, now_ms: int) -> Trade:
    """The end of a position that could not be sold: dust, or coins that are no longer there. Nothing was executed.

    Dust counts as lost, the safe side; coins that left by another door have an unknown result.
    """
    lost = position.cost_usdt * position.quantity / position.initial_quantity
    return Trade(
        id=f"{position.id}-{reason}", position_id=position.id, symbol=position.symbol, mode=position.mode, side="SELL",
        market_ms=now_ms, price=position.last_price or position.entry_price, quantity=position.quantity,
        quote_usdt=ZERO, fee_usdt=ZERO, strategy=position.strategy, confidence=position.confidence, reason=reason,
        pnl_usdt=-lost if reason == "dust" else None, closes=True, opened_ms=position.opened_ms,
    )


def _four(values: list[int]) -> exits.Levels:
    padded = [*values, 0, 0, 0, 0]
    return padded[0], padded[1], padded[2], padded[3]
