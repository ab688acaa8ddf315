"""Account events of the perpetual venue to the sockets of their owner, the moment they happen.

A change of the position mode has no event on the venue (its ACCOUNT_CONFIG_UPDATE knows leverage and multi-assets
mode only), so it has none here: only asking tells (X22).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from modules.simulator.perp.api import (
    Account,
    AccountView,
    Algo,
    AlgoStatus,
    Cause,
    Execution,
    Fill,
    Leg,
    Listener,
    Order,
    PositionView,
    Refused,
)
from modules.simulator.sockets import user_frames as frames

Send = Callable[[str, str, bytes], None]


class PerpAccounts(Protocol):
    """What user streams ask of `perp.venue.PerpVenue`."""

    def now(self) -> int:
        """Market time, ms."""

    def view(self, account: Account) -> AccountView:
        """Money."""

    def position_views(self, account: Account, symbol: str | None = None) -> list[PositionView]:
        """Legs."""

    def find(self, account: Account, symbol: str, *, order_id: int | None = None) -> Order:
        """An order. Raises Refused."""

    def find_algo(self, account: Account, *, algo_id: int | None = None) -> Algo:
        """A conditional order. Raises Refused."""


class UserStreams(Listener):
    """`send` takes (account, event, payload); `listened` says whether anybody hears an account."""

    def __init__(self, venue: PerpAccounts, send: Send, listened: Callable[[str], bool]) -> None:
        self._venue, self._send, self._listened = venue, send, listened

    def _tell(self, account: Account, event: dict[str, Any]) -> None:
        self._send(account.name, event["e"], frames.encode(event))

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """TRADE_LITE for a trade, then ORDER_TRADE_UPDATE."""
        if not self._listened(account.name):
            return
        ms = self._venue.now()
        if fill is not None and execution is Execution.TRADE:
            self._tell(account, frames.trade_lite(order, fill, ms))
        algo = self._algo(account, order) if order.algo_id else None
        self._tell(account, frames.order_event(order, execution, fill, algo, ms))

    def _algo(self, account: Account, order: Order) -> Algo | None:
        try:
            return self._venue.find_algo(account, algo_id=order.algo_id)
        except Refused:
            return None

    def account_update(
        self, account: Account, cause: Cause, change: Decimal, symbols: Sequence[tuple[str, Leg]]
    ) -> None:
        """ACCOUNT_UPDATE with the legs named."""
        if not self._listened(account.name):
            return
        view = self._venue.view(account)
        event = frames.account_event(cause, change, view, self._legs(account, symbols), self._venue.now())
        told = {(leg["s"], leg["ps"]) for leg in event["a"]["P"]}
        event["a"]["P"] += [
            frames.flat_leg(account, symbol, leg) for symbol, leg in symbols if (symbol, str(leg)) not in told]
        self._tell(account, event)

    def _legs(self, account: Account, symbols: Sequence[tuple[str, Leg]]) -> list[PositionView]:
        wanted = set(symbols)
        return [leg for symbol in dict.fromkeys(symbol for symbol, _ in symbols)
                for leg in self._venue.position_views(account, symbol)
                if (leg.symbol, leg.leg) in wanted and leg.steps]

    def algo_update(self, account: Account, algo: Algo) -> None:
        """ALGO_UPDATE, and the reason where a triggered order was refused."""
        if not self._listened(account.name):
            return
        ms, order = self._venue.now(), None
        if algo.order_id:
            try:
                order = self._venue.find(account, algo.symbol, order_id=algo.order_id)
            except Refused:
                order = None
        self._tell(account, frames.algo_event(algo, order, ms))
        if algo.status is AlgoStatus.REJECTED:
            self._tell(account, frames.trigger_reject(algo, ms))

    def config_update(self, account: Account, symbol: str | None) -> None:
        """ACCOUNT_CONFIG_UPDATE for a leverage."""
        if symbol is not None and self._listened(account.name):
            leverage = account.setup(symbol).leverage
            self._tell(account, frames.leverage_event(symbol, leverage, self._venue.now()))

    def margin_call(self, account: Account, legs: Sequence[tuple[str, Leg]]) -> None:
        """MARGIN_CALL."""
        if self._listened(account.name):
            view = self._venue.view(account)
            self._tell(account, frames.margin_call(view, self._legs(account, legs), self._venue.now()))
