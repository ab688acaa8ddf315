"""A small hedge-mode venue that fills at once, for sessions: it answers every decision, and can do it badly."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from modules.strategies.grid import events as ev
from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.reconcile import VenueLeg
from modules.strategies.grid.session import step
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.signals import Candle
from modules.strategies.grid.state import Rulebook, SessionState, rulebook
from modules.strategies.grid.units import Contract

ZERO = Decimal(0)
HOUR, DAY = 3_600_000, 86_400_000
START = 20_000 * DAY + 12 * HOUR
BTC = Contract("BTCUSDT", Decimal("0.1"), Decimal("0.001"), Decimal("0.001"))
FEE = Decimal("0.0006")


def book_of(**changes: object) -> Rulebook:
    """The seed's settings, opening on any candle, with changes."""
    return rulebook(GridSettings(**{"open_on_new_candle": False, **changes}), BTC)


def candles(signal: int, count: int = 200, end: int = START) -> tuple[Candle, ...]:
    """Closed hours up to `end` whose SAR stands above the average (BUY) or below it (SELL): a steady fall or rise."""
    lots = []
    for place in range(count):
        price = 60_000.0 - signal * (place - count) * 10.0
        lots.append(Candle(end - (count - place) * HOUR, price + signal * 10, price + 15, price - 15, price))
    return tuple(lots)


class Venue:
    """Positions per side with the venue's own average, and what went wrong on the way."""

    def __init__(self, book: Rulebook, signal: int = 1, balance: str = "10000") -> None:
        self.book, self.state, self.now = book, SessionState(), START
        self.quantity, self.cost = {1: ZERO, -1: ZERO}, {1: ZERO, -1: ZERO}
        self.balance = Decimal(balance)
        self.trades, self.placed, self.said = 0, [], []  # type: int, list[ev.Place], list[ev.Decision]
        self.ids: set[tuple[str, int]] = set()
        self.outcomes: deque[str] = deque()
        self.tell(ev.Candles(self.now, candles(signal)))

    def row(self, side: int) -> VenueLeg:
        """The venue's aggregate of a side."""
        held = self.quantity[side]
        return VenueLeg(side, held, self.cost[side] / held if held else ZERO)

    def trade(self, side: int, opens: bool, quantity: Decimal, price: Decimal) -> None:
        """A trade on the venue, ours or somebody's."""
        if opens:
            self.cost[side] += quantity * price
            self.quantity[side] += quantity
        else:
            assert quantity <= self.quantity[side], "closed more than there was"
            self.cost[side] -= self.cost[side] / self.quantity[side] * quantity
            self.quantity[side] -= quantity

    def price(self, value: str | float | Decimal, later_ms: int = 1000, spread: str = "0") -> list[ev.Decision]:
        """A tick at a price, and everything that follows from it."""
        self.now += later_ms
        bid = Decimal(str(value)).quantize(Decimal("0.1"))
        return self.tell(ev.Quote(self.now, self.now, bid, bid + Decimal(spread)))

    def tell(self, *events: ev.Event) -> list[ev.Decision]:
        """Events into the session, and the venue's answers to what it decides; all decisions."""
        queue, told = deque(events), []
        while queue:
            self.state, decisions = step(self.state, queue.popleft(), self.book)
            assert sum(isinstance(one, ev.Place) for one in decisions) <= 1  # X8
            for decision in decisions:
                told.append(decision)
                queue.extend(self.answer(decision))
        self.said += told
        return told

    def answer(self, decision: ev.Decision) -> Sequence[ev.Event]:
        """What comes back for a decision."""
        if isinstance(decision, ev.Place):
            return self.place(decision)
        if isinstance(decision, ev.Ask) and decision.what is ev.What.BALANCE:
            return [ev.Balance(self.now, self.balance, self.balance)]
        if isinstance(decision, ev.Ask) and decision.what is ev.What.POSITIONS:
            return [ev.Positions(self.now, self.row(1), self.row(-1))]
        return []

    def place(self, order: ev.Place) -> Sequence[ev.Event]:
        """An order: filled at once, or what `outcomes` has in store."""
        assert (order.slot, order.generation) not in self.ids, "an id was used twice"
        self.ids.add((order.slot, order.generation))
        self.placed.append(order)
        outcome = self.outcomes.popleft() if self.outcomes else "accepted"
        if outcome != "accepted":
            return [ev.Answered(self.now, order.slot, order.generation, outcome)]  # type: ignore[arg-type]
        return [ev.Answered(self.now, order.slot, order.generation, "accepted"), *self.fill(order),
                ev.Done(self.now, order.slot, order.generation, order.quantity)]

    def fill(self, order: ev.Place) -> list[ev.Event]:
        """The fills of an order, in two parts where it can be parted."""
        half = order.quantity / 2 // BTC.step * BTC.step
        found: list[ev.Event] = []
        for quantity in [one for one in (half, order.quantity - half) if one]:
            self.trades += 1
            self.trade(order.side, order.opens, quantity, order.price)
            found.append(ev.Filled(self.now, GridFill(f"t{self.trades}", order.slot, order.side, order.opens,
                                                      order.price, quantity, order.price * quantity * FEE, self.now,
                                                      order.target)))
        return found

    def entries(self, side: int) -> list[Decimal]:
        """Prices of a side's entries."""
        return [entry.price for entry in self.state.ledger(side).entries]


def changed(state: SessionState, **fields: object) -> SessionState:
    """The state with fields changed."""
    return msgspec.structs.replace(state, **fields)
