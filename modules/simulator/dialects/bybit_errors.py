"""Bybit v5's numbers and words for refusals (its published list of error codes), and which stands for which of ours."""

from __future__ import annotations

from modules.simulator.dialects.declined import Declined
from modules.simulator.perp.api import Refused, Why

#: code → words; a detail is written behind them
WORDS: dict[int, str] = {
    10001: "Request parameter error.",
    10002: "invalid request, please check your server timestamp or recv_window param.",
    10003: "API key is invalid.",
    10004: "Error sign, please check your signature generation algorithm.",
    10005: "Permission denied, please check your API key permissions.",
    10006: "Too many visits. Exceeded the API Rate Limit.",
    10010: "Unmatched IP, please check your API key's bound IP addresses.",
    10016: "Server error.",
    33004: "Your api key has expired.",
    110001: "order not exists or too late to cancel",
    110003: "Order price exceeds the allowable range.",
    110004: "Wallet balance is insufficient",
    110007: "ab not enough for new order",
    110009: "The number of stop orders exceeds the maximum allowable limit.",
    110012: "Insufficient available balance.",
    110013: "Cannot set leverage due to risk limit level.",
    110017: "current position is zero, cannot fix reduce-only order qty",
    110020: "Not allowed to have more active orders.",
    110024: "You have an existing position, so the position mode cannot be switched.",
    110025: "Position mode is not modified",
    110026: "Cross/isolated margin mode is not modified",
    110027: "Margin is not modified.",
    110028: "Open orders exist, so you cannot change position mode.",
    110043: "leverage not modified",
    110063: "The position is being liquidated, so it cannot be operated.",
    110072: "OrderLinkedID is duplicate",
    110074: "This contract is not live",
    110090: "Order placement failed as your position may exceed the max limit. Please adjust your leverage.",
    110092: "expect Rising, but trigger_price <= current",
    110093: "expect Falling, but trigger_price >= current",
    110094: "Order does not meet minimum order value",
    3400045: "Set margin mode failed",
}

CODES: dict[Why, int] = {
    Why.UNKNOWN_SYMBOL: 10001,
    Why.SYMBOL_CLOSED: 110074,
    Why.BAD_PRECISION: 10001,
    Why.PRICE_OFF_TICK: 10001,
    Why.QTY_OFF_STEP: 10001,
    Why.PRICE_TOO_LOW: 110003,
    Why.PRICE_TOO_HIGH: 110003,
    Why.QTY_TOO_SMALL: 10001,
    Why.QTY_TOO_LARGE: 10001,
    Why.MIN_NOTIONAL: 110094,
    Why.PRICE_ABOVE_BAND: 110003,
    Why.PRICE_BELOW_BAND: 110003,
    Why.NO_COUNTERPARTY: 110003,
    Why.INSUFFICIENT_MARGIN: 110007,
    Why.REDUCE_ONLY: 110017,
    Why.POST_ONLY: 10001,
    Why.FOK: 10001,
    Why.WOULD_TRIGGER: 110092,
    Why.ALGO_PATH: 10001,
    Why.DUPLICATE_CLIENT_ID: 110072,
    Why.ORDER_NOT_FOUND: 110001,
    Why.CANCEL_REJECTED: 110001,
    Why.NO_CHANGE_NEEDED: 10001,
    Why.MAX_ORDERS: 110020,
    Why.MAX_ALGO_ORDERS: 110009,
    Why.LEG_MISMATCH: 10001,
    Why.SAME_MODE: 110025,
    Why.MODE_OPEN_ORDERS: 110028,
    Why.MODE_OPEN_POSITIONS: 110024,
    Why.SAME_MARGIN_TYPE: 110026,
    Why.MARGIN_TYPE_OPEN_ORDERS: 3400045,
    Why.MARGIN_TYPE_OPEN_POSITION: 3400045,
    Why.BAD_LEVERAGE: 110013,
    Why.LEVERAGE_CAP: 110090,
    Why.LEVERAGE_TOO_SMALL: 110013,
    Why.LEVERAGE_REDUCTION: 110013,
    Why.NOT_ISOLATED: 110027,
    Why.NO_POSITION: 110017,
    Why.MARGIN_NOT_THERE: 110012,
    Why.BAD_AMOUNT: 10001,
    Why.CLOSE_POSITION_EXISTS: 10001,
    Why.BAD_CALLBACK: 10001,
    Why.ACTIVATION_PRICE: 10001,
    Why.BAD_COMBINATION: 10001,
    Why.ACCOUNT_CLOSED: 110063,
}


def declined(code: int, detail: str = "", status: int = 200) -> Declined:
    """A refusal by its code."""
    return Declined(code, f"{WORDS[code]} {detail}".strip(), status)


def as_declined(refused: Refused) -> Declined:
    """A refusal of the venue in Bybit's words."""
    if refused.why is Why.LEG_MISMATCH:
        return Declined(10001, "position idx not match position mode", 200)
    return declined(CODES[refused.why], refused.detail)
