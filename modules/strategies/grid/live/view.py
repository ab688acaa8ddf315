"""What people see of a grid: both sides, next levels, break-even, liquidation, stops. Pure; from the saved state."""

from decimal import Decimal
from typing import Any

import msgspec

from modules.strategies.grid.ledger import ZERO, LegLedger
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.units import exact, level_of, orders_of

TAKER = Decimal("0.0006")


class SideView(msgspec.Struct, frozen=True):
    """One side. `entries`: (price, quantity, level); `next_price` None: full, or nothing is open to go on from."""

    side: int
    entries: tuple[tuple[float, float, int], ...]
    most: int
    quantity: float
    average: float | None
    result: float
    next_price: float | None
    stop: float | None
    liquidation: float | None
    blocked: str


class View(msgspec.Struct, frozen=True):
    """One grid. Money in USDT; `quoted_ms`: when the price was made; `balance`: as last read."""

    symbol: str
    mode: str
    price: float | None
    quoted_ms: int
    buy: SideView
    sell: SideView
    break_even: float | None
    day: float
    realised: float
    fees: float
    trades: int
    wins: int
    signal: str
    refusal: str
    problem: str
    word: str
    balance: float | None = None


def state_of(body: bytes) -> SessionState:
    """A saved state, to look at (`state.restored` is to go on with). Raises msgspec.DecodeError for what is none."""
    return msgspec.json.decode(body, type=SessionState)


def view(state: SessionState, facts: dict[str, Any], settings: GridSettings) -> View:
    """A grid as its last save tells it; `facts` are the worker's."""
    quote = state.quote
    bid = quote.bid if quote else _number(facts.get("bid"))
    ask = quote.ask if quote else _number(facts.get("ask"))
    sides = [_side(state, side, settings, price, facts) for side, price in ((BUY, bid), (SELL, ask))]
    even = break_even(state.buy, state.sell)
    signal = {BUY: "BUY", SELL: "SELL"}.get(state.signals.signal, "none")
    return View(settings.trading_symbol, str(state.mode), float((bid + ask) / 2) if bid and ask else None,
                int(facts.get("quoted_ms") or 0), sides[0], sides[1], float(even) if even else None,
                float(state.day_result) + sides[0].result + sides[1].result,
                float(state.buy.realised + state.sell.realised), float(state.buy.fees + state.sell.fees), state.trades,
                state.wins, signal, state.refusal, str(facts.get("key_refused") or facts.get("problem") or ""),
                str(facts.get("mode") or ""), float(state.balance) if state.balance is not None else None)


def break_even(buy: LegLedger, sell: LegLedger, taker: Decimal = TAKER) -> Decimal | None:
    """The price at which closing both sides, fees included, would give nothing; None where no price does.

    Q_b·P − C_b + C_s − Q_s·P − f·(Q_b + Q_s)·P = 0, with quantities Q, costs C and the taker's fee f. Where both
    sides cancel out to within their fees, only the fees would move with the price, and no answer means anything.
    """
    held, net = buy.quantity + sell.quantity, buy.quantity - sell.quantity
    slope = net - taker * held
    cost = _cost(buy) - _cost(sell)
    if not held or abs(net) <= taker * held:
        return None
    price = cost / slope
    return price if price > 0 else None


def _side(state: SessionState, side: int, settings: GridSettings, price: Decimal, facts: dict[str, Any]) -> SideView:
    ledger, check = state.ledger(side), state.check(side)
    extreme, quantity = ledger.extreme, ledger.quantity
    count, most = len(ledger.entries), orders_of(settings)
    following = None
    if extreme is not None and count < most:
        percent = exact(settings.levels()[level_of(settings, count) - 1].percent)
        following = float(extreme.price * (1 - side * percent / 100))
    trigger, protected = state.protected[0 if side > 0 else 1]
    liquidation = (facts.get("liquidation") or {}).get(str(side))
    blocked = str(check.blocked) if check.blocked is not None else "closed from outside" if check.manual else ""
    return SideView(
        side, tuple((float(one.price), float(one.quantity), one.level) for one in ledger.entries), most,
        float(quantity), float(_cost(ledger) / quantity) if quantity else None,
        float(side * (quantity * price - _cost(ledger))) if price else 0.0, following,
        float(trigger) if protected else None, float(liquidation) if liquidation and count else None, blocked)


def _cost(ledger: LegLedger) -> Decimal:
    return sum((one.cost for one in ledger.entries), ZERO)


def _number(text: Any) -> Decimal:
    return Decimal(str(text)) if text else ZERO
