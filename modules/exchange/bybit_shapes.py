"""Bybit v5's answers field by field, as it documents them. Read with ``strict=False``: numbers come as text.

Fields that are not listed are skipped. Money is a `Figure`; where the venue writes an empty text for nothing, `Maybe`.
"""

from typing import Generic, TypeVar

import msgspec

from modules.exchange.parsing import Figure, Maybe

T = TypeVar("T")


class Reply(msgspec.Struct, Generic[T]):
    """What every answer is wrapped in. `retCode` has to be there: a body without it is none of this venue's."""

    retCode: int
    result: T
    time: int = 0


class Page(msgspec.Struct, Generic[T]):
    """A list, and where it goes on."""

    list: list[T]
    nextPageCursor: str | None = ""


class Price(msgspec.Struct):
    tickSize: Figure


class Lot(msgspec.Struct):
    qtyStep: Figure
    minOrderQty: Figure
    maxOrderQty: Figure
    maxMktOrderQty: Maybe = ""
    minNotionalValue: Maybe = ""


class Risk(msgspec.Struct):
    priceLimitRatioX: Maybe = ""
    priceLimitRatioY: Maybe = ""


class ContractRow(msgspec.Struct):
    symbol: str
    contractType: str
    status: str
    baseCoin: str
    quoteCoin: str
    settleCoin: str
    priceFilter: Price
    lotSizeFilter: Lot
    riskParameters: Risk | None = None


class TickerRow(msgspec.Struct):
    symbol: str
    lastPrice: Maybe
    markPrice: Maybe
    bid1Price: Maybe
    ask1Price: Maybe
    turnover24h: Maybe = ""
    price24hPcnt: Maybe = ""
    fundingRate: Maybe = ""
    nextFundingTime: Maybe = ""
    openInterest: Maybe = ""


class BookRow(msgspec.Struct):
    s: str
    b: list[tuple[Figure, Figure]]
    a: list[tuple[Figure, Figure]]
    ts: int


class Klines(msgspec.Struct):
    symbol: str
    list: list[tuple[Figure, Figure, Figure, Figure, Figure, Figure, Figure]]


class TradeRow(msgspec.Struct):
    price: Figure
    size: Figure
    time: int


class InterestRow(msgspec.Struct):
    openInterest: Figure
    timestamp: int


class FundingRow(msgspec.Struct):
    fundingRate: Figure
    fundingRateTimestamp: int


class RiskRow(msgspec.Struct):
    symbol: str
    riskLimitValue: Figure
    maintenanceMargin: Figure
    maxLeverage: Figure
    mmDeduction: Maybe = ""


class PlacedRow(msgspec.Struct):
    orderId: str
    orderLinkId: str = ""


class OrderRow(msgspec.Struct):
    orderId: str
    orderLinkId: str
    symbol: str
    side: str
    positionIdx: int
    orderStatus: str
    orderType: str
    timeInForce: str
    qty: Figure
    cumExecQty: Maybe
    cumExecValue: Maybe
    createdTime: int
    updatedTime: int
    reduceOnly: bool = False
    closeOnTrigger: bool = False
    stopOrderType: str = ""
    triggerPrice: Maybe = ""
    triggerDirection: int = 0
    triggerBy: str = ""
    rejectReason: str = ""
    createType: str = ""


class ExecutionRow(msgspec.Struct):
    execId: str
    symbol: str
    orderId: str
    orderLinkId: str
    side: str
    execType: str
    execPrice: Figure
    execQty: Figure
    execFee: Maybe
    execTime: int
    isMaker: bool = False
    closedSize: Maybe = ""
    feeCurrency: str = ""


class PositionRow(msgspec.Struct):
    positionIdx: int
    symbol: str
    side: str
    size: Figure
    avgPrice: Maybe
    leverage: Maybe
    markPrice: Maybe
    liqPrice: Maybe = ""
    positionMM: Maybe = ""
    positionBalance: Maybe = ""
    unrealisedPnl: Maybe = ""


class CoinRow(msgspec.Struct):
    coin: str
    walletBalance: Figure
    equity: Figure
    locked: Maybe = ""
    totalOrderIM: Maybe = ""
    totalPositionIM: Maybe = ""
    totalPositionMM: Maybe = ""


class WalletRow(msgspec.Struct):
    coin: list[CoinRow]
    totalAvailableBalance: Maybe = ""


class InfoRow(msgspec.Struct):
    marginMode: str
    unifiedMarginStatus: int


class LogRow(msgspec.Struct):
    id: str
    symbol: str
    type: str
    currency: str
    change: Figure
    transactionTime: int
    tradeId: str = ""
    funding: Maybe = ""
