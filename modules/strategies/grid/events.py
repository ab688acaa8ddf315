"""What a session is told, and what it decides: the words between the pure session and whoever hosts it.

`now_ms` of every event is market time (the exchange's clock). A host sends each decision on, and hands what became of
it back as an event: a placement ends in `Answered`, then `GridFill`s in `Filled`, and `Done`.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from modules.strategies.grid.ledger import GridFill
from modules.strategies.grid.reconcile import Answer, VenueLeg
from modules.strategies.grid.signals import Candle


class Quote(msgspec.Struct, frozen=True):
    """One tick: best bid and ask, and when the exchange made them."""

    now_ms: int
    made_ms: int
    bid: Decimal
    ask: Decimal


class Candles(msgspec.Struct, frozen=True):
    """Closed candles, oldest first; those seen before may be among them."""

    now_ms: int
    candles: tuple[Candle, ...]


class Answered(msgspec.Struct, frozen=True):
    """What the venue said to a placement (X3). `absent`: proven never to have arrived; `unknown` is never re-sent."""

    now_ms: int
    slot: str
    generation: int
    outcome: Literal["accepted", "refused", "absent", "unknown"]
    text: str = ""


class Filled(msgspec.Struct, frozen=True):
    """A trade of an order; of ours by its slot, or of somebody else (slot "")."""

    now_ms: int
    fill: GridFill


class Done(msgspec.Struct, frozen=True):
    """An order is at its end, with the quantity that it filled in all."""

    now_ms: int
    slot: str
    generation: int
    filled: Decimal


class Balance(msgspec.Struct, frozen=True):
    """The account's USDT: the balance, and what is free for new positions."""

    now_ms: int
    balance: Decimal
    available: Decimal


class Positions(msgspec.Struct, frozen=True):
    """Both sides as the venue holds them."""

    now_ms: int
    long: VenueLeg
    short: VenueLeg


class Funded(msgspec.Struct, frozen=True):
    """Funding of this symbol: received where above 0."""

    now_ms: int
    amount: Decimal


class Breaker(msgspec.Struct, frozen=True):
    """The circuit breaker around the exchange opened (True) or closed again: entries stop, exits don't (X35)."""

    now_ms: int
    open: bool


class Word(StrEnum):
    """What a person may say (X36). STOP leaves positions where they are, with their protection."""

    PAUSE = "PAUSE"
    RESUME = "RESUME"
    DRAIN = "DRAIN"
    FLATTEN = "FLATTEN"
    STOP = "STOP"
    ACKNOWLEDGE = "ACKNOWLEDGE"


class Said(msgspec.Struct, frozen=True):
    """A person's word; `side` and `answer` go with ACKNOWLEDGE."""

    now_ms: int
    word: Word
    by: str
    side: int = 0
    answer: Answer = "leave"


Event = Quote | Candles | Answered | Filled | Done | Balance | Positions | Funded | Breaker | Said


class Reason(StrEnum):
    """Why an order is placed."""

    FIRST = "FIRST"
    ADD = "ADD"
    SINGLE = "SINGLE_ORDER_PROFIT"
    PAIR = "PAIR_GLOBAL_PROFIT"
    DAY_TARGET = "GLOBAL_PROFIT"
    DAY_LOSS = "MAX_LOSS"
    FLATTEN = "FLATTEN"


class Place(msgspec.Struct, frozen=True):
    """Send one market order (X8: one a step). Slot and generation make its id (X2); `price` is what was seen."""

    slot: str
    generation: int
    side: int
    opens: bool
    quantity: Decimal
    price: Decimal
    reason: Reason
    target: str = ""
    level: int = 0


class Cancel(msgspec.Struct, frozen=True):
    """Cancel an order, should it still rest."""

    slot: str
    generation: int


class What(StrEnum):
    """What can be asked for."""

    BALANCE = "BALANCE"
    POSITIONS = "POSITIONS"
    CANDLES = "CANDLES"
    ORDER = "ORDER"
    FILLS = "FILLS"


class Ask(msgspec.Struct, frozen=True):
    """Fetch something; the answer comes as an event. `slot` for ORDER and FILLS; `count` candles for CANDLES.

    `routine`: nothing waits for it, so it may wait for its turn among many users.
    """

    what: What
    slot: str = ""
    generation: int = 0
    count: int = 0
    routine: bool = False


class Protect(msgspec.Struct, frozen=True):
    """The stop that shall stand on the exchange for a side (X18); a quantity of 0: none."""

    side: int
    trigger: Decimal
    quantity: Decimal


class Notice(msgspec.Struct, frozen=True):
    """Something a person is to know: what, why, what to do; once by its key."""

    what: str
    why: str
    todo: str
    key: str


class LimitHit(msgspec.Struct, frozen=True):
    """A daily limit was hit and both sides are confirmed flat: for the webhook."""

    limit_type: Literal["PROFIT", "LOSS"]
    limit_value: Decimal
    total_pnl: Decimal
    positions_closed: int
    day: int


Decision = Place | Cancel | Ask | Protect | Notice | LimitHit
