"""What the fault machinery must know of MEXC: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

import re

from modules.simulator.fault_words import Words

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
TOO_MANY = (429, '{"code":429,"msg":"Too Many Requests"}')
BANNED = (418, '{"code":418,"msg":"Too many requests; this address is blocked for a while"}')
UNKNOWN_ORDER = (400, '{"code":-2011,"msg":"Unknown order sent."}')
BUSY = '{"code":503,"msg":"service not available, please try again"}'
FAILED_INSIDE = '{"code":500,"msg":"internal error"}'
GATEWAY_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def request_class(method: str, path: str) -> str:
    """The class of a request: order, cancel, query_order, open_orders, fills, balance, data or other."""
    text = f"{method} {path}"
    for name, pattern in _CLASSES:
        if pattern.search(text):
            return name
    return "other"


def said(status: int, after: bool) -> str:
    """The body that goes with an HTTP status, before or after the request was executed."""
    return {500: FAILED_INSIDE, 502: GATEWAY_HTML, 504: GATEWAY_HTML}.get(status, BUSY)


WORDS = Words(TOO_MANY, BANNED, UNKNOWN_ORDER, said)
