"""Bitget's v2 mix answers field by field, as it documents them. Read with ``strict=False``: numbers come as text.

Fields that are not listed are skipped. Money is a `Figure`; where the venue writes an empty text for nothing, `Maybe`.
"""

from typing import Generic, TypeVar

import msgspec

from modules.exchange.parsing import Figure, Maybe

T = TypeVar("T")


class Reply(msgspec.Struct, Generic[T]):
    """What every answer is wrapped in."""

    data: T


class ContractRow(msgspec.Struct):
    symbol: str
    baseCoin: str
    quoteCoin: str
    symbolType: str
    symbolStatus: str
    makerFeeRate: Figure
    takerFeeRate: Figure
    minTradeNum: Figure
    priceEndStep: Figure
    pricePlace: int
    sizeMultiplier: Figure
    minTradeUSDT: Figure
    maxLever: int
    buyLimitPriceRatio: Figure = 0
    sellLimitPriceRatio: Figure = 0
    maxMarketOrderQty: Maybe = ""
    maxOrderQty: Maybe = ""
    supportMarginCoins: list[str] = []


class TickerRow(msgspec.Struct):
    symbol: str
    lastPr: Maybe
    bidPr: Maybe
    askPr: Maybe
    ts: int
    change24h: Maybe = ""
    usdtVolume: Maybe = ""
    markPrice: Maybe = ""
    indexPrice: Maybe = ""
    fundingRate: Maybe = ""


class DepthRow(msgspec.Struct):
    bids: list[tuple[Figure, Figure]]
    asks: list[tuple[Figure, Figure]]
    ts: int


class TradeRow(msgspec.Struct):
    tradeId: str
    price: Figure
    size: Figure
    ts: int


class FundingRow(msgspec.Struct):
    symbol: str
    fundingRate: Figure
    nextUpdate: Maybe = ""


class TierRow(msgspec.Struct):
    symbol: str
    startUnit: Figure
    endUnit: Figure
    leverage: int
    keepMarginRate: Figure


class PlacedRow(msgspec.Struct):
    orderId: str
    clientOid: str | None = ""


class OrderRow(msgspec.Struct):
    symbol: str
    size: Figure
    orderId: str
    clientOid: str
    baseVolume: Maybe
    side: str
    orderType: str
    force: str
    posSide: str
    posMode: str
    tradeSide: str
    cTime: int
    uTime: int
    quoteVolume: Maybe = ""
    state: str = ""
    status: str = ""
    reduceOnly: str = "NO"


class OrdersPage(msgspec.Struct):
    entrustedList: list[OrderRow] | None
    endId: str | None = None


class FeeRow(msgspec.Struct):
    feeCoin: str
    totalFee: Maybe


class FillRow(msgspec.Struct):
    tradeId: str
    symbol: str
    orderId: str
    price: Figure
    baseVolume: Figure
    feeDetail: list[FeeRow]
    side: str
    tradeSide: str
    posMode: str
    tradeScope: str
    cTime: int
    profit: Maybe = ""


class FillsPage(msgspec.Struct):
    fillList: list[FillRow] | None
    endId: str | None = None


class PlanRow(msgspec.Struct):
    planType: str
    symbol: str
    orderId: str
    clientOid: str
    size: Maybe
    triggerPrice: Figure
    triggerType: str
    planStatus: str
    side: str
    posSide: str
    posMode: str
    tradeSide: str
    cTime: int
    uTime: Maybe = ""
    executeOrderId: str | None = ""


class PlansPage(msgspec.Struct):
    entrustedList: list[PlanRow] | None
    endId: str | None = None


class BatchGood(msgspec.Struct):
    orderId: str = ""
    clientOid: str | None = ""


class BatchBad(msgspec.Struct):
    orderId: str = ""
    clientOid: str | None = ""
    errorMsg: str = ""
    errorCode: str = ""


class BatchRow(msgspec.Struct):
    successList: list[BatchGood] | None
    failureList: list[BatchBad] | None = None


class AccountRow(msgspec.Struct):
    marginCoin: str
    accountEquity: Figure
    crossedMaxAvailable: Figure
    isolatedMaxAvailable: Figure
    unrealizedPL: Maybe = ""
    crossedRiskRate: Maybe = ""
    marginMode: str = ""
    posMode: str = ""
    crossedMarginLeverage: Maybe = ""
    isolatedLongLever: Maybe = ""
    isolatedShortLever: Maybe = ""


class PositionRow(msgspec.Struct):
    symbol: str
    holdSide: str
    total: Figure
    posMode: str
    marginMode: str
    openPriceAvg: Figure
    markPrice: Figure
    unrealizedPL: Maybe = ""
    liquidationPrice: Maybe = ""
    keepMarginRate: Maybe = ""
    marginSize: Maybe = ""
    leverage: Maybe = ""


class BillRow(msgspec.Struct):
    billId: str
    symbol: str
    amount: Figure
    fee: Figure
    businessType: str
    coin: str
    cTime: int


class BillsPage(msgspec.Struct):
    bills: list[BillRow] | None
    endId: str | None = None


class TimeRow(msgspec.Struct):
    serverTime: int
