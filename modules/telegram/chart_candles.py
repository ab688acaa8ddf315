"""/chart: candles with volume, the lines of a position (entry, stop, targets, peak) and its fills. Worker only."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from modules.exchange.gateway import open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Candles, Unavailable
from modules.telegram.chart_style import (
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
from utils.figures import pct, price
from utils.paths import Paths

BARS = 72
_LABEL_GAP = 0.058  # share of the height that two labels need between them


async def chart(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Fetch the candles and draw them. Raises Unavailable; an unknown symbol answers with near names."""
    market = await open_market(exchange, paths)
    try:
        known = await market.markets()
        if spec["symbol"] not in known:
            return {"unknown": True, "symbols": sorted(known)}
        candles = await market.candles(spec["symbol"], spec["interval"], BARS)
    finally:
        await market.close()
    if len(candles) < 2:
        raise Unavailable(f"{spec['symbol']} has no candles yet.")
    return {"picture": draw(paths, candles, spec), "last": float(candles[-1, 4]),
            "change_pct": float(candles[-1, 4] / candles[0, 1] - 1) * 100}


def draw(paths: Paths, candles: Candles, spec: dict[str, Any]) -> str:
    """The picture of `candles` (n, 6); returns its path below data/."""
    figure, (axis, below) = canvas((4.2, 1.0))
    candles_on(axis, candles)
    _volume(below, candles)
    lines = _lines(spec.get("position"), float(candles[-1, 4]))
    range_of(axis, candles, [value for _, value, _ in lines])
    labelled_lines(axis, lines)
    _fills(axis, candles, spec.get("fills", []))
    axis.set_xlim(-1, len(candles) + 0.5)
    axis.tick_params(axis="x", labelbottom=False)
    time_labels(below, [float(at) for at in candles[:, 0]], spec["zone"])
    change = float(candles[-1, 4] / candles[0, 1] - 1) * 100
    title(figure, f"{spec['symbol'].removesuffix('USDT')} {spec['interval']}",
          f"{price(float(candles[-1, 4]))}  {pct(change, digits=1)}", UP if change >= 0 else DOWN)
    note(figure, _about(spec))
    figure.subplots_adjust(left=0.02, right=0.765, top=0.9, bottom=0.085)
    return save(figure, paths, f"chart-{spec['symbol'].lower()}")


def _about(spec: dict[str, Any]) -> str:
    position = spec.get("position")
    if not position:
        return "not held"
    return f"{position['mode']} · {position['strategy']} · confidence {position['confidence']:.2f}"


def candles_on(axis: Axes, candles: Candles) -> None:
    """Bodies and wicks at 0, 1, 2 …; rows begin with time, open, high, low, close."""
    at = np.arange(len(candles))
    first, high, low, last = candles[:, 1], candles[:, 2], candles[:, 3], candles[:, 4]
    up = last >= first
    for which, color in ((up, UP), (~up, DOWN)):
        axis.vlines(at[which], low[which], high[which], color=color, linewidth=1.6, zorder=3)
        bottom = np.minimum(first, last)[which]
        height = np.maximum(np.abs(last - first)[which], (high.max() - low.min()) * 0.0015)
        axis.bar(at[which], height, 0.72, bottom=bottom, color=color, linewidth=0, zorder=4)


def _volume(axis: Axes, candles: Candles) -> None:
    colors = [UP if row[4] >= row[1] else DOWN for row in candles]
    axis.bar(np.arange(len(candles)), candles[:, 5], 0.72, color=colors, alpha=0.55, linewidth=0, zorder=3)
    axis.set_yticks([])
    axis.text(1.01, 0.5, "volume", transform=axis.transAxes, va="center", color=DIM, fontsize=14)
    axis.grid(False)


def _lines(position: dict[str, Any] | None, last: float) -> list[tuple[str, float, str]]:
    """Name, price and colour of every horizontal line."""
    if position is None:
        return [("now", last, TEXT)]
    found = [("SL", position["sl"], STOP), ("in", position["entry"], ENTRY)]
    for number, target in enumerate(position["tp"], start=1):
        if number > position["tp_hit"]:
            found.append((f"TP{number}", target, TARGET))
    if position["peak"] > position["entry"] * 1.001:
        found.append(("peak", position["peak"], PEAK))
    return [*found, ("now", last, TEXT)]


def range_of(axis: Axes, candles: Candles, lines: list[float]) -> None:
    """All candles, and lines as far as they don't squeeze these: a far target waits outside, told at the edge."""
    low, high = float(candles[:, 3].min()), float(candles[:, 2].max())
    span = (high - low) or high * 0.01
    near = [value for value in lines if low - 0.9 * span <= value <= high + 0.9 * span]
    bottom, top = min([low, *near]), max([high, *near])
    room = 0.05 * (top - bottom)
    axis.set_ylim(bottom - room, top + room)


def labelled_lines(axis: Axes, lines: list[tuple[str, float, str]], gap: float = _LABEL_GAP) -> None:
    """Horizontal lines (name, price, colour) with their labels on the right, `gap` of the height apart at least."""
    bottom, top = axis.get_ylim()
    inside = [line for line in lines if bottom <= line[1] <= top]
    for _, value, color in inside:
        axis.axhline(value, color=color, linewidth=1.7, linestyle="-" if color == TEXT else (0, (6, 4)), zorder=2)
    places = spread([value for _, value, _ in inside], gap * (top - bottom))
    for (name, value, color), place in zip(inside, places, strict=True):
        axis.annotate(f"{name} {short(value)}", (1.012, place), xycoords=("axes fraction", "data"), va="center",
                      ha="left", fontsize=15, fontweight="bold", color="#12161c", annotation_clip=False, zorder=9,
                      bbox={"boxstyle": "round,pad=0.18", "facecolor": color, "edgecolor": "none"})
    _ticks(axis, places, 0.9 * gap * (top - bottom))
    above = [f"{name} {price(value)}" for name, value, _ in lines if value > top]
    under = [f"{name} {price(value)}" for name, value, _ in lines if value < bottom]
    if above:
        axis.text(0.01, 0.985, "↑ " + " · ".join(above), transform=axis.transAxes, va="top", color=TARGET, fontsize=14)
    if under:
        axis.text(0.01, 0.015, "↓ " + " · ".join(under), transform=axis.transAxes, va="bottom", color=STOP, fontsize=14)


def short(value: float) -> str:
    """A price with five significant digits: it has to fit beside the candles."""
    return price(float(f"{value:.5g}"))


def _ticks(axis: Axes, taken: list[float], gap: float) -> None:
    """Prices of the scale, where no label stands."""
    bottom, top = axis.get_ylim()
    shown = [value for value in axis.get_yticks()
             if bottom < value < top and value > 0 and all(abs(value - place) > gap for place in taken)]
    axis.set_yticks(shown, [short(float(value)) for value in shown])


def spread(values: list[float], gap: float) -> list[float]:
    """Places for labels at `values`, moved apart so that neighbours stand at least `gap` from each other."""
    order = sorted(range(len(values)), key=lambda index: values[index])
    places = list(values)
    for _ in range(200):
        moved = False
        for lower, upper in zip(order, order[1:], strict=False):
            lack = gap - (places[upper] - places[lower])
            if lack > 1e-12 * max(1.0, abs(gap)) and lack > gap * 1e-6:
                places[lower] -= lack / 2
                places[upper] += lack / 2
                moved = True
        if not moved:
            break
    return places


def _fills(axis: Axes, candles: Candles, fills: list[dict[str, Any]]) -> None:
    """Triangles at our own fills: up below a buy, down above a sale."""
    times = candles[:, 0]
    step = float(times[1] - times[0])
    bottom, top = axis.get_ylim()
    for fill in fills:
        index = int(np.searchsorted(times, fill["at"], side="right")) - 1
        if index < 0 or fill["at"] >= times[-1] + step:
            continue
        buy = fill["side"] == "BUY"
        shift = 0.02 * (top - bottom)
        place = fill["price"] - shift if buy else fill["price"] + shift
        axis.plot([index], [place], "^" if buy else "v", color=ENTRY if buy else "#ffffff", markersize=14,
                  markeredgecolor="#12161c", markeredgewidth=1.5, zorder=8)
