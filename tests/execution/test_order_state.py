"""X11: terminal states don't come back, fills never fall."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import OrderState, OrderStatus, OrderType, Side
from modules.execution.order_state import advance

updates = st.lists(st.tuples(st.sampled_from(list(OrderStatus)), st.integers(0, 10)), min_size=1, max_size=12)


def state(status: OrderStatus, filled: int) -> OrderState:
    return OrderState("c", "o", "AAAUSDT", Side.BUY, OrderType.IOC, status, Decimal(10), Decimal(filled),
                      Decimal(2 * filled), 0, 0)


@given(updates)
def test_in_whatever_order_updates_come_an_order_only_moves_forward(sequence):
    known = None
    ended = False
    for status, filled in sequence:
        before = known
        known = advance(known, state(status, filled))
        ended = ended or status.terminal
        assert known.status.terminal == ended
        if before is not None:
            assert known.filled >= before.filled and known.filled_quote >= before.filled_quote
    assert known is not None and known.filled == max(filled for _, filled in sequence)
