"""The screening, the four strategies, and BTC's mood."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.hype import rules
from modules.strategies.hype.mood import EFFECTS, Mood, next_mood
from modules.strategies.hype.reasons import Refusal, from_code, sentence
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.settings import HypeSettings
from utils.paths import PROJECT

SETTINGS = HypeSettings(growth_5m_pct=3, growth_1h_pct=5, growth_24h_pct=15, volume_surge=2, max_spread_pct=0.8,
                        min_depth_usdt=300, min_quote_volume=100_000, min_price=1e-6, max_price=1000)
BARS = rules.bars(SETTINGS, Mood.NORMAL)
NAN = float("nan")


def board(**columns: list[float]) -> rules.Board:
    count = len(next(iter(columns.values())))

    def figures(name: str, plain: float) -> rules.Floats:
        return np.array(columns.get(name, [plain] * count), np.float64)

    def flags(name: str) -> rules.Bools:
        return np.array(columns.get(name, [True] * count), np.bool_)

    return rules.Board(
        figures("price", 1.0), figures("spread_pct", 0.1), figures("quote_volume", 1e6), figures("growth_5m", 0.0),
        figures("growth_1h", 0.0), figures("growth_24h", 0.0), flags("trading"), flags("api_allowed"))


CALM_FIGURES = rules.Figures(
    price=1.0, spread_pct=0.1, quote_volume=1e6, growth_5m=0.5, growth_1h=6.0, growth_24h=4.0, surge_1h=2.5,
    surge_15m=2.0, atr_pct=1.5, depth_usdt=5000, rising_share=0.7, fall_pct=8.0, bounce_pct=7.0, below_high_pct=1.0,
)
REVIVED = replace(CALM_FIGURES, fall_pct=40.0, bounce_pct=12.0, below_high_pct=30.0)
SAFE = replace(CALM_FIGURES, growth_1h=2.0, growth_24h=16.0, atr_pct=0.4, surge_1h=1.2)
VIOLENT = replace(CALM_FIGURES, growth_5m=7.0, growth_1h=9.0, surge_15m=4.0)


@pytest.mark.parametrize(("column", "value", "expected"), [
    ("trading", False, Refusal.NOT_TRADING),
    ("api_allowed", False, Refusal.API_CLOSED),
    ("price", 1e-7, Refusal.PRICE_LOW),
    ("price", NAN, Refusal.PRICE_LOW),
    ("price", 1001.0, Refusal.PRICE_HIGH),
    ("quote_volume", 99_999.0, Refusal.VOLUME_LOW),
    ("spread_pct", 0.81, Refusal.SPREAD_WIDE),
    ("spread_pct", NAN, Refusal.SPREAD_WIDE),
])
def test_one_figure_out_of_bounds_refuses_with_its_own_code(column, value, expected):
    grown = {"growth_1h": [9.0, 9.0]}
    plain = {"trading": True, "api_allowed": True, "price": 1.0, "quote_volume": 1e6, "spread_pct": 0.1}[column]
    codes = rules.screen(board(**grown, **{column: [plain, value]}), BARS)
    assert codes.tolist() == [Refusal.NONE, expected]


def test_any_of_the_three_growths_makes_a_suspect_and_unknown_growth_never_does():
    seen = board(growth_5m=[3.0, 2.9, NAN, 0.0, NAN], growth_1h=[0.0, 4.9, 5.0, 0.0, NAN],
                 growth_24h=[0.0, 14.9, NAN, 15.0, NAN])
    assert (rules.screen(seen, BARS) == 0).tolist() == [True, False, True, True, False]


def test_the_first_reason_in_order_is_told():
    seen = board(trading=[False], quote_volume=[0.0], spread_pct=[9.0])
    assert rules.screen(seen, BARS).tolist() == [Refusal.NOT_TRADING]


def test_strength_ranks_the_hour_above_the_day():
    seen = board(growth_5m=[NAN, NAN, NAN], growth_1h=[10.0, NAN, NAN], growth_24h=[0.0, 45.0, NAN])
    strong = rules.strength(seen, BARS)
    assert strong[0] > strong[1] > strong[2] == -np.inf


@pytest.mark.parametrize(("figures", "expected"), [
    (CALM_FIGURES, Strategy.SIMPLE),
    (VIOLENT, Strategy.AGGRESSIVE),
    (replace(CALM_FIGURES, growth_1h=15.0, surge_1h=3.0), Strategy.AGGRESSIVE),
    (REVIVED, Strategy.REVIVAL),
    (SAFE, Strategy.MOMENTUM_SAFE),
    (replace(VIOLENT, fall_pct=40.0, bounce_pct=30.0, below_high_pct=30.0), Strategy.AGGRESSIVE),  # the order
    (replace(CALM_FIGURES, surge_1h=1.0, surge_15m=1.0), None),  # grows without volume
    (replace(CALM_FIGURES, growth_5m=-1.0), None),  # falls back
    (replace(CALM_FIGURES, rising_share=0.3), None),  # one jump is not steady
    (replace(SAFE, atr_pct=2.0), None),
    (replace(SAFE, spread_pct=0.6), None),
    (replace(REVIVED, below_high_pct=2.0, growth_1h=3.0), None),  # already back at its high
    (replace(CALM_FIGURES, surge_1h=NAN, surge_15m=NAN), None),  # not known is never enough
])
def test_each_strategy_by_its_figures(figures, expected):
    assert rules.classify(figures, BARS) is expected


@given(st.floats(-20, 60), st.floats(-20, 90), st.floats(-50, 300), st.floats(0, 20), st.floats(0, 5), st.floats(0, 1))
def test_a_violent_fall_is_never_bought(g5, g1, g24, surge, atr, rising):
    falling = replace(CALM_FIGURES, growth_5m=min(g5, rules.FADE_PCT - 0.01), growth_1h=g1, growth_24h=g24,
                      surge_1h=surge, surge_15m=surge, atr_pct=atr, rising_share=rising)
    assert rules.classify(falling, BARS) is None


@given(st.floats(0, 30), st.floats(0, 60), st.floats(0, 100), st.floats(0, 20))
def test_stricter_bars_never_let_more_through(g5, g1, g24, surge):
    figures = replace(CALM_FIGURES, growth_5m=g5, growth_1h=g1, growth_24h=g24, surge_1h=surge, surge_15m=surge,
                      atr_pct=5.0)
    strict = rules.bars(SETTINGS, Mood.CAREFUL)
    if rules.classify(figures, strict) is not None:
        assert rules.classify(figures, BARS) is not None


def test_the_book_can_refuse_what_the_ticker_let_through():
    thin = replace(CALM_FIGURES, depth_usdt=299.0, spread_pct=0.9)
    assert rules.inspect(thin, BARS) == (Refusal.SPREAD_WIDE, Refusal.DEPTH_LOW)
    assert rules.inspect(replace(CALM_FIGURES, depth_usdt=NAN), BARS) == (Refusal.DEPTH_LOW,)
    assert rules.inspect(CALM_FIGURES, BARS) == ()


def test_reasons_of_the_unclassified():
    assert rules.why_unclassified(replace(CALM_FIGURES, growth_5m=-2.0, surge_1h=1, surge_15m=1), BARS) == (
        Refusal.FADING, Refusal.SURGE_LOW, Refusal.NO_STRATEGY)


@pytest.mark.parametrize(("before", "hour", "day", "after"), [
    (Mood.NORMAL, 0.6, 2.0, Mood.NORMAL),
    (Mood.NORMAL, 0.1, 0.3, Mood.CALM),
    (Mood.NORMAL, -1.0, 0.0, Mood.CAREFUL),
    (Mood.NORMAL, -3.0, 0.0, Mood.PAUSE),
    (Mood.CALM, -5.0, 0.0, Mood.PAUSE),
    (Mood.PAUSE, -2.6, 0.0, Mood.PAUSE),  # not yet recovered
    (Mood.PAUSE, -2.4, 0.0, Mood.CAREFUL),
    (Mood.CAREFUL, -0.7, 0.0, Mood.CAREFUL),
    (Mood.CAREFUL, -0.4, 2.0, Mood.NORMAL),
    (Mood.NORMAL, -0.7, 0.0, Mood.NORMAL),  # the same price, from the other side
    (Mood.CALM, 0.4, 1.4, Mood.CALM),  # a move that would not have begun the calm does not end it either
    (Mood.NORMAL, 0.4, 0.3, Mood.NORMAL),
    (Mood.NORMAL, 0.1, 1.4, Mood.NORMAL),
    (Mood.CALM, 0.51, 0.3, Mood.NORMAL),
    (Mood.CALM, 0.1, -1.51, Mood.NORMAL),
    (Mood.CALM, 0.1, NAN, Mood.NORMAL),
    (Mood.NORMAL, NAN, NAN, Mood.CAREFUL),
    (Mood.PAUSE, NAN, NAN, Mood.PAUSE),
])
def test_mood(before, hour, day, after):
    assert next_mood(before, hour, day, HypeSettings()) is after


@given(st.lists(st.floats(-0.08, 0.08), max_size=40), st.sampled_from([0.25, 0.5, -0.25, -0.5, -1.0, -3.0]))
def test_a_price_that_trembles_on_a_border_changes_the_mood_once_at_most(trembles, border):
    mood, changes = next_mood(Mood.NORMAL, border, 0.0, HypeSettings()), 0
    for tremble in trembles:
        before, mood = mood, next_mood(mood, border + tremble, 0.0, HypeSettings())
        changes += mood is not before
    assert changes <= 1


def test_a_worse_mood_is_stricter_and_smaller():
    assert EFFECTS[Mood.CAREFUL].size == 0.5
    assert EFFECTS[Mood.PAUSE].size == 0.0
    careful = rules.bars(SETTINGS, Mood.CAREFUL)
    assert careful.growth_1h_pct > BARS.growth_1h_pct
    assert careful.max_spread_pct < BARS.max_spread_pct


def test_every_reason_has_a_code_that_reads_back_and_a_sentence():
    for reason in Refusal:
        assert from_code(reason.code) is reason
        assert sentence(reason)
    with pytest.raises(ValueError, match="no_such"):
        from_code("no_such")


def test_the_docs_name_every_code_and_the_figures_in_force():
    text = (PROJECT / "docs" / "STRATEGIES.md").read_text(encoding="utf-8")
    for reason in Refusal:
        assert reason is Refusal.NONE or f"`{reason.code}`" in text
    plain = HypeSettings()
    for figure in (f"≥ {plain.growth_5m_pct:g} % in 5 min", f"≥ {plain.growth_1h_pct:g} % in 1 h",
                   f"≥ {plain.growth_24h_pct:g} % in 24 h", f"≥ {plain.min_quote_volume:,.0f} USDT",
                   f"≤ {plain.max_spread_pct:g} %", f"≥ {plain.min_depth_usdt:g} USDT",
                   f"`max_probes` ({plain.max_probes})", f"`max_candidates` ({plain.max_candidates})",
                   f"fell ≥ {rules.REVIVAL_FALL_PCT:g} %", f"still ≥ {rules.REVIVAL_BELOW_HIGH_PCT:g} % below",
                   f"≤ {rules.SAFE_ATR_PCT:g} %", f"≥ {rules.VIOLENT_5M:g}·T5", f"≥ {rules.VIOLENT_1H:g}·T1",
                   f"≥ {rules.VIOLENT_SURGE:g}·S", f"{rules.SAFE_GROWTH_1H:g}·T1"):
        assert figure in text, figure
