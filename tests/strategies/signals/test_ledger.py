"""Stored before sent, sent once, whatever dies in between."""

from pathlib import Path

import pytest

from modules.strategies.signals.follower import Tick
from modules.strategies.signals.ledger import Ledger
from modules.strategies.signals.records import Signal
from tests.strategies.signals.market import NOW, House


async def no_picture(signal: Signal) -> str:
    return ""


def said(house: House) -> list[str]:
    return [notice.what for _, notice in house.outbox.pending("owner")]


async def test_entry_and_end_are_told_once_and_stored_before(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ready()
    house.desk.look("XUSDT")
    stored_first: list[int] = []

    async def draw(signal: Signal) -> str:
        stored_first.append(len(house.rows.of("signals")))
        assert house.ledger.file.load().open[signal.id].told is False
        return ""

    assert await house.ledger.dispatch(lambda: NOW, draw) == 1 and stored_first == [1]
    assert await house.ledger.dispatch(lambda: NOW, draw) == 0
    (signal,) = house.ledger.state.open.values()
    house.follower.on_ticks("XUSDT", [Tick(405, NOW + 5000, signal.follow.tp2)])
    assert await house.ledger.dispatch(lambda: NOW + 5000, draw) == 1
    entry, end = said(house)
    assert entry.startswith("▲ LONG XUSDT · HIGH") and "second target reached" in end
    assert not house.ledger.state.open
    assert [row["status"] for row in house.rows.of("signals")] == ["open", "closed"]


async def test_a_death_between_storing_and_telling_is_made_good_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ready()
    house.desk.look("XUSDT")
    for _ in range(2):  # dies after the message and before that is noted; then after both
        heir = Ledger(house.paths, house.settings, house.rows, house.outbox, "UTC")
        await heir.dispatch(lambda: NOW, no_picture)
        house.ledger.save()  # what the dead one had noted
    assert len(said(house)) == 1


async def test_too_late_is_not_sent_but_stored(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ready()
    house.desk.look("XUSDT")
    await house.ledger.dispatch(lambda: NOW + 61_000, no_picture)
    assert said(house) == [] and [row["code"] for row in house.rows.of("signal_refusals")] == ["TOO_LATE"]
    (signal,) = house.ledger.state.open.values()
    assert signal.sent_as == "", "it is followed on, and judged with the others"


async def test_a_loss_holds_the_next_ones_back_also_after_a_restart(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.ready()
    house.desk.look("XUSDT")
    (signal,) = house.ledger.state.open.values()
    house.follower.on_ticks("XUSDT", [Tick(405, NOW + 5000, signal.follow.stop)])
    heir = House(tmp_path, house.source)
    assert heir.ledger.state.counts.hold_back == {"": 3} and heir.ledger.state.counts.sent == {"HIGH": 1}
    for number in range(4):
        symbol = f"S{number}USDT"
        heir.ready(symbol)
        heir.desk.look(symbol)
    codes = [row["code"] for row in heir.rows.of("signal_refusals")]
    assert codes == ["HELD_BACK"] * 3 and [row["symbol"] for row in heir.rows.of("signals")] == ["S3USDT"]


async def test_the_higher_class_is_told_first(tmp_path: Path) -> None:
    house = House(tmp_path, max_correlation=1.0)
    house.ready("LUSDT", lean=0.29)
    house.ready("HUSDT")
    house.source.rows["LUSDT"] = [row for row in house.source.rows["LUSDT"] if row[0] <= 403]
    for symbol in ("LUSDT", "HUSDT"):
        assert house.desk.look(symbol) is None
    await house.ledger.dispatch(lambda: NOW, no_picture)
    assert [text.split(" · ")[1] for text in said(house)] == ["HIGH", "MEDIUM"]


@pytest.mark.parametrize("demoted,expected", [({"HIGH": "x"}, "MEDIUM"), ({"HIGH": "x", "MEDIUM": "y"}, "LOW"),
                                              ({"HIGH": "", "MEDIUM": "", "LOW": ""}, "")])
async def test_a_demoted_class_goes_out_lower_or_not_at_all(tmp_path: Path, demoted: dict[str, str],
                                                           expected: str) -> None:
    from modules.strategies.signals.stats import sent_as

    house = House(tmp_path)
    house.desk.demoted = lambda priority: sent_as(priority, demoted)
    house.ready()
    house.desk.look("XUSDT")
    (signal,) = house.ledger.state.open.values()
    assert (signal.priority, signal.sent_as) == ("HIGH", expected)
    await house.ledger.dispatch(lambda: NOW, no_picture)
    assert len(said(house)) == bool(expected)
