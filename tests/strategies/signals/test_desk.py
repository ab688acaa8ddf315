"""Looks: a signal when all holds; never one from a stale, old, partial or doubtful book, or a window with a hole."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modules.exchange.orderbook.layout import Stale
from modules.exchange.orderbook.views import Torn
from modules.strategies.signals.reasons import Refusal
from tests.strategies.signals.market import NOW, House, Source


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.mark.parametrize("side", [1, -1])
def test_a_signal_is_born_stored_and_followed(house: House, side: int) -> None:
    house.ready(side=side)
    assert house.desk.look("XUSDT") is None
    (row,) = house.rows.of("signals")
    assert row["direction"] == ("LONG" if side > 0 else "SHORT") and row["priority"] == "HIGH" and row["quality"] == 97
    assert (row["tp2"] - row["tp1"]) * side > 0 > (row["stop_loss"] - row["entry"]) * side
    (signal,) = house.ledger.state.open.values()
    assert signal.large_trades == 4 and signal.follow.last_id == 404 and house.follower.symbols == {"XUSDT"}
    assert house.ledger.file.load() == house.ledger.state and house.ledger.state.counts.sent == {"HIGH": 1}


def test_the_same_move_gives_one_signal(house: House) -> None:
    house.ready()
    assert house.desk.look("XUSDT") is None
    assert house.desk.look("XUSDT") is Refusal.SAME_EPISODE
    assert len(house.ledger.state.open) == 1


@pytest.mark.parametrize("reason", [one for one in Stale if one is not Stale.FRESH])
def test_never_from_a_stale_book(house: House, reason: Stale) -> None:
    house.ready()
    house.source.stale["XUSDT"] = reason
    assert house.desk.look("XUSDT") is Refusal.BOOK_STALE


def old(source: Source) -> None:
    source.age_s = 1.5


def partial(source: Source) -> None:
    source.depth = 9


def empty(source: Source) -> None:
    source.depth = 0


def silent_trades(source: Source) -> None:
    source.mark_age_s = 9.0


def silent_by_their_own_clock(source: Source) -> None:
    """Candles tell of trades that did not come; the mark price speaks."""
    source.trade_stale = Stale.SILENT


def hole(source: Source) -> None:
    rows = source.rows["XUSDT"]
    del rows[-3]


def short_window(source: Source) -> None:
    del source.rows["XUSDT"][:150]


def quiet(source: Source) -> None:
    source.quote_24h = 1e12


def unknown_average(source: Source) -> None:
    source.quote_24h = 0.0


@pytest.mark.parametrize("fault,code", [
    (old, Refusal.BOOK_OLD), (partial, Refusal.BOOK_PARTIAL), (empty, Refusal.BOOK_STALE),
    (silent_trades, Refusal.FLOW_NOT_WHOLE), (silent_by_their_own_clock, Refusal.FLOW_NOT_WHOLE),
    (hole, Refusal.FLOW_NOT_WHOLE), (short_window, Refusal.FLOW_NOT_WHOLE),
    (quiet, Refusal.INTENSITY), (unknown_average, Refusal.NO_AVERAGE)])
def test_every_doubt_refuses_with_its_code(house: House, fault: Callable[[Source], None], code: Refusal) -> None:
    house.ready()
    fault(house.source)
    assert house.desk.look("XUSDT") is code
    assert not house.ledger.state.open and not house.rows.of("signals")
    house.ledger.refusals.flush(NOW + 1, force=True)
    assert code in {row["code"] for row in house.rows.of("signal_refusals")}


@pytest.mark.parametrize("fault", ["stale", "epoch", "gone", "torn"])
def test_doubt_that_comes_while_the_signal_is_made_refuses_it(house: House, fault: str) -> None:
    house.ready()
    reads = 0

    def after(symbol: str) -> None:
        nonlocal reads
        reads += 1
        if reads == 1:
            if fault == "stale":
                house.source.stale["XUSDT"] = Stale.GAP
            elif fault == "epoch":
                house.source.epoch += 1
        elif fault == "torn":
            raise Torn("in the middle")
        elif fault == "gone":
            raise KeyError(symbol)

    house.source.after_book = after
    assert house.desk.look("XUSDT") in (Refusal.BOOK_CHANGED, Refusal.BOOK_STALE)
    assert not house.ledger.state.open


def test_a_silent_trade_stream_counts_again_once_the_next_trade_follows(house: House) -> None:
    house.ready()
    house.source.mark_age_s = 9.0
    assert house.desk.look("XUSDT") is Refusal.FLOW_NOT_WHOLE
    house.source.mark_age_s = 0.1
    assert house.desk.look("XUSDT") is Refusal.FLOW_NOT_WHOLE, "trades may be missing still"
    house.source.trade("XUSDT", NOW, 100.0, 100)
    assert house.desk.look("XUSDT") is None


def test_limits_refuse_and_are_stored_one_by_one(tmp_path: Path) -> None:
    house = House(tmp_path, concurrent=1)
    for symbol in ("AUSDT", "BUSDT"):
        house.ready(symbol)
    assert house.desk.look("AUSDT") is None
    assert house.desk.look("BUSDT") is Refusal.CONCURRENT
    (row,) = house.rows.of("signal_refusals")
    assert (row["symbol"], row["code"], row["body"]["quality"]) == ("BUSDT", "CONCURRENT", 97)
    assert house.desk.look("BUSDT") is Refusal.SAME_EPISODE, "one refusal for one move"


def test_a_paused_bot_makes_none_and_goes_on_when_the_pause_ends(house: House) -> None:
    house.ready()
    house.desk.paused = lambda: "data look strange"
    assert house.desk.look("XUSDT") is Refusal.PAUSED
    house.desk.paused = lambda: ""
    assert house.desk.look("XUSDT") is None


def test_a_symbol_outside_the_universe_is_followed_but_not_judged(house: House) -> None:
    house.ready()
    house.desk.universe.clear()
    assert house.desk.look("XUSDT") is None and not house.ledger.state.open


def test_a_wide_spread_excludes_when_it_lasts(house: House) -> None:
    house.ready(lean=0.0)
    told: list[str] = []
    house.desk.excluded = lambda symbol, why: told.append(symbol)
    house.desk.settings = house.settings.model_copy(update={"max_spread_pct": 0.001})
    for second in range(12):
        house.source.now = NOW + second * 1000
        house.desk.look("XUSDT")
    assert told == ["XUSDT"]


def test_a_full_disk_makes_no_signal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.ready()

    def full(value: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(house.ledger.file, "save", full)
    with pytest.raises(OSError, match="no space"):
        house.desk.look("XUSDT")
    assert not house.ledger.state.open and house.ledger.state.counts.sent == {"HIGH": 0}
    assert not house.rows.of("signals") and not house.follower.symbols
