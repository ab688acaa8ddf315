"""Binance USD-M's answers field by field, as it documents them. Read with ``strict=False``: numbers come as text.

Fields that are not listed are skipped. Money is a `Figure`, a ticker's figures are floats (filters only).
"""

from typing import Any

import msgspec

from modules.exchange.parsing import Figure
from modules.exchange.types import PositionSide, Side


class SymbolRow(msgspec.Struct):
    symbol: str
    contractType: str
    status: str
    baseAsset: str
    quoteAsset: str
    marginAsset: str
    filters: list[dict[str, Any]]
    orderTypes: list[str]
    liquidationFee: Figure = 0


class InfoRow(msgspec.Struct):
    symbols: list[SymbolRow]


class TickerRow(msgspec.Struct):
    symbol: str
    lastPrice: float
    quoteVolume: float
    priceChangePercent: float


class TouchRow(msgspec.Struct):
    symbol: str
    bidPrice: float
    askPrice: float


class DepthRow(msgspec.Struct):
    bids: list[tuple[Figure, Figure]]
    asks: list[tuple[Figure, Figure]]
    E: int | None = None


class TradeRow(msgspec.Struct):
    p: Figure
    q: Figure
    T: int


class MarkRow(msgspec.Struct):
    symbol: str
    markPrice: Figure
    lastFundingRate: Figure
    nextFundingTime: int
    time: int


class OrderRow(msgspec.Struct):
    symbol: str
    orderId: int
    clientOrderId: str
    origQty: Figure
    executedQty: Figure
    cumQuote: Figure
    status: str
    type: str
    timeInForce: str
    side: Side
    positionSide: PositionSide
    reduceOnly: bool
    time: int
    updateTime: int


class PlacedRow(msgspec.Struct):
    symbol: str
    orderId: int


class FillRow(msgspec.Struct):
    symbol: str
    id: int
    orderId: int
    price: Figure
    qty: Figure
    commission: Figure
    commissionAsset: str
    realizedPnl: Figure
    side: Side
    positionSide: PositionSide
    time: int
    maker: bool


class TriggerRow(msgspec.Struct):
    algoId: int
    clientAlgoId: str
    orderType: str
    symbol: str
    side: Side
    positionSide: PositionSide
    quantity: Figure
    algoStatus: str
    triggerPrice: Figure
    workingType: str
    closePosition: bool
    createTime: int
    updateTime: int
    actualOrderId: str | int = ""


class TriggerPlacedRow(msgspec.Struct):
    algoId: int
    symbol: str


class TriggerGoneRow(msgspec.Struct):
    algoId: int
    clientAlgoId: str


class PositionRow(msgspec.Struct):
    symbol: str
    positionSide: PositionSide
    positionAmt: Figure
    entryPrice: Figure
    markPrice: Figure
    unRealizedProfit: Figure
    liquidationPrice: Figure
    isolatedMargin: Figure
    maintMargin: Figure = 0


class SetupRow(msgspec.Struct):
    symbol: str
    marginType: str
    leverage: int


class ModeRow(msgspec.Struct):
    dualSidePosition: bool


class AssetRow(msgspec.Struct):
    asset: str
    walletBalance: Figure
    marginBalance: Figure
    maintMargin: Figure
    availableBalance: Figure


class AccountRow(msgspec.Struct):
    assets: list[AssetRow]


class IncomeRow(msgspec.Struct):
    symbol: str
    incomeType: str
    income: Figure
    asset: str
    time: int
    tranId: int | str
    tradeId: str | int | None = ""


class BracketRow(msgspec.Struct):
    initialLeverage: int
    notionalCap: Figure
    notionalFloor: Figure
    maintMarginRatio: Figure
    cum: Figure


class BracketsRow(msgspec.Struct):
    symbol: str
    brackets: list[BracketRow]


class KeyRow(msgspec.Struct):
    listenKey: str
