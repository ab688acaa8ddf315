"""The grid on a tape: the live session as the judge, latency, funding of both legs, stops, liquidation, money."""

import csv
import zipfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.grid import Player, candles_of, quoted
from modules.backtest.ticks.grid_report import backtest_grid, book_of, funded, played, trades_of
from modules.backtest.ticks.grid_venue import GridVenue
from modules.backtest.ticks.settings import TickSettings
from modules.backtest.ticks.tape import TRADE, Tape, TapeError, with_funding
from modules.strategies.grid.settings import GridSettings
from tests.strategies.grid.venue import HOUR, START, Venue, candles
from tests.strategies.grid.venue import book_of as live_book

FREE = TickSettings(start_usdt=1_000_000, taker_fee_pct=0, entry_ms=0, answer_ms=0)


def tape_of(prices: Sequence[int], every_ms: int = 1000, begin_ms: int = START) -> Tape:
    """A trade at the bid each `every_ms`; prices in ticks of 0.1."""
    n = len(prices)
    ns = (begin_ms + np.arange(n) * every_ms) * 1_000_000
    return Tape("BTCUSDT", Decimal("0.1"), Decimal("0.001"), np.full(n, TRADE, np.uint8), ns, ns, np.arange(n + 1),
                np.array(prices, np.int32), np.full(n, 5, np.int64), np.arange(n, dtype=np.int32))


def walked(prices: Sequence[int], signal: int = 1, ticks: TickSettings = FREE, every_ms: int = 1000,
           begin_ms: int = START, funding: tuple[int, float] | None = None, **changes: object) -> Player:
    """A grid that opens on any candle along these prices. `funding`: (ms after the start, rate)."""
    own = GridSettings(**{"open_on_new_candle": False, "protect_pct": 0.0, **changes})
    tape = quoted(tape_of(prices, every_ms, begin_ms))
    if funding is not None:
        mark = np.array([prices[funding[0] // every_ms] / 10])
        tape = with_funding(tape, np.array([begin_ms + funding[0]]), np.array([funding[1]]), mark)
    return played(tape, book_of(tape, own, ticks), ticks, candles(signal, end=begin_ms - HOUR), booked=False)


def orders(player: Player) -> list[tuple[str, int, int, int]]:
    """(slot, engine's side, steps, price) of every fill."""
    fills = player.a.fills[:player.a.now[ar.FILLS]]
    return [(player._sent[int(row[ar.F_ORDER])].slot, int(row[ar.F_SIDE]), int(row[ar.F_QTY]), int(row[ar.F_PRICE]))
            for row in fills if row[ar.F_SIDE]]


@limits(deadline=None, max_examples=25)
@given(st.lists(st.integers(-120, 120), min_size=5, max_size=50), st.sampled_from([1, -1]))
def test_it_makes_the_orders_of_the_live_session(moves: list[int], signal: int) -> None:
    """Session on the small venue of its own tests, and session on the tape: same orders at the same prices."""
    prices = [600_000]
    for move in moves:
        prices.append(prices[-1] + prices[-1] * move // 10_000)
    prices = [price for price in prices for _ in range(8)]  # room for one order a tick
    venue = Venue(live_book(protect_pct=0.0, cci_period=0), signal, balance="1000000")
    for one in prices:
        venue.price(Decimal(one) / 10, spread="0.1")
    live = [(one.slot, one.side if one.opens else -one.side, int(one.quantity * 1000), int(one.price * 10))
            for one in venue.placed]
    player = walked([*prices, prices[-1]], signal, FREE.model_copy(update={"taker_fee_pct": 0.06}))
    assert orders(player) == live and len(live) > 0


def test_an_order_takes_its_time_and_pays_the_price_it_finds() -> None:
    prices = [600_000] * 2 + [600_500] * 10
    slow = FREE.model_copy(update={"entry_ms": 1500.0, "answer_ms": 200.0})
    assert orders(walked(prices))[0][3] == 600_001
    assert orders(walked(prices, ticks=slow))[0][3] == 600_501


def test_funding_is_paid_by_the_long_and_received_by_the_short() -> None:
    flat = [600_000] * 30
    for signal, sign in ((1, -1), (-1, 1)):
        player = walked(flat, signal, funding=(10_000, 0.0001))
        paid = player.venue.funding / 1e8
        assert paid == pytest.approx(sign * 60_000 * 0.001 * 0.0001)
        assert float(player.state.day_funding) == pytest.approx(paid)
        assert trades_of(player, player.tape).carry.tolist() == [-player.venue.funding]


def test_both_legs_are_held_by_name_and_pay_each_other_nothing() -> None:
    venue = GridVenue(1000.0, Decimal("0.0001"), Decimal(0), Decimal("0.005"), 10)
    for side in (1, -1):
        venue.opened(side, f"leg{side}", 600_000, 4, START)
    assert venue.funded(10_000, 600_000) == 0
    assert {side: leg.steps for side, leg in venue.legs.items()} == {1: 4, -1: 4}
    carried = [lot.carry for leg in venue.legs.values() for lot in leg.lots.values()]
    assert carried == [2_400_000, -2_400_000] and venue.wallet == venue.start  # 240 USDT × 0.01 %


def test_a_stop_fires_between_two_looks() -> None:
    """One order a side, a stop 1 % beyond it: the price dips below for 300 ms, no look sees it."""
    one_order: dict[str, Any] = {
        "space_orders": 1, "space1_orders": 1, "space2_orders": 1, "space3_orders": 1, "space_percent": 5.0,
        "space1_percent": 10.0, "space2_percent": 15.0, "space3_percent": 20.0, "protect_pct": 1.0}
    calm, last = [600_000] * 40, int(600_000 * 0.9 * 0.85 * 0.8 * 0.99) - 1000
    player = walked([*calm, last, last, last, *calm], every_ms=100, tick_interval=1.0, **one_order)
    # After the stop the session waits for a new price, then begins anew: not one order at the price from before.
    assert [one.why for one in player.venue.ended] == ["PROTECTIVE_STOP", "END"]
    assert player.counted["protective stops fired"] == 1
    assert player.venue.ended[0].value == last * 1 * 10_000
    assert orders(player)[2][3] == 600_001


def test_liquidation_loses_all_and_ends_the_run() -> None:
    poor = FREE.model_copy(update={"start_usdt": 40.0, "maintenance_pct": 0.5})
    player = walked([600_000] * 5 + [150_000] * 5 + [600_000] * 20, ticks=poor, leverage=100)
    assert player.venue.wallet == 0 and player.venue.dead and player.counted["liquidations"] == 1
    assert player.venue.ended[-1].why == "LIQUIDATED"
    assert int(trades_of(player, player.tape).pnl.sum()) == -player.venue.start


@limits(deadline=None, max_examples=25)
@given(st.lists(st.integers(-300, 300), min_size=5, max_size=60), st.sampled_from([1, -1]), st.floats(0, 0.2),
       st.floats(-0.001, 0.001))
def test_money_is_conserved(moves: list[int], signal: int, fee: float, rate: float) -> None:
    """Start + trades = wallet, to the unit; and the same from the fills' cash alone, without lots or averages."""
    prices = [600_000]
    for move in moves:
        prices.append(max(prices[-1] + prices[-1] * move // 10_000, 1000))
    prices = [price for price in prices for _ in range(3)]
    ticks = FREE.model_copy(update={"start_usdt": 3_000.0, "taker_fee_pct": round(fee, 4)})
    player = walked(prices, signal, ticks, funding=(9_000, rate), protect_pct=1.0, max_loss=30.0)
    venue = player.venue
    assert venue.start + int(trades_of(player, player.tape).pnl.sum()) == venue.wallet
    assert not any(leg.steps for leg in venue.legs.values())
    if venue.dead:
        return
    cash = sum(-side * price * steps for _, side, steps, price in orders(player)) * 10_000
    ended = sum(one.side * one.value for one in venue.ended if one.why == "END")
    fees = sum(one.fees for one in venue.ended)
    assert venue.wallet - venue.start == cash + ended - fees + venue.funding


def test_candles_of_the_tape_are_whole_ones_only() -> None:
    tape = tape_of([600_000 + (n % 7) * 10 for n in range(400)])
    found = candles_of(tape, 60_000)
    assert [one.time for one in found] == [START + n * 60_000 for n in range(1, 6)]
    assert all(one.high == 60_006.0 and one.low == 60_000.0 for one in found)


def test_a_tape_without_funding_pays_the_settings_rate() -> None:
    tape = tape_of([600_000] * 100, every_ms=600_000)  # 16.5 hours from noon
    own = GridSettings()
    assert len(funded(tape, own)) == len(tape) + 2  # 16:00 and 00:00
    told = with_funding(tape, np.array([START + 600_000]), np.array([0.0]), np.array([60_000.0]))
    assert funded(told, own) is told


def archive(folder: Path) -> Path:
    """A day of trades as the venue's archives have them, swinging by two percent."""
    path = folder / "BTCUSDT-aggTrades-2025-05-01.zip"
    rows = folder / "BTCUSDT-aggTrades-2025-05-01.csv"
    with rows.open("w", newline="") as out:
        writer = csv.writer(out)
        for n in range(6000):
            price = 60_000 * (1 + 0.02 * np.sin(n / 150)) + 0.1 * (n % 2)
            writer.writerow((n, f"{price:.1f}", "0.011", n, n, 1_746_057_600_000 + n * 4000, n % 2 == 0, True))
    with zipfile.ZipFile(path, "w") as out:
        out.write(rows, rows.name)
    return path


def test_report_of_an_archive_of_trades(tmp_path: Path) -> None:
    groups = {"grid": GridSettings(timeframe="1m", tick_interval=4.0), "ticks": TickSettings(lot_usdt=60)}
    report = backtest_grid([archive(tmp_path)], ["BTCUSDT"], groups, [])
    assert report.title == "Backtest grid on ticks" and len(report.trades) > 5
    assert "SINGLE_ORDER_PROFIT" in report.strategy and set(report.trades.side.tolist()) == {1, -1}
    assert any("trades alone" in text for text in report.waived)
    assert any("worst case" in text for text in report.waived)
    assert report.value("end") == pytest.approx(10_000 + report.trades.pnl.sum() / 1e8)


def test_settings_that_cannot_trade_it_are_told(tmp_path: Path) -> None:
    groups = {"grid": GridSettings(base_lot=0.00001, min_lot=0.00001), "ticks": TickSettings()}
    with pytest.raises(TapeError, match="lot_usdt"):
        backtest_grid([archive(tmp_path)], ["BTCUSDT"], groups, [])
    with pytest.raises(TapeError, match="one contract"):
        backtest_grid([archive(tmp_path)], ["BTCUSDT", "ETHUSDT"], groups, [])
