"""Bitget's words for sides, modes, states and plans, in both directions (X23).

Hedge mode: `side` names the POSITION's side, `tradeSide` what is done to it: open long buy/open, close long buy/close,
open short sell/open, close short sell/close. One-way mode: `side` is the order's own, `tradeSide` buy_single or
sell_single, `posSide` net.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from modules.simulator.dialects.bitget_errors import declined
from modules.simulator.perp.api import Algo, AlgoStatus, Kind, Leg, Order, Side, Status, Tif, Working

HEDGE, ONE_WAY = "hedge_mode", "one_way_mode"
CROSSED, ISOLATED = "crossed", "isolated"
FORCES = {"gtc": Tif.GTC, "ioc": Tif.IOC, "fok": Tif.FOK, "post_only": Tif.GTX}
_FORCE_WORDS = {tif: word for word, tif in FORCES.items()} | {Tif.GTD: "gtc"}
TRIGGERS = {"fill_price": Working.CONTRACT_PRICE, "mark_price": Working.MARK_PRICE}
_TRIGGER_WORDS = {working: word for word, working in TRIGGERS.items()}
_STATES = {Status.NEW: "live", Status.PARTIALLY_FILLED: "partially_filled", Status.FILLED: "filled"}
_PLAN_STATES = {
    AlgoStatus.NEW: "live", AlgoStatus.CANCELED: "cancelled", AlgoStatus.EXPIRED: "cancelled",
    AlgoStatus.REJECTED: "fail_trigger", AlgoStatus.TRIGGERED: "executed", AlgoStatus.FINISHED: "executed"}
PROFITS = ("profit_plan", "pos_profit")
LOSSES = ("loss_plan", "pos_loss")
PROFIT_LOSS = (*PROFITS, *LOSSES, "moving_plan")
PLAN_TYPES = ("normal_plan", "track_plan", *PROFIT_LOSS)
_PROFIT_KINDS = (Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_MARKET)


def wanted(hedge: bool, side: str, trade_side: str | None) -> tuple[Side, Leg]:
    """What `side` and `tradeSide` ask for. Raises Declined (40774) where they belong to the other mode."""
    if not hedge:
        if trade_side is not None:
            raise declined("40774")
        return Side(side.upper()), Leg.BOTH
    if trade_side is None:
        raise declined("40774")
    leg = Leg.LONG if side == "buy" else Leg.SHORT
    opens = Side.BUY if leg is Leg.LONG else Side.SELL
    return (opens if trade_side == "open" else other(opens)), leg


def other(side: Side) -> Side:
    """The opposite side."""
    return Side.SELL if side is Side.BUY else Side.BUY


def told_sides(side: Side, leg: Leg, liquidation: bool = False) -> dict[str, str]:
    """`side`, `tradeSide`, `posSide` and `posMode` of an order or fill."""
    if leg is Leg.BOTH:
        word = str(side).lower()
        trade = f"burst_{word}_single" if liquidation else f"{word}_single"
        return {"side": word, "tradeSide": trade, "posSide": "net", "posMode": ONE_WAY}
    held = "long" if leg is Leg.LONG else "short"
    opens = (leg is Leg.LONG) == (side is Side.BUY)
    trade = "open" if opens else f"burst_close_{held}" if liquidation else "close"
    return {"side": "buy" if leg is Leg.LONG else "sell", "tradeSide": trade, "posSide": held, "posMode": HEDGE}


def hold_side(leg: Leg, steps: int) -> str:
    """`holdSide` of a position: long or short in either mode."""
    return "long" if leg is Leg.LONG or (leg is Leg.BOTH and steps > 0) else "short"


def closing(hedge: bool, held: str | None) -> tuple[Side, Leg]:
    """Side and leg that close a position named by `holdSide` (hedge: long, short; one-way: buy, sell).

    Raises Declined (40774) where it belongs to the other mode.
    """
    if held is None:
        raise declined("40019", "holdSide")
    if (held in ("long", "short")) != hedge:
        raise declined("40774")
    long = held in ("long", "buy")
    leg = (Leg.LONG if long else Leg.SHORT) if hedge else Leg.BOTH
    return (Side.SELL if long else Side.BUY), leg


def mode(hedge: bool) -> str:
    """`posMode`."""
    return HEDGE if hedge else ONE_WAY


def margin_mode(isolated: bool) -> str:
    """`marginMode`."""
    return ISOLATED if isolated else CROSSED


def force(tif: Tif) -> str:
    """`force`."""
    return _FORCE_WORDS[tif]


def state(status: Status) -> str:
    """`status` of an order: live, partially_filled, filled, canceled."""
    return _STATES.get(status, "canceled")


def plan_state(algo: Algo) -> str:
    """`planStatus`."""
    return _PLAN_STATES[algo.status]


def trigger_type(working: Working) -> str:
    """`triggerType`."""
    return _TRIGGER_WORDS[working]


# -- what an order carries for us: its `tag` ---------------------------------------------------------------------


def tag(**words: str | None) -> str:
    """Words kept with an order or plan; empty ones are left out."""
    kept = {name: value for name, value in words.items() if value}
    return json.dumps(kept, separators=(",", ":")) if kept else ""


def tagged(text: str) -> dict[str, str]:
    """The words of a tag."""
    found: dict[str, Any] = json.loads(text) if text.startswith("{") else {}
    return found


def plan_type(algo: Algo) -> str:
    """`planType` as it was asked for; orders of another origin by what they do."""
    named = tagged(algo.tag).get("plan")
    if named:
        return named
    profit = algo.kind in _PROFIT_KINDS
    if algo.kind is Kind.TRAILING_STOP_MARKET:
        return "track_plan"
    if algo.close_position:
        return "pos_profit" if profit else "pos_loss"
    if algo.reduce_only:
        return "profit_plan" if profit else "loss_plan"
    return "normal_plan"


def reduce_only(order: Order | Algo) -> str:
    """`reduceOnly`, YES or NO."""
    return "YES" if order.reduce_only else "NO"


def profits(plan: str) -> bool:
    """Whether a plan takes profit (else it stops a loss)."""
    return plan in PROFITS


def number(value: Decimal | None) -> str:
    """A decimal as text, empty where there is none."""
    return "" if value is None else f"{value:f}"
