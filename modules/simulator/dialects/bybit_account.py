"""Bybit v5: executions, positions, money and settings of a unified account."""

from __future__ import annotations

import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bybit_format as fmt
from modules.simulator.dialects.binance_format import plain
from modules.simulator.dialects.bybit import Call
from modules.simulator.dialects.bybit_errors import declined
from modules.simulator.dialects.bybit_orders import Orders, paged
from modules.simulator.dialects.bybit_params import CATEGORIES
from modules.simulator.perp.api import ZERO, Account, Fill, Income, IncomeKind, Leg, PositionView, Refused, Why

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

_SPAN = "startTime:int endTime:int limit:int cursor"
EXECUTIONS_LINE = (f"{CATEGORIES} symbol:symbol baseCoin:symbol settleCoin:symbol orderId orderLinkId:id "
                   f"execType=Trade|Funding|BustTrade|AdlTrade {_SPAN}")
LOG_LINE = f"accountType=UNIFIED category=linear|inverse|spot|option currency:symbol baseCoin:symbol type {_SPAN}"
POSITIONS_LINE = f"{CATEGORIES} symbol:symbol baseCoin:symbol settleCoin:symbol limit:int cursor"
LEVERAGE_LINE = f"{CATEGORIES} symbol!:symbol buyLeverage!:dec sellLeverage!:dec"
MODE_LINE = f"{CATEGORIES} symbol:symbol coin:symbol mode!=0|3"
MARGIN_LINE = "setMarginMode!=REGULAR_MARGIN|ISOLATED_MARGIN|PORTFOLIO_MARGIN"


class Closing:
    """How much of what was held each execution closed, by folding all of them once."""

    def __init__(self, venue: PerpVenue) -> None:
        self._venue, self._read = venue, 0
        self._held: dict[tuple[str, str, Leg], Decimal] = {}
        self._closed: dict[tuple[int, str, int], Decimal] = {}

    def of(self, fill: Fill) -> Decimal:
        """Of one execution."""
        fills = self._venue.ledger.fills
        for one in fills[self._read:]:
            key, signed = (one.account, one.symbol, one.leg), one.qty * one.side.sign
            held = self._held.get(key, ZERO)
            closed = min(abs(held), one.qty) if held * signed < 0 else ZERO
            self._closed[one.order_id, one.symbol, one.trade_id] = closed
            self._held[key] = held + signed
        self._read = len(fills)
        return self._closed[fill.order_id, fill.symbol, fill.trade_id]


class Accounts:
    """Handlers of the account's endpoints."""

    def __init__(self, venue: PerpVenue, orders: Orders) -> None:
        self._venue, self._orders, self._closing = venue, orders, Closing(venue)

    # -- executions and money ------------------------------------------------------------------------------------

    async def executions(self, call: Call) -> object:
        """Newest first, at most seven days. Without `execType` funding is among them."""
        values = call.values
        start, end = values.span(call.ms, 7)
        if not values.linear:
            return paged(call, [], int, dict, 50, 100)
        if call.symbol is not None:
            self._orders.spec(values)
        seen = call.seen.ms if call.seen is not None else end
        rows = [(fill.ms, self.execution(fill)) for fill in self._venue.fills_of(call.user, call.symbol)
                if start <= fill.ms <= end]
        rows += [(row.ms, fmt.funding_row(row)) for row in self._venue.income_of(call.user, call.symbol)
                 if row.kind is IncomeKind.FUNDING_FEE and start <= row.ms <= end]
        rows.sort(key=lambda one: one[0])
        kind, number, link = values.text("execType"), values.text("orderId"), values.text("orderLinkId")
        found = [(place, row) for place, (ms, row) in enumerate(rows)
                 if ms <= seen and kind in (None, row["execType"])
                 and number in (None, row["orderId"]) and link in (None, row["orderLinkId"])]
        return paged(call, found, lambda one: one[0] + 1, lambda one: one[1], 50, 100)

    def execution(self, fill: Fill) -> dict[str, Any]:
        """An execution's row."""
        mark = self._venue.market.marks.mark[self._venue.by_symbol[fill.symbol]] if (
            fill.symbol in self._venue.by_symbol) else fill.price
        return fmt.execution_row(fill, self._orders.of(fill.order_id), self._closing.of(fill), mark)

    async def log(self, call: Call) -> object:
        """Changes of the wallet, newest first, of one day where no times are named."""
        start, end = call.values.span(call.ms, 7)
        if "startTime" not in call.values and "endTime" not in call.values:
            start = end - 86_400_000
        kind, coin = call.values.text("type"), call.values.text("currency")
        entries = self._entries(call.user, call.seen.ms if call.seen is not None else end)
        found = [one for one in entries if start <= one.ms <= end and kind in (None, one.kind)
                 and coin in (None, fmt.COIN) and (call.values.text("category") or "linear") == "linear"]
        return paged(call, found, lambda one: one.id, lambda one: fmt.log_row(
            one, self._orders.of(one.fill.order_id) if one.fill is not None else None), 20, 50)

    def _entries(self, account: Account, until_ms: int) -> list[fmt.Entry]:
        """Result and commission of a trade are one row; everything else is its own."""
        fills: dict[tuple[str, int], list[Fill]] = {}
        for fill in self._venue.fills_of(account):
            fills.setdefault((fill.symbol, fill.trade_id), []).append(fill)
        balance, found, told = ZERO, [], set[tuple[str, int]]()
        for row in self._venue.income_of(account):
            balance += row.amount
            if row.ms > until_ms:
                break
            if row.kind in (IncomeKind.REALIZED_PNL, IncomeKind.COMMISSION):
                key = (row.symbol, row.trade_id)
                if key not in told:
                    told.add(key)
                    found += [self._trade(row, one, balance, place) for place, one in enumerate(fills.get(key, []))]
                continue
            funding = row.amount if row.kind is IncomeKind.FUNDING_FEE else ZERO
            found.append(fmt.Entry(row.id, row.ms, row.symbol, fmt.kind_of(row), row.amount - funding, funding, ZERO,
                                   balance))
        return found

    def _trade(self, row: Income, fill: Fill, balance: Decimal, place: int) -> fmt.Entry:
        order = self._venue.ledger.orders.get(fill.order_id)
        kind = "LIQUIDATION" if order is not None and order.liquidation else "TRADE"
        return fmt.Entry(row.id + place, fill.ms, fill.symbol, kind, fill.realized, ZERO, fill.fee, balance, fill)

    async def wallet(self, call: Call) -> object:
        account = call.user_seen
        view = self._venue.view(account)
        return {"list": [fmt.wallet_row(view, self._isolated(account))]}

    def wallet_of(self, account: Account) -> dict[str, Any]:
        """The row of `wallet-balance`, for the stream."""
        return fmt.wallet_row(self._venue.view(account), self._isolated(account))

    def _isolated(self, account: Account) -> bool:
        return fmt.margin_mode(account, list(self._venue.by_symbol)) == "ISOLATED_MARGIN"

    async def info(self, call: Call) -> object:
        return {"marginMode": fmt.margin_mode(call.user, list(self._venue.by_symbol)), "updatedTime": "1697078946000",
                "unifiedMarginStatus": 5, "dcpStatus": "OFF", "timeWindow": 10, "smpGroup": 0, "isMasterTrader": False,
                "spotHedgingStatus": "OFF"}

    async def key(self, call: Call) -> object:
        number = zlib.crc32(call.user.name.encode())
        return {"id": "1", "note": "", "apiKey": "", "readOnly": 0, "secret": "", "permissions": {
            "ContractTrade": ["Order", "Position"], "Spot": [], "Wallet": [], "Options": [], "Derivatives": [],
            "CopyTrading": [], "BlockTrade": [], "Exchange": [], "NFT": [], "Affiliate": []}, "ips": ["*"], "type": 1,
            "deadlineDay": 90, "expiredAt": "2099-01-01T00:00:00Z", "createdAt": "2022-01-01T00:00:00Z", "unified": 0,
            "uta": 1, "userID": number, "inviterID": 0, "vipLevel": "No VIP", "mktMakerLevel": "0", "affiliateID": 0,
            "rsaPublicKey": "", "isMaster": True, "parentUid": "0", "kycLevel": "LEVEL_DEFAULT", "kycRegion": ""}

    async def fee_rate(self, call: Call) -> object:
        specs = [self._orders.spec(call.values)] if call.symbol is not None else list(self._venue.specs)
        return {"category": "linear", "list": [
            {"symbol": spec.symbol, "takerFeeRate": plain(spec.taker_fee), "makerFeeRate": plain(spec.maker_fee)}
            for spec in specs]}

    # -- positions -----------------------------------------------------------------------------------------------

    async def positions(self, call: Call) -> object:
        """A named contract's rows, held or not; without one only what is held."""
        rows: list[dict[str, Any]] = []
        if call.values.linear and call.symbol is not None:
            rows = [fmt.position_row(view, call.ms) for view in self.views(call.user_seen, self._orders.spec(
                call.values).symbol)]
        elif call.values.linear:
            if "settleCoin" not in call.values and "baseCoin" not in call.values:
                raise declined(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
            rows = [fmt.position_row(view, call.ms) for view in self._venue.position_views(call.user_seen)
                    if view.steps]
        return {"list": rows, "nextPageCursor": "", "category": call.values.need("category")}

    def views(self, account: Account, symbol: str) -> list[PositionView]:
        """The legs of a contract that the position mode has."""
        legs = (Leg.LONG, Leg.SHORT) if account.hedge else (Leg.BOTH,)
        return [self._venue.position_view(account, symbol, leg) for leg in legs]

    # -- settings ------------------------------------------------------------------------------------------------

    async def leverage(self, call: Call) -> object:
        """One leverage a symbol here: both sides have to be the same. Raises Declined where nothing changes."""
        values, account = call.values, call.user
        spec = self._orders.spec(values)
        if values.money("buyLeverage") != values.money("sellLeverage"):
            raise declined(10001, "different leverages of the two sides are not simulated")
        wanted = values.money("buyLeverage") or ZERO
        if wanted != int(wanted):
            raise declined(10001, "fractions of leverage are not simulated")
        if account.setup(spec.symbol).leverage == int(wanted):
            raise declined(110043)
        self._venue.set_leverage(account, spec.symbol, int(wanted))
        return {}

    async def position_mode(self, call: Call) -> object:
        """Of the whole account here; the venue keeps it for each contract."""
        if not call.values.linear or not ("symbol" in call.values or "coin" in call.values):
            raise declined(10001, "symbol or coin is required")
        self._venue.set_hedge(call.user, call.values.need("mode") == "3")
        return {}

    async def margin_mode(self, call: Call) -> object:
        """Of the whole account. Refused while anything is held or open: nothing of it is switched then."""
        wanted, account = call.values.need("setMarginMode"), call.user
        if wanted == "PORTFOLIO_MARGIN":
            raise declined(3400045, "portfolio margin is not simulated")
        symbols = list(self._venue.by_symbol)
        if account.legs() or self._venue.open_orders(account):
            raise declined(3400045, "positions or orders are open")
        for symbol in symbols:
            try:
                self._venue.set_isolated(account, symbol, wanted == "ISOLATED_MARGIN")
            except Refused as refused:
                if refused.why is not Why.SAME_MARGIN_TYPE:
                    raise
        return {"reasons": []}
