"""What the fault machinery must know of MEXC: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

import re

#: the first that fits names a request's class; what fits none is "other"
_CLASSES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("order", re.compile(r"^POST /api/v3/order$")),
    ("cancel", re.compile(r"^DELETE /api/v3/(order|openOrders)$")),
    ("query_order", re.compile(r"^GET /api/v3/(order|allOrders)$")),
    ("open_orders", re.compile(r"^GET /api/v3/openOrders$")),
    ("fills", re.compile(r"^GET /api/v3/myTrades$")),
    ("balance", re.compile(r"^GET /api/v3/account$")),
    ("data", re.compile(r"^GET /api/v3/(ticker|klines|depth|trades|historicalTrades|aggTrades|avgPrice|exchangeInfo"
                        r"|defaultSymbols|symbol/offline|time$|ping$)")),
)
#: fields every row has to have: taking one away is a fault that a client can see
MANDATORY = frozenset({"orderId", "id", "symbol", "side", "status", "asset", "serverTime"})

TOO_MANY = (429, '{"code":429,"msg":"Too Many Requests"}')
BANNED = (418, '{"code":418,"msg":"Too many requests; this address is blocked for a while"}')
UNKNOWN_ORDER = (400, '{"code":-2011,"msg":"Unknown order sent."}')
BUSY = '{"code":503,"msg":"service not available, please try again"}'
FAILED_INSIDE = '{"code":500,"msg":"internal error"}'
GATEWAY_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
MAINTENANCE_HTML = "<html><head><title>Maintenance</title></head><body>We will be back soon.</body></html>"
WAF_HTML = (
    "<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1>You don't have permission to access "
    "this server.<p>Reference #18.2d351ab8.1747.a4e2</p></body></html>")


def request_class(method: str, path: str) -> str:
    """The class of a request: order, cancel, query_order, open_orders, fills, balance, data or other."""
    text = f"{method} {path}"
    for name, pattern in _CLASSES:
        if pattern.search(text):
            return name
    return "other"
