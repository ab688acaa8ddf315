"""The market model: reproducible, its planted relation, candles, marks, the past."""

from __future__ import annotations

import numpy as np
import pytest

from modules.simulator.perp.candles import INTERVALS, begin_of, end_of
from modules.simulator.perp.market import slice_ms
from modules.simulator.perp.model import EDGE, FLOW_TAU_S, Model
from modules.simulator.perp.specs import make_specs
from tests.simulator.perp.conftest import START, D, World

MINUTE = 60_000


def test_same_seed_same_market_another_seed_another() -> None:
    def run(seed: int) -> tuple[object, ...]:
        world = World(4, seed=seed)
        world.go(40)
        return [one for _, one in world.mirror.prints], world.venue.depth(2, 50), world.venue.marks.mark[:]

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_what_users_do_does_not_change_the_draws() -> None:
    """Beside the impact of a taker's own size, the market of a seed is the same with and without users."""
    quiet, busy = World(2), World(2)
    for world in (quiet, busy):
        world.go(20)
        if world is busy:
            world.order("BUY", "0.01", world.bid - 100)
        world.go(20)
    assert np.array_equal(quiet.venue.market.model.log_price, busy.venue.market.model.log_price)


@pytest.mark.parametrize("edge", [EDGE, 0.0])
def test_the_planted_relation_is_there_and_can_be_left_out(edge: float) -> None:
    """E[log return to a far horizon | imbalance I] = edge × σ × I × FLOW_TAU_S; tested on σ-normalised returns."""
    _, characters = make_specs(60, 1)
    model = Model(characters, 5, edge)
    seen, moved = [], []
    horizon = 2.0
    for _ in range(3000):
        now = model.imbalance.copy()
        sigma = model.volatility()
        before = model.log_price.copy()
        model.advance(horizon)
        seen.append(now)
        moved.append((model.log_price - before) / sigma)
    x, y = np.concatenate(seen), np.concatenate(moved)
    slope = float((x * y).sum() / (x * x).sum())
    error = float(np.sqrt(horizon * 1.3 / (x * x).sum()))  # of the estimate, noise is σ² × horizon
    assert abs(slope - edge * horizon) < 5 * error + 0.06 * edge * horizon
    assert edge * horizon == 0 or slope > 5 * error
    assert horizon < FLOW_TAU_S


def test_contracts_move_together_and_volatility_clusters() -> None:
    _, characters = make_specs(30, 1)
    model = Model(characters, 2)
    rows = []
    for _ in range(4000):
        before = model.log_price.copy()
        model.advance(10.0)
        rows.append(model.log_price - before)
    moves = np.array(rows)
    together: np.ndarray = np.asarray(np.corrcoef(moves.T))
    assert 0.25 < np.median(together[np.triu_indices(30, 1)]) < 0.9
    size = np.abs(moves - moves.mean(axis=0))
    near = np.mean([np.corrcoef(size[:-20, i], size[20:, i])[0, 1] for i in range(30)])
    assert near > 0.05
    assert 0.5 < np.median(moves.std(axis=0) * np.sqrt(8640) / [c.sigma_day for c in characters]) < 2.5


def test_a_candle_is_its_prints() -> None:
    world = World(2, speed=8.0)
    world.go(650)
    candle = world.venue.candles.klines(0, "1m", None, None, 2)[0]
    mine = [one for index, one in world.mirror.prints
            if index == 0 and candle.open_ms <= one.ms < candle.open_ms + MINUTE]
    assert candle.volume == sum(one.steps for one in mine)
    assert (candle.high, candle.low) == (max(o.tick for o in mine), min(o.tick for o in mine))
    assert (candle.open, candle.close) == (mine[0].tick, mine[-1].tick)
    assert candle.buy_volume == sum(one.steps for one in mine if not one.buyer_is_maker)


@pytest.mark.parametrize("interval", INTERVALS)
def test_longer_intervals_are_folded_from_minutes(world: World, interval: str) -> None:
    world.go(20)
    found = world.venue.candles.klines(1, interval, None, None, 5)
    assert len(found) == 5
    for earlier, later in zip(found, found[1:], strict=False):
        assert later.open_ms == earlier.close_ms + 1
    first = found[0]
    minutes = world.venue.candles.klines(1, "1m", first.open_ms, first.close_ms, 50_000)
    assert first.open == minutes[0].open and first.close == minutes[-1].close
    assert first.high == max(m.high for m in minutes) and first.volume == sum(m.volume for m in minutes)
    begin = begin_of(first.open_ms // MINUTE, interval)
    assert begin * MINUTE == first.open_ms and end_of(begin, interval) * MINUTE == first.close_ms + 1


def test_the_past_is_whole_and_meets_the_present(world: World) -> None:
    world.go()
    found = world.venue.candles.klines(0, "1m", None, None, 1500)
    assert all(c.low <= min(c.open, c.close) <= max(c.open, c.close) <= c.high for c in found)
    assert all(b.open_ms - a.open_ms == MINUTE for a, b in zip(found, found[1:], strict=False))
    gaps = [abs(b.open / a.close - 1) for a, b in zip(found, found[1:], strict=False)]
    assert max(gaps) < 0.001
    month = world.venue.candles.klines(0, "1h", START - 30 * 86_400_000, None, 720)
    assert len(month) == 720 and all(c.volume > 0 for c in month)


def test_klines_by_time_and_limit(world: World) -> None:
    world.go()
    candles = world.venue.candles
    first = START // MINUTE * MINUTE - 10 * MINUTE
    assert [c.open_ms for c in candles.klines(0, "1m", first, None, 3)] == [first + k * MINUTE for k in range(3)]
    assert [c.open_ms for c in candles.klines(0, "1m", first + 1, first + 2 * MINUTE, 9)] == [
        first + MINUTE, first + 2 * MINUTE]
    assert [c.open_ms for c in candles.klines(0, "1m", None, first, 2)] == [first - MINUTE, first]
    assert candles.klines(0, "1m", world.ms + MINUTE, None, 5) == []


def test_mark_index_and_funding_hang_together(world: World) -> None:
    world.go(50)
    for index, spec in enumerate(world.venue.specs):
        middle = spec.price(sum(world.venue.touch(index)[::2])) / 2
        assert abs(world.venue.marks.mark[index] / middle - 1) < D("0.002")
        assert abs(world.venue.marks.index[index] / middle - 1) < D("0.003")
        assert abs(world.venue.marks.rate[index]) <= spec.funding_cap
        assert world.venue.marks.open_interest(index) > 0


def test_the_day_is_the_last_1440_minutes() -> None:
    world = World(2, speed=20.0)
    world.go(150)
    day = world.venue.day(0)
    rows = world.venue.candles.klines(0, "1m", None, None, 1440)
    assert day.volume == sum(c.volume for c in rows) and day.trades == sum(c.trades for c in rows)
    assert (day.high, day.low) == (max(c.high for c in rows), min(c.low for c in rows))
    assert (day.open, day.last) == (rows[0].open, rows[-1].close)


@pytest.mark.parametrize(("speed", "slice_"), [(0.5, 100), (1, 100), (4, 100), (5, 200), (60, 1500), (120, 3000)])
def test_slices_grow_with_the_speed(speed: float, slice_: int) -> None:
    assert slice_ms(speed) == slice_


def test_a_fast_market_is_a_market_too() -> None:
    world = World(3, speed=120.0)
    world.go(60)
    world.books_agree()
    assert world.venue.candles.klines(0, "1m", None, None, 2)[0].volume > 0
    assert world.mirror.minutes == 3


def test_a_process_that_slept_catches_up_in_bounded_work(world: World) -> None:
    world.go()
    world.ms += 3_600_000
    before = len(world.mirror.prints)
    world.venue.step()
    assert world.ms - world.venue.market.ms < 60_000 and len(world.mirror.prints) - before < 40_000
    world.books_agree()


def test_others_are_liquidated_in_the_direction_of_the_move() -> None:
    world = World(3, speed=8.0)
    world.go(900)
    forced = world.mirror.forced
    assert forced and all(one.steps > 0 and (one.tick - one.average) * one.side.sign >= 0 for one in forced)
    assert not world.venue.ledger.fills


def test_a_halted_contract_stands_still(world: World) -> None:
    world.go(3)
    world.venue.market.asleep.add(0)
    before, prints = world.venue.touch(0)[::2], len([one for index, one in world.mirror.prints if index == 0])
    world.venue.market.jump(0, 1.05)
    world.go(20)
    assert world.venue.touch(0)[::2] == before
    assert len([one for index, one in world.mirror.prints if index == 0]) == prints
    world.venue.market.asleep.clear()
    world.go()
    assert world.bid > before[0] * 1.04
    world.books_agree()
