"""MEXC's answers as our types. Whole answers about money are taken or refused, never repaired (X15).

Every function raises `Unreadable` for a body that is not what the venue documents: a field absent, of another type,
NaN, infinite or negative. Tickers alone lose single rows, because thousands of strangers must not stop a scan.
Shapes: recorded answers of MEXC (ccxt's and Mexc.Net's fixtures).
"""

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np

from modules.exchange.classify import UNREADABLE
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
from modules.exchange.own_trades import once
from modules.exchange.parsing import (
    FIRST_MS,
    LAST_MS,
    Unreadable,
    amount,
    decode,
    ident,
    instant,
    positive,
    said,
    unique,
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

AHEAD_MS = 3_600_000  # a book from further in the future is none
QUOTES = frozenset({"USDT", "USDC", "BTC", "ETH", "EUR"})


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


def markets(info: str, api_symbols: str) -> dict[str, Market]:
    """``exchangeInfo`` and ``defaultSymbols`` (the pairs open to API orders, A11) as markets."""
    allowed = set(decode(api_symbols, SymbolsRow).data)
    rows = decode(info, InfoRow).symbols
    if not rows or not allowed:
        raise Unreadable("the list of pairs is empty")
    pairs = unique(rows, lambda row: row.symbol, "pair")
    return {symbol: _market(row, symbol in allowed) for symbol, row in pairs.items()}


def _market(row: SymbolRow, allowed: bool) -> Market:
    if not (0 <= row.baseAssetPrecision <= 30 and 0 <= row.quoteAssetPrecision <= 30):
        raise Unreadable(f"the number of decimals of {row.symbol} is senseless")
    # baseAssetPrecision counts decimals; baseSizePrecision is a least amount, and a coarser step where it is larger.
    step = max(Decimal(1).scaleb(-row.baseAssetPrecision), amount(row.baseSizePrecision, "baseSizePrecision"))
    return Market(
        symbol=row.symbol,
        base=row.baseAsset,
        quote=row.quoteAsset,
        tick=Decimal(1).scaleb(-row.quoteAssetPrecision),
        step=step,
        min_notional=amount(row.quoteAmountPrecision, "quoteAmountPrecision"),
        taker_fee=_fee_rate(row.takerCommission, "takerCommission"),
        maker_fee=_fee_rate(row.makerCommission, "makerCommission"),
        trading=str(row.status) in ("1", "ENABLED"),
        api_allowed=allowed and row.isSpotTradingAllowed,
        market_orders="MARKET" in row.orderTypes,
        buys=row.tradeSideType in (1, 2),
        sells=row.tradeSideType in (1, 3),
    )


def _fee_rate(value: str | int | float, what: str) -> Decimal:
    rate = amount(value, what)
    if rate >= 1:
        raise Unreadable(f"{what} is {value}, which would cost more than the trade")
    return rate


def tickers(body: str) -> tuple[dict[str, Ticker], list[str]]:
    """Tickers of all USDT pairs, and one line for each row that had to be dropped."""
    dropped: list[str] = []
    try:
        rows = _tickers.decode(body)
    except msgspec.ValidationError:
        rows = _rows_one_by_one(body, dropped)
    except UNREADABLE as problem:
        raise Unreadable(said(problem)) from problem
    found: dict[str, Ticker] = {}
    seen: dict[str, TickerRow] = {}
    for row in rows:
        if not row.symbol.endswith("USDT"):
            continue
        if seen.setdefault(row.symbol, row) != row:  # which of them is true?
            found.pop(row.symbol, None)
            dropped.append(f"{row.symbol}: told twice, differently")
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
    except UNREADABLE as problem:
        raise Unreadable(said(problem)) from problem
    found: list[TickerRow] = []
    for raw in raws:
        try:
            found.append(_ticker.decode(raw))
        except UNREADABLE as problem:
            dropped.append(f"{bytes(raw)[:40].decode(errors='replace')}: {said(problem)}")
    return found


def candles(body: str) -> Candles:
    """``klines`` as float64 (n, 6): open time in ms, open, high, low, close, base volume. Gaps stay gaps."""
    try:
        rows = _klines.decode(body)
    except UNREADABLE as problem:
        raise Unreadable(said(problem)) from problem
    if not rows:
        return np.empty((0, 6), dtype=np.float64)
    if not all(FIRST_MS < row[0] < LAST_MS and row[0] % 60_000 == 0 for row in rows):
        raise Unreadable("a candle's time is not a whole minute of our days")
    found = np.array([row[:6] for row in rows], dtype=np.float64)
    prices = found[:, 1:5]
    if not (np.isfinite(found).all() and (prices > 0).all() and (prices < 1e15).all()
            and (found[:, 5] >= 0).all() and (found[:, 5] < 1e18).all()):
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
    row = decode(body, DepthRow)
    sides = [[(positive(price, "a price in the book"), amount(quantity, "a quantity in the book"))
              for price, quantity in side] for side in (row.bids, row.asks)]
    bids, asks = (tuple(level for level in side if level[1] > 0) for side in sides)
    if any(a[0] <= b[0] for a, b in zip(bids, bids[1:], strict=False)):
        raise Unreadable("the bids are not sorted")
    if any(a[0] >= b[0] for a, b in zip(asks, asks[1:], strict=False)):
        raise Unreadable("the asks are not sorted")
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Unreadable("the book's sides cross")
    at_ms = now_ms if row.timestamp is None else instant(row.timestamp, "the book's time")
    if at_ms > now_ms + AHEAD_MS:
        raise Unreadable(f"the book is {(at_ms - now_ms) / 1000:.0f} s ahead of the exchange's clock")
    return Book(symbol, bids, asks, at_ms)


def prints(body: str) -> list[Print]:
    """``aggTrades``, oldest first."""
    rows = decode(body, list[TradeRow])
    found = [Print(positive(row.p, "a trade's price"), positive(row.q, "a trade's quantity"),
                   instant(row.T, "a trade's time")) for row in rows]
    return sorted(found, key=lambda print_: print_.market_ms)


def balances(body: str) -> dict[str, Balance]:
    """``account``: non-zero balances by asset."""
    found: dict[str, Balance] = {}
    for row in decode(body, AccountRow).balances:
        balance = Balance(row.asset, amount(row.free, f"free {row.asset}"), amount(row.locked, f"locked {row.asset}"))
        if row.asset in found:
            raise Unreadable(f"{row.asset} is told twice")
        if balance.free or balance.locked:
            found[row.asset] = balance
    return found


def rights(body: str) -> tuple[bool, bool]:
    """``account``: (canTrade, canWithdraw)."""
    row = decode(body, AccountRow)
    return row.canTrade, row.canWithdraw


def placed(body: str, symbol: str) -> str:
    """The order id in the answer to a new order."""
    row = decode(body, PlacedRow)
    if row.symbol != symbol:
        raise Unreadable(f"the answer is about {row.symbol[:40] or 'no symbol'}")
    return ident(row.orderId, "the order id")


def order(body: str, symbol: str, client_id: str) -> OrderState:
    """One order, as asked for by client id."""
    row = decode(body, OrderRow)
    if row.symbol != symbol or (row.clientOrderId or client_id) != client_id:
        raise Unreadable(f"the answer is about {row.symbol} {row.clientOrderId}")
    return _state(row, client_id)


def orders(body: str) -> list[OrderState]:
    """``openOrders``."""
    rows = unique(decode(body, list[OrderRow]), lambda row: ident(row.orderId, "an order id"), "order")
    ours = [row for row in rows.values() if row.clientOrderId]
    unique(ours, lambda row: row.clientOrderId or "", "client order id")
    return [_state(row, row.clientOrderId or "") for row in rows.values()]


def _state(row: OrderRow, client_id: str) -> OrderState:
    order_id = ident(row.orderId, "an order id")
    if row.status not in _STATUS:
        raise Unreadable(f"order {order_id} has the unknown status {row.status!r}")
    if row.type not in _TYPE:
        raise Unreadable(f"order {order_id} on {row.symbol} is of the unknown type {row.type!r}")
    status, quantity = _STATUS[row.status], amount(row.origQty, "origQty")
    filled = amount(row.executedQty, "executedQty")
    filled_quote = amount(row.cummulativeQuoteQty, "cummulativeQuoteQty")
    if (status is OrderStatus.NEW and filled) or (status in (OrderStatus.FILLED, OrderStatus.PARTIAL) and not filled):
        raise Unreadable(f"order {order_id} is {row.status} with {filled} executed")
    if filled_quote and not filled:
        raise Unreadable(f"order {order_id} cost {filled_quote} for nothing")
    if filled > quantity and _TYPE[row.type] is not OrderType.MARKET:  # a market buy may be asked for by its cost
        raise Unreadable(f"order {order_id} executed {filled} of {quantity}")
    created_ms = instant(row.time, "the order's time")
    return OrderState(
        client_id=client_id, order_id=order_id, symbol=row.symbol, side=row.side, type=_TYPE[row.type],
        status=status, quantity=quantity, filled=filled, filled_quote=filled_quote, created_ms=created_ms,
        updated_ms=created_ms if row.updateTime is None else instant(row.updateTime, "the order's last change"),
    )


def fills(body: str, symbol: str) -> list[Fill]:
    """``myTrades``, oldest first. A fill told twice is one (X11)."""
    return once(_fill(row, symbol) for row in decode(body, list[FillRow]))


def _fill(row: FillRow, symbol: str) -> Fill:
    if row.symbol != symbol:
        raise Unreadable(f"a fill is about {row.symbol[:40]}")
    price, quantity = positive(row.price, "a fill's price"), positive(row.qty, "a fill's quantity")
    fee = amount(row.commission, "a fill's fee")
    asset, worth = row.commissionAsset, None
    if symbol.endswith(asset) and asset in QUOTES:
        worth = price * quantity
    elif symbol.startswith(asset) and symbol.removeprefix(asset) in QUOTES:
        worth = quantity
    if not asset or (worth is not None and fee > worth):
        raise Unreadable(f"a fill's fee is {fee} {asset[:40]}, more than was traded")
    return Fill(
        id=ident(row.id, "a fill's id"), symbol=row.symbol, order_id=ident(row.orderId, "an order id"),
        client_id=row.clientOrderId or "", side=Side.BUY if row.isBuyer else Side.SELL, price=price, quantity=quantity,
        fee=fee, fee_asset=asset, market_ms=instant(row.time, "a fill's time"), maker=row.isMaker,
    )
