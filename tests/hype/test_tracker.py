"""The tracker on a venue in memory: what it buys, how it guards, how everything gets out."""

import asyncio
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.types import Fill, Mode, OrderType, Side, Unavailable
from modules.strategies.hype.files import TestMode, mode_file
from modules.strategies.hype.settings import HypeSettings
from tests.execution.venue import lost_after, lost_before, never_left, no_market_orders, part, refuse
from tests.hype.tracker_house import House

D = Decimal


@pytest.fixture
def house(tmp_path) -> House:
    made = House(tmp_path)
    made.venue.add("AAAUSDT", "1")
    return made


def reasons(house: House, mode: Mode = Mode.TEST) -> list[str]:
    return [trade.reason for trade in house.trades(mode) if trade.side == "SELL"]


# --- entries ---------------------------------------------------------------------------------------------------


async def test_a_proposal_becomes_a_guarded_position_a_trade_and_a_notice(house):
    position = await house.bought()
    assert house.on_disk() == {"AAAUSDT": position}
    assert position.quantity == 49 and position.entry_price == D("1.0001")
    assert position.cost_usdt == 49 * D("1.0001") * D("1.001")
    assert [str(price) for price in position.tp_prices] == ["1.0302", "1.0602", "1.0902"]
    assert position.sl_price == D("0.9750")
    assert [(trade.side, trade.closes) for trade in house.trades()] == [("BUY", False)]
    assert [notice.level for notice in house.notices()] == ["trade"]
    assert house.notices()[0].mode == "TEST" and "AAAUSDT" in house.notices()[0].what
    assert house.run.inbox.waiting() == 0 and house.test.open_entries() == []


def without_fills(house: House) -> Callable[[], None]:
    """The venue tells no fills until the function that is returned is called."""
    honest = house.account.fills

    async def missing(symbol: str, since_ms: int) -> list[Fill]:
        raise Unavailable("no fills now")

    house.account.fills = missing  # type: ignore[method-assign]
    return lambda: setattr(house.account, "fills", honest)


async def test_a_purchase_whose_fills_cannot_be_read_is_guarded_at_once_and_recorded_exactly(house):
    tell, house.account.fee_in_base = without_fills(house), True
    position = await house.bought()
    assert position.quantity == 49 and position.sl_price == D("0.9750"), "by its order, fees reckoned on top"
    assert house.on_disk() == {"AAAUSDT": position} and not house.trades() and house.test.open_entries()
    assert [notice.level for notice in house.notices()] == ["warning"]
    house.crash()
    await house.turn(AAAUSDT="1.001")
    assert house.test.positions["AAAUSDT"].quantity == 49 and len(house.account.placed) == 1
    tell()
    await house.until(lambda: not house.test.open_entries())
    exact = house.test.positions["AAAUSDT"]
    assert exact.quantity == exact.initial_quantity == 49 * D("0.999") and exact.cost_usdt == 49 * D("1.0001")
    assert exact.fees_usdt == 49 * D("1.0001") * D("0.001")
    assert [(trade.side, trade.quantity, trade.fee_usdt) for trade in house.trades()] == [
        ("BUY", exact.quantity, exact.fees_usdt)]
    assert not house.test.books.pending and house.test.books.held("AAAUSDT") == exact.quantity


async def test_the_stop_of_a_purchase_without_fills_does_not_wait_for_them(house):
    tell = without_fills(house)
    await house.bought()
    began = asyncio.Event()

    async def never(entry: object) -> object:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody ends this")

    resume, house.test.executor.resume = house.test.executor.resume, never
    await house.turn(quiet=False, AAAUSDT="1")
    await asyncio.wait_for(began.wait(), 30)  # somebody asks for its fills and gets no answer
    await house.turn(quiet=False, AAAUSDT="0.9")
    async with asyncio.timeout(30):
        while len(house.account.placed) < 2:
            await asyncio.sleep(0.001)
    assert house.account.placed[1].side is Side.SELL and house.account.placed[1].quantity == 49
    house.test.executor.resume = resume
    tell()
    house.crash()
    await house.until(lambda: not house.test.positions and not house.test.open_entries())
    assert sorted((trade.side, trade.quantity, trade.closes) for trade in house.trades()) == [
        ("BUY", 49, False), ("SELL", 49, True)]
    assert not house.account.coins.get("AAA")


async def test_an_entry_never_pays_more_than_the_slippage_allows(house):
    await house.bought()
    order = house.account.placed[0]
    assert order.type is OrderType.IOC and order.price == D("1.0151")


async def test_a_fee_in_the_coin_shrinks_the_position_not_the_books(house):
    house.account.fee_in_base = True
    position = await house.bought()
    assert position.quantity == 49 * D("0.999")
    assert position.cost_usdt == 49 * D("1.0001")
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {} and house.account.placed[-1].quantity == 48


@pytest.mark.parametrize(("change", "code"), [
    ({"price": 0.9}, "SLIPPAGE"), ({"market_ms": 1}, "TOO_OLD"), ({"symbol": "NONEUSDT"}, "NOT_LISTED"),
    ({"size_factor": 0.01}, "MIN_NOTIONAL"),
])
async def test_a_refused_proposal_is_answered_for_and_gone(house, change, code):
    house.propose(**change)
    await house.turn()
    assert house.account.placed == [] and house.run.inbox.waiting() == 0
    assert code in house.beat()["last_refusal"]


async def test_limits_see_the_effect_of_the_entries_before_them(tmp_path):
    house = House(tmp_path, HypeSettings(max_open_trades=2))
    for symbol in ("AUSDT", "BUSDT", "CUSDT"):
        house.venue.add(symbol)
        house.propose(symbol)
    await house.turn()
    assert sorted(house.on_disk()) == ["AUSDT", "BUSDT"]


async def test_a_book_too_thin_for_the_minimum_is_not_bought_from(house):
    house.venue.depth["AAAUSDT"] = D("0.5")
    house.propose()
    await house.turn()
    assert house.account.placed == [] and "too little is offered" in house.beat()["last_refusal"]


async def test_the_size_is_what_the_book_offers_up_to_the_worst_price(house):
    house.venue.depth["AAAUSDT"] = D(20)
    assert (await house.bought()).quantity == 20


async def test_paused_means_no_entries_and_guarding_as_before(house):
    await house.bought()
    house.post("pause", on=True, reason="holiday")
    await house.turn()
    house.venue.add("BBBUSDT")
    house.propose("BBBUSDT")
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {} and reasons(house) == ["stop"]
    assert "PAUSED" in house.beat()["last_refusal"] and house.beat()["stopped_test"] == "PAUSED: holiday"
    house.crash()
    assert house.risk().trading == "PAUSED" and house.risk(Mode.LIVE).trading == "PAUSED"
    house.post("pause", on=False, reason="back")
    house.propose("BBBUSDT")
    await house.turn()
    assert list(house.on_disk()) == ["BBBUSDT"]


async def test_the_same_message_never_buys_twice(house):
    message = house.propose()
    waiting = next(house.run.inbox.folder.glob("[0-9]*.json"))
    body = waiting.read_bytes()
    await house.turn()
    (house.run.inbox.folder / "handled.ids").unlink()  # the mark was lost in a crash, the file came back
    waiting.write_bytes(body)
    house.crash()
    house.post("sell_all", mode="TEST")
    await house.until(lambda: not house.test.positions)
    waiting.write_bytes(body)
    await house.turn()
    assert [order.side for order in house.account.placed] == [Side.BUY, Side.SELL]
    assert message in {entry.intent.cause for entry in house.tracker.journal.entries.values()}


async def test_live_and_test_positions_stand_side_by_side(house):
    await house.bought()
    await house.bought(mode="LIVE")
    assert list(house.on_disk(Mode.TEST)) == list(house.on_disk(Mode.LIVE)) == ["AAAUSDT"]
    assert house.on_disk(Mode.LIVE)["AAAUSDT"].mode == "LIVE"
    await house.turn(AAAUSDT="0.9")
    assert reasons(house, Mode.TEST) == reasons(house, Mode.LIVE) == ["stop"]
    assert {notice.mode for notice in house.notices("trade")} == {"TEST", "LIVE"}


async def test_the_live_account_is_opened_only_when_needed(house):
    await house.turn()
    assert house.opened == [Mode.TEST]
    mode_file(house.paths).save(TestMode(test_mode=False))
    await house.turn()
    assert house.opened == [Mode.TEST, Mode.LIVE]


async def test_a_key_that_may_withdraw_takes_no_entries(house):
    house.key_problem = "This key can withdraw"
    house.propose(mode="LIVE")
    await house.turn()
    assert house.accounts[Mode.LIVE].placed == [] and "can withdraw" in house.beat()["last_refusal"]


async def test_live_positions_without_an_account_are_an_alert(house):
    await house.bought(mode="LIVE")
    house.crash()
    house.account_down[Mode.LIVE] = "LIVE trading needs a key"
    await house.turn()
    await house.turn()
    alerts = house.notices("alert")
    assert len(alerts) == 1 and alerts[0].mode == "LIVE" and "NOT guarded" in alerts[0].todo
    assert list(house.on_disk(Mode.LIVE)) == ["AAAUSDT"]


async def test_a_message_that_makes_no_sense_is_told_and_set_aside(house):
    house.post("sell", symbol=7)
    house.post("dance")
    await house.turn()
    assert [notice.level for notice in house.notices()] == ["warning", "warning"]
    assert house.run.inbox.waiting() == 0


# --- exits -----------------------------------------------------------------------------------------------------


async def test_the_ladder_and_the_trailing_remainder(house):
    await house.bought()
    await house.turn(AAAUSDT="1.0302")
    assert house.on_disk()["AAAUSDT"].quantity == 30 and house.on_disk()["AAAUSDT"].tp_hit == 1
    assert house.on_disk()["AAAUSDT"].sl_price > D("1.0020")  # break-even with both fees
    await house.turn(AAAUSDT="1.0602")
    await house.turn(AAAUSDT="1.0902")
    assert house.on_disk()["AAAUSDT"].trailing
    await house.turn(AAAUSDT="1.2")
    assert house.test.positions["AAAUSDT"].dynamic_peak == D("1.2")
    await house.turn(AAAUSDT="1.1641")
    await house.turn(AAAUSDT="1.164")
    assert reasons(house) == ["tp1", "tp2", "tp3", "trailing"]
    sold = [trade for trade in house.trades() if trade.side == "SELL"]
    assert sum(trade.quantity for trade in sold) == 49 and sold[-1].closes
    earned = sum((trade.pnl_usdt for trade in sold), D(0))
    assert abs(earned - (house.account.coins["USDT"] - 10_000)) < D("1e-18")
    assert house.on_disk() == {} and house.account.coins["AAA"] == 0


async def test_the_peak_is_kept_over_a_restart(house):
    await house.bought()
    await house.turn(AAAUSDT="1.0902")
    await house.turn(AAAUSDT="1.3")
    house.crash()
    await house.turn(AAAUSDT="1.2611")
    await house.turn(AAAUSDT="1.261")
    assert reasons(house)[-1] == "trailing"


async def test_twenty_stops_at_once_all_get_out(house):
    symbols = [f"T{number:02d}USDT" for number in range(20)]
    for symbol in symbols:
        house.venue.add(symbol)
        house.propose(symbol)
    await house.turn()
    assert len(house.on_disk()) == 20
    faults = [lost_after, lost_before, never_left, refuse("429"), part("0.4"), None]
    house.account.faults = deque(faults[number % len(faults)] for number in range(20))
    sent_at_once = asyncio.Event()
    honest = house.account.place
    under_way = 0

    async def place(request):
        nonlocal under_way
        under_way += 1
        if under_way == 20:
            sent_at_once.set()
        await asyncio.wait_for(sent_at_once.wait(), 60)
        return await honest(request)

    house.account.place = place
    await house.until(lambda: not house.test.positions, **dict.fromkeys(symbols, "0.9"))
    assert all(house.account.coins[symbol.removesuffix("USDT")] == 0 for symbol in symbols)
    assert house.on_disk() == {} and len(reasons(house)) >= 20
    sold = [order for order in house.account.placed if order.side is Side.SELL]
    assert len({order.client_id for order in sold}) == len(sold)


async def test_a_pair_that_refuses_market_orders_is_left_by_widening_limits(house):
    await house.bought()
    house.account.faults = deque([no_market_orders, part("0"), part("0.5"), part("0")])
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    sold = [order for order in house.account.placed if order.side is Side.SELL]
    assert [order.type for order in sold] == [OrderType.MARKET] + [OrderType.IOC] * 4
    floors = [order.price for order in sold[1:]]
    assert floors == [D("0.8910"), D("0.8820"), D("0.8640"), D("0.8280")]
    assert any("not through after 3 attempts" in notice.what for notice in house.notices("alert"))


async def test_a_second_wish_to_sell_does_not_forget_what_the_pair_refuses(house):
    await house.bought()
    house.account.faults = deque([no_market_orders])
    await house.turn(AAAUSDT="0.9")
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    await house.turn()
    assert [order.type for order in house.account.placed[1:]] == [OrderType.MARKET, OrderType.IOC]


async def test_what_a_thin_book_does_not_take_at_a_target_joins_the_next(house):
    await house.bought()
    house.venue.depth["AAAUSDT"] = D(5)
    await house.turn(AAAUSDT="1.0302")
    position = house.on_disk()["AAAUSDT"]
    assert (position.quantity, position.owed, position.tp_hit) == (44, 14, 1)
    house.venue.depth["AAAUSDT"] = D(1000)
    await house.turn(AAAUSDT="1.0602")
    assert house.on_disk()["AAAUSDT"].quantity == 44 - 14 - 14


async def test_a_target_that_nobody_buys_at_is_tried_again_while_the_price_stands(house):
    await house.bought()
    house.account.faults = deque([part("0")])
    await house.turn(AAAUSDT="1.0302")
    assert house.test.positions["AAAUSDT"].tp_hit == 0
    await house.until(lambda: house.test.positions["AAAUSDT"].tp_hit == 1, AAAUSDT="1.0302")
    assert reasons(house) == ["tp1"]


async def test_a_remainder_that_the_exchange_refuses_ends_as_dust_on_record(house):
    await house.bought()
    house.venue.add("AAAUSDT", min_notional=D(60))
    await house.turn(AAAUSDT="0.9")
    last = house.trades()[-1]
    assert (last.reason, last.closes, last.quantity, last.quote_usdt) == ("dust", True, 49, 0)
    assert last.pnl_usdt == -49 * D("1.0001") * D("1.001")
    assert house.on_disk() == {}


async def test_an_exit_that_cannot_be_written_down_is_not_sent_and_told(house):
    await house.bought()
    path = house.tracker.journal.path
    house.tracker.journal.path = house.home  # the disk refuses
    await house.until(lambda: house.notices("alert"), AAAUSDT="0.9")
    assert len(house.account.placed) == 1
    house.tracker.journal.path = path
    await house.until(lambda: not house.test.positions)
    assert reasons(house) == ["stop"]


async def test_a_full_disk_loses_no_position_and_repeats_no_order(house, monkeypatch):
    def refuse_write(*_):
        raise OSError("no space left")

    await house.turn()
    with monkeypatch.context() as patch:
        patch.setattr(type(house.test.files.tracked), "save", refuse_write)
        house.propose()
        await house.turn()
        assert list(house.test.positions) == ["AAAUSDT"] and len(house.test.open_entries()) == 1
        house.venue.add("BBBUSDT")
        house.propose("BBBUSDT")
        await house.turn()
        assert len(house.account.placed) == 1
        assert [notice.what for notice in house.notices("alert")] == ["The tracker cannot write its files"]
    await house.turn()
    assert list(house.on_disk()) == ["AAAUSDT"] and house.test.open_entries() == []
    assert len(house.trades()) == 1 and len(house.account.placed) == 1


# --- by hand ---------------------------------------------------------------------------------------------------


async def test_sell_all_sells_one_mode_and_nothing_buys_straight_back(house):
    await house.bought()
    await house.bought(mode="LIVE")
    house.post("sell_all", mode="TEST")
    await house.turn()
    assert house.on_disk(Mode.TEST) == {} and list(house.on_disk(Mode.LIVE)) == ["AAAUSDT"]
    assert reasons(house) == ["manual"]
    house.propose()
    await house.turn()
    assert "COOL_DOWN" in house.beat()["last_refusal"]


async def test_even_without_cool_downs_a_sale_by_hand_rests(tmp_path):
    house = House(tmp_path, HypeSettings(cooldown_after_sell_s=0, cooldown_after_stop_s=0))
    await house.bought()
    house.post("sell", symbol="AAAUSDT", mode="TEST", reason="manual")
    await house.turn()
    house.propose()
    await house.turn()
    assert "COOL_DOWN" in house.beat()["last_refusal"]
    house.venue.clock.pass_s(900)
    house.propose()
    await house.turn()
    assert list(house.on_disk()) == ["AAAUSDT"]


async def test_a_stop_rests_longer_than_a_sale(house):
    await house.bought()
    await house.turn(AAAUSDT="0.9")
    for hours, held in ((3.9, False), (0.2, True)):
        house.venue.clock.pass_s(hours * 3600)
        house.propose()
        await house.turn()
        assert ("AAAUSDT" in house.on_disk()) is held


async def test_a_wish_to_sell_survives_a_crash_before_the_sale(house):
    await house.bought()
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    await house.tracker.take_messages()
    house.crash()
    await house.turn()
    assert reasons(house) == ["manual"]


async def test_a_wish_to_sell_is_carried_out_between_two_looks(house):
    await house.bought()
    house.tracker.pause_s = lambda: 60.0
    resting = asyncio.create_task(house.tracker.rest())
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    async with asyncio.timeout(60):
        while house.test.positions or house.test.busy:
            await asyncio.sleep(0.01)
    house.run.stop.set()
    await resting
    assert reasons(house) == ["manual"]


async def test_selling_what_is_not_held_is_answered(house):
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    await house.turn()
    assert [notice.what for notice in house.notices()] == ["Nothing to sell"]


# --- the end ---------------------------------------------------------------------------------------------------


async def test_stopping_says_what_stays_unguarded(house):
    await house.bought()
    await house.tracker.finish()
    await house.tracker.close()
    assert "unguarded: 1 TEST" in house.notices("warning")[0].what
    assert house.account.closed


async def test_a_stop_with_nothing_held_is_silent(house):
    await house.turn()
    await house.tracker.finish()
    assert house.notices() == []


def test_the_tracker_loads_nothing_heavy():
    code = ("import sys, modules.strategies.hype.tracker_service; "
            "print([name for name in ('pandas', 'lightgbm', 'sklearn', 'numba', 'aiogram', 'matplotlib', 'talib') "
            "if name in sys.modules])")
    environment = {key: value for key, value in os.environ.items() if key != "COXSWAIN_COMPILED"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2], text=True,
                          capture_output=True, check=True)
    assert done.stdout.strip() == "[]"
