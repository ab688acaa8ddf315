"""Pictures: they are made, of the right size, and show what they must (looked at by eye; here by pixels)."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.settings import ExchangeSettings
from modules.telegram.chart_candles import draw, spread
from modules.telegram.chart_equity import equity
from modules.telegram.chart_style import DOWN, ENTRY, STOP, TARGET, UP
from tests.telegram.house import NOW_MS
from utils.paths import Paths


def candles(up: bool, scale: float = 1.0) -> np.ndarray:
    path = np.linspace(1.0, 1.3, 60) if up else np.linspace(1.3, 1.0, 60)
    first, last = path[:-1] * scale, path[1:] * scale
    return np.column_stack([NOW_MS + np.arange(59) * 300_000.0, first, np.maximum(first, last) * 1.001,
                            np.minimum(first, last) * 0.999, last, np.full(59, 10.0)])


def share(path: Path, color: str) -> float:
    """The part of a picture's pixels that have (nearly) this colour."""
    pixels = matplotlib.image.imread(path)[:, :, :3]
    wanted = np.array([int(color[i:i + 2], 16) / 255 for i in (1, 3, 5)])
    return float((np.abs(pixels - wanted).max(axis=2) < 0.04).mean())


SPEC = {"symbol": "PEPEUSDT", "interval": "5m", "zone": "UTC"}


@pytest.mark.parametrize("up", [True, False])
def test_green_is_up_and_red_is_down(tmp_path: Path, up: bool) -> None:
    picture = tmp_path / "data" / draw(Paths(tmp_path), candles(up), SPEC)
    assert matplotlib.image.imread(picture).shape[:2] == (1000, 1125)
    green, red = share(picture, UP), share(picture, DOWN)
    assert (green > 10 * red) if up else (red > 10 * green)


@pytest.mark.parametrize("scale", [1.0, 3e-8, 60_000.0])
def test_lines_of_a_position_are_drawn(tmp_path: Path, scale: float) -> None:
    bare = tmp_path / "data" / draw(Paths(tmp_path), candles(True, scale), SPEC)
    held = {"mode": "TEST", "strategy": "simple", "confidence": 0.9, "entry": 1.15 * scale, "sl": 1.1 * scale,
            "tp": [1.25 * scale, 1.35 * scale, 9.0 * scale], "tp_hit": 0, "peak": 1.3 * scale}
    fills = [{"at": NOW_MS + 3_000_000, "side": "BUY", "price": 1.05 * scale}]
    full = tmp_path / "data" / draw(Paths(tmp_path), candles(True, scale), {**SPEC, "position": held, "fills": fills})
    for color in (ENTRY, STOP, TARGET):
        assert share(full, color) > share(bare, color) + 0.001


def test_old_pictures_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.telegram.chart_style.KEPT", 2)
    kept = [draw(Paths(tmp_path), candles(True), SPEC) for _ in range(4)][-2:]
    assert sorted(path.name for path in (tmp_path / "data" / "pictures").iterdir()) == \
        sorted(Path(name).name for name in kept)


async def test_the_equity_curve(tmp_path: Path) -> None:
    spec = {"mode": "TEST", "zone": "Europe/Riga", "now_ms": NOW_MS, "unrealised": -1.0,
            "points": [(NOW_MS - 7_200_000, 3.0), (NOW_MS - 3_600_000, -2.0)]}
    told = await equity(Paths(tmp_path), ExchangeSettings(), spec)
    assert matplotlib.image.imread(tmp_path / "data" / told["picture"]).shape[:2] == (1000, 1125)


@given(st.lists(st.floats(0.5, 1.5), min_size=1, max_size=7))
def test_labels_never_lie_upon_each_other(values: list[float]) -> None:
    places = sorted(spread(values, 0.05))
    assert all(upper - lower >= 0.05 * 0.999 for lower, upper in zip(places, places[1:], strict=False))
