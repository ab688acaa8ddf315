"""/backtest's picture: equity against buy-and-hold, drawdown, result per month. Worker only."""

from calendar import monthrange
from datetime import UTC, datetime
from typing import Any

from modules.exchange.settings import ExchangeSettings
from modules.telegram.chart_style import BACK, DIM, DOWN, ENTRY, TEXT, UP, canvas, note, save, time_labels, title
from utils.figures import money, pct
from utils.paths import Paths

LABELS = 4


async def backtest(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw ``spec``: name, zone, note, start (USDT), curve (time, equity, hold, drawdown), months [(YYYY-MM, USDT)]."""
    curve = spec["curve"]
    times = [float(at) for at in curve["time"]]
    figure, (equity, fall, months) = canvas((3.0, 1.0, 1.3))
    end, start = float(curve["equity"][-1]), float(spec["start"])
    color = UP if end >= start else DOWN
    _equity(equity, times, curve, start, color)
    fall.fill_between(times, curve["drawdown"], 0, color=DOWN, alpha=0.55, linewidth=0)
    fall.set_ylim(min(min(curve["drawdown"]) * 1.15, -0.5), 0)
    _named(fall, "drawdown, %", low=True)
    _months(months, spec["months"], times)
    months.set_xlim(times[0], max(times[-1], times[0] + 1))
    _times(months, times, spec["zone"])
    title(figure, spec["name"], f"{money(end - start, signed=True)} USDT", color)
    note(figure, spec["note"])
    figure.subplots_adjust(left=0.03, right=0.88, top=0.88, bottom=0.09, hspace=0.1)
    return {"picture": save(figure, paths, "backtest")}


def _equity(axis: Any, times: list[float], curve: dict[str, Any], start: float, color: str) -> None:
    """Both curves, named where they end, so that no legend covers them."""
    axis.plot(times, curve["hold"], color=ENTRY, linewidth=1.8, alpha=0.85, zorder=2)
    axis.plot(times, curve["equity"], color=TEXT, linewidth=2.6, zorder=3)
    axis.fill_between(times, curve["equity"], start, color=color, alpha=0.25, linewidth=0, zorder=1)
    axis.axhline(start, color=DIM, linewidth=1.2, zorder=1)
    gains = [(f"this test {pct(_gain(curve['equity'], start))}", TEXT),
             (f"buy and hold {pct(_gain(curve['hold'], start))}", ENTRY)]
    for row, (words, shade) in enumerate(gains):
        axis.text(0.015, 0.965 - 0.085 * row, words, transform=axis.transAxes, color=shade, fontsize=15, va="top",
                  fontweight="bold", zorder=6, bbox={"facecolor": BACK, "edgecolor": "none", "alpha": 0.7, "pad": 2})
    low, high = min(*curve["equity"], *curve["hold"]), max(*curve["equity"], *curve["hold"])
    room = 0.05 * (high - low) or 1.0
    axis.set_ylim(low - room, high + 5 * room)


def _gain(values: list[float], start: float) -> float:
    return (float(values[-1]) / start - 1) * 100 if start else 0.0


def _months(axis: Any, months: list[tuple[str, float]], times: list[float]) -> None:
    """A column for each month, as wide as the month."""
    for name, usdt in months:
        begin, end = _span(name)
        begin, end = max(begin, times[0]), min(end, max(times[-1], times[0] + 1))
        axis.bar((begin + end) / 2, usdt, width=max(end - begin, 1.0) * 0.82, color=UP if usdt >= 0 else DOWN,
                 linewidth=0, zorder=2)
    axis.axhline(0, color=DIM, linewidth=1.2, zorder=3)
    values = [0.0, *(usdt for _, usdt in months)]
    room = 0.15 * (max(values) - min(values)) or 1.0
    axis.set_ylim(min(values) - room, max(values) + 2 * room)
    _named(axis, "per month, USDT")


def _named(axis: Any, words: str, low: bool = False) -> None:
    axis.text(0.015, 0.08 if low else 0.95, words, transform=axis.transAxes, color=DIM, fontsize=14,
              va="bottom" if low else "top", zorder=6)


def _span(month: str) -> tuple[float, float]:
    """First and last ms of ``2024-03`` (UTC)."""
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    days = monthrange(begin.year, begin.month)[1]
    return begin.timestamp() * 1000, begin.timestamp() * 1000 + days * 86_400_000


def _times(axis: Any, times: list[float], zone: str) -> None:
    span = times[-1] - times[0]
    places = [times[0] + span * (number + 0.5) / LABELS for number in range(LABELS)]
    time_labels(axis, places, zone, count=LABELS)
    axis.set_xticks(places, [label.get_text() for label in axis.get_xticklabels()])
    axis.set_xlim(times[0], max(times[-1], times[0] + 1))
