"""What the fault machinery must know of Binance USD-M: classes of requests, and the bodies of its own error answers."""

from __future__ import annotations

from modules.simulator.fault_words import Words, classes

request_class = classes(
    order=r"^(POST|PUT) /fapi/v1/(order|batchOrders|algoOrder)$",
    cancel=r"^DELETE /fapi/v1/(order|batchOrders|allOpenOrders|algoOrder|algoOpenOrders)$",
    query_order=r"^GET /fapi/v1/(order|openOrder|allOrders|algoOrder|allAlgoOrders|orderAmendment)$",
    open_orders=r"^GET /fapi/v1/(openOrders|openAlgoOrders)$",
    fills=r"^GET /fapi/v1/(userTrades|income|forceOrders)$",
    balance=r"^GET /fapi/v[123]/(balance|account|positionRisk)$",
    data=(r"^GET (/futures/data/|/fapi/v[12]/(ticker|klines|continuousKlines|markPriceKlines|indexPriceKlines"
        r"|premiumIndex|depth|trades|historicalTrades|aggTrades|exchangeInfo|fundingRate|fundingInfo|openInterest"
        r"|time$|ping$))"),
)
TOO_MANY = (429, '{"code":-1003,"msg":"Too many requests; current limit of IP(127.0.0.1) is 2400 requests per minute. '
                 'Please use the websocket for live updates to avoid polling the API."}')
BANNED = (418, '{"code":-1003,"msg":"Way too many requests; IP(127.0.0.1) banned. Please use the websocket for live '
               'updates to avoid bans."}')
UNKNOWN_ORDER = (400, '{"code":-2011,"msg":"Unknown order sent."}')
#: HTTP status → what the venue says with it. 503 before an execution is a clear failure ("overloaded"); 500 and 504
#: leave open what became of the request.
BODIES: dict[int, str] = {
    500: '{"code":-1006,"msg":"An unexpected response was received from the message bus. Execution status unknown."}',
    502: "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
    503: '{"code":-1008,"msg":"Server is currently overloaded with other requests. Please try again in a few '
         'minutes."}',
    504: '{"code":-1007,"msg":"Timeout waiting for response from backend server. Send status unknown; execution status '
         'unknown."}',
}
#: 503 after an execution: the venue's own documentation calls its outcome unknown
UNKNOWN_503 = '{"code":-1,"msg":"Unknown error, please check your request or try again later."}'


def said(status: int, after: bool) -> str:
    """The body that goes with an HTTP status, before or after the request was executed."""
    if status == 503 and after:
        return UNKNOWN_503
    return BODIES.get(status, '{"code":-1000,"msg":"An unknown error occurred while processing the request."}')


WORDS = Words(TOO_MANY, BANNED, UNKNOWN_ORDER, said)
