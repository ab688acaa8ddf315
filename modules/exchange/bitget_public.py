"""Bitget's public v2 mix answers as our types: contracts, prices, books, candles, leverage tiers.

Every function raises `Unreadable` for a body that is not what the venue documents.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from modules.exchange import bitget_shapes as shape
from modules.exchange.bitget_parse import ASSET
from modules.exchange.classify import UNREADABLE
from modules.exchange.futures_types import ZERO, Bracket, FuturesMarket, Mark
from modules.exchange.market_parse import book_of, candles_of
from modules.exchange.parsing import Unreadable, amount, decode, exact, instant, number, positive, said
from modules.exchange.parsing import unique as unique_rows
from modules.exchange.types import Book, Candles, Print, Ticker


def server_ms(body: str) -> int:
    """The venue's time."""
    return decode(body, shape.Reply[shape.TimeRow]).data.serverTime


def markets(body: str) -> dict[str, FuturesMarket]:
    """``contracts``: perpetual ones with USDT as margin."""
    rows = [row for row in decode(body, shape.Reply[list[shape.ContractRow]]).data
            if row.symbolType == "perpetual" and row.quoteCoin == ASSET]
    if not rows:
        raise Unreadable("the list of contracts is empty")
    return {symbol: _market(row) for symbol, row in unique_rows(rows, lambda row: row.symbol, "contract").items()}


def leverages(body: str) -> dict[str, int]:
    """The highest leverage of each contract in ``contracts``."""
    return {row.symbol: row.maxLever for row in decode(body, shape.Reply[list[shape.ContractRow]]).data}


def _market(row: shape.ContractRow) -> FuturesMarket:
    if not 0 <= row.pricePlace <= 20:
        raise Unreadable(f"pricePlace of {row.symbol[:40]} is {row.pricePlace}")
    tick = positive(row.priceEndStep, "priceEndStep").scaleb(-row.pricePlace)
    most = number(row.maxOrderQty, "maxOrderQty")
    up, down = exact(row.buyLimitPriceRatio), exact(row.sellLimitPriceRatio)
    return FuturesMarket(
        symbol=row.symbol, base=row.baseCoin, quote=row.quoteCoin, tick=tick,
        step=positive(row.sizeMultiplier, "sizeMultiplier"), min_notional=amount(row.minTradeUSDT, "minTradeUSDT"),
        taker_fee=exact(row.takerFeeRate), maker_fee=exact(row.makerFeeRate), trading=row.symbolStatus == "normal",
        least=positive(row.minTradeNum, "minTradeNum"),
        market_max=number(row.maxMarketOrderQty, "maxMarketOrderQty") or most, limit_max=most,
        band_up=1 + (up if ZERO < up < 1 else Decimal("0.5")),
        band_down=1 - (down if ZERO < down < 1 else Decimal("0.5")))


class TouchRow(msgspec.Struct):
    """The little that a look needs of a ticker; the rest of the row is passed over."""

    symbol: str
    bidPr: str
    askPr: str
    ts: int


_touches = msgspec.json.Decoder(shape.Reply[list[TouchRow]], strict=False)


@dataclass(frozen=True, slots=True)
class Touch:
    """Best bid and ask of a contract, and when the venue made them."""

    bid: Decimal
    ask: Decimal
    market_ms: int


def touches(body: str, wanted: frozenset[str]) -> dict[str, Touch]:
    """Best prices of the wanted contracts from ``tickers``; those that have none, or crossed ones, are left out."""
    try:
        rows = _touches.decode(body).data
    except UNREADABLE as problem:
        raise Unreadable(said(problem)) from problem
    found = {}
    for row in rows:
        if row.symbol in wanted and row.bidPr and row.askPr:
            try:
                bid, ask = Decimal(row.bidPr), Decimal(row.askPr)
            except ArithmeticError as problem:
                raise Unreadable(f"a price of {row.symbol[:40]} is no number") from problem
            if bid.is_finite() and ask.is_finite() and ZERO < bid <= ask:
                found[row.symbol] = Touch(bid, ask, instant(row.ts, "ts"))
    return found


def tickers(body: str) -> dict[str, Ticker]:
    """``tickers``."""
    found = {}
    for row in decode(body, shape.Reply[list[shape.TickerRow]]).data:
        last, bid, ask = (number(value, "a price") for value in (row.lastPr, row.bidPr, row.askPr))
        if last > 0 and bid > 0 and ask > 0:
            found[row.symbol] = Ticker(row.symbol, float(last), float(bid), float(ask),
                                       float(number(row.usdtVolume, "usdtVolume")),
                                       float(number(row.change24h, "change24h")) * 100)
    return found


def marks(body: str, funding: str) -> dict[str, Mark]:
    """``tickers`` with ``current-fund-rate``."""
    next_ms = {row.symbol: int(number(row.nextUpdate, "nextUpdate"))
               for row in decode(funding, shape.Reply[list[shape.FundingRow]]).data}
    found = {}
    for row in decode(body, shape.Reply[list[shape.TickerRow]]).data:
        price = number(row.markPrice, "markPrice") or number(row.indexPrice, "indexPrice")
        if price > 0:
            found[row.symbol] = Mark(row.symbol, price, number(row.fundingRate, "fundingRate"),
                                     next_ms.get(row.symbol, 0), instant(row.ts, "ts"))
    return found


def candles(body: str) -> Candles:
    """``candles``; shape (n, 6), see `types.Candles`."""
    return candles_of(decode(body, shape.Reply[list[list[Any]] | None]).data or ())


def book(symbol: str, body: str) -> Book:
    """``merge-depth``."""
    row = decode(body, shape.Reply[shape.DepthRow]).data
    return book_of(symbol, row.bids, row.asks, instant(row.ts, "ts"))


def prints(body: str) -> list[Print]:
    """``fills`` of the market, oldest first."""
    return [Print(positive(row.price, "price"), positive(row.size, "size"), instant(row.ts, "ts"))
            for row in reversed(decode(body, shape.Reply[list[shape.TradeRow] | None]).data or [])]


def brackets(body: str, symbol: str) -> list[Bracket]:
    """``query-position-lever``, smallest notional first; `cum` makes the maintenance margin continuous."""
    rows = sorted((row for row in decode(body, shape.Reply[list[shape.TierRow]]).data if row.symbol == symbol),
                  key=lambda row: exact(row.startUnit))
    if not rows:
        raise Unreadable(f"no leverage tiers of {symbol}")
    found: list[Bracket] = []
    rate, cum = ZERO, ZERO
    for row in rows:
        floor, next_rate = amount(row.startUnit, "startUnit"), amount(row.keepMarginRate, "keepMarginRate")
        cum += floor * (next_rate - rate)
        rate = next_rate
        found.append(Bracket(floor, positive(row.endUnit, "endUnit"), row.leverage, rate, cum))
    return found
