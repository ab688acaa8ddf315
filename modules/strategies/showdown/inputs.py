"""What the stages decide from: stored data as of one market instant, and how fresh each piece is (C12)."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from modules.strategies.showdown.records import OPEN_MS, TIMEFRAMES, Bars, Contract, Freshness, Money, Series
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.us_days import lives_until_ms, newest_flows

BARS_NEEDED = 60  # closed candles of each interval without which nothing is decided
LATE_S = 120.0  # a closed candle may come so late
FUNDING_PERIOD_S = 8 * 3600.0 + 600.0
AHEAD_S = 5.0  # newer than now by more: a clock jumped
CANONICAL = msgspec.json.Encoder(order="deterministic", decimal_format="string")


@dataclass(frozen=True, slots=True)
class Manual:
    """A manual source as it stands: the checked body, and when it was entered (market ms)."""

    body: dict[str, Any]
    entered_ms: int
    version: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything of one contract at `ms`. `bars` by interval; `series` by kind: open_interest (contracts), funding
    (settled), funding_now, basis, cvd (base units a minute); `failed`: why stored data could not be read at all."""

    symbol: str
    ms: int
    bars: dict[str, Bars]
    series: dict[str, Series]
    manual: dict[str, Manual]
    money: Money
    contract: Contract | None
    failed: str = ""
    extra: dict[str, str] = field(default_factory=dict)


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON (keys sorted): the same content has the same hash everywhere."""
    return hashlib.sha256(CANONICAL.encode(value)).hexdigest()


def freshness(inputs: Inputs, settings: ShowdownSettings) -> dict[str, Freshness]:
    """Age and time to live of every input. Required: candles, funding, open interest (C12)."""
    found = {f"candles_{name}": _candles(inputs, name, step) for name, step in TIMEFRAMES.items()}
    found["open_interest"] = _waived(_series(inputs, "open_interest", settings.ttl_open_interest_s, True), settings,
                                     "open_interest")
    found["funding"] = _waived(_funding(inputs, settings), settings, "funding")
    found["basis"] = _series(inputs, "basis", settings.ttl_basis_s, False)
    found["cvd"] = _series(inputs, "cvd", settings.ttl_cvd_s, False)
    found["etf"] = _etf(inputs)
    for name, ttl_s in (("liqmap", settings.ttl_liqmap_s), ("sentiment", settings.ttl_sentiment_s)):
        entered = inputs.manual[name].entered_ms if name in inputs.manual else None
        found[name] = _aged(inputs.ms, entered, ttl_s, False)
    return found


def value_at(series: Series | None, ms: int) -> float | None:
    """The last value at or before `ms`; None where there is none."""
    if series is None or not len(series):
        return None
    place = int(np.searchsorted(series[:, 0], ms, side="right")) - 1
    return float(series[place, 1]) if place >= 0 else None


def _aged(now_ms: int, at_ms: int | None, ttl_s: float, required: bool) -> Freshness:
    if at_ms is None:
        return Freshness("missing", required, None, ttl_s, "never received")
    age_s = (now_ms - at_ms) / 1000
    if age_s < -AHEAD_S:
        return Freshness("stale", required, age_s, ttl_s, f"it is {-age_s:.0f} s ahead of the clock: a clock jumped")
    state = "live" if age_s <= ttl_s else "stale"
    return Freshness(state, required, age_s, ttl_s,  # type: ignore[arg-type]
                     "" if state == "live" else f"{age_s:.0f} s old, lives {ttl_s:.0f} s")


def _candles(inputs: Inputs, name: str, step: int) -> Freshness:
    bars = inputs.bars.get(name)
    ttl_s = step / 1000 + LATE_S
    if bars is None or not len(bars):
        return Freshness("missing", True, None, ttl_s, inputs.failed or "never received")
    closed = int(bars[-1, OPEN_MS]) + step
    fresh = _aged(inputs.ms, closed, ttl_s, True)
    if fresh.state != "live":
        return fresh
    if len(bars) < BARS_NEEDED:
        return msgspec.structs.replace(fresh, state="missing", why=f"{len(bars)} of {BARS_NEEDED} candles are there")
    if not np.isfinite(bars).all() or (bars[:, 1:5] <= 0).any() or (bars[:, 2] < bars[:, 3]).any():
        return msgspec.structs.replace(fresh, state="missing", why="a candle holds a price that cannot be")
    gaps = int((np.diff(bars[:, OPEN_MS]) != step).sum())
    if gaps:
        return msgspec.structs.replace(fresh, state="missing", why=f"{gaps} gap(s) among the last {len(bars)} candles")
    return fresh


def _series(inputs: Inputs, name: str, ttl_s: float, required: bool) -> Freshness:
    series = inputs.series.get(name)
    if series is None or not len(series):
        return Freshness("missing", required, None, ttl_s, inputs.failed or "never received")
    if not np.isfinite(series[-1]).all():
        return Freshness("missing", required, None, ttl_s, "its last value is no number")
    return _aged(inputs.ms, int(series[-1, 0]), ttl_s, required)


def _funding(inputs: Inputs, settings: ShowdownSettings) -> Freshness:
    """The rate of now; where it is not live, the last settlement serves for its eight hours."""
    now = _series(inputs, "funding_now", settings.ttl_funding_s, True)
    if now.usable:
        return now
    settled = _series(inputs, "funding", FUNDING_PERIOD_S, True)
    return msgspec.structs.replace(settled, why="the last settlement serves") if settled.usable else (
        settled if now.state == "missing" else now)


def _waived(fresh: Freshness, settings: ShowdownSettings, name: str) -> Freshness:
    if fresh.usable or name not in settings.waive:
        return fresh
    return msgspec.structs.replace(fresh, state="waived", required=False, why=f"{fresh.why}; waived by the settings")


def _etf(inputs: Inputs) -> Freshness:
    """Flows live until the close of the next US trading day: before it no newer ones can exist."""
    manual = inputs.manual.get("etf")
    if manual is None:
        return Freshness("missing", False, None, 0.0, "never received")
    newest = newest_flows(manual.body["days"])
    age_s = (inputs.ms - manual.entered_ms) / 1000
    left_s = (lives_until_ms(newest) - inputs.ms) / 1000
    if left_s <= 0:
        return Freshness("stale", False, age_s, 0.0, f"flows of {newest} lived until the next US trading day's close")
    return Freshness("live", False, age_s, age_s + left_s, f"flows of {newest}")
