"""/model's picture: reliability, precision by confidence, equity with and without the filter. Worker only.

Everything is out of sample; whiskers are 95 % intervals by day, the small numbers are how many candidates stand behind.
"""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from modules.exchange.settings import ExchangeSettings
from modules.telegram.chart_style import DIM, DOWN, ENTRY, TEXT, UP, canvas, moment, note, save, title
from utils.paths import Paths

HEIGHT_IN = 12.0
TICKS = 4
_PERCENT = FuncFormatter(lambda value, _: f"{value:.0f}%")


async def model(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw ``spec``: name, state, note, zone, bar (confidence), card (learning/cards.py as JSON), per_trade (words for
    the approved and for all)."""
    card = spec["card"]
    figure, _ = canvas()
    figure.clear()
    figure.set_size_inches(figure.get_figwidth(), HEIGHT_IN)
    grid = figure.add_gridspec(3, 1, height_ratios=(1.15, 1.0, 1.15), hspace=0.42)
    reliability, confidence, equity = (figure.add_subplot(grid[row]) for row in range(3))
    for axis in (reliability, confidence, equity):
        axis.yaxis.tick_right()
        axis.set_axisbelow(True)
    _reliability(reliability, card)
    _confidence(confidence, card, spec["bar"])
    _equity(equity, card["equity"], spec["per_trade"], spec["zone"])
    color = {"votes": UP, "retired": DOWN}.get(spec["state"], ENTRY)
    title(figure, spec["name"], spec["state"], color)
    note(figure, spec["note"])
    figure.subplots_adjust(left=0.04, right=0.88, top=0.865, bottom=0.045)
    return {"picture": save(figure, paths, f"model-{spec['name'].lower().replace(' ', '-')}")}


def _reliability(axis: Axes, card: dict[str, Any]) -> None:
    """What was said against what came true; on the dashed line the model keeps its word."""
    bars = [bar for bar in card["reliability"] if bar["right"] is not None]
    _named(axis, "chance said (→) and what came true (↑)")
    if not bars:
        return _nothing(axis)
    said = [100 * bar["said"] for bar in bars]
    room = max(0.12 * (max(said) - min(said)), 3.0)
    left, most = max(0.0, min(said) - room), max(said) + room
    top = 100 * max(max(bar["right"]["high"] for bar in bars), card["base_rate"], 0.01) * 1.12
    axis.plot([0, 100], [0, 100], color=DIM, linestyle=(0, (3, 2)), linewidth=1.6, zorder=1)
    axis.axhline(100 * card["base_rate"], color=ENTRY, linewidth=1.6, zorder=1)
    axis.text(most, 100 * card["base_rate"], f"all {card['base_rate']:.0%} ", color=ENTRY, fontsize=13, ha="right",
              va="bottom")
    for bar in bars:
        at, right = 100 * bar["said"], bar["right"]
        axis.plot([at, at], [100 * right["low"], 100 * right["high"]], color=TEXT, linewidth=2.4, alpha=0.7, zorder=2)
        axis.plot([at], [100 * right["mean"]], "o", color=TEXT, markersize=10, zorder=3)
        axis.annotate(f"{bar['count']}", (at, 100 * right["low"]), xytext=(0, -15), textcoords="offset points",
                      ha="center", color=DIM, fontsize=12)
    axis.set_xlim(left, most)
    axis.set_ylim(-0.14 * top, top)
    axis.xaxis.set_major_formatter(_PERCENT)
    axis.yaxis.set_major_formatter(_PERCENT)


def _confidence(axis: Axes, card: dict[str, Any], approve: float) -> None:
    """Precision in each row of confidence; green from the bar on that counts as approved."""
    bars = [bar for bar in card["confidence"] if bar["right"] is not None]
    _named(axis, "came true, by confidence")
    if not bars:
        return _nothing(axis)
    most = 100 * max(max(bar["right"]["high"] for bar in bars), card["base_rate"], 0.01) * 1.2
    for place, bar in enumerate(bars):
        right, color = bar["right"], UP if bar["low"] >= approve - 1e-9 else DIM
        axis.bar(place, 100 * right["mean"], width=0.62, color=color, alpha=0.75, zorder=2)
        axis.plot([place, place], [100 * right["low"], 100 * right["high"]], color=TEXT, linewidth=2.4, zorder=3)
    axis.axhline(100 * card["base_rate"], color=ENTRY, linewidth=1.6, zorder=3)
    axis.set_xticks(range(len(bars)), [f"{bar['low']:g}–{bar['high']:g}\n{bar['count']}" for bar in bars], fontsize=13)
    axis.set_xlim(-0.5, len(bars) - 0.5)
    axis.set_ylim(0, most)
    axis.grid(False, axis="x")
    axis.yaxis.set_major_formatter(_PERCENT)


def _equity(axis: Axes, curve: dict[str, Any], per_trade: list[str], zone: str) -> None:
    """Net percent summed up, one equal stake a candidate: all of them, and those the model would have approved."""
    times = [float(at) for at in curve["time"]]
    _named(axis, "net %, summed: one stake a candidate")
    if len(times) < 2:
        return _nothing(axis, "net results of too few days are known")
    axis.axhline(0, color=DIM, linewidth=1.2, zorder=1)
    axis.plot(times, curve["all"], color=ENTRY, linewidth=2.2, zorder=2)
    axis.plot(times, curve["approved"], color=TEXT, linewidth=2.6, zorder=3)
    low, high = min(0.0, *curve["all"], *curve["approved"]), max(0.0, *curve["all"], *curve["approved"])
    room = 0.06 * (high - low) or 1.0
    for row, (words, shade) in enumerate(((f"approved {per_trade[0]}", TEXT), (f"all {per_trade[1]}", ENTRY))):
        axis.text(0.015, 0.13 - 0.1 * row, words, transform=axis.transAxes, color=shade, fontsize=15,
                  fontweight="bold", va="center", zorder=6)
    axis.set_ylim(low - 5 * room, high + room)
    axis.set_xlim(times[0], times[-1])
    places = [times[0] + (times[-1] - times[0]) * (number + 0.5) / TICKS for number in range(TICKS)]
    axis.set_xticks(places, [moment(place, zone).strftime("%d %b") for place in places])
    axis.yaxis.set_major_formatter(_PERCENT)


def _named(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=15, color=TEXT, fontweight="normal", pad=9)


def _nothing(axis: Axes, why: str = "too few candidates were judged") -> None:
    axis.text(0.5, 0.5, why, transform=axis.transAxes, ha="center", color=DIM, fontsize=15)
    axis.set_xticks([])
    axis.set_yticks([])
