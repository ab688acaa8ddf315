"""The account's own stream, event by event, as our types. What cannot be read is said, never guessed.

1. An event is news, not truth: REST is the truth (X21). A fill of an event has the same id as in ``userTrades`` and is
   counted once (X11), whichever came first.
2. ``Trouble`` asks for a reading by REST: an event that cannot be read, a liquidation, a change by somebody's hand.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from modules.exchange import binance_parse as parse
from modules.exchange.classify import UNREADABLE
from modules.exchange.futures_types import TriggerStatus
from modules.exchange.parsing import Figure, Unreadable, amount, exact, ident, instant, positive
from modules.exchange.types import Fill, OrderState, OrderType, PositionSide, Side


@dataclass(frozen=True, slots=True)
class OrderNews:
    """An order changed; `fill` where it was executed. `liquidation`: the venue's own order against this account."""

    state: OrderState
    fill: Fill | None
    liquidation: bool


@dataclass(frozen=True, slots=True)
class TriggerNews:
    """A conditional order changed."""

    client_id: str
    symbol: str
    position_side: PositionSide
    status: TriggerStatus
    order_id: str
    why: str


@dataclass(frozen=True, slots=True)
class MoneyNews:
    """Wallet or positions changed; `cause` is the venue's word, e.g. FUNDING_FEE."""

    cause: str
    symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Read the account anew (rule 2)."""

    why: str


News = OrderNews | TriggerNews | MoneyNews | Trouble


class _Order(msgspec.Struct):
    s: str
    c: str
    S: Side
    o: str
    f: str
    q: Figure
    ap: Figure
    x: str
    X: str
    i: int
    l: Figure  # noqa: E741 - the venue's name
    z: Figure
    L: Figure
    T: int
    t: int
    m: bool
    R: bool
    ps: PositionSide
    rp: Figure = "0"
    n: Figure = "0"
    N: str = ""


class _Trigger(msgspec.Struct):
    caid: str
    s: str
    ps: PositionSide
    X: str
    ai: str = ""
    rm: str = ""


class _Frame(msgspec.Struct):
    e: str
    E: int = 0
    o: msgspec.Raw = msgspec.Raw(b"{}")
    a: msgspec.Raw = msgspec.Raw(b"{}")
    ac: msgspec.Raw = msgspec.Raw(b"{}")


class _Account(msgspec.Struct):
    m: str
    P: list[dict[str, Any]] = []


LIQUIDATION = ("autoclose-", "adl_autoclose", "settlement_autoclose-")
_frame = msgspec.json.Decoder(_Frame)
_order = msgspec.json.Decoder(_Order, strict=False)
_trigger = msgspec.json.Decoder(_Trigger, strict=False)
_account = msgspec.json.Decoder(_Account, strict=False)
_QUIET = frozenset({"TRADE_LITE", "STRATEGY_UPDATE", "GRID_UPDATE", "LISTEN_KEY_CREATED"})


def read(raw: bytes) -> News | None:
    """One event; None for one that says nothing new. Never raises: what cannot be read is a `Trouble`."""
    try:
        frame = _frame.decode(raw)
        match frame.e:
            case "ORDER_TRADE_UPDATE":
                return _order_news(_order.decode(frame.o), frame.E)
            case "ALGO_UPDATE":
                return _trigger_news(_trigger.decode(frame.o))
            case "ACCOUNT_UPDATE":
                told = _account.decode(frame.a)
                return MoneyNews(told.m, tuple(str(row.get("s", "")) for row in told.P))
            case "listenKeyExpired":
                return Trouble("the account's stream expired")
            case "MARGIN_CALL":
                return Trouble("the exchange calls for margin")
            case "ACCOUNT_CONFIG_UPDATE":
                return Trouble("leverage or mode of the account was changed")
            case "CONDITIONAL_ORDER_TRIGGER_REJECT":
                return Trouble("a conditional order was triggered and refused")
            case quiet if quiet in _QUIET:
                return None
            case other:
                return Trouble(f"an event of an unknown kind: {other[:40]}")
    except (*UNREADABLE, Unreadable) as problem:
        return Trouble(f"an event that cannot be read ({type(problem).__name__})")


def _order_news(row: _Order, told_ms: int) -> OrderNews:
    status = parse.STATUS.get(row.X)
    if status is None:
        raise Unreadable(f"the order's status is {row.X[:40]}")
    pair = (row.o, row.f)
    kind = {("LIMIT", "GTC"): OrderType.LIMIT, ("LIMIT", "IOC"): OrderType.IOC,
            ("LIMIT", "GTX"): OrderType.POST_ONLY}.get(pair, OrderType.MARKET)
    filled, average = amount(row.z, "z"), amount(row.ap, "ap")
    state = OrderState(row.c, ident(row.i, "i"), row.s, row.S, kind, status, amount(row.q, "q"), filled,
                       filled * average, instant(row.T, "T"), instant(row.T, "T"), row.ps, row.R)
    fill = None
    if exact(row.l) > 0:
        fill = Fill(ident(row.t, "t"), row.s, state.order_id, row.c, row.S, positive(row.L, "L"), positive(row.l, "l"),
                    exact(row.n), row.N, instant(row.T, "T"), row.m, row.ps, Decimal(exact(row.rp)))
    return OrderNews(state, fill, row.c.startswith(LIQUIDATION))


def _trigger_news(row: _Trigger) -> TriggerNews:
    status = parse.TRIGGER_STATUS.get(row.X)
    if status is None:
        raise Unreadable(f"the conditional order's status is {row.X[:40]}")
    return TriggerNews(row.caid, row.s, row.ps, status, row.ai, row.rm)
