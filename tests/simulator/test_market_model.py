"""The market itself: repeatable, without seams, exact between intervals, and worth learning from."""

from __future__ import annotations

import numpy as np
import pytest

from modules.simulator.events import Kind
from modules.simulator.history import History
from modules.simulator.market import Market
from modules.simulator.pairs import Pairs, PairState
from modules.simulator.source import ModelSource
from modules.simulator.universe import DAY_MS, MAJORS, MINUTE_MS, Token

NOW = 20_490 * DAY_MS + 11 * 3_600_000 + 17 * MINUTE_MS + 23_456
DAY = NOW // DAY_MS


@pytest.fixture(scope="module")
def source() -> ModelSource:
    return ModelSource(7, 40)


@pytest.fixture(scope="module")
def market(source: ModelSource) -> Market:
    return Market(source)


def _old_tokens(source: ModelSource, days: int = 40) -> list[Token]:
    tokens = source.calendar(DAY).tokens
    return [t for t in tokens if NOW - t.list_ms > days * DAY_MS and (t.delist_ms or 1 << 62) > NOW]


def test_the_same_seed_makes_the_same_market_byte_for_byte() -> None:
    boards, candles = [], []
    for _ in range(2):
        market = Market(ModelSource(3, 25))
        board = market.board(NOW)
        boards.append([getattr(board, name).tobytes() for name in
                       ("last", "bid", "ask", "open24", "high24", "low24", "volume24", "quote24")])
        token = board.calendar.tokens[15]
        candles.append(History(market).candles(token, "5m", NOW, None, None, 300).rows.tobytes())
    assert boards[0] == boards[1]
    assert candles[0] == candles[1]


def test_it_does_not_matter_in_which_order_days_are_made() -> None:
    first, second = ModelSource(5, 10), ModelSource(5, 10)
    second.row(12, DAY - 25)
    second.row(3, DAY + 2)
    for slot in (0, 4, 12, 19):
        a, b = first.row(slot, DAY), second.row(slot, DAY)
        assert a.close.tobytes() == b.close.tobytes() and a.volume.tobytes() == b.volume.tobytes()


def test_another_seed_makes_another_market() -> None:
    one, other = ModelSource(1, 10).row(15, DAY), ModelSource(2, 10).row(15, DAY)
    assert one.close.tobytes() != other.close.tobytes()


def test_days_join_without_a_seam(source: ModelSource) -> None:
    for token in _old_tokens(source):
        assert source.row(token.slot, DAY - 1).close[-1] == source.row(token.slot, DAY).open[0], token.symbol


@pytest.mark.parametrize("interval,size", [("5m", 5), ("15m", 15), ("30m", 30), ("60m", 60), ("4h", 240), ("1d", 1440)])
def test_longer_candles_are_made_of_minutes_exactly(
    source: ModelSource, market: Market, interval: str, size: int
) -> None:
    history = History(market)
    for token in _old_tokens(source)[:12]:
        rows = history.candles(token, interval, NOW, None, None, 3).rows
        minutes = history.candles(token, "1m", NOW, int(rows[0, 0]), None, 5 * 1440).rows
        for row in rows:
            part = minutes[(minutes[:, 0] >= row[0]) & (minutes[:, 0] < row[7])]
            assert row.tolist() == [row[0], part[0, 1], part[:, 2].max(), part[:, 3].min(), part[-1, 4],
                                    part[:, 5].sum(), part[:, 6].sum(), row[0] + size * MINUTE_MS]


@pytest.mark.parametrize("interval,least", [("1m", 1500), ("5m", 1500), ("60m", 720)])
def test_history_is_there_at_the_start(source: ModelSource, market: Market, interval: str, least: int) -> None:
    for token in _old_tokens(source)[:5]:
        assert len(History(market).candles(token, interval, NOW, None, None, least)) == least


def test_a_candle_in_progress_ends_as_what_was_quoted(source: ModelSource, market: Market) -> None:
    history = History(market)
    minute = NOW // MINUTE_MS * MINUTE_MS
    for token in _old_tokens(source)[:15]:
        seen = [market.price(token.slot, ms) for ms in range(minute, minute + MINUTE_MS, 500)]
        whole = history.candles(token, "1m", minute + MINUTE_MS, minute, None, 1).rows[0]
        assert whole[3] <= min(seen) and max(seen) <= whole[2]
        last = history.candles(token, "1m", minute + MINUTE_MS - 1, minute, None, 1).rows[0]
        assert abs(last[4] - whole[4]) <= max(2, 0.002 * whole[4])
        assert last[2] <= whole[2] and last[3] >= whole[3] and last[5] <= whole[5]


def test_the_board_says_what_the_candles_say(source: ModelSource, market: Market) -> None:
    history, board = History(market), market.board(NOW)
    for token in _old_tokens(source):
        rows = history.candles(token, "1m", NOW, None, None, 1440).rows
        slot = token.slot
        assert (board.open24[slot], board.high24[slot], board.low24[slot], board.volume24[slot], board.last[slot]) == (
            rows[0, 1], rows[:, 2].max(), rows[:, 3].min(), rows[:, 5].sum(), rows[-1, 4])
        assert board.bid[slot] <= board.last[slot] <= board.ask[slot]
        assert board.bid[slot] < board.ask[slot]


def test_candles_are_possible(source: ModelSource) -> None:
    for slot in range(source.slots):
        row = source.row(slot, DAY)
        assert (row.low <= np.minimum(row.open, row.close)).all()
        assert (row.high >= np.maximum(row.open, row.close)).all()
        assert (row.low >= 1).all() and (row.volume >= 0).all()
        still = row.volume == 0
        assert (row.high[still] == row.low[still]).all()


def test_prices_span_magnitudes_and_some_pairs_are_thin(source: ModelSource) -> None:
    tokens = ModelSource(1, 300).calendar(DAY).tokens
    prices = [token.ref_price for token in tokens]
    assert min(prices) < 1e-5 and max(prices) > 10_000
    assert sum(token.adv < 30_000 for token in tokens) > 10
    assert len({token.symbol for token in tokens}) == len(tokens)


def test_returns_cluster_have_fat_tails_and_follow_bitcoin(source: ModelSource) -> None:
    days = range(DAY - 12, DAY)
    bitcoin = np.log(np.concatenate([source.row(0, d).close for d in days])[::60].astype(float))
    clustering, tails, following, volume = [], [], [], []
    for token in _old_tokens(source)[len(MAJORS):]:
        rows = [source.row(token.slot, d) for d in days]
        close = np.log(np.concatenate([r.close for r in rows]).astype(float))
        five = np.diff(close[::5])
        size = np.abs(five)
        traded = np.concatenate([r.quote for r in rows]).reshape(-1, 5).sum(axis=1)[1:].astype(float)
        clustering.append(np.corrcoef(size[1:], size[:-1])[0, 1])
        tails.append(np.mean((five - five.mean()) ** 4) / np.var(five) ** 2)
        following.append(np.corrcoef(np.diff(close[::60]), np.diff(bitcoin))[0, 1])
        volume.append(np.corrcoef(size, np.log(traded + 1))[0, 1])
    assert np.median(clustering) > 0.15
    assert np.median(tails) > 9
    assert 0.15 < np.median(following) < 0.8
    assert np.median(volume) > 0.25


def test_pumps_begin_with_volume_and_then_run_or_collapse() -> None:
    source = ModelSource(11, 120)
    surges, runs = [], []
    for day in range(DAY - 10, DAY - 1):
        events = source.factors.events(day)
        for i in np.flatnonzero(events.kind == Kind.PUMP):
            ignition = int(events.start[i] + events.tau[i, 2]) - day * 1440
            if not 200 < ignition < 1300:
                continue
            quote = source.row(int(events.slot[i]), day).quote.astype(float)
            before, usual = quote[ignition - 3 : ignition].mean(), quote[ignition - 150 : ignition - 40].mean()
            surges.append(before / max(usual, 1.0))
            runs.append(bool(events.runs[i]))
    assert len(runs) > 80
    assert np.median(surges) > 2.0, "volume comes before the price"
    assert 0.15 < np.mean(runs) < 0.6, "some run, more collapse"


def test_the_surge_tells_something_about_the_outcome_and_not_all() -> None:
    events = [ModelSource(13, 300).factors.events(day) for day in range(DAY - 25, DAY)]
    early = np.concatenate([e.tau[e.kind == Kind.PUMP, 2] for e in events])
    runs = np.concatenate([e.runs[e.kind == Kind.PUMP] for e in events])
    long = early > np.median(early)
    assert runs[long].mean() > 1.3 * runs[~long].mean()
    assert 0.25 < runs[long].mean() < 0.75, "wrong often, even with the long ones"
    assert runs[~long].mean() > 0.04, "and some of the short ones run"


def test_pairs_come_halt_and_go() -> None:
    source = ModelSource(1, 300)
    pairs = Pairs(source)
    tokens = {(t.slot, t.generation): t for d in range(DAY, DAY + 60) for t in source.calendar(d).tokens}
    end = (DAY + 59) * DAY_MS
    gone = next(t for t in tokens.values() if t.delist_ms is not None and DAY * DAY_MS < t.delist_ms < end)
    assert gone.delist_ms is not None
    assert pairs.state(gone, gone.list_ms - 1) is PairState.ABSENT
    assert pairs.state(gone, gone.delist_ms - 3_600_000) is PairState.SELL_ONLY
    assert pairs.state(gone, gone.delist_ms) is PairState.OFFLINE
    assert pairs.find(gone.symbol, gone.delist_ms + DAY_MS) is None
    assert any(DAY * DAY_MS < t.list_ms < (DAY + 60) * DAY_MS for t in tokens.values()), "a listing"
    slot, halt = next((s, h) for s in range(10, 310) if (h := source.halt(s, DAY)) is not None)
    token = source.calendar(DAY).tokens[slot]
    assert pairs.state(token, DAY * DAY_MS + halt[0] * MINUTE_MS) is PairState.HALTED
    row = source.row(slot, DAY)
    assert not row.volume[halt[0] : halt[1]].any()


def test_the_walk_of_a_day_never_leaves_a_hole_in_memory(source: ModelSource) -> None:
    market = Market(source)
    for step in range(8):
        board = market.board(NOW + step * DAY_MS // 2)
        assert (board.last > 0).all()
    assert len(market._panels) <= 4, "old days are dropped"
