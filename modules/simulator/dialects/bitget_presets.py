"""Take profit and stop loss named with an order: they become plans when the order has ended with something filled.

A preset whose trigger the price has passed meanwhile fires at once. The words stand in the order's `tag`, so they
outlive a restart.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import TYPE_CHECKING

from modules.simulator.dialects import bitget_words as words
from modules.simulator.perp.api import (
    Account,
    Execution,
    Fill,
    Kind,
    Leg,
    Listener,
    NewAlgo,
    NewOrder,
    Order,
    Refused,
    Side,
    Why,
)

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

log = logging.getLogger(__name__)


class Presets(Listener):
    """Follows orders; acts after the commit of what it was told."""

    def __init__(self, venue: PerpVenue) -> None:
        self._venue = venue
        self._due: list[tuple[Account, Order]] = []
        venue.listeners.append(self)
        venue.after_commit.append(self.do)

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """An order with presets has ended."""
        if order.tag and order.status.final and order.filled and not order.reduce_only:
            self._due.append((account, order))

    def do(self) -> None:
        """Place what is due."""
        due, self._due = self._due, []
        for account, order in due:
            kept = words.tagged(order.tag)
            for plan, trigger, execute, kind in (
                    ("profit_plan", "tp", "tpx", "tpt"), ("loss_plan", "sl", "slx", "slt")):
                if kept.get(trigger):
                    self._place(account, order, plan, kept[trigger], kept.get(execute, ""), kept.get(kind, ""))

    def _place(self, account: Account, order: Order, plan: str, trigger: str, execute: str, working: str) -> None:
        side, hedge = words.other(order.side), order.leg is not Leg.BOTH
        size = order.filled * order.step
        limit = bool(execute) and Decimal(execute) > 0
        market, priced = (Kind.TAKE_PROFIT_MARKET, Kind.TAKE_PROFIT) if words.profits(plan) else (
            Kind.STOP_MARKET, Kind.STOP)
        new = NewAlgo(
            order.symbol, side, priced if limit else market, size, Decimal(trigger),
            Decimal(execute) if limit else None, leg=order.leg if hedge else None, reduce_only=not hedge,
            working=words.TRIGGERS[working or "mark_price"], tag=words.tag(plan=plan))
        try:
            self._venue.place_algo(account, new)
        except Refused as refused:
            if refused.why is Why.WOULD_TRIGGER:
                self._fire(account, order, side, size)
            else:
                log.warning("preset %s of order %s: %s", plan, order.id, refused)

    def _fire(self, account: Account, order: Order, side: Side, size: Decimal) -> None:
        hedge = order.leg is not Leg.BOTH
        try:
            self._venue.place(account, NewOrder(
                order.symbol, side, Kind.MARKET, size, leg=order.leg if hedge else None, reduce_only=not hedge))
        except Refused as refused:
            log.warning("preset of order %s at once: %s", order.id, refused)
