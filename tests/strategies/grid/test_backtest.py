"""The grid's backtest: by hand, money identity, live session as the judge, liquidation, and the command."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from config.settings import Settings
from modules.backtest.grid_cli import main
from modules.strategies.grid import backtest as b
from modules.strategies.grid import rules as r
from modules.strategies.grid.past import Costs, Past, Untestable, run_past, tick_of
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.units import rules_of, scale_of
from tests.strategies.grid.venue import BTC, Venue, book_of
from utils.paths import Paths

MINUTE = 60_000
FREE = b.Terms(10_000_000_000, 0, 0, 0)  # 1,000,000 USDT in units of 0.0001


def ran(prices: list[int], terms: b.Terms = FREE, signal: int = 1, candles: np.ndarray | None = None,
        every_ms: int = MINUTE, **changes: object) -> tuple[b.Walked, list[list[int]], np.ndarray]:
    """Flat candles at these prices (ticks) through the rules, opening on any candle."""
    chosen = GridSettings(**{"open_on_new_candle": False, "protect_pct": 0.0, **changes})
    rules = rules_of(chosen, BTC, scale_of(BTC, 1))
    rows = np.array([[one] * 4 for one in prices], np.int64) if candles is None else candles
    count = len(rows)
    deals, curve = np.zeros((5000, 8), np.int64), np.zeros(count, np.int64)
    walked = b.run(rules, terms, np.arange(count) * every_ms, rows, np.full(count, signal), np.ones(count, bool), deals,
                   curve)
    return walked, deals[:walked.deals].tolist(), curve


def test_entries_stand_at_their_levels_and_the_profit_is_taken_at_its_price() -> None:
    candle = np.array([[600_000, 600_000, 593_000, 593_000], [593_000, 610_000, 593_000, 610_000]], np.int64)
    _, deals, _ = ran([], candles=candle, signal=1)
    opened = [row for row in deals if row[b.D_CODE] in (r.FIRST, r.ADD)]
    assert [row[b.D_PRICE] for row in opened[:3]] == [600_000, 597_000, 594_015]
    pair = next(row for row in deals if row[b.D_CODE] == r.PAIR)
    cost, steps = 600_000 + 597_000 + 594_015 * 2, 4

    def won(price: int) -> bool:
        fee = -(-steps * price * 600 // 1_000_000)
        return (steps * price - cost - fee) * 100 >= cost

    assert pair[b.D_STEPS] == steps and won(pair[b.D_PRICE]) and not won(pair[b.D_PRICE] - 1)


@limits(deadline=None, max_examples=60)
@given(st.lists(st.integers(-300, 300), min_size=5, max_size=80), st.sampled_from([1, -1]), st.integers(0, 500),
       st.integers(-500, 500))
def test_money_identity(moves: list[int], signal: int, slippage: int, funding: int) -> None:
    prices = [600_000]
    for move in moves:
        prices.append(max(prices[-1] + prices[-1] * move // 10_000, 1000))
    terms = b.Terms(10_000_000, slippage, 5_000, funding)
    walked, deals, curve = ran(prices, terms, signal, every_ms=3_600_000, protect_pct=1.0, max_loss=20.0)
    money = walked.account
    assert money.wallet == terms.start + money.realised - money.fees + money.funding - money.lost
    kept = [row for row in deals if row[b.D_CODE] != b.LIQUIDATED]
    assert money.realised == sum(row[b.D_REALISED] for row in kept)
    assert money.fees == sum(row[b.D_FEE] for row in kept)
    opened = sum(row[b.D_SIDE] * row[b.D_STEPS] * (1 if row[b.D_CODE] in (r.FIRST, r.ADD) else -1) for row in kept)
    cash = sum(-row[b.D_SIDE] * row[b.D_STEPS] * row[b.D_PRICE] * (1 if row[b.D_CODE] in (r.FIRST, r.ADD) else -1)
               for row in kept)
    if not money.lost:  # cash flows and what is still held make the equity, without any average
        assert curve[-1] == terms.start + cash - money.fees + money.funding + opened * prices[-1]


@limits(deadline=None, max_examples=30)
@given(st.lists(st.integers(-120, 120), min_size=5, max_size=60), st.sampled_from([1, -1]))
def test_the_live_session_makes_the_same_orders(moves: list[int], signal: int) -> None:
    """The backtest and the session on the same flat prices: same reasons, sides, quantities and prices."""
    prices = [600_000]
    for move in moves:
        prices.append(prices[-1] + prices[-1] * move // 10_000)
    venue = Venue(book_of(protect_pct=0.0), signal, balance="1000000")
    for one in prices:
        for _ in range(40):  # after closing all the session begins anew at its next tick, the backtest at once
            count = len(venue.placed)
            venue.price(Decimal(one) / 10)
            if len(venue.placed) == count:
                break
    codes = {"FIRST": r.FIRST, "ADD": r.ADD, "SINGLE_ORDER_PROFIT": r.SINGLE, "PAIR_GLOBAL_PROFIT": r.PAIR}
    live = [[codes[one.reason.value], one.side, int(one.quantity * 1000), int(one.price * 10)] for one in venue.placed]
    _, deals, _ = ran(prices, signal=signal)
    assert [[row[b.D_CODE], row[b.D_SIDE], row[b.D_STEPS], row[b.D_PRICE]] for row in deals] == live


def test_liquidation_loses_everything_and_ends_the_run() -> None:
    poor = b.Terms(5_000_000, 0, 5_000, 0)  # 500 USDT
    candle = np.array([[600_000, 600_000, 300_000, 300_000], [300_000] * 4], np.int64)
    walked, deals, curve = ran([], poor, candles=candle)
    assert deals[-1][b.D_CODE] == b.LIQUIDATED and walked.account.wallet == 0
    assert walked.account.lost > 0 and curve.tolist() == [0, 0] and walked.candles == 1


def test_protective_stop_closes_the_side_beyond_its_last_level() -> None:
    candle = np.array([[600_000, 600_000, 400_000, 400_000]], np.int64)
    _, deals, _ = ran([], candles=candle, protect_pct=3.0)
    stop = next(row for row in deals if row[b.D_CODE] == b.STOP)
    last = [row for row in deals if row[b.D_CODE] == r.ADD][18]
    assert stop[b.D_STEPS] == 159 and abs(stop[b.D_PRICE] - last[b.D_PRICE] * 0.97) < 2


def test_daily_loss_stops_until_the_next_day_and_funding_is_paid() -> None:
    hours = [600_000] * 5 + [550_000] * 30
    walked, deals, _ = ran(hours, every_ms=3_600_000, max_loss=5.0)
    assert walked.stops == 1 and deals[-1][b.D_CODE] == r.FIRST and deals[-1][b.D_CANDLE] == 24
    walked, _, _ = ran([600_000] * 25, b.Terms(FREE.start, 0, 0, 100), every_ms=3_600_000)
    assert walked.account.funding == -3 * 60  # three settlements of 0.01 % on 600,000 units


def test_lots_without_a_least_value_are_refused_with_the_mend() -> None:
    time = np.arange(200) * MINUTE
    past = Past("DOGEUSDT", time, np.full((200, 4), 0.1), time, np.ones(200), np.ones(200), np.ones(200))
    with pytest.raises(Untestable, match="--lot-usdt"):
        run_past(GridSettings(), Costs(1000), past)
    assert run_past(GridSettings(), Costs(1000, lot_usdt=20), past).identity


@pytest.mark.parametrize(("value", "tick"), [(61234.5, "0.1"), (0.10412, "0.00001"), (100.0, "1"), (1e-7, "1E-7")])
def test_tick_is_the_coarsest_that_fits(value: float, tick: str) -> None:
    assert tick_of(np.full((10, 4), value)) == Decimal(tick)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day and a half of minutes that swing by two percent."""
    path = tmp_path_factory.mktemp("candles") / "BTCUSDT-1m.csv"
    rows = ["time,open,high,low,close,volume"]
    for minute in range(2200):
        first, last = (60_000 * (1 + 0.02 * np.sin((minute + part) / 90)) for part in (0, 1))
        rows.append(f"{1_746_000_000_000 + minute * MINUTE},{first:.1f},{max(first, last):.1f},{min(first, last):.1f},"
                    f"{last:.1f},5")
    path.write_text("\n".join(rows))
    return path


def command(home: Path, *args: str) -> int:
    """``bot.py backtest grid`` within this process, as plain Python; the exit code."""
    return main(args, Settings(), Paths(home))


def test_command_writes_orders_and_totals(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results.csv"
    assert command(tmp_path, "--candles", str(file), "--out", str(out), "--json", "--set",
                   "pair_global_profit=0.5") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["strategy"] == "grid" and told["total"]["identity"] is True
    counts = told["contracts"][0]["counts"]
    assert counts["first"] > 1 and counts["pair"] > 0
    lines = out.read_text().splitlines()
    assert len(lines) == 2 + sum(counts.values()) and ",TOTAL," in lines[-1]
    assert command(tmp_path, "--candles", str(file)) == 0
    assert "money identity holds" in capsys.readouterr().out


@pytest.mark.parametrize(("args", "said"), [
    (["--set", "space1_percent=0.1"], "must be greater than"), (["--balance", "-5"], "--balance -5"),
    (["--set", "nothing=1"], "no such setting"), (["--fee-pct", "nan"], "--fee-pct nan")])
def test_wrong_arguments_are_told(file: Path, tmp_path: Path, args: list[str], said: str,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path, "--candles", str(file), *args) == 2
    assert said in capsys.readouterr().err


def test_the_json_is_what_the_chat_shows_and_its_trades_are_the_money(file: Path, tmp_path: Path,
                                                                      capsys: pytest.CaptureFixture[str]) -> None:
    """Trades are made of the orders; with what is open at the end closed, their sum and funding are the equity's."""
    assert command(tmp_path, "--candles", str(file), "--json", "--curve", "50", "--slippage-pct", "0",
                   "--set", "pair_global_profit=0.5") == 0
    told = json.loads(capsys.readouterr().out)
    row = told["contracts"][0]
    assert told["metrics"]["start"] == row["start"] and told["metrics"]["end"] == pytest.approx(row["equity"])
    assert told["metrics"]["trades"] == row["counts"]["first"] + row["counts"]["add"]
    made = sum(float(each["pnl_usdt"]) for each in told["by_symbol"])
    opened = sum(1 for each in told["by_strategy"] if each["name"] == "END")
    closing = 20.0 if opened else 1e-3  # fees of closing what is open at the end
    assert made + row["funding"] == pytest.approx(row["pnl"], abs=closing)
    assert len(told["curve"]["time"]) > 10 and told["by_month"] and told["waived"]
