"""Following: first touch, results after fees, the mirror, holes filled, restarts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.types import Unavailable
from modules.strategies.signals import follow
from modules.strategies.signals.follow import Rules
from modules.strategies.signals.follower import Follower, Tick
from modules.strategies.signals.records import Follow, Signal

RULES = Rules(0.5, True, 0.05)


def one(sign: int = 1, **more: float) -> Follow:
    base = {"id": "a", "symbol": "XUSDT", "sign": sign, "entry": 100.0, "stop": 100.0 - sign, "tp1": 100.0 + sign,
            "tp2": 100 + 1.67 * sign, "begun_ms": 1000, "expires_ms": 100_000, "stop_now": 100.0 - sign}
    return Follow(**{**base, **more})  # type: ignore[arg-type]


def run(found: Follow, prices: list[float], rules: Rules = RULES) -> Follow:
    for number, price in enumerate(prices, start=1):
        follow.on_trade(found, number, 1000 + number, price, rules)
    return found


def test_straight_to_the_second_target() -> None:
    found = run(one(), [100.5, 101, 101.7])
    assert (found.first, found.outcome) == ("TP1", "TP2")
    net_r, net_pct = follow.result(found, RULES)
    gross = 0.5 * 1 + 0.5 * 1.67
    assert net_pct == pytest.approx(gross - 0.05 * (1 + 1 + gross / 100)) and net_r == pytest.approx(net_pct)


def test_back_to_the_entry_after_the_first_target() -> None:
    found = run(one(), [101, 100])
    assert (found.first, found.outcome, found.gross_pct) == ("TP1", "SL", 0.5)
    assert run(one(), [101, 100], Rules(0.5, False, 0)).outcome == ""


def test_a_gap_through_the_stop_fills_at_the_trade() -> None:
    found = run(one(), [100.2, 97])
    assert (found.outcome, found.gross_pct) == ("SL", -3) and follow.result(found, RULES)[0] < -3


def test_all_at_the_first_target() -> None:
    assert run(one(), [101.3], Rules(1.0, True, 0)).outcome == "TP1"


def test_expiry_ends_at_the_last_price_before_it() -> None:
    found = run(one(), [100.4])
    assert follow.on_trade(found, 9, 100_001, 150, RULES)
    assert (found.outcome, found.closed_ms) == ("EXPIRY", 100_000) and found.gross_pct == pytest.approx(0.4)
    assert not follow.expire(found, RULES)


def test_trades_before_it_began_and_known_ones_do_not_count() -> None:
    found = one(last_id=10)
    assert not follow.on_trade(found, 10, 2000, 1, RULES) and not follow.on_trade(found, 11, 999, 1, RULES)
    assert found.outcome == ""


path = st.lists(st.floats(-3, 3), min_size=1, max_size=40)


@given(path)
def test_short_is_the_mirror_of_long(moves: list[float]) -> None:
    long, short = run(one(1), [100 + m for m in moves]), run(one(-1), [100 - m for m in moves])
    assert (long.first, long.outcome, long.left) == (short.first, short.outcome, short.left)
    assert long.gross_pct == pytest.approx(short.gross_pct)


@given(path, st.integers(0, 40))
def test_a_restart_in_the_middle_changes_nothing(moves: list[float], cut: int) -> None:
    import msgspec

    prices = [100 + m for m in moves]
    whole, parted = run(one(), prices), one()
    for number, price in enumerate(prices, start=1):
        if number == cut:
            parted = msgspec.json.decode(msgspec.json.encode(parted), type=Follow)
        follow.on_trade(parted, number, 1000 + number, price, RULES)
    assert parted == whole


def signal(found: Follow) -> Signal:
    return Signal(follow=found, priority="HIGH", sent_as="HIGH", quality=90, imbalance=0.5, large_trades=4,
                  intensity=2.0, confidence=0.9, size_pct=50, risk_reward=1.67, hold_min=(15, 45))


class Venue:
    """aggTrades by id."""

    def __init__(self, prices: dict[int, float]) -> None:
        self.prices, self.asked, self.away = prices, 0, False

    async def __call__(self, symbol: str, from_id: int, limit: int) -> list[Tick]:
        self.asked += 1
        if self.away:
            raise Unavailable("away")
        return [Tick(n, 1000 + n, p) for n, p in sorted(self.prices.items()) if n >= from_id][:limit]


def follower(venue: Venue) -> tuple[Follower, list[Signal]]:
    ended: list[Signal] = []
    return Follower(RULES, venue, ended.append), ended


async def test_a_hole_is_filled_before_anything_is_decided() -> None:
    venue = Venue({n: p for n, p in enumerate([100.1, 98.0, 102.0, 100.0], start=1)})
    found, ended = follower(venue)
    found.begin(signal(one()))
    found.on_ticks("XUSDT", [Tick(1, 1001, 100.1), Tick(3, 1003, 102.0)])  # 2, the stop, was lost
    assert not ended and found.holes() == ["XUSDT"] and not found.sure("XUSDT")
    found.expire("XUSDT", 10**9)
    assert not ended, "nothing ends across a hole"
    venue.away = True
    assert not await found.fill("XUSDT") and found.holes()
    venue.away = False
    assert await found.fill("XUSDT") or ended
    assert [one.follow.outcome for one in ended] == ["SL"] and found.symbols == set()


async def test_after_a_restart_what_happened_meanwhile_is_asked_for() -> None:
    venue = Venue({n: 100.0 for n in range(1, 2500)} | {2500: 102.0})
    found, ended = follower(venue)
    found.begin(signal(one(last_id=7)), again=True)
    assert found.holes() == ["XUSDT"]
    found.on_ticks("XUSDT", [Tick(2501, 5000, 90.0)])
    assert not ended
    await found.fill("XUSDT")
    assert [one.follow.outcome for one in ended] == ["TP2"] and venue.asked == 3


async def test_trades_that_nobody_has_are_given_up_after_some_tries() -> None:
    venue = Venue({1: 100.0})
    found, ended = follower(venue)
    found.begin(signal(one()))
    found.on_ticks("XUSDT", [Tick(1, 1001, 100.0), Tick(5, 1005, 102.0)])
    for _ in range(5):
        await found.fill("XUSDT")
    assert found.unfillable == 1 and [one.follow.outcome for one in ended] == ["TP2"]


def test_a_delisted_symbol_ends_at_its_last_price() -> None:
    found, ended = follower(Venue({}))
    found.begin(signal(one()))
    found.on_ticks("XUSDT", [Tick(1, 1001, 100.5)])
    found.gone("XUSDT", 3000)
    assert ended[0].follow.outcome == "GONE" and ended[0].follow.gross_pct == pytest.approx(0.5)
