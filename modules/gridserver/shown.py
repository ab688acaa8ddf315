"""How figures and states are told to users: plain numbers, no secret in reach."""

import hashlib
from decimal import Decimal
from typing import Any

import msgspec
from pydantic import ValidationError

from modules.strategies.grid.ledger import LegLedger
from modules.strategies.grid.live.memory import unpacked
from modules.strategies.grid.reconcile import LegCheck
from modules.strategies.grid.rules import BUY, SELL
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.store.events import Dead
from modules.strategies.grid.store.records import Session, Wanted
from modules.strategies.grid.webhooks import Runtime, status_data
from modules.strategies.grid.worst_case import End, WorstCase
from utils.wall import iso

State = tuple[bytes, dict[str, Any], int]


def worst_case(figures: WorstCase, impossible: list[str]) -> dict[str, Any]:
    """`WorstCaseOut`."""
    return {"symbol": figures.symbol, "price": float(figures.price), "balance": float(figures.balance),
            "leverage": figures.leverage, "lossLimit": float(figures.limit), "down": _end(figures.down),
            "up": _end(figures.up), "both": _end(figures.both), "safe": figures.safe and not impossible,
            "unsafe": list(figures.unsafe), "impossible": impossible}


def _end(end: End) -> dict[str, Any]:
    return {"orders": end.orders, "lastPrice": float(end.last_price), "size": float(end.size),
            "averagePrice": float(end.average), "notional": float(end.notional), "margin": float(end.margin),
            "fees": float(end.fees), "funding": float(end.funding), "loss": float(end.loss),
            "liquidationPrice": _maybe(end.liquidation), "stopPrice": _maybe(end.stop),
            "lossAtStop": float(end.loss_at_stop), "ordersTheBalancePays": end.affordable,
            "liquidatedBeforeOrder": end.liquidated_at, "stoppedByMaxLossBeforeOrder": end.stopped_at}


def _maybe(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


class Exposure:
    """What is open, as last saved."""

    def __init__(self, symbol: str, state: SessionState, seen_ms: int | None) -> None:
        self.state = state
        self.told: dict[str, Any] = {
            "symbol": symbol, "buy": _leg(state, BUY), "sell": _leg(state, SELL),
            "seenAt": None if seen_ms is None else iso(seen_ms)}

    @property
    def flat(self) -> bool:
        """Nothing is open, nothing is under way."""
        return not (self.state.buy.entries or self.state.sell.entries or self.state.pending
                    or self.state.buy.external > 0 or self.state.sell.external > 0)

    def code(self, user_id: str) -> str:
        """The code that confirms a closing of just this."""
        sides = [f"{leg.side}:{leg.quantity}:{leg.external}" for leg in (self.state.buy, self.state.sell)]
        return hashlib.sha256("|".join([user_id, *sides]).encode()).hexdigest()[:12]

    def left(self, action: str) -> str:
        """What an action leaves behind, in words."""
        if self.flat:
            return "Nothing is open."
        held = ", ".join(f"{name} {leg.quantity:f} in {len(leg.entries)}" for name, leg in
                         (("BUY", self.state.buy), ("SELL", self.state.sell)) if leg.entries)
        stops = [f"{name} at {stop[0]:f}" for name, stop in zip(("BUY", "SELL"), self.state.protected, strict=True)
                 if stop[1] > 0]
        words = f"Open: {held or 'orders under way'}. "
        words += f"Stops on the exchange: {', '.join(stops)}. " if stops else "NO stop stands on the exchange. "
        return words + {"stop": "They stay; nobody takes profits any more.",
                        "pause": "They stay; exits run, nothing is added.",
                        "drain": "They stay until they leave with their profits; nothing is added.",
                        "close": "All of it is closed at the market."}[action]


def _leg(state: SessionState, side: int) -> dict[str, Any]:
    ledger: LegLedger = state.ledger(side)
    quote = state.quote
    price = (quote.bid if side > 0 else quote.ask) if quote is not None else None
    cost = sum((entry.cost for entry in ledger.entries), Decimal(0))
    quantity = ledger.quantity
    stop, held = state.protected[0 if side > 0 else 1]
    return {"entries": len(ledger.entries), "quantity": float(quantity),
            "averagePrice": float(cost / quantity) if quantity else 0.0,
            "unrealised": float(side * (price * quantity - cost)) if price is not None else 0.0,
            "stopPrice": float(stop) if held > 0 else None, "external": float(ledger.external)}


def user(session: Session) -> dict[str, Any]:
    """`UserOut`."""
    return {"userId": session.user_id, "userBotId": session.bot_id, "symbol": session.symbol,
            "wanted": session.wanted.value, "isDemo": session.demo, "keyVersion": session.key_version,
            "keyRefused": session.key_refused, "webhook": session.webhook, "customSettings": session.custom,
            "settingsVersion": session.version}


def row(session: Session, now_ms: int) -> dict[str, Any]:
    """A session in the admin's list."""
    held = bool(session.lease_holder) and session.lease_until_ms > now_ms
    return user(session) | {
        "running": session.wanted is not Wanted.STOPPED, "worker": session.lease_holder if held else "",
        "leaseUntil": iso(session.lease_until_ms) if held else None, "fence": session.fence,
        "startedAt": iso(session.started_ms) if session.started_ms else None,
        "acceptedRisk": session.accepted, "worstLoss": _worst_loss(session.figures)}


def _worst_loss(figures: dict[str, Any] | None) -> float | None:
    if figures is None:
        return None
    losses = [figures[name]["loss"] for name in ("down", "up", "both")
              if isinstance(figures.get(name), dict) and "loss" in figures[name]]
    return min(losses, default=None)


def status(session: Session, found: State | None, now_ms: int) -> dict[str, Any]:
    """`StatusOut`."""
    held = bool(session.lease_holder) and session.lease_until_ms > now_ms
    told = user(session) | {
        "mode": session.wanted.value, "held": held, "blocked": [], "problem": "", "savedAt": None, "data": None,
        "startedAt": iso(session.started_ms) if session.started_ms else None, "acceptedRisk": session.accepted}
    if session.wanted is not Wanted.STOPPED and not held:
        told["problem"] = "No worker holds this grid now; its positions have their stops. Is a worker running?"
    if session.key_refused:
        told["problem"] = f"The exchange refuses the key: {session.key_refused}"
    if found is None:
        return told
    body, facts, saved_ms = found
    state = msgspec.json.decode(body, type=SessionState)
    told |= {"mode": state.mode.value if session.wanted is not Wanted.STOPPED else "STOPPED", "savedAt": iso(saved_ms),
             "problem": told["problem"] or str(facts.get("problem", "")),
             "blocked": [words for name, check in (("buy", state.buy_check), ("sell", state.sell_check))
                         if (words := _blocked(name, check))]}
    try:
        settings = GridSettings.model_validate(session.settings)
    except ValidationError:
        told["problem"] = "The stored settings do not fit this version any more. Give them anew."
        return told
    memory = unpacked(facts.get("host"))
    run = Runtime(session.user_id, session.bot_id, memory.started_ms or session.started_ms or saved_ms, saved_ms,
                  memory.last_trade_ms, {slot: order for order, slot in memory.orders.items()})
    return told | {"data": status_data(state, settings, run)}


def _blocked(side: str, check: LegCheck) -> str:
    if check.blocked is None:
        return ""
    return (f"{side}: {check.blocked.value}: the exchange and the grid's own entries differ; no new levels until "
            f"POST …/acknowledge says what it is")


def dead(letter: Dead) -> dict[str, Any]:
    """A dead letter."""
    return {"id": letter.uid, "userId": letter.user_id, "event": letter.kind, "createdAt": iso(letter.created_ms),
            "tries": letter.tries, "error": letter.error, "body": letter.body}
