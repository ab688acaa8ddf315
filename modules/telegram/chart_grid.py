"""The picture of a grid: candles, both sides' entries and next levels, break-even, stops, liquidation. Worker only."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Unavailable
from modules.telegram.chart_candles import candles_on, labelled_lines, range_of
from modules.telegram.chart_style import DOWN, ENTRY, PEAK, STOP, TEXT, UP, canvas, note, save, time_labels, title
from utils.paths import Paths

SIDES = (("buy", UP, "B"), ("sell", DOWN, "S"))
_MARK_AT = 0.985  # share of the width where entries are marked


async def grid(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw what the command hands over; nothing is asked of the venue. Raises Unavailable."""
    if spec["price"] is None and len(spec["candles"]) < 2:
        raise Unavailable("the grid has no price yet")
    return {"picture": draw(paths, spec)}


def draw(paths: Paths, spec: dict[str, Any]) -> str:
    """The picture; returns its path below data/."""
    candles = _candles(spec)
    figure, (axis,) = canvas((1.0,))
    candles_on(axis, candles)
    lines = _lines(spec, float(candles[-1, 4]))
    entries = [at for name, _, _ in SIDES for at, _, _ in spec[name]["entries"]]
    range_of(axis, candles, [*entries, *(value for _, value, _ in lines)])
    _entries(axis, spec, len(candles))
    labelled_lines(axis, lines, 0.042)
    axis.set_xlim(-1, len(candles) + 0.5)
    time_labels(axis, [float(at) for at in candles[:, 0]], spec["zone"])
    result = spec["buy"]["result"] + spec["sell"]["result"]
    title(figure, f"{spec['symbol'].removesuffix('USDT')} grid", f"{result:+,.2f} USDT".replace("-", "−"),
          UP if result >= 0 else DOWN)
    buys, sells = (len(spec[name]["entries"]) for name, _, _ in SIDES)
    note(figure, f"{spec['mode']} · {spec['state'].replace('_', ' ').lower()} · {buys} BUY, {sells} SELL · "
                 f"{spec['timeframe']} candles")
    figure.subplots_adjust(left=0.02, right=0.745, top=0.9, bottom=0.07)
    return save(figure, paths, f"grid-{spec['symbol'].lower()}")


def _candles(spec: dict[str, Any]) -> "np.ndarray[Any, Any]":
    """Those at hand; without any, two flat ones at the price, so that levels have a place."""
    if len(spec["candles"]) >= 2:
        return np.array(spec["candles"], dtype=np.float64)
    now = spec["price"]
    return np.array([[number * 3_600_000.0, now, now, now, now, 0.0] for number in range(2)])


def _lines(spec: dict[str, Any], last: float) -> list[tuple[str, float, str]]:
    """Name, price and colour of every labelled line."""
    found: list[tuple[str, float, str]] = [("now", spec["price"] or last, TEXT)]
    if spec["break_even"]:
        found.append(("even", spec["break_even"], ENTRY))
    for name, color, letter in SIDES:
        side = spec[name]
        for label, value, shade in ((f"next {letter}", side["next"], color),
                                    (f"avg {letter}", side["average"], color),
                                    (f"stop {letter}", side["stop"], STOP),
                                    (f"liq {letter}", side["liquidation"], PEAK)):
            if value:
                found.append((label, value, shade))
    return found


def _entries(axis: Axes, spec: dict[str, Any], count: int) -> None:
    """Each entry: a thin line from the middle on, and a triangle whose size tells its lot."""
    for name, color, letter in SIDES:
        rows = spec[name]["entries"]
        if not rows:
            continue
        most = max(quantity for _, quantity, _ in rows)
        for at, quantity, _ in rows:
            axis.hlines(at, count * 0.55, count * _MARK_AT, color=color, linewidth=1.1, alpha=0.75, zorder=5)
            axis.scatter([count * _MARK_AT], [at], s=60 + 120 * quantity / most, color=color, edgecolors="#12161c",
                         marker="^" if letter == "B" else "v", zorder=6)
