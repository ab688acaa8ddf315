"""The evaluation: nothing that is judged was seen, what is there is found, what is not is not claimed."""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from config.settings import load_settings
from modules.backtest import evaluate_cli, evaluate_rows
from modules.backtest.evaluate import evaluate
from modules.backtest.evaluate_judge import bounds_of, configs, judged, worth
from modules.backtest.evaluate_rows import CAP_MS, NAMES, REST, RISES, Market, Rows, market_of, spaced
from modules.backtest.frames import DataError
from modules.backtest.market import series_of
from modules.backtest.outcomes import outcomes
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import STRATEGIES
from modules.backtest.wishes import Wishes
from modules.learning.settings import LearningSettings
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.net_results import net_results
from modules.strategies.hype.settings import HypeSettings
from tests.backtest.candles import START_MS, frame, table, write_csv
from utils.paths import default_paths

DAY = 86_400_000
LEARNING = LearningSettings(trees=12)
OWN = next(config for config in configs() if config.name == "net, own features")


def rows(count: int, seed: int, edge: float, tokens: int = 40) -> Rows:
    """Rows over 200 days whose net result hangs on one feature by `edge` percent."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.integers(0, 200 * DAY, count)) + START_MS
    features = rng.normal(size=(count, len(NAMES)))
    net = rng.normal(-0.5, 2.0, count) + edge * features[:, 3]
    seed_label = (features[:, 5] + rng.normal(size=count) > 1.0).astype(float)
    return Rows(rng.integers(0, tokens, count), time, rng.integers(0, 4, count), features, seed_label, seed_label,
                np.repeat(net[:, None, None], 2, axis=1).repeat(4, axis=2), time + DAY)


def market(edge: float, tokens: int = 40) -> Market:
    """A market of such rows."""
    by = {"scanner": rows(1200, 1, edge, tokens), "reference": rows(800, 2, edge, tokens),
          RISES: rows(1500, 3, edge, tokens), REST: rows(300, 4, edge, tokens)}
    return Market(tuple(f"T{number}USDT" for number in range(tokens)), 300_000, 1000, by)


def silent(_: str) -> None:
    """Progress that nobody reads."""


def test_what_is_there_is_found_and_what_is_not_is_not_claimed() -> None:
    good = evaluate(market(1.5), None, LEARNING, "seed", 0.8, silent)
    assert good["gate"]["speaks"] and good["net_per_trade"]["approved"][0] > good["net_per_trade"]["all"][0] + 1.0
    assert good["auc_net"] > 0.65 and good["hold_out"]["lift"]["interval"][1] > 0
    assert good["definitions"]["scanner"]["presets"]["seed"]["unseen_tokens"]["lift"]["interval"][1] > 0
    noise = evaluate(market(0.0), None, LEARNING, "seed", 0.8, silent)
    assert not noise["gate"]["speaks"] and "stands aside" in noise["verdict"] and "loses" in noise["verdict"]
    assert noise["auc"] > 0.65, "the seed's label can be told here, and is worth nothing"
    assert json.loads(json.dumps(good, allow_nan=False))["tried"] > len(configs())
    for name in ("candidates", "approved", "base_rate", "precision", "auc", "strategy", "month", "exit_rows"):
        assert name in good
    assert sum(each["candidates"] for each in good["month"].values()) == good["candidates"]
    assert sum(good["exit_rows"].values()) == pytest.approx(1.0, abs=0.01)
    told = good["headline"]["reference"]["hold_out"]
    assert told["lift"][0] > 0.5 and told["auc_seed_at_time"] is not None and good["label"] == "+5 % at 6 h"
    assert good["exits"]["0.90"]["lift"] == good["lift"]["interval"]
    assert good["exits"]["as_traded"]["approved"][0] == good["net_per_trade"]["approved_by_row"]
    for found in (good, noise):  # taught with outcomes dealt at random nothing is told, whatever there is to tell
        dealt = found["leaks"]["outcomes_dealt_at_random"]
        assert abs(np.mean(dealt["auc_net"]) - 0.5) < 0.06 and abs(np.mean(dealt["lift"])) < 0.5


def test_what_comes_later_and_the_judged_row_itself_change_no_score() -> None:
    asked, teach = rows(600, 1, 1.0), rows(2500, 3, 1.0)
    bounds = bounds_of(asked.time)
    first = judged(asked, teach, OWN, bounds, LEARNING)
    begin = bounds[3]
    late = teach.time + CAP_MS > begin
    changed = Rows(teach.token, teach.time, teach.strategy, np.where(late[:, None], 9.0, teach.table), teach.seed,
                   teach.within, np.where(late[:, None, None], -teach.net, teach.net), teach.end)
    same = judged(asked, changed, OWN, bounds, LEARNING)
    early = (asked.time < begin) & (first.fold >= 0)
    assert early.sum() > 100
    np.testing.assert_array_equal(first.score[early], same.score[early])
    assert not np.array_equal(first.score[~early], same.score[~early], equal_nan=True), "and the past does matter"
    other = judged(Rows(asked.token, asked.time, asked.strategy, asked.table, 1 - asked.seed, asked.within, -asked.net,
                        asked.end), teach, OWN, bounds, LEARNING)
    np.testing.assert_array_equal(first.score, other.score)


def test_a_chance_is_drawn_to_the_base_rate_by_what_it_was_worth() -> None:
    said = np.linspace(-0.2, 0.2, 2000)
    assert worth(said, said) > 0.99 and worth(said, -said) == 0.0 and worth(said[:0], said[:0]) == 0.5
    assert worth(said, said * 0.5) == pytest.approx(0.5) and worth(said, said * 9) == 1.0


def test_chances_beat_the_base_rate_or_come_to_it() -> None:
    asked, teach = rows(2500, 1, 0.0), rows(2500, 3, 0.0)
    seed = next(config for config in configs() if config.name == "seed, six figures")
    own = replace(seed, columns=(5,))
    for config, useful in ((own, True), (seed, False)):
        scores = judged(asked, teach, config, bounds_of(asked.time), LEARNING)
        chance, constant = scores.probability()
        known = np.isfinite(chance) & np.isfinite(scores.truth)
        model, base = (float(np.mean((each[known] - scores.truth[known]) ** 2)) for each in (chance, constant))
        assert known.sum() > 500 and (model < base - 0.01 if useful else model < base + 0.002)


def test_a_tokens_own_group_never_teaches_its_judgement() -> None:
    asked, teach = rows(400, 1, 1.0), rows(2000, 3, 1.0)
    bounds = bounds_of(asked.time)
    groups = (asked.token % 4, teach.token % 4)
    first = judged(asked, teach, OWN, bounds, LEARNING, apart=groups)
    mine = (groups[1] == 2)[:, None, None]
    changed = Rows(teach.token, teach.time, teach.strategy, teach.table, teach.seed, teach.within,
                   np.where(mine, -teach.net, teach.net), teach.end)
    second = judged(asked, changed, OWN, bounds, LEARNING, apart=groups)
    of_two = groups[0] == 2
    np.testing.assert_array_equal(first.score[of_two], second.score[of_two])
    assert not np.array_equal(first.score[~of_two], second.score[~of_two], equal_nan=True)


def test_learnt_on_one_market_and_judged_on_another_that_lists_the_same_tokens() -> None:
    found = evaluate(market(1.5), market(1.5), LEARNING, "seed", 0.8, silent)
    assert found["candidates"] > 100 and found["lift"]["interval"][0] > 0.5


def test_candidates_of_a_token_lie_apart() -> None:
    wishes = Wishes.made(0, np.arange(10), np.arange(10) * 300_000, np.ones(10))
    assert spaced(wishes, 1_800_000).row.tolist() == [0, 6]


def test_the_trainer_and_the_backtest_reckon_the_same_net_result() -> None:
    hype = HypeSettings(atr_sl_min_factor=1.0, atr_sl_max_factor=1.0)
    costs = BacktestSettings(impact_pct=0.0)
    candles = table(4, 3000)
    token = frame("AAAUSDT", candles)
    places = np.arange(320, 2900, 37)
    wishes = Wishes.made(0, places, token.time[places] + 300_000, token.close[places], atr_pct=np.ones(len(places)))
    series, steps = series_of([token], costs.min_notional_usdt)
    terms = STRATEGIES["hype"].terms({"hype": hype, "backtest": costs})._replace(max_slippage_ppm=10**9)
    for confidence in (0.80, 0.95):
        engine = outcomes(wishes, series, steps, rules_of(hype), terms, costs, 300_000, CAP_MS, confidence).net_pct
        ours = net_results(candles, places.tolist(), rules_of(hype), 0.2, confidence=confidence)
        known = np.isfinite(engine) & np.isfinite(ours)
        apart = np.abs(engine - ours)[known]
        assert known.sum() > 40 and np.median(apart) < 0.001
        assert (apart < 0.1).mean() > 0.95, "a break-even stop a hair apart is touched by one and not by the other"
        assert (np.isfinite(engine) == np.isfinite(ours)).mean() > 0.95


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A program of its own."""
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))
    return default_paths().prepare()


def run(home, capsys, *argv: str) -> tuple[int, str, str]:
    code = evaluate_cli.main(list(argv), load_settings(home), home)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_candles_that_cannot_be_used_are_said(home, capsys, tmp_path) -> None:
    assert run(home, capsys, "--candles", str(tmp_path / "none.csv"))[0] == 1
    one = write_csv(tmp_path / "AAAUSDT.csv", table(1, 400))
    code, _, err = run(home, capsys, "--candles", str(one))
    assert code == 1 and "too few candidates" in err and "Give more tokens" in err
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    code, _, err = run(home, capsys, "--candles", str(tmp_path / "odd.csv"))
    assert code == 1 and "columns are missing" in err
    with pytest.raises(SystemExit) as wrong:
        evaluate_cli.main([], load_settings(home), home)
    assert wrong.value.code == 2


def test_rows_of_candles_are_causal_whatever_their_length(monkeypatch) -> None:
    monkeypatch.setattr(evaluate_rows, "MOST_REST", 60)
    for step in (300_000, 3_600_000):
        frames = [frame(f"T{seed}USDT", table(seed, 700, step_ms=step)) for seed in range(5)]
        cut = [each.rows(slice(0, 560)) for each in frames]
        fixed: tuple[Any, ...] = (step, HypeSettings(), LEARNING, BacktestSettings(), Counter(), silent)
        whole, part = market_of(frames, *fixed), market_of(cut, *fixed)
        end = START_MS + 560 * step
        for name in ("reference", RISES):
            before, after = part.by[name], whole.by[name]
            known = after.time <= end
            assert len(before) and known.sum() == len(before)
            np.testing.assert_array_equal(before.table, after.table[known])


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="too few"):
        small = Market(("A",), 300_000, 1, {"scanner": rows(5, 1, 0.0), "reference": rows(50, 2, 0.0),
                                            RISES: rows(60, 3, 0.0), REST: rows(9, 4, 0.0)})
        evaluate(small, None, LEARNING, "seed", 0.8, silent)
