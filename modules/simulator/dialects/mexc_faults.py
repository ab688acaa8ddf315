"""What the fault machinery must know of MEXC: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

from modules.simulator.fault_words import Words, classes

request_class = classes(
    order=r"^POST /api/v3/order$",
    cancel=r"^DELETE /api/v3/(order|openOrders)$",
    query_order=r"^GET /api/v3/(order|allOrders)$",
    open_orders=r"^GET /api/v3/openOrders$",
    fills=r"^GET /api/v3/myTrades$",
    balance=r"^GET /api/v3/account$",
    data=(r"^GET /api/v3/(ticker|klines|depth|trades|historicalTrades|aggTrades|avgPrice|exchangeInfo"
                        r"|defaultSymbols|symbol/offline|time$|ping$)"),
)
TOO_MANY = (429, '{"code":429,"msg":"Too Many Requests"}')
BANNED = (418, '{"code":418,"msg":"Too many requests; this address is blocked for a while"}')
UNKNOWN_ORDER = (400, '{"code":-2011,"msg":"Unknown order sent."}')
BUSY = '{"code":503,"msg":"service not available, please try again"}'
FAILED_INSIDE = '{"code":500,"msg":"internal error"}'
GATEWAY_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def said(status: int, after: bool) -> str:
    """The body that goes with an HTTP status, before or after the request was executed."""
    return {500: FAILED_INSIDE, 502: GATEWAY_HTML, 504: GATEWAY_HTML}.get(status, BUSY)


WORDS = Words(TOO_MANY, BANNED, UNKNOWN_ORDER, said)
