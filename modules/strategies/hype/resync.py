"""/resync and /cleartracked: what the list of tracked tokens should be, by the history and the account's balances.

Pure functions: the command process shows what would change, the tracker computes the same anew and applies it.

1. What the history bought and not yet sold, and the account still holds, is tracked.
2. The smaller of the two counts; coins beyond what the history bought are the user's own and none of our business.
3. A tracked token of which less than one step is left in the account is dropped.
4. Balances that could not be read change nothing: the caller must not call then (X15).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from modules.exchange.types import Balance, Market, Mode
from modules.strategies.hype import exits
from modules.strategies.hype.exit_rules import ppm, rules_of, strategy_index
from modules.strategies.hype.positions import Units, whole_up
from modules.strategies.hype.records import Position, Trade

if TYPE_CHECKING:
    from modules.strategies.hype.files import HypeFiles
    from modules.strategies.hype.settings import HypeSettings

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the list and the truth. `position` is what it becomes; None for a drop."""

    kind: Literal["add", "adjust", "drop"]
    symbol: str
    why: str
    before: Decimal
    after: Decimal
    position: Position | None

    def line(self) -> str:
        """For a person."""
        if self.kind == "drop":
            return f"{self.symbol}: drop ({self.why})"
        if self.kind == "add":
            return f"{self.symbol}: track {self.after.normalize():f} again ({self.why})"
        return f"{self.symbol}: {self.before.normalize():f} → {self.after.normalize():f} ({self.why})"


def preview(files: "HypeFiles", balances: Mapping[str, Balance], markets: Mapping[str, Market],
            settings: "HypeSettings") -> list[Change]:
    """What /resync would change now. Reads files only. Raises StateError where they are damaged for good."""
    return changes(files.tracked.load(), list(files.trades.records()), balances, markets, settings, files.mode)


def clearable(tracked: Mapping[str, Position], balances: Mapping[str, Balance],
              markets: Mapping[str, Market]) -> list[Change]:
    """What /cleartracked would drop: tokens of which the account holds less than a step, or that are not listed."""
    found = []
    for symbol, position in sorted(tracked.items()):
        market = markets.get(symbol)
        if market is None:
            found.append(_drop(position, "not listed any more"))
        elif total(balances, market.base) < market.step:
            found.append(_drop(position, "none in the account"))
    return found


def changes(tracked: Mapping[str, Position], trades: Iterable[Trade], balances: Mapping[str, Balance],
            markets: Mapping[str, Market], settings: "HypeSettings", mode: Mode) -> list[Change]:
    """Rules 1–3 for every token that is tracked or has an open end in the history."""
    found: list[Change] = []
    history = open_ends(trades)
    for symbol in sorted({*tracked, *history}):
        market, position, ends = markets.get(symbol), tracked.get(symbol), history.get(symbol)
        if market is None:  # a delisted token stays on record until a person drops it (/cleartracked)
            continue
        held = total(balances, market.base)
        if held < market.step:
            if position is not None:
                found.append(_drop(position, "none in the account"))
            continue
        if position is not None:
            due = min(position.quantity if ends is None else ends.quantity, held)
            changed = due // market.step != position.quantity // market.step
            if changed or position.state == "external":
                fixed = msgspec.structs.replace(position, quantity=due, owed=min(position.owed, due), state="open",
                                                initial_quantity=max(position.initial_quantity, due))
                why = "by the history and the account" if ends else "the account holds fewer"
                found.append(Change("adjust", symbol, why, position.quantity, due, fixed))
        elif ends is not None and min(ends.quantity, held) >= market.step:
            made = rebuilt(ends, min(ends.quantity, held), market, settings, mode)
            found.append(Change("add", symbol, "bought, not sold, and still in the account", ZERO, made.quantity, made))
    return found


@dataclass(slots=True)
class OpenEnd:
    """A position that the history opened and never closed."""

    buy: Trade
    quantity: Decimal
    hit: int = 0
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    applied: tuple[str, ...] = ()


def open_ends(trades: Iterable[Trade]) -> dict[str, OpenEnd]:
    """By symbol, what was bought and not sold; the newest position of a symbol."""
    ends: dict[str, OpenEnd] = {}
    by_id: dict[str, OpenEnd] = {}
    for trade in trades:
        if trade.side == "BUY":
            by_id[trade.position_id] = OpenEnd(trade, trade.quantity, fees=trade.fee_usdt, applied=(trade.id,))
            continue
        end = by_id.get(trade.position_id)
        if end is None:
            continue
        end.quantity -= trade.quantity
        end.fees += trade.fee_usdt
        end.realized += trade.pnl_usdt or ZERO
        end.applied = (*end.applied, trade.id)
        if trade.reason.startswith("tp") and trade.reason[2:].isdigit():
            end.hit = max(end.hit, int(trade.reason[2:]))
        if trade.closes:
            del by_id[trade.position_id]
    for end in by_id.values():
        if end.quantity > 0:
            ends[end.buy.symbol] = end
    return ends


def rebuilt(end: OpenEnd, quantity: Decimal, market: Market, settings: "HypeSettings", mode: Mode) -> Position:
    """A position as its history left it: its stop as printed (the ATR at entry is not on record), raised to
    break-even where a target had been reached; its peak begins at the entry.
    """
    units, rules = Units.of(market), rules_of(settings)
    buy = end.buy
    on_top = ZERO if buy.quantity * buy.price < buy.quote_usdt else buy.fee_usdt  # a fee in the coin is paid already
    cost = buy.quote_usdt + on_top
    entry, initial = units.ticks(buy.price), units.steps(buy.quantity)
    even = whole_up(cost / buy.quantity / (1 - market.taker_fee), market.tick)
    plan = exits.make_plan(rules, strategy_index(buy.strategy), ppm(buy.confidence), 0, entry, initial, even,
                           units.min_value(), buy.market_ms)
    stop = max(plan.stop, plan.break_even) if end.hit else plan.stop
    return Position(
        id=buy.position_id, symbol=buy.symbol, mode=mode.value, strategy=buy.strategy, confidence=buy.confidence,
        opened_ms=buy.market_ms, entry_price=buy.price, quantity=quantity, initial_quantity=buy.quantity,
        cost_usdt=cost, fees_usdt=end.fees, tp_prices=tuple(units.price(tick) for tick in plan.tp[:plan.levels]),
        tp_hit=min(end.hit, plan.levels), sl_price=units.price(stop), sl_initial=units.price(plan.stop),
        dynamic_peak=buy.price, trailing=end.hit >= plan.levels, realized_usdt=end.realized,
        slices=tuple(units.quantity(steps) for steps in plan.slices[:plan.levels]), applied=end.applied,
        cause="resync",
    )


def total(balances: Mapping[str, Balance], asset: str) -> Decimal:
    """Free and locked; an asset that a complete answer leaves out is zero."""
    balance = balances.get(asset)
    return balance.free + balance.locked if balance else ZERO


def _drop(position: Position, why: str) -> Change:
    return Change("drop", position.symbol, why, position.quantity, ZERO, None)
