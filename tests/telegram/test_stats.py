"""Figures from the history: checked against sums made by hand, and by law."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from modules.telegram import stats
from modules.telegram.commands.reports import day_start, thin
from tests.telegram.house import DAY_MS, NOW_MS, bought_and_sold, position

HISTORY = [order for trade in (
    bought_and_sold(1, "5", NOW_MS - 9 * DAY_MS), bought_and_sold(2, "-2", NOW_MS - 3 * DAY_MS, "DOGEUSDT"),
    bought_and_sold(3, "1.5", NOW_MS - 3_600_000)) for order in trade]


def test_totals_by_period() -> None:
    ledger = stats.digest(HISTORY)
    every, week = stats.totals(ledger), stats.totals(ledger, NOW_MS - 7 * DAY_MS)
    assert (every.trades, every.wins, every.pnl, every.fees) == (3, 2, Decimal("4.5"), Decimal("0.30"))
    assert (week.trades, week.wins, week.pnl) == (2, 1, Decimal("-0.5")) and week.win_rate == 50
    assert every.best is not None and every.best.pct == 10 and every.worst is not None
    assert every.worst.symbol == "DOGEUSDT" and every.worst.pct == -4


def test_a_partial_sale_counts_for_the_day_but_is_no_closed_trade() -> None:
    buy, sale = bought_and_sold(1, "2", NOW_MS)
    partial = type(sale)(**{name: getattr(sale, name) for name in sale.__struct_fields__} | {"closes": False})
    total = stats.totals(stats.digest([buy, partial]))
    assert (total.trades, total.pnl) == (0, Decimal(2)) and total.best is None


def test_scale_out_adds_up_to_one_trade() -> None:
    buy, last = bought_and_sold(1, "2", NOW_MS)
    values = {name: getattr(last, name) for name in last.__struct_fields__}
    first = type(last)(**values | {"id": "s0", "closes": False, "pnl_usdt": Decimal("-0.5")})
    (closed,) = stats.digest([buy, first, last]).closed
    assert closed.pnl == Decimal("1.5") and closed.cost == 50


@given(st.lists(st.decimals(-50, 50, places=2), max_size=30), st.integers(1, 29))
def test_periods_add_up_to_the_whole(results: list[Decimal], cut: int) -> None:
    orders = [o for n, pnl in enumerate(results) for o in bought_and_sold(n, str(pnl), NOW_MS + n * DAY_MS)]
    ledger = stats.digest(orders)
    at = NOW_MS + cut * DAY_MS
    before, after = stats.totals(ledger, 0, at), stats.totals(ledger, at)
    assert before.pnl + after.pnl == sum(results, Decimal(0)) and before.trades + after.trades == len(results)
    assert sum(total.pnl for _, total in stats.by(ledger, lambda t: t.symbol)) == sum(results, Decimal(0))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=3000), st.integers(10, 400))
def test_a_thinned_curve_keeps_ends_and_extremes(values: list[float], most: int) -> None:
    points = list(enumerate(values))
    kept = thin(points, most)
    assert len(kept) <= most + 2 or len(points) <= most
    assert kept[0] == points[0] and kept[-1] == points[-1] and kept == sorted(kept)
    assert {min(values), max(values)} <= {value for _, value in kept}


def test_unrealised_and_exposure() -> None:
    assert stats.unrealised(position()) == 2 and stats.exposure(position()) == 52
    assert stats.unrealised(position(last_price=None)) is None and stats.exposure(position(last_price=None)) == 50


def test_the_day_begins_at_midnight_of_the_zone() -> None:
    start = day_start(NOW_MS, "Europe/Riga")
    assert start == 1_759_957_200_000  # 2025-10-09 00:00 in Riga is 21:00 UTC of the 8th
    assert start - day_start(NOW_MS, "Europe/Riga", 1) == DAY_MS
    after_clocks = 1_761_555_600_000  # 2025-10-27: Riga's clocks went back on the 26th, a day of 25 hours
    assert day_start(after_clocks, "Europe/Riga") - day_start(after_clocks, "Europe/Riga", 1) == DAY_MS + 3_600_000
