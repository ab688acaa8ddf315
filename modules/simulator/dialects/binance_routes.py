"""The table of Binance USD-M endpoints: parameters, weights, who may call, handlers.

Weights are those of the venue's documentation. What is not in the table is answered 404, parameters that are not in a
route's line are refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from modules.simulator.dialects.binance import Access, Handler, Route, Weight, by_limit, by_symbol, flat
from modules.simulator.dialects.binance_account import INCOME_KINDS, Accounts, Keys
from modules.simulator.dialects.binance_algo import ALGO_LINE, Algos
from modules.simulator.dialects.binance_lookups import Lookups
from modules.simulator.dialects.binance_market import CONTRACTS, INTERVALS, Market
from modules.simulator.dialects.binance_orders import LEGS, MODIFY_LINE, ORDER_LINE, Orders, batch_size
from modules.simulator.dialects.binance_params import Values
from modules.simulator.dialects.binance_stats import PERIODS, Stats
from modules.simulator.dialects.binance_weights import Limits
from modules.simulator.dialects.params import params_line

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

Table = dict[tuple[str, str], Route]
_SPAN = "startTime:int endTime:int"
_ORDER = "symbol!:symbol orderId:int origClientOrderId:id"
_INTERVAL = f"interval!={'|'.join(INTERVALS)}"
_KLINES = by_limit(500, (99, 1), (499, 2), (1000, 5), (10_000, 10))
_PERIOD = f"period!={'|'.join(PERIODS)} limit:int {_SPAN}"


def routes(venue: PerpVenue, keys: Keys, limits: Limits) -> Table:
    """Every endpoint, by method and path."""
    orders = Orders(venue)
    return {
        **_market(Market(venue, limits)), **_stats(Stats(venue)), **_orders(orders, Lookups(venue, orders)),
        **_algos(Algos(venue, orders)), **_accounts(Accounts(venue, keys, limits))}


def _market(market: Market) -> Table:
    table: list[tuple[str, Handler, str, Weight]] = [
        ("v1/ping", market.ping, "", flat(1)),
        ("v1/time", market.time, "", flat(1)),
        ("v1/exchangeInfo", market.exchange_info, "", flat(1)),
        ("v1/depth", market.depth, "symbol!:symbol limit:int", by_limit(500, (50, 2), (100, 5), (500, 10), (1000, 20))),
        ("v1/trades", market.trades, "symbol!:symbol limit:int", flat(5)),
        ("v1/aggTrades", market.agg_trades, f"symbol!:symbol fromId:int {_SPAN} limit:int", flat(20)),
        ("v1/klines", market.klines, f"symbol!:symbol {_INTERVAL} {_SPAN} limit:int", _KLINES),
        ("v1/continuousKlines", market.continuous_klines,
         f"pair!:symbol contractType!={'|'.join(CONTRACTS)} {_INTERVAL} {_SPAN} limit:int", _KLINES),
        ("v1/markPriceKlines", market.mark_klines, f"symbol!:symbol {_INTERVAL} {_SPAN} limit:int", _KLINES),
        ("v1/indexPriceKlines", market.index_klines, f"pair!:symbol {_INTERVAL} {_SPAN} limit:int", _KLINES),
        ("v1/premiumIndexKlines", market.premium_klines, f"symbol!:symbol {_INTERVAL} {_SPAN} limit:int", _KLINES),
        ("v1/premiumIndex", market.premium_index, "symbol:symbol", by_symbol(1, 10)),
        ("v1/fundingRate", market.funding_rate, f"symbol:symbol {_SPAN} limit:int", flat(1)),
        ("v1/fundingInfo", market.funding_info, "", flat(1)),
        ("v1/ticker/24hr", market.ticker, "symbol:symbol", by_symbol(1, 40)),
        ("v1/ticker/price", market.ticker_price, "symbol:symbol", by_symbol(1, 2)),
        ("v2/ticker/price", market.ticker_price, "symbol:symbol", by_symbol(1, 2)),
        ("v1/ticker/bookTicker", market.book_ticker, "symbol:symbol", by_symbol(2, 5)),
        ("v1/openInterest", market.open_interest, "symbol!:symbol", flat(1)),
        ("v1/constituents", market.constituents, "symbol!:symbol", flat(2)),
    ]
    found = {("GET", "/fapi/" + path): Route(handler, params_line(line), weight)
             for path, handler, line, weight in table}
    found[("GET", "/fapi/v1/historicalTrades")] = Route(
        market.old_trades, params_line("symbol!:symbol limit:int fromId:int"), flat(20), Access.KEY)
    return found


def _stats(stats: Stats) -> Table:
    table: list[tuple[str, Handler, str]] = [
        ("openInterestHist", stats.open_interest, f"symbol!:symbol {_PERIOD}"),
        ("topLongShortAccountRatio", stats.top_accounts, f"symbol!:symbol {_PERIOD}"),
        ("topLongShortPositionRatio", stats.top_positions, f"symbol!:symbol {_PERIOD}"),
        ("globalLongShortAccountRatio", stats.all_accounts, f"symbol!:symbol {_PERIOD}"),
        ("takerlongshortRatio", stats.takers, f"symbol!:symbol {_PERIOD}"),
        ("basis", stats.basis, f"pair!:symbol contractType!={'|'.join(CONTRACTS)} {_PERIOD}"),
    ]
    return {("GET", "/futures/data/" + path): Route(handler, params_line(line), flat(0), slow=True)
            for path, handler, line in table}


def _signed(table: list[tuple[str, str, Handler, str, Weight]]) -> Table:
    return {(method, "/fapi/" + path): Route(handler, params_line(line), weight, Access.SIGNED)
            for method, path, handler, line, weight in table}


def _orders(orders: Orders, lookups: Lookups) -> Table:
    found = _signed([
        ("POST", "v1/order/test", orders.test, ORDER_LINE, flat(0)),
        ("GET", "v1/order", lookups.order, _ORDER, flat(1)),
        ("DELETE", "v1/order", orders.cancel, _ORDER, flat(1)),
        ("DELETE", "v1/batchOrders", orders.cancel_batch,
         "symbol!:symbol orderIdList origClientOrderIdList orderidlist origclientorderidlist", flat(1)),
        ("DELETE", "v1/allOpenOrders", orders.cancel_all, "symbol!:symbol", flat(1)),
        ("POST", "v1/countdownCancelAll", orders.countdown, "symbol!:symbol countdownTime!:int", flat(10)),
        ("GET", "v1/openOrder", lookups.open_order, _ORDER, flat(1)),
        ("GET", "v1/openOrders", lookups.open_orders, "symbol:symbol", by_symbol(1, 40)),
        ("GET", "v1/allOrders", lookups.all_orders, f"symbol!:symbol orderId:int {_SPAN} limit:int", flat(5)),
        ("GET", "v1/userTrades", lookups.user_trades,
         f"symbol!:symbol orderId:int fromId:int {_SPAN} limit:int", flat(5)),
        ("GET", "v1/forceOrders", lookups.force_orders,
         f"symbol:symbol autoCloseType=LIQUIDATION|ADL {_SPAN} limit:int", by_symbol(20, 50)),
    ])
    one: Callable[[Values], int] = lambda values: 1  # noqa: E731 - a count beside batch_size
    for method, path, handler, line, weight, count in (
            ("POST", "v1/order", orders.place, ORDER_LINE, 0, one),
            ("PUT", "v1/order", orders.modify, MODIFY_LINE, 1, one),
            ("POST", "v1/batchOrders", orders.place_batch, "batchOrders!", 5, batch_size),
            ("PUT", "v1/batchOrders", orders.modify_batch, "batchOrders!", 5, batch_size)):
        found[(method, "/fapi/" + path)] = Route(handler, params_line(line), flat(weight), Access.SIGNED, count)
    return found


def _algos(algos: Algos) -> Table:
    found = _signed([
        ("GET", "v1/algoOrder", algos.one, "algoId:int clientAlgoId:id symbol:symbol", flat(1)),
        ("DELETE", "v1/algoOrder", algos.cancel, "algoId:int clientAlgoId:id symbol:symbol", flat(1)),
        ("DELETE", "v1/algoOpenOrders", algos.cancel_all, "symbol!:symbol", flat(1)),
        ("GET", "v1/openAlgoOrders", algos.open, "algoType=CONDITIONAL symbol:symbol algoId:int", by_symbol(1, 40)),
        ("GET", "v1/allAlgoOrders", algos.all, f"symbol!:symbol algoId:int {_SPAN} page:int limit:int", flat(5)),
    ])
    found[("POST", "/fapi/v1/algoOrder")] = Route(
        algos.place, params_line(ALGO_LINE), flat(0), Access.SIGNED, lambda values: 1)
    return found


def _accounts(accounts: Accounts) -> Table:
    found = _signed([
        ("GET", "v2/balance", accounts.balance, "", flat(5)),
        ("GET", "v3/balance", accounts.balance, "", flat(5)),
        ("GET", "v2/account", accounts.account_v2, "", flat(5)),
        ("GET", "v3/account", accounts.account_v3, "", flat(5)),
        ("GET", "v1/income", accounts.income,
         f"symbol:symbol incomeType={INCOME_KINDS} {_SPAN} page:int limit:int", flat(30)),
        ("GET", "v2/positionRisk", accounts.positions_v2, "symbol:symbol", flat(5)),
        ("GET", "v3/positionRisk", accounts.positions_v3, "symbol:symbol", flat(5)),
        ("GET", "v1/adlQuantile", accounts.adl, "symbol:symbol", flat(5)),
        ("GET", "v1/positionSide/dual", accounts.get_mode, "", flat(30)),
        ("POST", "v1/positionSide/dual", accounts.set_mode, "dualSidePosition!:bool", flat(1)),
        ("GET", "v1/multiAssetsMargin", accounts.get_assets_mode, "", flat(30)),
        ("POST", "v1/multiAssetsMargin", accounts.set_assets_mode, "multiAssetsMargin!:bool", flat(1)),
        ("POST", "v1/leverage", accounts.leverage, "symbol!:symbol leverage!:int", flat(1)),
        ("POST", "v1/marginType", accounts.margin_type, "symbol!:symbol marginType!=ISOLATED|CROSSED", flat(1)),
        ("POST", "v1/positionMargin", accounts.position_margin,
         f"symbol!:symbol amount!:dec type!:int positionSide={LEGS}", flat(1)),
        ("GET", "v1/leverageBracket", accounts.brackets, "symbol:symbol", flat(1)),
        ("GET", "v1/commissionRate", accounts.commission, "symbol!:symbol", flat(20)),
        ("GET", "v1/accountConfig", accounts.account_config, "", flat(5)),
        ("GET", "v1/symbolConfig", accounts.symbol_config, "symbol:symbol", flat(5)),
        ("GET", "v1/apiTradingStatus", accounts.trading_status, "symbol:symbol", by_symbol(1, 10)),
        ("GET", "v1/rateLimit/order", accounts.order_limits, "", flat(1)),
        ("GET", "v1/feeBurn", accounts.fee_burn, "", flat(30)),
    ])
    found[("GET", "/sapi/v1/capital/config/getall")] = Route(
        accounts.coins, params_line(""), flat(10), Access.SIGNED)
    found[("GET", "/sapi/v1/margin/allPairs")] = Route(
        accounts.margin_pairs, params_line("symbol"), flat(1), Access.KEY)
    found[("GET", "/sapi/v1/system/status")] = Route(accounts.system, {}, flat(1))
    for method, handler in (
            ("POST", accounts.open_key), ("PUT", accounts.renew_key), ("DELETE", accounts.close_key)):
        found[(method, "/fapi/v1/listenKey")] = Route(handler, params_line("listenKey"), flat(1), Access.KEY)
    return found
