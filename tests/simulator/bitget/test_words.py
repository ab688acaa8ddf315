"""Bitget's words for sides, golden (X23), and back again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.simulator.dialects import bitget_words as words
from modules.simulator.dialects.bitget_errors import CODES, WORDS, Declined
from modules.simulator.perp.api import Leg, Side, Why


@pytest.mark.parametrize(("side", "trade", "wanted"), [
    ("buy", "open", (Side.BUY, Leg.LONG)), ("buy", "close", (Side.SELL, Leg.LONG)),
    ("sell", "open", (Side.SELL, Leg.SHORT)), ("sell", "close", (Side.BUY, Leg.SHORT)),
])
def test_in_hedge_mode_side_names_the_position(side: str, trade: str, wanted: tuple[Side, Leg]) -> None:
    assert words.wanted(True, side, trade) == wanted
    told = words.told_sides(*wanted)
    assert (told["side"], told["tradeSide"]) == (side, trade)
    assert told["posSide"] == ("long" if side == "buy" else "short")


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_in_one_way_mode_side_is_the_orders(side: str) -> None:
    wanted = words.wanted(False, side, None)
    assert wanted == (Side(side.upper()), Leg.BOTH)
    assert words.told_sides(*wanted) == {
        "side": side, "tradeSide": f"{side}_single", "posSide": "net", "posMode": "one_way_mode"}


@pytest.mark.parametrize(("hedge", "trade"), [(True, None), (False, "open"), (False, "close")])
def test_words_of_the_other_mode_are_refused(hedge: bool, trade: str | None) -> None:
    with pytest.raises(Declined, match="40774"):
        words.wanted(hedge, "buy", trade)


@pytest.mark.parametrize(("hedge", "held", "wanted"), [
    (True, "long", (Side.SELL, Leg.LONG)), (True, "short", (Side.BUY, Leg.SHORT)),
    (False, "buy", (Side.SELL, Leg.BOTH)), (False, "sell", (Side.BUY, Leg.BOTH)),
])
def test_what_closes_a_position(hedge: bool, held: str, wanted: tuple[Side, Leg]) -> None:
    assert words.closing(hedge, held) == wanted
    with pytest.raises(Declined, match="40774"):
        words.closing(not hedge, held)


@given(st.sampled_from(["buy", "sell"]), st.sampled_from(["open", "close"]))
def test_what_is_told_asks_for_the_same_again(side: str, trade: str) -> None:
    told = words.told_sides(*words.wanted(True, side, trade))
    assert words.wanted(True, told["side"], told["tradeSide"]) == words.wanted(True, side, trade)


@given(st.dictionaries(st.sampled_from(["plan", "tp", "sl", "tpx", "slx"]), st.text(min_size=1, max_size=12)))
def test_tags_come_back(kept: dict[str, str]) -> None:
    assert words.tagged(words.tag(**kept)) == kept


def test_every_refusal_of_the_venue_has_a_code_with_words() -> None:
    assert CODES.keys() == set(Why)
    assert set(CODES.values()) <= WORDS.keys()
