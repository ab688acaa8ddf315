"""MEXC's numbers for our refusals (its documentation's error table and recorded answers)."""

from __future__ import annotations

from modules.simulator.errors import Reason, Refused

#: reason → (HTTP status, venue code, message); {} takes the refusal's detail
CODES: dict[Reason, tuple[int, int, str]] = {
    Reason.BAD_SYMBOL: (400, -1121, "Invalid symbol."),
    Reason.CLOSED_TO_API: (400, 10007, "symbol not support api"),
    Reason.HALTED: (400, 30016, "trading disabled"),
    Reason.OFFLINE: (400, 30014, "invalid symbol"),
    Reason.SELL_ONLY: (400, 30001, "The current transaction direction is not allowed to place an order"),
    Reason.NO_MARKET_ORDERS: (400, 30051, "market orders are not supported on this pair"),
    Reason.MISSING: (400, 700004, "Mandatory parameter '{}' was not sent, was empty/null, or malformed."),
    Reason.BAD_PARAMETER: (400, 33333, "param is error: {}"),
    Reason.UNKNOWN_PARAMETER: (400, 33333, "param is error: unknown parameter {}"),
    Reason.BAD_AMOUNT: (400, 10102, "amount cannot be zero or negative: {}"),
    Reason.AMOUNT_DECIMALS: (400, 10096, "amount decimal places is too long: {}"),
    Reason.PRICE_DECIMALS: (400, 33333, "param is error: price decimal places is too long: {}"),
    Reason.PRICE_RANGE: (400, 30087, "Order price exceeds allowed range: {}"),
    Reason.UNDER_MINIMUM: (400, 30002, "The minimum transaction volume cannot be less than:{}"),
    Reason.OVER_MAXIMUM: (400, 30003, "The maximum transaction volume cannot be greater than:{}"),
    Reason.NOT_ENOUGH_QUOTE: (400, 30004, "Insufficient position"),
    Reason.NOT_ENOUGH_BASE: (400, 30005, "Oversold"),
    Reason.NO_COUNTERPART: (400, 30025, "no exist opponent order"),
    Reason.DUPLICATE_ID: (400, 30026, "invalid order ids: newClientOrderId is used by an open order"),
    Reason.TOO_MANY_ORDERS: (400, 30029, "Cannot exceed the maximum order limit"),
    Reason.NO_ORDER: (400, -2013, "Order does not exist."),
    Reason.NOT_CANCELABLE: (400, -2011, "Unknown order sent."),
    Reason.KEY_REQUIRED: (400, 400, "api key required"),
    Reason.BAD_KEY: (400, 10072, "Api key info invalid"),
    Reason.BAD_ADDRESS: (400, 700006, "IP [127.0.0.1] not in the ip white list"),
    Reason.EXPIRED_KEY: (400, 402, "API key expired"),
    Reason.BAD_SIGNATURE: (400, 700002, "Signature for this request is not valid."),
    Reason.BAD_TIME: (400, 700003, "Timestamp for this request is outside of the recvWindow."),
    Reason.BAD_WINDOW: (400, 700005, "recvWindow must less than 60000"),
    Reason.NO_PERMISSION: (400, 700007, "No permission to access the endpoint."),
    Reason.TOO_MANY_REQUESTS: (429, 429, "Too Many Requests"),
    Reason.BANNED: (418, 418, "Too many requests; this address is blocked for a while"),
    Reason.NO_ROUTE: (404, 404, "Not Found: {}"),
}


def answer(refused: Refused) -> tuple[int, dict[str, object]]:
    """HTTP status and body of a refusal, as MEXC forms it."""
    status, code, message = CODES[refused.reason]
    return status, {"code": code, "msg": message.replace("{}", refused.detail)}
