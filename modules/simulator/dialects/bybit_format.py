"""Orders, executions, positions and money in Bybit v5's JSON: fields and words as it answers.

A conditional order keeps its id when it is triggered: the order that it became is told under the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from modules.simulator.dialects.binance_format import money, plain
from modules.simulator.perp.api import (
    Account,
    AccountView,
    Algo,
    AlgoStatus,
    Fill,
    Income,
    IncomeKind,
    Kind,
    Leg,
    Order,
    PositionView,
    Side,
    Spec,
    Status,
    Tif,
    Working,
)

COIN = "USDT"
_PLACES = Decimal("0.0001")
TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK, "PostOnly": Tif.GTX}
_TIF_WORDS = {tif: word for word, tif in TIFS.items()} | {Tif.GTD: "GTC"}
WORKING = {"LastPrice": Working.CONTRACT_PRICE, "MarkPrice": Working.MARK_PRICE}
_WORKING_WORDS = {working: word for word, working in WORKING.items()}
LEGS = {"0": Leg.BOTH, "1": Leg.LONG, "2": Leg.SHORT}
_INDEXES = {Leg.BOTH: 0, Leg.LONG: 1, Leg.SHORT: 2}
_STATES = {Status.NEW: "New", Status.PARTIALLY_FILLED: "PartiallyFilled", Status.FILLED: "Filled"}
_ALGO_STATES = {AlgoStatus.NEW: "Untriggered", AlgoStatus.CANCELED: "Deactivated", AlgoStatus.EXPIRED: "Deactivated",
                AlgoStatus.REJECTED: "Rejected", AlgoStatus.TRIGGERED: "Triggered", AlgoStatus.FINISHED: "Triggered"}
REASONS = {"post only": "EC_PostOnlyWillTakeLiquidity", "fill or kill": "EC_NoImmediateQtyToFill",
           "no counterparty": "EC_NoImmediateQtyToFill"}


def side(word: Side) -> str:
    """Buy or Sell."""
    return "Buy" if word is Side.BUY else "Sell"


def index_of(leg: Leg) -> int:
    """`positionIdx`: 0 one-way, 1 long, 2 short."""
    return _INDEXES[leg]


def rising(algo: Algo) -> int:
    """`triggerDirection`: 1 where the price has to rise to the trigger, 2 where it has to fall."""
    return 1 if algo.above else 2


@dataclass(frozen=True, slots=True)
class Told:
    """An order as Bybit tells it: an ordinary one, or a conditional one with what it became."""

    order: Order | None
    algo: Algo | None = None

    @property
    def head(self) -> Order | Algo:
        """What names it."""
        found = self.algo if self.algo is not None else self.order
        assert found is not None
        return found

    @property
    def id(self) -> int:
        """Its id."""
        return self.head.id

    @property
    def open(self) -> bool:
        """Whether it waits or may still be filled."""
        if self.algo is not None and self.algo.status is AlgoStatus.NEW:
            return True
        return self.order is not None and not self.order.status.final

    @property
    def updated_ms(self) -> int:
        """When it changed last."""
        return max(one.updated_ms for one in (self.order, self.algo) if one is not None)


def order_row(told: Told, fee: Decimal) -> dict[str, Any]:
    """A row of ``order/realtime`` and ``order/history``, and of the stream `order`."""
    head, order, algo = told.head, told.order, told.algo
    step, tick = head.step, head.tick
    filled = order.filled if order is not None else 0
    size = order.qty if order is not None else head.qty
    left = 0 if not told.open else size - filled
    state = _ALGO_STATES[algo.status] if algo is not None and order is None else _STATES.get(
        order.status if order is not None else Status.CANCELED, "Cancelled")
    reason = "EC_NoError"
    if order is not None and state == "Cancelled":
        reason = REASONS.get(order.expiry, "EC_NoError")
    market = head.kind in (Kind.MARKET, Kind.STOP_MARKET, Kind.TAKE_PROFIT_MARKET, Kind.TRAILING_STOP_MARKET)
    by_user = "CancelByUser" if state in ("Cancelled", "Deactivated") else "UNKNOWN"
    worth = order.filled_quote if order is not None else Decimal(0)
    return {
        "orderId": str(told.id), "orderLinkId": "" if head.client_id.startswith("sim") else head.client_id,
        "blockTradeId": "", "symbol": head.symbol, "price": plain(head.price * tick) if not market else "0",
        "qty": plain(size * step), "side": side(head.side), "isLeverage": "", "positionIdx": index_of(head.leg),
        "orderStatus": state,
        "createType": "CreateByLiq" if order is not None and order.liquidation else "CreateByUser",
        "cancelType": by_user, "rejectReason": reason,
        "avgPrice": plain(order.average.normalize()) if order is not None and filled else "",
        "leavesQty": plain(left * step), "leavesValue": plain(left * step * head.price * tick),
        "cumExecQty": plain(filled * step), "cumExecValue": plain(worth), "cumExecFee": money(fee),
        "timeInForce": "IOC" if market else _TIF_WORDS[head.tif], "orderType": "Market" if market else "Limit",
        "stopOrderType": "Stop" if algo is not None else "", "orderIv": "",
        "triggerPrice": plain(algo.trigger * tick) if algo is not None else "", "takeProfit": "", "stopLoss": "",
        "tpslMode": "", "tpLimitPrice": "", "slLimitPrice": "", "tpTriggerBy": "", "slTriggerBy": "",
        "triggerDirection": rising(algo) if algo is not None else 0,
        "triggerBy": _WORKING_WORDS[algo.working] if algo is not None else "", "lastPriceOnCreated": "",
        "reduceOnly": head.reduce_only, "closeOnTrigger": head.close_position, "placeType": "", "smpType": "None",
        "smpGroup": 0, "smpOrderId": "", "createdTime": str(head.created_ms), "updatedTime": str(told.updated_ms)}


def execution_row(fill: Fill, told: Told, closed: Decimal, mark: Decimal) -> dict[str, Any]:
    """A row of ``execution/list`` and of the stream `execution`. The venue tells no `positionIdx` here."""
    row = order_row(told, Decimal(0))
    order = told.order
    liquidation = order is not None and order.liquidation
    return {
        "symbol": fill.symbol, "orderType": row["orderType"], "underlyingPrice": "", "orderLinkId": row["orderLinkId"],
        "side": side(fill.side), "indexPrice": "", "orderId": row["orderId"], "stopOrderType": row["stopOrderType"],
        "leavesQty": row["leavesQty"], "execTime": str(fill.ms), "feeCurrency": "", "isMaker": fill.maker,
        "execFee": money(fill.fee), "feeRate": plain((fill.fee / fill.quote).quantize(Decimal("1e-8"))),
        "execId": exec_id(fill), "tradeIv": "", "blockTradeId": "", "markPrice": plain(mark),
        "execPrice": plain(fill.price), "markIv": "", "orderQty": row["qty"], "orderPrice": row["price"],
        "execValue": plain(fill.quote), "execType": "BustTrade" if liquidation else "Trade",
        "execQty": plain(fill.qty), "closedSize": plain(closed), "seq": fill.trade_id, "createType": row["createType"]}


def exec_id(fill: Fill) -> str:
    """An execution's id; both halves of a trade of an account with itself have their own."""
    return f"{fill.symbol}-{fill.trade_id}{'m' if fill.maker else ''}"


def funding_row(row: Income) -> dict[str, Any]:
    """Funding among the executions: it is one there, with the payment as its fee."""
    paid = -row.amount
    return {
        "symbol": row.symbol, "orderType": "UNKNOWN", "underlyingPrice": "", "orderLinkId": "",
        "side": "Buy" if paid > 0 else "Sell", "indexPrice": "", "orderId": f"funding-{row.id}",
        "stopOrderType": "UNKNOWN", "leavesQty": "0", "execTime": str(row.ms), "feeCurrency": "", "isMaker": False,
        "execFee": money(paid), "feeRate": "0.0001", "execId": f"funding-{row.id}", "tradeIv": "", "blockTradeId": "",
        "markPrice": "1", "execPrice": "1", "markIv": "", "orderQty": "0", "orderPrice": "0", "execValue": "0",
        "execType": "Funding", "execQty": "1", "closedSize": "0", "seq": row.id}


def position_row(view: PositionView, ms: int) -> dict[str, Any]:
    """A row of ``position/list``. In a unified account `tradeMode` is 0 whatever the margin mode is."""
    held = bool(view.steps)
    margin = view.isolated_margin if view.isolated else view.initial_margin
    return {
        "positionIdx": index_of(view.leg), "riskId": 1, "riskLimitValue": "", "symbol": view.symbol,
        "side": ("Buy" if view.steps > 0 else "Sell") if held else "", "size": plain(abs(view.qty)),
        "avgPrice": plain(view.entry) if held else "0", "positionValue": plain(abs(view.entry * view.qty)),
        "tradeMode": 0, "positionStatus": "Normal", "autoAddMargin": 0, "adlRankIndicator": view.adl if held else 0,
        "leverage": str(view.leverage), "positionBalance": money(margin) if held else "0",
        "markPrice": plain(view.mark),
        "liqPrice": plain(view.liquidation.quantize(_PLACES)) if held and view.liquidation > 0 else "",
        "bustPrice": "", "positionMM": money(view.maintenance), "positionIM": money(view.initial_margin),
        "tpslMode": "Full", "takeProfit": "", "stopLoss": "", "trailingStop": "0",
        "unrealisedPnl": money(view.unrealized), "curRealisedPnl": "0", "cumRealisedPnl": "0", "seq": 1,
        "isReduceOnly": False, "mmrSysUpdatedTime": "", "leverageSysUpdatedTime": "", "sessionAvgPrice": "",
        "createdTime": str(view.updated_ms or ms), "updatedTime": str(view.updated_ms or ms)}


def wallet_row(view: AccountView, isolated: bool) -> dict[str, Any]:
    """``wallet-balance``. With isolated margin the account's own totals are empty texts, as on the venue."""
    equity = view.wallet + view.unrealized

    def total(value: Decimal) -> str:
        return "" if isolated else money(value)
    return {
        "totalEquity": money(equity), "accountIMRate": total(_share(view.initial_margin, view.margin_balance)),
        "totalMarginBalance": total(view.margin_balance), "totalInitialMargin": total(view.initial_margin),
        "accountType": "UNIFIED", "totalAvailableBalance": total(view.available),
        "accountMMRate": total(_share(view.maintenance, view.margin_balance)), "totalPerpUPL": money(view.unrealized),
        "totalWalletBalance": money(view.wallet), "accountLTV": "", "totalMaintenanceMargin": total(view.maintenance),
        "coin": [{
            "availableToBorrow": "", "bonus": "0", "accruedInterest": "0", "availableToWithdraw": "",
            "totalOrderIM": money(view.order_margin), "equity": money(equity),
            "totalPositionMM": money(view.maintenance),
            "usdValue": money(equity), "unrealisedPnl": money(view.unrealized), "collateralSwitch": True,
            "spotHedgingQty": "0", "borrowAmount": "0", "totalPositionIM": money(view.position_margin),
            "walletBalance": money(view.wallet), "cumRealisedPnl": "0", "locked": "0", "marginCollateral": True,
            "coin": COIN}]}


def _share(part: Decimal, whole: Decimal) -> Decimal:
    return part / whole if whole > 0 else Decimal(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the transaction log: one trade with result and fee together, or one other change of the wallet."""

    id: int
    ms: int
    symbol: str
    kind: str
    cash: Decimal
    funding: Decimal
    fee: Decimal
    balance: Decimal
    fill: Fill | None = None


def log_row(one: Entry, told: Told | None) -> dict[str, Any]:
    """``account/transaction-log``. change = cashFlow + funding − fee."""
    fill = one.fill
    return {
        "id": str(one.id), "symbol": one.symbol, "category": "linear" if one.symbol else "",
        "side": side(fill.side) if fill is not None else "None", "transactionTime": str(one.ms), "type": one.kind,
        "transSubType": "", "qty": plain(fill.qty) if fill is not None else "0", "size": "0", "currency": COIN,
        "tradePrice": plain(fill.price) if fill is not None else "",
        "funding": money(one.funding) if one.funding else "",
        "fee": money(one.fee), "cashFlow": money(one.cash), "change": money(one.cash + one.funding - one.fee),
        "cashBalance": money(one.balance), "feeRate": "", "bonusChange": "",
        "tradeId": exec_id(fill) if fill is not None else "", "orderId": str(told.id) if told is not None else "",
        "orderLinkId": str(told.head.client_id) if told is not None else "", "extraFees": ""}


KINDS = {IncomeKind.FUNDING_FEE: "SETTLEMENT", IncomeKind.INSURANCE_CLEAR: "LIQUIDATION"}


def kind_of(row: Income) -> str:
    """`type` of a change of the wallet that is no trade."""
    if row.kind is IncomeKind.TRANSFER:
        return "TRANSFER_IN" if row.amount > 0 else "TRANSFER_OUT"
    return KINDS[row.kind]


def contract(spec: Spec, closed: bool) -> dict[str, Any]:
    """A row of ``instruments-info``."""
    return {
        "symbol": spec.symbol, "contractType": "LinearPerpetual", "status": "Closed" if closed else "Trading",
        "baseCoin": spec.base, "quoteCoin": spec.quote, "launchTime": str(spec.onboard_ms),
        "deliveryTime": str(spec.delist_ms or 0), "deliveryFeeRate": "", "priceScale": str(spec.price_precision),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{spec.brackets[0].leverage}.00", "leverageStep": "1"},
        "priceFilter": {"minPrice": plain(spec.price(spec.min_price)), "maxPrice": plain(spec.price(spec.max_price)),
                        "tickSize": plain(spec.tick)},
        "lotSizeFilter": {
            "maxOrderQty": plain(spec.qty(spec.max_qty)), "minOrderQty": plain(spec.qty(spec.min_qty)),
            "qtyStep": plain(spec.step), "postOnlyMaxOrderQty": plain(spec.qty(spec.max_qty)),
            "maxMktOrderQty": plain(spec.qty(spec.max_market_qty)), "minNotionalValue": plain(spec.min_notional)},
        "unifiedMarginTrade": True, "fundingInterval": spec.funding_hours * 60, "settleCoin": spec.quote,
        "copyTrading": "none", "upperFundingRate": plain(spec.funding_cap),
        "lowerFundingRate": plain(-spec.funding_cap),
        "isPreListing": False, "preListingInfo": None,
        "riskParameters": {"priceLimitRatioX": plain(spec.band), "priceLimitRatioY": plain(spec.band)},
        "symbolType": ""}


def margin_mode(account: Account, symbols: list[str]) -> str:
    """`marginMode` of the whole unified account."""
    isolated = bool(symbols) and all(account.setup(one).isolated for one in symbols)
    return "ISOLATED_MARGIN" if isolated else "REGULAR_MARGIN"
