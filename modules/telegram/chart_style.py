"""The look of every picture: dark, few lines, letters that read at the width of a phone (375 px of 1125).

Green is up and red is down, as traders know it (never the other way round).
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from utils.paths import Paths
from utils.wall import stamp

UP, DOWN, TEXT, DIM, GRID, BACK = "#2ebd85", "#f6465d", "#eaecef", "#848e9c", "#2b3139", "#12161c"
ENTRY, TARGET, STOP, PEAK = "#f0b90b", "#2ebd85", "#f6465d", "#b89cff"
_STYLE: dict[str, Any] = {
    "figure.facecolor": BACK, "axes.facecolor": BACK, "savefig.facecolor": BACK, "text.color": TEXT,
    "axes.edgecolor": GRID, "axes.labelcolor": DIM, "xtick.color": DIM, "ytick.color": DIM, "grid.color": GRID,
    "font.family": "DejaVu Sans", "font.size": 15, "axes.titlesize": 19, "axes.titleweight": "bold",
    "axes.spines.top": False, "axes.spines.left": False, "axes.spines.right": False, "axes.grid": True,
    "grid.linewidth": 0.8, "xtick.major.size": 0, "ytick.major.size": 0, "lines.solid_capstyle": "round",
}
KEPT = 100  # pictures left in data/pictures
WIDTH_IN, HEIGHT_IN, DPI = 9.0, 8.0, 125  # 1125 × 1000 px


def canvas(rows: tuple[float, ...] = (1.0,), shared: bool = True) -> tuple[Figure, list[Axes]]:
    """A figure with axes below each other, prices on the right. `shared`: one time axis for all."""
    plt.style.use(_STYLE)
    figure, axes = plt.subplots(len(rows), 1, figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, sharex=shared, squeeze=False,
                                gridspec_kw={"height_ratios": rows, "hspace": 0.04})
    found = list(axes[:, 0])
    for axis in found:
        axis.yaxis.tick_right()
        axis.set_axisbelow(True)
    return figure, found


def title(figure: Figure, left: str, right: str, right_color: str = TEXT) -> None:
    """One line above: what it is, and the figure that matters."""
    figure.text(0.03, 0.955, left, fontsize=21, fontweight="bold", color=TEXT)
    figure.text(0.97, 0.955, right, fontsize=21, fontweight="bold", color=right_color, ha="right")


def note(figure: Figure, text: str) -> None:
    """The line below the title."""
    figure.text(0.03, 0.917, text, fontsize=14.5, color=DIM)


def save(figure: Figure, paths: Paths, name: str) -> str:
    """Write the PNG; returns its path below data/."""
    folder = paths.data / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    path = Path("pictures") / f"{name}-{stamp()}.png"
    figure.savefig(paths.data / path, dpi=DPI)
    plt.close(figure)
    for old in sorted(folder.glob("*.png"), key=lambda found: found.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
    return path.as_posix()


def moment(market_ms: float, zone: str) -> datetime:
    """A market time in the report's zone."""
    return datetime.fromtimestamp(market_ms / 1000, UTC).astimezone(ZoneInfo(zone))


def time_labels(axis: Axes, times_ms: list[float], zone: str, count: int = 5) -> None:
    """About `count` labels under bars that stand at 0, 1, 2 …: the hour, and the day where it changes."""
    last = len(times_ms) - 1
    places = sorted({round(last * (number + 0.5) / count) for number in range(count)}) if last > 0 else [0]
    whole_days = last > 0 and times_ms[-1] - times_ms[0] > 3 * 86_400_000
    labels, day = [], ""
    for place in places:
        local = moment(times_ms[place], zone)
        today = local.strftime("%d %b")
        labels.append(today if whole_days else local.strftime("%H:%M") if today == day or len(places) < 2
                      else f"{local.strftime('%H:%M')}\n{today}")
        day = today
    axis.set_xticks(places, labels)
