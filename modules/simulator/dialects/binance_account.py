"""Binance USD-M: money, positions, settings of an account, listen keys."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from modules.simulator.dialects import binance_format as fmt
from modules.simulator.dialects.binance import Call
from modules.simulator.dialects.binance_errors import Declined, declined
from modules.simulator.dialects.binance_orders import WEEK_MS
from modules.simulator.dialects.binance_weights import Limits
from modules.simulator.perp.api import ZERO, Account, Leg, PositionView, Spec

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

INCOME_KINDS = (
    "TRANSFER|WELCOME_BONUS|REALIZED_PNL|FUNDING_FEE|COMMISSION|INSURANCE_CLEAR|REFERRAL_KICKBACK|COMMISSION_REBATE"
    "|API_REBATE|CONTEST_REWARD|CROSS_COLLATERAL_TRANSFER|OPTIONS_PREMIUM_FEE|OPTIONS_SETTLE_PROFIT|INTERNAL_TRANSFER"
    "|AUTO_EXCHANGE|DELIVERED_SETTELMENT|COIN_SWAP_DEPOSIT|COIN_SWAP_WITHDRAW|POSITION_LIMIT_INCREASE_FEE"
    "|STRATEGY_UMFUTURES_TRANSFER|FEE_RETURN|BFUSD_REWARD")


class Keys(Protocol):
    """Names of user streams (the sockets' listen keys)."""

    def open(self, account: str) -> str:
        """The key of an account, renewed."""

    def renew(self, account: str) -> str | None:
        """The key, renewed; None where there is none."""

    def close(self, account: str) -> bool:
        """End it."""


class Accounts:
    """Handlers of the account's endpoints."""

    def __init__(self, venue: PerpVenue, keys: Keys, limits: Limits) -> None:
        self._venue, self._keys, self._limits = venue, keys, limits

    # -- money ---------------------------------------------------------------------------------------------------

    async def balance(self, call: Call) -> object:
        view = self._venue.view(call.user_seen)
        return [fmt.balance_row(call.user_seen, asset, row, call.told_ms) for asset, row in fmt.by_asset(view)]

    async def account_v2(self, call: Call) -> object:
        view, account = self._venue.view(call.user_seen), call.user_seen
        return {
            "feeTier": 0, "feeBurn": False, "canTrade": account.can_trade, "canDeposit": True, "canWithdraw": True,
            "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1, **fmt.totals(view),
            "assets": [{**fmt.asset_row(asset, row, call.told_ms), "marginAvailable": True}
                       for asset, row in fmt.by_asset(view)],
            "positions": [fmt.account_position_v2(spec, row) for spec, row in self._all_legs(account, None)],
        }

    async def account_v3(self, call: Call) -> object:
        view = self._venue.view(call.user_seen)
        return {
            **fmt.totals(view),
            "assets": [fmt.asset_row(asset, row, call.told_ms) for asset, row in fmt.by_asset(view)],
            "positions": [fmt.account_position_v3(spec, row) for spec, row in self._held(call.user_seen, None)],
        }

    async def income(self, call: Call) -> object:
        values = call.values
        start, end = values.span()
        wanted, limit, page = values.text("incomeType"), values.limit(100, 1000), values.whole("page") or 1
        if start is None and end is None:
            start = call.ms - WEEK_MS
        rows = [
            row for row in self._venue.income_of(call.user)
            if wanted in (None, str(row.kind)) and call.symbol in (None, row.symbol)
            and (call.seen is None or row.ms <= call.seen.ms)
            and (start is None or row.ms >= start) and (end is None or row.ms <= end)]
        first = max(0, page - 1) * limit
        chosen = rows[first : first + limit] if "startTime" in values or page > 1 else rows[-limit:]
        return [fmt.income_row(row) for row in chosen]

    # -- positions -----------------------------------------------------------------------------------------------

    async def positions_v2(self, call: Call) -> object:
        symbol = self._known(call.symbol)
        return [fmt.position_v2(spec, row) for spec, row in self._all_legs(call.user_seen, symbol)]

    async def positions_v3(self, call: Call) -> object:
        symbol = self._known(call.symbol)
        return [fmt.position_v3(spec, row) for spec, row in self._held(call.user_seen, symbol)]

    async def adl(self, call: Call) -> object:
        found: dict[str, dict[str, int]] = {}
        hedge = call.user_seen.hedge
        for _, row in self._held(call.user_seen, self._known(call.symbol)):
            legs = found.setdefault(row.symbol, {"LONG": 0, "SHORT": 0, "HEDGE" if hedge else "BOTH": 0})
            legs[str(row.leg)] = row.adl
        return [{"symbol": symbol, "adlQuantile": legs} for symbol, legs in found.items()]

    def _held(self, account: Account, symbol: str | None) -> Iterator[tuple[Spec, PositionView]]:
        """Legs that hold something or have open orders (what v3 tells)."""
        for view in self._venue.position_views(account, symbol):
            if view.steps or view.bid_notional or view.ask_notional:
                yield self._spec(view.symbol), view

    def _all_legs(self, account: Account, symbol: str | None) -> Iterator[tuple[Spec, PositionView]]:
        """Every leg of every symbol (what v2 tells)."""
        there = {(view.symbol, view.leg): view for view in self._venue.position_views(account, symbol)}
        legs = (Leg.BOTH, Leg.LONG, Leg.SHORT) if account.hedge else (Leg.BOTH,)
        for spec in self._venue.specs:
            if symbol in (None, spec.symbol) and self._venue.by_symbol.get(spec.symbol) is not None:
                for leg in legs:
                    yield spec, there.get((spec.symbol, leg)) or self._empty(account, spec, leg)

    def _empty(self, account: Account, spec: Spec, leg: Leg) -> PositionView:
        setup = account.setups.get(spec.symbol)
        leverage, isolated = (setup.leverage, setup.isolated) if setup is not None else (20, False)
        mark = Decimal(str(self._venue.market.marks.mark[self._venue.by_symbol[spec.symbol]]))
        return PositionView(
            spec.symbol, leg, 0, ZERO, ZERO, ZERO, mark, ZERO, ZERO, ZERO, leverage, isolated, ZERO, ZERO, ZERO, ZERO,
            ZERO, ZERO, 0, 0)

    def _spec(self, symbol: str) -> Spec:
        return self._venue.specs[self._venue.by_symbol[symbol]]

    def _known(self, symbol: str | None) -> str | None:
        if symbol is not None and symbol not in self._venue.by_symbol:
            raise declined(-1121)
        return symbol

    # -- settings ------------------------------------------------------------------------------------------------

    async def get_mode(self, call: Call) -> object:
        return {"dualSidePosition": call.user.hedge}

    async def set_mode(self, call: Call) -> object:
        self._venue.set_hedge(call.user, call.values.truth("dualSidePosition"))
        return {"code": 200, "msg": "success"}

    async def get_assets_mode(self, call: Call) -> object:
        return {"multiAssetsMargin": False}

    async def set_assets_mode(self, call: Call) -> object:
        if not call.values.truth("multiAssetsMargin"):
            raise declined(-4171)
        raise Declined(-1020, "This operation is not supported: this venue simulates the single-asset mode only.")

    async def leverage(self, call: Call) -> object:
        symbol, leverage = call.values.need("symbol"), call.values.whole("leverage") or 0
        self._known(symbol)
        self._venue.set_leverage(call.user, symbol, leverage)
        most = fmt.max_notional(self._spec(symbol), leverage)
        return {"leverage": leverage, "maxNotionalValue": str(most), "symbol": symbol}

    async def margin_type(self, call: Call) -> object:
        symbol = call.values.need("symbol")
        self._known(symbol)
        self._venue.set_isolated(call.user, symbol, call.values.need("marginType") == "ISOLATED")
        return {"code": 200, "msg": "success"}

    async def position_margin(self, call: Call) -> object:
        values = call.values
        symbol, amount = values.need("symbol"), values.need_money("amount")
        self._known(symbol)
        kind, leg = int(values.need("type")), fmt.wanted_leg(values.text("positionSide")) or Leg.BOTH
        self._venue.move_margin(call.user, symbol, leg, amount if kind == 1 else -amount)
        return {"amount": float(amount), "code": 200, "msg": "Successfully modify position margin.", "type": kind}

    async def brackets(self, call: Call) -> object:
        wanted = self._known(call.symbol)
        return [
            {"symbol": spec.symbol, "brackets": [
                {"bracket": row.number, "initialLeverage": row.leverage, "notionalCap": row.cap,
                 "notionalFloor": row.floor, "maintMarginRatio": float(row.rate), "cum": float(row.cum)}
                for row in spec.brackets]}
            for spec in self._venue.specs if wanted in (None, spec.symbol)]

    async def commission(self, call: Call) -> object:
        symbol = call.values.need("symbol")
        self._known(symbol)
        spec = self._spec(symbol)
        return {"symbol": symbol, "makerCommissionRate": fmt.fixed(spec.maker_fee, 6),
                "takerCommissionRate": fmt.fixed(spec.taker_fee, 6)}

    async def account_config(self, call: Call) -> object:
        account = call.user
        return {"feeTier": 0, "canTrade": account.can_trade, "canDeposit": True, "canWithdraw": True,
                "dualSidePosition": account.hedge, "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1}

    async def symbol_config(self, call: Call) -> object:
        wanted = self._known(call.symbol)
        rows: list[dict[str, Any]] = []
        for spec in self._venue.specs:
            if wanted in (None, spec.symbol):
                view = self._empty(call.user, spec, Leg.BOTH)
                rows.append({
                    "symbol": spec.symbol, "marginType": "ISOLATED" if view.isolated else "CROSSED",
                    "isAutoAddMargin": False, "leverage": view.leverage,
                    "maxNotionalValue": str(fmt.max_notional(spec, view.leverage))})
        return rows

    async def trading_status(self, call: Call) -> object:
        return {"indicators": {}, "updateTime": call.told_ms}

    async def order_limits(self, call: Call) -> object:
        return [
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self._limits.orders_10s},
            {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": self._limits.orders_1m}]

    async def fee_burn(self, call: Call) -> object:
        return {"feeBurn": False}

    # -- what clients of the whole exchange ask first ------------------------------------------------------------

    async def coins(self, call: Call) -> object:
        """The wallet's coins. Futures are simulated, not the wallet: nothing can be paid in or out."""
        return [{
            "coin": coin, "depositAllEnable": False, "free": "0", "freeze": "0", "ipoable": "0", "ipoing": "0",
            "isLegalMoney": False, "locked": "0", "name": coin, "networkList": [], "storage": "0", "trading": True,
            "withdrawAllEnable": False, "withdrawing": "0"}
            for coin in sorted({fmt.ASSET, *(spec.base for spec in self._venue.specs)})]

    async def system(self, call: Call) -> object:
        """Whether the venue is being maintained: never."""
        return {"status": 0, "msg": "normal"}

    async def margin_pairs(self, call: Call) -> object:
        """There is no margin trading here."""
        return []

    # -- listen keys ---------------------------------------------------------------------------------------------

    async def open_key(self, call: Call) -> object:
        return {"listenKey": self._keys.open(call.user.name)}

    async def renew_key(self, call: Call) -> object:
        key = self._keys.renew(call.user.name)
        if key is None:
            raise declined(-1125)
        return {"listenKey": key}

    async def close_key(self, call: Call) -> object:
        if not self._keys.close(call.user.name):
            raise declined(-1125)
        return {}
