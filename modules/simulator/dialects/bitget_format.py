"""Orders, plans, fills, positions and money in Bitget's JSON: fields and words as its classic v2 mix API answers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.binance_format import money, plain, price, qty
from modules.simulator.dialects.bitget_rounds import Round
from modules.simulator.perp.api import Account, AccountView, Algo, Fill, Income, IncomeKind, Kind, Order, PositionView

COIN = "USDT"
_MARKETS = (Kind.MARKET, Kind.STOP_MARKET, Kind.TAKE_PROFIT_MARKET, Kind.TRAILING_STOP_MARKET)


def _type(kind: Kind) -> str:
    return "market" if kind in _MARKETS else "limit"


def _presets(tag: str) -> dict[str, Any]:
    kept = words.tagged(tag)
    return {
        "presetStopSurplusPrice": kept.get("tp", ""), "presetStopSurplusExecutePrice": kept.get("tpx", ""),
        "presetStopLossPrice": kept.get("sl", ""), "presetStopLossExecutePrice": kept.get("slx", "")}


def order_row(account: Account, order: Order, fee: Decimal, result: Decimal, *, one: bool = False) -> dict[str, Any]:
    """An order; its commission and result beside it. `one`: as `detail` answers it (`state` for `status`)."""
    sides = words.told_sides(order.side, order.leg, order.liquidation)
    state = words.state(order.status)
    source = "normal" if not order.algo_id else {
        "pos_profit": "pos_profit_market", "pos_loss": "pos_loss_market", "profit_plan": "profit_market",
        "loss_plan": "loss_market"}.get(words.tagged(order.tag).get("plan", ""), "normal")
    return {
        "symbol": order.symbol, "size": qty(order.qty, order.step), "orderId": str(order.id),
        "clientOid": order.client_id, "baseVolume": qty(order.filled, order.step), "fee": money(-fee) if fee else "0",
        "price": price(order.price, order.tick) if order.price else "",
        "priceAvg": plain(order.average.quantize(order.tick / 1000)) if order.filled else "",
        ("state" if one else "status"): state, "side": sides["side"], "force": words.force(order.tif),
        "totalProfits": money(result) if result else "0", "posSide": sides["posSide"], "marginCoin": COIN,
        "quoteVolume": plain(order.filled_quote), "leverage": str(account.setup(order.symbol).leverage),
        "marginMode": words.margin_mode(account.setup(order.symbol).isolated), "enterPointSource": "API",
        "tradeSide": sides["tradeSide"], "posMode": sides["posMode"], "orderType": _type(order.kind),
        "orderSource": source, "reduceOnly": words.reduce_only(order), **_presets(order.tag),
        "cTime": str(order.created_ms), "uTime": str(order.updated_ms)}


def plan_row(account: Account, algo: Algo, order: Order | None, *, ended: bool = False) -> dict[str, Any]:
    """A plan order; `order` is what it became."""
    sides, plan = words.told_sides(algo.side, algo.leg), words.plan_type(algo)
    kept = words.tagged(algo.tag)
    trailing = algo.kind is Kind.TRAILING_STOP_MARKET
    level = algo.activation if trailing and algo.activation else algo.trigger
    row: dict[str, Any] = {
        "planType": plan, "symbol": algo.symbol,
        "size": "0" if algo.close_position else qty(algo.qty, algo.step), "orderId": str(algo.id),
        "clientOid": algo.client_id, "price": price(algo.price, algo.tick) if algo.price else "",
        "executePrice": price(algo.price, algo.tick) if algo.price else "0",
        "callbackRatio": plain(algo.callback) if trailing else "", "triggerPrice": price(level, algo.tick),
        "triggerType": words.trigger_type(algo.working), "planStatus": words.plan_state(algo), "side": sides["side"],
        "posSide": sides["posSide"], "marginCoin": COIN,
        "marginMode": words.margin_mode(account.setup(algo.symbol).isolated), "enterPointSource": "API",
        "tradeSide": sides["tradeSide"], "posMode": sides["posMode"], "orderType": _type(algo.kind),
        "orderSource": "normal", "reduceOnly": words.reduce_only(algo), "cTime": str(algo.created_ms),
        "uTime": str(algo.updated_ms), "stopSurplusExecutePrice": kept.get("tpx", ""),
        "stopSurplusTriggerPrice": kept.get("tp", ""), "stopSurplusTriggerType": kept.get("tpt", ""),
        "stopLossExecutePrice": kept.get("slx", ""), "stopLossTriggerPrice": kept.get("sl", ""),
        "stopLossTriggerType": kept.get("slt", "")}
    if ended:
        row["executeOrderId"] = str(algo.order_id) if algo.order_id else ""
        row["priceAvg"] = plain(order.average.quantize(order.tick / 1000)) if order and order.filled else ""
        row["baseVolume"] = qty(order.filled, order.step) if order is not None else "0"
    return row


def fee_detail(fee: Decimal) -> list[dict[str, str]]:
    """`feeDetail`: what was paid is negative."""
    return [{"deduction": "no", "feeCoin": COIN, "totalDeductionFee": "0", "totalFee": money(-fee)}]


def fill_row(fill: Fill) -> dict[str, Any]:
    """One trade of one's own."""
    sides = words.told_sides(fill.side, fill.leg)
    return {
        "tradeId": str(fill.trade_id), "symbol": fill.symbol, "orderId": str(fill.order_id), "price": plain(fill.price),
        "baseVolume": plain(fill.qty), "feeDetail": fee_detail(fill.fee), "side": sides["side"],
        "quoteVolume": plain(fill.quote), "profit": plain(fill.realized), "enterPointSource": "api",
        "tradeSide": sides["tradeSide"], "posMode": sides["posMode"], "tradeScope": "maker" if fill.maker else "taker",
        "cTime": str(fill.ms)}


def account_row(view: AccountView, btc: Decimal) -> dict[str, Any]:
    """A margin coin of an account."""
    risk = view.maintenance / view.margin_balance if view.margin_balance > 0 else Decimal(0)
    return {
        "marginCoin": COIN, "locked": money(view.order_margin), "available": money(view.wallet - view.order_margin),
        "crossedMaxAvailable": money(view.available), "isolatedMaxAvailable": money(view.available),
        "maxTransferOut": money(view.max_withdraw), "accountEquity": money(view.margin_balance),
        "usdtEquity": money(view.margin_balance), "btcEquity": money(view.margin_balance / btc),
        "crossedRiskRate": plain(risk.quantize(Decimal("1e-8"))), "unrealizedPL": money(view.unrealized),
        "coupon": "0", "crossedUnrealizedPL": money(view.cross_unrealized),
        "isolatedUnrealizedPL": money(view.unrealized - view.cross_unrealized), "grant": "0", "assetMode": "single"}


def position_row(view: PositionView, held: Round | None, opening: str, locked: Decimal, ms: int) -> dict[str, Any]:
    """An open position. `opening` is the size of its opening orders, `locked` that of its closing ones."""
    total = abs(view.qty)
    margin = view.isolated_wallet if view.isolated else view.initial_margin
    ratio = view.maintenance / margin if margin > 0 else Decimal(0)
    rate = view.maintenance / abs(view.notional) if view.notional else Decimal(0)
    fees = (held.open_fee + held.close_fee) if held is not None else Decimal(0)
    began = str(held.opened_ms if held is not None else view.updated_ms)
    return {
        "marginCoin": COIN, "symbol": view.symbol, "holdSide": words.hold_side(view.leg, view.steps),
        "openDelegateSize": opening, "marginSize": money(margin), "available": plain(total - locked),
        "locked": plain(locked), "total": plain(total), "leverage": str(view.leverage),
        "achievedProfits": money(held.result) if held is not None else "0",
        "openPriceAvg": plain(view.entry.quantize(Decimal("1e-12"))), "marginMode": words.margin_mode(view.isolated),
        "posMode": words.mode(view.leg != "BOTH"), "unrealizedPL": money(view.unrealized),
        "liquidationPrice": plain(view.liquidation.quantize(Decimal("1e-8"))),
        "keepMarginRate": plain(rate.quantize(Decimal("1e-8"))), "markPrice": plain(view.mark),
        "breakEvenPrice": plain(view.break_even.quantize(Decimal("1e-8"))), "totalFee": money(-fees),
        "deductedFee": money(fees), "marginRatio": plain(ratio.quantize(Decimal("1e-8"))), "assetMode": "single",
        "autoMargin": "off", "takeProfit": "", "stopLoss": "", "takeProfitId": "", "stopLossId": "",
        "cTime": began, "uTime": str(view.updated_ms or ms)}


def past_row(held: Round) -> dict[str, Any]:
    """A position that was closed."""
    return {
        "positionId": str(held.id), "symbol": held.symbol, "marginCoin": COIN,
        "holdSide": "long" if held.long else "short", "posMode": words.mode(held.leg != "BOTH"),
        "openAvgPrice": _average(held.open_quote, held.opened),
        "closeAvgPrice": _average(held.close_quote, held.closed),
        "marginMode": words.margin_mode(held.isolated), "openTotalPos": plain(held.opened),
        "closeTotalPos": plain(held.closed), "pnl": money(held.result),
        "netProfit": money(held.result - held.open_fee - held.close_fee + held.funding),
        "totalFunding": money(held.funding), "openFee": money(-held.open_fee), "closeFee": money(-held.close_fee),
        "ctime": str(held.opened_ms), "utime": str(held.updated_ms)}


def _average(quote: Decimal, size: Decimal) -> str:
    return plain((quote / size).quantize(Decimal("1e-8"))) if size else "0"


@dataclass(frozen=True, slots=True)
class Bill:
    """A change of the wallet, the balance after it, and the trade it comes from."""

    row: Income
    balance: Decimal
    fill: Fill | None

    @property
    def business(self) -> str:
        """`businessType`: of a trade what it did, open_long … close_short, in one-way mode buy or sell."""
        if self.fill is not None and self.row.kind in (IncomeKind.COMMISSION, IncomeKind.REALIZED_PNL):
            sides = words.told_sides(self.fill.side, self.fill.leg)
            return sides["side"] if sides["posSide"] == "net" else f"{sides['tradeSide']}_{sides['posSide']}"
        return {
            IncomeKind.TRANSFER: "trans_from_exchange" if self.row.amount > 0 else "trans_to_exchange",
            IncomeKind.FUNDING_FEE: "contract_settle_fee", IncomeKind.COMMISSION: "contract_main_fee",
            IncomeKind.REALIZED_PNL: "contract_close", IncomeKind.INSURANCE_CLEAR: "force_settle_fee",
        }[self.row.kind]


def bill_row(bill: Bill) -> dict[str, Any]:
    """One change of the wallet; commissions stand in `fee`, all else in `amount`."""
    row, paid = bill.row, bill.row.kind is IncomeKind.COMMISSION
    return {
        "billId": str(row.id), "symbol": row.symbol, "amount": "0" if paid else money(row.amount),
        "fee": money(row.amount) if paid else "0", "feeByCoupon": "", "businessType": bill.business,
        "coin": row.asset, "balance": money(bill.balance), "cTime": str(row.ms)}
