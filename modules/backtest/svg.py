"""Charts as SVG text for a page that needs nothing else: lines, areas and bars. Colours come from the page's style."""

from collections.abc import Sequence
from html import escape

import numpy as np

from modules.backtest.arrays import Floats

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 240, 64, 12, 14, 26
POINTS = 800


def thinned(values: Floats, points: int = POINTS) -> Floats:
    """At most about `points` values over the same span: of each stretch its lowest and highest, in their order."""
    if len(values) <= points:
        return values
    edges = np.linspace(0, len(values), points // 2 + 1).astype(int)
    found: list[float] = []
    for begin, end in zip(edges, edges[1:], strict=False):
        part = values[begin:end]
        low, high = int(part.argmin()), int(part.argmax())
        found += [float(part[at]) for at in sorted((low, high))]
    return np.array(found)


def round_steps(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers between two values."""
    span = max(high - low, 1e-9)
    raw = span / count
    size = 10.0 ** np.floor(np.log10(raw))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= raw)
    first = np.ceil(low / step) * step
    return [float(round(first + step * place, 10)) for place in range(int((high - first) / step + 1e-9) + 1)]


def lines(series: Sequence[tuple[str, str, Floats]], ticks: Sequence[str], unit: str, area: bool = False) -> str:
    """A chart of several lines over one span: (name, style class, values). `ticks` are spread evenly below it."""
    drawn = [(name, style, thinned(values)) for name, style, values in series]
    low = min(float(values.min()) for _, _, values in drawn)
    high = max(float(values.max()) for _, _, values in drawn)
    if area:
        low, high = min(low, 0.0), max(high, 0.0)
        high += low == high
    pad = (high - low) * 0.04 or max(abs(high), 1.0) * 0.04
    low, high = low - (0 if area and low == 0 else pad), high + (0 if area and high == 0 else pad)
    parts = [_grid(low, high, unit), _bottom(ticks)]
    for _, style, values in drawn:
        x = np.linspace(LEFT, WIDTH - RIGHT, len(values))
        points = " ".join(f"{a:.1f},{_y(b, low, high):.1f}" for a, b in zip(x, values.tolist(), strict=True))
        if area:
            zero = _y(0.0, low, high)
            points = f"{LEFT},{zero:.1f} {points} {WIDTH - RIGHT},{zero:.1f}"
        parts.append(f'<{"polygon" if area else "polyline"} class="{style}" points="{points}"/>')
    return _svg(HEIGHT, "".join(parts)) + _legend([(name, style) for name, style, _ in drawn] if len(drawn) > 1 else [])


def columns(values: Sequence[tuple[str, float]], unit: str, losses: int = 0) -> str:
    """Upright bars with their names below, thinned where they would touch. The first `losses` are losses anyway."""
    heights = [value for _, value in values]
    low, high = min(*heights, 0.0, 0.0), max(*heights, 0.0, 0.0)
    pad = (high - low) * 0.04 or 1.0
    low, high = low - pad * (low < 0), high + pad * (high > 0 or low == 0)
    room = (WIDTH - LEFT - RIGHT) / len(values)
    every = max(int(np.ceil(46 / room)), 1)
    zero = _y(0.0, low, high)
    parts = [_grid(low, high, unit)]
    for place, (name, value) in enumerate(values):
        x, y = LEFT + room * (place + 0.12), _y(value, low, high)
        style = "gain" if value >= 0 and place >= losses else "loss"
        told = f"<title>{escape(name)}: {value:,.2f} {unit}</title>"
        parts.append(f'<rect class="{style}" x="{x:.1f}" y="{min(y, zero):.1f}" width="{room * 0.76:.1f}" '
                     f'height="{max(abs(y - zero), 0.5):.1f}">{told}</rect>')
        if place % every == 0:
            parts.append(f'<text x="{x + room * 0.38:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{escape(name)}</text>')
    parts.append(f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{zero:.1f}" y2="{zero:.1f}"/>')
    return _svg(HEIGHT, "".join(parts))


def bars(values: Sequence[tuple[str, float, str]], unit: str) -> str:
    """Lying bars: (name, value, words behind it), one below the other."""
    row, left, right = 22, 130, 260
    low, high = min(0.0, *(value for _, value, _ in values)), max(0.0, *(value for _, value, _ in values))
    scale = (WIDTH - left - right) / max(high - low, 1e-9)
    zero = left - low * scale
    parts = []
    for place, (name, value, words) in enumerate(values):
        y = 4 + place * row
        style = "gain" if value >= 0 else "loss"
        parts.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
                     f'<rect class="{style}" x="{min(zero, zero + value * scale):.1f}" y="{y}" '
                     f'width="{max(abs(value) * scale, 0.5):.1f}" height="{row - 6}"/>'
                     f'<text x="{WIDTH - right + 8}" y="{y + 13}">{value:+,.2f} {unit}, {escape(words)}</text>')
    return _svg(8 + row * len(values), "".join(parts))


def _y(value: float, low: float, high: float) -> float:
    return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _grid(low: float, high: float, unit: str) -> str:
    parts = []
    for value in round_steps(low, high):
        y = _y(value, low, high)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,g}</text>')
    return "".join(parts) + f'<text class="unit" x="2" y="{TOP - 3}">{escape(unit)}</text>'


def _bottom(ticks: Sequence[str]) -> str:
    room = (WIDTH - LEFT - RIGHT) / max(len(ticks) - 1, 1)
    parts = []
    for place, text in enumerate(ticks):
        anchor = "start" if place == 0 else "end" if place == len(ticks) - 1 else "middle"
        x = LEFT + room * place
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{escape(text)}</text>')
    return "".join(parts)


def _legend(names: Sequence[tuple[str, str]]) -> str:
    if not names:
        return ""
    return '<p class="legend">' + "".join(
        f'<span class="key {style}"></span>{escape(name)} ' for name, style in names) + "</p>"


def _svg(height: int, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img">{inside}</svg>'
