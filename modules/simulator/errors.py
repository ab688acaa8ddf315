"""Why the venue refuses, free of any dialect. Each dialect has its own table of codes."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Every refusal there is."""

    BAD_SYMBOL = "bad symbol"
    CLOSED_TO_API = "pair closed to API orders"
    HALTED = "trading halted"
    OFFLINE = "pair delisted"
    SELL_ONLY = "only selling is allowed before delisting"
    NO_MARKET_ORDERS = "no market orders on this pair"
    MISSING = "parameter missing"
    BAD_PARAMETER = "parameter invalid"
    UNKNOWN_PARAMETER = "unknown parameter"
    BAD_AMOUNT = "amount invalid"
    AMOUNT_DECIMALS = "too many decimals in the amount"
    PRICE_DECIMALS = "too many decimals in the price"
    PRICE_RANGE = "price outside the allowed range"
    UNDER_MINIMUM = "under the minimum notional"
    OVER_MAXIMUM = "over the maximum notional"
    NOT_ENOUGH_QUOTE = "not enough USDT"
    NOT_ENOUGH_BASE = "not enough of the coin"
    NO_COUNTERPART = "nobody stands on the other side"
    DUPLICATE_ID = "client order id in use"
    TOO_MANY_ORDERS = "too many open orders"
    NO_ORDER = "order unknown"
    NOT_CANCELABLE = "order unknown or final"
    KEY_REQUIRED = "API key required"
    BAD_KEY = "API key unknown"
    BAD_ADDRESS = "address not on the key's list"
    EXPIRED_KEY = "API key expired"
    BAD_SIGNATURE = "signature wrong"
    BAD_TIME = "timestamp outside of the window"
    BAD_WINDOW = "recvWindow too large"
    NO_PERMISSION = "no permission"
    TOO_MANY_REQUESTS = "too many requests"
    BANNED = "address blocked for a while"
    NO_ROUTE = "no such endpoint"


class Refused(Exception):
    """The venue refuses a request; nothing was changed."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail
