"""The rule table of the decision (C5, C12): each row one function, one code, read from top to bottom. Pure.

Gates hold for both sides: one that fails means flat. Side rows are written for `side` 1 (long) and mirrored by −1.
A row answers ``pass``, ``fail`` or ``neutral`` (its optional input is absent: it neither helps nor forbids).
"""

from collections.abc import Callable
from dataclasses import dataclass

from modules.strategies.showdown.records import Check, Flow, Freshness, Money, Snapshot
from modules.strategies.showdown.settings import ShowdownSettings


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule looks at."""

    snap: Snapshot
    flow: Flow
    money: Money
    contract: bool
    settings: ShowdownSettings

    @property
    def inputs(self) -> dict[str, Freshness]:
        return {**self.snap.inputs, **self.flow.inputs}


Gate = Callable[[Case], Check]
SideRule = Callable[[Case, int], Check]


def _check(code: str, good: bool, said: str) -> Check:
    return Check(code, "pass" if good else "fail", said)


def _data_fresh(case: Case) -> Check:
    """Each input once; those that lack for one and the same reason together."""
    causes: dict[str, list[str]] = {}
    for name, one in case.inputs.items():
        if one.required and one.state != "live":
            causes.setdefault(f"{one.state} ({one.why})", []).append(name.replace("_", " "))
    bad = [f"{', '.join(names)} {cause}" for cause, names in causes.items()]
    waived = [name.replace("_", " ") for name, one in case.inputs.items() if one.state == "waived"]
    return _check("DATA_FRESH", not bad, "; ".join(bad) or "required data is fresh"
                  + (f"; waived: {', '.join(waived)}" if waived else ""))


def _contract_known(case: Case) -> Check:
    return _check("CONTRACT_KNOWN", case.contract, "the contract's limits are known" if case.contract
                  else "the venue's limits of the contract are not known")


def _account_readable(case: Case) -> Check:
    problem = case.money.problem  # X35: unreadable risk state refuses entries
    return _check("ACCOUNT_READABLE", not problem, problem or f"equity {case.money.equity} USDT ({case.money.source})")


def _drawdown(code: str, value: float, limit: float, what: str) -> Check:
    near = " (over 80 % of the limit)" if 0.8 * limit <= value < limit else ""  # X34
    return _check(code, value < limit, f"{what} drawdown {value:.2f} % of {limit:g} %{near}")


def _day_drawdown(case: Case) -> Check:
    return _drawdown("DAY_DRAWDOWN", case.money.day_drawdown_pct, case.settings.day_drawdown_pct, "day")


def _week_drawdown(case: Case) -> Check:
    return _drawdown("WEEK_DRAWDOWN", case.money.week_drawdown_pct, case.settings.week_drawdown_pct, "week")


def _risk_score(case: Case) -> Check:
    score, most = case.flow.risk["global_score"], case.settings.max_risk_score
    return _check("RISK_SCORE", score <= most, f"global risk {score:.2f}, at most {most:g}")


def _no_warnings(case: Case) -> Check:
    return _check("NO_WARNINGS", not case.flow.warnings, "; ".join(case.flow.warnings) or "no warnings")


def _no_conflict(case: Case) -> Check:
    trends = {name: one.trend for name, one in case.snap.timeframes.items() if name in ("5m", "15m", "1h")}
    good = not {"up", "down"} <= set(trends.values())
    said = ", ".join(f"{name} {trend}" for name, trend in trends.items()) or "no interval can be read"
    return _check("NO_CONFLICT", good, said)


def _structure(name: str) -> SideRule:
    def rule(case: Case, side: int) -> Check:
        frame = case.snap.timeframes.get(name)
        code = f"STRUCTURE_{name.upper()}"
        if frame is None:
            return _check(code, False, f"{name} cannot be read")
        last = {one.kind: one.label or "?" for one in frame.swings}  # the newest high and the newest low make the trend
        labels = "-".join(last[kind] for kind in ("high", "low") if kind in last) or "no swings"
        broken = ", broken" if frame.broken else ""
        return _check(code, frame.trend == ("up" if side > 0 else "down"), f"{name} {frame.trend} ({labels}{broken})")
    return rule


def _momentum(case: Case, side: int) -> Check:
    frame, least = case.snap.timeframes.get("5m"), case.settings.min_momentum
    if frame is None:
        return _check("MOMENTUM", False, "5m cannot be read")
    good = side * frame.momentum >= least and not frame.fading
    return _check("MOMENTUM", good, f"5m {frame.momentum:+.2f}, wants {side * least:+.2f}"
                                    f"{', and it fades' if frame.fading else ''}")


def _funding(case: Case, side: int) -> Check:
    rate = case.flow.funding
    if rate is None:
        return Check("FUNDING", "neutral", "funding is absent")
    pays, most = 100 * side * rate, case.settings.max_funding_pct
    return _check("FUNDING", pays <= most, f"pays {pays:+.4f} % a time, at most {most:g} %")


def _open_interest(case: Case, side: int) -> Check:
    change, most = case.flow.oi_change_1h_pct, case.settings.max_oi_fall_pct
    if change is None:
        waived = case.inputs["open_interest"].state == "waived"
        return Check("OPEN_INTEREST", "neutral" if waived else "fail", "open interest has no hour of history")
    return _check("OPEN_INTEREST", change >= -most, f"{change:+.2f} % in an hour, falls at most {most:g} %")


def _liquidations(case: Case, side: int) -> Check:
    score, mode = case.flow.liquidations, case.settings.liquidations
    if score is None:
        return Check("LIQUIDATIONS", "neutral", "no live liquidation map")
    where = "below" if side > 0 else "above"
    wants = f"a pool swept {where}" if mode == "swept" else "pools ahead that pull"
    return _check("LIQUIDATIONS", side * score > 0, f"{score:+.2f}, wants {wants}")


def _etf(case: Case, side: int) -> Check:
    if case.flow.etf is None:
        return Check("ETF", "neutral", "no live ETF flows")
    return _check("ETF", side * case.flow.etf > 0, f"flows of five days {case.flow.etf:+.2f}")


def _trap(case: Case, side: int) -> Check:
    mine = case.flow.trap_side == ("longs" if side > 0 else "shorts")
    return _check("TRAP", not (mine and case.flow.trap_index > 0.5),
                  f"index {case.flow.trap_index:.2f}" + ("" if case.flow.trap_side == "none" else
                                                         f", of {case.flow.trap_side}"))


GATES: tuple[Gate, ...] = (_data_fresh, _contract_known, _account_readable, _day_drawdown, _week_drawdown, _no_warnings,
                           _risk_score, _no_conflict)
SIDE_RULES: tuple[SideRule, ...] = (_structure("5m"), _structure("15m"), _momentum, _funding, _open_interest,
                                    _liquidations, _etf, _trap)


def gates(case: Case) -> tuple[Check, ...]:
    """Every gate's answer."""
    return tuple(gate(case) for gate in GATES)


def side_checks(case: Case, side: int) -> tuple[Check, ...]:
    """Every row of a side."""
    return tuple(rule(case, side) for rule in SIDE_RULES)


def confidence(case: Case, side: int) -> float:
    """0 … 1: what speaks for the side, each part 0 … 1 by its weight; absent inputs give nothing.

    0.25 base + 0.2 1h structure (agrees 1, range ½) + 0.2 |momentum 5m| + 0.05 momentum 15m + 0.1 open interest rising
    (2 % an hour is all) + 0.05 funding received or small + 0.05 liquidations + 0.05 ETF + 0.02 CVD
    + 0.02 sentiment + 0.01 basis known.
    """
    frames, flow = case.snap.timeframes, case.flow
    hour = frames["1h"].trend if "1h" in frames else "unknown"
    agrees = 1.0 if hour == ("up" if side > 0 else "down") else 0.5 if hour == "range" else 0.0
    parts = (
        (0.2, agrees),
        (0.2, side * frames["5m"].momentum if "5m" in frames else 0.0),
        (0.05, side * frames["15m"].momentum if "15m" in frames else 0.0),
        (0.1, (flow.oi_change_1h_pct or 0.0) / 2.0),
        (0.05, 0.0 if flow.funding is None else 1.0 - 100 * side * flow.funding / case.settings.max_funding_pct),
        (0.05, side * (flow.liquidations or 0.0)),
        (0.05, side * (flow.etf or 0.0)),
        (0.02, 1.0 if side * (flow.cvd_1h or 0.0) > 0 else 0.0),
        (0.01, 0.0 if flow.basis is None else 1.0),
        (0.02, side * (flow.sentiment or 0.0)),
    )
    return round(0.25 + sum(weight * max(0.0, min(1.0, part)) for weight, part in parts), 4)
