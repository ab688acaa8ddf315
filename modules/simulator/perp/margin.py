"""Margin as pure functions: brackets, maintenance, liquidation price, what an account has free.

Sources: Binance's "Leverage and Margin of USDⓈ-M Futures" (maintenance = notional × rate − cum) and "How to Calculate
Liquidation Price of USDⓈ-M Futures Contracts". With signed quantities q, costs c = Σ price × q, legs j of one symbol
(one-way: one; hedge, cross: both share the price) and WB the wallet that stands for them, margin equals maintenance at

    LP = (WB − TMM1 + UPNL1 + Σ cum_j − Σ c_j) / (Σ |q_j| rate_j − Σ q_j)

where TMM1 and UPNL1 are maintenance and unrealised result of the other cross symbols (0 when isolated). The bracket of
each leg is that of its notional at LP, found by iteration.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from modules.simulator.perp.records import ZERO, Account, AccountView, Bracket, Order, Position, PositionView, Spec
from modules.simulator.perp.words import Leg, Side

CENT = Decimal("0.00000001")


def bracket_at(spec: Spec, notional: Decimal) -> Bracket:
    """The bracket of a notional; the last one for more than its cap."""
    for one in spec.brackets:
        if notional <= one.cap:
            return one
    return spec.brackets[-1]


def maintenance(spec: Spec, notional: Decimal) -> Decimal:
    """Maintenance margin of a position's notional (≥ 0)."""
    one = bracket_at(spec, notional)
    return notional * one.rate - one.cum


def notional_cap(spec: Spec, leverage: int) -> int:
    """Largest notional that this leverage may hold."""
    return max((one.cap for one in spec.brackets if one.leverage >= leverage), default=0)


def quantity(spec: Spec, leg: Position) -> Decimal:
    """Signed quantity."""
    return leg.steps * spec.step


def unrealized(spec: Spec, leg: Position, mark: Decimal) -> Decimal:
    """Result of a leg at the mark price."""
    return quantity(spec, leg) * mark - leg.cost


def liquidation_price(spec: Spec, legs: Sequence[Position], wallet: Decimal, mark: Decimal) -> Decimal:
    """Price at which `legs` of one symbol use up `wallet` (WB − TMM1 + UPNL1); 0 where none does."""
    signed = [quantity(spec, leg) for leg in legs]
    cost = sum((leg.cost for leg in legs), ZERO)
    total = sum(signed, ZERO)
    price = mark
    seen: set[tuple[int, ...]] = set()
    while True:
        found = [bracket_at(spec, abs(q) * price) for q in signed]
        names = tuple(one.number for one in found)
        if names in seen:
            return price
        seen.add(names)
        below = sum((abs(q) * one.rate for q, one in zip(signed, found, strict=True)), ZERO) - total
        if not below:
            return ZERO
        price = (wallet + sum((one.cum for one in found), ZERO) - cost) / below
        if price <= 0:
            return ZERO


def order_margin(
    spec: Spec, account: Account, orders: Iterable[Order], mark: Decimal,
    extra: tuple[Side, Leg, Decimal, bool] | None = None,
) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """(initial margin of positions, of orders, buy notional, sell notional) of one symbol.

    One-way: max(|P + B|, |P − A|, |P|) ÷ leverage with P the position's, B and A the orders' notionals; hedge mode:
    each side by itself. Reduce-only orders need none. `extra` adds an order of (side, leg, notional, reduce only).
    """
    leverage = account.setup(spec.symbol).leverage
    rows = [(o.side, o.leg, o.price * o.tick * o.remaining * o.step, o.reduce_only) for o in orders]
    if extra is not None:
        rows.append(extra)
    buys = sum((n for side, _, n, _ in rows if side is Side.BUY), ZERO)
    sells = sum((n for side, _, n, _ in rows if side is Side.SELL), ZERO)
    position = orders_too = ZERO
    for leg in (Leg.LONG, Leg.SHORT) if account.hedge else (Leg.BOTH,):
        held = account.positions.get((spec.symbol, leg))
        size = quantity(spec, held) * mark if held is not None else ZERO
        opens = (
            sum((n for side, where, n, reduce in rows if where is leg and side is kind and not reduce), ZERO)
            for kind in (Side.BUY, Side.SELL))
        buy, sell = opens
        if leg is Leg.LONG:
            most = size + buy
        elif leg is Leg.SHORT:
            most = -size + sell
        else:
            most = max(abs(size), abs(size + buy), abs(size - sell))
        position += abs(size) / leverage
        orders_too += (most - abs(size)) / leverage
    return position, orders_too, buys, sells


class Book:
    """What an account's figures need: contracts, marks, open orders by symbol."""

    def __init__(self, specs: dict[str, Spec], mark: dict[str, Decimal], orders: dict[str, list[Order]]) -> None:
        self.specs, self.mark, self.orders = specs, mark, orders


def account_view(account: Account, book: Book) -> AccountView:
    """Money of an account at the present marks. Available = cross wallet + cross result − cross initial margins."""
    total_u = cross_u = position_im = order_im = maint = cross_im = isolated = ZERO
    symbols = {leg.symbol for leg in account.legs()} | set(book.orders)
    for symbol in symbols:
        spec, mark = book.specs[symbol], book.mark[symbol]
        apart = account.setup(symbol).isolated
        for leg in account.legs(symbol):
            result = unrealized(spec, leg, mark)
            total_u += result
            maint += maintenance(spec, abs(quantity(spec, leg)) * mark)
            if apart:
                isolated += leg.isolated_wallet
            else:
                cross_u += result
        held, ordered, _, _ = order_margin(spec, account, book.orders.get(symbol, ()), mark)
        position_im += held
        order_im += ordered
        cross_im += ordered if apart else held + ordered
    cross_wallet = account.wallet - isolated
    available = max(ZERO, cross_wallet + cross_u - cross_im)
    return AccountView(
        account.wallet, total_u, cross_wallet, cross_u, position_im + order_im, position_im, order_im, maint,
        account.wallet + total_u, available, max(ZERO, min(available, cross_wallet - cross_im)))


def cross_room(account: Account, book: Book, without: str | None = None) -> Decimal:
    """Cross wallet + result − maintenance of cross positions; ≤ 0: liquidation. `without` leaves a symbol out."""
    room = account.wallet
    for leg in account.legs():
        spec, mark = book.specs[leg.symbol], book.mark[leg.symbol]
        if account.setup(leg.symbol).isolated:
            room -= leg.isolated_wallet
        elif leg.symbol != without:
            room += unrealized(spec, leg, mark) - maintenance(spec, abs(quantity(spec, leg)) * mark)
    return room


def position_view(account: Account, leg: Position, book: Book) -> PositionView:
    """A leg at the present mark price."""
    spec, mark = book.specs[leg.symbol], book.mark[leg.symbol]
    setup = account.setup(leg.symbol)
    qty = quantity(spec, leg)
    notional = qty * mark
    result = unrealized(spec, leg, mark)
    orders = [o for o in book.orders.get(leg.symbol, ()) if o.leg is leg.leg]
    _, _, buys, sells = order_margin(spec, account, orders, mark)
    at = ZERO
    if leg.steps and setup.isolated:
        at = liquidation_price(spec, [leg], leg.isolated_wallet, mark)
    elif leg.steps:
        at = liquidation_price(spec, account.legs(leg.symbol), cross_room(account, book, leg.symbol), mark)
    entry = leg.cost / qty if qty else ZERO
    fees = spec.taker_fee * 2 * (1 if leg.steps > 0 else -1)
    return PositionView(
        leg.symbol, leg.leg, leg.steps, qty, entry, entry * (1 + fees) if qty else ZERO, mark, notional, result, at,
        setup.leverage, setup.isolated, leg.isolated_wallet + result if setup.isolated and qty else ZERO,
        leg.isolated_wallet, abs(notional) / setup.leverage, maintenance(spec, abs(notional)) if qty else ZERO,
        buys, sells, 1 if qty else 0, leg.updated_ms)
