"""Binance USD-M's answers as our types. Whole answers about money are taken or refused, never repaired (X15).

Every function raises `Unreadable` for a body that is not what the venue documents. Side tables are here (X23).
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import numpy as np

from modules.exchange import binance_shapes as shape
from modules.exchange.futures_types import (
    ZERO,
    Bracket,
    FuturesMarket,
    Income,
    MarginMode,
    Mark,
    Position,
    Setup,
    TriggerState,
    TriggerStatus,
    Wallet,
)
from modules.exchange.market_parse import book_of, candles_of
from modules.exchange.parsing import BIGGEST, Unreadable, amount, decode, exact, ident, instant, positive
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import (
    Book,
    Candles,
    Fill,
    OrderState,
    OrderStatus,
    OrderType,
    PositionSide,
    Print,
    Ticker,
)

ASSET = "USDT"
# Fees of the lowest tier; the account's own are told by every fill.
TAKER, MAKER = Decimal("0.0005"), Decimal("0.0002")

STATUS = {
    "NEW": OrderStatus.NEW, "PARTIALLY_FILLED": OrderStatus.PARTIAL, "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED, "EXPIRED": OrderStatus.CANCELED, "EXPIRED_IN_MATCH": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED, "NEW_INSURANCE": OrderStatus.NEW, "NEW_ADL": OrderStatus.NEW,
}
TRIGGER_STATUS = {
    "NEW": TriggerStatus.WAITING, "TRIGGERING": TriggerStatus.TRIGGERED, "TRIGGERED": TriggerStatus.TRIGGERED,
    "FINISHED": TriggerStatus.TRIGGERED, "CANCELED": TriggerStatus.CANCELED, "EXPIRED": TriggerStatus.CANCELED,
    "REJECTED": TriggerStatus.REJECTED,
}
MARGIN = {"CROSSED": MarginMode.CROSSED, "CROSS": MarginMode.CROSSED, "ISOLATED": MarginMode.ISOLATED}
# type and timeInForce of an order
TYPES: dict[OrderType, tuple[str, str]] = {
    OrderType.MARKET: ("MARKET", ""), OrderType.LIMIT: ("LIMIT", "GTC"), OrderType.IOC: ("LIMIT", "IOC"),
    OrderType.POST_ONLY: ("LIMIT", "GTX"),
}
_TYPE_OF = {("LIMIT", "GTC"): OrderType.LIMIT, ("LIMIT", "GTD"): OrderType.LIMIT, ("LIMIT", "IOC"): OrderType.IOC,
            ("LIMIT", "FOK"): OrderType.IOC, ("LIMIT", "GTX"): OrderType.POST_ONLY}


def markets(body: str) -> dict[str, FuturesMarket]:
    """``exchangeInfo``: perpetual contracts settled in USDT."""
    rows = [row for row in decode(body, shape.InfoRow).symbols
            if row.contractType == "PERPETUAL" and row.marginAsset == ASSET]
    if not rows:
        raise Unreadable("the list of contracts is empty")
    return {symbol: _market(row) for symbol, row in unique_rows(rows, lambda row: row.symbol, "contract").items()}


def _market(row: shape.SymbolRow) -> FuturesMarket:
    filters = {str(one.get("filterType")): one for one in row.filters}

    def figure(name: str, field: str) -> Decimal:
        try:
            found = Decimal(str(filters[name][field]))
        except (KeyError, InvalidOperation) as problem:
            raise Unreadable(f"{row.symbol} has no {field} in {name}") from problem
        if not found.is_finite() or not ZERO < found < BIGGEST:
            raise Unreadable(f"{field} of {row.symbol} is {found}")
        return found

    return FuturesMarket(
        symbol=row.symbol, base=row.baseAsset, quote=row.quoteAsset, tick=figure("PRICE_FILTER", "tickSize"),
        step=figure("LOT_SIZE", "stepSize"), min_notional=figure("MIN_NOTIONAL", "notional"), taker_fee=TAKER,
        maker_fee=MAKER, trading=row.status == "TRADING", market_orders="MARKET" in row.orderTypes,
        least=figure("LOT_SIZE", "minQty"), market_max=figure("MARKET_LOT_SIZE", "maxQty"),
        limit_max=figure("LOT_SIZE", "maxQty"), band_up=figure("PERCENT_PRICE", "multiplierUp"),
        band_down=figure("PERCENT_PRICE", "multiplierDown"),
        liquidation_fee=amount(row.liquidationFee, "liquidationFee"))


def tickers(day: str, touch: str) -> dict[str, Ticker]:
    """``ticker/24hr`` with the best prices of ``ticker/bookTicker``."""
    best = {row.symbol: row for row in decode(touch, list[shape.TouchRow])}
    found = {}
    for row in decode(day, list[shape.TickerRow]):
        near = best.get(row.symbol)
        if near is not None and all(np.isfinite([row.lastPrice, near.bidPrice, near.askPrice, row.quoteVolume])):
            found[row.symbol] = Ticker(row.symbol, row.lastPrice, near.bidPrice, near.askPrice, row.quoteVolume,
                                       row.priceChangePercent)
    return found


def marks(body: str) -> dict[str, Mark]:
    """``premiumIndex``."""
    return {row.symbol: Mark(row.symbol, positive(row.markPrice, "markPrice"), exact(row.lastFundingRate),
                             row.nextFundingTime, instant(row.time, "time"))
            for row in decode(body, list[shape.MarkRow])}


def candles(body: str) -> Candles:
    """``klines``; shape (n, 6), see `types.Candles`."""
    return candles_of(decode(body, list[list[Any]]))


def book(symbol: str, body: str, now_ms: int) -> Book:
    """``depth``."""
    row = decode(body, shape.DepthRow)
    return book_of(symbol, row.bids, row.asks, row.E if row.E is not None else now_ms)


def prints(body: str) -> list[Print]:
    """``aggTrades``, oldest first."""
    return [Print(positive(row.p, "price"), positive(row.q, "quantity"), instant(row.T, "time"))
            for row in decode(body, list[shape.TradeRow])]


def order(body: str, symbol: str, client_id: str) -> OrderState:
    """One order; it has to be the one that was asked for."""
    found = _order(decode(body, shape.OrderRow))
    if found.symbol != symbol or found.client_id != client_id:
        raise Unreadable(f"asked for {client_id} of {symbol}, told of {found.client_id[:40]} of {found.symbol[:40]}")
    return found


def orders(body: str) -> list[OrderState]:
    """``openOrders``."""
    found = [_order(row) for row in decode(body, list[shape.OrderRow])]
    return list(unique_rows(found, lambda one: one.order_id, "order").values())


def _order(row: shape.OrderRow) -> OrderState:
    status = STATUS.get(row.status)
    if status is None:
        raise Unreadable(f"the order's status is {row.status[:40]}")
    kind = _TYPE_OF.get((row.type, row.timeInForce), OrderType.MARKET)
    quantity, filled = amount(row.origQty, "origQty"), amount(row.executedQty, "executedQty")
    if filled > quantity > 0:
        raise Unreadable(f"the order {row.orderId} is filled with more than was ordered")
    return OrderState(
        client_id=row.clientOrderId, order_id=ident(row.orderId, "orderId"), symbol=row.symbol, side=row.side,
        type=kind, status=status, quantity=quantity, filled=filled, filled_quote=amount(row.cumQuote, "cumQuote"),
        created_ms=instant(row.time, "time"), updated_ms=instant(row.updateTime, "updateTime"),
        position_side=row.positionSide, reduce_only=row.reduceOnly)


def placed(body: str, symbol: str) -> str:
    """The venue's id of a new or cancelled order."""
    row = decode(body, shape.PlacedRow)
    if row.symbol != symbol:
        raise Unreadable(f"the answer is about {row.symbol[:40]}, the order was for {symbol}")
    return ident(row.orderId, "orderId")


def fills(body: str, symbol: str) -> list[Fill]:
    """``userTrades``. The venue tells no client ids here."""
    found = []
    for row in decode(body, list[shape.FillRow]):
        if row.symbol != symbol:
            raise Unreadable(f"a trade of {row.symbol[:40]} among those of {symbol}")
        found.append(Fill(
            id=ident(row.id, "id"), symbol=symbol, order_id=ident(row.orderId, "orderId"), client_id="", side=row.side,
            price=positive(row.price, "price"), quantity=positive(row.qty, "qty"), fee=exact(row.commission),
            fee_asset=row.commissionAsset, market_ms=instant(row.time, "time"), maker=row.maker,
            position_side=row.positionSide, realised=exact(row.realizedPnl)))
    return found


def trigger(body: str, client_id: str) -> TriggerState:
    """One conditional order; it has to be the one that was asked for."""
    found = _trigger(decode(body, shape.TriggerRow))
    if found.client_id != client_id:
        raise Unreadable(f"asked for {client_id}, told of {found.client_id[:40]}")
    return found


def triggers(body: str) -> list[TriggerState]:
    """``openAlgoOrders``."""
    found = [_trigger(row) for row in decode(body, list[shape.TriggerRow])]
    return list(unique_rows(found, lambda one: one.trigger_id, "conditional order").values())


def _trigger(row: shape.TriggerRow) -> TriggerState:
    status = TRIGGER_STATUS.get(row.algoStatus)
    if status is None:
        raise Unreadable(f"the conditional order's status is {row.algoStatus[:40]}")
    return TriggerState(
        client_id=row.clientAlgoId, trigger_id=ident(row.algoId, "algoId"), symbol=row.symbol, side=row.side,
        position_side=row.positionSide, kind=row.orderType, status=status,
        trigger=amount(row.triggerPrice, "triggerPrice"),
        quantity=None if row.closePosition else amount(row.quantity, "quantity"), source=row.workingType,
        order_id=str(row.actualOrderId), created_ms=instant(row.createTime, "createTime"),
        updated_ms=instant(row.updateTime, "updateTime"))


def trigger_placed(body: str, symbol: str) -> str:
    """The venue's id of a new conditional order."""
    row = decode(body, shape.TriggerPlacedRow)
    if row.symbol != symbol:
        raise Unreadable(f"the answer is about {row.symbol[:40]}, the order was for {symbol}")
    return ident(row.algoId, "algoId")


def trigger_gone(body: str, client_id: str) -> str:
    """The venue's id of a cancelled conditional order."""
    row = decode(body, shape.TriggerGoneRow)
    if row.clientAlgoId != client_id:
        raise Unreadable(f"asked to cancel {client_id}, told of {row.clientAlgoId[:40]}")
    return ident(row.algoId, "algoId")


def positions(body: str) -> list[Position]:
    """``v3/positionRisk``, read by side and never by place (X22); legs that hold nothing are left out."""
    found = []
    rows = decode(body, list[shape.PositionRow])
    unique_rows(rows, lambda row: f"{row.symbol} {row.positionSide}", "position")
    for row in rows:
        quantity = exact(row.positionAmt)
        if abs(quantity) >= BIGGEST:
            raise Unreadable(f"positionAmt of {row.symbol[:40]} is {quantity}")
        wrong = {PositionSide.LONG: quantity < 0, PositionSide.SHORT: quantity > 0, PositionSide.BOTH: False}
        if wrong[row.positionSide]:
            raise Unreadable(f"the {row.positionSide} leg of {row.symbol[:40]} holds {quantity}")
        if quantity:
            liquidation = amount(row.liquidationPrice, "liquidationPrice")
            found.append(Position(
                row.symbol, row.positionSide, quantity, positive(row.entryPrice, "entryPrice"),
                amount(row.markPrice, "markPrice"), exact(row.unRealizedProfit), liquidation or None,
                amount(row.maintMargin, "maintMargin"), amount(row.isolatedMargin, "isolatedMargin")))
    return found


def setups(body: str) -> dict[str, Setup]:
    """``symbolConfig``."""
    found = {}
    for row in decode(body, list[shape.SetupRow]):
        mode = MARGIN.get(row.marginType.upper())
        if mode is None or not 0 < row.leverage <= 1000:
            raise Unreadable(f"{row.symbol[:40]} has margin {row.marginType[:20]} and leverage {row.leverage}")
        found[row.symbol] = Setup(row.symbol, row.leverage, mode)
    return found


def hedge(body: str) -> bool:
    """``positionSide/dual``."""
    return decode(body, shape.ModeRow).dualSidePosition


def wallet(body: str) -> Wallet:
    """``v3/account``: the row of USDT."""
    for row in decode(body, shape.AccountRow).assets:
        if row.asset == ASSET:
            return Wallet(exact(row.walletBalance), exact(row.marginBalance), exact(row.availableBalance),
                          amount(row.maintMargin, "maintMargin"))
    raise Unreadable(f"the account has no row for {ASSET}")


def incomes(body: str) -> list[Income]:
    """``income``."""
    return [Income(ident(row.tranId, "tranId"), row.incomeType, row.symbol, exact(row.income), row.asset,
                   instant(row.time, "time"), str(row.tradeId or "")) for row in decode(body, list[shape.IncomeRow])]


def brackets(body: str, symbol: str) -> list[Bracket]:
    """``leverageBracket`` of one symbol, smallest notional first."""
    rows = next((row for row in decode(body, list[shape.BracketsRow]) if row.symbol == symbol), None)
    if rows is None or not rows.brackets:
        raise Unreadable(f"no brackets of {symbol}")
    found = [Bracket(amount(row.notionalFloor, "notionalFloor"), positive(row.notionalCap, "notionalCap"),
                     row.initialLeverage, amount(row.maintMarginRatio, "maintMarginRatio"), amount(row.cum, "cum"))
             for row in rows.brackets]
    return sorted(found, key=lambda one: one.floor)


def listen_key(body: str) -> str:
    """The name of the account's stream."""
    return ident(decode(body, shape.KeyRow).listenKey, "listenKey")


def raw(body: str) -> Mapping[str, msgspec.Raw]:
    """Any JSON object, its values still as text."""
    return decode(body, dict[str, msgspec.Raw])


