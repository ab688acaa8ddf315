"""Decision (C4–C6, C12): snapshot and flow → long, short or flat, with levels, size and the chain of reasons. Pure."""

from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from modules.strategies.showdown import rules, sizing
from modules.strategies.showdown.inputs import digest
from modules.strategies.showdown.records import Action, Check, Contract, Decision, Flow, Money, Snapshot
from modules.strategies.showdown.rules import Case
from modules.strategies.showdown.settings import ShowdownSettings

CANONICAL = msgspec.json.Encoder()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """All that a decision is made from: recorded beside it, hashed into it, enough to make it again."""

    snapshot: Snapshot
    flow: Flow
    money: Money
    contract: Contract | None
    settings: dict[str, Any]
    meta: str | msgspec.UnsetType = msgspec.UNSET  # the model of the meta-layer that reviews, where there is one


def decide(ask: Question) -> Decision:
    """The decision, for the same question the same bytes (`encoded`) at any time and place."""
    settings = ShowdownSettings.model_validate(ask.settings)
    case = Case(ask.snapshot, ask.flow, ask.money, ask.contract is not None, settings)
    gates = rules.gates(case)
    long, short = rules.side_checks(case, 1), rules.side_checks(case, -1)
    shut = [check.code for check in gates if check.result == "fail"]
    side = 1 if _passes(long) else -1 if _passes(short) else 0
    if shut:
        return _flat(ask, case, (gates, long, short), shut[0], _failed(gates))
    if not side:
        nearer = max((long, short), key=lambda checks: sum(check.result == "pass" for check in checks))
        name = "long" if nearer is long else "short"
        return _flat(ask, case, (gates, long, short), "NO_SETUP",
                     (f"nearest is {name}; it fails:", *_failed(nearer)))
    confidence = rules.confidence(case, side)
    if confidence < settings.min_confidence:
        return _flat(ask, case, (gates, long, short), "LOW_CONFIDENCE",
                     (f"confidence {confidence:.2f}, wants {settings.min_confidence:g}",), confidence)
    return _trade(ask, case, (gates, long, short), side, confidence, settings)


def encoded(decision: Decision) -> bytes:
    """The decision's bytes, as recorded and as compared by replay."""
    return CANONICAL.encode(decision)


Tables = tuple[tuple[Check, ...], tuple[Check, ...], tuple[Check, ...]]


def _passes(checks: tuple[Check, ...]) -> bool:
    return all(check.result != "fail" for check in checks)


def _failed(checks: tuple[Check, ...]) -> tuple[str, ...]:
    return tuple(f"{check.code}: {check.said}" for check in checks if check.result == "fail")


def _trade(ask: Question, case: Case, tables: Tables, side: int, confidence: float,
           settings: ShowdownSettings) -> Decision:
    price, frame = ask.snapshot.price, ask.snapshot.timeframes.get("15m")
    if price is None or frame is None or ask.contract is None:
        return _flat(ask, case, tables, "DATA_FRESH", ("price or 15m candles are not there",), confidence)
    found = sizing.levels(side, price, frame.atr, ask.contract, settings)
    if found is None:
        return _flat(ask, case, tables, "LEVELS", (f"no stop and targets fit ATR {frame.atr:g}",), confidence)
    try:
        equity = Decimal(ask.money.equity)
    except InvalidOperation:
        return _flat(ask, case, tables, "ACCOUNT_READABLE", (f"equity {ask.money.equity!r} is no number",), confidence)
    size = sizing.size(found, equity, ask.contract, settings)
    if size.refused:
        return _flat(ask, case, tables, size.refused, (size.said,), confidence)
    checks = tables[1] if side > 0 else tables[2]
    return _made(ask, case, tables, "long" if side > 0 else "short", _name(side, checks),
                 tuple(f"{check.code}: {check.said}" for check in checks), confidence,
                 entry_zone=(_text(found.zone[0]), _text(found.zone[1])), sl=_text(found.sl), tp1=_text(found.tp1),
                 tp2=_text(found.tp2), position_size_usdt=_text(size.quote), quantity=_text(size.quantity),
                 risk_usdt=f"{size.risk:.4f}", capped_by=size.capped_by)


def _name(side: int, checks: tuple[Check, ...]) -> str:
    """The reason's code, e.g. trend_up_multi_tf_with_etf_support."""
    good = {check.code for check in checks if check.result == "pass"}
    extra = [word for code, word in (("ETF", "etf"), ("LIQUIDATIONS", "liquidation")) if code in good]
    return f"trend_{'up' if side > 0 else 'down'}_multi_tf" + (f"_with_{'_and_'.join(extra)}_support" if extra else "")


def _flat(ask: Question, case: Case, tables: Tables, code: str, reasons: tuple[str, ...],
          confidence: float = 0.0) -> Decision:
    return _made(ask, case, tables, "flat", f"flat_{code.lower()}", reasons, confidence)


def _made(ask: Question, case: Case, tables: Tables, action: Action, reason: str, reasons: tuple[str, ...],
          confidence: float, **trade: Any) -> Decision:
    nothing: dict[str, Any] = {"entry_zone": None, "sl": None, "tp1": None, "tp2": None, "position_size_usdt": "0",
                               "quantity": "0", "risk_usdt": "0", "capped_by": ""}
    absent = tuple(name for name, one in sorted(case.inputs.items()) if not one.usable)
    follows = (f"followed on the {ask.money.mode} account, under its own conditions" if case.settings.trade
               else "signals only: no order is sent (setting showdown.trade)")
    return Decision(symbol=ask.snapshot.symbol, ms=ask.snapshot.ms, mode=ask.money.mode, action=action,
                    risk_level=int(ask.flow.risk["level"]), confidence=confidence, reason=reason, reasons=reasons,
                    gates=tables[0], long=tables[1], short=tables[2], absent=absent, hash=digest(ask),
                    execution=follows, **{**nothing, **trade})


def _text(value: Decimal) -> str:
    return format(value, "f")
