"""Backtest of system C: no look-ahead, nothing left out by the cheap look, trades booked as told."""

import json

import numpy as np
import pytest

from modules.backtest import cli
from modules.backtest import showdown as engine
from modules.strategies.showdown import stages
from modules.strategies.showdown.records import CLOSE, HIGH, LOW, OPEN, OPEN_MS, TIMEFRAMES
from modules.strategies.showdown.settings import ShowdownSettings
from utils.paths import Paths

START = 1_767_225_600_000
OWN = ShowdownSettings(waive=("open_interest",), min_confidence=0.3)


def walk(days: float, seed: int = 3):
    """1m candles of a market that trends now and then."""
    draw = np.random.default_rng(seed)
    count = int(days * 1440)
    drift = np.repeat(draw.choice((-1.0, 0.0, 1.0), count // 480 + 1), 480)[:count] * 0.00012
    close = 50_000 * np.exp(np.cumsum(draw.normal(drift, 0.0006)))
    first = np.concatenate(([50_000.0], close[:-1]))
    spread = np.abs(draw.normal(0, 0.0003, count)) * close
    volume = np.full(count, 10.0)
    return np.column_stack((START + 60_000.0 * np.arange(count), first, np.maximum(first, close) + spread,
                            np.minimum(first, close) - spread, close, volume, volume / 2))


FUNDING = np.column_stack((START + 28_800_000.0 * np.arange(-3, 60), np.full(63, 1e-5)))


def path(*rows: tuple[float, float, float, float]):
    """Minutes from (open, high, low, close)."""
    return np.array([[START + 60_000 * place, *row, 1.0, 0.5] for place, row in enumerate(rows)])


@pytest.fixture(scope="module")
def run():
    return engine.run(walk(12), FUNDING, OWN, 10_000.0)


def test_trades_happen_and_the_account_adds_up(run):
    assert len(run.trades) >= 5
    assert run.equity == pytest.approx(10_000 + sum(trade.net for trade in run.trades))
    assert all(later.decided_ms >= before.exit_ms for before, later in zip(run.trades, run.trades[1:], strict=False))
    assert {trade.side for trade in run.trades} == {1, -1}


def test_what_comes_later_changes_nothing_of_before(run):
    minutes = walk(12)
    cut = run.trades[len(run.trades) // 2].exit_ms
    later = minutes[:, OPEN_MS] >= cut
    minutes[later, OPEN:CLOSE + 1] = minutes[later, OPEN:CLOSE + 1] * 1.5
    again = engine.run(minutes, FUNDING, OWN, 10_000.0)
    known = [trade for trade in run.trades if trade.exit_ms <= cut]
    assert [trade for trade in again.trades if trade.exit_ms <= cut] == known and known


def test_the_cheap_look_leaves_out_no_trade():
    minutes = walk(6, seed=5)
    frames = {name: minutes if name == "1m" else engine.joined(minutes, step) for name, step in TIMEFRAMES.items()}
    promising = set(engine.promising(frames, OWN))
    acted = 0
    for ms in range(START + 3 * 86_400_000, START + 6 * 86_400_000, 300_000):
        if stages.run(engine._inputs(frames, FUNDING, ms, 10_000.0, [], 10_000.0), OWN).decision.action != "flat":
            acted += 1
            assert ms in promising
    assert acted


def test_joined_candles():
    bars = engine.joined(np.delete(walk(0.02), 7, axis=0), 300_000)
    whole = walk(0.02)
    assert bars[:, OPEN_MS].tolist() == [START, START + 600_000, START + 900_000, START + 1_200_000]
    assert bars[0, OPEN] == whole[0, OPEN] and bars[0, CLOSE] == whole[4, CLOSE]
    assert bars[0, HIGH] == whole[:5, HIGH].max() and bars[0, LOW] == whole[:5, LOW].min() and bars[0, 5] == 50


FLAT = (100.0, 100.5, 99.5, 100.0)


@pytest.mark.parametrize(("rows", "ended", "gross"), [
    ([FLAT, (100, 103, 100, 103), (103, 106, 103, 106)], "TP2", 0.5 * 2 + 0.5 * 5),
    ([FLAT, (100, 103, 100, 103), (103, 103, 99, 99)], "BE", 0.5 * 2 - 0.5 * 100 * 0.0002),
    ([FLAT, (100, 103, 97, 103)], "SL", -2 - 98 * 0.0002),  # both reached: the stop counts
    ([FLAT, (95, 96, 94, 95)], "SL", -5 - 95 * 0.0002),  # opens beyond the stop
    ([FLAT, (100, 101, 99, 101)], "TIME", 1.0)])
def test_exits_of_a_long(rows, ended, gross):
    found = engine.simulate(path(*rows), np.empty((0, 2)), 1, START, 100.0, (98.0, 102.0, 105.0), 1.0, "x")
    assert found is not None and found.ended == ended
    assert found.net + found.fees == pytest.approx(gross)


def test_a_short_is_the_mirror():
    rows = [FLAT, (100, 100, 97, 97), (97, 97, 94, 94)]
    found = engine.simulate(path(*rows), np.empty((0, 2)), -1, START, 100.0, (102.0, 98.0, 95.0), 1.0, "x")
    assert found is not None
    assert (found.ended, found.net + found.fees) == ("TP2", pytest.approx(3.5))


def test_a_limit_that_is_not_reached_is_no_trade():
    assert engine.simulate(path(*[FLAT] * 6), np.empty((0, 2)), 1, START, 99.0, (98.0, 102.0, 105.0), 1.0, "x") is None


def test_longs_pay_positive_funding():
    funding = np.array([[START + 60_000, 0.001]])
    found = engine.simulate(path(FLAT, FLAT, FLAT), funding, 1, START, 100.0, (98.0, 102.0, 105.0), 2.0, "x")
    assert found is not None and found.funding == pytest.approx(0.2)
    short = engine.simulate(path(FLAT, FLAT, FLAT), funding, -1, START, 100.0, (102.0, 98.0, 95.0), 2.0, "x")
    assert short is not None and short.funding == pytest.approx(-0.2)


def test_the_command_line(tmp_path, capsys):
    import pandas as pd

    from config.settings import load_settings
    minutes = walk(5)
    names = ("open", "high", "low", "close", "volume")
    columns = {name: minutes[:, place] for place, name in enumerate(names, start=1)}
    dates = pd.to_datetime(minutes[:, 0], unit="ms", utc=True)
    pd.DataFrame({"symbol": "BTC_USDT", "date": dates, **columns}).to_csv(tmp_path / "c.csv", index=False)
    paths = Paths(tmp_path).prepare()
    settings = load_settings(paths, {})
    argv = ["showdown", "--candles", str(tmp_path / "c.csv"), "--json", "--set", "min_confidence=0.3",
            "--out", str(tmp_path / "t.csv")]
    assert cli.main(argv, settings, paths) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["waived"] == ["open_interest", "funding"] and told["symbol"] == "BTCUSDT"
    assert len((tmp_path / "t.csv").read_text().splitlines()) == told["trades"] + 1
    assert cli.main([*argv, "--set", "sl_atr=-1"], settings, paths) == 2
    assert cli.main(["showdown", "--candles", str(tmp_path / "none.csv")], settings, paths) == 1
