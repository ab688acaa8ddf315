"""/resync and /cleartracked: the list of tracked tokens by history and balances, shown before it is changed."""

from decimal import Decimal

import msgspec
import pytest

from modules.exchange.types import Balance
from modules.strategies.hype import resync
from tests.execution.venue import market
from tests.hype.tracker_house import House

D = Decimal


@pytest.fixture
def house(tmp_path) -> House:
    made = House(tmp_path)
    made.venue.add("AAAUSDT")
    return made


async def shown(house: House) -> list[str]:
    balances = await house.account.balances()
    return [change.line() for change in resync.preview(house.test.files, balances, house.venue.listed, house.settings)]


async def test_nothing_to_change_when_all_agree(house):
    await house.bought()
    assert await shown(house) == []
    house.post("resync", mode="TEST")
    await house.turn()
    assert house.notices()[-1].what == "/resync: nothing to change"


async def test_a_lost_list_is_rebuilt_as_it_was(house):
    before = await house.bought()
    await house.turn(AAAUSDT="1.0302")
    held = house.on_disk()["AAAUSDT"]
    house.test.files.tracked.save({})
    house.crash()
    assert await shown(house) == ["AAAUSDT: track 30 again (bought, not sold, and still in the account)"]
    house.post("resync", mode="TEST")
    await house.turn(AAAUSDT="1.0302")
    after = house.on_disk()["AAAUSDT"]
    for name in ("id", "quantity", "initial_quantity", "cost_usdt", "entry_price", "tp_prices", "slices", "tp_hit",
                 "sl_price", "sl_initial", "realized_usdt", "strategy", "opened_ms", "fees_usdt", "applied"):
        assert getattr(after, name) == getattr(held, name), name
    assert before.id == after.id
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {} and house.account.coins["AAA"] == 0


async def test_fewer_coins_than_tracked_are_adjusted_and_none_are_dropped_on_record(house):
    await house.bought()
    house.account.coins["AAA"] = D(10)
    assert await shown(house) == ["AAAUSDT: 49 → 10 (by the history and the account)"]
    house.post("resync", mode="TEST")
    await house.turn()
    assert house.on_disk()["AAAUSDT"].quantity == 10
    house.account.coins["AAA"] = D(0)
    assert await shown(house) == ["AAAUSDT: drop (none in the account)"]
    house.post("resync", mode="TEST")
    await house.turn()
    assert house.on_disk() == {} and (house.trades()[-1].reason, house.trades()[-1].pnl_usdt) == ("external", None)
    assert await shown(house) == []


async def test_coins_of_ones_own_are_left_alone(house):
    await house.bought()
    house.account.coins["AAA"] += 500
    house.account.coins["OWN"] = D(5)
    assert await shown(house) == []


async def test_an_external_position_is_taken_back_when_the_coins_are_back(house):
    await house.bought()
    house.account.coins["AAA"] = D(0)
    house.crash()
    await house.until(lambda: house.on_disk()["AAAUSDT"].state == "external")
    house.account.coins["AAA"] = D(49)
    house.post("resync", mode="TEST")
    await house.turn()
    assert house.on_disk()["AAAUSDT"].state == "open" and house.on_disk()["AAAUSDT"].quantity == 49


@pytest.mark.parametrize("command", ["resync", "clear_tracked"])
async def test_balances_that_cannot_be_read_change_nothing(house, command):
    await house.bought()
    house.account.down = "timeout"
    house.post(command, mode="TEST")
    await house.turn()
    assert list(house.on_disk()) == ["AAAUSDT"] and "changed nothing" in house.notices()[-1].what


async def test_an_order_under_way_is_not_touched(house):
    await house.bought()
    house.account.coins["AAA"] = D(0)
    entry = next(iter(house.tracker.journal.entries.values()))
    house.tracker.journal.open(msgspec.structs.replace(entry.intent, id="cxother", leg="exit", slot="x", cause=""))
    house.post("resync", mode="TEST")
    await house.tracker.take_messages()
    assert list(house.test.positions) == ["AAAUSDT"] and "left alone" in house.notices()[-1].why


async def test_cleartracked_drops_only_what_is_not_held(house):
    await house.bought()
    await house.bought("BBBUSDT")
    await house.bought("CCCUSDT")
    house.account.coins |= {"BBB": D(0), "CCC": D("0.5")}
    balances = await house.account.balances()
    found = resync.clearable(house.on_disk(), balances, house.venue.listed)
    assert [change.line() for change in found] == ["BBBUSDT: drop (none in the account)",
                                                   "CCCUSDT: drop (none in the account)"]
    house.post("clear_tracked", mode="TEST", symbols=["BBBUSDT", "AAAUSDT"])
    await house.turn()
    assert sorted(house.on_disk()) == ["AAAUSDT", "CCCUSDT"]
    house.post("clear_tracked", mode="TEST", symbols=[])
    await house.turn()
    assert sorted(house.on_disk()) == ["AAAUSDT"]


async def test_a_delisted_token_is_dropped_by_hand_only(house):
    await house.bought()
    del house.venue.listed["AAAUSDT"]
    assert await shown(house) == []
    found = resync.clearable(house.on_disk(), {"AAA": Balance("AAA", D(49), D(0))}, {})
    assert [change.line() for change in found] == ["AAAUSDT: drop (not listed any more)"]


def test_locked_coins_are_held_coins():
    assert resync.total({"A": Balance("A", D(1), D(2))}, "A") == 3
    assert resync.total({}, "A") == 0 and market().base == "AAA"
