"""Decisions carried out on a venue in memory: entry, first target, break-even, exits, refusals, deaths, bad input."""

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from modules.exchange import futures_paper
from modules.exchange.types import Mode, Unavailable
from modules.execution.crashpoints import declared
from modules.execution.futures import desk, exits
from modules.strategies.showdown import chase, first_target, trader
from modules.strategies.showdown.trade_book import TradeBook
from tests.execution.futures.house import SYMBOL
from tests.execution.futures.test_crash import Bomb, Crashed
from tests.strategies.showdown.trading import OWN, Trading, decision

ROOMS = (trader, chase, first_target)
POINTS = sorted(name for name, module in declared().items() if module in {room.__name__ for room in ROOMS})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(futures_paper, "AGAIN_S", -1.0)
    monkeypatch.setattr(desk, "FLAT_FOR_S", 0.0)
    monkeypatch.setattr(exits, "PAUSE_S", 0.001)
    monkeypatch.setattr(chase, "LEAST_REST_S", 0.02)
    monkeypatch.setattr(chase, "PAUSE_S", 0.005)


@pytest.fixture
async def trading(tmp_path: Path) -> AsyncIterator[Trading]:
    made = await Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02})).open()
    yield made
    await made.close()


async def through(at: Trading, price: str) -> None:
    """The market is at a price now."""
    at.venue.price[SYMBOL] = D(price)
    await at.turns()


@pytest.mark.parametrize("side", [1, -1])
async def test_from_decision_to_the_second_target(trading, side):
    await trading.enter(side)
    trade = trading.trades[0]
    assert abs(await trading.held()) == 1 and not await trading.house.naked()
    plan = trading.house.books.plans[trading.trader.leg(trade)]
    assert (plan.stop, plan.take) == (trade.sl, trade.tp2)
    await through(trading, str(trade.tp1))
    await trading.until(lambda: trading.trades[0].part_done)
    assert abs(await trading.held()) == D("0.5")
    await trading.until(lambda: trading.trades[0].stop != trade.sl)
    trade = trading.trades[0]
    stops = [one for one in await trading.house.triggers() if one.kind == "STOP_MARKET"]
    assert [one.trigger for one in stops] == [trade.stop] and not await trading.house.naked()
    await through(trading, str(trade.tp2))
    await trading.until(lambda: not trading.trades)
    (one,) = trading.ended()
    assert one.ended == "second target" and one.net > 0 and one.quantity == 1
    assert one.net == one.realised - one.fees + one.funding
    wallet = (await trading.house.account.wallet()).balance
    assert abs(wallet - 10_000 - one.net) < D("1e-6")
    assert any("closed" in text and "ORDERS" in text for text in trading.said())


async def test_break_even_after_the_first_target(trading):
    await trading.enter()
    trade = trading.trades[0]
    await through(trading, str(trade.tp1))
    await trading.until(lambda: trading.trades[0].stop != trade.sl)
    await through(trading, str(trading.trades[0].stop - 1))
    await trading.until(lambda: not trading.trades)
    assert trading.ended()[0].ended == "break-even" and await trading.held() == 0


async def test_the_stop_ends_it_and_the_loss_stays_within_the_risk(trading):
    await trading.enter()
    trade = trading.trades[0]
    await through(trading, str(trade.sl))
    await trading.until(lambda: not trading.trades)
    one = trading.ended()[0]
    assert one.ended == "stop" and one.net < 0
    assert -one.net <= trade.risk * D("1.01")


async def test_a_market_that_runs_away_is_chased_to_the_drift_and_no_further(trading):
    trading.trader.offer(decision(trading.venue, confidence=0.1))
    trading.venue.price[SYMBOL] = D(2010)
    await trading.until(lambda: not trading.trades and trading.trader.book.trades.seen)
    orders = trading.house.account.orders_of("entry")
    assert len(orders) == OWN.chase_requotes + 1
    prices = [one.price for one in orders]
    assert prices == sorted(prices) and prices[-1] <= D(2000) + D(30) * D(str(OWN.chase_drift_pct)) / 100
    assert any("not opened" in text and "CONFIDENCE" in text for text in trading.said())
    assert await trading.held() == 0


async def test_the_rest_is_taken_in_an_emergency_once(trading):
    trading.trader.offer(decision(trading.venue))
    trading.venue.price[SYMBOL] = D("2000.5")
    end = time.monotonic() + 60
    while time.monotonic() < end and not (trading.trades and not trading.trades[0].entering):
        await trading.house.desk.look()
        await trading.trader.turn()
        await asyncio.sleep(0.005)
    kinds = [str(one.type) for one in trading.house.account.orders_of("entry")]
    assert kinds.count("IOC") <= 1
    assert await trading.held() > 0


async def test_a_decision_is_followed_once_and_only_in_its_mode(trading):
    wanted = decision(trading.venue)
    live = decision(trading.venue, mode="LIVE", symbol=SYMBOL)
    trading.trader.offer(live)
    await trading.turns(2)
    assert not trading.trades and not trading.house.account.placed
    trading.trader.offer(wanted)
    await trading.until(lambda: trading.trades and not trading.trades[0].entering)
    await trading.trader.close(SYMBOL, "closed by hand")
    await trading.until(lambda: not trading.trades)
    trading.trader.offer(wanted)
    await trading.turns(3)
    assert not trading.trades and len(trading.ended()) == 1
    assert trading.ended()[0].ended == "closed by hand"


async def test_while_one_is_held_another_decision_is_left(trading):
    await trading.enter()
    trading.trader.offer(decision(trading.venue, -1))
    await trading.turns(3)
    assert len(trading.trades) == 1 and trading.trades[0].long and await trading.held() == 1


async def test_the_longest_time_ends_it(trading):
    await trading.enter()
    trading.trader.settings = OWN.model_copy(update={"max_hold_s": 0.0})
    await trading.until(lambda: not trading.trades)
    assert "longest time" in trading.ended()[0].ended


@pytest.mark.parametrize(("changes", "code"), [
    ({"sl": "NaN"}, "FIGURES"), ({"quantity": "NaN"}, "FIGURES"), ({"ms": 1}, "STALE"),
    ({"ms": 4_000_000_000_000}, "CLOCK")])
async def test_a_decision_that_cannot_be_is_refused_in_words(trading, changes, code):
    trading.trader.offer(decision(trading.venue, **changes))
    await trading.turns(2)
    assert not trading.house.account.placed
    seen = changes.get("ms") == 1 or any(code in text for text in trading.said())
    assert seen


@pytest.mark.parametrize("what", ["leverage", "margin", "hedge"])
async def test_leverage_or_mode_changed_by_hand_stops_entries_and_is_told(trading, what):
    from modules.exchange.futures_types import MarginMode
    account = trading.house.account
    if what == "leverage":
        await account.set_leverage(SYMBOL, 20)
    elif what == "margin":
        await account.set_margin(SYMBOL, MarginMode.CROSSED)
    else:
        await account.set_hedge(False)
    trading.trader.offer(decision(trading.venue))
    await trading.until(lambda: any("not opened" in text for text in trading.said()) and not trading.trades)
    assert await trading.held() == 0 and not trading.house.account.placed
    assert any(word.key.startswith(("mode", "setup")) for word in trading.house.words)


async def test_leverage_changed_by_hand_while_held_leaves_the_exits(trading):
    await trading.enter()
    await trading.house.account.set_leverage(SYMBOL, 20)
    await trading.house.desk.verify([SYMBOL])
    assert trading.house.words
    trade = trading.trades[0]
    await through(trading, str(trade.tp1))
    await trading.until(lambda: trading.trades[0].part_done)
    await trading.trader.close(SYMBOL, "closed by hand")
    await trading.until(lambda: not trading.trades)
    assert await trading.held() == 0


async def test_a_position_that_somebody_closed_is_over(trading):
    await trading.enter()
    trade = trading.trades[0]
    from modules.exchange.types import OrderRequest, OrderType, Side
    await trading.house.account.place(OrderRequest("by-hand", SYMBOL, Side.SELL, OrderType.MARKET, D(1),
                                                   position_side=trading.trader.leg(trade).side, reduce_only=True))
    for _ in range(3):
        await trading.house.reconciler.pass_()
    await trading.until(lambda: not trading.trades)
    assert len(trading.ended()) == 1 and not await trading.house.triggers()


async def test_a_venue_that_is_away_moves_nothing_and_loses_nothing(trading, monkeypatch):
    await trading.enter()

    async def away(*_: object, **__: object) -> None:
        raise Unavailable("no answer")
    with monkeypatch.context() as patch:
        patch.setattr(trading.house.account, "positions", away)
        with pytest.raises(Unavailable):
            await trading.turns()
        await trading.trader.turn()
    assert trading.trades and await trading.held() == 1
    await trading.turns(2)
    assert trading.trades and not await trading.house.naked()


async def test_rows_tell_the_chain_from_decision_to_cost(trading):
    await trading.enter()
    await trading.trader.close(SYMBOL, "closed by hand")
    await trading.until(lambda: not trading.trades)
    trading.sql.follow()
    trading.sql.equity(await trading.house.account.wallet(), 5)
    orders = [row for table, row in trading.rows if table == "orders"]
    fills = [row for table, row in trading.rows if table == "trades"]
    one = trading.ended()[0]
    entry = next(row for row in orders if row["leg"] == "entry" and row["filled"])
    assert one.id in entry["reason"] and entry["client_id"] in one.orders and entry["account"] == "showdown-test"
    assert {row["trade_id"] for row in fills} == set(one.fills)
    assert sum(row["fee"] for row in fills) == one.fees
    assert {row["leg"] for row in orders} >= {"entry", "stop", "take", "exit"}
    assert [row["equity"] for table, row in trading.rows if table == "equity_curve"]
    before = len(trading.rows)
    assert trading.sql.follow() == 0 and len(trading.rows) == before


async def test_a_stop_of_the_service_takes_back_the_quote_and_keeps_the_guards(trading, monkeypatch):
    trading.trader.settings = OWN.model_copy(update={"chase_rest_s": 30})
    trading.venue.depth = D("0.3")
    trading.trader.offer(decision(trading.venue))
    end = time.monotonic() + 60
    while time.monotonic() < end and not await trading.house.account.open_orders():
        await trading.trader.turn()
        await asyncio.sleep(0.005)
    monkeypatch.setattr(trader, "STOP_S", 60.0)
    await trading.trader.stop()
    await trading.house.desk.shut()
    assert not await trading.house.account.open_orders()
    assert not await trading.house.naked()


@pytest.mark.parametrize("point", POINTS)
async def test_a_death_at_every_step_ends_at_the_same_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            point: str) -> None:
    bomb = Bomb(monkeypatch, point)
    for room in ROOMS:
        monkeypatch.setattr(room, "crash_point", bomb.pass_)
    at = await Trading(tmp_path, OWN.model_copy(update={"chase_rest_s": 0.02})).open()
    try:
        bomb.armed = True
        try:
            await story(at, emergency=point.startswith("emergency"))
        except Crashed:
            pass
        struck = bomb.struck
        bomb.armed = bomb.struck = False
        assert struck, f"{point} was not passed"
        await at.die()
        await at.until(lambda: not at.trades or not at.trades[0].entering)
        assert not await at.house.naked()
        if at.trades:
            await at.trader.close(SYMBOL, "end of the test")
            await at.until(lambda: not at.trades)
        assert await at.held() == 0 and not await at.house.triggers()
        assert (await at.house.settle()).clean
        assert len({one.id for one in at.ended()}) == len(at.ended()) <= 1
        bought = sum((fill.quantity for one in at.ended() for fill in at.house.account.ledger.fills
                      if fill.id in one.fills and fill.side == "BUY"), D(0))
        assert bought <= 1  # never more than was decided
    finally:
        await at.close()


async def story(at: Trading, emergency: bool) -> None:
    """One whole trade: in, first target, break-even, out."""
    at.trader.offer(decision(at.venue))
    if emergency:
        at.venue.price[SYMBOL] = D("2000.5")
        at.trader.settings = OWN.model_copy(update={"chase_requotes": 1, "chase_rest_s": 0.02})
    await crashing(at, lambda: at.trades and not at.trades[0].entering)
    await crashing(at, lambda: at.trades[0].stays is not None)
    trade = at.trades[0]
    at.venue.price[SYMBOL] = trade.tp1
    await crashing(at, lambda: at.trades[0].stop != trade.sl)
    at.venue.price[SYMBOL] = trade.tp2
    await crashing(at, lambda: not at.trades)


async def crashing(at: Trading, condition) -> None:
    """As `until`; a crash in what the trader began is one of the process."""
    for _ in range(500):
        if condition():
            return
        await at.house.desk.look()
        await at.house.reconciler.pass_()
        await at.trader.turn()
        for done in await asyncio.gather(*at.trader._busy.values(), return_exceptions=True):
            if isinstance(done, Crashed):
                raise done
        await asyncio.sleep(0.002)
    raise AssertionError("the story does not go on")




async def test_funding_paid_just_before_the_end_is_in_the_record(trading, monkeypatch):
    """The row stands at the venue, and no pass has brought it into the books yet."""
    from modules.exchange.futures_types import Income
    await trading.enter()
    trade, account = trading.trades[0], trading.house.account
    before = account.incomes
    late = Income("late", "FUNDING_FEE", SYMBOL, D("-1.5"), "USDT", trade.decided_ms + 1)

    async def incomes(since_ms: int):
        return [*await before(since_ms), *([late] if since_ms <= late.market_ms else [])]
    monkeypatch.setattr(trading.house.reconciler, "pass_", trading.house.desk.look)
    monkeypatch.setattr(account, "incomes", incomes)
    await trading.trader.close(SYMBOL, "closed by hand")
    await trading.until(lambda: not trading.trades)
    one = trading.ended()[0]
    assert one.funding == D("-1.5") and one.net == one.realised - one.fees - D("1.5")


@pytest.mark.parametrize("hours", [-1, 1], ids=["back", "ahead"])
async def test_a_clock_jump_in_mid_trade_opens_nothing_and_loses_nothing(trading, hours):
    """A decision from before the jump is refused by name, the position stays guarded and goes on to its own exit. A
    clock that was behind comes right again, one that was ahead stays there (market time never goes back)."""
    await trading.enter()
    held, clock = trading.trades[0], trading.venue.clock
    waiting = decision(trading.venue, -1, symbol="SOLUSDT", ms=clock.now_ms())
    before = clock.now_ms
    clock.now_ms = lambda: before() + hours * 3_600_000
    placed = len(trading.house.account.orders_of("entry"))
    trading.trader.offer(waiting)
    await trading.turns(3)
    assert any(("CLOCK" if hours < 0 else "STALE") in text for text in trading.said())
    assert len(trading.house.account.orders_of("entry")) == placed and [one.id for one in trading.trades] == [held.id]
    assert not await trading.house.naked()
    if hours < 0:
        clock.now_ms = before
    trading.venue.price[SYMBOL] = held.sl
    await trading.until(lambda: not trading.trades)
    (one,) = trading.ended()
    assert one.ended == "stop" and one.quantity == 1 and one.net < 0 and await trading.held() == 0


async def test_a_decision_passed_over_while_a_trade_is_altered_loses_neither(trading, monkeypatch):
    """Both write the same file, each in a thread of its own."""
    await trading.enter()
    trade, book = trading.trades[0], trading.trader.book
    save = book._file.save

    def slow(trades):
        time.sleep(0.05)
        save(trades)

    monkeypatch.setattr(book._file, "save", slow)
    other = decision(trading.venue, -1, symbol="SOLUSDT", ms=trade.decided_ms - 3_600_000)
    await asyncio.gather(trading.trader._alter(trade, leave=D("0.5")), trading.trader._take(other))
    again = TradeBook(trading.house.paths.data, Mode.TEST)
    again.load()
    assert again.trades == book.trades
    assert book.trades.open[SYMBOL].leave == D("0.5") and book.trades.seen["SOLUSDT"] == other.ms


async def test_a_trade_that_is_over_does_not_come_back_by_a_change_under_way(trading, monkeypatch):
    await trading.enter()
    trade, book = trading.trades[0], trading.trader.book
    save = book._file.save

    def slow(trades):
        time.sleep(0.05)
        save(trades)

    await trading.house.desk.close(trading.trader.leg(trade), "test")
    await trading.house.settle()
    for _ in range(5):
        await trading.house.desk.look()
    monkeypatch.setattr(book._file, "save", slow)
    await asyncio.gather(trading.trader._end(trade, trading.trader.leg(trade)),
                         trading.trader._alter(trade, stop=trade.sl + 1))
    assert not book.trades.open and len(trading.ended()) == 1


@pytest.mark.parametrize("other", ["flat", "other way", "killed"])
async def test_what_a_person_closed_is_not_opened_straight_again(trading, other):
    """X37: the same rules speak for the same direction a moment later; another word of theirs ends the rest."""
    await trading.enter()
    await trading.trader.close(SYMBOL, "closed by a person")
    await trading.until(lambda: not trading.trades)
    if other == "killed":
        await trading.die()
    trading.trader.offer(decision(trading.venue))
    await trading.turns(3)
    assert not trading.trades and any("closed by hand" in text for text in trading.said())
    told = decision(trading.venue, -1) if other == "other way" else decision(trading.venue, action="flat")
    trading.trader.offer(told)
    await trading.turns(3)
    if other == "other way":
        assert trading.trades and not trading.trades[0].long
        return
    await trading.enter()
    assert trading.trades[0].long


async def test_a_leg_closed_by_hand_through_its_keeper_is_not_opened_straight_again(trading):
    """/closeleg speaks to the keeper, not to system C."""
    await trading.enter()
    trading.house.desk.close_soon(trading.trader.leg(trading.trades[0]), "by a person")
    await trading.until(lambda: not trading.trades)
    trading.trader.offer(decision(trading.venue))
    await trading.turns(3)
    assert not trading.trades


async def test_what_ended_by_itself_may_be_opened_again(trading):
    await trading.enter()
    trading.trader.settings = OWN.model_copy(update={"max_hold_s": 0.0})
    await trading.until(lambda: not trading.trades)
    trading.trader.settings = OWN
    await trading.enter()
    assert trading.trades
