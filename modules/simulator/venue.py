"""The venue: takes orders, matches them, keeps accounts, lets the market reach resting orders.

Free of any wire dialect. Every change is handed to the journal before the caller is answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from functools import partial
from hashlib import blake2b
from typing import Literal

from modules.simulator.accounts import ZERO, Account, Fill, Order, OrderType, Status, Transfer
from modules.simulator.book import BUY, SELL, ModelBook
from modules.simulator.errors import Reason, Refused
from modules.simulator.flow import Flow
from modules.simulator.history import History
from modules.simulator.market import Market
from modules.simulator.matching import Leg, plan
from modules.simulator.pairs import Pairs, PairState
from modules.simulator.rules import MAX_OPEN_ORDERS, NewOrder, check_size, check_state, in_units
from modules.simulator.source import Source
from modules.simulator.universe import DAY_MS, Token

_FEE_STEP = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Change:
    """One durable step: orders and fills as they are now, and the accounts whose balances moved.

    Only the coins of the orders (and USDT) can have moved; `whole` says that every balance counts.
    """

    ms: int
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    accounts: tuple[Account, ...]
    next_seq: int
    whole: bool = False
    transfers: tuple[Transfer, ...] = ()


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
        self.transfers: list[Transfer] = []
        self.next_seq = 1
        self._fee_in_quote = fee_asset == "quote"
        self._commit = commit or (lambda change: None)
        self._flow = Flow(self.market, self.model_book)
        self._by_client: dict[tuple[str, str], str] = {}  # (account, client id) → newest order with it
        self._resting: dict[int, list[Order]] = {}
        self._reached: dict[int, int] = {}  # slot → market time up to which flow was applied
        self._prints: dict[int, deque[Fill]] = {}

    # -- restoring ---------------------------------------------------------------------------------------

    def restore(
        self, orders: Iterable[Order], fills: Iterable[Fill], transfers: Iterable[Transfer], next_seq: int, ms: int
    ) -> None:
        """Take over what a journal kept; flow reaches open orders from `ms` on."""
        for order in orders:
            self._know(order)
            if not order.status.final:
                self._resting.setdefault(order.slot, []).append(order)
                self._reached[order.slot] = ms
        self.fills.extend(fills)
        self.transfers.extend(transfers)
        self.next_seq = next_seq

    def _know(self, order: Order) -> None:
        self.orders[order.id] = order
        if order.client_id is not None:
            self._by_client[(order.account, order.client_id)] = order.id

    # -- questions ---------------------------------------------------------------------------------------

    def token(self, symbol: str, ms: int) -> Token:
        """The token of a symbol. Raises Refused(BAD_SYMBOL)."""
        token = self.pairs.find(symbol, ms)
        if token is None:
            raise Refused(Reason.BAD_SYMBOL, symbol)
        return token

    def rests(self, slot: int) -> bool:
        """Whether any order of a user stands on a pair."""
        return slot in self._resting

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
        newest = self._by_client.get((account.name, client_id or ""))
        return self.orders[newest] if newest is not None and self.orders[newest].symbol == symbol else None

    def prints(self, slot: int) -> list[Fill]:
        """Latest taker fills of users on a pair: part of the public tape."""
        return list(self._prints.get(slot, ()))

    # -- orders ------------------------------------------------------------------------------------------

    def check(self, account: Account, ask: NewOrder, ms: int) -> tuple[Token, int | None, int | None]:
        """Judge a new order without placing it: (token, price in ticks, amount in steps). Raises Refused."""
        token = self.pairs.find(ask.symbol, ms)
        if token is None:
            raise Refused(Reason.BAD_SYMBOL, ask.symbol)
        check_state(token, self.pairs.state(token, ms), ask)
        self.pairs.check_untold(token.symbol, ask.type is OrderType.MARKET)
        mine = self.open_orders(account, None)
        if ask.client_id is not None and any(order.client_id == ask.client_id for order in mine):
            raise Refused(Reason.DUPLICATE_ID, ask.client_id)
        if len(mine) >= MAX_OPEN_ORDERS:
            raise Refused(Reason.TOO_MANY_ORDERS)
        price, steps = in_units(token, ask)
        check_size(token, ask, price, steps, self.market.price(token.slot, ms))
        return token, price, steps

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
        self._know(order)
        touched, fills = [order], []
        # Post-only that would take, and fill-or-kill that cannot fill, end without a trade.
        takes = order.type is OrderType.LIMIT_MAKER and bool(legs)
        short = order.type is OrderType.FOK and sum(leg.steps for leg in legs) < order.remaining
        for leg in [] if takes or short else legs:
            made, maker = self._execute(order, leg, token, ms)
            fills += made
            if maker is not None:
                touched.append(maker)
        self._rest_or_end(order, ms, ended=takes or short)
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
        self, order: Order, tick: int, steps: int, token: Token, ms: int, *, maker: bool, self_trade: bool = False
    ) -> Fill:
        price, qty = order.at(tick), order.amount(steps)
        quote = price * qty
        rate = token.maker if maker else token.taker
        in_quote = self._fee_in_quote or order.side == SELL
        fee = ((quote if in_quote else qty) * rate).quantize(_FEE_STEP, ROUND_DOWN)
        number = len(self.fills) + 1
        fill = Fill(
            id=blake2b(f"{order.id}:{number}".encode(), digest_size=16).hexdigest(), order=order.id,
            account=order.account, symbol=order.symbol, side=order.side, price=price, qty=qty, quote=quote, fee=fee,
            fee_asset="USDT" if in_quote else order.base, maker=maker, self_trade=self_trade, ms=ms,
            client_id=order.client_id)
        account = self.accounts[order.account]
        account.settle(order, fill)
        order.filled += steps
        order.filled_quote += quote
        order.updated_ms = ms
        self.fills.append(fill)
        return fill

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
            taker = self._token_of(order, order.updated_ms).taker
            fee = 1 + taker if self._fee_in_quote else Decimal(1)
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
        self._end(order, ms)
        self._record(ms, [order], [])

    def _end(self, order: Order, ms: int) -> None:
        order.updated_ms = ms
        self._rest_or_end(order, ms, ended=True)

    def advance(self, ms: int) -> None:
        """Let market flow up to `ms` reach the resting orders; pairs that went offline lose theirs."""
        touched: list[Order] = []
        fills: list[Fill] = []
        for slot in list(self._resting):
            since = self._reached.get(slot, ms)
            self._reached[slot] = max(since, ms)
            if ms > since and not self.pairs.halted_by_act(self._resting[slot][0].symbol):
                for order, steps, at in self._flow.reach(slot, since, ms, partial(self.resting, slot)):
                    fills.append(self._fill(order, order.limit, steps, self._token_of(order, at), at, maker=True))
                    self._rest_or_end(order, at, ended=False)
                    touched.append(order)
            for order in self._orders_of_offline(slot, ms):
                self._end(order, ms)
                touched.append(order)
        if touched:
            self._record(ms, touched, fills)

    def _orders_of_offline(self, slot: int, ms: int) -> list[Order]:
        found = []
        for order in self._resting.get(slot, ()):
            token = self.pairs.find(order.symbol, ms)
            if token is None or self.pairs.state(token, ms) is PairState.OFFLINE:
                found.append(order)
        return found

    def _token_of(self, order: Order, ms: int) -> Token:
        return self.source.calendar(ms // DAY_MS).tokens[order.slot]

    # -- what others do ----------------------------------------------------------------------------------

    def fill_share(self, order: Order, share: Decimal) -> bool:
        """Let the market take a share of an open limit order at its price; False where nothing is open of it."""
        ms = self.now()
        self.advance(ms)
        if order.status.final or order.price is None:
            return False
        steps = min(order.remaining, max(1, int(order.remaining * share)))
        fill = self._fill(order, order.limit, steps, self._token_of(order, ms), ms, maker=True)
        self._rest_or_end(order, ms, ended=False)
        self._record(ms, [order], [fill])
        return True

    def transfer(self, account: Account, asset: str, amount: Decimal) -> None:
        """Move money into (negative: out of) what is free of an account. Raises ValueError where it is not there."""
        balance = account.balance(asset)
        if balance.free + amount < 0:
            raise ValueError("not enough free")
        ms = self.now()
        balance.free += amount
        transfer = Transfer(account.name, asset, amount, ms)
        self.transfers.append(transfer)
        self._commit(Change(ms, (), (), (account,), self.next_seq, whole=True, transfers=(transfer,)))

    def _record(self, ms: int, orders: list[Order], fills: list[Fill]) -> None:
        names = dict.fromkeys(order.account for order in orders)
        accounts = tuple(self.accounts[name] for name in names)
        unique = tuple({order.id: order for order in orders}.values())
        self._commit(Change(ms, unique, tuple(fills), accounts, self.next_seq))
