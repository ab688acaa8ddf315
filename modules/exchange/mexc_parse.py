"""MEXC's answers as our types. Whole answers about money are taken or refused, never repaired (X15).

Every function raises `Unreadable` for a body that is not what the venue documents: a field absent, of another type,
NaN, infinite or negative. Tickers alone lose single rows, because thousands of strangers must not stop a scan.
Shapes: recorded answers of MEXC (ccxt's and Mexc.Net's fixtures).
"""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import numpy as np

from modules.exchange.mexc_shapes import (
    AccountRow,
    DepthRow,
    FillRow,
    InfoRow,
    OrderRow,
    PlacedRow,
    SymbolRow,
    SymbolsRow,
    TickerRow,
    TradeRow,
)
from modules.exchange.types import (
    Balance,
    Book,
    Candles,
    Fill,
    Market,
    OrderState,
    OrderStatus,
    OrderType,
    Print,
    Side,
    Ticker,
)

ZERO = Decimal(0)
T = TypeVar("T")


class Unreadable(Exception):
    """The venue's answer is not what it documents."""


_STATUS = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIAL,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "PARTIALLY_CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.REJECTED,
}
_TYPE = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "IMMEDIATE_OR_CANCEL": OrderType.IOC,
    "FILL_OR_KILL": OrderType.IOC,
    "LIMIT_MAKER": OrderType.POST_ONLY,
}
TYPE_NAMES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.IOC: "IMMEDIATE_OR_CANCEL",
    OrderType.POST_ONLY: "LIMIT_MAKER",
}

_tickers = msgspec.json.Decoder(list[TickerRow], strict=False)
_rows = msgspec.json.Decoder(list[msgspec.Raw])
_ticker = msgspec.json.Decoder(TickerRow, strict=False)
_klines = msgspec.json.Decoder(list[tuple[int, float, float, float, float, float, Any, Any]], strict=False)


def _decode(body: str, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except msgspec.MsgspecError as problem:
        raise Unreadable(str(problem)) from problem


def _amount(value: Decimal, what: str, least: Decimal = ZERO) -> Decimal:
    if not value.is_finite() or value < least:
        raise Unreadable(f"{what} is {value}")
    return value


def _positive(value: Decimal, what: str) -> Decimal:
    if not value.is_finite() or value <= 0:
        raise Unreadable(f"{what} is {value}")
    return value


def markets(info: str, api_symbols: str) -> dict[str, Market]:
    """``exchangeInfo`` and ``defaultSymbols`` (the pairs open to API orders, A11) as markets."""
    allowed = set(_decode(api_symbols, SymbolsRow).data)
    rows = _decode(info, InfoRow).symbols
    if not rows or not allowed:
        raise Unreadable("the list of pairs is empty")
    return {row.symbol: _market(row, row.symbol in allowed) for row in rows}


def _market(row: SymbolRow, allowed: bool) -> Market:
    # baseAssetPrecision counts decimals; baseSizePrecision is a least amount, and a coarser step where it is larger.
    step = max(Decimal(1).scaleb(-row.baseAssetPrecision), _amount(row.baseSizePrecision, "baseSizePrecision"))
    return Market(
        symbol=row.symbol,
        base=row.baseAsset,
        quote=row.quoteAsset,
        tick=Decimal(1).scaleb(-row.quoteAssetPrecision),
        step=step,
        min_notional=_amount(row.quoteAmountPrecision, "quoteAmountPrecision"),
        taker_fee=_amount(row.takerCommission, "takerCommission"),
        maker_fee=_amount(row.makerCommission, "makerCommission"),
        trading=str(row.status) in ("1", "ENABLED"),
        api_allowed=allowed and row.isSpotTradingAllowed,
        market_orders="MARKET" in row.orderTypes,
        buys=row.tradeSideType in (1, 2),
        sells=row.tradeSideType in (1, 3),
    )


def tickers(body: str) -> tuple[dict[str, Ticker], list[str]]:
    """Tickers of all USDT pairs, and one line for each row that had to be dropped."""
    dropped: list[str] = []
    try:
        rows = _tickers.decode(body)
    except msgspec.ValidationError:
        rows = _rows_one_by_one(body, dropped)
    except msgspec.MsgspecError as problem:
        raise Unreadable(str(problem)) from problem
    found: dict[str, Ticker] = {}
    for row in rows:
        if not row.symbol.endswith("USDT"):
            continue
        # One comparison chain also refuses NaN, which compares false with everything.
        if not (0 < row.lastPrice < 1e15 and 0 < row.bidPrice < 1e15 and 0 < row.askPrice < 1e15
                and 0 <= row.quoteVolume < 1e18 and -1.0 <= row.priceChangePercent < 1e9):
            dropped.append(f"{row.symbol}: a price or volume is not a positive number")
            continue
        found[row.symbol] = Ticker(  # MEXC's "percent" is a fraction: 0.0173 is 1.73 %
            row.symbol, row.lastPrice, row.bidPrice, row.askPrice, row.quoteVolume, row.priceChangePercent * 100.0
        )
    if not found:
        raise Unreadable("not one ticker can be used")
    return found, dropped


def _rows_one_by_one(body: str, dropped: list[str]) -> list[TickerRow]:
    try:
        raws = _rows.decode(body)
    except msgspec.MsgspecError as problem:
        raise Unreadable(str(problem)) from problem
    found: list[TickerRow] = []
    for raw in raws:
        try:
            found.append(_ticker.decode(raw))
        except msgspec.MsgspecError as problem:
            dropped.append(f"{bytes(raw)[:40].decode(errors='replace')}: {problem}")
    return found


def candles(body: str) -> Candles:
    """``klines`` as float64 (n, 6): open time in ms, open, high, low, close, base volume. Gaps stay gaps."""
    try:
        rows = _klines.decode(body)
    except msgspec.MsgspecError as problem:
        raise Unreadable(str(problem)) from problem
    if not rows:
        return np.empty((0, 6), dtype=np.float64)
    found = np.array([row[:6] for row in rows], dtype=np.float64)
    prices = found[:, 1:5]
    if not (np.isfinite(found).all() and (prices > 0).all() and (found[:, 5] >= 0).all()):
        raise Unreadable("a candle has a price or volume that is not a positive number")
    if (found[:, 2] < prices.max(axis=1)).any() or (found[:, 3] > prices.min(axis=1)).any():
        raise Unreadable("a candle's high or low lies inside its body")
    order = np.argsort(found[:, 0], kind="stable")
    found = found[order]
    if len(found) > 1 and (np.diff(found[:, 0]) <= 0).any():
        raise Unreadable("two candles have the same time")
    return found


def book(symbol: str, body: str, now_ms: int) -> Book:
    """``depth``, best first. Refused where the sides cross or are not sorted."""
    row = _decode(body, DepthRow)
    for side in (row.bids, row.asks):
        for price, quantity in side:
            _positive(price, "a price in the book")
            _amount(quantity, "a quantity in the book")
    bids = tuple(level for level in row.bids if level[1] > 0)
    asks = tuple(level for level in row.asks if level[1] > 0)
    if any(a[0] <= b[0] for a, b in zip(bids, bids[1:], strict=False)):
        raise Unreadable("the bids are not sorted")
    if any(a[0] >= b[0] for a, b in zip(asks, asks[1:], strict=False)):
        raise Unreadable("the asks are not sorted")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Unreadable("the book's sides cross")
    return Book(symbol, bids, asks, now_ms if row.timestamp is None else row.timestamp)


def prints(body: str) -> list[Print]:
    """``aggTrades``, oldest first."""
    rows = _decode(body, list[TradeRow])
    found = [Print(_positive(row.p, "a trade's price"), _positive(row.q, "a trade's quantity"), row.T) for row in rows]
    return sorted(found, key=lambda print_: print_.market_ms)


def balances(body: str) -> dict[str, Balance]:
    """``account``: non-zero balances by asset."""
    found: dict[str, Balance] = {}
    for row in _decode(body, AccountRow).balances:
        balance = Balance(row.asset, _amount(row.free, f"free {row.asset}"), _amount(row.locked, f"locked {row.asset}"))
        if row.asset in found:
            raise Unreadable(f"{row.asset} is told twice")
        if balance.free or balance.locked:
            found[row.asset] = balance
    return found


def rights(body: str) -> tuple[bool, bool]:
    """``account``: (canTrade, canWithdraw)."""
    row = _decode(body, AccountRow)
    return row.canTrade, row.canWithdraw


def placed(body: str, symbol: str) -> str:
    """The order id in the answer to a new order."""
    row = _decode(body, PlacedRow)
    if not str(row.orderId) or row.symbol != symbol:
        raise Unreadable(f"the answer is about {row.symbol or 'no symbol'}, order {row.orderId!r}")
    return str(row.orderId)


def order(body: str, symbol: str, client_id: str) -> OrderState:
    """One order, as asked for by client id."""
    row = _decode(body, OrderRow)
    if row.symbol != symbol or (row.clientOrderId or client_id) != client_id:
        raise Unreadable(f"the answer is about {row.symbol} {row.clientOrderId}")
    return _state(row, client_id)


def orders(body: str) -> list[OrderState]:
    """``openOrders``."""
    return [_state(row, row.clientOrderId or "") for row in _decode(body, list[OrderRow])]


def _state(row: OrderRow, client_id: str) -> OrderState:
    if row.status not in _STATUS:
        raise Unreadable(f"order {row.orderId} has the unknown status {row.status!r}")
    if row.type not in _TYPE:
        raise Unreadable(f"order {row.orderId} on {row.symbol} is of the unknown type {row.type!r}")
    return OrderState(
        client_id=client_id,
        order_id=str(row.orderId),
        symbol=row.symbol,
        side=row.side,
        type=_TYPE[row.type],
        status=_STATUS[row.status],
        quantity=_amount(row.origQty, "origQty"),
        filled=_amount(row.executedQty, "executedQty"),
        filled_quote=_amount(row.cummulativeQuoteQty, "cummulativeQuoteQty"),
        created_ms=row.time,
        updated_ms=row.time if row.updateTime is None else row.updateTime,
    )


def fills(body: str, symbol: str) -> list[Fill]:
    """``myTrades``, oldest first."""
    found: dict[str, Fill] = {}
    for row in _decode(body, list[FillRow]):
        if row.symbol != symbol:
            raise Unreadable(f"a fill is about {row.symbol}")
        found[str(row.id)] = Fill(
            id=str(row.id),
            symbol=row.symbol,
            order_id=str(row.orderId),
            client_id=row.clientOrderId or "",
            side=Side.BUY if row.isBuyer else Side.SELL,
            price=_positive(row.price, "a fill's price"),
            quantity=_positive(row.qty, "a fill's quantity"),
            fee=_amount(row.commission, "a fill's fee", Decimal("-1e6")),
            fee_asset=row.commissionAsset,
            market_ms=row.time,
            maker=row.isMaker,
        )
    return sorted(found.values(), key=lambda fill: (fill.market_ms, fill.id))
