"""The events of a user stream, in the fields and order of the venue's documentation (fixtures of Binance.Net)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from modules.simulator.perp.api import (
    Account,
    AccountView,
    Algo,
    AlgoStatus,
    Cause,
    Execution,
    Fill,
    Kind,
    Leg,
    Order,
    PositionView,
)

ASSET = "USDT"
_STP = "EXPIRE_MAKER"


def plain(value: Decimal) -> str:
    """A Decimal without exponent or trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _money(value: Decimal) -> str:
    return f"{value:.8f}"


def _units(units: int, unit: Decimal) -> str:
    return f"{units * unit:.{max(0, -int(unit.normalize().as_tuple().exponent))}f}"


def encode(event: dict[str, Any]) -> bytes:
    """JSON as the venue sends it: no blanks."""
    return json.dumps(event, separators=(",", ":")).encode()


def order_event(order: Order, execution: Execution, fill: Fill | None, algo: Algo | None, ms: int) -> dict[str, Any]:
    """ORDER_TRADE_UPDATE. `algo` is the conditional order that it came from."""
    at, tick, step = order.updated_ms, order.tick, order.step
    body: dict[str, Any] = {
        "s": order.symbol, "c": order.client_id, "S": str(order.side), "o": str(order.kind), "f": str(order.tif),
        "q": _units(order.qty, step), "p": _units(order.price, tick), "ap": plain(order.average),
        "sp": _units(algo.trigger, tick) if algo is not None else "0", "x": str(execution), "X": str(order.status),
        "i": order.id, "l": f"{fill.qty:f}" if fill is not None else "0", "z": _units(order.filled, step),
        "L": f"{fill.price:f}" if fill is not None else "0"}
    if fill is not None:
        body |= {"N": ASSET, "n": _money(fill.fee)}
    body |= {
        "T": fill.ms if fill is not None else at, "t": fill.trade_id if fill is not None else 0, "b": "0", "a": "0",
        "m": fill.maker if fill is not None else False, "R": order.reduce_only,
        "wt": str(algo.working) if algo is not None else "CONTRACT_PRICE", "ot": str(order.orig_kind or order.kind),
        "ps": str(order.leg), "cp": order.close_position}
    if algo is not None and algo.kind is Kind.TRAILING_STOP_MARKET:
        body |= {"AP": _units(algo.activation, tick), "cr": plain(algo.callback)}
    body |= {
        "pP": algo.price_protect if algo is not None else False, "si": 0, "ss": 0,
        "rp": _money(fill.realized) if fill is not None else "0", "V": _STP, "pm": "NONE", "gtd": order.good_till_ms}
    return {"e": "ORDER_TRADE_UPDATE", "T": at, "E": max(ms, at), "o": body}


def trade_lite(order: Order, fill: Fill, ms: int) -> dict[str, Any]:
    """TRADE_LITE: a fill in short, sent ahead of the order's event."""
    return {
        "e": "TRADE_LITE", "E": max(ms, fill.ms), "T": fill.ms, "s": order.symbol, "q": _units(order.qty, order.step),
        "p": _units(order.price, order.tick), "m": fill.maker, "c": order.client_id, "S": str(order.side),
        "L": f"{fill.price:f}", "l": f"{fill.qty:f}", "t": fill.trade_id, "i": order.id}


def account_event(
    cause: Cause, change: Decimal, view: AccountView, legs: Sequence[PositionView], ms: int
) -> dict[str, Any]:
    """ACCOUNT_UPDATE with the balance and the legs that changed."""
    balance = {"a": ASSET, "wb": _money(view.wallet), "cw": _money(view.cross_wallet), "bc": plain(change)}
    return {"e": "ACCOUNT_UPDATE", "T": ms, "E": ms, "a": {
        "m": str(cause), "B": [balance], "P": [_leg(leg) for leg in legs]}}


def _leg(leg: PositionView) -> dict[str, Any]:
    return {
        "s": leg.symbol, "pa": plain(leg.qty), "ep": plain(leg.entry), "bep": plain(leg.break_even), "cr": "0",
        "up": _money(leg.unrealized), "mt": "isolated" if leg.isolated else "cross",
        "iw": _money(leg.isolated_wallet), "ps": str(leg.leg)}


def flat_leg(account: Account, symbol: str, leg: Leg) -> dict[str, Any]:
    """A leg that was closed."""
    isolated = account.setup(symbol).isolated
    return {
        "s": symbol, "pa": "0", "ep": "0", "bep": "0", "cr": "0", "up": "0", "mt": "isolated" if isolated else "cross",
        "iw": "0", "ps": str(leg)}


def algo_event(algo: Algo, order: Order | None, ms: int) -> dict[str, Any]:
    """ALGO_UPDATE; `order` is what it became."""
    body: dict[str, Any] = {
        "caid": algo.client_id, "aid": algo.id, "at": "CONDITIONAL", "o": str(algo.kind), "s": algo.symbol,
        "S": str(algo.side), "ps": str(algo.leg), "f": str(algo.tif), "q": _units(algo.qty, algo.step),
        "X": str(algo.status), "ai": str(algo.order_id) if algo.order_id else ""}
    if order is not None:
        body |= {"ap": plain(order.average), "aq": plain(order.filled * order.step), "act": str(order.kind)}
    body |= {
        "tp": _units(algo.trigger, algo.tick), "p": plain(algo.price * algo.tick), "V": _STP,
        "wt": str(algo.working), "pm": "NONE", "cp": algo.close_position, "pP": algo.price_protect,
        "R": algo.reduce_only, "tt": algo.triggered_ms, "gtd": algo.good_till_ms}
    if algo.status is AlgoStatus.REJECTED:
        body["rm"] = algo.reason
    return {"e": "ALGO_UPDATE", "T": algo.updated_ms, "E": max(ms, algo.updated_ms), "o": body}


def trigger_reject(algo: Algo, ms: int) -> dict[str, Any]:
    """CONDITIONAL_ORDER_TRIGGER_REJECT: it triggered, and the order was refused."""
    return {"e": "CONDITIONAL_ORDER_TRIGGER_REJECT", "E": ms, "T": algo.updated_ms, "or": {
        "s": algo.symbol, "i": algo.order_id or algo.id, "r": algo.reason}}


def leverage_event(symbol: str, leverage: int, ms: int) -> dict[str, Any]:
    """ACCOUNT_CONFIG_UPDATE: a symbol's leverage was changed."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": ms, "T": ms, "ac": {"s": symbol, "l": leverage}}


def margin_call(view: AccountView, legs: Sequence[PositionView], ms: int) -> dict[str, Any]:
    """MARGIN_CALL: these legs are close to liquidation."""
    return {"e": "MARGIN_CALL", "E": ms, "cw": _money(view.cross_wallet), "p": [
        {"s": leg.symbol, "ps": str(leg.leg), "pa": plain(leg.qty), "mt": "ISOLATED" if leg.isolated else "CROSSED",
         "iw": _money(leg.isolated_wallet), "mp": plain(leg.mark), "up": _money(leg.unrealized),
         "mm": _money(leg.maintenance)} for leg in legs]}
