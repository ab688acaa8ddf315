"""What the fault machinery must know of Bybit: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

from modules.simulator.fault_words import Words, classes

request_class = classes(
    order=r"^POST /v5/order/(create|amend)",
    cancel=r"^POST /v5/order/cancel",
    query_order=r"^GET /v5/order/history$",
    open_orders=r"^GET /v5/order/realtime$",
    fills=r"^GET /v5/(execution/list|account/transaction-log)$",
    balance=r"^GET /v5/(account/wallet-balance|position/list)$",
    data=r"^GET /v5/(market|asset)/",
)


def _body(code: int, message: str) -> str:
    return f'{{"retCode":{code},"retMsg":"{message}","result":{{}},"retExtInfo":{{}},"time":0}}'


TOO_MANY = (200, _body(10006, "Too many visits. Exceeded the API Rate Limit."))
BANNED = (403, _body(10018, "access too frequent"))
UNKNOWN_ORDER = (200, _body(110001, "order not exists or too late to cancel"))
BODIES: dict[int, str] = {
    500: _body(10016, "Server error."),
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: "<html><head><title>503 Service Unavailable</title></head><body></body></html>",
    504: "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>",
}


def said(status: int, after: bool) -> str:
    """The body that goes with an HTTP status: the same before and after an execution, nothing tells them apart."""
    return BODIES.get(status, _body(10016, "Server error."))


WORDS = Words(TOO_MANY, BANNED, UNKNOWN_ORDER, said)
