"""The table of Bybit's v5 endpoints: parameters, calls a second, handlers.

Rates are those of the venue's documentation for linear contracts. What is not in the table is answered 404; parameters
that are not in a route's line are refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from modules.simulator.dialects import bybit_account as acc
from modules.simulator.dialects import bybit_orders as order
from modules.simulator.dialects.bybit import Handler, Route
from modules.simulator.dialects.bybit_market import INTERVALS, PERIODS, Market
from modules.simulator.dialects.bybit_params import CATEGORIES
from modules.simulator.dialects.params import params_line

if TYPE_CHECKING:
    from modules.simulator.perp.venue import PerpVenue

Table = dict[tuple[str, str], Route]
_ONE = f"{CATEGORIES} symbol!:symbol"
_KLINE = f"category=linear|inverse|spot symbol!:symbol interval!={'|'.join(INTERVALS)} start:int end:int limit:int"


def routes(venue: PerpVenue, orders: order.Orders, accounts: acc.Accounts) -> Table:
    """Every endpoint, by method and path."""
    return {**_public(Market(venue)), **_private(orders, accounts)}


def _public(market: Market) -> Table:
    table: list[tuple[str, Handler, str]] = [
        ("time", market.time, ""),
        ("instruments-info", market.instruments,
         f"{CATEGORIES} symbol:symbol status baseCoin:symbol limit:int cursor"),
        ("tickers", market.tickers, f"{CATEGORIES} symbol:symbol baseCoin:symbol expDate"),
        ("orderbook", market.depth, f"{_ONE} limit:int"),
        ("recent-trade", market.trades, f"{_ONE} baseCoin:symbol limit:int"),
        ("kline", market.klines, _KLINE),
        ("mark-price-kline", market.derived, _KLINE),
        ("index-price-kline", market.derived, _KLINE),
        ("funding/history", market.funding, f"{_ONE} startTime:int endTime:int limit:int"),
        ("open-interest", market.interest,
         f"{_ONE} intervalTime!={'|'.join(PERIODS)} startTime:int endTime:int limit:int cursor"),
        ("risk-limit", market.risk, f"{CATEGORIES} symbol:symbol cursor"),
    ]
    return {("GET", f"/v5/market/{path}"): Route(handler, params_line(line)) for path, handler, line in table} | {
        ("GET", "/v5/asset/coin/query-info"): Route(market.coins, params_line("coin"), 5)}


def _private(orders: order.Orders, accounts: acc.Accounts) -> Table:
    table: list[tuple[str, str, Handler, str, int]] = [
        ("POST", "order/create", orders.create, order.CREATE_LINE, 10),
        ("POST", "order/amend", orders.amend, order.AMEND_LINE, 10),
        ("POST", "order/cancel", orders.cancel, order.CANCEL_LINE, 10),
        ("POST", "order/cancel-all", orders.cancel_all, order.CANCEL_ALL_LINE, 10),
        ("GET", "order/realtime", orders.realtime, order.REALTIME_LINE, 50),
        ("GET", "order/history", orders.history, order.HISTORY_LINE, 50),
        ("GET", "execution/list", accounts.executions, acc.EXECUTIONS_LINE, 50),
        ("GET", "position/list", accounts.positions, acc.POSITIONS_LINE, 50),
        ("POST", "position/set-leverage", accounts.leverage, acc.LEVERAGE_LINE, 10),
        ("POST", "position/switch-mode", accounts.position_mode, acc.MODE_LINE, 10),
        ("GET", "account/wallet-balance", accounts.wallet, "accountType!=UNIFIED coin", 50),
        ("GET", "account/info", accounts.info, "", 50),
        ("GET", "account/transaction-log", accounts.log, acc.LOG_LINE, 50),
        ("GET", "account/fee-rate", accounts.fee_rate, "category=linear symbol:symbol baseCoin:symbol", 10),
        ("POST", "account/set-margin-mode", accounts.margin_mode, acc.MARGIN_LINE, 10),
        ("GET", "user/query-api", accounts.key, "", 10),
    ]
    return {(method, f"/v5/{path}"): Route(handler, params_line(line), rate)
            for method, path, handler, line, rate in table}
