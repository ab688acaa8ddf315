"""The picture of a reviewed trade: every level is named beside its line, the reviewers' words stand below."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from modules.strategies.showdown import review, stages
from modules.strategies.showdown.records import Opinion
from modules.strategies.showdown.settings import ShowdownSettings
from modules.telegram import chart_showdown
from tests.strategies.showdown.market import CONTRACT, inputs
from utils.paths import Paths


def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opinions: tuple[Opinion, ...]):
    outcome = stages.run(inputs(), ShowdownSettings())
    decision = review.apply(outcome.decision, opinions, CONTRACT)
    kept: list[Any] = []

    def save(figure: Any, paths: Paths, name: str) -> str:
        kept.append(figure)
        return name

    monkeypatch.setattr(chart_showdown, "save", save)
    frame = outcome.snapshot.timeframes["15m"]
    chart_showdown.draw(Paths(tmp_path), {
        "symbol": "BTCUSDT", "interval": "15m", "zone": "UTC", "candles": outcome.snapshot.candles["15m"],
        "swings": msgspec.to_builtins(frame.swings), "trend": frame.trend, "pools": list(outcome.flow.zones),
        "decision": msgspec.to_builtins(decision)})
    return kept[0]


def test_levels_are_named_within_the_picture(tmp_path, monkeypatch):
    axis, _ = drawn(tmp_path, monkeypatch, ()).axes
    labels = {text.get_text().split()[0]: text.xy[1] for text in axis.texts if hasattr(text, "xy")}
    bottom, top = axis.get_ylim()
    assert {"SL", "TP1", "TP2", "in", "now"} <= set(labels)
    assert all(bottom <= y <= top for y in labels.values())
    places = sorted(labels.values())
    assert all(upper - lower > 0.05 * (top - bottom) for lower, upper in zip(places, places[1:], strict=False))


def test_a_veto_is_told_in_the_picture(tmp_path, monkeypatch):
    said = (Opinion(by="adviser", id="a", verdict="veto", said="shorts are closing " * 20),)
    figure = drawn(tmp_path, monkeypatch, said)
    assert any("FLAT · long vetoed" in text.get_text() for text in figure.texts)
    words = [text.get_text() for text in figure.axes[1].texts]
    assert "rules for a long" in words and any(one.startswith("adviser: shorts are closing") for one in words)
