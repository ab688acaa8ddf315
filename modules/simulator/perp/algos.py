"""Conditional orders: stop, take profit, trailing; triggered by the last or the mark price, then ordinary orders.

A stop buys when the price is at or above its trigger and sells at or below it; a take profit the other way round.
A trailing stop is armed at its activation price, follows the best price since then, and triggers when the price came
back by its callback percentage. They reserve no margin: a triggered order that is refused ends REJECTED.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from modules.simulator.perp import rules
from modules.simulator.perp.desk import Desk
from modules.simulator.perp.records import ZERO, Account, Algo, NewAlgo, NewOrder, Spec
from modules.simulator.perp.words import AlgoStatus, Kind, Leg, Refused, Side, Tif, Why, Working

PROTECT = Decimal("0.05")  # with price protection: mark and last may differ by this
_STOPS = (Kind.STOP, Kind.STOP_MARKET)
_PROFITS = (Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_MARKET)
_PRICED = (Kind.STOP, Kind.TAKE_PROFIT)


class Algos:
    """Conditional orders of all users."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ledger = desk, desk.ledger

    # -- taking ------------------------------------------------------------------------------------------

    def place(self, account: Account, new: NewAlgo) -> Algo:
        """Take a conditional order. Raises Refused; then nothing was changed."""
        algo = self._checked(account, new, None)
        self._desk.market.extremes.setdefault(algo.index, [0, 0])
        self._tell(account, algo)
        return algo

    def amend(self, account: Account, algo: Algo, new: NewAlgo) -> None:
        """Other figures of a waiting order, judged as those of a new one. Raises Refused; then nothing was changed."""
        if algo.status is not AlgoStatus.NEW or algo.account != account.name:
            raise Refused(Why.ORDER_NOT_FOUND, str(algo.id))
        made = self._checked(account, new, algo)
        for name in ("kind", "tif", "trigger", "price", "qty", "working", "above", "callback", "activation", "active",
                     "peak"):
            setattr(algo, name, getattr(made, name))
        algo.updated_ms = self._desk.market.stamp
        self._tell(account, algo)

    def _checked(self, account: Account, new: NewAlgo, own: Algo | None) -> Algo:
        """The conditional order that `new` asks for, in place of `own` where that is given. Raises Refused."""
        desk = self._desk
        spec, market = desk.spec(new.symbol), desk.market
        index = desk.by_symbol[new.symbol]
        if new.symbol in desk.closed:
            raise Refused(Why.SYMBOL_CLOSED, new.symbol)
        leg = rules.leg_of(account, new.side, new.leg, new.reduce_only)
        self._shape(account, new, leg, own)
        market_kind = new.kind not in _PRICED
        steps = 0 if new.close_position else rules.quantity(spec, new.qty or ZERO, market_kind)
        last, mark = market.candles.last(index), market.marks.mark[index]
        now = mark if new.working is Working.MARK_PRICE else spec.price(last)
        trigger = self._ticks(spec, new.trigger) if new.trigger is not None else 0
        price = self._ticks(spec, new.price) if new.price is not None else 0
        reducing = new.reduce_only or new.close_position or rules.closes(leg, new.side)
        if not new.close_position:
            rules.min_notional(account, spec, steps, spec.price(price or trigger) or now, reducing)
        above = (new.side is Side.BUY) == (new.kind not in _PROFITS)
        if trigger and (now >= spec.price(trigger) if above else now <= spec.price(trigger)):
            raise Refused(Why.WOULD_TRIGGER, f"price is {now}")
        number = self._ledger.take_id() if own is None else own.id
        algo = Algo(
            number, new.client_id or f"sim{number}", account.name, new.symbol, index, new.side, leg, new.kind, new.tif,
            trigger, price, steps, spec.tick, spec.step, new.working, market.stamp, market.stamp, above,
            reduce_only=reducing, close_position=new.close_position, price_protect=new.price_protect,
            good_till_ms=new.good_till_ms or 0, tag=new.tag)
        if new.kind is Kind.TRAILING_STOP_MARKET:
            self._trailing(spec, algo, new, now)
        waiting = [other for other in self._ledger.open_algos(account) if other is not own]
        if any(other.client_id == algo.client_id for other in waiting):
            raise Refused(Why.DUPLICATE_CLIENT_ID, algo.client_id)
        if sum(other.symbol == new.symbol for other in waiting) >= spec.max_algo_orders:
            raise Refused(Why.MAX_ALGO_ORDERS, str(spec.max_algo_orders))
        return algo

    def _shape(self, account: Account, new: NewAlgo, leg: Leg, own: Algo | None) -> None:
        trailing = new.kind is Kind.TRAILING_STOP_MARKET
        if new.kind in (Kind.LIMIT, Kind.MARKET):
            raise Refused(Why.BAD_COMBINATION, "type")
        if trailing == (new.trigger is not None):
            raise Refused(Why.BAD_COMBINATION, "triggerPrice")
        if (new.kind in _PRICED) != (new.price is not None):
            raise Refused(Why.BAD_COMBINATION, "price")
        if trailing != (new.callback is not None):
            raise Refused(Why.BAD_COMBINATION, "callbackRate")
        if new.close_position == (new.qty is not None):
            raise Refused(Why.BAD_COMBINATION, "quantity" if new.qty is not None else "closePosition")
        if new.close_position and (new.reduce_only or new.kind in _PRICED or trailing):
            raise Refused(Why.BAD_COMBINATION, "closePosition")
        if new.close_position and not new.several and any(
            other is not own and other.close_position and other.leg is leg and other.side is new.side
            and (other.kind in _STOPS) == (new.kind in _STOPS)
            for other in self._ledger.open_algos(account, new.symbol)
        ):
            raise Refused(Why.CLOSE_POSITION_EXISTS, new.symbol)

    @staticmethod
    def _ticks(spec: Spec, price: Decimal) -> int:
        if price <= 0:
            raise Refused(Why.PRICE_TOO_LOW, str(price))
        ticks = rules.whole(price, spec.tick, spec.price_precision, Why.PRICE_OFF_TICK)
        if not spec.min_price <= ticks <= spec.max_price:
            raise Refused(Why.PRICE_TOO_LOW if ticks < spec.min_price else Why.PRICE_TOO_HIGH, str(price))
        return ticks

    def _trailing(self, spec: Spec, algo: Algo, new: NewAlgo, now: Decimal) -> None:
        callback = new.callback or ZERO
        if not Decimal("0.1") <= callback <= Decimal(10):
            raise Refused(Why.BAD_CALLBACK, f"{callback} is not 0.1 … 10")
        algo.callback = callback
        algo.above = algo.side is Side.BUY  # a buy follows lows and triggers upwards
        if new.activation is not None:
            algo.activation = self._ticks(spec, new.activation)
            level = spec.price(algo.activation)
            if (level >= now) if algo.side is Side.BUY else (level <= now):
                raise Refused(Why.ACTIVATION_PRICE, f"price is {now}")
            algo.active = False
        else:
            self._follow(algo, int(now / spec.tick), int(now / spec.tick))

    # -- cancelling --------------------------------------------------------------------------------------

    def find(self, account: Account, algo_id: int | None = None, client_id: str | None = None) -> Algo:
        """By its id, or the newest with a client id. Raises Refused(ORDER_NOT_FOUND)."""
        if algo_id is not None:
            found = self._ledger.algos.get(algo_id)
        else:
            rows = (a for a in reversed(self._ledger.algos.values()) if a.client_id == client_id)
            found = next((a for a in rows if a.account == account.name), None)
        if found is None or found.account != account.name:
            raise Refused(Why.ORDER_NOT_FOUND, str(algo_id if algo_id is not None else client_id))
        return found

    def cancel(self, account: Account, algo: Algo) -> Algo:
        """Raises Refused(CANCEL_REJECTED) where it waits no more."""
        if algo.status is not AlgoStatus.NEW or algo.account != account.name:
            raise Refused(Why.CANCEL_REJECTED, str(algo.id))
        self._end(account, algo, AlgoStatus.CANCELED)
        return algo

    def cancel_all(self, account: Account, symbol: str | None) -> list[Algo]:
        """All waiting ones of a symbol (None: all)."""
        return [self.cancel(account, algo) for algo in self._ledger.open_algos(account, symbol)]

    def _end(self, account: Account, algo: Algo, status: AlgoStatus, reason: str = "") -> None:
        algo.status, algo.reason, algo.updated_ms = status, reason, self._desk.market.stamp
        self._tell(account, algo)

    def _tell(self, account: Account, algo: Algo) -> None:
        self._ledger.note_algo(algo)
        for listener in self._desk.listeners:
            listener.algo_update(account, algo)

    # -- triggering --------------------------------------------------------------------------------------

    def check(self) -> None:
        """After a slice: trigger what the prints since the last check, or the mark price, reached."""
        market = self._desk.market
        seen = {index: (low, high) for index, (low, high) in market.extremes.items()}
        still: set[int] = set()
        for account in self._ledger.accounts.values():
            for algo in self._ledger.open_algos(account):
                still.add(algo.index)
                if algo.good_till_ms and algo.good_till_ms <= market.stamp:
                    self._end(account, algo, AlgoStatus.EXPIRED, "good till date")
                    continue
                low, high = seen.get(algo.index, (0, 0))
                if algo.working is Working.MARK_PRICE:
                    exact = market.mark_ticks(algo.index)
                    low, high = int(exact.to_integral_value(ROUND_FLOOR)), int(exact.to_integral_value(ROUND_CEILING))
                    if not algo.above and algo.kind is not Kind.TRAILING_STOP_MARKET:
                        low = high  # at or below: the mark itself, not its floor
                    elif algo.above:
                        high = low
                if low and self._reached(algo, low, high) and not self._held_back(algo):
                    self._trigger(account, algo)
        market.extremes = {index: [0, 0] for index in still}

    def _reached(self, algo: Algo, low: int, high: int) -> bool:
        if algo.kind is Kind.TRAILING_STOP_MARKET:
            return self._follow(algo, low, high)
        return high >= algo.trigger if algo.above else low <= algo.trigger

    def _follow(self, algo: Algo, low: int, high: int) -> bool:
        """Move a trailing stop; whether it triggers. Within a slice the worse order of prices is assumed last."""
        buy = algo.side is Side.BUY
        if not algo.active:
            if (low > algo.activation) if buy else (high < algo.activation):
                return False
            algo.active = True
        best = low if buy else high
        moved = not algo.peak or (best < algo.peak if buy else best > algo.peak)
        if moved:
            algo.peak = best
            share = algo.callback / 100
            algo.trigger = int((algo.peak * (1 + share if buy else 1 - share)).to_integral_value())
            self._ledger.dirty.algos[algo.id] = algo
            return False
        return high >= algo.trigger if buy else low <= algo.trigger

    def _held_back(self, algo: Algo) -> bool:
        if not algo.price_protect:
            return False
        market = self._desk.market
        last, mark = algo.tick * market.candles.last(algo.index), market.marks.mark[algo.index]
        return abs(last - mark) > mark * PROTECT

    def _trigger(self, account: Account, algo: Algo) -> None:
        desk = self._desk
        algo.triggered_ms = desk.market.stamp
        held = self._ledger.closable(account, algo.symbol, algo.leg, algo.side.sign)
        if algo.close_position and not held:
            self._end(account, algo, AlgoStatus.EXPIRED, "no position")
            return
        kind = Kind.LIMIT if algo.kind in _PRICED else Kind.MARKET
        one_way = algo.leg is Leg.BOTH
        new = NewOrder(
            algo.symbol, algo.side, kind, None if algo.close_position else algo.qty * algo.step,
            algo.price * algo.tick if kind is Kind.LIMIT else None, algo.tif if kind is Kind.LIMIT else Tif.GTC,
            algo.leg, algo.reduce_only and one_way and not algo.close_position, algo.client_id,
            close_position=algo.close_position, tag=algo.tag)
        if new.tif is Tif.GTD:
            new.good_till_ms = algo.good_till_ms
        self._end(account, algo, AlgoStatus.TRIGGERED)
        try:
            order = desk.place(account, new, algo.id, algo.kind)
        except Refused as refused:
            self._end(account, algo, AlgoStatus.REJECTED, str(refused))
            return
        algo.order_id = order.id
        self._end(account, algo, AlgoStatus.FINISHED if order.status.final else AlgoStatus.TRIGGERED)

    def follow_orders(self) -> None:
        """Triggered ones whose order ended are finished."""
        for order in list(self._ledger.dirty.orders.values()):
            if order.algo_id and order.status.final:
                algo = self._ledger.algos.get(order.algo_id)
                if algo is not None and algo.status is AlgoStatus.TRIGGERED:
                    algo.order_id = order.id
                    self._end(self._ledger.accounts[algo.account], algo, AlgoStatus.FINISHED)
