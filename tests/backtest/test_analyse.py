"""Look-ahead and warm-up analysis: honest strategies pass, each kind of cheating is found."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from config.settings import load_settings
from modules.backtest import analyse, analyse_cli, engine
from modules.backtest.frames import DataError
from modules.backtest.settings import BacktestSettings, RsiSettings
from modules.backtest.strategies import STRATEGIES
from modules.backtest.wishes import Wishes
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.scalper.settings import ScalperSettings
from tests.backtest.candles import frame, table, write_csv
from utils.paths import default_paths

assert engine.PPM  # loaded here as plain Python: a run in this process must not switch compilation on for other tests
GROUPS = {"hype": HypeSettings(), "backtest": BacktestSettings(), "rsi": RsiSettings(),
          "scalper": ScalperSettings(sentiment_record="no such folder")}


def quiet(done, whole):
    assert 0 < done <= whole


def made(rows_of, figure=lambda close: close):
    """A strategy whose wishes are the rows that `rows_of` finds in the closes, and whose figure is `figure`."""
    def wishes(frames, groups, counted):
        parts = []
        for token, each in enumerate(frames):
            rows = np.flatnonzero(rows_of(each.close))
            sells = rows[:1]
            part = Wishes.made(token, rows, each.time[rows] + each.interval_ms, each.close[rows])
            parts.append(replace(part, sell_token=np.full(len(sells), token), sell_ms=each.time[sells]))
        return Wishes.joined(parts)
    return replace(STRATEGIES["rsi"], name="made", wishes=wishes, warm_up=lambda groups: 20,
                   figures=lambda each, groups: {"figure": figure(each.close)})


def risen(close):
    """Honest: the close stands above the one before."""
    return np.concatenate(([False], close[1:] > close[:-1] * 1.004))


def will_rise(close):
    """Looks one candle ahead."""
    return np.concatenate((close[1:] > close[:-1] * 1.004, [False]))


def below_mean(close):
    """Compares with the mean of all candles, those to come too."""
    return close < close.mean() * 0.97


def frames(count=600):
    return [frame("AAA", table(1, count)), frame("BBB", table(4, count - 100))]


def examined(strategy, cuts=12):
    return analyse.lookahead(strategy, frames(), GROUPS, cuts, quiet)


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_our_own_strategies_do_not_look_ahead(name):
    tokens = [frame("AAA", table(1, 600)), frame("BTCUSDT", table(9, 600, price=50_000.0, pumps=False))]
    found = analyse.lookahead(STRATEGIES[name], tokens, GROUPS, 4, quiet)
    assert found.differences == [] and found.wishes > 5 and found.cuts == 4 and found.figures > 1000


def test_an_honest_strategy_passes():
    assert examined(made(risen)).differences == []


@pytest.mark.parametrize("rule", [will_rise, below_mean])
def test_wishes_from_the_future_are_found(rule):
    found = examined(made(rule)).differences
    assert {each.what for each in found} >= {"wish"}
    assert all(each.time_ms <= each.cut_ms for each in found)


def test_every_wish_that_needs_the_next_candle_is_listed():
    """At a cut on such a wish's own close it is not there yet: that is exactly what is told."""
    strategy = made(will_rise)
    whole = strategy.wishes(frames(), GROUPS, Counter())
    times = analyse.cut_times(frames(), whole, 12, 7)
    expected = {(token, ms) for token, ms in zip(whole.token.tolist(), whole.known_ms.tolist(), strict=True)
                if ms in times}
    told = {(["AAA", "BBB"].index(each.symbol), each.time_ms) for each in examined(strategy).differences
            if each.what == "wish"}
    assert told == expected and len(told) >= 6


def test_a_figure_from_the_future_is_found_with_its_values():
    found = examined(made(risen, lambda close: close / close.max())).differences
    assert found and {each.what for each in found} == {"figure"}
    assert all("with later candles" in each.told and each.rows > 1 for each in found)


def test_a_wish_that_only_changes_is_told():
    def wishes(given, groups, counted):
        rows = np.array([9])
        return Wishes.made(0, rows, given[0].time[rows] + given[0].interval_ms, given[0].close[rows],
                           atr_pct=np.array([float(len(given[0]))]))
    found = examined(replace(made(risen), wishes=wishes)).differences
    assert found and all("atr_pct 600 with later candles" in each.told for each in found)


def test_the_warm_up_of_a_window_is_its_length():
    def mean(close, n):
        return np.concatenate((np.full(n - 1, np.nan), np.convolve(close, np.ones(n) / n, "valid"))) \
            if len(close) >= n else np.full(len(close), np.nan)
    for length, enough in ((15, True), (40, False)):
        told = analyse.warm_up(made(risen, lambda close, n=length: mean(close, n)), frames(), GROUPS, quiet)
        assert told.needed == {"figure": length - 1} and told.enough is enough and told.declared == 20


def test_a_figure_that_never_forgets_is_told():
    told = analyse.warm_up(made(risen, np.cumsum), frames(), GROUPS, quiet)
    assert told.needed == {"figure": None} and not told.enough


def test_a_recursive_mean_needs_what_its_weights_say():
    told = analyse.warm_up(STRATEGIES["rsi"], frames(2000), GROUPS, quiet)
    needed = told.needed["rsi"]
    assert needed is not None and told.enough and 120 < needed <= told.declared == 232
    assert told.curve[20] > told.curve[100] > told.curve[200]


def test_too_few_candles_are_no_answer():
    with pytest.raises(DataError, match="longest token has 40 candles"):
        analyse.warm_up(made(risen), [frame("AAA", table(1, 40))], GROUPS, quiet)
    with pytest.raises(DataError, match="no token has more than"):
        analyse.lookahead(made(risen), [frame("AAA", table(1, 5))], GROUPS, 4, quiet)


# --- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in a program of its own with two tokens of 900 candles."""
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))
    folder = tmp_path / "data" / "market_data"
    folder.mkdir(parents=True)
    for seed, name in ((1, "AAAUSDT"), (4, "BBBUSDT")):
        write_csv(folder / f"{name}.csv", table(seed, 900))

    def go(*argv):
        paths = default_paths().prepare()
        code = analyse_cli.main(list(argv), load_settings(paths), paths)
        out = capsys.readouterr()
        return code, out.out, out.err
    return go


def test_lookahead_says_yes_or_no_by_its_exit_code(run, monkeypatch):
    code, text, _ = run("lookahead", "rsi", "--cuts", "5")
    assert code == 0 and "rsi does not look ahead" in text
    monkeypatch.setitem(STRATEGIES, "rsi", made(will_rise))
    code, text, _ = run("lookahead", "rsi", "--cuts", "8")
    assert code == 1 and "LOOKS AHEAD" in text and "it is only there with later candles" in text
    code, text, _ = run("lookahead", "rsi", "--cuts", "8", "--json")
    told = json.loads(text)
    assert code == 1 and told["biased"] and told["differences"][0]["symbol"] in ("AAAUSDT", "BBBUSDT")


def test_warm_up_says_how_many(run, monkeypatch):
    code, text, _ = run("warmup", "rsi")
    assert code == 0 and "declares a warm-up of 232" in text and "is enough" in text
    monkeypatch.setitem(STRATEGIES, "rsi", made(risen, np.cumsum))
    code, text, _ = run("warmup", "rsi", "--json")
    assert code == 1 and json.loads(text)["needed"] == {"figure": None}


@pytest.mark.parametrize(("argv", "code", "told"), [
    (("lookahead", "rsi", "--set", "nonsense=1"), 2, "there is no such setting"),
    (("lookahead", "rsi", "--since", "2024-02-01", "--until", "2024-01-01"), 2, "lies before the start"),
    (("warmup", "rsi", "--candles", "nowhere.csv"), 1, "there is no such file"),
    (("warmup", "hype"), 1, "the longest token has 900 candles"),
])
def test_what_cannot_be_is_said(run, argv, code, told):
    found, _, error = run(*argv)
    assert found == code and told in error


@pytest.mark.parametrize("argv", [("lookahead", "grid"), ("sideways", "rsi"), ("lookahead", "rsi", "--cuts", "0")])
def test_wrong_arguments(run, argv):
    with pytest.raises(SystemExit) as ended:
        run(*argv)
    assert ended.value.code == 2
