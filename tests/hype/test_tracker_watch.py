"""What can go wrong around a held position: silence, halts, delistings, missing coins, time unguarded, days."""

import asyncio
from decimal import Decimal

import pytest

from modules.exchange.types import Book, Mode, Side, Ticker, Unavailable
from modules.strategies.hype import beside, tracker, tracker_watch
from modules.strategies.hype.beside import Beside
from modules.strategies.hype.tracker_looks import bid_of_book, bid_of_ticker
from tests.execution.venue import market
from tests.hype.tracker_house import House

D = Decimal


@pytest.fixture
def house(tmp_path) -> House:
    made = House(tmp_path)
    made.venue.add("AAAUSDT")
    return made


# --- start -----------------------------------------------------------------------------------------------------


async def test_a_start_while_nothing_answers_forgets_no_position_and_takes_no_entry(house):
    await house.bought()
    house.crash()
    house.account.down = "timeout"
    house.venue.add("BBBUSDT")
    house.propose("BBBUSDT")
    await house.turn()
    assert list(house.test.positions) == ["AAAUSDT"] and "CLOSED" in house.beat()["last_refusal"]
    house.account.down = ""
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {} and house.test.closed == ""


async def test_exits_do_not_wait_for_the_check_of_the_balances(house):
    await house.bought()
    house.crash()
    house.account.down = "timeout"
    await house.turn(AAAUSDT="0.9")
    await house.turn()
    assert house.account.placed[-1].side is Side.SELL
    house.account.down = ""  # what it brought is booked as soon as its fills can be read
    await house.turn()
    await house.turn()
    assert house.on_disk() == {} and len(house.account.placed) == 2


async def test_coins_that_left_while_nobody_looked_are_told_and_never_sold_twice(house):
    await house.bought()
    house.account.coins["AAA"] = D(20)
    house.crash()
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    assert any("only 20 of 49" in notice.what for notice in house.notices("alert"))
    assert house.account.placed[-1].quantity == 20 and house.on_disk() == {}


async def test_a_position_without_any_coins_is_marked_not_removed(house):
    await house.bought()
    house.account.coins["AAA"] = D(0)
    house.crash()
    await house.until(lambda: house.on_disk()["AAAUSDT"].state == "external")
    await house.turn(AAAUSDT="0.9")
    assert len(house.account.placed) == 1 and house.test.positions["AAAUSDT"].quantity == 49
    assert ["none of it" in notice.what for notice in house.notices("alert")] == [True]


async def test_a_position_without_coins_is_left_alone_while_the_other_mode_trades_the_same_token(house):
    await house.bought()
    await house.bought(mode="LIVE")
    house.account.coins["AAA"] = D(0)
    house.crash()
    await house.until(lambda: house.test.positions["AAAUSDT"].state == "external")
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk(Mode.LIVE) == {} and house.on_disk()["AAAUSDT"].state == "external"
    assert len(house.account.placed) == 1


async def test_coins_that_leave_between_two_looks_are_found_at_the_sale(house):
    await house.bought()
    house.account.coins["AAA"] = D(7)
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    assert house.account.placed[-1].quantity == 7


async def test_more_coins_than_tracked_are_none_of_our_business(house):
    await house.bought()
    house.account.coins["AAA"] += 1000
    house.crash()
    await house.turn(AAAUSDT="0.9")
    assert house.account.placed[-1].quantity == 49 and house.account.coins["AAA"] == 1000


async def test_the_first_message_after_a_start_says_how_long_and_what_happened(house):
    await house.bought()
    await house.turn()
    house.crash()
    house.venue.clock.pass_s(1800)
    await house.turn(AAAUSDT="1.02")
    told = house.notices("warning")[0]
    assert "unguarded for 30 min" in told.what
    assert "AAAUSDT: now +2.0 %" in told.why and "low -18.4 %, high +12.2 %" in told.why


async def test_a_short_restart_is_not_worth_a_message(house):
    await house.bought()
    house.crash()
    house.venue.clock.pass_s(20)
    await house.turn()
    assert house.notices("warning") == []


# --- halts (A11) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"trading": False}, {"api_allowed": False}, {"sells": False}])
async def test_a_halt_is_told_once_and_guarding_goes_on_afterwards(house, change):
    await house.bought()
    house.venue.add("AAAUSDT", **change)
    for _ in range(3):
        house.venue.clock.pass_s(61)
        await house.turn(AAAUSDT="0.9")
    assert house.on_disk()["AAAUSDT"].state == "halted"
    assert len(house.account.placed) == 1 and len(house.notices("alert")) == 1
    house.venue.add("AAAUSDT")
    house.venue.clock.pass_s(61)
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {} and house.trades()[-1].reason == "stop"


async def test_a_stop_refused_for_a_halt_is_found_out_at_once(house):
    await house.bought()
    house.venue.listed["AAAUSDT"] = market(trading=False)
    await house.turn(AAAUSDT="0.9")
    await house.turn()
    assert house.on_disk()["AAAUSDT"].state == "halted" and house.on_disk()["AAAUSDT"].reason == "stop"
    house.venue.add("AAAUSDT")
    house.venue.clock.pass_s(61)
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    assert house.trades()[-1].reason == "stop"


async def test_a_token_is_delisted_only_when_two_lists_in_a_row_lack_it(house):
    await house.bought()
    del house.venue.listed["AAAUSDT"]
    house.venue.clock.pass_s(61)
    await house.turn()
    assert house.test.positions["AAAUSDT"].state == "open"
    house.venue.clock.pass_s(61)
    await house.turn()
    assert house.on_disk()["AAAUSDT"].state == "delisted"
    assert "no longer listed" in house.notices("alert")[0].what


async def test_a_wish_to_sell_a_halted_token_is_kept_for_the_day_it_trades(house):
    await house.bought()
    house.venue.add("AAAUSDT", trading=False)
    house.venue.clock.pass_s(61)
    await house.turn()
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    await house.turn()
    house.venue.add("AAAUSDT")
    house.venue.clock.pass_s(61)
    await house.turn()
    assert house.trades()[-1].reason == "manual"


# --- silence ---------------------------------------------------------------------------------------------------


async def test_silence_is_told_once_an_episode_and_nothing_is_decided_on_old_prices(house, monkeypatch):
    monkeypatch.setattr(tracker_watch, "STALE_LEAST_S", 0.0)
    await house.bought()
    await house.turn()
    house.venue.bids["AAAUSDT"] = D(0)
    for _ in range(20):
        await house.turn()
    alerts = house.notices("alert")
    assert len(alerts) == 1 and "No price of AAAUSDT" in alerts[0].what
    assert house.beat()["unguarded"] == 1 and len(house.account.placed) == 1
    await house.turn(AAAUSDT="1")
    assert house.beat()["unguarded"] == 0
    house.venue.bids["AAAUSDT"] = D(0)
    for _ in range(20):
        await house.turn()
    assert len(house.notices("alert")) == 2


async def test_at_high_speed_a_breath_is_not_an_alert(house):
    await house.bought()
    house.venue.bids["AAAUSDT"] = D(0)
    for _ in range(3):
        house.venue.clock.pass_s(600)
        await house.turn()
    assert house.notices("alert") == []


async def test_the_exchange_down_is_a_state_not_a_crash(house):
    await house.bought()
    house.venue.down = "timeout"
    for _ in range(3):
        house.venue.clock.pass_s(61)
        await house.turn()
    assert house.tracker.looks.failed >= 3 and list(house.on_disk()) == ["AAAUSDT"]
    house.venue.down = ""
    await house.turn(AAAUSDT="0.9")
    assert house.on_disk() == {}


async def test_gaps_between_looks_are_measured_in_market_time(house):
    await house.bought()
    for gap in (0, 0, 0, 8):
        house.venue.clock.pass_s(gap)
        await house.turn()
    facts = house.beat()
    assert (facts["look_p50_ms"], facts["look_max_gap_ms"], facts["worst_gap"]) == (2000, 10_000, 10_000)


async def test_many_positions_are_looked_at_with_one_call(house):
    asked: list[str] = []
    honest = house.venue.book

    async def book(symbol, limit=50):
        asked.append(symbol)
        return await honest(symbol, limit)

    for number in range(15):
        await house.bought(f"T{number}USDT")
    house.venue.book = book
    await house.turn()
    assert asked == []
    await house.turn(quiet=True, **{f"T{number}USDT": "0.9" for number in range(15)})
    assert house.on_disk() == {}


@pytest.mark.parametrize(("bids", "asks", "bid"), [
    ([("1", "5")], [("1.1", "5")], "1"), ([], [("1", "5")], None), ([("0", "5")], [], None),
    ([("-1", "5")], [], None), ([("NaN", "5")], [], None), ([("2", "5")], [("1", "5")], None), ([("1", "5")], [], "1")])
def test_only_a_bid_that_makes_sense_is_a_price(bids, asks, bid):
    made = Book("A", tuple((D(p), D(q)) for p, q in bids), tuple((D(p), D(q)) for p, q in asks), 0)
    assert bid_of_book(made) == (None if bid is None else D(bid))


@pytest.mark.parametrize(("bid", "ask", "price"), [
    (0.1, 0.2, "0.1"), (0.0, 1.0, None), (float("nan"), 1.0, None), (float("inf"), 1.0, None), (2.0, 1.0, None),
    (1e-9, 2e-9, "1e-9")])
def test_a_ticker_counts_by_the_same_rule(bid, ask, price):
    assert bid_of_ticker(Ticker("A", 1.0, bid, ask, 1.0, 0.0)) == (None if price is None else D(price))


# --- days ------------------------------------------------------------------------------------------------------


async def test_a_day_is_closed_once_when_it_ends(house):
    await house.bought()
    await house.turn(AAAUSDT="1.0302")
    await house.turn(AAAUSDT="0.9")
    house.venue.clock.pass_s(86_400)
    await house.turn()
    house.crash()
    house.venue.clock.pass_s(86_400)
    await house.turn()
    days = list(house.test.files.summaries.records())
    assert [(day.trades, day.wins) for day in days] == [(1, 0)]
    sales = [trade for trade in house.trades() if trade.side == "SELL"]
    assert days[0].pnl_usdt == pytest.approx(float(sum(trade.pnl_usdt for trade in sales)))
    assert days[0].fees_usdt == pytest.approx(float(sum(trade.fee_usdt for trade in house.trades())))
    assert [notice.what for notice in house.notices() if notice.what.startswith("Day")] == [
        f"Day {days[0].day}: {days[0].pnl_usdt:+.2f} USDT in 1 closed trades"]
    assert list(house.live.files.summaries.records()) == [] and house.live.mode is Mode.LIVE


async def test_a_list_of_markets_or_a_check_that_hangs_does_not_keep_a_stop_waiting(house, monkeypatch):
    await house.bought()
    house.crash()
    await house.tracker.start()
    monkeypatch.setattr(beside, "MOMENT_S", 0.01)

    async def never(*args: object, **more: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(house.venue, "markets", never)
    monkeypatch.setattr(tracker, "check_in", never)
    house.venue.clock.pass_s(120)
    async with asyncio.timeout(60):
        await house.turn(AAAUSDT="0.9")
    assert house.account.placed[-1].side is Side.SELL and house.on_disk() == {}
    await house.tracker.close()


async def test_what_goes_on_beside_is_done_once_and_its_failure_is_told():
    begun = 0

    async def work() -> int:
        nonlocal begun
        begun += 1
        await gate.wait()
        if begun > 1:
            raise Unavailable("no")
        return 7

    gate, beside_it = asyncio.Event(), Beside[int]("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "MOMENT_S", 0.01)
        assert await beside_it.step(work) is None and await beside_it.step(work) is None and begun == 1
        gate.set()
        await asyncio.sleep(0)
        assert await beside_it.step(work) == 7
        with pytest.raises(Unavailable):
            await beside_it.step(work)
