"""Bitget's private channels: orders, plans, fills, positions, closed positions and money of an account.

Rows are made when a thing happens and leave once it is durable.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects import bitget_format as fmt
from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.binance_format import money, plain, qty
from modules.simulator.dialects.bitget_account import Accounts
from modules.simulator.dialects.bitget_orders import Orders
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.perp.api import Account, Algo, Cause, Execution, Fill, Leg, Listener, Order
from modules.simulator.sockets.bitget_hub import BitgetHub
from modules.simulator.sockets.bitget_names import DEFAULT, Topic

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue


class BitgetPrivate(Listener):
    """Follows the accounts that somebody listens to."""

    def __init__(self, venue: PerpVenue, hub: BitgetHub, rounds: Rounds) -> None:
        self._venue, self._hub, self._rounds = venue, hub, rounds
        self._accounts = Accounts(venue, Orders(venue), rounds)
        self._rows: list[tuple[str, str, str, dict[str, Any]]] = []  # account, channel, symbol, row
        self._moved: dict[str, set[str]] = {}  # accounts whose money or positions changed, and the contracts
        self._ended = {name: len(rounds.past(name)) for name in venue.accounts}  # closed positions told
        venue.listeners.append(self)
        venue.after_commit.append(self.send)
        hub.private_first = self.first

    # -- told by the venue ---------------------------------------------------------------------------------

    def order_update(self, account: Account, order: Order, execution: Execution, fill: Fill | None) -> None:
        """An order changed."""
        self._moved.setdefault(account.name, set()).add(order.symbol)
        if not self._hub.listens(account.name):
            return
        self._rows.append((account.name, "orders", order.symbol, self._order(account, order, fill)))
        if fill is not None:
            row = fmt.fill_row(fill) | {
                "orderType": "market" if not order.price else "limit", "clientOid": order.client_id,
                "uTime": str(fill.ms), "posMode": words.told_sides(fill.side, fill.leg)["posMode"]}
            del row["enterPointSource"]
            self._rows.append((account.name, "fill", order.symbol, row))

    def _order(self, account: Account, order: Order, fill: Fill | None) -> dict[str, Any]:
        sums = self._rounds.order(order.id)
        row = fmt.order_row(account, order, sums.fee, sums.result)
        worth = order.filled_quote if order.filled else order.qty * order.step * order.price * order.tick
        for name in ("symbol", "totalProfits", "quoteVolume", "orderSource", "fee", "baseVolume"):
            del row[name]
        told = {
            "instId": order.symbol, **row, "accBaseVolume": qty(order.filled, order.step),
            "feeDetail": [{"feeCoin": fmt.COIN, "fee": money(-sums.fee)}], "notionalUsd": plain(worth),
            "reduceOnly": row["reduceOnly"].lower(), "price": row["price"] or "0", "pnl": money(sums.result),
            "totalProfits": money(sums.result), "stpMode": "none", "cancelReason": order.expiry}
        if fill is not None:
            told |= {
                "fillPrice": plain(fill.price), "tradeId": str(fill.trade_id), "baseVolume": plain(fill.qty),
                "fillTime": str(fill.ms), "fillFee": money(-fill.fee), "fillFeeCoin": fmt.COIN,
                "tradeScope": "M" if fill.maker else "T", "fillNotionalUsd": plain(fill.quote)}
        return told

    def algo_update(self, account: Account, algo: Algo) -> None:
        """A plan changed."""
        if not self._hub.listens(account.name):
            return
        row = fmt.plan_row(account, algo, None)
        state = {"fail_trigger": "fail_execute"}.get(row["planStatus"], row["planStatus"])
        row |= {"instId": row.pop("symbol"), "status": state, "triggerTime": str(algo.triggered_ms or ""),
                "actualSize": "0", "executeOrderId": str(algo.order_id or "")}
        for name in ("planStatus", "orderSource"):
            del row[name]
        self._rows.append((account.name, "orders-algo", algo.symbol, row))

    def account_update(
        self, account: Account, cause: Cause, change: Decimal, symbols: Sequence[tuple[str, Leg]]
    ) -> None:
        """Money or positions changed."""
        self._moved.setdefault(account.name, set()).update(symbol for symbol, _ in symbols)

    # -- sent ----------------------------------------------------------------------------------------------

    def send(self) -> None:
        """What is durable now."""
        rows, self._rows = self._rows, []
        moved, self._moved = self._moved, {}
        for owner, channel, symbol, row in rows:
            self._hub.to_account(owner, channel, symbol, [row])
        for name, symbols in moved.items():
            past = self._rounds.past(name)
            told, self._ended[name] = self._ended[name], len(past)
            if not self._hub.listens(name):
                continue
            account = self._venue.accounts[name]
            self._positions(account, symbols)
            for ended in past[told:]:
                self._hub.to_account(name, "positions-history", ended.symbol, [_past(fmt.past_row(ended))])
            self._hub.to_account(name, "account", None, [self._money(account)])
            self._hub.to_account(name, "equity", None, [self._equity(account)])
        self._hub.flush()

    def _positions(self, account: Account, symbols: set[str]) -> None:
        found = [self._position(row) for row in self._accounts.positions_of(account, None, self._venue.now())]
        for topic in [one for one in self._hub.topics if one.channel == "positions"]:
            if topic.of == DEFAULT or topic.of in symbols:
                rows = [row for row in found if topic.of in (DEFAULT, row["instId"])]
                self._hub.to_hearers(account.name, topic, rows)

    @staticmethod
    def _position(row: dict[str, Any]) -> dict[str, Any]:
        symbol, locked = row.pop("symbol"), row.pop("locked")
        margin = Decimal(row["marginSize"])
        share = Decimal(row["unrealizedPL"]) / margin if margin else Decimal(0)
        return {"posId": f"{symbol}-{row['holdSide']}", "instId": symbol, **row, "frozen": locked,
                "leverage": int(row["leverage"]), "unrealizedPLR": plain(share.quantize(Decimal("1e-8"))),
                "marginRate": row["marginRatio"]}

    def _money(self, account: Account) -> dict[str, Any]:
        row = self._accounts.money(account)
        return {
            "marginCoin": row["marginCoin"], "frozen": row["locked"], "available": row["available"],
            "maxOpenPosAvailable": row["crossedMaxAvailable"], "maxTransferOut": row["maxTransferOut"],
            "equity": row["accountEquity"], "usdtEquity": row["usdtEquity"],
            "crossedRiskRate": row["crossedRiskRate"], "unrealizedPL": row["unrealizedPL"]}

    def _equity(self, account: Account) -> dict[str, Any]:
        row = self._accounts.money(account)
        return {name: row[name] for name in ("btcEquity", "usdtEquity", "unrealizedPL")}

    def first(self, account: Account, topic: Topic) -> Any:
        """What a new listener of a private channel gets first: money and positions as they are."""
        if topic.channel == "account":
            return [self._money(account)]
        if topic.channel == "equity":
            return [self._equity(account)]
        if topic.channel == "positions":
            symbol = None if topic.of == DEFAULT else topic.of
            rows = self._accounts.positions_of(account, symbol, self._venue.now())
            return [self._position(row) for row in rows]
        return None


def _past(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "posId": row["positionId"], "instId": row["symbol"], "marginCoin": row["marginCoin"],
        "marginMode": row["marginMode"], "holdSide": row["holdSide"], "posMode": row["posMode"],
        "openPriceAvg": row["openAvgPrice"], "closePriceAvg": row["closeAvgPrice"], "openSize": row["openTotalPos"],
        "closeSize": row["closeTotalPos"], "achievedProfits": row["pnl"], "settleFee": row["totalFunding"],
        "openFee": row["openFee"], "closeFee": row["closeFee"], "cTime": row["ctime"], "uTime": row["utime"]}
