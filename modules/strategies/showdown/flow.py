"""Flow (C3): derivatives, ETF flows, liquidation map and sentiment → crowd, trap, warnings, risk. Pure.

Formulas, ranges and inputs are told in docs/SHOWDOWN.md; an absent input counts as neutral (0) and is noted (C12).
Every signed score is positive where it speaks for longs, except `crowd_bias`: positive where the crowd is long.
"""

import math
from typing import Any

import msgspec
import numpy as np

from modules.strategies.showdown.inputs import Inputs, digest, freshness, value_at
from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN_MS, Bars, Flow, Freshness, Snapshot
from modules.strategies.showdown.settings import ShowdownSettings

HOUR_MS = 3_600_000
FUNDING_NORM, BASIS_NORM, OI_NORM_PCT, ETF_NORM_USD = 0.0003, 0.001, 2.0, 500e6
ETF_DAYS = 5
FUNDING_EXTREME, BASIS_EXTREME, OI_FLUSH_PCT, SPIKE = 0.001, 0.005, -5.0, 3.0
TRAP_WARNS = 0.7


def flow(inputs: Inputs, snap: Snapshot, settings: ShowdownSettings) -> Flow:
    """The flow as of `inputs.ms`, over a snapshot of the same instant."""
    fresh = freshness(inputs, settings)
    funding = _funding(inputs, fresh)
    oi = _oi_change(inputs, fresh)
    basis = value_at(inputs.series.get("basis"), inputs.ms) if fresh["basis"].usable else None
    sentiment = float(inputs.manual["sentiment"].body["score"]) if fresh["sentiment"].usable else None
    crowd = crowd_bias(funding, basis, oi, _change(inputs.bars.get("1h"), snap), sentiment)
    zones = _zones(inputs, snap, fresh)
    trap, side = trap_index(crowd, snap, zones)
    etf_net = _etf_net(inputs) if fresh["etf"].usable else None
    warned = _warnings(inputs, snap, fresh, funding, oi, basis, trap, settings)
    made = Flow(
        symbol=inputs.symbol, ms=inputs.ms, crowd_bias=crowd, trap_index=trap, trap_side=side,  # type: ignore[arg-type]
        funding=funding, oi_change_1h_pct=oi, basis=basis, cvd_1h=_cvd(inputs) if fresh["cvd"].usable else None,
        etf=round(math.tanh(etf_net / ETF_NORM_USD), 4) if etf_net is not None else None, etf_net_5d_usd=etf_net,
        liquidations=_liquidations(zones, inputs.bars.get("5m"), inputs, snap, settings) if zones else None,
        zones=zones, sentiment=sentiment, warnings=warned, notes=_notes(fresh),
        risk=_risk(snap, crowd, trap, fresh), inputs=fresh)
    return msgspec.structs.replace(made, hash=digest(made))


def crowd_bias(funding: float | None, basis: float | None, oi_pct: float | None, price_pct: float | None,
               sentiment: float | None) -> float:
    """−1 (the crowd is short) … 1 (long): 0.4 tanh(funding/0.0003) + 0.2 tanh(basis/0.001)
    + 0.2 tanh(max(ΔOI, 0)/2 %) × sign(Δprice) + 0.2 sentiment; ΔOI and Δprice over an hour."""
    new_positions = math.tanh(max(oi_pct or 0.0, 0.0) / OI_NORM_PCT) * float(np.sign(price_pct or 0.0))
    value = (0.4 * math.tanh((funding or 0.0) / FUNDING_NORM) + 0.2 * math.tanh((basis or 0.0) / BASIS_NORM)
             + 0.2 * new_positions + 0.2 * (sentiment or 0.0))
    return round(max(-1.0, min(1.0, value)), 4)


def trap_index(crowd: float, snap: Snapshot, zones: tuple[dict[str, Any], ...]) -> tuple[float, str]:
    """0 … 1: |crowd| × (0.6 push against the crowd + 0.4 nearness of its liquidations), and whose trap it is.

    Push: 15m momentum against the crowd, 0 … 1. Nearness: exp(−distance ÷ ATR of 1h) of the nearest pool of the
    crowd's own side (longs' pools lie below), 0 without a map.
    """
    if abs(crowd) < 0.05:
        return 0.0, "none"
    sign, frame, hour = math.copysign(1.0, crowd), snap.timeframes.get("15m"), snap.timeframes.get("1h")
    push = max(0.0, -sign * frame.momentum) if frame is not None else 0.0
    own = [zone["distance"] for zone in zones if zone["side"] == ("long" if sign > 0 else "short")]
    near = math.exp(-min(own) / hour.atr) if own and hour is not None and hour.atr > 0 else 0.0
    return round(min(1.0, abs(crowd) * (0.6 * push + 0.4 * near)), 4), "longs" if sign > 0 else "shorts"


def _funding(inputs: Inputs, fresh: dict[str, Freshness]) -> float | None:
    if not fresh["funding"].usable:
        return None
    name = "funding" if fresh["funding"].why else "funding_now"
    return value_at(inputs.series.get(name), inputs.ms)


def _oi_change(inputs: Inputs, fresh: dict[str, Freshness]) -> float | None:
    """Change of open interest (contracts) over the last hour, in percent."""
    series = inputs.series.get("open_interest")
    if not fresh["open_interest"].usable or series is None:
        return None
    last = float(series[-1, 1])
    before = value_at(series, int(series[-1, 0]) - HOUR_MS)
    return round(100 * (last / before - 1), 4) if before is not None and before > 0 else None


def _change(bars: Bars | None, snap: Snapshot) -> float | None:
    """Price against the close an hour ago, in percent."""
    if bars is None or snap.price is None or len(bars) < 2:
        return None
    return 100 * (snap.price / float(bars[-2, CLOSE]) - 1)


def _cvd(inputs: Inputs) -> float:
    series = inputs.series["cvd"]
    return round(float(series[series[:, 0] > inputs.ms - HOUR_MS, 1].sum()), 6)


def _etf_net(inputs: Inputs) -> float:
    """Net flows of the newest five days, the newest counting most: Σ flow × 0.75^age in days of trading, USD."""
    days = sorted(inputs.manual["etf"].body["days"], key=lambda day: str(day["date"]), reverse=True)[:ETF_DAYS]
    nets = [sum(day["flows"].values()) if day["flows"] else float(day["total"]) for day in days]
    return round(sum(net * 0.75 ** age for age, net in enumerate(nets)), 2)


def _zones(inputs: Inputs, snap: Snapshot, fresh: dict[str, Freshness]) -> tuple[dict[str, Any], ...]:
    """The map's pools with their distance from the price (0 inside)."""
    if not fresh["liqmap"].usable or snap.price is None:
        return ()
    price = snap.price
    return tuple({**zone, "distance": max(0.0, zone["low"] - price, price - zone["high"])}
                 for zone in inputs.manual["liqmap"].body["zones"])


def _liquidations(zones: tuple[dict[str, Any], ...], bars: Bars | None, inputs: Inputs, snap: Snapshot,
                  settings: ShowdownSettings) -> float | None:
    """−1 … 1, positive speaks for longs (C5).

    swept: (swept longs' pools − swept shorts' pools) ÷ all of the map; a longs' pool is swept when a 5m low after the
    map was entered, of the last `swept_bars`, reached into it and the price is above it now; shorts' mirrored.
    magnet: pools not yet reached pull: Σ size × e^(−distance ÷ 3 ATR 1h), shorts' above less longs' below, ÷ their sum.
    """
    hour = snap.timeframes.get("1h")
    if bars is None or snap.price is None or hour is None or hour.atr <= 0:
        return None
    recent = bars[-settings.swept_bars:]
    recent = recent[recent[:, OPEN_MS] >= inputs.manual["liqmap"].entered_ms - 300_000]
    low = float(recent[:, LOW].min()) if len(recent) else math.inf
    high = float(recent[:, HIGH].max()) if len(recent) else -math.inf
    swept, pull, whole = 0.0, 0.0, 0.0
    for zone in zones:
        long = zone["side"] == "long"
        reached = low <= zone["high"] if long else high >= zone["low"]
        behind = snap.price > zone["high"] if long else snap.price < zone["low"]
        weight = zone["size_usd"] * (math.exp(-zone["distance"] / (3 * hour.atr)) if settings.liquidations == "magnet"
                                     else 1.0)
        whole += weight
        if reached and behind:
            swept += weight if long else -weight
        elif not reached:
            pull += -weight if long else weight
    score = (pull if settings.liquidations == "magnet" else swept) / whole if whole > 0 else 0.0
    return round(score, 4)


def _warnings(inputs: Inputs, snap: Snapshot, fresh: dict[str, Freshness], funding: float | None, oi: float | None,
              basis: float | None, trap: float, settings: ShowdownSettings) -> tuple[str, ...]:
    """What forbids every entry while it lasts (C5)."""
    found: list[str] = []
    if funding is not None and abs(funding) >= FUNDING_EXTREME:
        found.append(f"FUNDING_EXTREME: {100 * funding:+.3f} % each time")
    if basis is not None and abs(basis) >= BASIS_EXTREME:
        found.append(f"BASIS_EXTREME: {100 * basis:+.2f} %")
    if oi is not None and oi <= OI_FLUSH_PCT:
        found.append(f"OI_FLUSH: open interest {oi:+.1f} % in an hour")
    fast = snap.timeframes.get("5m")
    if fast is not None and fast.atr_ratio >= SPIKE:
        found.append(f"VOLATILITY_SPIKE: ATR of 5m is {fast.atr_ratio:.1f} × its usual")
    if trap >= TRAP_WARNS:
        found.append(f"TRAP: index {trap:.2f}")
    if fresh["sentiment"].usable and inputs.manual["sentiment"].body["halt"]:
        found.append("HALT: a person's sentiment says stop")
    return tuple(found)


def _notes(fresh: dict[str, Freshness]) -> tuple[str, ...]:
    return tuple(f"{name} is {one.state}: counts as neutral, confidence is lower" for name, one in sorted(fresh.items())
                 if not one.required and not one.usable)


def _risk(snap: Snapshot, crowd: float, trap: float, fresh: dict[str, Freshness]) -> dict[str, float]:
    """global_score 0 … 1 = 0.35 volatility + 0.2 |crowd| + 0.25 trap + 0.1 conflict + 0.1 absent; level 1 … 5."""
    frames = snap.timeframes
    ratio = max((frames[name].atr_ratio for name in ("15m", "1h") if name in frames), default=1.0)
    volatility = max(0.0, min(1.0, (ratio - 1.0) / 1.5))
    trends = {frames[name].trend for name in ("5m", "15m", "1h") if name in frames}
    conflict = 1.0 if {"up", "down"} <= trends else 0.0
    optional = [one for one in fresh.values() if not one.required]
    absent = sum(1 for one in optional if not one.usable) / len(optional) if optional else 0.0
    score = 0.35 * volatility + 0.2 * abs(crowd) + 0.25 * trap + 0.1 * conflict + 0.1 * absent
    score = round(max(0.0, min(1.0, score)), 4)
    return {"global_score": score, "level": 1.0 + min(4, int(score * 5)), "volatility": round(volatility, 4),
            "crowd": abs(crowd), "trap": trap, "conflict": conflict, "absent": round(absent, 4)}
