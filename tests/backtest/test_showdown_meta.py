"""The meta-layer's training and verdict: what knows something speaks, noise stands aside; reviews in the backtest."""

import json

import numpy as np
import pytest

from modules.backtest import cli, showdown_meta
from modules.backtest import showdown as engine
from modules.learning.fit import TooLittle
from modules.strategies.showdown import meta
from modules.strategies.showdown.records import Opinion
from tests.backtest.test_showdown import FUNDING, OWN, START, walk
from utils.paths import Paths

HOUR = 3_600_000


def trades(count: int, knows: float, seed: int = 5) -> dict[str, list[engine.Trade]]:
    """Trades whose result leans on their confidence by `knows`."""
    draw = np.random.default_rng(seed)
    place = meta.FEATURES.index("confidence")
    found = []
    for number in range(count):
        figures = draw.normal(size=len(meta.FEATURES))
        r = knows * figures[place] + draw.normal() - 0.1
        at = START + number * HOUR * 2
        found.append(engine.Trade(1, at, at, at + HOUR, 100.0, 1.0, 1.0, float(r), 0.0, 0.0, "SL", "x",
                                  (-0.01, 0.01, 0.02), tuple(figures)))
    return {"BTCUSDT": found}


def test_a_model_that_knows_speaks_and_is_kept(tmp_path):
    fitted, told = showdown_meta.judge(trades(700, 1.0))
    assert told["speaks"] and told["gate"]["lift"]["low"] > 0 and told["sized"]["gain_r_95"][0] > 0
    assert "R" in told["why"] and "%" not in told["why"]
    assert "stands in showdown/" in showdown_meta.keep(fitted, trades(700, 1.0), tmp_path)
    model, why = meta.load(tmp_path)
    assert model is not None and not why and not model.scaler.aside
    worse, _ = showdown_meta.judge(trades(700, 0.0))
    assert "stays" in showdown_meta.keep(worse, trades(700, 0.0), tmp_path)
    kept, _ = meta.load(tmp_path)
    assert kept is not None and kept.manifest.generation == model.manifest.generation
    assert "SPEAKS" in showdown_meta.text(told)


def test_noise_stands_aside(tmp_path):
    fitted, told = showdown_meta.judge(trades(700, 0.0))
    assert not told["speaks"] and "does not beat" in told["why"]
    assert "stands aside" in showdown_meta.keep(fitted, trades(700, 0.0), tmp_path)
    kept, _ = meta.load(tmp_path)
    assert kept is not None and kept.scaler.aside
    assert "STANDS ASIDE" in showdown_meta.text(told)


def test_the_same_trades_make_the_same_model(tmp_path):
    made = [showdown_meta.judge(trades(400, 0.5))[0].text for _ in range(2)]
    assert made[0] == made[1]


def test_too_few_trades_are_no_model():
    with pytest.raises(TooLittle):
        showdown_meta.judge(trades(50, 1.0))


@pytest.fixture(scope="module")
def plain():
    return engine.run(walk(12), FUNDING, OWN, 10_000.0)


def test_the_backtest_hears_reviewers_through_the_live_function(plain):
    assert all(len(trade.figures) == len(meta.FEATURES) for trade in plain.trades)

    def half(question, decision):
        return (Opinion(by="meta", id="m", verdict="scale", scale=0.5),) if decision.action != "flat" else ()

    def never(question, decision):
        return (Opinion(by="meta", id="m", verdict="skip"),)

    halved = engine.run(walk(12), FUNDING, OWN, 10_000.0, reviewer=half)
    assert halved.trades[0].quantity == pytest.approx(plain.trades[0].quantity / 2, abs=0.001)
    stopped = engine.run(walk(12), FUNDING, OWN, 10_000.0, reviewer=never)
    assert not stopped.trades and stopped.reasons["flat_skipped_by_meta"] > 0


def test_commands_say_what_is_missing(tmp_path, capsys):
    candles = tmp_path / "BTCUSDT-1m.csv"
    rows = walk(4)
    np.savetxt(candles, np.column_stack((rows[:, :5], rows[:, 5])), delimiter=",", fmt="%.10g",
               header="date,open,high,low,close,volume", comments="")
    paths = Paths(tmp_path / "home").prepare()
    from config.settings import load_settings
    settings = load_settings(paths, {})
    assert cli.main(["showdown-meta", "--candles", str(candles), "--json"], settings, paths) == 1
    assert "No model" in capsys.readouterr().err
    assert cli.main(["showdown", "--candles", str(candles), "--meta"], settings, paths) == 1
    assert "no model was trained" in capsys.readouterr().err
    assert cli.main(["showdown", "--candles", str(candles), "--json"], settings, paths) == 0
    assert json.loads(capsys.readouterr().out)["meta"] == ""


@pytest.mark.parametrize(("symbol", "price", "tick", "step"), [
    ("BTCUSDT", 50_000.123, "0.1", "0.001"), ("ETHUSDT", 2500.55, "0.01", "0.001"), ("ADAUSDT", 0.7512, "0.0001", "1")])
def test_a_contracts_limits_come_from_its_prices(symbol, price, tick, step):
    found = engine.contract_of(np.full((10, 7), price), symbol)
    assert (found.tick, found.step) == (tick, step)
