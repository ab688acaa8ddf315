"""The meta-layer (C16): a trained model that ranks a trade among earlier ones and scales or skips it, never enlarges.

1. It speaks only if the gate of modules/learning let it at its training; else it stands aside and says why.
2. By the percentile of its score among earlier out-of-sample trades: under `SKIP_BELOW` skip; from there half the size,
   rising to all of it at `FULL_FROM`.
3. Figures that a past had not (open interest, ETF …) are NaN there and decide nothing (docs/EVALUATION.md).
Pure but for `load`; no machine-learning package is needed to ask it.
"""

import math
from pathlib import Path

from modules.learning import modelfiles
from modules.learning.modelfiles import Loaded, NoneNow
from modules.learning.trees import BadModel
from modules.strategies.showdown.decision import Question
from modules.strategies.showdown.records import Decision, Flow, Opinion, Snapshot

NAME = "META"
LABEL = "the trade ends above 0 after costs"
SKIP_BELOW, FULL_FROM, LEAST_SCALE = 0.5, 0.8, 0.5
FRAMES = ("5m", "15m", "1h")
FEATURES: tuple[str, ...] = (
    *(f"{what}_{frame}" for frame in FRAMES for what in ("momentum", "push", "atr_pct", "atr_ratio", "room")),
    "trend_1h", "confidence", "cost", "funding", "crowd", "trap", "risk", "volatility", "oi_change", "basis", "cvd",
    "etf", "liquidations", "sentiment", "hour_sin", "hour_cos", "weekend")
NAN = math.nan
DAY_MS = 86_400_000


def folder_of(models: Path) -> Path:
    """Where the model of system C lies below the folder of all models."""
    return models / "showdown"


def load(models: Path) -> tuple[Loaded | None, str]:
    """The model, and why there is none ("" if there is). A damaged or foreign one is none."""
    try:
        found = modelfiles.load(folder_of(models), NAME)
    except (BadModel, OSError) as problem:
        return None, f"its file cannot be used: {problem}"
    if found is None or isinstance(found, NoneNow):
        return None, found.reason if found is not None else "no model was trained"
    if found.manifest.features != FEATURES:
        return None, "it was trained with other figures; train it anew"
    return found, ""


def identity(model: Loaded | None) -> str:
    """What stands in a decision's inputs; empty without a model."""
    return f"meta-{model.manifest.generation}" if model is not None else ""


def opinion(model: Loaded, question: Question, decision: Decision) -> Opinion:
    """What the model says of a long or short."""
    raw = model.trees.raw(row(question, decision))
    rank, chance = model.scaler.confidence(raw), model.scaler.probability(raw)
    facts = {"rank": round(rank, 6), "chance": round(chance, 6)}
    said = f"ranks above {rank:.0%} of earlier trades, chance of a gain {chance:.0%}"
    if model.scaler.aside:
        return Opinion(by="meta", id=identity(model), verdict="aside", facts=facts,
                       said=f"stands aside: {model.scaler.aside}")
    if rank < SKIP_BELOW:
        return Opinion(by="meta", id=identity(model), verdict="skip", scale=0.0, facts=facts,
                       said=f"{said}; it takes from {SKIP_BELOW:.0%}")
    scale = scale_of(rank)
    return Opinion(by="meta", id=identity(model), verdict="take" if scale >= 1.0 else "scale", scale=scale, said=said,
                   facts=facts)


def scale_of(rank: float) -> float:
    """Rule 2: 0 under `SKIP_BELOW`, then `LEAST_SCALE` … 1."""
    if rank < SKIP_BELOW:
        return 0.0
    return round(min(1.0, LEAST_SCALE + (1 - LEAST_SCALE) * (rank - SKIP_BELOW) / (FULL_FROM - SKIP_BELOW)), 4)


def row(question: Question, decision: Decision) -> list[float]:
    """The figures of a trade, in the order of `FEATURES`; signed ones are positive where they speak for its side."""
    side = 1 if decision.action == "long" else -1
    snap, flow = question.snapshot, question.flow
    found = [value for frame in FRAMES for value in _frame(snap, frame, side)]
    hour = snap.timeframes.get("1h")
    trend = {"up": 1.0, "down": -1.0}.get(hour.trend, 0.0) * side if hour is not None else NAN
    angle = 2 * math.pi * (decision.ms % DAY_MS) / DAY_MS
    weekend = float((decision.ms // DAY_MS + 3) % 7 >= 5)  # 1970-01-01 was a Thursday; Monday is 0
    return [*found, trend, decision.confidence, _cost(question, decision), *_flow(flow, side), math.sin(angle),
            math.cos(angle), weekend]


def _frame(snap: Snapshot, name: str, side: int) -> tuple[float, ...]:
    """Momentum, its change over four bars, ATR in percent and over its median, and the distance to the last swing
    ahead in ATR (`room`)."""
    frame = snap.timeframes.get(name)
    if frame is None:
        return (NAN,) * 5
    kind = "high" if side > 0 else "low"
    ahead = next((swing.price for swing in reversed(frame.swings) if swing.kind == kind), None)
    room = NAN if ahead is None or frame.atr <= 0 else side * (ahead - frame.close) / frame.atr
    return side * frame.momentum, side * (frame.momentum - frame.momentum_before), frame.atr_pct, frame.atr_ratio, room


def _flow(flow: Flow, side: int) -> tuple[float, ...]:
    def signed(value: float | None) -> float:
        return NAN if value is None else side * value
    cvd = NAN if flow.cvd_1h is None else float(math.copysign(1.0, flow.cvd_1h) * side) if flow.cvd_1h else 0.0
    oi = NAN if flow.oi_change_1h_pct is None else flow.oi_change_1h_pct
    return (signed(flow.funding), side * flow.crowd_bias, flow.trap_index, flow.risk["global_score"],
            flow.risk["volatility"], oi, signed(flow.basis), cvd, signed(flow.etf), signed(flow.liquidations),
            signed(flow.sentiment))


def _cost(question: Question, decision: Decision) -> float:
    """Both fees over the distance of the stop: what a trade costs in units of its risk."""
    if question.contract is None or decision.entry_zone is None or decision.sl is None:
        return NAN
    entry, stop = float(decision.entry_zone[1 if decision.action == "long" else 0]), float(decision.sl)
    away = abs(entry - stop)
    return 2 * float(question.contract.fee) * entry / away if away > 0 else NAN
