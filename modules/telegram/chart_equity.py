"""/summary's picture: the realised result summed up, and where it stands with the open positions. Worker only."""

from typing import Any

from modules.exchange.settings import ExchangeSettings
from modules.telegram.chart_style import DIM, DOWN, TEXT, UP, canvas, note, save, time_labels, title
from utils.figures import money
from utils.paths import Paths


async def equity(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw the curve of ``spec["points"]``: (market ms, USDT), at least one."""
    points: list[tuple[float, float]] = [(float(at), float(total)) for at, total in spec["points"]]
    first = points[0][0] - max(1_800_000.0, 0.02 * (points[-1][0] - points[0][0]))
    times = [first, *(at for at, _ in points), float(max(spec["now_ms"], points[-1][0]))]
    totals = [0.0, *(total for _, total in points), points[-1][1]]
    figure, (axis,) = canvas()
    now = totals[-1]
    color = UP if now >= 0 else DOWN
    axis.step(times, totals, where="post", color=TEXT, linewidth=2.6, zorder=3)
    for good, shade in ((True, UP), (False, DOWN)):
        part = [max(total, 0.0) if good else min(total, 0.0) for total in totals]
        axis.fill_between(times, part, 0, step="post", color=shade, alpha=0.35, linewidth=0, zorder=2)
    axis.axhline(0, color=DIM, linewidth=1.2, zorder=2)
    _open(axis, times[-1], now, float(spec["unrealised"]))
    _range(axis, [*totals, now + float(spec["unrealised"])])
    axis.margins(x=0.02)
    axis.set_xticks([])
    _times(axis, times, spec["zone"])
    title(figure, f"{spec['mode']} equity", f"{money(now, signed=True)} USDT", color)
    drawdown = _drawdown(totals)
    note(figure, f"realised, net of fees · deepest fall {money(drawdown)} USDT")
    figure.subplots_adjust(left=0.03, right=0.88, top=0.88, bottom=0.09)
    return {"picture": save(figure, paths, f"equity-{spec['mode'].lower()}")}


def _open(axis: Any, at: float, now: float, unrealised: float) -> None:
    """A dot where the sum stands with the open positions counted at their last price."""
    axis.plot([at], [now], "o", color=TEXT, markersize=9, zorder=5)
    if unrealised:
        color = UP if unrealised > 0 else DOWN
        axis.plot([at, at], [now, now + unrealised], color=color, linewidth=2.5, linestyle=(0, (1, 1.2)), zorder=4)
        axis.plot([at], [now + unrealised], "o", markerfacecolor="none", markeredgecolor=color, markeredgewidth=2.5,
                  markersize=11, zorder=5)
        axis.annotate(f"open {money(unrealised, signed=True)}", (at, now + unrealised), xytext=(-14, 0),
                      textcoords="offset points", ha="right", va="center", color=color, fontsize=15)


def _range(axis: Any, values: list[float]) -> None:
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.1 * (high - low) or 1.0
    axis.set_ylim(low - room, high + room)


def _times(axis: Any, times: list[float], zone: str) -> None:
    """Labels at even places of a real time axis."""
    span = times[-1] - times[0]
    places = [times[0] + span * (number + 0.5) / 4 for number in range(4)]
    time_labels(axis, places, zone, count=4)
    axis.set_xticks(places, [label.get_text() for label in axis.get_xticklabels()])
    axis.set_xlim(times[0], times[-1] + 0.03 * span)


def _drawdown(totals: list[float]) -> float:
    peak, deepest = totals[0], 0.0
    for total in totals:
        peak = max(peak, total)
        deepest = max(deepest, peak - total)
    return deepest
