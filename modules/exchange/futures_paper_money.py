"""Money of the futures paper account: wallet, legs, margin, fills, funding, liquidation. Pure.

1. Each fill realises (price − average) × what it closes; fee and result go to the wallet, rounded to eight decimals as
   the venue does; wallet = opening + Σ income always.
2. Funding: −quantity × mark × rate at the settlement.
3. Liquidation: an isolated leg whose margin is down to maintenance is taken over at its bankruptcy price: the margin is
   lost, never more; crossed legs together, by the wallet.
"""

from decimal import ROUND_DOWN, ROUND_UP, Decimal, localcontext

from msgspec.structs import replace

from modules.exchange.futures_paper_state import BRACKETS, KEEP, ZERO, Due, PaperFutures, PaperLeg, PaperPerpOrder
from modules.exchange.futures_paper_state import PaperTrigger as Trigger
from modules.exchange.futures_types import Income, MarginMode, Mark, Position, PriceSource, TriggerStatus, Wallet
from modules.exchange.paper_depth import Depth, Leg
from modules.exchange.types import Fill, OrderStatus, OrderType, PositionSide, Side

CENT = Decimal("1e-8")
Key = tuple[str, PositionSide]


def maintenance(notional: Decimal) -> Decimal:
    """Maintenance margin: notional × rate − cum of its bracket."""
    row = next((one for one in BRACKETS if notional <= one.cap), BRACKETS[-1])
    return notional * row.rate - row.cum


class PerpMoney:
    """State and money of one account; `PerpLedger` adds its orders."""

    def __init__(self, state: PaperFutures, leverage: int, margin: MarginMode) -> None:
        self.wallet, self.hedge = state.wallet, state.hedge
        self.setups = dict(state.setups)
        self._default = (leverage, margin)
        self.legs: dict[Key, PaperLeg] = {(leg.symbol, leg.side): leg for leg in state.legs}
        self.orders = {order.client_id: order for order in state.orders}
        self.triggers = {one.client_id: one for one in state.triggers}
        self.fills, self.incomes = list(state.fills), list(state.incomes)
        self.due = dict(state.due)
        self._next, self.dropped_ms = state.next_id, state.dropped_ms
        self.marks: dict[str, Decimal] = {}
        self.depth = Depth()

    def snapshot(self) -> PaperFutures:
        """Everything, as it goes to disk."""
        return PaperFutures(
            wallet=self.wallet, hedge=self.hedge, setups=dict(self.setups), legs=tuple(self.legs.values()),
            orders=tuple(self.orders.values()), triggers=tuple(self.triggers.values()), fills=tuple(self.fills),
            incomes=tuple(self.incomes), due=dict(self.due), next_id=self._next, dropped_ms=self.dropped_ms)

    # -- reading -------------------------------------------------------------------------------------------

    def setup(self, symbol: str) -> tuple[int, MarginMode]:
        """Leverage and margin mode."""
        return self.setups.get(symbol, self._default)

    def resting(self, symbol: str | None = None) -> list[PaperPerpOrder]:
        """Live orders, oldest first."""
        return [one for one in self.orders.values() if not one.status.terminal and symbol in (None, one.symbol)]

    def waiting(self, symbol: str | None = None) -> list[Trigger]:
        """Conditional orders that wait."""
        return [one for one in self.triggers.values()
                if one.status is TriggerStatus.WAITING and symbol in (None, one.symbol)]

    def symbols(self) -> set[str]:
        """Symbols at which something has to be watched."""
        return ({one.symbol for one in self.resting()} | {one.symbol for one in self.waiting()}
                | {symbol for symbol, _ in self.legs})

    def near(self) -> set[str]:
        """Symbols whose conditional orders the book has to be asked for: those of the last price, and those reached."""
        found = set()
        for one in self.waiting():
            mark = self.marks.get(one.symbol)
            hit = mark is not None and (mark >= one.trigger if one.above else mark <= one.trigger)
            if one.source is PriceSource.LAST or hit:
                found.add(one.symbol)
        return found

    def unrealised(self, leg: PaperLeg) -> Decimal:
        """Result at the mark price; nothing while that is not known."""
        mark = self.marks.get(leg.symbol)
        return leg.quantity * mark - leg.cost if mark is not None else ZERO

    def view(self) -> Wallet:
        """The account's money."""
        total = sum((self.unrealised(leg) for leg in self.legs.values()), ZERO)
        crossed = sum((self.unrealised(leg) for leg in self.legs.values() if not self._is_isolated(leg.symbol)), ZERO)
        used = sum((self._margin(leg) for leg in self.legs.values()), ZERO)
        orders = sum(((one.price or ZERO) * one.remaining / self.setup(one.symbol)[0] for one in self.resting()
                      if not one.reduce_only), ZERO)
        kept = sum((maintenance(abs(leg.quantity) * self.marks.get(leg.symbol, ZERO)) for leg in self.legs.values()),
                   ZERO)
        free = max(ZERO, self.wallet + crossed - used - orders)
        return Wallet(self.wallet, self.wallet + total, free, max(ZERO, kept))

    def _is_isolated(self, symbol: str) -> bool:
        return self.setup(symbol)[1] is MarginMode.ISOLATED

    def _margin(self, leg: PaperLeg) -> Decimal:
        return leg.isolated if self._is_isolated(leg.symbol) else abs(leg.cost) / self.setup(leg.symbol)[0]

    def positions(self) -> list[Position]:
        """As the venue tells them."""
        found = []
        for leg in self.legs.values():
            notional = abs(leg.quantity) * self.marks.get(leg.symbol, ZERO)
            found.append(Position(
                leg.symbol, leg.side, leg.quantity, leg.cost / leg.quantity, self.marks.get(leg.symbol, ZERO),
                self.unrealised(leg), self._liquidation(leg), maintenance(notional), leg.isolated))
        return found

    def _liquidation(self, leg: PaperLeg) -> Decimal | None:
        """Where margin + result = maintenance: (cost − margin − cum) / (quantity − |quantity| × rate)."""
        margin = leg.isolated if self._is_isolated(leg.symbol) else self.wallet
        row = next((one for one in BRACKETS if abs(leg.cost) <= one.cap), BRACKETS[-1])
        price = (leg.cost - margin - row.cum) / (leg.quantity - abs(leg.quantity) * row.rate)
        return price if price > 0 else None

    def _number(self) -> int:
        self._next += 1
        return self._next - 1

    # -- money ---------------------------------------------------------------------------------------------

    def _fill(self, order: PaperPerpOrder, part: Leg, rate: Decimal, now_ms: int, *, maker: bool) -> PaperPerpOrder:
        """Book one execution (rule 3)."""
        worth = part.price * part.quantity
        number = str(self._number())
        realised = self._move((order.symbol, order.position_side),
                              part.quantity if order.side is Side.BUY else -part.quantity, part.price)
        fee = (worth * rate).quantize(CENT, ROUND_UP)
        self._earn("COMMISSION", order.symbol, -fee, now_ms, number)
        if realised:
            self._earn("REALIZED_PNL", order.symbol, realised, now_ms, number)
        self.fills.append(Fill(number, order.symbol, order.order_id, order.client_id, order.side, part.price,
                               part.quantity, fee, "USDT", now_ms, maker, order.position_side, realised))
        return replace(order, filled=order.filled + part.quantity, filled_quote=order.filled_quote + worth,
                       updated_ms=now_ms)

    def _earn(self, kind: str, symbol: str, amount: Decimal, now_ms: int, trade_id: str = "") -> None:
        self.wallet += amount
        self.incomes.append(Income(str(self._number()), kind, symbol, amount, "USDT", now_ms, trade_id))

    def _move(self, key: Key, delta: Decimal, price: Decimal) -> Decimal:
        """A leg changed by `delta` at `price`; the result of what was closed."""
        leg = self.legs.get(key) or PaperLeg(symbol=key[0], side=key[1], quantity=ZERO, cost=ZERO)
        realised, quantity, cost, isolated = ZERO, leg.quantity, leg.cost, leg.isolated
        closing = min(abs(delta), abs(quantity)) if quantity and (quantity > 0) != (delta > 0) else ZERO
        if closing:
            part = cost * closing / abs(quantity)
            sign = 1 if quantity > 0 else -1
            realised = (sign * closing * price - part).quantize(CENT, ROUND_DOWN)
            isolated -= isolated * closing / abs(quantity)
            quantity, cost = quantity - sign * closing, cost - part
            delta += sign * closing
        if delta:
            quantity, cost = quantity + delta, cost + delta * price
            if self._is_isolated(key[0]):
                isolated += abs(delta) * price / self.setup(key[0])[0]
        if quantity:
            self.legs[key] = PaperLeg(symbol=key[0], side=key[1], quantity=quantity, cost=cost, isolated=isolated)
        else:
            self.legs.pop(key, None)
        return realised

    def settle(self, marks: dict[str, Mark], now_ms: int) -> bool:
        """Marks, funding and liquidation (rule 5); True where money moved."""
        with localcontext(prec=60):
            self.marks.update({symbol: mark.price for symbol, mark in marks.items()})
            before = len(self.incomes), len(self.legs)
            for leg in list(self.legs.values()):
                mark = marks.get(leg.symbol)
                due = self.due.get(leg.symbol)
                if mark is not None and due is not None and mark.next_funding_ms > due.ms and due.ms <= now_ms:
                    paid = (-leg.quantity * due.mark * due.rate).quantize(CENT, ROUND_DOWN)
                    self._earn("FUNDING_FEE", leg.symbol, paid, due.ms)
            self.due = {symbol: Due(mark.next_funding_ms, mark.rate, mark.price) for symbol, mark in marks.items()
                        if symbol in {leg.symbol for leg in self.legs.values()}}
            self._liquidate(now_ms)
            self._trim()
            return before != (len(self.incomes), len(self.legs))

    def _liquidate(self, now_ms: int) -> None:
        crossed = []
        for leg in list(self.legs.values()):
            needed = maintenance(abs(leg.quantity) * self.marks.get(leg.symbol, ZERO))
            if not self._is_isolated(leg.symbol):
                crossed.append((leg, needed))
            elif leg.isolated + self.unrealised(leg) <= needed:
                self._take_over(leg, (leg.cost - leg.isolated) / leg.quantity, now_ms)
        kept = sum((leg.isolated for leg in self.legs.values() if self._is_isolated(leg.symbol)), ZERO)
        room = self.wallet - kept + sum((self.unrealised(leg) for leg, _ in crossed), ZERO)
        if crossed and room <= sum((needed for _, needed in crossed), ZERO):
            for leg, _ in crossed:
                self._take_over(leg, self.marks[leg.symbol], now_ms)
            if self.wallet < kept:
                self._earn("INSURANCE_CLEAR", crossed[0][0].symbol, kept - self.wallet, now_ms)

    def _take_over(self, leg: PaperLeg, price: Decimal, now_ms: int) -> None:
        """The venue's own order closes the leg at its bankruptcy price."""
        number = f"autoclose-{self._number()}"
        order = PaperPerpOrder(
            client_id=number, order_id=number, symbol=leg.symbol, side=Side.SELL if leg.quantity > 0 else Side.BUY,
            position_side=leg.side, type=OrderType.IOC, status=OrderStatus.FILLED, price=price,
            quantity=abs(leg.quantity), reduce_only=True, created_ms=now_ms, updated_ms=now_ms, seen_ms=now_ms)
        price = max(price, CENT)
        self.orders[number] = self._fill(order, Leg(price, abs(leg.quantity)), ZERO, now_ms, maker=False)
        self._earn("INSURANCE_CLEAR", leg.symbol, ZERO, now_ms)

    def _trim(self) -> None:
        """Keep the file bounded."""
        ended = [one.client_id for one in self.orders.values() if one.status.terminal]
        for name in ended[:max(0, len(ended) - KEEP)]:
            del self.orders[name]
        over = [one.client_id for one in self.triggers.values() if one.status is not TriggerStatus.WAITING]
        for name in over[:max(0, len(over) - KEEP)]:
            del self.triggers[name]
        if len(self.fills) > KEEP or len(self.incomes) > 4 * KEEP:
            gone = [fill.market_ms for fill in self.fills[:-KEEP]]
            gone += [row.market_ms for row in self.incomes[:-4 * KEEP]]
            self.dropped_ms = max([self.dropped_ms, *gone])
            self.fills, self.incomes = self.fills[-KEEP:], self.incomes[-4 * KEEP:]
