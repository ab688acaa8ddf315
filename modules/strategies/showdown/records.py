"""The records that pass from stage to stage, as they lie in JSON: snapshot, flow, decision. Floats are indicators.

Money of a decision (prices, size) is text of an exact Decimal. Times are ``*_ms``, market time.
"""

from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

TIMEFRAMES: dict[str, int] = {"1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000}
OPEN_MS, OPEN, HIGH, LOW, CLOSE, VOLUME, TAKER_BUY = range(7)
Bars = NDArray[np.float64]  # (n, 7) closed candles, oldest first: the columns above
Series = NDArray[np.float64]  # (n, 2): ms, value
Action = Literal["long", "short", "flat"]
Trend = Literal["up", "down", "range", "unknown"]


class Swing(msgspec.Struct, frozen=True):
    """A turning point: known only at `confirmed_ms`, when the bars after it had closed."""

    kind: Literal["high", "low"]
    at_ms: int
    price: float
    confirmed_ms: int
    label: Literal["HH", "LH", "HL", "LL", ""] = ""


class Timeframe(msgspec.Struct, frozen=True):
    """One interval's reading. `momentum` −1 … 1; `atr_ratio`: ATR over its median of the window."""

    trend: Trend
    broken: bool
    swings: tuple[Swing, ...]
    momentum: float
    momentum_before: float
    fading: bool
    atr: float
    atr_pct: float
    atr_ratio: float
    close: float
    closed_ms: int


class Freshness(msgspec.Struct, frozen=True):
    """How an input is: ``live``, ``stale``, ``missing`` or ``waived``; `age_s` None where it is missing."""

    state: Literal["live", "stale", "missing", "waived"]
    required: bool
    age_s: float | None
    ttl_s: float
    why: str = ""

    @property
    def usable(self) -> bool:
        return self.state == "live"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """``btc_snapshot.json`` (C2). `price` is the close of the last 1m candle."""

    symbol: str
    ms: int
    price: float | None
    session: str
    timeframes: dict[str, Timeframe]
    candles: dict[str, tuple[tuple[float, ...], ...]]
    inputs: dict[str, Freshness]
    hash: str = ""


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """``btc_flow.json`` (C3). Scores and ranges: docs/SHOWDOWN.md."""

    symbol: str
    ms: int
    crowd_bias: float
    trap_index: float
    trap_side: Literal["longs", "shorts", "none"]
    funding: float | None
    oi_change_1h_pct: float | None
    basis: float | None
    cvd_1h: float | None
    etf: float | None
    etf_net_5d_usd: float | None
    liquidations: float | None
    zones: tuple[dict[str, Any], ...]
    sentiment: float | None
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    risk: dict[str, float]
    inputs: dict[str, Freshness]
    hash: str = ""


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """The account as a decision saw it. `problem`: why it cannot be trusted; entries are refused then (X35)."""

    mode: str = "TEST"
    equity: str = ""
    day_drawdown_pct: float = 0.0
    week_drawdown_pct: float = 0.0
    source: str = ""
    problem: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's limits of a contract, exact."""

    tick: str
    step: str
    min_notional: str
    max_quantity: str
    fee: str


class Check(msgspec.Struct, frozen=True):
    """One row of the rule table as it came out. `result`: ``pass``, ``fail`` or ``neutral`` (input absent)."""

    code: str
    result: Literal["pass", "fail", "neutral"]
    said: str


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody beside the rules says of a trade (C16). `id`: which model or endpoint; `facts`: its figures.

    `verdict`: ``take``, ``scale`` (by `scale`, 0 … 1), ``skip``, ``veto``; ``aside`` (not allowed to speak) and
    ``absent`` (no answer) change nothing.
    """

    by: Literal["meta", "adviser"]
    id: str
    verdict: Literal["take", "scale", "skip", "veto", "aside", "absent"]
    scale: float = 1.0
    said: str = ""
    facts: dict[str, float] = {}


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a trade that the rules wanted (`action`, `quantity`, `reason`), and by whose opinions."""

    outcome: Literal["unchanged", "scaled", "skipped", "vetoed"]
    scale: float
    action: Action
    quantity: str
    reason: str
    opinions: tuple[Opinion, ...]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``decision.json`` (C4). `reason` is a code; `reasons` the chain behind it; `hash` that of its inputs.

    `review` is there where somebody beside the rules was asked (`review.apply`).
    """

    symbol: str
    ms: int
    mode: str
    action: Action
    entry_zone: tuple[str, str] | None
    sl: str | None
    tp1: str | None
    tp2: str | None
    risk_level: int
    position_size_usdt: str
    quantity: str
    risk_usdt: str
    capped_by: str
    confidence: float
    reason: str
    reasons: tuple[str, ...]
    gates: tuple[Check, ...]
    long: tuple[Check, ...]
    short: tuple[Check, ...]
    absent: tuple[str, ...]
    hash: str
    execution: str = ""
    review: Review | msgspec.UnsetType = msgspec.UNSET
