"""One trade of system C on 1m candles: the live rules of execution, with only the venue's side simulated.

Quotes, their drift and sizes, the emergency fill, the share of the first target, break-even and the longest time are
asked of `modules/strategies/showdown/positions.py`, as the live service asks. What candles do to the orders:

1. A quote goes out every `chase_rest_s`. Within a minute the market stands at its open, a tick wide and deep enough.
   A quote is filled, whole, where the minute trades through it by a tick; it pays the maker's fee. An emergency fill
   takes the other side at the open and pays the taker's fee. The first fill ends the entry.
2. Stop and targets are orders on the venue that become market orders: each fills at its trigger (a stop at the open of
   a minute that opens beyond it), slips by `SLIP` and pays the taker's fee.
3. Where one minute reaches both, the stop is first. The minute of the entry may reach the stop, never a target. The
   stop that moved to the entry counts from the next minute on.
4. Funding is paid at each settlement while something is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from modules.strategies.showdown import positions
from modules.strategies.showdown.positions import Close, Even, Part, Quote, Sent, Units
from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN, OPEN_MS, Bars, Contract, Series
from modules.strategies.showdown.settings import ShowdownSettings

MINUTE = 60_000
SLIP = 0.0002
MAKER = Decimal("0.0002")
DEEP = Decimal(10**9)
FIRST_LOOK, LONGEST_LOOK = 240, 7680  # minutes searched at a time
Ended = Literal["SL", "BE", "TP2", "TIME"]


@dataclass(frozen=True, slots=True)
class Trade:
    """One simulated trade. `r`: net result in units of the risk taken; `ended`: SL, BE, TP2 or TIME."""

    side: int
    decided_ms: int
    entry_ms: int
    exit_ms: int
    entry: float
    quantity: float
    risk: float
    net: float
    fees: float
    funding: float
    ended: Ended
    reason: str
    offsets: tuple[float, float, float]  # stop and targets from the entry, in its direction, as shares of it
    figures: tuple[float, ...] = ()  # what the meta-layer is asked with, in the order of meta.FEATURES
    fills: tuple[tuple[int, float, float], ...] = ()  # what was closed: ms of the minute, price, quantity

    @property
    def r(self) -> float:
        return self.net / self.risk if self.risk > 0 else 0.0


class Entry(NamedTuple):
    """A filled entry: the minute's place, price, quantity and the rate of its fee."""

    place: int
    price: Decimal
    quantity: Decimal
    fee: Decimal


class Out(NamedTuple):
    """A part that was closed."""

    place: int
    price: float
    quantity: float


def units_of(contract: Contract) -> Units:
    """The contract as the live rules take it."""
    return Units(Decimal(contract.tick), Decimal(contract.step), Decimal(contract.min_notional), Decimal(contract.fee))


def simulate(minutes: Bars, funding: Series, trade: positions.Trade, units: Units,
             settings: ShowdownSettings) -> Trade | None:
    """What becomes of a trade that is followed; None where nothing of it was filled."""
    entry = enter(minutes, trade, units, settings)
    return None if entry is None else follow(minutes, funding, trade, entry, units, settings)


def enter(minutes: Bars, trade: positions.Trade, units: Units, settings: ShowdownSettings) -> Entry | None:
    """The chase (rule 1)."""
    rest_ms, sent = round(1000 * settings.chase_rest_s), Sent()
    begin = int(np.searchsorted(minutes[:, OPEN_MS], trade.decided_ms, side="left"))
    for place in range(begin, len(minutes)):
        opened = int(minutes[place, OPEN_MS])
        bids, asks = _book(float(minutes[place, OPEN]), trade.long, units.tick)
        low, high = float(minutes[place, LOW]), float(minutes[place, HIGH])
        while (now := trade.decided_ms + sent.quotes * rest_ms) < opened + MINUTE:
            found = positions.next_order(trade, sent, bids, asks, max(now, opened), units, settings)
            if not isinstance(found, Quote):
                return None
            if found.emergency:
                best = asks[0][0] if trade.long else bids[0][0]
                return Entry(place, best, found.quantity, units.fee)
            through = float(found.price - trade.sign * units.tick)
            if (low <= through) if trade.long else (high >= through):
                return Entry(place, found.price, found.quantity, MAKER)
            sent = sent._replace(quotes=sent.quotes + 1)
    return None


def _book(price: float, long: bool, tick: Decimal) -> tuple[positions.Levels, positions.Levels]:
    """Bids and asks a tick apart, our own side's best at `price`."""
    own = positions.to_tick(Decimal(repr(price)), tick, down=long)
    return ([(own, DEEP)], [(own + tick, DEEP)]) if long else ([(own - tick, DEEP)], [(own, DEEP)])


def follow(minutes: Bars, funding: Series, trade: positions.Trade, entry: Entry, units: Units,
           settings: ShowdownSettings) -> Trade:
    """From the fill to the end (rules 2, 3)."""
    side, held, outs = trade.sign, entry.quantity, list[Out]()
    now = msgspec.structs.replace(trade, entering=False, entered_ms=int(minutes[entry.place, OPEN_MS]) + MINUTE)
    last = int(np.searchsorted(minutes[:, OPEN_MS], now.entered_ms + 1000 * settings.max_hold_s - MINUTE, side="left"))
    last = min(last, len(minutes) - 1)
    place, ended = entry.place, "TIME"
    while held:
        target = float(now.tp2 if now.part_done else now.tp1)
        place = _next(minutes, place, last, side, float(now.stop), target, place == entry.place)
        against, ahead = minutes[place, LOW if side > 0 else HIGH], minutes[place, HIGH if side > 0 else LOW]
        ms = int(minutes[place, OPEN_MS]) + MINUTE
        if side * against <= side * float(now.stop):
            ended = "BE" if now.part_done and now.stop != now.sl else "SL"
            outs.append(_out(place, _at_stop(minutes, place, float(now.stop), side, entry.place), held, side))
            break
        if place > entry.place and side * ahead >= side * target:
            if now.part_done:
                ended = "TP2"
                outs.append(_out(place, target, held, side))
                break
            act = positions.due(now, held, entry.price, now.tp1, ms - MINUTE, units, settings)
            if isinstance(act, Part):
                outs += [_out(place, target, held - act.leave, side)] if held > act.leave else []
                held, now = act.leave, msgspec.structs.replace(now, leave=act.leave, part_done=True)
                act = positions.due(now, held, entry.price, now.tp1, ms - MINUTE, units, settings)
                now = msgspec.structs.replace(now, stop=act.stop) if isinstance(act, Even) else now
                if side * ahead >= side * float(now.tp2):
                    ended = "TP2"
                    outs.append(_out(place, float(now.tp2), held, side))
                    break
        if place >= last or isinstance(positions.due(now, held, entry.price, entry.price, ms, units, settings), Close):
            outs.append(_out(place, float(minutes[place, CLOSE]), held, side))
            break
        place += 1
    return _booked(minutes, funding, trade, entry, outs, ended, units)  # type: ignore[arg-type]


def _next(minutes: Bars, place: int, last: int, side: int, stop: float, target: float, entering: bool) -> int:
    """The first minute from `place` on that reaches stop or target; `last` where none does."""
    if entering and side * minutes[place, LOW if side > 0 else HIGH] <= side * stop:
        return place
    place += entering
    size = FIRST_LOOK
    while place < last:
        part = minutes[place:min(place + size, last)]
        found = ((part[:, LOW] <= stop) | (part[:, HIGH] >= target) if side > 0
                 else (part[:, HIGH] >= stop) | (part[:, LOW] <= target))
        first = int(found.argmax()) if len(found) else 0
        if len(found) and found[first]:
            return place + first
        place, size = place + len(part), min(2 * size, LONGEST_LOOK)
    return last


def _at_stop(minutes: Bars, place: int, stop: float, side: int, entered: int) -> float:
    """Where a stop is filled: at its trigger, or at the open of a minute that opens beyond it."""
    if place == entered:
        return stop
    first = float(minutes[place, OPEN])
    return min(first, stop) if side > 0 else max(first, stop)


def _out(place: int, price: float, quantity: Decimal, side: int) -> Out:
    return Out(place, price * (1 - side * SLIP), float(quantity))


def _booked(minutes: Bars, funding: Series, trade: positions.Trade, entry: Entry, outs: Sequence[Out], ended: Ended,
            units: Units) -> Trade:
    side, price, quantity = trade.sign, float(entry.price), float(entry.quantity)
    taker = float(units.fee)
    gross = sum(side * (one.price - price) * one.quantity for one in outs)
    fees = float(entry.fee) * quantity * price + taker * sum(one.price * one.quantity for one in outs)
    begin, paid = int(minutes[entry.place, OPEN_MS]), 0.0
    for one in outs:
        end = int(minutes[one.place, OPEN_MS]) + MINUTE
        due = funding[(funding[:, 0] > begin) & (funding[:, 0] <= end), 1]
        paid += side * float(due.sum()) * one.quantity * one.price
    offsets = tuple(side * (float(level) / price - 1) for level in (trade.sl, trade.tp1, trade.tp2))
    return Trade(side, trade.decided_ms, begin, int(minutes[outs[-1].place, OPEN_MS]) + MINUTE, price, quantity,
                 float(trade.risk), gross - fees - paid, fees, paid, ended, trade.reason, offsets,  # type: ignore[arg-type]
                 fills=tuple((int(minutes[one.place, OPEN_MS]), one.price, one.quantity) for one in outs))
