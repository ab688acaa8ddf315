"""Shorts: the mirror of longs in the engine, and their money."""

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest import walk as w
from modules.backtest.engine import run
from modules.backtest.trades import curve_of, money_gap, trades_of
from modules.strategies.hype import exits
from tests.backtest import maker
from tests.backtest.maker import FREE, RULES, entries, random_entries, random_market, sales, series

ENTRY = (100_000, 100_000, 100_000, 100_000)
DAY = 288


def after_entry(*candles, **settings):
    """Exits of a `simple` short (targets 97, 94, 91, stop 102.5 thousand) sold at 100,000."""
    market = series([ENTRY, *candles])
    made = run(market, entries(market, (0, 0), side=a.SHORT, **settings), RULES, FREE)
    assert maker.money_gap(made, FREE) == 0
    return sales(made)


@pytest.mark.parametrize(("candles", "told"), [
    ([(101_000, 103_000, 100_500, 102_000)], [(exits.STOP, 1000, 102_500)]),
    ([(105_000, 106_000, 100_500, 102_000)], [(exits.STOP, 1000, 105_000)]),
    ([(99_000, 99_000, 93_500, 93_800), (93_800, 101_000, 93_800, 101_000)],
     [(exits.TARGET, 400, 97_000), (exits.TARGET, 300, 94_000), (exits.BREAK_EVEN, 300, 100_000)]),
    # stop and target in one candle: the worse counts
    ([(100_000, 103_000, 96_000, 96_500)], [(exits.STOP, 1000, 102_500)]),
    # the trailing stop lies 3 % above the lowest price
    ([(99_000, 99_000, 90_000, 90_000), (90_000, 92_700, 90_000, 92_700)],
     [(exits.TARGET, 400, 97_000), (exits.TARGET, 300, 94_000), (exits.TARGET, 200, 91_000),
      (exits.TRAILING, 100, 92_700)]),
])
def test_exits_fall_where_those_of_a_long_rise(candles, told):
    assert after_entry(*candles)[:len(told)] == told


def test_the_candle_of_entry_can_stop_a_short():
    market = series([(100_000, 110_000, 99_500, 101_000), ENTRY])
    assert sales(run(market, entries(market, (0, 0), side=a.SHORT), RULES, FREE)) == [(exits.STOP, 1000, 102_500)]


def test_a_short_gains_what_the_price_falls_and_pays_its_costs():
    terms = FREE._replace(fee_ppm=1000, half_spread_ppm=500, slippage_ppm=1000, carry_ppm=2000)
    market = series([ENTRY] * DAY + [(80_000, 80_000, 80_000, 80_000)])
    made = run(market, entries(market, (0, 0), quantity=1000, side=a.SHORT, target=1), RULES, terms)
    sold = 100_000 * 1000 * 100 * 0.9995 * 0.999
    bought = 80_000 * 1000 * 100 * 1.0005 * 1.001
    expected = sold * 0.999 - bought * 1.001 - sold * 0.002  # one day of carry
    assert made.totals[a.T_CASH] - terms.start == pytest.approx(expected, abs=5)
    assert made.positions[0, a.P_ENTRY] == int(np.ceil(100_000 * 0.9995 * 0.999))


def test_a_negative_cost_of_shorts_is_received():
    market = series([ENTRY] * (DAY + 1))
    made = run(market, entries(market, (0, 0), quantity=1000, side=a.SHORT, target=1), RULES,
               FREE._replace(carry_ppm=-1000))
    assert made.totals[a.T_CASH] - FREE.start == 100_000 * 1000 * 100 // 1000


def test_the_margin_is_cash_that_is_not_there_for_others():
    market = series(*[[ENTRY] * 3] * 2)
    wishes = entries(market, (0, 0), (1, 0), side=a.SHORT)
    made = run(market, wishes, RULES, FREE._replace(start=199 * a.MONEY))
    assert [a.REFUSALS[code] for code in made.outcomes] == ["bought", "FUNDS"]


def test_a_price_that_triples_loses_more_than_the_margin():
    market = series([ENTRY, (300_000,) * 4])
    made = run(market, entries(market, (0, 0), quantity=1000, side=a.SHORT), RULES, FREE)
    assert made.sales[0, a.S_VALUE] == -100 * a.MONEY and made.totals[a.T_CASH] == 800 * a.MONEY


@pytest.mark.parametrize(("goal", "stop", "told"), [(90_000, 0, a.END), (0, 101_000, exits.STOP)])
def test_target_or_stop_alone(goal, stop, told):
    market = series([ENTRY, (100_000, 150_000, 91_000, 100_000), ENTRY])
    made = run(market, entries(market, (0, 0), side=a.SHORT, target=goal or a.NEVER, stop=stop), RULES, FREE)
    assert sales(made)[0][0] == told


def test_a_cover_signal_ends_a_short_and_not_a_long():
    market = series([ENTRY] * 3, [ENTRY] * 3)._replace(covers=np.array([1, 4]))
    wishes = np.concatenate((entries(market, (0, 0), side=a.SHORT), entries(market, (1, 0))))
    made = run(market, wishes, RULES, FREE)
    assert [(sale[a.S_CODE], sale[a.S_AT]) for sale in made.sales] == [(a.SIGNAL, 1), (a.END, 5)]


def mirrored(market, about):
    """The same market upside down, in ticks around `about`."""
    candles = market.candles.copy()
    candles[1:] = 2 * about - candles[[a.OPEN, a.LOW, a.HIGH, a.CLOSE]]
    return market._replace(candles=candles)


@pytest.mark.parametrize("seed", range(8))
def test_upside_down_a_short_does_what_a_long_does(seed):
    """Own targets and stops: distances in ticks have a mirror. The same candles, reasons and steps, prices mirrored."""
    rng = np.random.default_rng(seed)
    market = random_market(rng, 1, 400)
    top = int(market.candles[1:].max())
    market = market._replace(candles=market.candles + np.array([[0], [2 * top], [2 * top], [2 * top], [2 * top]]))
    turned = mirrored(market, 4 * top)
    long = random_entries(rng, market, 30)
    away = int(top * 0.02) + 1
    long[:, a.E_QUANTITY], long[:, a.E_GOAL], long[:, a.E_STOP] = 10, long[:, a.E_PRICE] + away, \
        long[:, a.E_PRICE] - away
    short = long.copy()
    short[:, a.E_SIDE] = a.SHORT
    for column in (a.E_PRICE, a.E_GOAL, a.E_STOP):
        short[:, column] = 8 * top - long[:, column]
    terms = FREE._replace(start=10**15, max_exposure=10**15, max_token=10**15)
    one, other = run(market, long, RULES, terms), run(turned, short, RULES, terms)
    columns = [a.S_POSITION, a.S_AT, a.S_CODE, a.S_QUANTITY, a.S_HIT]
    assert np.array_equal(one.sales[:, columns], other.sales[:, columns]) and len(one.sales) > 5
    assert np.array_equal(one.sales[:, a.S_LOOK], 8 * top - other.sales[:, a.S_LOOK])
    assert one.totals[a.T_CASH] == pytest.approx(other.totals[a.T_CASH], abs=10)


def test_the_curve_of_a_short_ends_where_the_money_does():
    rng = np.random.default_rng(3)
    market = random_market(rng, 3, 300)
    terms = FREE._replace(fee_ppm=1000, carry_ppm=1000)
    made = run(market, random_entries(rng, market, 60, (a.SHORT, a.LONG)), RULES, terms)
    trades, curve = trades_of(made, market, np.full(3, 0.01)), curve_of(made, market, terms.start)
    assert money_gap(trades, terms.start, int(made.totals[a.T_CASH])) == 0 and (trades.side < 0).sum() > 5
    assert curve.equity[-1] == pytest.approx(made.totals[a.T_CASH] / a.MONEY, abs=1e-6)
    gained = trades.side * (trades.exit_price - trades.entry_price) * trades.quantity
    assert trades.pnl / a.MONEY == pytest.approx(gained - (trades.fees + trades.carry) / a.MONEY, abs=1e-4)
    assert trades.carry[trades.side > 0].sum() == 0 < trades.carry.sum()


@pytest.mark.parametrize("seed", range(300))
def test_one_way_through_a_candle_is_enough_where_it_is_settled(seed):
    """Where `settled` spares the second way, walking it changes nothing."""
    rng = np.random.default_rng(seed)
    side = int(rng.choice((a.LONG, a.SHORT)))
    entry = int(rng.integers(50, 100_000))
    plan = exits.make_plan(RULES, int(rng.integers(4)), int(rng.integers(700_000, 10**6)), 10_000, entry, 1000, entry,
                           int(rng.choice((0, entry * 200))), 0, side)
    state = exits.first_state(plan, entry, 1000)
    spared = 0
    for _ in range(60):
        opened, close = (max(int(entry * (1 + rng.normal(0, 0.04))), 2) for _ in range(2))
        candle = w.mirrored((opened, max(opened, close) + int(rng.integers(0, entry // 20 + 1)),
                             max(min(opened, close) - int(rng.integers(0, entry // 20 + 1)), 1), close), side)
        fills, spare = np.zeros((9, 4), np.int64), np.zeros((9, 4), np.int64)
        one = w.low_first(plan, state, candle, 0, fills)
        if w.settled(plan, state, one, candle, fills):
            other = w.high_first(plan, state, candle, 0, spare)
            count = fills[w.F_COUNT, 0]
            assert spare[w.F_COUNT, 0] == count and np.array_equal(fills[:count], spare[:count])
            assert one.quantity == other.quantity and (one == other or one.quantity == 0)
            spared += 1
        state = w.walk(plan, state, candle, 0, fills, spare)
        if state.quantity == 0:
            break
    assert spared or state.quantity < 1000
