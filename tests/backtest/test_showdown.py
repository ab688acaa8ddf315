"""Backtest of system C: no look-ahead, nothing left out by the cheap look, trades booked as told."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from modules.backtest import cli
from modules.backtest import showdown as engine
from modules.backtest import showdown_fills as fills
from modules.strategies.showdown import positions, stages
from modules.strategies.showdown.positions import Units
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
UNITS = Units(Decimal("0.1"), Decimal("0.001"), Decimal(5), Decimal("0.0005"))
SLIP = fills.SLIP


def trade(side: int = 1, quantity: str = "1", **changes) -> positions.Trade:
    """Entry zone at 100, stop 2, targets 2 and 5 away."""
    worst = Decimal(100)
    given = {"id": "t", "symbol": "BTCUSDT", "mode": "TEST", "long": side > 0, "decided_ms": START, "price": worst,
             "worst": worst, "sl": worst - 2 * side, "tp1": worst + 2 * side, "tp2": worst + 5 * side,
             "quantity": Decimal(quantity), "risk": Decimal(quantity) * Decimal("2.101"), "confidence": 0.9,
             "risk_level": 1, "reason": "x", "stop": worst - 2 * side}
    return positions.Trade(**{**given, **changes})


def followed(rows, side: int = 1, funding=None, quantity: str = "1", **settings) -> fills.Trade:
    entry, own = fills.Entry(0, Decimal(100), Decimal(quantity), fills.MAKER), OWN.model_copy(update=settings)
    rates = np.empty((0, 2)) if funding is None else funding
    return fills.follow(path(*rows), rates, trade(side, quantity), entry, UNITS, own)


@pytest.mark.parametrize(("rows", "ended", "closed"), [
    ([FLAT, (100, 103, 100, 103), (103, 106, 103, 106)], "TP2", [(0.5, 102), (0.5, 105)]),
    ([FLAT, (100, 106, 100, 106)], "TP2", [(0.5, 102), (0.5, 105)]),
    ([FLAT, (100, 103, 100, 103), (103, 103, 99, 99)], "BE", [(0.5, 102), (0.5, 100)]),
    ([FLAT, (100, 103, 97, 103)], "SL", [(1, 98)]),  # both reached: the stop counts
    ([FLAT, (95, 96, 94, 95)], "SL", [(1, 95)]),  # opens beyond the stop
    ([(100, 106, 97, 100), FLAT], "SL", [(1, 98)]),  # the entry's own minute may stop …
    ([(100, 106, 99, 100), FLAT], "TIME", [(1, 100)]),  # … and never rewards
    ([FLAT, (100, 101, 99, 101)], "TIME", [(1, 101)])])
@pytest.mark.parametrize("side", [1, -1])
def test_exits(rows, ended, closed, side):
    if side < 0:
        rows = [(200 - a, 200 - low, 200 - high, 200 - b) for a, high, low, b in rows]
        closed = [(much, 200 - at) for much, at in closed]
    found = followed(rows, side)
    assert found.ended == ended
    assert [much for *_, much in found.fills] == [much for much, _ in closed]
    assert [at for _, at, _ in found.fills] == pytest.approx([at * (1 - side * SLIP) for _, at in closed])
    gross = sum(side * (at - 100) * much for _, at, much in found.fills)
    assert found.fees == pytest.approx(0.0002 * 100 + 0.0005 * sum(at * much for _, at, much in found.fills))
    assert found.net == pytest.approx(gross - found.fees) and found.r == pytest.approx(found.net / 2.101)


@pytest.mark.parametrize(("name", "value", "left"), [("tp1_share_pct", 30.0, 0.7), ("tp1_share_pct", 80.0, 0.2)])
def test_the_share_of_the_first_target_is_the_settings(name, value, left):
    found = followed([FLAT, (100, 103, 100, 103), (103, 103, 99, 99)], **{name: value})
    assert [much for *_, much in found.fills] == pytest.approx([1 - left, left])


def test_the_longest_time_is_the_settings():
    rows = [FLAT] * 30
    found = followed(rows, max_hold_s=600.0)
    assert found.ended == "TIME" and found.exit_ms - found.entry_ms == 660_000


def test_nothing_is_passed_over_by_looking_many_minutes_ahead(monkeypatch):
    before = engine.run(walk(8), FUNDING, OWN, 10_000.0).trades
    monkeypatch.setattr(fills, "FIRST_LOOK", 1)
    monkeypatch.setattr(fills, "LONGEST_LOOK", 1)
    assert engine.run(walk(8), FUNDING, OWN, 10_000.0).trades == before and len(before) > 3


def test_longs_pay_positive_funding():
    funding = np.array([[START + 60_000, 0.001]])
    paid = 0.001 * 2 * 100 * (1 - SLIP)
    assert followed([FLAT] * 3, 1, funding, "2").funding == pytest.approx(paid)
    assert followed([FLAT] * 3, -1, funding, "2").funding == pytest.approx(-0.001 * 2 * 100 * (1 + SLIP))


def entered(rows, side: int = 1, changes=None, **settings: object):
    return fills.enter(path(*rows), trade(side, **(changes or {})), UNITS, OWN.model_copy(update=settings))


def test_a_quote_is_filled_where_the_minute_trades_through_it():
    touched, through = (100, 100.5, 100.0, 100), (100, 100.5, 99.9, 100)
    assert entered([touched] * 6, emergency=False) is None
    found = entered([touched, through], emergency=False)
    assert found == fills.Entry(1, Decimal(100), Decimal(1), fills.MAKER)
    short = entered([(100, 100.1, 99.5, 100)], -1, emergency=False)
    assert short == fills.Entry(0, Decimal(100), Decimal(1), fills.MAKER)


def test_a_market_that_runs_away_is_quoted_to_the_drift_and_no_further():
    """Stop 2 away, drift 50 %: the last quote may go to 101; risk is kept by a smaller quantity."""
    rows = [(101.5, 101.8, at, 101.5) for at in (100.6, 100.6, 100.6, 100.6, 100.6)]
    assert entered(rows, emergency=False, chase_drift_pct=10.0) is None
    found = entered(rows, emergency=False, chase_drift_pct=50.0)
    assert found is not None and Decimal("100.7") <= found.price <= 101 and found.place >= 2
    assert found.quantity * (found.price - 98 + UNITS.fee * (found.price + 98)) <= trade().risk


def test_the_emergency_fill_takes_the_other_side_under_the_live_conditions():
    rows = [(100, 100.5, 100, 100)] * 6
    settings: dict[str, Any] = {"emergency_reward": 0.5, "emergency_spread_pct": 0.2, "emergency_slippage_pct": 0.2}
    found = entered(rows, **settings)
    assert found is not None and (found.place, found.price, found.fee) == (4, Decimal("100.1"), UNITS.fee)
    assert entered(rows, changes={"confidence": 0.1}, **settings) is None
    assert entered(rows, **{**settings, "emergency": False}) is None


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
