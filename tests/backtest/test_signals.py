"""The scanner's figures and rules, for many candles at once, against the scanner's own for one."""

from collections import Counter

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest import measure as m
from modules.backtest.market import series_of
from modules.backtest.settings import BacktestSettings
from modules.backtest.signals import MOODS, hype_wishes, moods_of
from modules.backtest.wishes import entries_of
from modules.strategies.hype import figures, rules
from modules.strategies.hype.exit_table import STRATEGIES
from modules.strategies.hype.mood import Mood, next_mood
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.candles import START_MS, STEP_MS, frame, table

COSTS = BacktestSettings()
SETTINGS = HypeSettings()


def hours_of(candles):
    """The venue's 1h candles at the last of these 5m candles: the newest one is still open."""
    hour = candles[:, 0] // m.HOUR_MS
    rows = []
    for each in np.unique(hour):
        part = candles[hour == each]
        rows.append((each * m.HOUR_MS, part[0, 1], part[:, 2].max(), part[:, 3].min(), part[-1, 4], part[:, 5].sum()))
    return np.array(rows)


@pytest.mark.parametrize(("seed", "row"), [(seed, row) for seed in (1, 2) for row in
                                           (12, 30, 61, 120, 287, 300, 700, 2015, 2200, 2999)])
def test_figures_are_the_scanners(seed, row):
    candles = table(seed, 3000)
    candles[100:104, 5] = 0.0
    seen = candles[:row + 1]
    nan = float("nan")
    live = figures.measure(seen[-500:], hours_of(seen)[-168:], seen[-1, 4], 0.0, 0.0, nan, nan, 0.1, 1e6)
    found = m.look_closely(frame("T", candles), np.array([row]))[0]
    told = (live.surge_1h, live.surge_15m, live.atr_pct, live.rising_share, live.fall_pct, live.bounce_pct,
            live.below_high_pct)
    assert found == pytest.approx(told, rel=1e-9, nan_ok=True)


def test_growth_is_that_of_the_scanners_own_minutes():
    candles = frame("T", table(3, 600))
    for span, back in ((m.INTERVAL_MS, 1), (m.HOUR_MS, 12), (m.DAY_MS, 288)):
        grown = m.growth_over(candles, span)
        assert np.isnan(grown[:back]).all()
        assert grown[back:] == pytest.approx((candles.close[back:] / candles.close[:-back] - 1) * 100)


def test_growth_over_a_gap_is_not_known():
    candles = np.delete(table(3, 600), slice(200, 260), axis=0)
    grown = m.growth_over(frame("T", candles), m.HOUR_MS)
    assert np.isfinite(grown[199]) and np.isnan(grown[200:209]).all() and np.isfinite(grown[212])


def test_every_signal_is_one_that_the_rules_give_and_none_is_missing():
    candles = table(4, 1300)
    token = frame("T", candles)
    found = hype_wishes([token], SETTINGS, COSTS, Counter())
    at = rules.bars(SETTINGS, Mood.NORMAL)
    expected = {}
    for row in range(320, 1300):
        seen = candles[:row + 1]
        day = (seen[-1, 4] / seen[-289, 4] - 1) * 100
        volume = float((seen[-288:, 4] * seen[-288:, 5]).sum())
        growths = [(seen[-1, 4] / seen[-1 - back, 4] - 1) * 100 for back in (1, 12)]
        if not (growths[0] >= at.growth_5m_pct or growths[1] >= at.growth_1h_pct or day >= at.growth_24h_pct):
            continue
        live = figures.measure(seen[-500:], hours_of(seen)[-168:], seen[-1, 4], volume, day, growths[0], growths[1],
                               COSTS.spread_pct, float("inf"))
        strategy = None if rules.inspect(live, at) else rules.classify(live, at)
        if strategy is not None:
            expected[int(seen[-1, 0]) + STEP_MS] = strategy.value
    told = {int(ms): STRATEGIES[code] for ms, code in zip(found.known_ms, found.kind, strict=True)
            if ms > START_MS + 320 * STEP_MS}
    assert told == expected
    assert len(expected) > 20 and len(set(expected.values())) >= 2


def test_nothing_looks_ahead():
    """What comes after a candle changes no signal up to it."""
    candles = table(5, 2000)
    whole = hype_wishes([frame("T", candles)], SETTINGS, COSTS, Counter())
    cut = hype_wishes([frame("T", candles[:1200])], SETTINGS, COSTS, Counter())
    before = whole.known_ms <= START_MS + 1200 * STEP_MS
    assert before.sum() > 5
    for name in ("known_ms", "price", "kind", "atr_pct", "size", "strength"):
        assert np.array_equal(getattr(whole, name)[before], getattr(cut, name))


def test_entries_fill_at_the_next_open_or_later():
    token = frame("T", table(4, 1500))
    signals = hype_wishes([token], SETTINGS, COSTS, Counter())
    series, steps = series_of([token], 5.0)
    for bars in (1, 3):
        costs = BacktestSettings(latency_bars=bars)
        entries = entries_of(signals, series, steps, costs, STEP_MS)
        opened = series.candles[a.TIME, entries[:, a.E_AT]]
        known = np.sort(signals.known_ms)[:len(entries)]
        assert np.array_equal(np.sort(opened), known + (bars - 1) * STEP_MS)
        assert (np.diff(opened) >= 0).all()


def test_btcs_mood_halves_and_pauses():
    falling = table(6, 800, price=60_000.0, pumps=False)
    falling[400:412, 1:5] *= np.linspace(1.0, 0.95, 12)[:, None]
    falling[412:, 1:5] *= 0.95
    btc = frame("BTCUSDT", falling)
    moods = moods_of(btc, SETTINGS)
    mood = Mood.NORMAL
    for row in range(800):
        hour = (btc.close[row] / btc.close[row - 12] - 1) * 100 if row >= 12 else float("nan")
        day = (btc.close[row] / btc.close[row - 288] - 1) * 100 if row >= 288 else float("nan")
        mood = next_mood(mood, hour, day, SETTINGS)
        assert MOODS[moods[row]] is mood
    assert Mood.PAUSE in {MOODS[place] for place in moods}
    counted: Counter[str] = Counter()
    alone = hype_wishes([frame("T", table(4, 800))], SETTINGS, COSTS, Counter())
    with_btc = hype_wishes([btc, frame("T", table(4, 800))], SETTINGS, COSTS, counted)
    assert set(alone.size) == {1.0} and 0.5 in set(with_btc.size)
