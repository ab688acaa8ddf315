"""The account of a hedging grid on a tape: two legs, wallet, funding, stops, liquidation, and every entry as a trade.

Money is whole units of 1e-8 USDT. Both legs are held by name and never netted (X22); the engine beneath knows only
their difference, which is all that its book and its funding rows need.

1. A leg's average is its average-cost fold, as the venue tells it; a trade of the report is an entry of the grid.
2. Funding: longs pay rate × mark × size, shorts receive it. Spread over the leg's entries by their size.
3. Equity at or below the maintenance of both legs: everything is closed at the book, what is left of the wallet is
   lost with it (cross margin).
"""

from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from modules.backtest import arrays as a
from modules.strategies.grid.ledger import LegLedger
from modules.strategies.grid.rules import BUY, SELL

MONEY = Decimal(a.MONEY)
NO_STOP = (0, 0)


@dataclass(slots=True)
class Lot:
    """An entry as the money sees it: steps, what they cost, fees and funding so far (units)."""

    steps: int
    cost: int
    fees: int
    carry: int
    opened_ms: int


@dataclass(slots=True)
class Leg:
    """One side at the venue: steps and Σ price × steps of its fold (units), its entries, its stop (ticks, steps)."""

    side: int
    steps: int = 0
    cost: int = 0
    lots: dict[str, Lot] = field(default_factory=dict)
    stop: tuple[int, int] = NO_STOP


@dataclass(frozen=True, slots=True)
class Ended:
    """A trade of the report; money in units."""

    opened_ms: int
    closed_ms: int
    side: int
    steps: int
    cost: int
    value: int
    fees: int
    carry: int
    why: str

    @property
    def pnl(self) -> int:
        """What it brought, all costs paid."""
        return self.side * (self.value - self.cost) - self.fees - self.carry


class GridVenue:
    """`unit`: USDT of one tick × step; `fee`, `maintenance` as shares."""

    def __init__(self, start_usdt: float, unit: Decimal, fee: Decimal, maintenance: Decimal, leverage: int) -> None:
        self.start = self.wallet = round(Decimal(str(start_usdt)) * MONEY)
        self.unit, self.fee, self.maintenance, self.leverage = unit * MONEY, fee, maintenance, leverage
        self.legs = {BUY: Leg(BUY), SELL: Leg(SELL)}
        self.ended: list[Ended] = []
        self.funding = 0
        self.dead = False

    def value(self, tick_steps: int) -> int:
        """Ticks × steps as money."""
        return int((tick_steps * self.unit).to_integral_value(ROUND_HALF_EVEN))

    def fee_of(self, value: int) -> int:
        """The taker's fee of a value, rounded up."""
        return int((value * self.fee).to_integral_value(ROUND_CEILING))

    # -- fills -------------------------------------------------------------------------------------

    def opened(self, side: int, name: str, price: int, steps: int, ms: int) -> int:
        """An opening fill of the entry `name`; returns its fee."""
        leg, value = self.legs[side], self.value(price * steps)
        fee = self.fee_of(value)
        lot = leg.lots.setdefault(name, Lot(0, 0, 0, 0, ms))
        lot.steps, lot.cost, lot.fees = lot.steps + steps, lot.cost + value, lot.fees + fee
        leg.steps, leg.cost = leg.steps + steps, leg.cost + value
        self.wallet -= fee
        return fee

    def closed(self, side: int, taken: dict[str, int], price: int, ms: int, why: str) -> int:
        """A closing fill that takes these steps out of these entries; returns its fee."""
        leg, paid = self.legs[side], 0
        for name, steps in taken.items():
            lot = leg.lots[name]
            value = self.value(price * steps)
            fee = self.fee_of(value)
            cost, fees, carry = (each * steps // lot.steps for each in (lot.cost, lot.fees, lot.carry))
            self.wallet += side * (value - cost) - fee
            self.ended.append(Ended(lot.opened_ms, ms, side, steps, cost, value, fees + fee, carry, why))
            paid += fee
            lot.steps, lot.cost, lot.fees, lot.carry = (lot.steps - steps, lot.cost - cost, lot.fees - fees,
                                                        lot.carry - carry)
            if not lot.steps:
                del leg.lots[name]
        gone = sum(taken.values())
        leg.cost -= leg.cost * gone // leg.steps
        leg.steps -= gone
        if not leg.steps:
            leg.cost = 0
        return paid

    def funded(self, rate: int, mark: int) -> int:
        """One settlement, `rate` in 1e-8, `mark` in ticks; returns what was received (below 0: paid)."""
        received = 0
        for leg in self.legs.values():
            if not leg.steps:
                continue
            paid = leg.side * round(self.value(mark * leg.steps) * Decimal(rate) / MONEY)
            left, lots = paid, list(leg.lots.values())
            for lot in lots[1:]:
                part = paid * lot.steps // leg.steps
                lot.carry += part
                left -= part
            lots[0].carry += left
            received -= paid
        self.wallet += received
        self.funding += received
        return received

    # -- what it stands at -------------------------------------------------------------------------

    def equity(self, bid: int, ask: int) -> int:
        """Wallet and both legs at the prices that closing them would get."""
        return self.wallet + sum(
            leg.side * (self.value((bid if leg.side > 0 else ask) * leg.steps)
                        - sum(lot.cost for lot in leg.lots.values())) for leg in self.legs.values())

    def held(self, price: int) -> int:
        """Notional of both legs."""
        return self.value(price * sum(leg.steps for leg in self.legs.values()))

    def available(self, bid: int, ask: int) -> int:
        """Equity less the initial margin of both legs."""
        return self.equity(bid, ask) - sum(leg.cost for leg in self.legs.values()) // self.leverage

    def broke(self, bid: int, ask: int) -> bool:
        """Whether equity has come down to maintenance (rule 3)."""
        held = self.held(bid)
        return held > 0 and self.equity(bid, ask) <= held * self.maintenance

    def liquidate(self, bid: int, ask: int, ms: int) -> None:
        """Rule 3. What was left (or was lacking: the venue's insurance pays) is carried by the last entry."""
        for side, price in ((BUY, bid), (SELL, ask)):
            leg = self.legs[side]
            if leg.steps:
                self.closed(side, {name: lot.steps for name, lot in leg.lots.items()}, price, ms, "LIQUIDATED")
        last = self.ended[-1]
        self.ended[-1] = replace(last, carry=last.carry + self.wallet)
        self.wallet, self.dead = 0, True

    def bounds(self, spread: int) -> tuple[int, int]:
        """Ticks at or beyond which somebody must look: the nearest stop or liquidation below and above.

        Equity and maintenance are straight lines in the price: wallet + Σ side × (price × steps − cost) = rate × price
        × steps of both; `spread` widens it, so that a bound is never too late.
        """
        buy, sell = self.legs[BUY], self.legs[SELL]
        low, high = buy.stop[0] if buy.steps and buy.stop[1] else 0, a.NEVER
        if sell.steps and sell.stop[1]:
            high = sell.stop[0]
        slope = (buy.steps - sell.steps - self.maintenance * (buy.steps + sell.steps)) * self.unit
        if slope:
            cost = sum(leg.side * sum(lot.cost for lot in leg.lots.values()) for leg in (buy, sell))
            price = int((cost - self.wallet) / slope)
            if slope > 0:
                low = max(low, price + spread)
            elif price > 0:
                high = min(high, price - spread)
        return low, high


def taken_from(before: LegLedger, after: LegLedger, step: Decimal) -> dict[str, int]:
    """Steps that a fill took out of each entry of the ledger."""
    left = {entry.id: entry.quantity for entry in after.entries}
    found = {entry.id: int((entry.quantity - left.get(entry.id, Decimal(0))) / step) for entry in before.entries}
    return {name: steps for name, steps in found.items() if steps}
