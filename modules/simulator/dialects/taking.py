"""Placing an order as Bitget and Bybit do: one that cannot stand or be filled is taken, then cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modules.simulator.perp.api import Account, Execution, NewOrder, Order, Refused, Why

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


def take(venue: PerpVenue, account: Account, new: NewOrder, cancelled: Mapping[Why, str]) -> Order:
    """Place an order. `cancelled`: refusals after which it is taken and cancelled at once, and the reason told.

    Raises Refused for every other one.
    """
    try:
        return venue.place(account, new)
    except Refused as refused:
        why = cancelled.get(refused.why)
        if why is None:
            raise
    with venue.doing():
        order = venue.desk.check(account, new)
        venue.desk.tell(order, Execution.NEW)
        venue.desk.expire(order, why)
    return order
