"""The picture of signals' day or week: net R summed up, then classes, symbols, hours and quality. Worker only.

Beside each group stands its control group: hollow rings. Whiskers are 90 % intervals.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from modules.exchange.settings import ExchangeSettings
from modules.telegram.chart_style import DIM, DOWN, ENTRY, TEXT, UP, canvas, moment, note, save, title
from utils.paths import Paths

HEIGHT_IN = 14.0
CLASSES = ("HIGH", "MEDIUM", "LOW")
SHORT = {"MEDIUM": "Med"}
SYMBOLS = 10
TICKS = 7  # at most
STEPS_MS = tuple(minutes * 60_000 for minutes in (10, 30, 60, 120, 240, 720, 1440))
Group = dict[str, Any]


async def signal_report(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw a report (strategies/signals/report.py); nothing is asked of the venue."""
    return {"picture": draw(paths, spec)}


def draw(paths: Paths, spec: dict[str, Any]) -> str:
    """The picture; returns its path below data/."""
    figure, _ = canvas()
    figure.clear()
    figure.set_size_inches(figure.get_figwidth(), HEIGHT_IN)
    grid = figure.add_gridspec(5, 1, height_ratios=(1.5, 1.1, 1.2, 1.0, 0.9), hspace=0.62)
    panels = [figure.add_subplot(grid[row]) for row in range(5)]
    for axis in panels:
        axis.yaxis.tick_right()
        axis.set_axisbelow(True)
    _curve(panels[0], spec)
    _ranges(panels[1], spec)
    _symbols(panels[2], spec["symbol"])
    _hours(panels[3], spec["hour"])
    _trend(panels[4], spec["trend"])
    own = spec["all"]["signals"]
    title(figure, f"Signals {'week ' if spec['kind'] == 'week' else ''}{spec['name']}", _signed(own["mean_r"], " R"),
          UP if own["mean_r"] >= 0 else DOWN)
    low, high = own["win_between"]
    note(figure, f"{spec['generated']} generated · {own['count']} ended · {own['win_rate']:.0%} won "
                 f"({low:.0%}–{high:.0%})" + ("" if spec["whole"] else " · so far"))
    for text in figure.texts:  # placed for a lower picture: the same distance from the top edge
        x, y = text.get_position()
        text.set_position((x, 1 - (1 - y) * 8.0 / HEIGHT_IN))
    figure.subplots_adjust(left=0.04, right=0.87, top=0.915, bottom=0.035)
    return save(figure, paths, f"signals-{spec['kind']}")


def _curve(axis: Axes, spec: dict[str, Any]) -> None:
    """Net R of the signals by the time of their end; the control's mean pace on as many trades."""
    _named(axis, "net R, summed up (signals and control's pace)")
    own, control = spec["curve"], spec["control_curve"]
    share = len(own) / len(control) if control else 0.0
    for points, scale, color, width in ((control, share, DIM, 2.0), (own, 1.0, TEXT, 2.8)):
        if points:
            times = [spec["begin_ms"], *(float(at) for at, _ in points)]
            axis.step(times, [0.0, *(value * scale for _, value in points)], where="post", color=color,
                      linewidth=width)
    axis.axhline(0, color=DIM, linewidth=1.2, zorder=1)
    axis.margins(y=0.15)
    end = min(spec["end_ms"], max([spec["begin_ms"] + 3_600_000, *(at for at, _ in [*own, *control])]))
    axis.set_xlim(spec["begin_ms"], end + (end - spec["begin_ms"]) * 0.02)  # the last step is seen
    step = next((step for step in STEPS_MS if (end - spec["begin_ms"]) / step <= TICKS), STEPS_MS[-1])
    places = np.arange(spec["begin_ms"] + step, end - step / 3, step)  # whole hours and days, none at the edges
    form = "%a %d" if spec["kind"] == "week" and step >= STEPS_MS[-2] else "%H:%M"
    axis.set_xticks(list(places), [moment(float(place), spec["zone"]).strftime(form) for place in places])


def _ranges(axis: Axes, spec: dict[str, Any]) -> None:
    """Mean net R of all and of each class with its interval; below it the control's."""
    _named(axis, "mean net R, 90% · rings: control")
    rows = [("all", spec["all"]), *((name, spec["class"][name]) for name in CLASSES if name in spec["class"])]
    values = [0.0]
    for place, (_, both) in enumerate(rows):
        for group, dy, hollow in ((both["signals"], 0.16, False), (both["control"], -0.18, True)):
            values += _whisker(axis, group, -place + dy, hollow)
    axis.axvline(0, color=DIM, linewidth=1.2, zorder=1)
    axis.set_yticks([-place for place in range(len(rows))],
                    [f"{SHORT.get(name, name.capitalize())} {both['signals']['count']}" for name, both in rows])
    axis.set_ylim(-len(rows) + 0.45, 0.55)
    room = 0.08 * (max(values) - min(values)) or 0.5
    axis.set_xlim(min(values) - room, max(values) + room)


def _whisker(axis: Axes, group: Group, y: float, hollow: bool) -> list[float]:
    if not group["count"]:
        return []
    mean, (low, high) = group["mean_r"], group["r_between"]
    color = DIM if hollow else UP if mean >= 0 else DOWN
    shown = [mean]
    if low is not None and high is not None:
        reach = max(2.5, abs(mean) * 1.5)  # an interval of two or three trades would squeeze all others
        shown += [max(low, mean - reach), min(high, mean + reach)]
        axis.plot(shown[1:], [y, y], color=color, linewidth=2.6, zorder=2)
    axis.plot([mean], [y], "o", color="none" if hollow else color, markeredgecolor=color, markeredgewidth=2.4,
              markersize=11, zorder=3)
    return shown


def _symbols(axis: Axes, found: dict[str, Any]) -> None:
    """The best and the worst symbols by their net percent."""
    _named(axis, "net % by symbol, best and worst")
    rows = sorted(((name, both["signals"]) for name, both in found.items() if both["signals"]["count"]),
                  key=lambda one: -one[1]["total_pct"])
    if len(rows) > SYMBOLS:
        rows = rows[:SYMBOLS // 2] + rows[-SYMBOLS // 2:]
    for place, (_, one) in enumerate(rows):
        axis.bar(place, one["total_pct"], width=0.62, color=UP if one["total_pct"] >= 0 else DOWN, alpha=0.85)
    axis.axhline(0, color=DIM, linewidth=1.2)
    axis.set_xticks(range(len(rows)), [f"{name.removesuffix('USDT')[:6]}\n{one['count']}" for name, one in rows],
                    fontsize=12.5)
    axis.set_xlim(-0.6, max(len(rows), 4) - 0.4)
    axis.grid(False, axis="x")
    axis.margins(y=0.15)


def _hours(axis: Axes, found: dict[str, Any]) -> None:
    """Mean net R by the hour it began; the control's as rings."""
    _named(axis, "mean net R by hour of the day")
    for name, both in found.items():
        own, control = both["signals"], both["control"]
        if own["count"]:
            axis.bar(int(name), own["mean_r"], width=0.7, color=UP if own["mean_r"] >= 0 else DOWN, alpha=0.85)
        if control["count"]:
            axis.plot([int(name)], [control["mean_r"]], "o", color="none", markeredgecolor=TEXT, markeredgewidth=1.8,
                      markersize=8)
    axis.axhline(0, color=DIM, linewidth=1.2)
    axis.set_xlim(-0.6, 23.6)
    axis.set_xticks(range(0, 24, 4), [f"{hour:02d}" for hour in range(0, 24, 4)])
    axis.grid(False, axis="x")
    axis.margins(y=0.15)


def _trend(axis: Axes, found: list[dict[str, Any]]) -> None:
    """Mean quality of each period up to this one, with the number of signals."""
    _named(axis, "quality of the signals, and how many")
    places = [place for place, one in enumerate(found) if one["quality"] is not None]
    values = [found[place]["quality"] for place in places]
    if values:
        axis.plot(places, values, color=ENTRY, linewidth=2.4, marker="o", markersize=9)
        for place, value in zip(places, values, strict=True):
            axis.annotate(f"{found[place]['count']}", (place, value), xytext=(0, 11), textcoords="offset points",
                          ha="center", color=TEXT, fontsize=12.5)
        room = max(6.0, (max(values) - min(values)) * 0.6)
        axis.set_ylim(min(values) - room, max(values) + room)
    axis.set_xlim(-0.5, len(found) - 0.5)
    axis.set_xticks(range(len(found)), [one["name"][5:] for one in found], fontsize=12.5)


def _signed(value: float, unit: str) -> str:
    return f"{value:+.2f}{unit}".replace("-", "−")


def _named(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=15, color=TEXT, fontweight="normal", pad=9)
