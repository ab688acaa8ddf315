"""The chart of a signal: 15m candles with its lines; below, the imbalance of the book and the flow. Worker only."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Unavailable
from modules.telegram.chart_candles import candles_on, labelled_lines, range_of
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
from utils.figures import when
from utils.paths import Paths

LABEL_GAP = 0.085  # the panel of candles is lower than /chart's


async def signal(paths: Paths, exchange: ExchangeSettings, spec: dict[str, Any]) -> dict[str, Any]:
    """Draw what the signal bot hands over; nothing is asked of the venue."""
    if len(spec["candles"]) < 2:
        raise Unavailable(f"{spec['symbol']} has no candles yet.")
    return {"picture": draw(paths, spec)}


def draw(paths: Paths, spec: dict[str, Any]) -> str:
    """The picture; returns its path below data/."""
    candles = np.array(spec["candles"], dtype=np.float64)
    samples = np.array(spec["samples"], dtype=np.float64).reshape(-1, 4)
    figure, (axis, lean, flow) = canvas((3.6, 1.0, 1.0), shared=False)
    candles_on(axis, candles)
    lines = [("SL", spec["sl"], STOP), ("in", spec["entry"], ENTRY), ("TP1", spec["tp1"], TARGET),
             ("TP2", spec["tp2"], TARGET)]
    if spec["vwap"]:
        lines.append(("VWAP", spec["vwap"], PEAK))
    range_of(axis, candles, [value for _, value, _ in lines])
    labelled_lines(axis, lines, LABEL_GAP)
    axis.set_xlim(-1, len(candles) + 0.5)
    time_labels(axis, [float(at) for at in candles[:, 0]], spec["zone"])
    _lean(lean, samples, spec)
    _flow(flow, samples, spec)
    long = spec["direction"] == "LONG"
    title(figure, f"{spec['symbol'].removesuffix('USDT')} {'▲ LONG' if long else '▼ SHORT'}",
          f"{spec['priority']} {spec['quality']}", UP if long else DOWN)
    note(figure, f"15m candles · signal at {when(int(spec['at']), spec['zone'])}")
    for panel, (bottom, height) in zip((axis, lean, flow), ((0.4, 0.5), (0.215, 0.115), (0.075, 0.115)), strict=True):
        panel.set_position((0.03, bottom, 0.735, height))
    return save(figure, paths, f"signal-{spec['symbol'].lower()}")


def _minutes(samples: "np.ndarray[Any, Any]", spec: dict[str, Any]) -> "np.ndarray[Any, Any]":
    minutes: np.ndarray[Any, Any] = (samples[:, 0] - spec["at"]) / 60_000
    return minutes


def _lean(axis: Axes, samples: "np.ndarray[Any, Any]", spec: dict[str, Any]) -> None:
    """Imbalance of the best levels over the last minutes, with the thresholds."""
    at, values = _minutes(samples, spec), samples[:, 1]
    axis.fill_between(at, 0, values, where=list(values >= 0), color=UP, alpha=0.6, linewidth=0, interpolate=True)
    axis.fill_between(at, 0, values, where=list(values < 0), color=DOWN, alpha=0.6, linewidth=0, interpolate=True)
    for level in (spec["threshold"], -spec["threshold"]):
        axis.axhline(level, color=DIM, linewidth=1.2, linestyle=(0, (4, 4)))
    axis.axhline(0, color=TEXT, linewidth=0.8)
    most = max(0.6, float(np.abs(values).max()) * 1.1) if len(values) else 0.6
    axis.set_ylim(-most, most)
    axis.set_yticks([-0.5, 0, 0.5], ["−0.5", "0", "+0.5"])
    axis.tick_params(axis="x", labelbottom=False)
    axis.text(0.01, 0.97, "order book: bids + / asks −", transform=axis.transAxes, va="top", color=TEXT, fontsize=13.5)


def _flow(axis: Axes, samples: "np.ndarray[Any, Any]", spec: dict[str, Any]) -> None:
    """Bought minus sold in the window, over the last minutes."""
    at, net = _minutes(samples, spec), samples[:, 2] - samples[:, 3]
    axis.fill_between(at, 0, net, where=list(net >= 0), color=UP, alpha=0.6, linewidth=0, interpolate=True)
    axis.fill_between(at, 0, net, where=list(net < 0), color=DOWN, alpha=0.6, linewidth=0, interpolate=True)
    axis.axhline(0, color=TEXT, linewidth=0.8)
    most = float(np.abs(net).max()) * 1.25 if len(net) and np.abs(net).max() > 0 else 1.0
    axis.set_ylim(-most, most)
    axis.set_yticks([-most / 1.25, 0, most / 1.25], [f"−{_usdt(most / 1.25)}", "0", f"+{_usdt(most / 1.25)}"])
    axis.text(0.01, 0.97, "bought − sold, 5 min, USDT", transform=axis.transAxes, va="top", color=TEXT, fontsize=13.5)
    first = float(at.min()) if len(at) else -1.0
    ticks = np.linspace(first, 0, 4)
    axis.set_xticks(list(ticks), [f"{tick:.0f} min".replace("-", "−") for tick in ticks[:-1]] + ["now"])


def _usdt(value: float) -> str:
    for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}{name}"
    return f"{value:.0f}"
