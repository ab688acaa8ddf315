"""Binance USD-M's exchangeInfo: contracts with their filters, and the rate limits."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.binance_format import ASSETS, fixed, plain, price, qty
from modules.simulator.dialects.binance_weights import Limits
from modules.simulator.perp.api import Spec

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

FAR_MS = 4_133_404_800_000  # a perpetual's delivery date


def exchange_info(venue: PerpVenue, limits: Limits, ms: int) -> dict[str, Any]:
    """The whole answer."""
    return {
        "timezone": "UTC", "serverTime": ms, "futuresType": "U_MARGINED",
        "rateLimits": [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": limits.weight_1m},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": limits.orders_1m},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": limits.orders_10s}],
        "exchangeFilters": [],
        "assets": [{"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in ASSETS],
        "symbols": [symbol_row(venue.specs[index], symbol not in venue.desk.closed)
                    for symbol, index in venue.by_symbol.items()],
    }


def symbol_row(spec: Spec, trading: bool) -> dict[str, Any]:
    """One contract."""
    return {
        "symbol": spec.symbol, "pair": spec.symbol, "contractType": "PERPETUAL",
        "deliveryDate": spec.delist_ms or FAR_MS, "onboardDate": spec.onboard_ms,
        "status": "TRADING" if trading else "SETTLING", "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000", "baseAsset": spec.base, "quoteAsset": spec.quote, "marginAsset": spec.quote,
        "pricePrecision": spec.price_precision, "quantityPrecision": spec.qty_precision, "baseAssetPrecision": 8,
        "quotePrecision": 8, "underlyingType": "COIN", "underlyingSubType": ["Layer-1"], "triggerProtect": "0.0500",
        "liquidationFee": fixed(spec.liquidation_fee, 6), "marketTakeBound": fixed(spec.market_band, 2),
        "maxMoveOrderLimit": 10000, "filters": filters(spec),
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET",
                       "TRAILING_STOP_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"], "permissionSets": ["GRID", "COPY"],
    }


def filters(spec: Spec) -> list[dict[str, Any]]:
    """What orders of a contract have to keep to."""
    return [
        {"filterType": "PRICE_FILTER", "maxPrice": price(spec.max_price, spec.tick),
         "minPrice": price(spec.min_price, spec.tick), "tickSize": fixed(spec.tick, spec.price_precision)},
        {"filterType": "LOT_SIZE", "maxQty": qty(spec.max_qty, spec.step), "minQty": qty(spec.min_qty, spec.step),
         "stepSize": fixed(spec.step, spec.qty_precision)},
        {"filterType": "MARKET_LOT_SIZE", "maxQty": qty(spec.max_market_qty, spec.step),
         "minQty": qty(spec.min_qty, spec.step), "stepSize": fixed(spec.step, spec.qty_precision)},
        {"filterType": "MAX_NUM_ORDERS", "limit": spec.max_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": spec.max_algo_orders},
        {"filterType": "MIN_NOTIONAL", "notional": plain(spec.min_notional)},
        {"filterType": "PERCENT_PRICE", "multiplierUp": fixed(Decimal(1) + spec.band, 4),
         "multiplierDown": fixed(Decimal(1) - spec.band, 4), "multiplierDecimal": "4"},
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE", "positionControlType": "NONE"},
    ]
