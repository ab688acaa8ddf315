"""The chart of system C: structure on the candles, liquidation pools, entry zone, stop, targets, chain of reasons.

For the worker process only. It draws what the service wrote; nothing is asked of the venue.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Unavailable
from modules.strategies.showdown.words import flat_because
from modules.telegram.chart_candles import candles_on, labelled_lines, range_of
from modules.telegram.chart_style import (
    BACK,
    DIM,
    DOWN,
    ENTRY,
    PEAK,
    STOP,
    TARGET,
    TEXT,
    UP,
    canvas,
    note,
    save,
    time_labels,
    title,
)
from utils.figures import price, when
from utils.paths import Paths

_SAID = {"take": ("✓", UP), "scale": ("◐", PEAK), "skip": ("✗", DOWN), "veto": ("✗", DOWN), "aside": ("–", DIM),
         "absent": ("–", DIM)}
_MARKS = {"pass": ("✓", UP), "fail": ("✗", DOWN), "neutral": ("–", DIM)}
_ROWS = 8
_LABEL_GAP = 0.085  # of the height: the picture's upper half only holds the candles
_CLOSER = 40  # candles in the picture of a trade, whose levels lie close together
_PLATE = {"facecolor": BACK, "edgecolor": "none", "alpha": 0.75, "pad": 1.5}  # keeps words legible on candles
_GUTTER = 0.2  # of the candles: room at the left for the names of pools
_EDGE = 0.05  # of the height, where names of far pools stand


async def showdown(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw `spec`: symbol, interval, zone, candles (n, 6), swings, pools, decision. Raises Unavailable."""
    if len(spec["candles"]) < 2:
        raise Unavailable(f"{spec['symbol']} has no {spec['interval']} candles yet.")
    return {"picture": draw(paths, spec)}


def draw(paths: Paths, spec: dict[str, Any]) -> str:
    """The picture; returns its path below data/."""
    decision = spec["decision"]
    candles = np.array(spec["candles"], dtype=np.float64)[-_CLOSER if decision["entry_zone"] else 0:]
    figure, (axis, below) = canvas((3.0, 1.3), shared=False)
    candles_on(axis, candles)
    lines = _lines(decision, float(candles[-1, 4]))
    range_of(axis, candles, [value for _, value, _ in lines])
    bottom, top = axis.get_ylim()
    axis.set_ylim(bottom - 0.1 * (top - bottom), top + 0.1 * (top - bottom))  # for names of swings and pools
    gutter = _GUTTER * len(candles) if _pools(axis, spec["pools"]) else 0.0
    if decision["entry_zone"]:
        low, high = (float(value) for value in decision["entry_zone"])
        axis.axhspan(low, high, color=ENTRY, alpha=0.25, zorder=1.5)
    _swings(axis, candles, spec["swings"])
    labelled_lines(axis, lines, _LABEL_GAP)
    axis.set_xlim(-1 - gutter, len(candles) + 0.5)
    time_labels(axis, [float(at) for at in candles[:, 0]], spec["zone"])
    _table(below, decision)
    action = decision["action"]
    color = {"long": UP, "short": DOWN}.get(action, TEXT)
    head = {"long": "▲ LONG", "short": "▼ SHORT"}.get(action, _flat(decision))
    asset, last = spec["symbol"].removesuffix("USDT"), price(float(candles[-1, 4]))
    title(figure, f"{asset} {spec['interval']}  {last}", head, color)
    follows = "signals only · " if decision.get("execution", "").startswith("signals only") else ""
    sure = f" · confidence {decision['confidence']:.2f}" if decision["confidence"] else ""
    note(figure, f"[{decision['mode']}] {follows}trend {spec['trend']} · {when(int(decision['ms']), spec['zone'])} · "
                 f"risk {decision['risk_level']} of 5{sure}")
    axis.set_position((0.03, 0.39, 0.735, 0.51))
    below.set_position((0.03, 0.01, 0.94, 0.315))
    return save(figure, paths, f"showdown-{spec['symbol'].lower()}")


def _lines(decision: dict[str, Any], last: float) -> list[tuple[str, float, str]]:
    found = [(name, float(decision[key]), color) for name, key, color in
             (("SL", "sl", STOP), ("TP1", "tp1", TARGET), ("TP2", "tp2", TARGET)) if decision[key]]
    if decision["entry_zone"]:
        found.append(("in", sum(float(value) for value in decision["entry_zone"]) / 2, ENTRY))
    return [*found, ("now", last, TEXT)]


def _pools(axis: Axes, pools: list[dict[str, Any]]) -> bool:
    """Bands: red where longs are liquidated, green where shorts are; stronger the larger. Far ones at the edge.

    Whether there is a band, whose name stands left of the candles.
    """
    bottom, top = axis.get_ylim()
    largest = max((pool["size_usd"] for pool in pools), default=1.0)
    outside: dict[bool, list[str]] = {True: [], False: []}
    drawn = False
    for pool in pools:
        long = pool["side"] == "long"
        size = f"{pool['size_usd'] / 1e6:.0f}M"
        edge = _EDGE * (top - bottom)
        if pool["low"] > top - edge or pool["high"] < bottom + edge:
            place = f"{price(pool['low'])}–{price(pool['high'])}"
            outside[pool["low"] > top - edge].append(f"{pool['side']}s {place} {size}")
            continue
        least = 0.004 * (top - bottom)
        high = max(pool["high"], pool["low"] + least)
        axis.axhspan(pool["low"], high, color=DOWN if long else UP, zorder=1,
                     alpha=0.12 + 0.25 * pool["size_usd"] / largest)
        axis.text(0.008, (pool["low"] + high) / 2, f"liq. {pool['side']}s {size}", color=TEXT, fontsize=12,
                  transform=axis.get_yaxis_transform(), va="center", zorder=7, bbox=_PLATE)
        drawn = True
    for above, places in outside.items():
        if places:
            words = ("↑ liq. " if above else "↓ liq. ") + " · ".join(places[:2])
            axis.text(0.01, 0.985 if above else 0.015, words, fontsize=12, transform=axis.transAxes,
                      va="top" if above else "bottom", color=UP if above else DOWN, zorder=7, bbox=_PLATE)
    return drawn


def _swings(axis: Axes, candles: "np.ndarray[Any, Any]", swings: list[dict[str, Any]]) -> None:
    """HH, HL, LH, LL at their bars, joined by a line in the order of time."""
    bottom, top = axis.get_ylim()
    points: list[tuple[int, float]] = []
    for swing in sorted(swings, key=lambda one: one["at_ms"]):
        found = np.flatnonzero(candles[:, 0] == swing["at_ms"])
        if not len(found):
            continue
        at, high = int(found[0]), swing["kind"] == "high"
        points.append((at, swing["price"]))
        shift = 0.02 * (top - bottom) * (1 if high else -1)
        color = UP if swing["label"] in ("HH", "HL") else DOWN if swing["label"] else DIM
        axis.text(at, swing["price"] + shift, swing["label"] or "·", ha="center", va="bottom" if high else "top",
                  color=color, fontsize=14, fontweight="bold", zorder=8)
    if len(points) > 1:
        axis.plot([at for at, _ in points], [value for _, value in points], color=PEAK, linewidth=1.6, alpha=0.8,
                  zorder=6)


def _table(axis: Axes, decision: dict[str, Any]) -> None:
    """The rule table: gates on the left, the side's rows on the right; a failed row is told in words."""
    axis.axis("off")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    review = decision.get("review")
    side = decision["action"] if decision["action"] != "flat" else review["action"] if review else nearer(decision)
    columns = ((0.0, "gates, for both sides", decision["gates"]), (0.44, f"rules for a {side}", decision[side]))
    for left, name, rows in columns:
        axis.text(left, 0.985, name, color=DIM, fontsize=13, va="top")
        for place, row in enumerate(rows[:_ROWS]):
            y = 0.865 - place * (0.09 if review else 0.109)
            mark, color = _MARKS[row["result"]]
            axis.text(left, y, mark, color=color, fontsize=14, va="top", fontweight="bold")
            room = 39 if left == 0 else 52
            words = f"{row['code'].replace('_', ' ').lower()}: {row['said']}" if left else row["said"]
            axis.text(left + 0.025, y, words if len(words) <= room else words[:room - 1] + "…", fontsize=11.5,
                      color=TEXT if row["result"] != "neutral" else DIM, va="top")
    for place, one in enumerate(review["opinions"][:2] if review else ()):
        (mark, color), y = _SAID[one["verdict"]], 0.135 - 0.09 * place
        axis.text(0.0, y, mark, color=color, fontsize=14, va="top", fontweight="bold")
        words = f"{one['by']}: {one['said']}"
        axis.text(0.025, y, words if len(words) <= 96 else words[:95] + "…", fontsize=11.5, va="top",
                  color=DIM if one["verdict"] in ("aside", "absent") else TEXT)
    axis.patch.set_facecolor(BACK)


def _flat(decision: dict[str, Any]) -> str:
    """FLAT and its code, or what the rules had wanted where a reviewer stopped it."""
    review = decision.get("review")
    if review:
        return f"FLAT · {review['action']} {review['outcome']}"
    return f"FLAT · {flat_because(decision['reason'])}"


def nearer(decision: dict[str, Any]) -> str:
    """The side of which more rows pass."""
    passed = {side: sum(row["result"] == "pass" for row in decision[side]) for side in ("long", "short")}
    return "long" if passed["long"] >= passed["short"] else "short"
