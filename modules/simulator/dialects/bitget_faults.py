"""What the fault machinery must know of Bitget: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

from modules.simulator.fault_words import Words, classes

request_class = classes(
    order=r"^POST /api/v2/mix/order/(place-|batch-place-order|modify-|close-positions)",
    cancel=r"^POST /api/v2/mix/order/(cancel-|batch-cancel-orders)",
    query_order=r"^GET /api/v2/mix/order/(detail|orders-history|orders-plan-history|plan-sub-order)$",
    open_orders=r"^GET /api/v2/mix/order/(orders-pending|orders-plan-pending)$",
    fills=r"^GET /api/v2/mix/(order/fills|order/fill-history|account/bill)$",
    balance=r"^GET /api/v2/mix/(account/accounts?|position/[a-z-]+)$",
    data=r"^GET /api/v2/(mix/market/|public/|spot/public/|margin/)",
)


def _body(code: str, message: str) -> str:
    return f'{{"code":"{code}","msg":"{message}","requestTime":0,"data":null}}'


TOO_MANY = (429, _body("429", "Too Many Requests"))
#: an address that goes on after 429 is shut out for five minutes by the firewall before the venue
BANNED = (403, "<html><head><title>403 Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>")
UNKNOWN_ORDER = (400, _body("40768", "Order does not exist"))
BODIES: dict[int, str] = {
    500: _body("40015", "System is abnormal, please try again later"),
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: _body("40200", "Server upgrade, please try again later"),
    504: "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>",
}


def said(status: int, after: bool) -> str:
    """The body that goes with an HTTP status. After an execution the venue's code tells nothing of its outcome."""
    if status == 503 and after:
        return _body("40725", "service return an error")
    return BODIES.get(status, _body("40015", "System is abnormal, please try again later"))


WORDS = Words(TOO_MANY, BANNED, UNKNOWN_ORDER, said)
