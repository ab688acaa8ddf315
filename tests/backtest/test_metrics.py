"""Trades, curve and ratios against figures worked out by hand, and the three outputs."""

import csv
import io
import json
import re
from decimal import Decimal

import numpy as np
import pytest

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.backtest.metrics import drawdown, metrics, shuffle
from modules.backtest.page import page
from modules.backtest.report import Report, csv_text, json_object, money, short_text
from modules.backtest.svg import round_steps, thinned
from modules.backtest.trades import curve_of, money_gap, trades_of
from tests.backtest.maker import FREE, RULES, entries, random_entries, random_market, series


def report_of(market, wishes, terms=FREE):
    made = run(market, wishes, RULES, terms)
    trades = trades_of(made, market, np.full(len(market.tokens), 1e-5))
    curve = curve_of(made, market, terms.start)
    start = terms.start / a.MONEY
    symbols = [f"T{token}USDT" for token in range(len(market.tokens))]
    report = Report("Backtest <test>", symbols, trades, ["simple"] * len(trades), [0.8] * len(trades), curve,
                    metrics(trades, curve, start), shuffle(trades, start), {"HELD": 3}, len(market.quote),
                    {"loop": 0.1}, {"hype.a": 1}, ["spread"])
    return report, made


def two_trades():
    """100 USDT at 1.0 twice: the first is stopped (−2.5), the second sells 40 % at 1.04, the rest at the end."""
    flat, stop = (100_000,) * 4, (100_000, 100_000, 97_000, 98_000)
    up, end = (104_000, 104_000, 104_000, 104_000), (105_000,) * 4
    market = series([flat, stop, flat, flat, up, end])
    return report_of(market, entries(market, (0, 0), (0, 3)))


def test_trades_and_account_by_hand():
    report, made = two_trades()
    trades = report.trades
    assert trades.pnl.tolist() == [-250_000_000, 460_000_000]
    assert trades.entry_price == pytest.approx([1.0, 1.0]) and trades.exit_price == pytest.approx([0.975, 1.046])
    assert trades.quantity == pytest.approx([100.0, 100.0])
    assert report.curve.equity == pytest.approx([1000, 997.5, 997.5, 997.5, 1001.5, 1002.1])
    assert report.curve.held == pytest.approx([100, 0, 0, 100, 62.4, 0])
    assert report.curve.hold == pytest.approx([1000, 980, 1000, 1000, 1040, 1050])
    assert money_gap(trades, FREE.start, int(made.totals[a.T_CASH])) == 0
    assert money_gap(trades, FREE.start, int(made.totals[a.T_CASH]) + 1) == -1


def test_ratios_by_hand():
    report, _ = two_trades()
    value = report.value
    assert value("result") == pytest.approx(0.21) and value("buy and hold") == pytest.approx(5.0)
    assert (value("trades"), value("won"), value("losses in a row")) == (2, 50.0, 1)
    assert value("profit factor") == pytest.approx(4.6 / 2.5)
    assert value("mean trade") == pytest.approx((4.6 - 2.5) / 2)
    assert value("deepest drawdown") == pytest.approx(0.25)
    assert value("longest drawdown") == pytest.approx(3 * 5 / 1440)
    assert value("time in the market") == pytest.approx(50.0)


def test_daily_ratios():
    flat = [(100_000,) * 4] * 288
    days = [flat, [(102_000,) * 4] * 288, [(99_000,) * 4] * 288, [(101_000,) * 4] * 288]
    market = series([candle for day in days for candle in day])
    terms = FREE._replace(trade_size=1000 * a.MONEY)
    report, _ = report_of(market, entries(market, (0, 0), stop=1, target=10**9), terms)
    ends = np.array([1000, 1000, 1020, 990, 1010])
    returns = np.diff(ends) / ends[:-1]
    assert report.value("Sharpe") == pytest.approx(returns.mean() / returns.std(ddof=1) * 365**0.5)
    below = np.sqrt((np.minimum(returns, 0) ** 2).mean())
    assert report.value("Sortino") == pytest.approx(returns.mean() / below * 365**0.5)


def test_drawdown_and_shuffle():
    assert drawdown(np.array([1.0, 2.0, 1.0, 3.0])).tolist() == [0, 0, -0.5, 0]
    rng = np.random.default_rng(1)
    market = random_market(rng, 3, 400)
    report, _ = report_of(market, random_entries(rng, market, 60))
    once, again = shuffle(report.trades, 1000.0), shuffle(report.trades, 1000.0)
    assert once == again and once is not None
    assert once.drawdowns == sorted(once.drawdowns) and once.results == sorted(once.results)
    mean = float(report.trades.pnl.sum()) / a.MONEY / 10
    assert once.results[0] < mean < once.results[4]


def test_csv_has_every_trade_and_totals_that_add_up():
    rng = np.random.default_rng(2)
    market = random_market(rng, 3, 400)
    report, made = report_of(market, random_entries(rng, market, 60), FREE._replace(fee_ppm=1000))
    rows = list(csv.DictReader(io.StringIO(csv_text(report))))
    trades = [row for row in rows if row["kind"] == "trade"]
    total = rows[-1]
    assert len(trades) == len(report.trades) == int(total["number"]) > 10
    for column in ("pnl_usdt", "fees_usdt", "cost_usdt", "proceeds_usdt"):
        assert sum(Decimal(row[column]) for row in trades) == Decimal(total[column])
    assert Decimal(total["pnl_usdt"]) == (int(made.totals[a.T_CASH]) - FREE.start) / Decimal(a.MONEY)
    assert sum(Decimal(row["pnl_usdt"]) for row in rows[:-1] if row["kind"] == "total") == Decimal(total["pnl_usdt"])


@pytest.mark.parametrize(("units", "text"), [(1, "0.00000001"), (-250_000_000, "-2.50000000"), (-1, "-0.00000001")])
def test_money_is_printed_exactly(units, text):
    assert money(units) == text


def test_json_page_and_text_say_the_same():
    report, _ = two_trades()
    told = json.loads(json.dumps(json_object(report), allow_nan=False))
    assert told["metrics"]["trades"] == 2
    assert [row["name"] for row in told["by_reason"]] == ["end_of_data", "stop"]
    html = page(report)
    assert "Backtest &lt;test&gt;" in html and "<test>" not in html
    assert not re.search(r"(src|href)=|https?://(?!www.w3.org)", html)
    for part in ("Drawdown", "Result per month", "Result per token", "Monte Carlo", "Distribution", "T0USDT"):
        assert part in html
    assert re.search(r"result +0\.21 %", short_text(report))


def test_a_run_without_trades_has_a_report_too():
    market = series([(100_000,) * 4] * 3)
    report, _ = report_of(market, np.zeros((0, a.E_COLUMNS), np.int64))
    assert report.value("trades") == 0 and np.isnan(report.value("won")) and report.shuffled is None
    assert json.loads(json.dumps(json_object(report), allow_nan=False))["metrics"]["won"] is None
    assert "<svg" in page(report) and "trades" in short_text(report)
    assert len(csv_text(report).splitlines()) == 2


def test_charts():
    values = np.sin(np.arange(10_000) / 500)
    values[5_000] = 9.0
    thin = thinned(values)
    assert len(thin) <= 800 and thin.max() == 9.0 and thin.min() == pytest.approx(-1, abs=1e-6)
    assert round_steps(0, 10) == [0, 2, 4, 6, 8, 10] and round_steps(-0.3, 0.4)[0] == pytest.approx(-0.2)
