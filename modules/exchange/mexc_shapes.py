"""MEXC's answers field by field, as it documents them. Read with ``strict=False``: it sends numbers as text too.

Fields that are not listed are skipped. Money is a `Figure`, a ticker's figures are floats
(filters only).
"""

import msgspec

from modules.exchange.parsing import Figure
from modules.exchange.types import Side


class SymbolRow(msgspec.Struct):
    symbol: str
    status: str | int
    baseAsset: str
    quoteAsset: str
    baseAssetPrecision: int
    quoteAssetPrecision: int
    baseSizePrecision: Figure
    quoteAmountPrecision: Figure
    takerCommission: Figure
    makerCommission: Figure
    isSpotTradingAllowed: bool
    orderTypes: list[str]
    tradeSideType: int = 1  # 1 both sides, 2 buying alone, 3 selling alone, 4 none


class InfoRow(msgspec.Struct):
    symbols: list[SymbolRow]


class SymbolsRow(msgspec.Struct):
    data: list[str]


class TickerRow(msgspec.Struct):
    symbol: str
    lastPrice: float
    bidPrice: float
    askPrice: float
    quoteVolume: float
    priceChangePercent: float


class DepthRow(msgspec.Struct):
    bids: list[tuple[Figure, Figure]]
    asks: list[tuple[Figure, Figure]]
    timestamp: int | None = None


class TradeRow(msgspec.Struct):
    p: Figure
    q: Figure
    T: int


class AssetRow(msgspec.Struct):
    asset: str
    free: Figure
    locked: Figure


class AccountRow(msgspec.Struct):
    balances: list[AssetRow]
    canTrade: bool
    canWithdraw: bool


class PlacedRow(msgspec.Struct):
    symbol: str
    orderId: str | int


class OrderRow(msgspec.Struct):
    symbol: str
    orderId: str | int
    origQty: Figure
    executedQty: Figure
    cummulativeQuoteQty: Figure
    status: str
    type: str
    side: Side
    time: int
    clientOrderId: str | None = None
    updateTime: int | None = None


class FillRow(msgspec.Struct):
    symbol: str
    id: str | int
    orderId: str | int
    price: Figure
    qty: Figure
    commission: Figure
    commissionAsset: str
    time: int
    isBuyer: bool
    isMaker: bool
    clientOrderId: str | None = None
