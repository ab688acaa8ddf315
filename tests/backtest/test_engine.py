"""The engine: what one candle does to a position, and what the account allows."""

import os
import subprocess
import sys

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.strategies.hype import exits
from tests.backtest.maker import FREE, RULES, entries, money_gap, random_entries, random_market, sales, series

ENTRY = (100_000, 100_000, 100_000, 100_000)


def after_entry(*candles, **settings):
    """Sales of a `simple` position (targets 103, 106, 109, stop 97.5 thousand) bought at 100,000."""
    market = series([ENTRY, *candles])
    made = run(market, entries(market, (0, 0), **settings), RULES, FREE)
    assert money_gap(made, FREE) == 0
    return sales(made)


@pytest.mark.parametrize(("candles", "told"), [
    # the stop fills at the stop; a gap fills at the gap
    ([(99_000, 99_500, 97_000, 98_000)], [(exits.STOP, 1000, 97_500)]),
    ([(95_000, 99_500, 94_000, 98_000)], [(exits.STOP, 1000, 95_000)]),
    ([(97_500, 98_000, 97_500, 98_000)], [(exits.STOP, 1000, 97_500)]),
    # targets fill at the targets, and a gap over two of them sells both slices at the gap
    ([(101_000, 106_500, 101_000, 106_200), (106_200, 106_200, 99_000, 99_000)],
     [(exits.TARGET, 400, 103_000), (exits.TARGET, 300, 106_000), (exits.BREAK_EVEN, 300, 100_000)]),
    ([(107_000, 107_500, 106_900, 107_200), (99_000, 99_500, 98_000, 98_500)],
     [(exits.TARGET, 700, 107_000), (exits.BREAK_EVEN, 300, 99_000)]),
    # stop and target in one candle: the worse
    ([(100_000, 104_000, 97_000, 103_500)], [(exits.STOP, 1000, 97_500)]),
    # the target arms break-even: coming back through it within the candle is the worse way
    ([(100_500, 103_500, 99_000, 102_500)], [(exits.TARGET, 400, 103_000), (exits.BREAK_EVEN, 600, 100_000)]),
    # after the last target it trails its peak by 3 %, also the peak of the candle that reached it
    ([(101_000, 110_000, 101_000, 109_800)],
     [(exits.TARGET, 400, 103_000), (exits.TARGET, 300, 106_000), (exits.TARGET, 200, 109_000),
      (exits.TRAILING, 100, 106_700)]),
    ([(101_000, 108_900, 101_000, 108_900), (108_900, 110_000, 108_000, 109_800), (117_500, 120_000, 117_000, 119_000),
      (119_000, 119_500, 110_000, 111_000)],
     [(exits.TARGET, 400, 103_000), (exits.TARGET, 300, 106_000), (exits.TARGET, 200, 109_000),
      (exits.TRAILING, 100, 116_400)]),
])
def test_one_position(candles, told):
    assert after_entry(*candles)[:len(told)] == told


def test_the_candle_of_entry_can_stop():
    market = series([(100_000, 100_500, 90_000, 99_000), ENTRY])
    assert sales(run(market, entries(market, (0, 0)), RULES, FREE)) == [(exits.STOP, 1000, 97_500)]


def test_finer_candles_decide_what_a_coarse_one_leaves_open():
    coarse = after_entry((100_000, 104_000, 97_000, 103_500))
    fine = after_entry((100_000, 104_000, 100_000, 103_900), (103_900, 103_900, 97_000, 103_500))
    assert coarse == [(exits.STOP, 1000, 97_500)]
    assert fine == [(exits.TARGET, 400, 103_000), (exits.BREAK_EVEN, 600, 100_000)]


def test_wilder_tokens_get_a_wider_stop():
    assert after_entry((99_000, 99_000, 96_000, 97_000), atr=2.0)[0][0] == a.END
    assert after_entry((99_000, 99_000, 95_000, 97_000), atr=2.0) == [(exits.STOP, 1000, 95_000)]


def test_a_signal_sells_at_the_open_before_the_stop_of_that_candle():
    market = series([ENTRY, (101_000, 101_000, 90_000, 95_000)], sell_at=[1])
    assert sales(run(market, entries(market, (0, 0)), RULES, FREE)) == [(a.SIGNAL, 1000, 101_000)]


def test_the_longest_hold_ends_at_the_open_of_the_next_candle():
    market = series([ENTRY] * 10)
    rules = RULES._replace(max_hold_ms=12 * 60_000)
    made = run(market, entries(market, (0, 0)), rules, FREE)
    assert (sales(made), made.sales[0, a.S_AT]) == ([(exits.TIME, 1000, 100_000)], 3)


def test_a_stop_that_the_open_has_passed_is_no_time_exit():
    market = series([ENTRY, ENTRY, (90_000, 90_000, 90_000, 90_000)])
    made = run(market, entries(market, (0, 0)), RULES._replace(max_hold_ms=400_000), FREE)
    assert sales(made) == [(exits.STOP, 1000, 90_000)]


def test_where_the_data_of_one_token_end_early_it_was_delisted():
    market = series([ENTRY] * 3, [ENTRY] * 400)
    made = run(market, entries(market, (0, 0), (1, 0)), RULES, FREE)
    assert [sale[0] for sale in sales(made)] == [a.DELISTED, a.END]


# --- the account --------------------------------------------------------------------------------------------------


def outcome(terms, *wishes, market=None, **settings):
    market = market or series(*[[ENTRY] * 400] * 4)
    made = run(market, entries(market, *wishes, **settings), RULES, terms)
    assert money_gap(made, terms) == 0
    return [a.REFUSALS[code] for code in made.outcomes]


@pytest.mark.parametrize(("change", "wishes", "told"), [
    ({}, [(0, 0), (0, 1)], ["bought", "HELD"]),
    ({"max_open": 2}, [(0, 0), (1, 0), (2, 0)], ["bought", "bought", "MAX_TRADES"]),
    ({"max_per_day": 1}, [(0, 0), (1, 1), (2, 287), (3, 288)], ["bought", "MAX_PER_DAY", "MAX_PER_DAY", "bought"]),
    ({"max_exposure": 250 * a.MONEY}, [(0, 0), (1, 0), (2, 0)], ["bought", "bought", "MAX_EXPOSURE"]),
    ({"start": 199 * a.MONEY}, [(0, 0), (1, 0)], ["bought", "FUNDS"]),
    ({"start": 100 * a.MONEY, "fee_ppm": 1000}, [(0, 0)], ["FUNDS"]),
    ({"half_spread_ppm": 20_000, "max_slippage_ppm": 15_000}, [(0, 0)], ["SLIPPAGE"]),
    ({"impact_ppm": 10**9, "max_slippage_ppm": 15_000}, [(0, 0)], ["SLIPPAGE"]),
])
def test_limits(change, wishes, told):
    assert outcome(FREE._replace(**change), *wishes) == told


def test_an_order_below_the_venues_minimum_is_not_sent():
    market = series([ENTRY] * 3, min_value=200_000_000)
    assert outcome(FREE, (0, 0), market=market) == ["MIN_NOTIONAL"]


def test_nobody_sells_in_a_candle_without_volume():
    assert outcome(FREE, (0, 0), market=series([ENTRY] * 3, quote=0.0)) == ["NO_VOLUME"]


def test_a_stopped_token_rests_and_a_sold_one_shorter():
    down, up = (100_000, 100_000, 90_000, 100_000), (100_000, 100_000, 100_000, 100_000)
    market = series([up, down, up, up, up, up])
    terms = FREE._replace(cool_stop_ms=3 * 300_000, cool_sell_ms=0)
    told = outcome(terms, (0, 0), (0, 2), (0, 3), (0, 4), market=market)
    assert told == ["bought", "COOL_DOWN", "COOL_DOWN", "bought"]


def test_a_judged_token_is_not_judged_again_at_once():
    told = outcome(FREE._replace(rejudge_ms=900_000, max_open=1), (0, 0), (1, 0), (1, 2), (1, 3))
    assert told == ["bought", "MAX_TRADES", "JUDGED_LATELY", "MAX_TRADES"]


def test_an_order_that_meets_a_gap_in_the_candles_is_too_old():
    market = series([ENTRY] * 3)
    wish = entries(market, (0, 1))
    wish[:, a.E_KNOWN] -= 300_000
    assert run(market, wish, RULES, FREE).outcomes.tolist() == [a.TOO_OLD]


def test_a_share_of_equity_grows_with_it():
    market = series([ENTRY, (150_000, 150_000, 150_000, 150_000), (150_000, 150_000, 150_000, 150_000)],
                    [ENTRY, ENTRY, ENTRY])
    terms = FREE._replace(share_ppm=100_000)
    made = run(market, entries(market, (0, 0), (1, 1)), RULES, terms)
    assert made.positions[:, a.P_QUANTITY].tolist() == [1000, 1000]
    made = run(market, entries(market, (0, 0), (1, 2)), RULES, terms)
    assert made.positions[1, a.P_QUANTITY] == 1050  # the gap made 50 USDT of it


def test_costs_are_paid_on_both_sides():
    terms = FREE._replace(fee_ppm=1000, half_spread_ppm=500, slippage_ppm=1000)
    market = series([ENTRY, ENTRY])
    made = run(market, entries(market, (0, 0), quantity=1000), RULES, terms)
    bought = 100_000 * 1000 * 100 * 1.0005 * 1.001
    sold = 100_000 * 1000 * 100 * 0.9995 * 0.999
    assert made.totals[a.T_CASH] - terms.start == pytest.approx(sold * 0.999 - bought * 1.001, abs=3)


def test_a_bigger_order_moves_the_price_more():
    terms = FREE._replace(impact_ppm=100_000)
    market = series([ENTRY, ENTRY], quote=1000.0)
    made = [run(market, entries(market, (0, 0), quantity=size), RULES, terms).positions[0] for size in (10, 1000)]
    paid = [row[a.P_COST] / row[a.P_QUANTITY] / 100.0 for row in made]
    assert paid == [pytest.approx(100_000 * (1 + 0.1 * size * 0.1 / 1000)) for size in (10, 1000)]


# --- laws ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_passing_over_quiet_candles_changes_nothing_and_money_is_conserved(seed):
    rng = np.random.default_rng(seed)
    market = random_market(rng, 4, 500)
    wishes = random_entries(rng, market, 120, (a.LONG, a.SHORT))
    terms = FREE._replace(fee_ppm=1000, carry_ppm=500, slippage_ppm=500, impact_ppm=100_000,
                          max_open=int(rng.integers(1, 5)),
                          share_ppm=int(rng.choice([0, 100_000])), cool_stop_ms=3_600_000)
    rules = RULES._replace(max_hold_ms=int(rng.choice([0, 20_000_000])), break_even=bool(rng.random() < 0.7))
    fast, slow = run(market, wishes, rules, terms), run(market, wishes, rules, terms, every=True)
    for one, other in zip(fast, slow, strict=True):
        assert np.array_equal(one, other)
    assert money_gap(fast, terms) == 0
    assert len(fast.positions) > 5 and (fast.positions[:, a.P_CLOSED] == 1).all()
    sold = np.bincount(fast.sales[:, a.S_POSITION], fast.sales[:, a.S_QUANTITY], len(fast.positions))
    assert np.array_equal(sold, fast.positions[:, a.P_QUANTITY])


def test_entries_must_ascend():
    market = series([ENTRY] * 5)
    with pytest.raises(ValueError, match="ascend"):
        run(market, entries(market, (0, 3), (0, 1)), RULES, FREE)


COMPARE = """
import numpy as np
from utils.compiled import COMPILED
from modules.backtest.engine import run
from tests.backtest.maker import FREE, RULES, random_entries, random_market
rng = np.random.default_rng(5)
market = random_market(rng, 6, 3000)
made = run(market, random_entries(rng, market, 900, (1, -1)), RULES, FREE._replace(fee_ppm=1000, impact_ppm=100_000))
print(COMPILED, len(made.sales), [hash(table.tobytes()) for table in made])
"""


def test_compiled_and_plain_are_the_same(compiled_cache):
    pytest.importorskip("numba")
    told = []
    for compiled in ("0", "1"):
        environment = {**os.environ, "COXSWAIN_COMPILED": compiled, "PYTHONHASHSEED": "0",
                       "NUMBA_CACHE_DIR": str(compiled_cache)}
        told.append(subprocess.run([sys.executable, "-c", COMPARE], env=environment, capture_output=True, text=True,
                                   check=True, timeout=110).stdout.split(maxsplit=1))
    assert [flag for flag, _ in told] == ["False", "True"]
    assert told[0][1] == told[1][1]
