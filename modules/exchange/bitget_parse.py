"""Bitget's v2 mix answers as our types. Whole answers about money are taken or refused, never repaired (X15).

Every function raises `Unreadable` for a body that is not what the venue documents. Side tables are here (X23): in
hedge mode Bitget's `side` names the POSITION's side, and `tradeSide` what is done to it.
"""

from dataclasses import dataclass

from modules.exchange import bitget_shapes as shape
from modules.exchange.futures_types import (
    ZERO,
    Income,
    MarginMode,
    Position,
    TriggerKind,
    TriggerState,
    TriggerStatus,
    Wallet,
    opens,
)
from modules.exchange.parsing import Unreadable, amount, decode, exact, ident, instant, number, positive
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import (
    Fill,
    OrderState,
    OrderStatus,
    OrderType,
    PositionSide,
    Side,
)

ASSET = "USDT"
PRODUCT = "USDT-FUTURES"
HEDGE, ONE_WAY = "hedge_mode", "one_way_mode"

STATUS = {
    "live": OrderStatus.NEW, "new": OrderStatus.NEW, "init": OrderStatus.NEW, "partially_filled": OrderStatus.PARTIAL,
    "filled": OrderStatus.FILLED, "canceled": OrderStatus.CANCELED, "cancelled": OrderStatus.CANCELED,
    "rejected": OrderStatus.REJECTED,
}
PLAN_STATUS = {
    "live": TriggerStatus.WAITING, "not_trigger": TriggerStatus.WAITING, "executing": TriggerStatus.TRIGGERED,
    "executed": TriggerStatus.TRIGGERED, "fail_trigger": TriggerStatus.REJECTED,
    "fail_execute": TriggerStatus.REJECTED, "cancelled": TriggerStatus.CANCELED, "canceled": TriggerStatus.CANCELED,
}
MARGIN = {"crossed": MarginMode.CROSSED, "cross": MarginMode.CROSSED, "isolated": MarginMode.ISOLATED}
STOPS = frozenset({"loss_plan", "pos_loss"})
# orderType and force of an order
TYPES: dict[OrderType, tuple[str, str]] = {
    OrderType.MARKET: ("market", ""), OrderType.LIMIT: ("limit", "gtc"), OrderType.IOC: ("limit", "ioc"),
    OrderType.POST_ONLY: ("limit", "post_only"),
}
_TYPE_OF = {("limit", "gtc"): OrderType.LIMIT, ("limit", "ioc"): OrderType.IOC, ("limit", "fok"): OrderType.IOC,
            ("limit", "post_only"): OrderType.POST_ONLY}
_LEGS = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
_OPENING = {PositionSide.LONG: Side.BUY, PositionSide.SHORT: Side.SELL}
_CLOSING = {PositionSide.LONG: Side.SELL, PositionSide.SHORT: Side.BUY}


# -- sides (X23) ------------------------------------------------------------------------------------------------------


def side_words(side: Side, position_side: PositionSide) -> dict[str, str]:
    """`side` (and `tradeSide`) of an order: hedge mode names the position's side, one-way mode the order's own."""
    if position_side is PositionSide.BOTH:
        return {"side": str(side).lower()}
    return {"side": "buy" if position_side is PositionSide.LONG else "sell",
            "tradeSide": "open" if opens(side, position_side) else "close"}


def told_side(side: str, trade_side: str, pos_mode: str) -> tuple[Side, PositionSide]:
    """Our side and leg of an order or fill. Raises Unreadable for words that nobody documents."""
    word = side.lower()
    if word not in ("buy", "sell"):
        raise Unreadable(f"a side is {side[:20]!r}")
    if pos_mode == ONE_WAY:
        return Side(word.upper()), PositionSide.BOTH
    if pos_mode != HEDGE:
        raise Unreadable(f"a position mode is {pos_mode[:20]!r}")
    leg = PositionSide.LONG if word == "buy" else PositionSide.SHORT
    if trade_side == "open":
        return _OPENING[leg], leg
    for name, named in _LEGS.items():  # burst_close_long, reduce_close_short, dte_sys_adl_close_long …
        if trade_side.endswith(f"close_{name}"):
            return _CLOSING[named], named
    if "close" in trade_side:
        return _CLOSING[leg], leg
    raise Unreadable(f"a trade side is {trade_side[:30]!r}")


def hold_side(position_side: PositionSide, closing: Side) -> str:
    """`holdSide` of a plan that closes: long or short in hedge mode, the held direction's buy or sell in one-way."""
    if position_side is not PositionSide.BOTH:
        return position_side.lower()
    return "buy" if closing is Side.SELL else "sell"


def placed(body: str, client_id: str) -> str:
    """The venue's id of a new or cancelled order; it has to be about the one that was sent."""
    row = decode(body, shape.Reply[shape.PlacedRow]).data
    if row.clientOid not in ("", None, client_id):
        raise Unreadable(f"the answer is about {str(row.clientOid)[:40]}, sent was {client_id}")
    return ident(row.orderId, "orderId")


def order(body: str, symbol: str, client_id: str) -> OrderState:
    """``detail``; it has to be the order that was asked for."""
    found = _order(decode(body, shape.Reply[shape.OrderRow]).data)
    if found.symbol != symbol or found.client_id != client_id:
        raise Unreadable(f"asked for {client_id} of {symbol}, told of {found.client_id[:40]} of {found.symbol[:40]}")
    return found


def orders(body: str) -> tuple[list[OrderState], str]:
    """(orders of a page of ``orders-pending``, id to go on before; "" at the end)."""
    page = decode(body, shape.Reply[shape.OrdersPage]).data
    rows = page.entrustedList or []
    found = [_order(row) for row in rows]
    unique_rows(found, lambda one: one.order_id, "order")
    return found, (page.endId or "") if rows else ""


def _order(row: shape.OrderRow) -> OrderState:
    status = STATUS.get(row.state or row.status)
    if status is None:
        raise Unreadable(f"the order's status is {(row.state or row.status)[:40]}")
    side, leg = told_side(row.side, row.tradeSide, row.posMode)
    quantity, filled = amount(row.size, "size"), number(row.baseVolume, "baseVolume")
    if filled < 0 or filled > quantity > 0:
        raise Unreadable(f"the order {row.orderId[:40]} is filled with {filled} of {quantity}")
    kind = OrderType.MARKET if row.orderType == "market" else _TYPE_OF.get((row.orderType, row.force))
    if kind is None:
        raise Unreadable(f"the order's type is {row.orderType[:20]} {row.force[:20]}")
    return OrderState(
        client_id=row.clientOid, order_id=ident(row.orderId, "orderId"), symbol=row.symbol.upper(), side=side,
        type=kind, status=status, quantity=quantity, filled=filled,
        filled_quote=number(row.quoteVolume, "quoteVolume"), created_ms=instant(row.cTime, "cTime"),
        updated_ms=instant(row.uTime, "uTime"), position_side=leg, reduce_only=row.reduceOnly.upper() == "YES")


def fills(body: str, symbol: str) -> tuple[list[Fill], str]:
    """(trades of a page of ``fills``, newest first; id to go on before). The venue tells no client ids here."""
    page = decode(body, shape.Reply[shape.FillsPage]).data
    rows = page.fillList or []
    found = []
    for row in rows:
        if row.symbol.upper() != symbol:
            raise Unreadable(f"a trade of {row.symbol[:40]} among those of {symbol}")
        side, leg = told_side(row.side, row.tradeSide, row.posMode)
        fees = {fee.feeCoin: number(fee.totalFee, "totalFee") for fee in row.feeDetail}
        coin = ASSET if ASSET in fees or not fees else next(iter(fees))
        found.append(Fill(
            id=ident(row.tradeId, "tradeId"), symbol=symbol, order_id=ident(row.orderId, "orderId"), client_id="",
            side=side, price=positive(row.price, "price"), quantity=positive(row.baseVolume, "baseVolume"),
            fee=-fees.get(coin, ZERO), fee_asset=coin, market_ms=instant(row.cTime, "cTime"),
            maker=row.tradeScope == "maker", position_side=leg, realised=number(row.profit, "profit")))
    return found, (page.endId or "") if rows else ""


# -- plans ------------------------------------------------------------------------------------------------------------


def plans(body: str) -> tuple[list[TriggerState], str]:
    """(plans of a page of ``orders-plan-pending`` or ``-history``, id to go on before)."""
    page = decode(body, shape.Reply[shape.PlansPage]).data
    rows = page.entrustedList or []
    return [_plan(row) for row in rows], (page.endId or "") if rows else ""


def _plan(row: shape.PlanRow) -> TriggerState:
    status = PLAN_STATUS.get(row.planStatus)
    if status is None:
        raise Unreadable(f"the plan's status is {row.planStatus[:40]}")
    side, leg = told_side(row.side, row.tradeSide, row.posMode)
    size = number(row.size, "size")
    kind = TriggerKind.STOP if row.planType in STOPS else TriggerKind.TAKE
    updated = int(number(row.uTime, "uTime")) or row.cTime
    return TriggerState(
        client_id=row.clientOid, trigger_id=ident(row.orderId, "orderId"), symbol=row.symbol.upper(), side=side,
        position_side=leg, kind=str(kind), status=status, trigger=amount(row.triggerPrice, "triggerPrice"),
        quantity=None if row.planType.startswith("pos_") else size, source=row.triggerType,
        order_id=row.executeOrderId or "", created_ms=instant(row.cTime, "cTime"),
        updated_ms=instant(updated, "uTime"))


def cancelled(body: str, client_id: str) -> tuple[str, str, str]:
    """(the venue's id, code, text) of one plan that was to be cancelled; the code is empty where it is gone."""
    row = decode(body, shape.Reply[shape.BatchRow]).data
    for good in row.successList or ():
        if good.clientOid in (client_id, "", None):
            return good.orderId, "", ""
    for bad in row.failureList or ():
        return "", bad.errorCode or "43025", bad.errorMsg
    raise Unreadable(f"the answer says nothing of {client_id}")


# -- the account ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """An account as ``account/account`` tells it of one contract: money and modes in one call."""

    wallet: Wallet
    hedge: bool
    margin: MarginMode
    leverage: int


def wallet(body: str) -> Wallet:
    """``accounts``: the row of USDT."""
    for row in decode(body, shape.Reply[list[shape.AccountRow]]).data:
        if row.marginCoin.upper() == ASSET:
            return _wallet(row, MarginMode.CROSSED)
    raise Unreadable(f"the account has no row for {ASSET}")


def standing(body: str) -> Standing:
    """``account/account``."""
    row = decode(body, shape.Reply[shape.AccountRow]).data
    mode = MARGIN.get(row.marginMode)
    if row.marginCoin.upper() != ASSET or mode is None or row.posMode not in (HEDGE, ONE_WAY):
        raise Unreadable(f"the account is told with coin {row.marginCoin[:10]}, margin {row.marginMode[:20]}, mode "
                         f"{row.posMode[:20]}")
    levers = [row.crossedMarginLeverage] if mode is MarginMode.CROSSED else [row.isolatedLongLever,
                                                                            row.isolatedShortLever]
    found = {int(positive(one if one not in ("", None) else 0, "leverage")) for one in levers}
    # Different leverages of the two sides are not what any grid here means: the lower one is told.
    return Standing(_wallet(row, mode), row.posMode == HEDGE, mode, min(found))


def _wallet(row: shape.AccountRow, mode: MarginMode) -> Wallet:
    equity = exact(row.accountEquity)
    free = row.crossedMaxAvailable if mode is MarginMode.CROSSED else row.isolatedMaxAvailable
    return Wallet(equity - number(row.unrealizedPL, "unrealizedPL"), equity, exact(free),
                  max(equity, ZERO) * number(row.crossedRiskRate, "crossedRiskRate"))


def positions(body: str) -> list[Position]:
    """``all-position``, read by side and never by place (X22); legs that hold nothing are left out."""
    rows = decode(body, shape.Reply[list[shape.PositionRow] | None]).data or []
    unique_rows(rows, lambda row: f"{row.symbol} {row.holdSide}", "position")
    found = []
    for row in rows:
        leg = _LEGS.get(row.holdSide)
        if leg is None or row.posMode not in (HEDGE, ONE_WAY):
            raise Unreadable(f"a position's side is {row.holdSide[:20]!r} in {row.posMode[:20]!r}")
        total = amount(row.total, "total")
        if not total:
            continue
        mark, liquidation = amount(row.markPrice, "markPrice"), number(row.liquidationPrice, "liquidationPrice")
        isolated = MARGIN.get(row.marginMode) is MarginMode.ISOLATED
        found.append(Position(
            row.symbol.upper(), leg if row.posMode == HEDGE else PositionSide.BOTH,
            total if leg is PositionSide.LONG else -total, positive(row.openPriceAvg, "openPriceAvg"), mark,
            number(row.unrealizedPL, "unrealizedPL"), liquidation if liquidation > 0 else None,
            mark * total * number(row.keepMarginRate, "keepMarginRate"),
            number(row.marginSize, "marginSize") if isolated else ZERO))
    return found


def bills(body: str) -> tuple[list[Income], str]:
    """(changes of the wallet of a page of ``bill``, newest first; id to go on before). A commission is its `fee`."""
    page = decode(body, shape.Reply[shape.BillsPage]).data
    rows = page.bills or []
    return [Income(ident(row.billId, "billId"), row.businessType, row.symbol.upper(),
                   exact(row.amount) + exact(row.fee), row.coin, instant(row.cTime, "cTime"))
            for row in rows], (page.endId or "") if rows else ""
