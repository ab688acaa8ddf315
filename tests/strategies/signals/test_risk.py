"""Limits: counts of the day, correlation, held back after a loss; all survive a restart."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.signals import risk
from modules.strategies.signals.reasons import Refusal
from modules.strategies.signals.records import State
from modules.strategies.signals.rules import Priority
from modules.strategies.signals.settings import SignalSettings
from tests.strategies.signals.test_follow import one, signal

DAY = risk.DAY_MS
SETTINGS = SignalSettings()


def refuse(state: State, symbol: str = "YUSDT", sign: int = 1, priority: Priority = Priority.HIGH, now: int = DAY,
           found: float | None = 0.0, settings: SignalSettings = SETTINGS) -> Refusal | None:
    answer = risk.refuse(state, symbol, sign, priority, now, settings, lambda a, b: found)
    return answer[0] if answer else None


def opened(count: int, sign: int = 1) -> State:
    state = State()
    for number in range(count):
        made = signal(one(sign, id=str(number)))  # type: ignore[arg-type]
        made.follow.symbol = f"S{number}USDT"
        state.open[made.id] = made
    return state


def test_limits_of_class_day_and_open_signals() -> None:
    state = State()
    for priority, cap in ((Priority.HIGH, 20), (Priority.MEDIUM, 40), (Priority.LOW, 20)):
        for _ in range(cap):
            assert refuse(state, priority=priority) is None
            risk.sent(state.counts, priority)
        assert refuse(state, priority=priority) is Refusal.CLASS_LIMIT
    wide = SETTINGS.model_copy(update={"high_a_day": 99})
    assert refuse(state, settings=wide) is Refusal.DAY_LIMIT
    assert refuse(state, now=2 * DAY) is None, "another day"
    assert refuse(state, now=DAY) is None and state.counts.day == 2, "a clock that runs back gives no new limits"
    assert refuse(opened(5)) is Refusal.CONCURRENT and refuse(opened(4)) is None
    assert refuse(opened(1), symbol="S0USDT") is Refusal.SYMBOL_OPEN


def test_limits_survive_a_restart() -> None:
    state = opened(2)
    for _ in range(20):
        refuse(state)
        risk.sent(state.counts, Priority.HIGH)
    risk.lost(state.counts, "S0USDT", SETTINGS)
    again = msgspec.json.decode(msgspec.json.encode(state), type=State)
    assert again == state and refuse(again) is Refusal.CLASS_LIMIT
    assert refuse(again, priority=Priority.LOW) is Refusal.HELD_BACK


def test_correlation_is_signed_by_direction_and_unknown_counts_as_one() -> None:
    assert refuse(opened(1), found=0.7) is Refusal.CORRELATED and refuse(opened(1), found=0.6) is None
    assert refuse(opened(1), found=-0.9) is None and refuse(opened(1), sign=-1, found=-0.9) is Refusal.CORRELATED
    assert refuse(opened(1, -1), sign=-1, found=0.9) is Refusal.CORRELATED
    assert refuse(opened(1), found=None) is Refusal.CORRELATED


def test_the_next_three_are_held_back_across_symbols_or_of_one() -> None:
    state = State()
    risk.lost(state.counts, "AUSDT", SETTINGS)
    for _ in range(3):
        assert refuse(state) is Refusal.HELD_BACK
        risk.held_back(state.counts, "YUSDT", SETTINGS)
    assert refuse(state) is None and state.counts.held_back == 3
    own = SETTINGS.model_copy(update={"hold_back_scope": "symbol"})
    risk.lost(state.counts, "AUSDT", own)
    assert refuse(state, settings=own) is None and refuse(state, symbol="AUSDT", settings=own) is Refusal.HELD_BACK


def test_what_is_not_sent_takes_nobodys_place() -> None:
    state = opened(6)
    for made in state.open.values():
        made.sent_as = ""
    assert refuse(state, found=1.0) is None


@given(st.lists(st.tuples(st.floats(-0.1, 0.1), st.floats(-0.1, 0.1)), min_size=20, max_size=60))
def test_correlation_is_pearsons_over_shared_times(pairs: list[tuple[float, float]]) -> None:
    a = {n: x for n, (x, _) in enumerate(pairs)} | {1000: 5.0}
    b = {n: y for n, (_, y) in enumerate(pairs)} | {2000: -5.0}
    found = risk.correlation(a, b, 96)
    xs, ys = np.array(pairs).T
    if found is None:
        assert xs.std() < 1e-9 or ys.std() < 1e-9 or min(np.ptp(xs), np.ptp(ys)) < 1e-100
    elif xs.std() > 1e-6 and ys.std() > 1e-6:
        assert found == pytest.approx(np.corrcoef(xs, ys)[0, 1], abs=1e-6)


def test_too_few_shared_returns_are_unknown() -> None:
    assert risk.correlation({n: n * 0.1 for n in range(19)}, {n: n * 0.1 for n in range(50)}, 96) is None
