"""Bybit v5's answers as our types. Whole answers about money are taken or refused, never repaired (X15).

Every function raises `Unreadable` for a body that is not what the venue documents. Side tables are here (X23):
`side` is the order's own, `positionIdx` names the leg: 0 one-way, 1 long, 2 short.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from modules.exchange import bybit_shapes as shape
from modules.exchange.futures_types import (
    ZERO,
    Income,
    MarginMode,
    Position,
    Setup,
    TriggerKind,
    TriggerState,
    TriggerStatus,
    Wallet,
)
from modules.exchange.parsing import Unreadable, amount, decode, exact, ident, instant, number, positive
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import Fill, OrderState, OrderStatus, OrderType, PositionSide, Side

ASSET = "USDT"
T = TypeVar("T")
STATUS = {
    "New": OrderStatus.NEW, "PartiallyFilled": OrderStatus.PARTIAL, "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELED, "PartiallyFilledCanceled": OrderStatus.CANCELED,
    "Deactivated": OrderStatus.CANCELED, "Rejected": OrderStatus.REJECTED, "Untriggered": OrderStatus.NEW,
    "Triggered": OrderStatus.NEW,
}
#: of a conditional order; one that was cancelled after it was triggered has been filled in part
TRIGGER_STATUS = {
    "Untriggered": TriggerStatus.WAITING, "Triggered": TriggerStatus.TRIGGERED, "New": TriggerStatus.TRIGGERED,
    "PartiallyFilled": TriggerStatus.TRIGGERED, "Filled": TriggerStatus.TRIGGERED,
    "PartiallyFilledCanceled": TriggerStatus.TRIGGERED, "Deactivated": TriggerStatus.CANCELED,
    "Cancelled": TriggerStatus.CANCELED, "Rejected": TriggerStatus.REJECTED,
}
MARGIN = {"REGULAR_MARGIN": MarginMode.CROSSED, "ISOLATED_MARGIN": MarginMode.ISOLATED}
MARGIN_WORDS = {mode: word for word, mode in MARGIN.items()}
# orderType and timeInForce of an order
TYPES: dict[OrderType, tuple[str, str]] = {
    OrderType.MARKET: ("Market", "IOC"), OrderType.LIMIT: ("Limit", "GTC"), OrderType.IOC: ("Limit", "IOC"),
    OrderType.POST_ONLY: ("Limit", "PostOnly"),
}
_TYPE_OF = {("Limit", "GTC"): OrderType.LIMIT, ("Limit", "IOC"): OrderType.IOC, ("Limit", "FOK"): OrderType.IOC,
            ("Limit", "PostOnly"): OrderType.POST_ONLY, ("Limit", "RPI"): OrderType.POST_ONLY}
SIDES = {"Buy": Side.BUY, "Sell": Side.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
INDEX = {PositionSide.BOTH: 0, PositionSide.LONG: 1, PositionSide.SHORT: 2}
LEGS = {number: leg for leg, number in INDEX.items()}
RISING, FALLING = 1, 2
_KIND_WORDS = {**dict.fromkeys(("Stop", "StopLoss", "PartialStopLoss", "TrailingStop", "TrailingProfit"),
                               TriggerKind.STOP),
               **dict.fromkeys(("TakeProfit", "PartialTakeProfit"), TriggerKind.TAKE)}
SOURCES = {"MarkPrice": "MARK_PRICE", "LastPrice": "CONTRACT_PRICE", "IndexPrice": "INDEX_PRICE"}
#: executions that moved a position; funding is listed among them, with its payment as a fee
TRADES = frozenset({"Trade", "AdlTrade", "BustTrade", "Delivery", "Settle", "BlockTrade"})


# -- sides (X23) ------------------------------------------------------------------------------------------------------


def direction(kind: TriggerKind, side: Side) -> int:
    """`triggerDirection`: a stop that sells waits for a fall, a take profit that sells for a rise; buys mirror it."""
    return FALLING if (kind is TriggerKind.STOP) == (side is Side.SELL) else RISING


def trigger_kind(side: Side, turned: int, word: str = "") -> TriggerKind:
    """What a conditional order that closes is, by its side and direction; where the venue tells none (a stop that the
    owner set on its page), by `stopOrderType`. Raises Unreadable.
    """
    if turned in (RISING, FALLING):
        return TriggerKind.STOP if direction(TriggerKind.STOP, side) == turned else TriggerKind.TAKE
    if word not in _KIND_WORDS:
        raise Unreadable(f"a trigger direction is {turned} of a {word[:20]}")
    return _KIND_WORDS[word]


def fill_leg(hedge: bool, side: Side, closed: Any, what: str) -> PositionSide:
    """The leg of an execution. The venue names none there, only how much was closed: in hedge mode a buy that closes
    nothing opened the long leg, one that closes is of the short. Raises Unreadable where that is not told.
    """
    if not hedge:
        return PositionSide.BOTH
    if closed in ("", None):
        raise Unreadable(f"execution {what} does not tell whether it closed something")
    return PositionSide.LONG if (side is Side.BUY) == (exact(closed) == 0) else PositionSide.SHORT


def _side(word: str) -> Side:
    found = SIDES.get(word)
    if found is None:
        raise Unreadable(f"a side is {word[:20]!r}")
    return found


def _leg(index: int) -> PositionSide:
    found = LEGS.get(index)
    if found is None:
        raise Unreadable(f"a positionIdx is {index}")
    return found


def page(body: str, kind: type[T], read: Callable[[T], Any]) -> tuple[list[Any], str]:
    """(rows of a list that are not None, where it goes on; "" at its end)."""
    found = decode(body, shape.Reply[shape.Page[kind]]).result  # type: ignore[valid-type]
    rows = [one for one in map(read, found.list) if one is not None]
    return rows, (found.nextPageCursor or "") if found.list else ""


# -- orders -----------------------------------------------------------------------------------------------------------


def placed(body: str, client_id: str) -> str:
    """The venue's id of a new or cancelled order; it has to be about the one that was sent."""
    row = decode(body, shape.Reply[shape.PlacedRow]).result
    if row.orderLinkId != client_id:
        raise Unreadable(f"the answer is about {row.orderLinkId[:40]!r}, sent was {client_id}")
    return ident(row.orderId, "orderId")


def conditional(row: shape.OrderRow) -> bool:
    """Whether a row is of the other family: both are listed together."""
    return row.stopOrderType not in ("", "UNKNOWN")


def named(rows: list[shape.OrderRow], symbol: str, client_id: str) -> shape.OrderRow | None:
    """The order that was asked for; None where the list is empty. Raises Unreadable where it tells of another one."""
    for row in rows:
        if row.orderLinkId != client_id or row.symbol != symbol:
            raise Unreadable(f"asked for {client_id} of {symbol}, told of {row.orderLinkId[:40]} of {row.symbol[:40]}")
    return rows[0] if rows else None


def order_rows(body: str) -> tuple[list[shape.OrderRow], str]:
    """A page of ``order/realtime`` or ``order/history``."""
    rows, cursor = page(body, shape.OrderRow, lambda row: row)
    return list(unique_rows(rows, lambda row: row.orderId, "order").values()), cursor


def order(row: shape.OrderRow) -> OrderState:
    """An ordinary order."""
    status = STATUS.get(row.orderStatus)
    if status is None:
        raise Unreadable(f"the order's status is {row.orderStatus[:40]}")
    quantity, filled = amount(row.qty, "qty"), number(row.cumExecQty, "cumExecQty")
    if filled < 0 or filled > quantity > 0:
        raise Unreadable(f"the order {row.orderId[:40]} is filled with {filled} of {quantity}")
    kind = OrderType.MARKET if row.orderType == "Market" else _TYPE_OF.get((row.orderType, row.timeInForce))
    if kind is None:
        raise Unreadable(f"the order's type is {row.orderType[:20]} {row.timeInForce[:20]}")
    return OrderState(
        client_id=row.orderLinkId, order_id=ident(row.orderId, "orderId"), symbol=row.symbol, side=_side(row.side),
        type=kind, status=status, quantity=quantity, filled=filled,
        filled_quote=number(row.cumExecValue, "cumExecValue"), created_ms=instant(row.createdTime, "createdTime"),
        updated_ms=instant(row.updatedTime, "updatedTime"), position_side=_leg(row.positionIdx),
        reduce_only=row.reduceOnly)


def trigger(row: shape.OrderRow) -> TriggerState:
    """A conditional order. It keeps its id as the order that it becomes."""
    status = TRIGGER_STATUS.get(row.orderStatus)
    if status is None:
        raise Unreadable(f"the conditional order's status is {row.orderStatus[:40]}")
    if status is TriggerStatus.CANCELED and number(row.cumExecQty, "cumExecQty") > 0:
        status = TriggerStatus.TRIGGERED
    side, quantity = _side(row.side), amount(row.qty, "qty")
    order_id = ident(row.orderId, "orderId")
    return TriggerState(
        client_id=row.orderLinkId, trigger_id=order_id, symbol=row.symbol, side=side,
        position_side=_leg(row.positionIdx), status=status,
        kind=str(trigger_kind(side, row.triggerDirection, row.stopOrderType)),
        trigger=amount(row.triggerPrice or 0, "triggerPrice"),
        quantity=None if row.closeOnTrigger and not quantity else quantity,
        source=SOURCES.get(row.triggerBy, row.triggerBy),
        order_id=order_id if status is TriggerStatus.TRIGGERED else "",
        created_ms=instant(row.createdTime, "createdTime"), updated_ms=instant(row.updatedTime, "updatedTime"))


def fills(body: str, symbol: str, hedge: bool) -> tuple[list[Fill], str]:
    """A page of ``execution/list``; what is no trade (funding) is left out."""

    def read(row: shape.ExecutionRow) -> Fill | None:
        if row.symbol != symbol:
            raise Unreadable(f"an execution of {row.symbol[:40]} among those of {symbol}")
        if row.execType == "Funding":
            return None
        if row.execType not in TRADES:
            raise Unreadable(f"an execution is of the kind {row.execType[:20]}")
        side = _side(row.side)
        return Fill(
            id=ident(row.execId, "execId"), symbol=symbol, order_id=ident(row.orderId, "orderId"),
            client_id=row.orderLinkId, side=side, price=positive(row.execPrice, "execPrice"),
            quantity=positive(row.execQty, "execQty"), fee=number(row.execFee, "execFee"),
            fee_asset=row.feeCurrency or ASSET, market_ms=instant(row.execTime, "execTime"), maker=row.isMaker,
            position_side=fill_leg(hedge, side, row.closedSize, row.execId[:40]), leg_named=False)
    return page(body, shape.ExecutionRow, read)


# -- the account ------------------------------------------------------------------------------------------------------


def wallet(body: str) -> Wallet:
    """``wallet-balance``: the row of USDT. With isolated margin the account's totals are empty texts: then what is
    free is what no order and no position ties up.
    """
    rows = decode(body, shape.Reply[shape.Page[shape.WalletRow]]).result.list
    coin = next((one for row in rows for one in row.coin if one.coin == ASSET), None)
    if len(rows) != 1 or coin is None:
        raise Unreadable(f"the account has no row for {ASSET}")
    balance, equity = exact(coin.walletBalance), exact(coin.equity)
    if rows[0].totalAvailableBalance in ("", None):
        free = balance - sum((number(one, "margin") for one in (
            coin.locked, coin.totalOrderIM, coin.totalPositionIM)), ZERO)
    else:
        free = number(rows[0].totalAvailableBalance, "totalAvailableBalance")
    return Wallet(balance, equity, free, number(coin.totalPositionMM, "totalPositionMM"))


def margin(body: str) -> MarginMode | None:
    """``account/info``: the mode of the whole account; None for portfolio margin, which nobody here trades in."""
    row = decode(body, shape.Reply[shape.InfoRow]).result
    if row.unifiedMarginStatus < 3:
        raise Unreadable("the account is no unified trading account; upgrade it on the exchange")
    if row.marginMode not in (*MARGIN, "PORTFOLIO_MARGIN"):
        raise Unreadable(f"the margin mode is {row.marginMode[:30]}")
    return MARGIN.get(row.marginMode)


def position_rows(body: str) -> tuple[list[shape.PositionRow], str]:
    """A page of ``position/list``."""
    rows, cursor = page(body, shape.PositionRow, lambda row: row)
    unique_rows(rows, lambda row: f"{row.symbol} {row.positionIdx}", "position")
    return rows, cursor


def positions(rows: list[shape.PositionRow], isolated: bool) -> list[Position]:
    """Rows read by `positionIdx` and never by place (X22); legs that hold nothing are left out."""
    found = []
    for row in rows:
        size = amount(row.size, "size")
        if not size:
            continue
        leg, side = _leg(row.positionIdx), _side(row.side)
        if leg is not PositionSide.BOTH and (leg is PositionSide.LONG) != (side is Side.BUY):
            raise Unreadable(f"the {leg} leg of {row.symbol[:40]} is told as {row.side[:10]}")
        liquidation = number(row.liqPrice, "liqPrice")
        found.append(Position(
            row.symbol, leg, size if side is Side.BUY else -size, positive(row.avgPrice or 0, "avgPrice"),
            number(row.markPrice, "markPrice"), number(row.unrealisedPnl, "unrealisedPnl"),
            liquidation if liquidation > 0 else None, number(row.positionMM, "positionMM"),
            number(row.positionBalance, "positionBalance") if isolated else ZERO))
    return found


def hedged(rows: list[shape.PositionRow], symbol: str) -> bool:
    """The position mode of a contract: its rows, held or not, are 0 (one-way) or 1 and 2 (hedge)."""
    indexes = sorted(row.positionIdx for row in rows)
    if any(row.symbol != symbol for row in rows) or indexes not in ([0], [1, 2]):
        raise Unreadable(f"{symbol} has positions {indexes}")
    return indexes == [1, 2]


def setup(rows: list[shape.PositionRow], symbol: str, mode: MarginMode) -> Setup | None:
    """Leverage of a contract; None where its two sides differ. `tradeMode` says nothing in a unified account."""
    found = {exact(row.leverage) for row in rows if row.leverage not in ("", None)}
    if len(found) != 1 or (leverage := found.pop()) != int(leverage):
        return None
    return Setup(symbol, int(leverage), mode)


#: the transaction log's words → those that the rest of the program knows
_KINDS = {"SETTLEMENT": "FUNDING_FEE", "TRANSFER_IN": "TRANSFER", "TRANSFER_OUT": "TRANSFER"}


def incomes(body: str) -> tuple[list[Income], str]:
    """A page of ``transaction-log``. A trade's result is told by its execution: here it only says that there was one.

    A liquidation's trade moves its money through the execution too; the row itself says that it was a liquidation.
    """

    def read(row: shape.LogRow) -> Income:
        change, kind = exact(row.change), _KINDS.get(row.type, row.type)
        trade = row.type in ("TRADE", "LIQUIDATION", "ADL", "DELIVERY") and bool(row.tradeId)
        if row.type == "LIQUIDATION":
            kind = "INSURANCE_CLEAR"
        elif trade:
            kind = "REALIZED_PNL"
        return Income(f"{ident(row.id, 'id')} {row.tradeId}".strip(), kind, row.symbol,
                      ZERO if trade and kind != "REALIZED_PNL" else change, row.currency,
                      instant(row.transactionTime, "transactionTime"), row.tradeId)
    return page(body, shape.LogRow, read)
