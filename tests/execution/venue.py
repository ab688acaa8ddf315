"""A venue in memory for unit tests: prices are set by hand, faults are ordered, everything that was asked is kept."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import numpy as np

from modules.exchange.types import (
    Absent,
    Accepted,
    Balance,
    Book,
    Candles,
    Failed,
    Fill,
    Lookup,
    Market,
    Mode,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    Outcome,
    Print,
    Refused,
    Side,
    Ticker,
    Unavailable,
    Unknown,
)

START_MS = 1_700_000_000_000
D = Decimal
WHOLE = D(1)


@dataclass
class Clock:
    """Market time, moved by hand."""

    ms: int = START_MS
    speed: float = 1.0

    def now_ms(self) -> int:
        return self.ms

    def pass_s(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


def market(symbol: str = "AAAUSDT", **changes: object) -> Market:
    """An ordinary pair: tick 0.0001, step 1, minimum 1 USDT, fee 0.1 %."""
    base = Market(symbol=symbol, base=symbol.removesuffix("USDT"), quote="USDT", tick=D("0.0001"), step=D(1),
                  min_notional=D(1), taker_fee=D("0.001"), maker_fee=D(0))
    return replace(base, **changes)  # type: ignore[arg-type]


@dataclass
class MarketStub:
    """Public data."""

    clock: Clock = field(default_factory=Clock)
    listed: dict[str, Market] = field(default_factory=dict)
    bids: dict[str, Decimal] = field(default_factory=dict)
    depth: dict[str, Decimal] = field(default_factory=dict)
    down: str = ""
    refreshed: int = 0

    def add(self, symbol: str, bid: str = "1", **changes: object) -> None:
        self.listed[symbol] = market(symbol, **changes)
        self.bids[symbol] = D(bid)

    async def markets(self, refresh: bool = False) -> dict[str, Market]:
        self._up()
        self.refreshed += refresh
        return dict(self.listed)

    async def tickers(self) -> dict[str, Ticker]:
        self._up()
        return {symbol: Ticker(symbol, float(bid), float(bid), float(self.ask(symbol)), 1e6, 0.0)
                for symbol, bid in self.bids.items()}

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        self._up()
        price = float(self.bids[symbol])
        begin = self.clock.ms - self.clock.ms % 60_000
        rows = [[begin - 60_000 * back, price, price * 1.1, price * 0.8, price, 1.0] for back in range(limit)]
        return np.array(rows[::-1], dtype=np.float64)

    async def book(self, symbol: str, limit: int = 50) -> Book:
        self._up()
        if symbol not in self.bids:
            raise Unavailable(f"{symbol} has no book")
        bid, depth = self.bids[symbol], self.depth.get(symbol, D(1_000_000))
        bids = ((bid, depth),) if bid > 0 else ()
        return Book(symbol, bids, ((self.ask(symbol), depth),), self.clock.ms)

    async def trades(self, symbol: str, limit: int = 500) -> Sequence[Print]:
        return []

    async def close(self) -> None:
        return None

    def ask(self, symbol: str) -> Decimal:
        return self.bids[symbol] + self.listed[symbol].tick if symbol in self.listed else self.bids[symbol]

    def _up(self) -> None:
        if self.down:
            raise Unavailable(self.down)


Fault = Callable[["AccountStub", OrderRequest], Outcome | None]


@dataclass
class AccountStub:
    """One account. `faults` are used up by placements, one each; None stands for an ordinary one."""

    venue: MarketStub
    mode: Mode = Mode.TEST
    coins: dict[str, Decimal] = field(default_factory=lambda: {"USDT": D(10_000)})
    faults: deque[Fault | None] = field(default_factory=deque)
    placed: list[OrderRequest] = field(default_factory=list)
    orders: dict[str, OrderState] = field(default_factory=dict)
    executions: list[Fill] = field(default_factory=list)
    on_place: Callable[[OrderRequest], None] = lambda request: None
    down: str = ""
    orders_down: str = ""
    fee_in_base: bool = False
    cancelled: list[str] = field(default_factory=list)
    closed: bool = False

    async def balances(self) -> dict[str, Balance]:
        if self.down:
            raise Unavailable(self.down)
        return {asset: Balance(asset, amount, D(0)) for asset, amount in self.coins.items() if amount}

    async def place(self, request: OrderRequest) -> Outcome:
        self.on_place(request)
        self.placed.append(request)
        fault = self.faults.popleft() if self.faults else None
        outcome = fault(self, request) if fault else None
        return outcome if outcome is not None else self.execute(request)

    def execute(self, request: OrderRequest, share: Decimal = WHOLE) -> Outcome:
        """What an honest venue does: fill up to the depth, at the best price, if the limit allows."""
        market = self.venue.listed.get(request.symbol)
        if market is None or not market.trading:
            return Refused("30016" if market else "-1121", "trading is halted")
        bid, depth = self.venue.bids[request.symbol], self.venue.depth.get(request.symbol, D(10**9))
        price = self.venue.ask(request.symbol) if request.side is Side.BUY else bid
        assert request.quantity is not None
        quantity = min(request.quantity, depth) * share // market.step * market.step
        worse = request.price is not None and (
            price > request.price if request.side is Side.BUY else price < request.price)
        if worse:
            quantity = D(0)
        if request.quantity * price < market.min_notional:
            return Refused("30002", "the order is under the pair's minimum")
        if request.side is Side.SELL and self.coins.get(market.base, D(0)) < request.quantity:
            return Refused("30005", "not enough of the coin to sell")
        self._book(request, market, price, quantity)
        return Accepted(f"o-{request.client_id}")

    def _book(self, request: OrderRequest, market: Market, price: Decimal, quantity: Decimal) -> None:
        status = OrderStatus.FILLED if quantity == request.quantity else OrderStatus.CANCELED
        now = self.venue.clock.ms
        self.orders[request.client_id] = OrderState(
            request.client_id, f"o-{request.client_id}", request.symbol, request.side, request.type, status,
            request.quantity or D(0), quantity, quantity * price, now, now)
        if not quantity:
            return
        buy = request.side is Side.BUY
        fee, asset = (quantity * market.taker_fee, market.base) if self.fee_in_base and buy else (
            quantity * price * market.taker_fee, market.quote)
        self._move(market.base, quantity if buy else -quantity)
        self._move(market.quote, -quantity * price if buy else quantity * price)
        self._move(asset, -fee)
        for part in (quantity // 2, quantity - quantity // 2):
            if part:
                self.executions.append(Fill(
                    f"f{len(self.executions)}", request.symbol, f"o-{request.client_id}", request.client_id,
                    request.side, price, part, fee * part / quantity, asset, now))

    def _move(self, asset: str, amount: Decimal) -> None:
        self.coins[asset] = self.coins.get(asset, D(0)) + amount

    async def cancel(self, symbol: str, client_id: str) -> Outcome:
        self.cancelled.append(client_id)
        state = self.orders.get(client_id)
        if state is None:
            return Refused("-2011", "the exchange does not know such an order")
        self.orders[client_id] = replace(state, status=OrderStatus.CANCELED)
        return Accepted(state.order_id)

    async def order(self, symbol: str, client_id: str) -> Lookup:
        if self.orders_down:
            return Unknown(self.orders_down)
        return self.orders.get(client_id) or Absent(client_id)

    async def open_orders(self, symbol: str | None = None) -> Sequence[OrderState]:
        return [state for state in self.orders.values() if not state.status.terminal]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Fill]:
        if self.down:
            raise Unavailable(self.down)
        return [fill for fill in self.executions if fill.symbol == symbol and fill.market_ms >= since_ms]

    async def close(self) -> None:
        self.closed = True


# Faults.


def refuse(code: str) -> Fault:
    return lambda account, request: Refused(code, f"refused with {code}")


def never_left(account: AccountStub, request: OrderRequest) -> Outcome:
    return Failed("connection refused")


def lost_before(account: AccountStub, request: OrderRequest) -> Outcome:
    return Unknown("timeout")


def lost_after(account: AccountStub, request: OrderRequest) -> Outcome:
    account.execute(request)
    return Unknown("timeout")


def part(share: str) -> Fault:
    return lambda account, request: account.execute(request, D(share))


def no_market_orders(account: AccountStub, request: OrderRequest) -> Outcome | None:
    return Refused("30051", "market orders are not possible on this pair") if request.type is OrderType.MARKET else None
