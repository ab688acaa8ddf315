"""The board of minutes and the figures made from candles and books."""

from decimal import Decimal

import numpy as np
import pytest

from modules.exchange.types import Market, Ticker
from modules.market.volatility import atr_pct
from modules.strategies.hype import figures
from modules.strategies.hype.board import MINUTE_MS, MarketBoard

NOW = 1_750_000_000_000 // MINUTE_MS * MINUTE_MS


def tick(**prices: float) -> dict[str, Ticker]:
    return {s: Ticker(s, p, p * 0.999, p * 1.001, 1e6, 1.5) for s, p in prices.items()}


def listed(*symbols: str, trading: bool = True) -> dict[str, Market]:
    return {s: Market(s, s[:-4], "USDT", Decimal("0.01"), Decimal(1), Decimal(1), Decimal(0), Decimal(0), trading)
            for s in symbols}


def test_growth_is_unknown_at_first_and_exact_after_the_minutes_have_passed():
    board = MarketBoard()
    for minute in range(62):
        seen = board.push(tick(AUSDT=100.0 + minute), NOW + minute * MINUTE_MS)
        if minute < 6:
            assert np.isnan(seen.growth_5m[0])
        if minute == 6:  # the close of the minute that ended five minutes ago
            assert seen.growth_5m[0] == pytest.approx(6.0)
        if minute < 61:
            assert np.isnan(seen.growth_1h[0])
    assert seen.growth_1h[0] == pytest.approx(61.0)
    assert seen.growth_24h[0] == 1.5
    assert seen.spread_pct[0] == pytest.approx(0.2)


def test_scans_can_be_rare_or_dense_and_a_gap_is_never_guessed():
    board = MarketBoard()
    board.push(tick(AUSDT=100.0), NOW)
    dense = [board.push(tick(AUSDT=100.0), NOW + s * 1000) for s in range(0, 60, 5)]
    assert np.isnan(dense[-1].growth_5m[0])
    assert board.push(tick(AUSDT=110.0), NOW + 8 * MINUTE_MS).growth_5m[0] == pytest.approx(10.0)  # 2 minutes late
    assert np.isnan(board.push(tick(AUSDT=110.0), NOW + 40 * MINUTE_MS).growth_5m[0])  # 30 minutes late


def test_the_ring_forgets_after_its_hour():
    board = MarketBoard()
    board.push(tick(AUSDT=50.0), NOW)
    assert np.isnan(board.push(tick(AUSDT=100.0), NOW + 72 * MINUTE_MS).growth_1h[0])


def test_backfill_makes_the_hour_known_and_does_not_overwrite_what_was_seen():
    board = MarketBoard()
    board.push(tick(AUSDT=200.0, BUSDT=3.0), NOW)
    opens = NOW - np.arange(66, 0, -1) * MINUTE_MS
    closes = np.linspace(100.0, 165.0, 66)
    candles = np.column_stack((opens, closes, closes, closes, closes, closes)).astype(np.float64)
    assert not board.knows_hour("AUSDT", NOW)
    board.backfill("AUSDT", candles)
    assert board.knows_hour("AUSDT", NOW)
    seen = board.push(tick(AUSDT=200.0, BUSDT=3.0), NOW)
    base = closes[opens == NOW - 61 * MINUTE_MS][0]
    assert seen.growth_1h[0] == pytest.approx((200.0 / base - 1) * 100)
    assert np.isnan(seen.growth_1h[1])
    watched = np.array([[NOW, 1.0, 1.0, 1.0, 1.0, 1.0]])
    board.backfill("AUSDT", watched)
    assert board.push(tick(AUSDT=300.0), NOW + 6 * MINUTE_MS).growth_5m[0] == pytest.approx(50.0)


def test_a_listing_gets_a_column_and_a_delisting_loses_its_price_and_flags():
    board = MarketBoard()
    board.set_markets(listed("AUSDT", "BUSDT"))
    assert board.push(tick(AUSDT=1.0, BUSDT=1.0), NOW).trading.tolist() == [True, True]
    seen = board.push(tick(BUSDT=1.0, CUSDT=2.0), NOW + MINUTE_MS)
    assert board.symbols == ["AUSDT", "BUSDT", "CUSDT"]
    assert np.isnan(seen.price[0])
    assert seen.trading.tolist() == [True, True, False]  # its market is not read yet
    board.set_markets({**listed("CUSDT"), **listed("BUSDT", trading=False)})
    assert board.push(tick(CUSDT=2.0), NOW + MINUTE_MS).trading.tolist() == [False, False, True]


def candles(closes: list[float], quote: list[float], step: int = 300_000) -> np.ndarray:
    close = np.array(closes)
    opens = NOW + np.arange(len(close)) * step
    return np.column_stack((opens, close, close, close, close, np.array(quote) / close))


def test_surge_is_volume_over_the_usual_of_the_day_before():
    quiet = candles([1.0] * 300, [10.0] * 288 + [30.0] * 12)
    assert figures.surge(quiet, figures.HOUR_CANDLES) == pytest.approx(3.0)
    burst = candles([1.0] * 300, [10.0] * 297 + [50.0] * 3)
    assert figures.surge(burst, figures.QUARTER_CANDLES) == pytest.approx(5.0)
    assert figures.surge(burst, figures.HOUR_CANDLES) == pytest.approx((9 * 10 + 150) / 120)


def test_surge_of_a_token_without_a_past_is_unknown():
    assert np.isnan(figures.surge(candles([1.0] * 59, [10.0] * 59), 12))
    assert figures.surge(candles([1.0] * 60, [0.0] * 48 + [1.0] * 12), 12) == np.inf
    assert np.isnan(figures.surge(candles([1.0] * 60, [0.0] * 60), 12))


def test_recovery_tells_fall_bounce_and_what_is_still_open():
    hours = candles([100.0] * 10 + [60.0] * 20 + [70.0] * 5, [1.0] * 35, 3_600_000)
    fall, bounce, below = figures.recovery(hours, 75.0)
    assert (fall, bounce, below) == pytest.approx((40.0, 25.0, 25.0))
    assert np.isnan(figures.recovery(hours[:23], 75.0)).all()


def test_a_low_before_the_high_is_no_fall():
    hours = candles([10.0] * 20 + [100.0] * 10, [1.0] * 30, 3_600_000)
    assert figures.recovery(hours, 100.0)[0] == 0.0


def test_book_is_measured_within_one_percent_of_the_mid():
    bids = [(Decimal("99.9"), Decimal(2)), (Decimal("99.1"), Decimal(3)), (Decimal("98"), Decimal(500))]
    asks = [(Decimal("100.1"), Decimal(1)), (Decimal("102"), Decimal(500))]
    mid, spread, below, above = figures.read_book(bids, asks)
    assert (mid, spread) == pytest.approx((100.0, 0.2))
    assert (below, above) == pytest.approx((99.9 * 2 + 99.1 * 3, 100.1))
    empty = figures.read_book([], asks)
    assert np.isnan(empty[0])
    assert empty[2:] == (0.0, 0.0)


def test_rising_share_counts_the_last_hour():
    up = [1.0 + i / 100 for i in range(13)]
    assert figures.rising_share(candles(up, [1.0] * 13)) == 1.0
    assert figures.rising_share(candles([2.0, *up[:6], *([1.0] * 6)], [1.0] * 13)) == pytest.approx(5 / 12)
    assert np.isnan(figures.rising_share(candles(up[:12], [1.0] * 12)))


def test_atr_is_talibs():
    from modules.learning.talib_lite import talib

    rng = np.random.default_rng(5)
    close = 2.0 * np.exp(np.cumsum(rng.normal(0, 0.01, 400)))
    table = np.column_stack((np.arange(400.0), close, close * 1.01, close * 0.985, close, close)).astype(np.float64)
    theirs = talib.ATR(table[:, 2].copy(), table[:, 3].copy(), close.copy(), 14)[-1] / close[-1] * 100
    assert atr_pct(table) == pytest.approx(theirs, rel=1e-9)
    assert np.isnan(atr_pct(table[:14]))
    assert atr_pct(table * np.array([1, 1e-9, 1e-9, 1e-9, 1e-9, 1])) == pytest.approx(theirs, rel=1e-9)
