"""Moods: the live board and a backtest tell the same, and nothing that was not known then."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.sentiment.board import FILE, FOLDER, RECORD, Board, History, State
from modules.sentiment.mood import MARKET, Scored, gauges, mood
from modules.storage.decisions import line_of
from utils.paths import Paths

HALF = 600.0


def text(known_ms: int, score: float = 1.0, confidence: float = 1.0, symbols: tuple[str, ...] = ("BTCUSDT",),
         **more: object) -> Scored:
    made = {"label": "bullish", "provider": "p", "source": "s", "id": str(known_ms), **more}
    return Scored(known_ms=known_ms, score=score, confidence=confidence, symbols=symbols, **made)  # type: ignore[arg-type]


def test_nothing_known_is_none() -> None:
    assert History([], HALF).mood("BTCUSDT", 1) is None


def test_one_text_is_pulled_to_the_middle_and_fades() -> None:
    history = History([text(1_000_000)], HALF)
    fresh = history.mood("BTCUSDT", 1_000_000)
    later = history.mood("BTCUSDT", 1_600_000)
    assert fresh is not None and later is not None
    assert fresh.score == pytest.approx(0.5) and fresh.confidence == pytest.approx(0.5) and fresh.age_s == 0
    assert later.score == pytest.approx(0.5 / 1.5) and later.age_s == 600


def test_a_text_of_the_market_counts_less_for_a_symbol() -> None:
    history = History([text(1_000, symbols=())], HALF)
    of_symbol, of_market = history.mood("ETHUSDT", 1_000), history.mood(MARKET, 1_000)
    assert of_symbol is not None and of_market is not None
    assert of_symbol.score == pytest.approx(0.3 / 1.3) and of_market.score == pytest.approx(0.5)


def test_what_came_later_is_not_known() -> None:
    history = History([text(1_000, 1.0), text(2_000, -1.0)], HALF)
    before = history.mood("BTCUSDT", 1_999)
    assert before is not None and before.score > 0.49 and before.texts == 1


def test_provenance_is_the_newest_first() -> None:
    history = History([text(1, provider="headlines", source="rss"),
                       text(2, provider="openai", source="reddit", fallback=True)], HALF)
    found = history.mood("BTCUSDT", 3)
    assert found is not None
    assert (found.providers, found.sources, found.fallback) == (("openai", "headlines"), ("reddit", "rss"), True)


scored = st.builds(text, st.integers(1, 10_000_000), st.floats(-1, 1), st.floats(0, 1),
                   st.sampled_from([(), ("BTCUSDT",), ("ETHUSDT",), ("BTCUSDT", "ETHUSDT")]))


@settings(max_examples=50, deadline=None)
@given(st.lists(scored, max_size=20), st.lists(st.integers(1, 12_000_000), max_size=10))
def test_series_is_what_each_instant_tells(texts: list[Scored], times: list[int]) -> None:
    history = History(texts, HALF)
    times.sort()
    rows = history.series("BTCUSDT", np.array(times, dtype=np.int64))
    for now, row in zip(times, rows, strict=True):
        found = history.mood("BTCUSDT", now)
        expected = [0, 0, np.inf] if found is None else [found.score, found.confidence, found.age_s]
        assert row == pytest.approx(expected, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(scored, max_size=20))
def test_swapped_sides_swap_the_sign(texts: list[Scored]) -> None:
    turned = [msgspec.structs.replace(each, score=-each.score) for each in texts]
    here, there = (History(each, HALF).mood("BTCUSDT", 10_000_000) for each in (texts, turned))
    assert (here is None) == (there is None)
    if here is not None and there is not None:
        assert here.score == pytest.approx(-there.score) and here.confidence == pytest.approx(there.confidence)


def write_record(paths: Paths, texts: list[Scored]) -> Path:
    folder = paths.data / FOLDER
    folder.mkdir(parents=True)
    file = folder / f"{RECORD}.000001.jsonl"
    file.write_bytes(line_of(b'{"record":"sentiment","form":1}')
                     + b"".join(line_of(msgspec.json.encode(each)) for each in texts))
    return file


def test_board_and_history_agree(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    texts = [text(1_000 * n, (-1) ** n * 0.8, 0.7) for n in range(1, 30)]
    write_record(paths, texts)
    (paths.data / FILE).write_bytes(msgspec.json.encode(
        State(made_ms=30_000, half_life_s=HALF, gauges=gauges(texts, HALF))))
    assert Board(paths).mood("BTCUSDT", 45_000) == History.read(paths.data / FOLDER, HALF).mood("BTCUSDT", 45_000)


def test_board_sees_a_replaced_file_and_outlives_a_broken_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    board = Board(paths)
    assert board.mood("BTCUSDT", 1_000) is None
    (paths.data / FILE).write_bytes(msgspec.json.encode(
        State(made_ms=1, half_life_s=HALF, gauges=gauges([text(1_000)], HALF))))
    assert board.mood("BTCUSDT", 5_000) is not None
    (paths.data / FILE).write_bytes(b"{torn")
    assert board.mood("BTCUSDT", 50_000) is not None


def test_a_damaged_file_of_the_record_is_named_and_left_out(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    file = write_record(paths, [text(1_000), text(2_000)])
    file.write_bytes(file.read_bytes().replace(b'"score":1.0', b'"score":0.1', 1))
    history = History.read(paths.data / FOLDER, HALF)
    assert not history.texts and file.name in history.damaged[0]


def test_weights_are_finite_after_a_long_silence() -> None:
    found = gauges([text(1), text(10**15)], HALF)["BTCUSDT"]
    told = mood("BTCUSDT", found, None, 10**16, HALF)
    assert told is not None and told.confidence == pytest.approx(0)
