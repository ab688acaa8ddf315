"""A small exchange of one contract for hosts and workers: accounts, a price moved by hand, calls that go wrong.

It counts every execution by client id, so that a test can say that nothing was ever done twice.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from modules.exchange.bitget_parse import Standing
from modules.exchange.bitget_public import Touch
from modules.exchange.futures_types import (
    Bracket,
    FuturesMarket,
    Income,
    MarginMode,
    Position,
    TriggerLookup,
    TriggerRequest,
    TriggerState,
    TriggerStatus,
    Wallet,
)
from modules.exchange.lanes import Lane
from modules.exchange.types import (
    Absent,
    Accepted,
    Candles,
    Denied,
    Fill,
    Lookup,
    Mode,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    Outcome,
    PositionSide,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.store.records import Credentials, NewUser, Webhook

D = Decimal
ZERO = D(0)
HOUR, DAY = 3_600_000, 86_400_000
START = 20_000 * DAY + 12 * HOUR + 1_800_000
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
SETTINGS: dict[str, Any] = {"open_on_new_candle": False, "base_lot": 0.01, "tick_interval": 0.1, "stale_after_s": 60}


class Clock:
    """Market time by hand."""

    speed = 1.0

    def __init__(self) -> None:
        self.ms = START

    def now_ms(self) -> int:
        """Milliseconds."""
        return self.ms


class Market:
    """Public data of BTCUSDT; falling candles, so that the first signal is BUY."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.price = D(60_000)
        self.calls = Counter[str]()
        self.away = False
        self.largest = ZERO
        self.tick = self.known_tick = D("0.1")  # the venue's own, and what its list of contracts still says

    def set(self, price: str | int | Decimal, later_ms: int = 1000) -> None:
        """Another price, a while later."""
        self.price = D(price)
        self.clock.ms += later_ms

    async def contracts(self, refresh: bool = False) -> Mapping[str, FuturesMarket]:
        if refresh:
            self.calls["contracts anew"] += 1
            self.known_tick = self.tick
        return {"BTCUSDT": FuturesMarket("BTCUSDT", "BTC", "USDT", self.known_tick, D("0.001"), D(5), D("0.0006"),
                                         D("0.0002"), least=D("0.001"), market_max=self.largest)}

    async def most_leverage(self, symbol: str) -> int:
        return 125

    async def brackets(self, symbol: str) -> Sequence[Bracket]:
        return [Bracket(ZERO, D(10**9), 125, D("0.004"), ZERO)]

    async def touches(self, symbols: frozenset[str]) -> dict[str, Touch]:
        self.calls["touches"] += 1
        if self.away:
            raise Unavailable("away")
        return {"BTCUSDT": Touch(self.price, self.price, self.clock.ms)}

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        self.calls["candles"] += 1
        end = self.clock.ms // HOUR * HOUR
        rows = []
        for number in range(210, -1, -1):
            price = 60_000.0 + number * 10
            rows.append([end - number * HOUR, price + 10, price + 15, price - 15, price, 1.0])
        found = np.array(rows)
        return found if since_ms is None else found[found[:, 0] >= since_ms]


class Account:
    """One user's account in hedge mode. `script`: what becomes of the next placements; `hang`: no call ever ends."""

    mode = Mode.LIVE
    failing = False
    margin = MarginMode.CROSSED

    def __init__(self, market: Market) -> None:
        self.market = market
        self.held = {LONG: ZERO, SHORT: ZERO}
        self.cost = {LONG: ZERO, SHORT: ZERO}
        self.balance = D(20_000)
        self.hedge, self.leverage = True, 10
        self.orders: dict[str, OrderState] = {}
        self.trades: list[Fill] = []
        self.plans: dict[str, TriggerState] = {}
        self.bills: list[Income] = []
        self.script: deque[str] = deque()
        self.plan_script: deque[str] = deque()
        self.hang = False
        self.gone = False
        self.part = D(1)
        self.sent: list[OrderRequest] = []
        self.executed = Counter[str]()
        self.calls = Counter[str]()
        self.log: list[str] = []
        self.before_positions: Any = None

    async def _call(self, name: str) -> None:
        self.calls[name] += 1
        if self.hang:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.gone:
            raise Denied("the key does not exist (any more)", "40037")

    # -- what happens -----------------------------------------------------------------------------------------------

    def trade(self, side: Side, leg: PositionSide, quantity: Decimal, order_id: str) -> None:
        """A trade at the price."""
        opens = (side is Side.BUY) == (leg is LONG)
        price = self.market.price
        if opens:
            self.cost[leg] += quantity * price
            self.held[leg] += quantity
        else:
            assert quantity <= self.held[leg], "closed more than there was"
            self.cost[leg] -= self.cost[leg] / self.held[leg] * quantity
            self.held[leg] -= quantity
        number = len(self.trades) + 1
        self.trades.append(Fill(f"t{number}", "BTCUSDT", order_id, "", side, price, quantity,
                                price * quantity * D("0.0006"), "USDT", self.market.clock.ms, False, leg, ZERO))

    def by_hand(self, side: Side, leg: PositionSide, quantity: str) -> None:
        """Somebody trades on the account."""
        self.trade(side, leg, D(quantity), f"hand-{len(self.trades)}")

    def fire(self) -> None:
        """Stops that the price has reached become orders."""
        for name, plan in list(self.plans.items()):
            if plan.status is not TriggerStatus.WAITING or plan.quantity is None:
                continue
            below = self.market.price <= plan.trigger
            if below is (plan.position_side is LONG) and self.held[plan.position_side]:
                order_id = f"fired-{name[:8]}"
                self.trade(plan.side, plan.position_side, min(plan.quantity, self.held[plan.position_side]), order_id)
                self.plans[name] = _changed(plan, TriggerStatus.TRIGGERED, order_id)

    def execute(self, request: OrderRequest) -> str:
        """A market order fills (the part `part` of it); its id."""
        self.executed[request.client_id] += 1
        order_id = f"o{len(self.orders) + 1}"
        assert request.quantity is not None
        filled = (request.quantity * self.part).quantize(D("0.001"))
        if filled:
            self.trade(request.side, request.position_side, filled, order_id)
        self.orders[request.client_id] = OrderState(
            request.client_id, order_id, request.symbol, request.side, OrderType.MARKET,
            OrderStatus.FILLED if filled == request.quantity else OrderStatus.CANCELED, request.quantity, filled,
            filled * self.market.price, self.market.clock.ms, self.market.clock.ms, request.position_side)
        return order_id

    # -- the account ------------------------------------------------------------------------------------------------

    async def place(self, request: OrderRequest) -> Outcome:
        self.log.append("place")
        self.sent.append(request)
        word = self.script.popleft() if self.script else "accept"
        if self.hang:
            await asyncio.Event().wait()
        if self.gone:
            return Refused("40037", "the key does not exist (any more)")
        await asyncio.sleep(0)
        if request.client_id in self.orders:
            return Refused("40786", "Duplicate clientOid")
        if request.quantity is not None and 0 < self.market.largest < request.quantity:
            return Refused("45112", "the order is over the largest quantity")
        if word == "refuse":
            return Refused("40754", "balance not enough")
        if word == "drop":
            return Unknown("no answer")
        order_id = self.execute(request)
        return Unknown("no answer") if word == "lose" else Accepted(order_id)

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        return Refused("40768", "Order does not exist")

    async def order(self, symbol: str, client_id: str) -> Lookup:
        await self._call("order")
        return self.orders.get(client_id) or Absent(client_id)

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        return []

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        await self._call("fills")
        return [one for one in self.trades if one.market_ms >= since_ms]

    async def fills_of(self, symbol: str, order_id: str) -> Sequence[Fill]:
        await self._call("fills_of")
        return [one for one in self.trades if one.order_id == order_id]

    async def place_trigger(self, request: TriggerRequest) -> Outcome:
        await self._call("place_trigger")
        self.log.append("stop")
        word = self.plan_script.popleft() if self.plan_script else "accept"
        if word == "passed":
            return Refused("40834", "the stop has to be below the price")
        if word == "refuse":
            return Refused("40889", "too many plan orders")
        if request.trigger % self.market.tick:
            return Refused("45115", "the price is no whole number of ticks")
        if request.quantity is not None and 0 < self.market.largest < request.quantity:
            return Refused("45112", "the order is over the largest quantity")
        if word == "drop":
            return Unknown("no answer")
        self.plans[request.client_id] = TriggerState(
            request.client_id, f"p{len(self.plans)}", request.symbol, request.side, request.position_side,
            str(request.kind), TriggerStatus.WAITING, request.trigger, request.quantity, str(request.source), "",
            self.market.clock.ms, self.market.clock.ms)
        return Unknown("no answer") if word == "lose" else Accepted("p")

    async def cancel_trigger(self, symbol: str, client_id: str) -> Outcome:
        await self._call("cancel_trigger")
        plan = self.plans.get(client_id)
        if plan is None or plan.status is not TriggerStatus.WAITING:
            return Refused("43025", "Plan order does not exist")
        self.plans[client_id] = _changed(plan, TriggerStatus.CANCELED, "")
        return Accepted(plan.trigger_id)

    async def trigger(self, symbol: str, client_id: str) -> TriggerLookup:
        await self._call("trigger")
        return self.plans.get(client_id) or Absent(client_id)

    async def open_triggers(self, symbol: str | None = None) -> Sequence[TriggerState]:
        await self._call("open_triggers")
        return self.waiting()

    def waiting(self) -> list[TriggerState]:
        """Stops that stand."""
        return [one for one in self.plans.values() if one.status is TriggerStatus.WAITING]

    async def standing(self, symbol: str, lane: Lane = Lane.EXIT) -> Standing:
        await self._call("standing")
        used = sum(self.cost.values(), ZERO) / self.leverage
        wallet = Wallet(self.balance, self.balance, self.balance - used, ZERO)
        return Standing(wallet, self.hedge, self.margin, self.leverage)

    async def positions(self, lane: Lane = Lane.EXIT) -> Sequence[Position]:
        await self._call("positions")
        found = [Position("BTCUSDT", leg, held if leg is LONG else -held, self.cost[leg] / held, self.market.price,
                          ZERO, D(1000)) for leg, held in self.held.items() if held]
        if self.before_positions is not None:
            await self.before_positions()
        return found

    async def incomes(self, since_ms: int) -> Sequence[Income]:
        await self._call("incomes")
        return [one for one in self.bills if one.market_ms >= since_ms]

    async def set_hedge(self, on: bool) -> Outcome:
        self.hedge = on
        return Accepted("")

    async def set_leverage(self, symbol: str, leverage: int) -> Outcome:
        self.leverage = leverage
        return Accepted("")

    async def set_margin(self, symbol: str, mode: MarginMode) -> Outcome:
        self.margin = mode
        return Accepted("")

    async def close(self) -> None:
        """Nothing to release."""


def _changed(plan: TriggerState, status: TriggerStatus, order_id: str) -> TriggerState:
    return TriggerState(plan.client_id, plan.trigger_id, plan.symbol, plan.side, plan.position_side, plan.kind, status,
                        plan.trigger, plan.quantity, plan.source, order_id, plan.created_ms, plan.updated_ms)


class World:
    """The market and everybody's account; it opens accounts as a worker does."""

    def __init__(self) -> None:
        self.market = Market()
        self.accounts: dict[str, Account] = {}
        self.opened = Counter[str]()

    def account(self, user_id: str) -> Account:
        """A user's account."""
        return self.accounts.setdefault(user_id, Account(self.market))

    async def open(self, market: Any, given: Credentials, user_id: str, *rest: Any) -> Account:
        """What a worker opens."""
        self.opened[f"{user_id}/{given.api_key}"] += 1
        return self.account(user_id)


def new_user(user_id: str, **changes: Any) -> NewUser:
    """A user with a stopped grid of small lots."""
    settings = GridSettings(**{**SETTINGS, **changes})
    return NewUser(user_id, "bot", f"hash-{user_id}", Credentials(f"key-{user_id}", "secret-of-it", "phrase-of-it",
                                                                 False),
                   Webhook("https://hooks.example/x", "hook-secret"), "BTCUSDT", {}, settings.model_dump())


__all__ = ["Account", "Market", "World", "new_user"]
