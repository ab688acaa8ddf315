"""A venue's list of own trades: each once, contradictions are not believed, both halves of a trade with oneself."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from modules.exchange.own_trades import halves, once
from modules.exchange.parsing import Unreadable
from modules.exchange.types import Fill, Side

D = Decimal
BUY = Fill("77", "SOLUSDT", "1001", "cx-a", Side.BUY, D(150), D(4), D("0.3"), "USDT", 1_770_000_000_000, True)
SELL = replace(BUY, order_id="1002", client_id="hand", side=Side.SELL, maker=False, fee=D("0.2"))
LATER = replace(BUY, id="9", order_id="1003", market_ms=BUY.market_ms + 1)


def test_each_fill_comes_once_and_in_the_order_of_time() -> None:
    assert once([LATER, BUY, LATER, BUY]) == [BUY, LATER]


def test_both_halves_of_a_trade_with_oneself_are_told_once_each() -> None:
    assert halves(BUY, SELL) and halves(SELL, BUY) and not halves(BUY, BUY)
    assert once([SELL, BUY, LATER, SELL, BUY]) == [BUY, SELL, LATER]


@pytest.mark.parametrize("lie", [
    {"order_id": "1003", "quantity": D(870)}, {"order_id": "1003", "price": D(149), "side": Side.SELL, "maker": False},
    {"order_id": "1003", "side": Side.SELL, "maker": False, "market_ms": BUY.market_ms + 5}, {"fee": D("0.4")},
    {"side": Side.SELL, "maker": False}, {"order_id": "1003", "side": Side.SELL},
], ids=["quantity", "price", "time", "fee", "same order", "two makers"])
@pytest.mark.parametrize("first", [True, False], ids=["true first", "lie first"])
def test_a_list_in_which_one_id_names_two_trades_is_not_believed(lie: dict[str, Any], first: bool) -> None:
    rows = [BUY, replace(BUY, **lie)]
    with pytest.raises(Unreadable, match="fill 77 is told twice, differently"):
        once(rows if first else rows[::-1])


def test_a_third_row_with_the_id_is_a_lie_as_well() -> None:
    with pytest.raises(Unreadable):
        once([BUY, SELL, replace(SELL, order_id="1004")])
