"""The flow window: incremental equals batch, m = true is a sell, holes are known."""

from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.signals.flow import FlowWindow, Trade, flow_of

steps = st.lists(st.tuples(st.integers(0, 120_000), st.integers(1, 10**7), st.integers(1, 10**6), st.booleans(),
                           st.integers(0, 90_000)), max_size=60)


@given(steps)
def test_incremental_equals_batch_at_every_moment(told: list[tuple[int, int, int, bool, int]]) -> None:
    window = FlowWindow(300, 50_000, 5)
    kept, ms = [], 1_000_000
    for number, (gap, price, qty, sold, wait) in enumerate(told, start=1):
        ms += gap
        trade = Trade(number, ms, price, qty, sold)
        kept.append(trade)
        assert window.add(trade.id, trade.ms, trade.price, trade.qty, trade.sold)
        ms += wait
        assert window.flow(ms) == flow_of(kept, ms, 300_000, 50_000 * 10**5, 10.0**-5)


@given(steps)
def test_swapped_sides_swap_the_flow(told: list[tuple[int, int, int, bool, int]]) -> None:
    one, other, ms = FlowWindow(300, 1000, 5), FlowWindow(300, 1000, 5), 0
    for number, (gap, price, qty, sold, _) in enumerate(told, start=1):
        ms += gap
        one.add(number, ms, price, qty, sold)
        other.add(number, ms, price, qty, not sold)
    a, b = one.flow(ms), other.flow(ms)
    assert (a.large_buys, a.large_sells, a.buy_quote, a.sell_quote) == (b.large_sells, b.large_buys, b.sell_quote,
                                                                       b.buy_quote)


def test_buyer_as_maker_is_a_sell() -> None:
    window = FlowWindow(300, 50_000, 0)
    window.add(1, 0, 50_000, 1, True)
    found = window.flow(0)
    assert (found.large_buys, found.large_sells, found.sell_quote) == (0, 1, 50_000)


def test_whole_only_after_a_window_without_a_hole() -> None:
    window = FlowWindow(300, 1, 0)
    assert not window.whole(10**9)
    window.add(7, 0, 1, 1, False)
    assert not window.whole(299_999) and window.whole(300_000)
    window.add(9, 300_000, 1, 1, False)  # 8 is missing
    assert not window.whole(300_000) and window.whole(600_000)
    window.lost(700_000)
    assert not window.whole(999_999) and window.whole(1_000_000)


def test_known_trades_change_nothing() -> None:
    window = FlowWindow(300, 1, 0)
    assert window.add(5, 0, 10, 1, False)
    assert not window.add(5, 0, 10, 1, False) and not window.add(4, 0, 10, 1, False)
    assert window.flow(0).trades == 1
