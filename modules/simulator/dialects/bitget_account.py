"""Bitget v2 mix: money, positions and settings of an account."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bitget_format as fmt
from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.binance_format import plain
from modules.simulator.dialects.bitget import Call
from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.dialects.bitget_lookups import KEPT_MS, paged
from modules.simulator.dialects.bitget_market import PRODUCT
from modules.simulator.dialects.bitget_orders import Orders
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.perp.api import Account, Leg, PositionView, Refused, Why

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class Accounts:
    """Handlers of the account's endpoints."""

    def __init__(self, venue: PerpVenue, orders: Orders, rounds: Rounds) -> None:
        self._venue, self._orders, self._rounds = venue, orders, rounds

    # -- money ---------------------------------------------------------------------------------------------------

    def money(self, account: Account) -> dict[str, Any]:
        """The margin coin's row."""
        view = self._venue.view(account)
        return fmt.account_row(view, self._venue.market.marks.mark[0])

    async def accounts(self, call: Call) -> object:
        return [self.money(call.user_seen)] if call.values.text("productType") == PRODUCT else []

    async def account(self, call: Call) -> object:
        spec = self._orders.spec(call.values)
        account = call.user_seen
        setup = account.setup(spec.symbol)
        return self.money(account) | {
            "crossedMarginLeverage": setup.leverage, "isolatedLongLever": setup.leverage,
            "isolatedShortLever": setup.leverage, "marginMode": words.margin_mode(setup.isolated),
            "posMode": words.mode(account.hedge)}

    async def info(self, call: Call) -> object:
        """/api/v2/spot/account/info: who the key belongs to."""
        return {"userId": str(zlib.crc32(call.user.name.encode())), "inviterId": "", "ips": "", "channelCode": "",
                "authorities": ["coow", "cpow", "coor", "cpor"], "parentId": 0, "traderType": "not_trader",
                "channel": "", "regisTime": str(self._venue.specs[0].onboard_ms)}

    # -- settings ------------------------------------------------------------------------------------------------

    async def leverage(self, call: Call) -> object:
        """One leverage a symbol here: `longLeverage` and `shortLeverage` have to be the same."""
        values, account = call.values, call.user
        spec = self._orders.spec(values)
        given = {name: values.text(name) for name in ("leverage", "longLeverage", "shortLeverage")}
        wanted = {value for value in given.values() if value is not None}
        if not wanted:
            raise declined("40019", "leverage")
        if len(wanted) > 1:
            raise declined("40805", "different leverages of long and short are not simulated")
        try:
            self._venue.set_leverage(account, spec.symbol, int(wanted.pop()))
        except Refused as refused:
            if refused.why is Why.INSUFFICIENT_MARGIN:
                raise declined("40893") from None
            raise
        return self._settings(account, spec.symbol, "crossMarginLeverage")

    def _settings(self, account: Account, symbol: str, *more: str) -> dict[str, Any]:
        setup = account.setup(symbol)
        leverage = str(setup.leverage)
        return {"symbol": symbol, "marginCoin": fmt.COIN, "longLeverage": leverage, "shortLeverage": leverage,
                **dict.fromkeys(more, leverage), "marginMode": words.margin_mode(setup.isolated)}

    async def margin_mode(self, call: Call) -> object:
        """The mode it has already is no error."""
        symbol = self._orders.spec(call.values).symbol
        self._orders.margin_mode(call.user, symbol, call.values.need("marginMode"))
        return self._settings(call.user, symbol)

    async def position_mode(self, call: Call) -> object:
        hedge = call.values.need("posMode") == words.HEDGE
        if call.user.hedge != hedge:
            self._venue.set_hedge(call.user, hedge)
        return {"posMode": words.mode(hedge)}

    async def margin(self, call: Call) -> object:
        """Margin into an isolated position, or out of it."""
        values, account = call.values, call.user
        spec = self._orders.spec(values)
        amount = values.money("amount")
        if not amount:
            raise declined("43011", "amount 0")
        held = values.text("holdSide")
        leg = words.closing(True, values.need("holdSide"))[1] if account.hedge else None
        if not account.hedge and held is not None and not account.legs(spec.symbol):
            raise declined("40802")
        try:
            self._venue.move_margin(account, spec.symbol, leg, amount)
        except Refused as refused:
            if refused.why is Why.INSUFFICIENT_MARGIN:
                raise declined("40754") from None
            raise
        return ""

    # -- positions -----------------------------------------------------------------------------------------------

    async def position(self, call: Call) -> object:
        return self.positions_of(call.user_seen, self._orders.spec(call.values).symbol, call.ms)

    async def positions(self, call: Call) -> object:
        if call.values.text("productType") != PRODUCT:
            return []
        return self.positions_of(call.user_seen, None, call.ms)

    def positions_of(self, account: Account, symbol: str | None, ms: int) -> list[dict[str, Any]]:
        """Rows of the open positions."""
        return [self.row(account, view, ms) for view in self._venue.position_views(account, symbol) if view.steps]

    def row(self, account: Account, view: PositionView, ms: int) -> dict[str, Any]:
        """One position's row: sizes of the orders that would open more, and of those that would close it."""
        spec = self._venue.specs[self._venue.by_symbol[view.symbol]]
        sign = 1 if view.steps > 0 else -1
        opening = locked = 0
        for order in self._venue.ledger.open_orders(account, view.symbol):
            if order.leg is view.leg:
                closes = order.side.sign != sign
                opening += 0 if closes else order.remaining
                locked += order.remaining if closes and (view.leg is not Leg.BOTH or order.reduce_only) else 0
        held = self._rounds.held(account.name, view.symbol, view.leg)
        shut = min(Decimal(locked) * spec.step, abs(view.qty))
        return fmt.position_row(view, held, plain(opening * spec.step), shut, ms)

    async def past(self, call: Call) -> object:
        symbol = call.symbol
        found = [one for one in self._rounds.past(call.user.name)
                 if symbol in (None, one.symbol) and one.updated_ms >= call.ms - KEPT_MS
                 and (call.seen is None or one.updated_ms <= call.seen.ms)]
        call.values.raw = {"productType": PRODUCT, **call.values.raw}  # the product may be left out here
        rows = paged(call, found, lambda one: (one.id, one.updated_ms), fmt.past_row)
        return {"list": rows, "endId": rows[-1]["positionId"] if rows else ""}
