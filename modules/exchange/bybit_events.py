"""Bybit's private stream, message by message: what each asks of the keeper. Money is never booked from here: an event
is news, REST is the truth (X21).
"""

from typing import Any

import msgspec

from modules.exchange import bybit_parse as parse
from modules.exchange import bybit_shapes as shape
from modules.exchange.binance_events import MoneyNews, News, OrderNews, TriggerNews, Trouble
from modules.exchange.classify import UNREADABLE
from modules.exchange.parsing import Unreadable


class _Frame(msgspec.Struct):
    topic: str
    data: list[dict[str, Any]]


_frame = msgspec.json.Decoder(_Frame)
LIQUIDATION = ("CreateByLiq", "CreateByAdl", "CreateByTakeOver")


def read(raw: bytes) -> News | None:
    """One message; never raises: what cannot be read is a `Trouble`. Of several rows the one that says most is told."""
    try:
        frame = _frame.decode(raw)
        name = frame.topic.partition(".")[0]
        if name == "order":
            return _most([_order(msgspec.convert(row, shape.OrderRow, strict=False)) for row in frame.data])
        if name in ("execution", "position"):
            return MoneyNews(name, tuple(str(row.get("symbol", "")) for row in frame.data))
        if name == "wallet":
            return None  # it comes with every execution and position
        return Trouble(f"an event of an unknown kind: {name[:40]}")
    except (*UNREADABLE, Unreadable, AttributeError) as problem:
        return Trouble(f"an event that cannot be read ({type(problem).__name__})")


def _order(row: shape.OrderRow) -> News:
    if parse.conditional(row):
        state = parse.trigger(row)
        if row.orderStatus == "Rejected":
            return Trouble("a conditional order was triggered and refused")
        return TriggerNews(state.client_id, state.symbol, state.position_side, state.status, state.order_id,
                           row.rejectReason)
    return OrderNews(parse.order(row), None, row.createType.startswith(LIQUIDATION))


def _most(news: list[News]) -> News | None:
    def weight(one: News) -> int:
        return 2 if isinstance(one, Trouble) or (isinstance(one, OrderNews) and one.liquidation) else 1
    return max(news, key=weight, default=None)
