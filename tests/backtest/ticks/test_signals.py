"""The signal bot on recorded frames: it finds what the live desk finds on the same frames; folds do not leak."""

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from modules.backtest.optimise.arena import COUNT, PNL, Segment
from modules.backtest.optimise.space import SpaceError, fixed_of, space_of
from modules.backtest.optimise.tick_arena import SignalArena, check_space, fewer_folds, floor_of
from modules.backtest.ticks import looks as lk
from modules.backtest.ticks import signal_trial as st
from modules.backtest.ticks.looks import Looks, gather
from modules.backtest.ticks.signal_report import backtest_signals
from modules.backtest.ticks.tape import TapeError
from modules.exchange.captures import read_capture
from modules.storage.recordings.format import Kind, pack
from modules.storage.recordings.reader import Damage
from modules.strategies.signals import follow
from modules.strategies.signals.desk import Desk
from modules.strategies.signals.follower import Follower, Tick
from modules.strategies.signals.ledger import Ledger
from modules.strategies.signals.market import MarketNow
from modules.strategies.signals.records import Follow
from modules.strategies.signals.settings import SignalSettings
from modules.supervision.outbox import Outbox
from tests.strategies.signals.market import Rowkeeper
from utils.paths import Paths

BEGIN = 1_780_000_000_000 // 86_400_000 * 86_400_000 + 36_000_000
OWN = SignalSettings(max_correlation=1.0, hold_back=0, concurrent=100, demote_after=10_000, max_book_age_s=10,
                     hold_min=(5.0, 6.0, 7.0), hold_from_min=(1.0, 1.0, 1.0), rearm_s=20.0,
                     high_a_day=1000, medium_a_day=1000, low_a_day=1000,
                     all_a_day=1000)


def recording(folder: Path, minutes: int = 40, symbol: str = "XUSDT", cut_at: int = 0) -> Path:
    """A market whose book leans now and then, with large trades of that side. `cut_at`: seconds, a line is lost."""
    dice, frames, ns = random.Random(5), [], BEGIN * 1_000_000
    sources = {0: "recorder", 1: "socket", 2: "/fapi/v1/exchangeInfo", 3: f"/fapi/v1/depth?symbol={symbol}&limit=1000",
               4: f"/fapi/v1/klines?symbol={symbol}&interval=15m&limit=101"}

    def note(source: int, kind: Kind, body: dict[str, Any] | list[Any], ms: int) -> None:
        frames.append((ns + (ms - BEGIN) * 1_000_000, source, kind, json.dumps(body, separators=(",", ":")).encode()))

    note(0, Kind.NOTE, {"started": True}, BEGIN)
    note(2, Kind.ANSWER, {"symbols": [{"symbol": symbol, "status": "TRADING", "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.05"}, {"filterType": "LOT_SIZE", "stepSize": "0.1"}]}]}, BEGIN)
    first = BEGIN // 900_000 * 900_000
    note(4, Kind.ANSWER, [[first + n * 900_000, "99.9", "100.3", "99.7", "99.9", "100000", 0, "10000000", 1, "0", "0",
                           "0"] for n in range(-100, 1)], BEGIN)
    price, number = 100.0, 1

    def book(lean: float) -> tuple[list[list[str]], list[list[str]]]:
        mid = round(price / 0.05) * 0.05
        return ([[f"{mid - 0.05 * (n + 1):.2f}", f"{100 * (1 + lean):.1f}"] for n in range(30)],
                [[f"{mid + 0.05 * (n + 1):.2f}", f"{100 * (1 - lean):.1f}"] for n in range(30)])

    last, trade = 1000, 0
    bids, asks = book(0.0)
    note(3, Kind.ANSWER, {"lastUpdateId": last, "E": BEGIN, "T": BEGIN, "bids": bids, "asks": asks}, BEGIN)
    for second in range(minutes * 60):
        ms = BEGIN + second * 1000
        wave = math.sin(second / 150)
        lean = 0.75 * wave if abs(wave) > 0.5 else 0.02
        price += dice.gauss(0.006 * wave, 0.03)
        old = {row[0]: "0" for row in bids}, {row[0]: "0" for row in asks}
        bids, asks = book(lean)
        changes = [[[p, q] for p, q in {**gone, **{p: q for p, q in side}}.items()]
                   for gone, side in zip(old, (bids, asks), strict=True)]
        body = {"e": "depthUpdate", "E": ms, "T": ms, "s": symbol, "U": last + 1, "u": last + 5, "pu": last,
                "b": changes[0], "a": changes[1]}
        last += 5
        note(1, Kind.MESSAGE, {"stream": f"{symbol.lower()}@depth@100ms", "data": body}, ms)
        for _ in range(3):
            number += 1
            large = abs(lean) > 0.3 and dice.random() < 0.02
            trade += 1
            if second == cut_at and cut_at:
                continue  # ids that nobody heard
            qty = f"{(600 if large else dice.uniform(50, 150)):.1f}"
            note(1, Kind.MESSAGE, {"stream": f"{symbol.lower()}@aggTrade", "data": {
                "e": "aggTrade", "E": ms, "s": symbol, "a": trade, "p": f"{round(price / 0.05) * 0.05:.2f}", "q": qty,
                "f": trade, "l": trade, "T": ms, "m": lean < 0 if large else dice.random() < 0.5}}, ms)
    path = folder / "2026" / "one.cxr"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(pack(frames[at:at + 4000], sources) for at in range(0, len(frames), 4000)))
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recording(tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def gathered(recorded: Path) -> Looks:
    (found,) = gather([recorded], [], OWN, 0.1, 500, {})
    return found


def live(path: Path, folder: Path, settings: SignalSettings) -> list[Follow]:
    """The bot's own desk, ledger and follower at the same instants."""
    born: list[Follow] = []
    with_desk: dict[str, Desk] = {}

    class Beside(lk._Gatherer):
        def look(self, symbol: str) -> Any:
            if not with_desk:
                paths = Paths(folder).prepare()
                ledger = Ledger(paths, settings, Rowkeeper(), Outbox(paths.outbox, "signals"), "UTC")

                async def nothing(name: str, from_id: int, limit: int) -> list[Tick]:
                    return []

                follower = Follower(ledger.rules, nothing, ledger.ended)
                ledger.on_closed = lambda signal, r, p: ledger.state.open.pop(signal.id, None)  # type: ignore[assignment]
                desk = with_desk["it"] = Desk(settings, ledger, follower, MarketNow(1.0, lambda: 0.0), self.source)
                desk.tick, desk.born = (lambda name: 0.05), lambda signal: born.append(signal.follow)
            desk = with_desk["it"]
            desk.universe.add(symbol)
            desk.look(symbol)
            return super().look(symbol)

    old, lk._Gatherer = lk._Gatherer, Beside  # type: ignore[misc]
    try:
        gather([path], [], settings, settings.imbalance, 500, {})
    finally:
        lk._Gatherer = old  # type: ignore[misc]
    return born


@pytest.mark.parametrize("changes", [{}, {"imbalance": 0.5, "large_trades": 2}, {"large_trade_usdt": 55_000.0},
                                     {"intensity": 2.5, "atr_factor": 0.8}])
def test_the_same_signals_and_ends_as_the_live_desk(recorded: Path, gathered: Looks, tmp_path: Path,
                                                    changes: dict[str, Any]) -> None:
    settings = OWN.model_copy(update=changes)
    found = st.run(gathered.looks, gathered.trades, gathered.tick, st.terms_of(settings))
    real = live(recorded, tmp_path, settings)
    assert [(int(row[st.BEGUN]), int(row[st.SIDE])) for row in found] == [(one.begun_ms, one.sign) for one in real]
    for row, one in zip(found, real, strict=True):
        assert (row[st.ENTRY], row[st.STOP], row[st.TARGET1], row[st.TARGET2]) == pytest.approx(
            (one.entry, one.stop, one.tp1, one.tp2), abs=1e-9)
        assert follow.OUTCOMES[int(row[st.ENDED])] == one.outcome
        if one.outcome:
            assert int(row[st.CLOSED]) == one.closed_ms
            assert row[st.NET_R] == pytest.approx(follow.result(one, follow.Rules())[0])
    assert len(real) >= (3 if not changes else 1), "the market of this test makes signals"


def test_a_higher_threshold_over_looks_gathered_with_a_low_one_changes_nothing(recorded: Path, gathered: Looks) -> None:
    (narrow,) = gather([recorded], ["XUSDT"], OWN, OWN.imbalance, 500, {})
    assert len(narrow.looks) <= len(gathered.looks) and narrow.tick == gathered.tick == 0.05
    terms = st.terms_of(OWN)
    assert np.array_equal(st.run(narrow.looks, narrow.trades, narrow.tick, terms),
                          st.run(gathered.looks, gathered.trades, gathered.tick, terms))


def test_trades_that_were_lost_hold_signals_until_the_window_is_whole_again(tmp_path: Path) -> None:
    (found,) = gather([recording(tmp_path, cut_at=900)], [], OWN, 0.1, 500, {})
    after = found.looks[:, lk.AT] - BEGIN
    assert not ((after > 901_000) & (after < 1_200_000)).any() and (after > 1_202_000).any()


def test_a_report_names_what_it_waives_and_the_control_beside(recorded: Path) -> None:
    groups = {"signals": OWN, "ticks": Settings().ticks}
    report = backtest_signals([recorded], [], groups, {})
    assert len(report.trades) >= 3 and report.symbols == ["XUSDT"]
    assert report.curve.equity[-1] == pytest.approx(10_000 + report.trades.pnl.sum() / 1e8)
    text = " ".join(report.waived)
    assert "control" in text and "too few for a verdict" in text and "are no proof" in text


@pytest.mark.parametrize(("symbols", "says"), [(["NOPE"], "do not name NOPE")])
def test_symbols_that_are_not_recorded_are_refused(recorded: Path, symbols: list[str], says: str) -> None:
    with pytest.raises(TapeError, match=says):
        gather([recorded], symbols, OWN, 0.1, 500, {})


def arena_of(gathered: Looks) -> SignalArena:
    return SignalArena([gathered], {"signals": OWN, "ticks": Settings().ticks})


def test_a_trial_counts_on_the_day_of_the_end_and_never_across_a_segment(gathered: Looks) -> None:
    shifted = gathered.looks.copy(), gathered.trades.copy()  # midnight falls into the middle of the recording
    move = 86_400_000 - (BEGIN % 86_400_000) - 20 * 60_000
    for rows, columns in zip(shifted, ((lk.AT, lk.LOW_FIRST, lk.LOW_LAST), (lk.T_MS,)), strict=True):
        for column in columns:
            rows[:, column] += np.where(rows[:, column] > 0, move, 0)
    moved = Looks(gathered.symbol, gathered.tick, *shifted, gathered.seen)
    arena = arena_of(moved)
    assert arena.days == 2
    whole, cut = (arena.trial({}, segments) for segments in ([Segment(0, 2)], [Segment(0, 1), Segment(1, 2)]))
    found = st.run(moved.looks, moved.trades, moved.tick, st.terms_of(OWN))
    found = found[found[:, st.ENDED] != follow.OPEN]
    across = (found[:, st.BEGUN] // 86_400_000 != found[:, st.CLOSED] // 86_400_000).sum()
    assert whole[:, COUNT].sum() == len(found) and cut[:, COUNT].sum() == len(found) - across
    assert whole[:, PNL].sum() == pytest.approx(found[:, st.NET_PCT].sum() / 100 * 1000)
    assert np.isnan(arena.trial({}, [Segment(0, 1)])[1]).all(), "days outside stay unknown"
    assert "rise" in str(arena.trials([{"signals.quality_low": 99}], [Segment(0, 2)])[0]), "refused settings are text"


def test_what_is_gathered_once_and_costs_cannot_be_searched() -> None:
    groups = {"signals": OWN, "ticks": Settings().ticks}
    space = space_of(groups, [], {})
    assert {one.name for one in space} == {"signals.imbalance", "signals.large_trade_usdt", "signals.large_trades",
                                           "signals.intensity", "signals.atr_factor"}
    check_space(space)
    assert floor_of(space, {}, OWN) == 0.1 and floor_of([], {"signals.imbalance": 0.2}, OWN) == 0.2
    for wrong in ("fee_pct=0:1", "window_s=60:300", "swing_bars=4:20"):
        with pytest.raises(SpaceError, match="cannot be searched"):
            check_space(space_of(groups, [wrong], {}))
    with pytest.raises(SpaceError, match="costs"):
        space_of(groups, ["ticks.look_ms=100:1000"], {})
    assert fixed_of(groups, ["intensity=2"]) == {"signals.intensity": 2.0}


@pytest.mark.parametrize(("days", "folds"), [(5, 1), (9, 1), (12, 2), (15, 3), (30, 4), (300, 4)])
def test_as_many_folds_as_the_days_allow(days: int, folds: int) -> None:
    assert fewer_folds(days, 4, 0.4) == folds


def test_single_trades_of_other_captures_are_joined_as_the_venue_joins_them(tmp_path: Path) -> None:
    path = tmp_path / "capture.txt"
    rows = [(1, "100.0", "1.5", 7, True), (2, "100.0", "0.25", 7, True), (3, "100.0", "1", 7, False),
            (4, "100.1", "1", 8, False)]
    path.write_text("".join(
        f'170000000000000000{n} {{"stream":"xusdt@trade","data":{{"e":"trade","E":{t},"T":{t},"s":"XUSDT","t":{n},'
        f'"p":"{p}","q":"{q}","X":"MARKET","m":{str(m).lower()}}}}}\n' for n, p, q, t, m in rows))
    frames = lk._plain(read_capture(path, Damage(), []), itertools.count(1))
    found = [json.loads(frame.payload)["data"] for frame in frames]
    assert [(one["a"], one["q"], one["m"]) for one in found] == [(1, "1.75", True), (2, "1", False), (3, "1", False)]
