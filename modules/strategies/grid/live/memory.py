"""What a host keeps beside the session's state, so that a restart finds its way: saved in the same write.

The table of cases after a restart (E5, X16); each has a test in `tests/strategies/grid/live/test_recovery.py`:

| a crash came | is found as | and means |
|---|---|---|
| before the intent was saved | nothing | nothing was sent; the rules decide anew |
| after it, before it left | a pending order unknown to the venue | absent once the request's window is over |
| after it left, no answer | a pending order the venue knows | its fills are booked |
| after fills, before they were saved | the same | booked once, by trade id |
| after a partial fill, order ended | filled less than ordered | what filled is booked, the slot is free |
| while the stop fired | an order of ours from a stop | its fills close entries |
| while a person traded | trades of no order of ours | external: new levels blocked until acknowledged |
| between new stop and old stop | two stops of ours | the one that is wanted stays |
| with a stop gone | no stop of ours | it is placed again |
| in the middle of closing all | `closing` in the state | goes on closing |
| with a state that cannot be read | an error | that session does not start; the others do |
"""

from decimal import Decimal
from typing import Any

import msgspec

#: orders remembered by the venue's id, so that late trades are still ours
ORDERS_KEPT = 400
SEEN_KEPT = 600


class Stop(msgspec.Struct, frozen=True):
    """A protective stop of ours that stands, or may stand, on the exchange. `sure`: the venue said so."""

    client_id: str
    side: int
    trigger: Decimal
    quantity: Decimal
    generation: int
    sure: bool = False


class Memory(msgspec.Struct):
    """Beside the state. `orders`: the venue's order id → our slot; `seen`: trades that were told already; `account`:
    which kind it is all about; `terms`: contract and leverage that were arranged; `series`: candles of the signals
    (moved.py)."""

    stops: tuple[Stop, ...] = ()
    generation: int = 0
    orders: dict[str, str] = {}
    seen: tuple[str, ...] = ()
    fills_ms: int = 0
    bills_ms: int = 0
    bills: tuple[str, ...] = ()
    arranged: bool = False
    started_ms: int = 0
    last_trade_ms: int = 0
    account: str = ""
    terms: str = ""
    series: str = ""

    def note_order(self, order_id: str, slot: str) -> None:
        """An order of ours has this id at the venue."""
        if order_id and self.orders.get(order_id) != slot:
            self.orders = {**dict(list(self.orders.items())[-ORDERS_KEPT:]), order_id: slot}

    def note_seen(self, trade_id: str) -> bool:
        """Whether a trade is told for the first time."""
        if trade_id in self.seen:
            return False
        self.seen = (*self.seen, trade_id)[-SEEN_KEPT:]
        return True

    def packed(self) -> dict[str, Any]:
        """As JSON's own types."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def unpacked(data: Any) -> Memory:
    """A packed memory. Raises msgspec.ValidationError for what is none."""
    return msgspec.convert(data or {}, type=Memory)
