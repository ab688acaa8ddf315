"""Bybit v5's market data of linear perpetuals as our types. Raises `Unreadable` for what it does not document."""

from decimal import Decimal
from typing import Any

from modules.exchange import bybit_shapes as shape
from modules.exchange.bybit_parse import ASSET
from modules.exchange.futures_types import ZERO, Bracket, FuturesMarket, Mark
from modules.exchange.market_parse import book_of, candles_of
from modules.exchange.parsing import Unreadable, amount, decode, exact, instant, number, positive
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import Book, Candles, Print, Ticker

# Fees of the lowest tier; the account's own are told by every execution.
TAKER, MAKER = Decimal("0.00055"), Decimal("0.0002")


def server_ms(body: str) -> int:
    """``market/time``."""
    return decode(body, shape.Reply[dict[str, Any]]).time


def contracts(body: str) -> tuple[dict[str, FuturesMarket], str]:
    """A page of ``instruments-info``: perpetual contracts settled in USDT, and where the list goes on."""
    found = decode(body, shape.Reply[shape.Page[shape.ContractRow]]).result
    rows = [row for row in found.list if row.contractType == "LinearPerpetual" and row.settleCoin == ASSET]
    return {symbol: _contract(row) for symbol, row in unique_rows(rows, lambda row: row.symbol, "contract").items()}, (
        found.nextPageCursor or "") if found.list else ""


def _contract(row: shape.ContractRow) -> FuturesMarket:
    lot, risk = row.lotSizeFilter, row.riskParameters or shape.Risk()
    largest = positive(lot.maxOrderQty, "maxOrderQty")
    up = number(risk.priceLimitRatioX, "priceLimitRatioX") or Decimal("0.05")
    down = number(risk.priceLimitRatioY, "priceLimitRatioY") or up
    return FuturesMarket(
        symbol=row.symbol, base=row.baseCoin, quote=row.quoteCoin, tick=positive(row.priceFilter.tickSize, "tickSize"),
        step=positive(lot.qtyStep, "qtyStep"), min_notional=number(lot.minNotionalValue, "minNotionalValue"),
        taker_fee=TAKER, maker_fee=MAKER, trading=row.status == "Trading",
        least=positive(lot.minOrderQty, "minOrderQty"),
        market_max=number(lot.maxMktOrderQty, "maxMktOrderQty") or largest, limit_max=largest, band_up=1 + up,
        band_down=1 - down)


def _tickers(body: str) -> list[shape.TickerRow]:
    return decode(body, shape.Reply[shape.Page[shape.TickerRow]]).result.list


def tickers(body: str) -> dict[str, Ticker]:
    """``tickers``; a contract without a price on either side is left out."""
    found = {}
    for row in _tickers(body):
        last, bid, ask = (number(value, "a price") for value in (row.lastPrice, row.bid1Price, row.ask1Price))
        if last > 0 and bid > 0 and ask > 0:
            found[row.symbol] = Ticker(row.symbol, float(last), float(bid), float(ask),
                                       float(number(row.turnover24h, "turnover24h")),
                                       float(number(row.price24hPcnt, "price24hPcnt")) * 100)
    return found


def marks(body: str) -> dict[str, Mark]:
    """Mark price and funding, of ``tickers``; its instant is the answer's own."""
    told = decode(body, shape.Reply[shape.Page[shape.TickerRow]])
    ms, found = instant(told.time, "time"), {}
    for row in told.result.list:
        price = number(row.markPrice, "markPrice")
        if price > 0:
            found[row.symbol] = Mark(row.symbol, price, number(row.fundingRate, "fundingRate"),
                                     int(number(row.nextFundingTime, "nextFundingTime")), ms)
    return found


def open_interest(body: str) -> dict[str, Decimal]:
    """Open interest in base, of ``tickers``."""
    return {row.symbol: number(row.openInterest, "openInterest") for row in _tickers(body)
            if row.openInterest not in ("", None)}


def interest_history(body: str) -> list[tuple[int, Decimal]]:
    """``open-interest``: (ms, base), oldest first."""
    rows = decode(body, shape.Reply[shape.Page[shape.InterestRow]]).result.list
    return sorted((instant(row.timestamp, "timestamp"), amount(row.openInterest, "openInterest")) for row in rows)


def funding_history(body: str) -> list[tuple[int, Decimal]]:
    """``funding/history``: (ms, rate), oldest first."""
    rows = decode(body, shape.Reply[shape.Page[shape.FundingRow]]).result.list
    return sorted((instant(row.fundingRateTimestamp, "fundingRateTimestamp"), exact(row.fundingRate)) for row in rows)


def candles(body: str, symbol: str) -> Candles:
    """``kline``, told newest first; shape (n, 6), see `types.Candles`."""
    told = decode(body, shape.Reply[shape.Klines]).result
    if told.symbol != symbol:
        raise Unreadable(f"asked for candles of {symbol}, told of {told.symbol[:40]}")
    return candles_of(list(reversed(told.list)))


def book(symbol: str, body: str) -> Book:
    """``orderbook``."""
    row = decode(body, shape.Reply[shape.BookRow]).result
    if row.s != symbol:
        raise Unreadable(f"asked for the book of {symbol}, told of {row.s[:40]}")
    return book_of(symbol, row.b, row.a, instant(row.ts, "ts"))


def prints(body: str) -> list[Print]:
    """``recent-trade``, told newest first; ours is oldest first."""
    rows = decode(body, shape.Reply[shape.Page[shape.TradeRow]]).result.list
    return [Print(positive(row.price, "price"), positive(row.size, "size"), instant(row.time, "time"))
            for row in reversed(rows)]


def brackets(body: str, symbol: str) -> list[Bracket]:
    """``risk-limit``, smallest notional first. Raises Unreadable for rates in percent, as older documents show them."""
    told = decode(body, shape.Reply[shape.Page[shape.RiskRow]]).result.list
    rows = sorted((row for row in told if row.symbol == symbol), key=lambda row: exact(row.riskLimitValue))
    if not rows:
        raise Unreadable(f"no risk limits of {symbol}")
    found: list[Bracket] = []
    floor = ZERO
    for row in rows:
        cap, rate = positive(row.riskLimitValue, "riskLimitValue"), amount(row.maintenanceMargin, "maintenanceMargin")
        leverage = positive(row.maxLeverage, "maxLeverage")
        if rate * leverage > 1:
            raise Unreadable(f"{symbol}: maintenance {rate} does not fit leverage {leverage}")
        found.append(Bracket(floor, cap, int(leverage), rate, number(row.mmDeduction, "mmDeduction")))
        floor = cap
    return found
