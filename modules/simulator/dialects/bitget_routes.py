"""The table of Bitget's v2 mix endpoints: parameters, calls a second, who may call, handlers.

Rates are those of the venue's documentation. What is not in the table is answered 404; parameters that are not in a
route's line are refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.simulator.dialects import bitget_plans as plans
from modules.simulator.dialects.bitget import Handler, Route
from modules.simulator.dialects.bitget_account import Accounts
from modules.simulator.dialects.bitget_lookups import Lookups
from modules.simulator.dialects.bitget_market import Market
from modules.simulator.dialects.bitget_orders import BATCH_LINE, ORDER_LINE, Orders
from modules.simulator.dialects.bitget_rounds import Rounds
from modules.simulator.dialects.params import params_line

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

Table = dict[tuple[str, str], Route]
_ONE = "symbol!:symbol productType!:product"
_SOME = "symbol:symbol productType!:product"
_SPAN = "startTime:int endTime:int limit:int"
_PAGE = f"idLessThan:int {_SPAN}"
_CANDLES = f"{_ONE} granularity! {_SPAN} kLineType=market|mark|index"
_COIN = "marginCoin!:symbol"


def routes(venue: PerpVenue, rounds: Rounds) -> Table:
    """Every endpoint, by method and path."""
    orders = Orders(venue)
    return {
        **_public(Market(venue)), **_trading(orders, Lookups(venue, orders, rounds)),
        **_plans(plans.Plans(venue, orders)), **_account(Accounts(venue, orders, rounds)),
        **_others(Market(venue), Accounts(venue, orders, rounds), Lookups(venue, orders, rounds))}


def _public(market: Market) -> Table:
    table: list[tuple[str, Handler, str]] = [
        ("contracts", market.contracts, _SOME),
        ("ticker", market.ticker, _ONE),
        ("tickers", market.tickers, "productType!:product"),
        ("merge-depth", market.depth, f"{_ONE} precision=scale0|scale1|scale2|scale3 limit"),
        ("orderbook", market.depth, f"{_ONE} precision=scale0|scale1|scale2|scale3 limit"),
        ("candles", market.candles, _CANDLES),
        ("history-candles", market.past_candles, _CANDLES),
        ("history-mark-candles", market.mark_candles, _CANDLES),
        ("history-index-candles", market.index_candles, _CANDLES),
        ("fills", market.fills, f"{_ONE} limit:int"),
        ("fills-history", market.fills, f"{_ONE} {_PAGE}"),
        ("symbol-price", market.symbol_price, _ONE),
        ("open-interest", market.open_interest, _ONE),
        ("funding-time", market.funding_time, _ONE),
        ("current-fund-rate", market.funding, _SOME),
        ("history-fund-rate", market.funding_history, f"{_ONE} pageSize:int pageNo:int"),
        ("query-position-lever", market.tiers, _ONE),
        ("vip-fee-rate", market.fee_levels, ""),
    ]
    return {("GET", f"/api/v2/mix/market/{path}"): Route(handler, params_line(line), 20)
            for path, handler, line in table}


def _others(market: Market, accounts: Accounts, lookups: Lookups) -> Table:
    """What clients ask of other rooms when they start."""
    empty = {("GET", f"/api/v2/{path}"): Route(market.nothing, params_line("coin symbol marketType"), 20)
             for path in ("spot/public/coins", "spot/public/symbols", "margin/currencies")}
    return empty | {
        ("GET", "/api/v2/public/time"): Route(market.time, {}, 20),
        ("GET", "/api/v2/common/trade-rate"): Route(
            market.trade_rate, params_line("symbol!:symbol businessType!=mix"), 10, private=True),
        ("GET", "/api/v2/mix/account/bill"): Route(
            lookups.bills, params_line(
                f"{_SOME} coin:symbol marginCoin:symbol businessType {_PAGE}"), 10, private=True),
        ("GET", "/api/v2/spot/account/info"): Route(accounts.info, {}, 1, private=True),
        ("GET", "/api/v2/spot/account/assets"): Route(
            market.nothing, params_line("coin assetType"), 10, private=True),
    }


def _private(prefix: str, table: list[tuple[str, str, Handler, str, int]]) -> Table:
    return {(method, f"/api/v2/mix/{prefix}/{path}"): Route(handler, params_line(line), rate, private=True)
            for method, path, handler, line, rate in table}


def _trading(orders: Orders, lookups: Lookups) -> Table:
    ids = "orderId:int clientOid:id"
    modify = (f"{_ONE} {ids} marginCoin:symbol newClientOid:id newSize:dec newPrice:dec "
              "newPresetStopSurplusPrice:dec newPresetStopLossPrice:dec")
    listed = f"{_SOME} {ids} {_PAGE}"
    return _private("order", [
        ("POST", "place-order", orders.place, ORDER_LINE, 10),
        ("POST", "batch-place-order", orders.place_batch, BATCH_LINE, 5),
        ("POST", "modify-order", orders.modify, modify, 10),
        ("POST", "cancel-order", orders.cancel, f"{_ONE} {ids} marginCoin:symbol", 10),
        ("POST", "batch-cancel-orders", orders.cancel_batch, f"{_SOME} marginCoin:symbol orderIdList:rows", 10),
        ("POST", "cancel-all-orders", orders.cancel_all,
         f"{_SOME} marginCoin:symbol requestTime:int receiveWindow:int", 10),
        ("POST", "close-positions", orders.close_positions, f"{_SOME} holdSide=long|short", 1),
        ("GET", "detail", lookups.detail, f"{_ONE} {ids}", 10),
        ("GET", "orders-pending", lookups.pending, f"{listed} status=live|partially_filled", 10),
        ("GET", "orders-history", lookups.history, f"{listed} orderSource", 10),
        ("GET", "fills", lookups.fills, f"{_SOME} orderId:int {_PAGE}", 10),
        ("GET", "fill-history", lookups.fills, f"{_SOME} orderId:int {_PAGE}", 10),
    ])


def _plans(handlers: plans.Plans) -> Table:
    kinds = "planType!=normal_plan|track_plan|profit_loss"
    listed = f"{_SOME} orderId:int clientOid:id {kinds} {_PAGE}"
    return _private("order", [
        ("POST", "place-plan-order", handlers.place, plans.PLAN_LINE, 10),
        ("POST", "place-tpsl-order", handlers.place_tpsl, plans.TPSL_LINE, 10),
        ("POST", "place-pos-tpsl", handlers.place_position, plans.POS_TPSL_LINE, 10),
        ("POST", "modify-plan-order", handlers.modify, plans.MODIFY_PLAN_LINE, 10),
        ("POST", "modify-tpsl-order", handlers.modify_tpsl, plans.MODIFY_TPSL_LINE, 10),
        ("POST", "cancel-plan-order", handlers.cancel, plans.CANCEL_PLAN_LINE, 10),
        ("GET", "orders-plan-pending", handlers.pending, listed, 10),
        ("GET", "orders-plan-history", handlers.history, f"{listed} planStatus=executed|fail_trigger|cancelled", 10),
        ("GET", "plan-sub-order", handlers.children, "planType! planOrderId!:int productType!:product", 10),
    ])


def _account(accounts: Accounts) -> Table:
    side = "holdSide=long|short"
    return _private("account", [
        ("GET", "account", accounts.account, f"{_ONE} {_COIN}", 10),
        ("GET", "accounts", accounts.accounts, "productType!:product", 10),
        ("POST", "set-leverage", accounts.leverage,
         f"{_ONE} {_COIN} leverage:int longLeverage:int shortLeverage:int {side}", 5),
        ("POST", "set-margin", accounts.margin, f"{_ONE} {_COIN} amount!:dec holdSide=long|short|buy|sell", 5),
        ("POST", "set-margin-mode", accounts.margin_mode, f"{_ONE} {_COIN} marginMode!=isolated|crossed", 5),
        ("POST", "set-position-mode", accounts.position_mode,
         "productType!:product posMode!=one_way_mode|hedge_mode", 5),
    ]) | _private("position", [
        ("GET", "single-position", accounts.position, f"{_ONE} {_COIN}", 10),
        ("GET", "all-position", accounts.positions, f"productType!:product marginCoin:symbol {side}", 5),
        ("GET", "history-position", accounts.past, f"symbol:symbol productType:product {_PAGE}", 20),
    ])
