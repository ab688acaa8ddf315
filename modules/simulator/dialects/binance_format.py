"""Orders, fills, positions and money in Binance USD-M's JSON: fields, their order and their decimals as it answers."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any

from modules.simulator.perp.api import (
    Account,
    AccountView,
    Algo,
    Fill,
    Income,
    IncomeKind,
    Kind,
    Leg,
    Order,
    PositionView,
    Spec,
    Status,
)
from modules.simulator.sockets.digits import Digits

STP = "EXPIRE_MAKER"
NO_MATCH = "NONE"
ASSET = "USDT"
#: the coins an account has rows for; in the single-asset mode all but the first stay empty
ASSETS = (ASSET, "BTC", "BNB", "ETH", "USDC")
_NOTHING = AccountView(*[Decimal(0)] * 11)
_EIGHT = Decimal("1e-8")


def money(value: Decimal) -> str:
    """Eight decimals."""
    return f"{value.quantize(_EIGHT, ROUND_HALF_UP):f}"


def plain(value: Decimal) -> str:
    """A Decimal without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fixed(value: Decimal, decimals: int) -> str:
    """So many decimals."""
    return f"{value:.{decimals}f}"


@lru_cache(maxsize=1024)
def digits(unit: Decimal) -> Digits:
    """What writes multiples of a unit."""
    return Digits(unit)


def _decimals(unit: Decimal) -> int:
    return digits(unit).decimals


def price(ticks: int, tick: Decimal) -> str:
    """A price with the decimals of its tick."""
    return digits(tick).text(ticks)


def qty(steps: int, step: Decimal) -> str:
    """A quantity with the decimals of its step."""
    return digits(step).text(steps)


# -- orders ------------------------------------------------------------------------------------------------------


def order_row(order: Order, *, timed: bool = True, acknowledged: bool = False) -> dict[str, Any]:
    """An order as queries answer it; without `time` (and with `cumQty`) as its placing does.

    `acknowledged`: as it was taken, before anything of it was executed (newOrderRespType ACK).
    """
    filled = 0 if acknowledged else order.filled
    quote = Decimal(0) if acknowledged else order.filled_quote
    average = Decimal(0) if acknowledged else order.average
    row: dict[str, Any] = {
        "orderId": order.id, "symbol": order.symbol,
        "status": str(Status.NEW if acknowledged else order.status), "clientOrderId": order.client_id,
        "price": price(order.price, order.tick), "avgPrice": fixed(average, max(5, _decimals(order.tick) + 2)),
        "origQty": qty(order.qty, order.step), "executedQty": qty(filled, order.step),
    }
    if not timed:
        row["cumQty"] = qty(filled, order.step)
    row |= {
        "cumQuote": plain(quote), "timeInForce": str(order.tif), "type": str(order.kind),
        "reduceOnly": order.reduce_only, "closePosition": order.close_position, "side": str(order.side),
        "positionSide": str(order.leg), "stopPrice": "0", "workingType": "CONTRACT_PRICE", "priceProtect": False,
        "origType": str(order.orig_kind or order.kind), "priceMatch": NO_MATCH, "selfTradePreventionMode": STP,
        "goodTillDate": order.good_till_ms,
    }
    if timed:
        row["time"] = order.created_ms
    row["updateTime"] = order.created_ms if acknowledged else order.updated_ms
    return row


def fill_row(fill: Fill) -> dict[str, Any]:
    """One trade of one's own."""
    return {
        "buyer": fill.side == "BUY", "commission": money(fill.fee), "commissionAsset": ASSET, "id": fill.trade_id,
        "maker": fill.maker, "orderId": fill.order_id, "price": plain(fill.price), "qty": plain(fill.qty),
        "quoteQty": plain(fill.quote), "realizedPnl": money(fill.realized), "side": str(fill.side),
        "positionSide": str(fill.leg), "symbol": fill.symbol, "time": fill.ms,
    }


def force_row(order: Order) -> dict[str, Any]:
    """A liquidation of one's own."""
    row = order_row(order)
    for name in ("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"):
        del row[name]
    return row


def algo_row(algo: Algo, order: Order | None, *, placed: bool = False) -> dict[str, Any]:
    """A conditional order; `order` is what it became once triggered."""
    trailing = algo.kind is Kind.TRAILING_STOP_MARKET
    activation = price(algo.activation, algo.tick) if trailing and algo.activation else ""
    callback = plain(algo.callback) if trailing else ""
    row: dict[str, Any] = {
        "algoId": algo.id, "clientAlgoId": algo.client_id, "algoType": "CONDITIONAL", "orderType": str(algo.kind),
        "symbol": algo.symbol, "side": str(algo.side), "positionSide": str(algo.leg), "timeInForce": str(algo.tif),
        "quantity": qty(algo.qty, algo.step), "algoStatus": str(algo.status),
    }
    if not placed:
        row["actualOrderId"] = str(algo.order_id) if algo.order_id else ""
        row["actualPrice"] = fixed(order.average if order is not None else Decimal(0), 5)
        if order is not None:
            row["actualQty"] = qty(order.filled, order.step)
            row["actualType"] = str(order.kind)
    row |= {
        "triggerPrice": price(algo.trigger, algo.tick), "price": price(algo.price, algo.tick),
        "icebergQuantity": None,
    }
    if not placed:
        zero = price(0, algo.tick)
        row |= {"tpTriggerPrice": zero, "tpPrice": zero, "slTriggerPrice": zero, "slPrice": zero, "tpOrderType": ""}
    row |= {
        "selfTradePreventionMode": STP, "workingType": str(algo.working), "priceMatch": NO_MATCH,
        "closePosition": algo.close_position, "priceProtect": algo.price_protect, "reduceOnly": algo.reduce_only,
    }
    if placed or trailing:
        row |= {"activatePrice": activation, "callbackRate": callback}
    return row | {
        "createTime": algo.created_ms, "updateTime": algo.updated_ms, "triggerTime": algo.triggered_ms,
        "goodTillDate": algo.good_till_ms,
    }


def income_row(row: Income) -> dict[str, Any]:
    """One change of the wallet."""
    traded = row.trade_id != 0
    info = row.info or (str(row.trade_id) if traded else str(row.kind))
    return {
        "symbol": "" if row.kind is IncomeKind.TRANSFER else row.symbol, "incomeType": str(row.kind),
        "income": money(row.amount), "asset": row.asset, "info": info, "time": row.ms, "tranId": row.id,
        "tradeId": str(row.trade_id) if traded else "",
    }


# -- positions and money -----------------------------------------------------------------------------------------


def max_notional(spec: Spec, leverage: int) -> int:
    """The largest notional that a leverage allows."""
    return max((bracket.cap for bracket in spec.brackets if bracket.leverage >= leverage), default=0)


def position_v2(spec: Spec, view: PositionView) -> dict[str, Any]:
    """A row of /fapi/v2/positionRisk."""
    return {
        "symbol": view.symbol, "positionAmt": fixed(view.qty, spec.qty_precision), "entryPrice": _entry(view.entry),
        "breakEvenPrice": _entry(view.break_even), "markPrice": money(view.mark),
        "unRealizedProfit": money(view.unrealized), "liquidationPrice": _liquidation(view.liquidation),
        "leverage": str(view.leverage), "maxNotionalValue": str(max_notional(spec, view.leverage)),
        "marginType": "isolated" if view.isolated else "cross", "isolatedMargin": money(view.isolated_margin),
        "isAutoAddMargin": "false", "positionSide": str(view.leg), "notional": _notional(view.notional),
        "isolatedWallet": _notional(view.isolated_wallet), "updateTime": view.updated_ms,
    }


def position_v3(spec: Spec, view: PositionView) -> dict[str, Any]:
    """A row of /fapi/v3/positionRisk."""
    return {
        "symbol": view.symbol, "positionSide": str(view.leg),
        "positionAmt": fixed(view.qty, spec.qty_precision), "entryPrice": _entry(view.entry),
        "breakEvenPrice": _entry(view.break_even), "markPrice": money(view.mark),
        "unRealizedProfit": money(view.unrealized), "liquidationPrice": _liquidation(view.liquidation),
        "isolatedMargin": _notional(view.isolated_margin), "notional": _notional(view.notional),
        "marginAsset": ASSET, "isolatedWallet": _notional(view.isolated_wallet),
        "initialMargin": _notional(view.initial_margin), "maintMargin": _notional(view.maintenance),
        "positionInitialMargin": _notional(_position_margin(view)),
        "openOrderInitialMargin": _notional(view.initial_margin - _position_margin(view)), "adl": view.adl,
        "bidNotional": _notional(view.bid_notional), "askNotional": _notional(view.ask_notional),
        "updateTime": view.updated_ms,
    }


def account_position_v2(spec: Spec, view: PositionView) -> dict[str, Any]:
    """A row of `positions` in /fapi/v2/account."""
    return {
        "symbol": view.symbol, "initialMargin": _notional(view.initial_margin),
        "maintMargin": _notional(view.maintenance),
        "unrealizedProfit": money(view.unrealized), "positionInitialMargin": _notional(_position_margin(view)),
        "openOrderInitialMargin": _notional(view.initial_margin - _position_margin(view)),
        "leverage": str(view.leverage), "isolated": view.isolated, "entryPrice": _entry(view.entry),
        "breakEvenPrice": _entry(view.break_even), "maxNotional": str(max_notional(spec, view.leverage)),
        "bidNotional": _notional(view.bid_notional), "askNotional": _notional(view.ask_notional),
        "positionSide": str(view.leg), "positionAmt": fixed(view.qty, spec.qty_precision),
        "notional": _notional(view.notional), "isolatedWallet": _notional(view.isolated_wallet),
        "updateTime": view.updated_ms,
    }


def account_position_v3(spec: Spec, view: PositionView) -> dict[str, Any]:
    """A row of `positions` in /fapi/v3/account."""
    return {
        "symbol": view.symbol, "positionSide": str(view.leg), "positionAmt": fixed(view.qty, spec.qty_precision),
        "unrealizedProfit": money(view.unrealized), "isolatedMargin": money(view.isolated_margin),
        "notional": _notional(view.notional), "isolatedWallet": _notional(view.isolated_wallet),
        "initialMargin": _notional(view.initial_margin), "maintMargin": _notional(view.maintenance),
        "updateTime": view.updated_ms,
    }


def _entry(value: Decimal) -> str:
    """An average price: 0.0 without a position, otherwise up to 12 digits behind the point."""
    return plain(value.quantize(Decimal("1e-12"), ROUND_HALF_UP)) if value else "0.0"


def _liquidation(value: Decimal) -> str:
    return money(value) if value else "0"


def _notional(value: Decimal) -> str:
    return money(value) if value else "0"


def _position_margin(view: PositionView) -> Decimal:
    return abs(view.notional) / view.leverage if view.steps else Decimal(0)


def by_asset(view: AccountView) -> list[tuple[str, AccountView]]:
    """An account's coins and what is in them."""
    return [(asset, view if asset == ASSET else _NOTHING) for asset in ASSETS]


def balance_row(account: Account, asset: str, view: AccountView, ms: int) -> dict[str, Any]:
    """A row of /fapi/v2/balance and /fapi/v3/balance."""
    return {
        "accountAlias": alias(account), "asset": asset, "balance": money(view.wallet),
        "crossWalletBalance": money(view.cross_wallet), "crossUnPnl": money(view.cross_unrealized),
        "availableBalance": money(view.available), "maxWithdrawAmount": money(view.max_withdraw),
        "marginAvailable": True, "updateTime": ms,
    }


def alias(account: Account) -> str:
    """The account's short name, letters only."""
    return "Sg" + "".join(letter for letter in account.name.title() if letter.isalpha())[:2]


def totals(view: AccountView) -> dict[str, Any]:
    """The sums at the head of /account."""
    return {
        "totalInitialMargin": money(view.initial_margin), "totalMaintMargin": money(view.maintenance),
        "totalWalletBalance": money(view.wallet), "totalUnrealizedProfit": money(view.unrealized),
        "totalMarginBalance": money(view.margin_balance), "totalPositionInitialMargin": money(view.position_margin),
        "totalOpenOrderInitialMargin": money(view.order_margin), "totalCrossWalletBalance": money(view.cross_wallet),
        "totalCrossUnPnl": money(view.cross_unrealized), "availableBalance": money(view.available),
        "maxWithdrawAmount": money(view.max_withdraw),
    }


def asset_row(asset: str, view: AccountView, ms: int) -> dict[str, Any]:
    """A row of `assets` in /account."""
    return {
        "asset": asset, "walletBalance": money(view.wallet), "unrealizedProfit": money(view.unrealized),
        "marginBalance": money(view.margin_balance), "maintMargin": money(view.maintenance),
        "initialMargin": money(view.initial_margin), "positionInitialMargin": money(view.position_margin),
        "openOrderInitialMargin": money(view.order_margin), "crossWalletBalance": money(view.cross_wallet),
        "crossUnPnl": money(view.cross_unrealized), "availableBalance": money(view.available),
        "maxWithdrawAmount": money(view.max_withdraw), "updateTime": ms,
    }


def wanted_leg(text: str | None) -> Leg | None:
    """A `positionSide` parameter."""
    return Leg(text) if text is not None else None
