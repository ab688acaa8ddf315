"""The words every room uses for markets, orders and their outcomes. Money is Decimal; indicators get floats.

A symbol is the exchange's own without separator (``PEPEUSDT``), in code, files and messages alike.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
import numpy.typing as npt


class Mode(StrEnum):
    """TEST trades on the paper account, LIVE on the venue's."""

    TEST = "TEST"
    LIVE = "LIVE"


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class PositionSide(StrEnum):
    """Which position of a contract: BOTH in one-way mode, LONG and SHORT beside each other in hedge mode (X22)."""

    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    IOC = "IOC"
    POST_ONLY = "POST_ONLY"


class OrderStatus(StrEnum):
    """NEW and PARTIAL are live; the others are terminal and never come back (X11)."""

    NEW = "NEW"
    PARTIAL = "PARTIAL"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"

    @property
    def terminal(self) -> bool:
        return self in (OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED)


@dataclass(frozen=True, slots=True)
class Market:
    """One tradable pair. `tick` is the price step, `step` the quantity step, `min_notional` in quote.

    `buys` and `sells`: a venue may open one side only, e.g. selling alone before a delisting.
    """

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_notional: Decimal
    taker_fee: Decimal
    maker_fee: Decimal
    trading: bool = True
    api_allowed: bool = True
    market_orders: bool = True
    buys: bool = True
    sells: bool = True


@dataclass(frozen=True, slots=True)
class Ticker:
    """A 24 h ticker; floats, for filters only. `quote_volume` in quote over 24 h, `change_pct` over 24 h in percent."""

    symbol: str
    last: float
    bid: float
    ask: float
    quote_volume: float
    change_pct: float


@dataclass(frozen=True, slots=True)
class Book:
    """An order book snapshot: (price, quantity) from best to worst."""

    symbol: str
    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    market_ms: int


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade: somebody's. `quantity` in base."""

    price: Decimal
    quantity: Decimal
    market_ms: int


# Shape (n, 6): open time in ms, open, high, low, close, volume in base; ascending, closed candles first,
# the last row may still be open.
Candles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What is asked of a venue. A market buy may give `quote_quantity` (what to spend) instead of `quantity`.

    `position_side` and `reduce_only` mean something on futures alone; spot accounts pass over them.
    """

    client_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution; unique by (venue, symbol, id) (X11). `fee` in `fee_asset`.

    `position_side` and `realised` (the venue's own figure, before fees) are told by futures alone. `leg_named`: False
    where the venue names no leg and `position_side` was made from other figures (Bybit).
    """

    id: str
    symbol: str
    order_id: str
    client_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    market_ms: int
    maker: bool = False
    position_side: PositionSide = PositionSide.BOTH
    realised: Decimal | None = None
    leg_named: bool = True


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as the venue tells it. `filled` in base, `filled_quote` in quote."""

    client_id: str
    order_id: str
    symbol: str
    side: Side
    type: OrderType
    status: OrderStatus
    quantity: Decimal
    filled: Decimal
    filled_quote: Decimal
    created_ms: int
    updated_ms: int
    position_side: PositionSide = PositionSide.BOTH
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    asset: str
    free: Decimal
    locked: Decimal


# Outcomes of sending something (X3): four types, so that nothing is guessed from strings or None.


@dataclass(frozen=True, slots=True)
class Accepted:
    """The venue took it."""

    order_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The venue said no: nothing happened there. `code` is the venue's own, `retry_after_s` where it told one."""

    code: str
    text: str
    retry_after_s: float | None = None


class NotSent(StrEnum):
    """Why a request did not leave (X10: a reason code, not a sentence)."""

    CONNECTION = "NO_CONNECTION"
    LIMITED = "TOO_MANY_REQUESTS"
    BREAKER = "EXCHANGE_FAILING"
    CLOCK = "CLOCK_UNKNOWN"
    PAPER = "PAPER_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Failed:
    """It never left this machine: nothing happened at the venue."""

    reason: str
    code: NotSent = NotSent.CONNECTION


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether it happened (X4): never send again, ask by client id."""

    reason: str


@dataclass(frozen=True, slots=True)
class Absent:
    """The venue says that it does not know such an order."""

    client_id: str


Outcome = Accepted | Refused | Failed | Unknown
Lookup = OrderState | Absent | Unknown


class Unavailable(Exception):
    """A query could not be answered (X15: this is never the same as "empty"). The text is fit for a person."""


class Denied(Unavailable):
    """The venue refused the query itself; asking again would not help. `code` is the venue's own."""

    def __init__(self, text: str, code: str) -> None:
        super().__init__(text)
        self.code = code
