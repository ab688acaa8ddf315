"""The rule table, levels and size, and that the same inputs give the same bytes."""

import math
from dataclasses import replace
from decimal import Decimal

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.strategies.showdown import sizing, stages
from modules.strategies.showdown.decision import Question, decide, encoded
from modules.strategies.showdown.inputs import Manual
from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN_MS, TIMEFRAMES, Money
from modules.strategies.showdown.settings import ShowdownSettings
from tests.strategies.showdown.market import CONTRACT, NOW, inputs, waves, without

OWN = ShowdownSettings()


def decided(made, settings=OWN):
    return stages.run(made, settings).decision


def test_a_long_with_everything_for_it():
    found = decided(inputs())
    assert (found.action, found.reason) == ("long", "trend_up_multi_tf_with_etf_and_liquidation_support")
    low, high = map(Decimal, found.entry_zone)
    assert Decimal(found.sl) < low < high < Decimal(found.tp1) < Decimal(found.tp2)
    assert found.absent == ()


def test_a_short_is_its_mirror():
    long, short = decided(inputs(1)), decided(inputs(-1))
    assert (short.action, short.reason) == ("short", "trend_down_multi_tf_with_etf_and_liquidation_support")
    assert short.confidence == pytest.approx(long.confidence, abs=1e-3)
    assert [row.result for row in short.short] == [row.result for row in long.long]
    assert Decimal(short.sl) > Decimal(short.entry_zone[1]) > Decimal(short.tp1) > Decimal(short.tp2)


@pytest.mark.parametrize("name", ["1m", "5m", "15m", "1h", "open_interest"])
def test_a_required_input_that_is_missing_means_flat(name):
    found = decided(without(inputs(), name))
    assert (found.action, found.reason) == ("flat", "flat_data_fresh")
    assert name.replace("_", " ") in found.reasons[0]


def test_funding_missing_means_flat_and_the_last_settlement_serves():
    assert decided(without(inputs(), "funding_now")).action == "long"
    assert decided(without(inputs(), "funding", "funding_now")).reason == "flat_data_fresh"


@pytest.mark.parametrize("name", ["etf", "liqmap", "sentiment", "cvd", "basis"])
def test_an_optional_input_that_is_absent_lowers_confidence(name):
    found = decided(without(inputs(), name))
    assert found.action == "long"
    assert name in found.absent
    assert found.confidence < decided(inputs()).confidence


@pytest.mark.parametrize(("step", "later_s", "stale"), [("1m", 181, True), ("1m", 60, False)])
def test_stale_candles_mean_flat(step, later_s, stale):
    made = inputs()
    later = replace(made, ms=NOW + later_s * 1000)
    assert (decided(later).reason == "flat_data_fresh") is stale


@pytest.mark.parametrize("name", [*TIMEFRAMES, "open_interest", "funding"])
def test_each_required_input_that_is_stale_means_flat_and_is_named(name):
    """Only this one is old: the others would trade."""
    made = inputs()
    if name in TIMEFRAMES:
        found = decided(replace(made, bars={**made.bars, name: made.bars[name][:-4]}))
        assert f"candles {name} stale" in found.reasons[0]
    else:
        old = {one: series - [9 * 3_600_000, 0] for one, series in made.series.items() if one.startswith(name)}
        found = decided(replace(made, series={**made.series, **old}))
        assert f"{name.replace('_', ' ')} stale" in found.reasons[0]
    assert found.reason == "flat_data_fresh" and found.reasons[0].count("stale") == 1


def test_a_gap_or_a_nan_among_the_candles_means_flat():
    for spoil in (lambda bars: np.delete(bars, 200, axis=0),
                  lambda bars: np.where(bars == bars[-3, CLOSE], np.nan, bars)):
        made = inputs()
        found = decided(replace(made, bars={**made.bars, "15m": spoil(made.bars["15m"])}))
        assert found.reason == "flat_data_fresh" and "candles 15m" in found.reasons[0]


def test_what_is_not_fresh_is_named_once():
    found = decided(replace(inputs(), bars={}))
    assert found.reasons[0] == "DATA_FRESH: candles 1m, candles 5m, candles 15m, candles 1h missing (never received)"
    assert len(set(found.absent)) == len(found.absent) == 4
    late = decided(replace(inputs(), ms=NOW + 3_600_000)).reasons[0]
    assert all(late.count(name) == 1 for name in ("candles 1m", "candles 5m", "candles 15m", "open interest"))


def test_data_from_the_future_means_flat():
    found = decided(replace(inputs(), ms=NOW - 3_600_000))
    assert found.reason == "flat_data_fresh" and "clock jumped" in found.reasons[0]


@pytest.mark.parametrize(("change", "code"), [
    ({"money": Money(equity="10000", day_drawdown_pct=3.0)}, "day_drawdown"),
    ({"money": Money(equity="10000", week_drawdown_pct=6.1)}, "week_drawdown"),
    ({"money": Money(equity="10000", problem="unreadable")}, "account_readable"),
    ({"contract": None}, "contract_known"),
    ({"failed": "the database is away", "bars": {}, "series": {}}, "data_fresh")])
def test_gates_shut(change, code):
    assert decided(inputs(**change)).reason == f"flat_{code}"


@pytest.mark.parametrize(("series", "row", "code"), [
    ("funding_now", [NOW - 1000, 0.0006], "FUNDING"), ("funding_now", [NOW - 1000, 0.002], "NO_WARNINGS"),
    ("open_interest", [NOW, 1000.0], "OPEN_INTEREST"), ("basis", [NOW - 1000, 0.006], "NO_WARNINGS")])
def test_what_the_derivatives_forbid(series, row, code):
    made = inputs()
    old = made.series[series]
    found = decided(replace(made, series={**made.series, series: np.vstack((old[old[:, 0] < row[0]], [row]))}))
    assert found.action == "flat"
    assert code in " ".join((found.reason.upper(), *found.reasons))


def test_a_halt_of_a_person_stops_entries():
    made = inputs()
    halted = {**made.manual, "sentiment": Manual({"score": 1.0, "note": "", "halt": True}, NOW, 2)}
    assert decided(replace(made, manual=halted)).reason == "flat_no_warnings"


def test_opposed_intervals_are_a_conflict():
    made = inputs()
    hours = waves(3_600_000, side=-1)
    assert decided(replace(made, bars={**made.bars, "1h": hours})).reason == "flat_no_conflict"


def test_pools_of_longs_speak_for_a_long_only_once_swept():
    """A pool under every low is not swept; where its mirror's magnet is asked, it pulls down and forbids the long."""
    made = inputs()
    pool = {"side": "long", "low": 45_000.0, "high": 45_500.0, "size_usd": 1e8}
    unswept = Manual({"price": 50_000, "zones": [pool]}, NOW - 7_200_000, 1)
    far = replace(made, manual={**made.manual, "liqmap": unswept})
    assert "LIQUIDATIONS" in " ".join(decided(far).reasons)
    magnet = OWN.model_copy(update={"liquidations": "magnet"})
    outcome = stages.run(far, magnet)
    assert outcome.flow.liquidations == -1.0 and outcome.decision.action == "flat"


def test_a_pool_reached_before_the_map_was_made_does_not_count():
    made = inputs()
    new = replace(made, manual={**made.manual, "liqmap": Manual(made.manual["liqmap"].body, NOW - 1000, 2)})
    assert stages.run(new, OWN).flow.liquidations == 0.0


def test_scores_stay_in_their_ranges_whatever_comes():
    for funding in (-1.0, 0.0, 1.0):
        for side in (1, -1):
            made = inputs(side)
            spoiled = {**made.series, "funding_now": np.array([[NOW, funding]]), "basis": np.array([[NOW, funding]])}
            told = stages.run(replace(made, series=spoiled), OWN).flow
            assert -1 <= told.crowd_bias <= 1 and 0 <= told.trap_index <= 1
            assert 0 <= told.risk["global_score"] <= 1 and told.risk["level"] in (1, 2, 3, 4, 5)


def test_the_same_question_gives_the_same_bytes_after_json():
    outcome = stages.run(inputs(), OWN)
    again = msgspec.json.decode(msgspec.json.encode(outcome.question), type=Question)
    assert encoded(decide(again)) == encoded(outcome.decision)
    assert len(outcome.decision.hash) == 64


def test_the_hash_is_that_of_the_inputs():
    first, same = stages.run(inputs(), OWN).decision, stages.run(inputs(), OWN).decision
    other = stages.run(inputs(money=Money(equity="10001", source="test")), OWN).decision
    assert first.hash == same.hash != other.hash


prices = st.floats(10, 200_000)


@given(prices, st.floats(0.001, 0.05), st.sampled_from([1, -1]), st.floats(200, 1e6))
def test_the_loss_at_the_stop_is_never_above_the_risk(price, share, side, equity):
    found = sizing.levels(side, price, price * share, CONTRACT, OWN)
    if found is None:
        return
    assert found.sl % Decimal("0.1") == found.tp1 % Decimal("0.1") == 0
    size = sizing.size(found, Decimal(repr(equity)), CONTRACT, OWN)
    if size.refused:
        assert size.quantity == 0
        return
    worst = found.zone[1] if side > 0 else found.zone[0]
    loss = size.quantity * (abs(worst - found.sl) + Decimal(CONTRACT.fee) * (worst + found.sl))
    assert loss <= Decimal(repr(equity)) * Decimal("0.005")
    assert size.quote <= Decimal("10000") and size.quote <= Decimal(repr(equity)) * Decimal("2.5")
    assert size.quantity % Decimal("0.001") == 0 and size.quote >= 100


def test_size_is_risk_by_stop_distance_times_entry():
    found = sizing.Levels((Decimal(50_000), Decimal(50_000)), Decimal(50_000), Decimal(49_000), Decimal(52_000),
                          Decimal(53_000))
    free = msgspec.structs.replace(CONTRACT, fee="0")
    size = sizing.size(found, Decimal(10_000), free, OWN)
    assert (size.quote, size.capped_by) == (Decimal(2500), "")  # 50 ÷ 1000 × 50000
    capped = sizing.size(found, Decimal(10_000), free, OWN.model_copy(update={"max_position_usdt": 1000.0}))
    assert (capped.quote, capped.capped_by) == (Decimal(1000), "max_position_usdt")


def test_a_size_under_the_venues_least_is_flat():
    found = decided(inputs(money=Money(equity="50", source="test")))
    assert (found.action, found.reason) == ("flat", "flat_size_too_small")


def test_an_atr_of_nothing_gives_no_levels():
    assert sizing.levels(1, 50_000.0, 0.001, CONTRACT, OWN) is None
    assert sizing.levels(1, 100.0, 80.0, CONTRACT, OWN) is None  # the stop would be under zero


def test_bars_are_what_the_columns_say():
    bars = inputs().bars["5m"]
    assert (np.diff(bars[:, OPEN_MS]) == 300_000).all()
    assert (bars[:, HIGH] >= bars[:, LOW]).all() and math.isclose(bars[-1, CLOSE], 50_000)
