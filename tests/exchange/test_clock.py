"""Market time (X32): midpoints, a monotonic course, a speed; it never falls and never stands still."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.clock import Sample, VenueClock
from modules.exchange.types import Unavailable


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


def test_the_shortest_round_trip_is_believed(seconds: Seconds) -> None:
    clock = VenueClock(monotonic=seconds)
    clock.learn([Sample(90.0, 92.0, 5_000_000), Sample(95.0, 95.1, 1_000_000), Sample(97.0, 97.5, 9_000_000)])
    assert clock.venue_ms() == pytest.approx(1_000_000 + (100.0 - 95.05) * 1000, abs=1)
    assert clock.error_ms == pytest.approx(50, abs=1)


def test_it_runs_at_its_speed(seconds: Seconds) -> None:
    clock = VenueClock(120.0, seconds)
    clock.learn([Sample(100.0, 100.0, 1_000_000)])
    seconds.now += 2.0
    assert clock.now_ms() == 1_000_000 + 240_000
    assert clock.venue_ms() == 1_000_000 + 240_000


def test_unknown_before_the_first_sample(seconds: Seconds) -> None:
    clock = VenueClock(monotonic=seconds)
    for ask in (clock.now_ms, clock.venue_ms):
        with pytest.raises(Unavailable):
            ask()


def test_distrust_stops_signing_but_not_the_course(seconds: Seconds) -> None:
    clock = VenueClock(monotonic=seconds)
    clock.learn([Sample(100.0, 100.0, 1_000_000)])
    clock.distrust()
    assert not clock.known and clock.now_ms() == 1_000_000
    with pytest.raises(Unavailable):
        clock.venue_ms()
    clock.learn([Sample(100.0, 100.0, 1_000_500)])
    assert clock.known and clock.venue_ms() == 1_000_500


def test_a_sample_from_before_the_refusal_says_nothing(seconds: Seconds) -> None:
    """A resync that was under way when the venue's clock jumped must not make us sign with the old time (X32)."""
    clock = VenueClock(monotonic=seconds)
    clock.learn([Sample(100.0, 100.0, 1_000_000)])
    seconds.now = 101.0
    clock.distrust()
    clock.learn([Sample(100.9, 101.2, 1_001_000)])
    assert not clock.known and clock.now_ms() == 1_001_000
    clock.learn([Sample(100.9, 101.0, 1_001_000), Sample(101.0, 101.4, 1_006_000)])
    assert clock.known and clock.venue_ms() == pytest.approx(1_006_000, abs=201)


def test_behind_what_was_told_it_runs_at_half_pace_until_it_is_caught_up(seconds: Seconds) -> None:
    clock = VenueClock(monotonic=seconds)
    clock.learn([Sample(100.0, 100.0, 1_010_000)])
    assert clock.now_ms() == 1_010_000
    clock.learn([Sample(100.0, 100.0, 1_000_000)])  # the venue is 10 s behind what we told
    seconds.now += 4.0
    assert clock.now_ms() == 1_012_000  # moves on, at half pace
    assert clock.venue_ms() == 1_004_000  # signing uses the truth at once
    seconds.now += 20.0
    assert clock.now_ms() == 1_024_000  # caught up


def test_another_speed_keeps_what_was_told(seconds: Seconds) -> None:
    clock = VenueClock(10.0, seconds)
    clock.learn([Sample(100.0, 100.0, 1_000_000)])
    seconds.now += 1.0
    before = clock.now_ms()
    clock.restart(2.0)
    assert not clock.known and clock.now_ms() >= before
    seconds.now += 1.0
    assert clock.now_ms() == before + 2_000


moves = st.lists(st.tuples(st.floats(0, 100), st.one_of(st.none(), st.integers(0, 2_000_000))), max_size=40)


@given(moves, st.floats(0.5, 150))
def test_it_never_falls(course: list[tuple[float, int | None]], speed: float) -> None:
    seconds = Seconds()
    clock = VenueClock(speed, seconds)
    clock.learn([Sample(100.0, 100.0, 1_000_000)])
    last = clock.now_ms()
    for passed, server_ms in course:
        seconds.now += passed
        if server_ms is not None:
            clock.learn([Sample(seconds.now, seconds.now, server_ms)])
        now = clock.now_ms()
        assert now >= last
        last = now


async def test_sync_needs_one_answer(seconds: Seconds) -> None:
    clock = VenueClock(monotonic=seconds)
    answers: list[Sample | Unavailable] = [Sample(100.0, 100.2, 7_000), Unavailable("gone")]

    async def ask() -> Sample:
        found = answers.pop(0)
        if isinstance(found, Unavailable):
            raise found
        return found

    await clock.sync(ask, samples=3)
    assert clock.known
    answers.append(Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        await clock.sync(ask, samples=3)
