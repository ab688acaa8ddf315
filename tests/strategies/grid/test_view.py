"""What people are shown of a grid: the break-even of both sides together."""

from decimal import Decimal

import pytest

from modules.strategies.grid.ledger import Entry, LegLedger
from modules.strategies.grid.live.view import break_even

D = Decimal


def leg(side: int, *entries: tuple[str, str]) -> LegLedger:
    """A side with entries of (quantity, price)."""
    return LegLedger(side, tuple(Entry(f"e{number}", 1, D(held), D(held) * D(at), 0)
                                 for number, (held, at) in enumerate(entries)))


def test_break_even_is_where_closing_everything_gives_nothing() -> None:
    buy, sell, fee = leg(1, ("0.03", "60000"), ("0.01", "59000")), leg(-1, ("0.01", "61000")), D("0.0006")
    price = break_even(buy, sell, fee)
    assert price is not None
    result = sum(one.side * (one.quantity * price - sum((e.cost for e in one.entries), D(0))) for one in (buy, sell))
    assert abs(result - fee * (buy.quantity + sell.quantity) * price) < D("1e-15")


@pytest.mark.parametrize("buys, sells", [((), ()), ((("0.05", "61786.5"),), (("0.05", "61813.3"),))])
def test_two_sides_that_cancel_out_have_none(buys: tuple[tuple[str, str], ...],
                                             sells: tuple[tuple[str, str], ...]) -> None:
    """Only the fees would move with the price: a break-even at a third of it would mislead."""
    assert break_even(leg(1, *buys), leg(-1, *sells)) is None
