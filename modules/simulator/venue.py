"""The venue: takes orders, matches them, keeps accounts, lets the market reach resting orders.

Free of any wire dialect. Every change is handed to the journal before the caller is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from hashlib import blake2b
from typing import Literal

from modules.simulator.accounts import ZERO, Account, Fill, Order, OrderType, Status
from modules.simulator.book import BUY, SELL, ModelBook
from modules.simulator.errors import Reason, Refused
from modules.simulator.history import History
from modules.simulator.market import Market
from modules.simulator.matching import Leg, plan, reach
from modules.simulator.pairs import Pairs, PairState
from modules.simulator.source import Source
from modules.simulator.universe import MINUTE_MS, Token

MIN_NOTIONAL = Decimal(1)
MAX_NOTIONAL = Decimal(2_000_000)
MAX_NOTIONAL_MARKET = Decimal(100_000)
MAX_OPEN_ORDERS = 500
_FEE_STEP = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a client asks for, parsed but not judged."""

    symbol: str
    side: str
    type: OrderType
    qty: Decimal | None
    quote_qty: Decimal | None
    price: Decimal | None
    client_id: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One durable step: orders and fills as they are now, and the accounts whose balances moved."""

    ms: int
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    accounts: tuple[Account, ...]
    next_seq: int


class Venue:
    """The simulated exchange without its wire."""

    def __init__(
        self,
        source: Source,
        accounts: Iterable[Account],
        now: Callable[[], int],
        *,
        fee_asset: Literal["quote", "received"] = "quote",
        commit: Callable[[Change], None] | None = None,
    ) -> None:
        self.source = source
        self.market = Market(source)
        self.history = History(self.market)
        self.model_book = ModelBook(self.market)
        self.pairs = Pairs(source)
        self.now = now
        self.accounts = {account.name: account for account in accounts}
        self.by_key = {account.api_key: account for account in self.accounts.values()}
        self.orders: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self.next_seq = 1
        self._fee_in_quote = fee_asset == "quote"
        self._commit = commit or (lambda change: None)
        self._resting: dict[int, list[Order]] = {}
        self._reached: dict[int, int] = {}  # slot → market time up to which flow was applied
        self._prints: dict[int, deque[Fill]] = {}

    # -- restoring ---------------------------------------------------------------------------------------

    def restore(self, orders: Iterable[Order], fills: Iterable[Fill], next_seq: int, ms: int) -> None:
        """Take over what a journal kept; flow reaches open orders from `ms` on."""
        for order in orders:
            self.orders[order.id] = order
            if not order.status.final:
                self._resting.setdefault(order.slot, []).append(order)
                self._reached[order.slot] = ms
        self.fills.extend(fills)
        self.next_seq = next_seq

    # -- questions ---------------------------------------------------------------------------------------

    def token(self, symbol: str, ms: int) -> Token:
        """The token of a symbol. Raises Refused(BAD_SYMBOL)."""
        token = self.pairs.find(symbol, ms)
        if token is None:
            raise Refused(Reason.BAD_SYMBOL, symbol)
        return token

    def resting(self, slot: int, side: str) -> list[Order]:
        """Users' open orders of one side of a pair."""
        return [order for order in self._resting.get(slot, ()) if order.side == side]

    def depth(self, token: Token, ms: int, side: str, limit: int) -> list[tuple[int, int]]:
        """Standing amounts by price, the model's and the users', best first."""
        levels = dict(self.model_book.ladder(token.slot, ms, side))
        for order in self.resting(token.slot, side):
            assert order.price is not None
            levels[order.price] = levels.get(order.price, 0) + order.remaining
        return sorted(levels.items(), reverse=side == BUY)[:limit]

    def open_orders(self, account: Account, symbol: str | None) -> list[Order]:
        """An account's open orders, oldest first."""
        found = [
            order for orders in self._resting.values() for order in orders
            if order.account == account.name and (symbol is None or order.symbol == symbol)
        ]
        return sorted(found, key=lambda order: order.seq)

    def find_order(self, account: Account, symbol: str, order_id: str | None, client_id: str | None) -> Order | None:
        """An account's order by id or by client id (the newest with that id)."""
        if order_id is not None:
            order = self.orders.get(order_id)
            mine = order is not None and order.account == account.name and order.symbol == symbol
            return order if mine else None
        for order in reversed(self.orders.values()):
            if order.client_id == client_id and order.account == account.name and order.symbol == symbol:
                return order
        return None

    def prints(self, slot: int) -> list[Fill]:
        """Latest taker fills of users on a pair: part of the public tape."""
        return list(self._prints.get(slot, ()))

    # -- orders ------------------------------------------------------------------------------------------

    def check(self, account: Account, ask: NewOrder, ms: int) -> tuple[Token, int | None, int | None]:
        """Judge a new order without placing it: (token, price in ticks, amount in steps). Raises Refused."""
        token = self.pairs.find(ask.symbol, ms)
        if token is None:
            raise Refused(Reason.BAD_SYMBOL, ask.symbol)
        self._check_state(token, ask, ms)
        if ask.client_id is not None and any(o.client_id == ask.client_id for o in self.open_orders(account, None)):
            raise Refused(Reason.DUPLICATE_ID, ask.client_id)
        if len(self.open_orders(account, None)) >= MAX_OPEN_ORDERS:
            raise Refused(Reason.TOO_MANY_ORDERS)
        price, steps = _in_units(token, ask)
        last = self.market.price(token.slot, ms)
        if price is not None and (price > 2 * last if ask.side == BUY else 2 * price < last):
            raise Refused(Reason.PRICE_RANGE, f"last price {Decimal(last).scaleb(-token.price_scale)}")
        worth = _worth(token, ask, price, steps, last)
        if worth < MIN_NOTIONAL:
            raise Refused(Reason.UNDER_MINIMUM, f"{MIN_NOTIONAL}USDT")
        maximum = MAX_NOTIONAL_MARKET if ask.type is OrderType.MARKET else MAX_NOTIONAL
        if worth > maximum:
            raise Refused(Reason.OVER_MAXIMUM, f"{maximum}USDT")
        return token, price, steps

    def _check_state(self, token: Token, ask: NewOrder, ms: int) -> None:
        state = self.pairs.state(token, ms)
        if state is PairState.OFFLINE:
            raise Refused(Reason.OFFLINE, token.symbol)
        if not token.api_open or not token.in_defaults:
            raise Refused(Reason.CLOSED_TO_API, token.symbol)
        if state is PairState.HALTED:
            raise Refused(Reason.HALTED, token.symbol)
        if state is PairState.SELL_ONLY and ask.side == BUY:
            raise Refused(Reason.SELL_ONLY, token.symbol)
        if ask.type is OrderType.MARKET and not token.market_orders:
            raise Refused(Reason.NO_MARKET_ORDERS, token.symbol)

    def place(self, account: Account, ask: NewOrder) -> Order:
        """Place an order; whatever of it executes at once has executed on return. Raises Refused."""
        ms = self.now()
        self.advance(ms)
        token, price, steps = self.check(account, ask, ms)
        order = Order(
            id=f"C02__{ms:013d}{self.next_seq:08d}", seq=self.next_seq, account=account.name, symbol=token.symbol,
            slot=token.slot, side=ask.side, type=ask.type, price=price, steps=steps,
            quote_limit=ask.quote_qty if steps is None else None, client_id=ask.client_id,
            price_scale=token.price_scale, base_scale=token.base_scale, base=token.base, created_ms=ms,
            updated_ms=ms, shown_price=ask.price)
        legs = self._legs(order, ms)
        self._hold(account, order, legs, token)
        self.next_seq += 1
        self.orders[order.id] = order
        touched, fills = [order], []
        refuse_all = order.type is OrderType.LIMIT_MAKER and legs or (
            order.type is OrderType.FOK and sum(leg.steps for leg in legs) < order.remaining)
        for leg in [] if refuse_all else legs:
            made, maker = self._execute(order, leg, token, ms)
            fills += made
            if maker is not None:
                touched.append(maker)
        self._rest_or_end(order, ms, ended=bool(refuse_all))
        self._record(ms, touched, fills)
        return order

    def _legs(self, order: Order, ms: int) -> list[Leg]:
        other = SELL if order.side == BUY else BUY
        budget = None
        if order.quote_limit is not None:
            budget = int(order.quote_limit.scaleb(order.price_scale + order.base_scale))
        legs = plan(
            order.side, self.model_book.ladder(order.slot, ms, other), self.resting(order.slot, other),
            steps=order.steps, budget=budget, limit=order.price)
        if not legs and order.type is OrderType.MARKET:
            raise Refused(Reason.NO_COUNTERPART, order.symbol)
        return legs

    def _hold(self, account: Account, order: Order, legs: list[Leg], token: Token) -> None:
        """Lock what the order may cost. Raises Refused where the account has less."""
        fee = 1 + token.taker if self._fee_in_quote else Decimal(1)
        if order.side == SELL:
            steps = order.steps if order.steps is not None else sum(leg.steps for leg in legs)
            amount, reason = order.amount(steps), Reason.NOT_ENOUGH_BASE
        else:
            if order.price is not None and order.steps is not None:
                cost = order.at(order.price) * order.amount(order.steps)
            else:
                cost = sum((order.at(leg.tick) * order.amount(leg.steps) for leg in legs), ZERO)
            amount, reason = cost * fee, Reason.NOT_ENOUGH_QUOTE
            if order.quote_limit is not None:
                amount = max(amount, order.quote_limit * fee)
        if amount > account.balance(order.hold_asset).free:
            raise Refused(reason, f"{order.hold_asset} needed {amount.normalize():f}")
        account.lock(order, amount)

    def _execute(self, order: Order, leg: Leg, token: Token, ms: int) -> tuple[list[Fill], Order | None]:
        fills = [self._fill(order, leg.tick, leg.steps, token, ms, maker=False,
                            self_trade=leg.maker is not None and leg.maker.account == order.account)]
        if leg.maker is None:
            side = SELL if order.side == BUY else BUY
            self.model_book.take(order.slot, ms, side, leg.tick, leg.steps, float(fills[0].quote))
        else:
            fills.append(self._fill(leg.maker, leg.tick, leg.steps, token, ms, maker=True,
                                    self_trade=leg.maker.account == order.account))
            self._rest_or_end(leg.maker, ms, ended=False)
        self._prints.setdefault(order.slot, deque(maxlen=200)).append(fills[0])
        return fills, leg.maker

    def _fill(
        self, order: Order, tick: int, steps: int, token: Token, ms: int, *, maker: bool, self_trade: bool
    ) -> Fill:
        price, qty = order.at(tick), order.amount(steps)
        quote = price * qty
        rate = token.maker if maker else token.taker
        in_quote = self._fee_in_quote or order.side == SELL
        fee = ((quote if in_quote else qty) * rate).quantize(_FEE_STEP, ROUND_UP)
        number = len(self.fills) + 1
        fill = Fill(
            id=blake2b(f"{order.id}:{number}".encode(), digest_size=16).hexdigest(), order=order.id,
            account=order.account, symbol=order.symbol, side=order.side, price=price, qty=qty, quote=quote, fee=fee,
            fee_asset="USDT" if in_quote else order.base, maker=maker, self_trade=self_trade, ms=ms,
            client_id=order.client_id)
        account = self.accounts[order.account]
        self._cover_rounding(account, order, fill)
        account.settle(order, fill)
        order.filled += steps
        order.filled_quote += quote
        order.updated_ms = ms
        self.fills.append(fill)
        return fill

    def _cover_rounding(self, account: Account, order: Order, fill: Fill) -> None:
        """Fees are rounded up fill by fill; the hold may lack the last 1e-12 of them."""
        fee = fill.fee if fill.fee_asset == "USDT" else ZERO
        lacks = fill.quote + fee - order.hold if order.side == BUY else ZERO
        if lacks > ZERO:
            account.lock(order, min(lacks, account.balance("USDT").free))

    def _rest_or_end(self, order: Order, ms: int, *, ended: bool) -> None:
        """Set the status after executions, rest what is left, give back what is not needed."""
        account = self.accounts[order.account]
        done = order.steps is not None and order.remaining == 0
        if order.quote_limit is not None and order.filled:
            last_leg = self.fills[-1].price * order.amount(1)
            done = order.quote_limit - order.filled_quote < last_leg
        rests = order.type in (OrderType.LIMIT, OrderType.LIMIT_MAKER) and not ended
        if done:
            order.status = Status.FILLED
        elif rests:
            order.status = Status.PARTIALLY_FILLED if order.filled else Status.NEW
        else:
            order.status = Status.PARTIALLY_CANCELED if order.filled else Status.CANCELED
        queue = self._resting.setdefault(order.slot, [])
        if order.status.final:
            account.unlock(order, order.hold)
            if order in queue:
                queue.remove(order)
        else:
            self._shrink_hold(account, order)
            if order not in queue:
                self._join(order, ms, queue)
        if not queue:
            del self._resting[order.slot]

    def _shrink_hold(self, account: Account, order: Order) -> None:
        """A fill better than the limit price frees the difference at once."""
        if order.side == BUY and order.price is not None:
            token = self.source.calendar(order.updated_ms // 86_400_000).tokens[order.slot]
            fee = 1 + token.taker if self._fee_in_quote else Decimal(1)
            needed = order.at(order.price) * order.amount(order.remaining) * fee
            if order.hold > needed:
                account.unlock(order, order.hold - needed)

    def _join(self, order: Order, ms: int, queue: list[Order]) -> None:
        """Enter the book behind what stands at the price."""
        order.ahead = dict(self.model_book.ladder(order.slot, ms, order.side)).get(order.price or 0, 0)
        if not queue:
            self._reached[order.slot] = ms
        queue.append(order)

    def cancel(self, order: Order) -> None:
        """Cancel an open order. Raises Refused(NOT_CANCELABLE) where it is final."""
        ms = self.now()
        self.advance(ms)
        if order.status.final:
            raise Refused(Reason.NOT_CANCELABLE, order.id)
        self._cancel(order, ms)
        self._record(ms, [order], [])

    def _cancel(self, order: Order, ms: int) -> None:
        order.updated_ms = ms
        self._rest_or_end(order, ms, ended=True)

    # -- the market reaches resting orders ---------------------------------------------------------------

    def advance(self, ms: int) -> None:
        """Let market flow up to `ms` reach the resting orders; pairs that went offline lose theirs."""
        touched: list[Order] = []
        fills: list[Fill] = []
        for slot in list(self._resting):
            since = self._reached.get(slot, ms)
            if ms <= since:
                continue
            self._reached[slot] = ms
            for minute in range(since // MINUTE_MS, ms // MINUTE_MS + 1):
                if slot in self._resting:
                    start = max(since - minute * MINUTE_MS, 0) / MINUTE_MS
                    end = min(ms - minute * MINUTE_MS, MINUTE_MS) / MINUTE_MS
                    self._flow(slot, minute, start, end, touched, fills)
            self._end_offline(slot, ms, touched)
        if touched:
            self._record(ms, touched, fills)

    def _end_offline(self, slot: int, ms: int, touched: list[Order]) -> None:
        for order in list(self._resting.get(slot, ())):
            token = self.pairs.find(order.symbol, ms)
            if token is None or self.pairs.state(token, ms) is PairState.OFFLINE:
                self._cancel(order, ms)
                touched.append(order)

    def _flow(
        self, slot: int, minute: int, start: float, end: float, touched: list[Order], fills: list[Fill]
    ) -> None:
        """Apply a part of one minute: linear pieces of the path between its corners."""
        corners, volume = self.market.legs(slot, minute)
        if volume <= 0 or end <= start:
            return
        spread = self.market.spread(slot, minute * MINUTE_MS)
        buys = min(0.9, max(0.1, 0.5 + self.source.pressure(slot, minute + 0.5)))
        for (t0, p0), (t1, p1) in zip(corners, corners[1:], strict=False):
            a, b = max(t0, start), min(t1, end)
            if b <= a:
                continue
            slope = (p1 - p0) / (t1 - t0)
            first, last = p0 + slope * (a - t0), p0 + slope * (b - t0)
            moment = minute * MINUTE_MS + int(b * MINUTE_MS)
            for side, share in ((BUY, 1.0 - buys), (SELL, buys)):
                queue = sorted(self.resting(slot, side), key=lambda o: (-_p(o) if o.side == BUY else _p(o), o.seq))
                self._reach_side(queue, spread, first, last, volume * (b - a) * share, moment, touched, fills)

    def _reach_side(
        self, queue: list[Order], spread: int, first: float, last: float, flow: float, ms: int,
        touched: list[Order], fills: list[Fill],
    ) -> None:
        used = 0.0
        for order in queue:
            part = reach(order.side, _p(order), spread, first, last)
            if part.crossed:
                other = SELL if order.side == BUY else BUY
                ladder = self.model_book.ladder(order.slot, ms, other)
                for leg in plan(order.side, ladder, [], steps=order.remaining, budget=None, limit=order.price):
                    self.model_book.take(order.slot, ms, other, leg.tick, leg.steps, 0.0)
                    order.credit += leg.steps
            if part.better > 0:
                order.ahead = 0
            elif part.touch > 0:
                through = max(0.0, flow * part.touch - used)
                served = min(through, float(order.ahead))
                order.ahead -= int(served)
                order.credit += through - served
                used += through
            got = max(0.0, flow * part.better - used)
            order.credit += got
            used += min(got, float(order.remaining))
            self._pay_credit(order, ms, touched, fills)

    def _pay_credit(self, order: Order, ms: int, touched: list[Order], fills: list[Fill]) -> None:
        """Turn flow that reached an order into a fill, once it is worth a trade."""
        steps = min(int(order.credit), order.remaining)
        order.credit = min(order.credit, float(order.remaining))
        small = order.at(_p(order)) * order.amount(steps) < MIN_NOTIONAL
        if steps < 1 or (small and steps < order.remaining):
            return
        token = self.source.calendar(ms // 86_400_000).tokens[order.slot]
        order.credit -= steps
        fills.append(self._fill(order, _p(order), steps, token, ms, maker=True, self_trade=False))
        self._rest_or_end(order, ms, ended=False)
        if order not in touched:
            touched.append(order)

    def _record(self, ms: int, orders: list[Order], fills: list[Fill]) -> None:
        names = dict.fromkeys(order.account for order in orders)
        accounts = tuple(self.accounts[name] for name in names)
        unique = tuple({order.id: order for order in orders}.values())
        self._commit(Change(ms, unique, tuple(fills), accounts, self.next_seq))


def _p(order: Order) -> int:
    assert order.price is not None
    return order.price


def _in_units(token: Token, ask: NewOrder) -> tuple[int | None, int | None]:
    """Price in ticks and amount in steps. Raises Refused where the decimals don't fit or a part is missing."""
    price: int | None = None
    if ask.type is not OrderType.MARKET:
        if ask.price is None:
            raise Refused(Reason.MISSING, "price")
        if ask.price <= 0:
            raise Refused(Reason.BAD_PARAMETER, "price")
        price = _whole(ask.price, token.price_scale, Reason.PRICE_DECIMALS)
    if ask.qty is None:
        if ask.type is not OrderType.MARKET or ask.quote_qty is None:
            raise Refused(Reason.MISSING, "quantity")
        if ask.quote_qty <= 0:
            raise Refused(Reason.BAD_AMOUNT, "quoteOrderQty")
        return price, None
    if ask.qty <= 0:
        raise Refused(Reason.BAD_AMOUNT, "quantity")
    return price, _whole(ask.qty, token.base_scale, Reason.AMOUNT_DECIMALS)


def _whole(value: Decimal, scale: int, reason: Reason) -> int:
    units = value.scaleb(scale)
    if units != units.to_integral_value():
        raise Refused(reason, f"at most {scale}")
    return int(units)


def _worth(token: Token, ask: NewOrder, price: int | None, steps: int | None, last: int) -> Decimal:
    """USDT that an order is about."""
    if steps is None:
        assert ask.quote_qty is not None
        return ask.quote_qty
    return Decimal((price or last) * steps).scaleb(-token.price_scale - token.base_scale)
