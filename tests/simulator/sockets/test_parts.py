"""The parts beneath the sockets: numbers as text, gathered differences, candles' times, frames on the wire, keys."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.simulator.sockets.book_frames import BINANCE
from modules.simulator.sockets.digits import Digits
from modules.simulator.sockets.listen_keys import LIFE_MS, ListenKey, ListenKeys
from modules.simulator.sockets.merger import Merger
from modules.simulator.sockets.times import candle_end, candle_open
from modules.simulator.sockets.wire import text_frame


@given(st.sampled_from(["1", "0.1", "0.05", "0.001", "0.0000010", "10", "2.5"]), st.integers(-10**12, 10**12))
def test_digits_are_exact_and_read_back(unit: str, units: int) -> None:
    digits = Digits(Decimal(unit))
    text = digits.text(units)
    assert Decimal(text) == units * Decimal(unit)
    assert "E" not in text
    if units >= 0:
        assert digits.units(text) == units


def test_a_number_finer_than_the_unit_is_refused() -> None:
    digits = Digits(Decimal("0.10"))
    assert digits.units("61800.20") == 618_002
    for wrong in ("61800.25", "abc", ""):
        with pytest.raises(ValueError):
            digits.units(wrong)


Changes = list[tuple[int, int]]
levels = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=6)


steps_of = st.lists(st.tuples(st.integers(1, 90), levels, levels), min_size=1, max_size=40)


@given(steps_of, st.sampled_from([100, 250, 500]))
def test_gathered_differences_lead_to_the_same_book(steps: list[tuple[int, Changes, Changes]], every: int) -> None:
    merger, fine, coarse = Merger(every), ({}, {}), ({}, {})  # type: ignore[var-annotated]
    ms, last, told = 10_000, 7, 0
    for wait, bids, asks in steps:
        ms += wait
        first, previous, last = last + 1, last, last + 1 + len(bids)
        got = merger.take(ms - 1)
        if got is not None:
            told = _apply(coarse, got, told)
        for side, changes in zip(fine, (bids, asks), strict=True):
            side.update(changes)
        merger.add(ms, first, last, previous, bids, asks)
    got = merger.take(ms + every)
    assert got is not None
    assert _apply(coarse, got, told) == last
    assert coarse == fine


def _apply(book: tuple[dict[int, int], dict[int, int]], got: object, told: int) -> int:
    assert told in (0, got.previous)  # type: ignore[attr-defined]
    assert got.first <= got.last  # type: ignore[attr-defined]
    book[0].update(got.bids)  # type: ignore[attr-defined]
    book[1].update(got.asks)  # type: ignore[attr-defined]
    return int(got.last)  # type: ignore[attr-defined]


def test_candles_begin_where_the_venue_begins_them() -> None:
    monday = 1_770_595_200_000  # 2026-02-09
    assert candle_open("1w", monday + 5 * 86_400_000) == monday
    assert candle_open("1M", monday) == 1_769_904_000_000  # 2026-02-01
    assert candle_end("1M", 1_769_904_000_000) == 1_772_323_200_000 - 1  # up to 2026-03-01
    assert candle_end("1M", 1_764_547_200_000) == 1_767_225_600_000 - 1  # December into January
    assert candle_open("4h", monday + 3 * 3_600_000) == monday


@given(st.integers(0, 70_000))
def test_a_frame_says_its_length(size: int) -> None:
    frame = text_frame(b"x" * size)
    assert frame[0] == 0x81
    assert not frame[1] & 0x80  # a server never masks
    head = 2 if frame[1] < 126 else 4 if frame[1] == 126 else 10
    told = frame[1] if frame[1] < 126 else int.from_bytes(frame[2:head], "big")
    assert (told, len(frame) - head) == (size, size)


def test_a_crossed_book_is_crossed() -> None:
    frame = {"e": "depthUpdate", "b": [["10.0", "1"]], "a": [["10.1", "0"], ["10.2", "3"]]}
    spoilt = BINANCE.crossed(json.dumps(frame).encode().replace(b'"e": ', b'"e":'))
    assert spoilt is not None
    assert json.loads(spoilt)["b"][-1] == ["10.2", "3"]
    assert BINANCE.crossed(b'{"e":"depthUpdate","b":[],"a":[["10.1","0"]]}') is None
    assert BINANCE.crossed(b'{"e":"trade"}') is None


def test_a_listen_key_lives_an_hour_and_is_one_of_an_account() -> None:
    now, ended = [0], list[tuple[str, bool]]()
    keys = ListenKeys(lambda: now[0])

    def note(held: ListenKey, expired: bool) -> None:
        ended.append((held.key, expired))

    keys.ended = note
    key = keys.open("trader")
    assert len(key) == 64
    assert keys.open("trader") == key
    assert keys.open("other") != key
    now[0] = LIFE_MS - 1
    assert keys.renew("trader") == key
    assert keys.account(key) == "trader"
    now[0] = LIFE_MS + 10
    assert keys.account(key) == "trader"
    assert [expired for _, expired in ended] == [True]  # the other account's
    now[0] = 2 * LIFE_MS
    assert keys.account(key) is None
    assert keys.renew("trader") is None
    assert not keys.close("trader")
    fresh = keys.open("trader")
    assert fresh != key
    assert keys.close("trader")
    assert ended[-1] == (fresh, False)
