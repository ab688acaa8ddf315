"""A session at work: orders, stops, readings, people's words; what goes wrong stays with its user."""

from decimal import Decimal

import msgspec
import pytest

from modules.exchange.futures_types import Income, TriggerRequest
from modules.exchange.types import Outcome, PositionSide, Refused, Side
from modules.strategies.grid.reconcile import Case
from modules.strategies.grid.state import Mode, restored
from modules.strategies.grid.store.records import Order, Wanted
from tests.strategies.grid.live.conftest import House
from tests.strategies.grid.live.world import new_user
from tests.surroundings import until

D = Decimal
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


async def test_a_grid_opens_adds_takes_its_profit_and_keeps_a_stop(house: House) -> None:
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: account.held[LONG] == D("0.01"), "the first order", 60)
        await until(lambda: len(account.waiting()) == 1, "its stop", 60)
        first = account.waiting()[0]
        assert (first.side, first.position_side, first.quantity) == (Side.SELL, LONG, D("0.01"))
        market.set("59600")  # 0.67 % lower: the next one is due
        await until(lambda: account.held[LONG] == D("0.025"), "the second order", 60)
        await until(lambda: [one.quantity for one in account.waiting()] == [D("0.025")], "one stop of both", 60)
        assert [entry.quantity for entry in host.state.buy.entries] == [D("0.01"), D("0.015")]
        market.set("61500")
        await until(lambda: not account.held[LONG] and not account.waiting(), "everything closed at a profit", 60)
        await until(lambda: host.state.trades == 2 and host.state.buy.realised > 0, "booked", 60)
    assert all(count == 1 for count in account.executed.values())
    state, facts, _ = house.store.sessions.state("ann")  # type: ignore[misc]
    assert restored(state).buy.realised == host.state.buy.realised
    assert facts["worker"] == "w1" and facts["mode"] == "LIVE"


async def test_an_order_leaves_only_after_its_intent_is_saved(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.user("ann")
    account, save = house.world.account("ann"), house.store.sessions.save

    def noted(saves: list[object]) -> set[str]:
        found = save(saves)  # type: ignore[arg-type]
        for one in saves:
            for order in restored(one.state).pending:  # type: ignore[attr-defined]
                account.log.append(f"saved {order.slot}")
        return found

    monkeypatch.setattr(house.store.sessions, "save", noted)
    async with house.running(house.worker()):
        await until(lambda: account.held[LONG], "the first order", 60)
    assert account.log.index("saved b1") < account.log.index("place")


async def test_a_stop_that_fires_closes_entries_and_is_nobody_elses_work(house: House) -> None:
    house.user("ann", space_orders=1, space1_orders=1, space2_orders=1, space3_orders=1)
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "the stop", 60)
        worker.saver.keep(host)
        market.away = True  # the price falls through everything while nobody looks
        market.price = account.waiting()[0].trigger - 10
        account.fire()
        assert not account.held[LONG]
        market.away = False
        await until(lambda: host.state.trades == 1, "the loss is booked", 60)
        assert not host.state.buy_check.manual and host.state.buy.realised < 0
        assert not [text for _, text in house.said if "outside" in text.what]
    assert all(count == 1 for count in account.executed.values())


async def test_what_a_person_trades_blocks_new_levels_until_it_is_acknowledged(house: House) -> None:
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        account.by_hand(Side.BUY, LONG, "0.5")
        await until(lambda: host.state.buy_check.blocked is Case.GREW, "it is seen", 60)
        sent = len(account.sent)
        market.set("59000")
        ticks = host.state.tick
        await until(lambda: host.state.tick > ticks + 12, "it looks on", 60)
        assert len(account.sent) == sent, "no new level"
        house.store.sessions.say("ann", Order.ACKNOWLEDGE, {"side": 1, "answer": "leave"}, "owner")
        await until(lambda: len(account.sent) > sent, "it goes on", 60)
        assert account.sent[sent].position_side is LONG
        await until(lambda: not house.store.sessions.commands("ann"), "the command is done", 60)


async def test_a_position_closed_by_hand_is_told_and_never_closed_again(house: House) -> None:
    house.user("ann")
    account = house.world.account("ann")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        account.by_hand(Side.SELL, LONG, "0.01")
        await until(lambda: host.state.buy_check.manual, "it is seen", 60)
        assert not host.state.buy.entries
        assert any("closed from outside" in notice.what for _, notice in house.said)


async def test_readings_that_an_order_overtook_are_not_believed(house: House) -> None:
    """An old reading that shows less than what was just bought would look like a hand on the account."""
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(host.state.buy.entries) == 1, "the first order", 60)

        async def overtaken() -> None:
            if not account.before_positions:
                return
            account.before_positions = None
            count = len(host.state.buy.entries)
            market.set("59600")
            await until(lambda: len(host.state.buy.entries) > count, "an order overtakes the reading", 60)

        account.before_positions = overtaken
        await until(lambda: len(host.state.buy.entries) == 2 and account.before_positions is None, "overtaken", 60)
        asked = account.calls["positions"]
        await until(lambda: account.calls["positions"] > asked + 1, "looked at again", 60)
        assert host.state.buy_check.blocked is None


@pytest.mark.parametrize("wanted", [Wanted.PAUSED, Wanted.DRAINING])
async def test_a_pause_opens_nothing_and_exits_go_on(house: House, wanted: Wanted) -> None:
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        house.store.sessions.want("ann", wanted, "owner")
        await until(lambda: host.state.mode is Mode(wanted.value), "it is heard", 60)
        sent = len(account.sent)
        market.set("59000")
        ticks = host.state.tick
        await until(lambda: host.state.tick > ticks + 12, "it looks on", 60)
        assert len(account.sent) == sent
        market.set("63000")
        await until(lambda: not account.held[LONG], "the profit is taken", 60)


async def test_a_stop_leaves_positions_with_their_protection_and_gives_the_session_back(house: House) -> None:
    house.user("ann")
    account = house.world.account("ann")
    async with house.running(house.worker()) as worker:
        await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "the stop", 60)
        house.store.sessions.want("ann", Wanted.STOPPED, "owner")
        await until(lambda: "ann" not in worker.hosts, "given back", 60)
        assert account.held[LONG] == D("0.01") and len(account.waiting()) == 1
        await until(lambda: house.store.sessions.session("ann").lease_holder == "", "free", 60)
        house.store.sessions.want("ann", Wanted.RUNNING, "owner")
        host = await house.host(worker, "ann")
        assert [entry.quantity for entry in host.state.buy.entries] == [D("0.01")]


async def test_flatten_closes_everything_and_the_stop_waits_for_it(house: House) -> None:
    house.user("ann")
    account = house.world.account("ann")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "the stop", 60)
        house.store.sessions.want("ann", Wanted.STOPPED, "owner", order=Order.FLATTEN)
        await until(lambda: "ann" not in worker.hosts, "closed and given back", 60)
        assert not account.held[LONG] and not account.waiting()
        assert host.state.wish is Mode.STOPPED


async def test_a_daily_limit_closes_all_and_its_event_is_queued_with_the_state(house: House) -> None:
    house.user("ann", max_loss=5.0)
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        market.set("59400")  # −6 USDT and fees
        await until(lambda: host.state.mode is Mode.DAY_STOPPED, "the day is over", 60)
        await until(lambda: not host.events and not host.changed, "saved with its event", 60)
        assert not account.held[LONG]
    [event] = [one for one in house.store.events.due(10, 1.0) if one.kind != "status_update"]
    assert event.kind == "global_limit_hit" and event.body["data"]["limitType"] == "LOSS"


async def test_funding_counts_in_the_days_result(house: House) -> None:
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        account.bills = [Income("1", "contract_settle_fee", "BTCUSDT", D("-0.5"), "USDT", market.clock.ms + 1),
                         Income("2", "open_long", "BTCUSDT", D("-9"), "USDT", market.clock.ms + 1),
                         Income("3", "contract_settle_fee", "ETHUSDT", D("-7"), "USDT", market.clock.ms + 1)]
        market.set("60000", 700_000)
        await until(lambda: host.state.day_funding, "the funding", 60)
        assert host.state.day_funding == D("-0.5")


@pytest.mark.parametrize("word", ["refuse", "drop", "lose"])
async def test_a_stop_that_does_not_stand_is_placed_until_one_does(house: House, word: str,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.strategies.grid.live.stops.RETRY_S", 0.05)
    house.user("ann")
    account = house.world.account("ann")
    account.plan_script.extend([word, word])
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1 and host.memory.stops and host.memory.stops[0].sure,
                    "a stop stands and is known", 60)
        assert account.waiting()[0].client_id == host.memory.stops[0].client_id


async def test_a_price_beyond_the_stop_closes_the_side(house: House) -> None:
    house.user("ann")
    account = house.world.account("ann")
    account.plan_script.append("passed")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: account.sent and not account.held[LONG], "opened and closed again", 60)
        await until(lambda: host.state.wish is Mode.DRAINING, "it drains", 60)
        await until(lambda: house.store.sessions.session("ann").wanted is Wanted.DRAINING, "and says so", 60)


async def test_modes_are_set_while_flat_and_never_with_positions(house: House) -> None:
    house.user("flat", leverage=7)
    house.user("held", leverage=7)
    flat, held = house.world.account("flat"), house.world.account("held")
    flat.hedge = held.hedge = False
    held.by_hand(Side.BUY, LONG, "0.2")
    async with house.running(house.worker()) as worker:
        await house.host(worker, "flat")
        host = await house.host(worker, "held")
        assert flat.hedge and flat.leverage == 7
        assert not held.hedge and held.leverage == 10, "nothing is switched over somebody's head (X22)"
        assert host.state.buy_check.blocked is Case.WRONG_MODE
        await until(lambda: flat.held[LONG], "the other one trades", 60)
        assert not held.sent


async def test_saved_bytes_are_the_sessions_own_state(house: House) -> None:
    house.user("ann")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: host.state.buy.entries, "the first order", 60)
        packed = host.packed()
        assert msgspec.json.decode(msgspec.json.encode(packed))["host"]["orders"]
        assert "secret" not in str(packed) + repr(host.__dict__)


async def test_a_side_whose_stop_is_refused_leaves_the_other_one_its_own(house: House,
                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.strategies.grid.live.stops.RETRY_S", 0.05)
    house.user("ann")
    account = house.world.account("ann")
    place = account.place_trigger

    async def never_long(request: TriggerRequest) -> Outcome:
        return Refused("40889", "too many plan orders") if request.position_side is LONG else await place(request)

    monkeypatch.setattr(account, "place_trigger", never_long)
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: any("refused" in notice.what for _, notice in house.said), "BUY is refused", 60)
        account.by_hand(Side.SELL, SHORT, "0.01")
        await until(lambda: host.state.sell_check.blocked is Case.STRANGE, "a SELL is seen", 60)
        house.store.sessions.say("ann", Order.ACKNOWLEDGE, {"side": -1, "answer": "adopt"}, "owner")
        await until(lambda: [one.position_side for one in account.waiting()] == [SHORT], "SELL has its stop", 60)


async def test_a_stop_larger_than_the_largest_order_stands_in_parts(house: House) -> None:
    house.world.market.largest = D("0.01")
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        for held, price in (("0.01", "59600"), ("0.02", "59250")):
            await until(lambda held=held: account.held[LONG] == D(held) and host.stops.settled, "protected", 60)  # type: ignore[misc]
            market.set(price)
        await until(lambda: account.held[LONG] == D("0.03"), "three orders of the largest size", 60)
        await until(lambda: [one.quantity for one in account.waiting()] == [D("0.01")] * 3, "three stops", 60)
        worker.saver.keep(host)
        market.away = True
        market.price = account.waiting()[0].trigger - 10
        account.fire()
        assert not account.held[LONG]
        market.away = False
        await until(lambda: host.state.trades == 3 and not host.state.buy.entries, "all parts are booked", 60)
        assert not host.state.buy_check.manual


async def test_another_tick_size_is_learnt_from_a_refused_stop(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A contract's tick may change while a grid runs: a stop at an old one would be refused for ever."""
    monkeypatch.setattr("modules.strategies.grid.live.stops.RETRY_S", 0.05)
    house.user("ann")
    account, market = house.world.account("ann"), house.world.market
    market.tick = D("10")
    market.known_tick = D("0.1")
    async with house.running(house.worker()) as worker:
        host = await house.host(worker, "ann")
        await until(lambda: len(account.waiting()) == 1, "a stop stands after all", 60)
        assert host.book.contract.tick == D("10") and account.waiting()[0].trigger % 10 == 0
        assert market.calls["contracts anew"] == 1


async def test_leverage_is_that_of_the_settings_it_starts_with(house: House) -> None:
    house.user("ann", leverage=7)
    account = house.world.account("ann")
    async with house.running(house.worker()) as worker:
        await house.host(worker, "ann")
        await until(lambda: account.held[LONG], "the first order", 60)
        house.store.sessions.want("ann", Wanted.STOPPED, "owner", order=Order.FLATTEN)
        await until(lambda: "ann" not in worker.hosts and not account.held[LONG], "closed and given back", 60)
        house.store.sessions.change("ann", "BTCUSDT", {}, new_user("ann", leverage=9, timeframe="5m").settings, "owner")
        house.store.sessions.want("ann", Wanted.RUNNING, "owner")
        host = await house.host(worker, "ann")
        await until(lambda: account.leverage == 9, "the leverage is set anew", 60)
        assert host.memory.terms == "BTCUSDT 9"


async def test_what_a_person_is_told_to_acknowledge_is_saved_by_then(house: House) -> None:
    """Told before it was saved, the answer would be that nothing waits."""
    house.user("ann")
    account, worker = house.world.account("ann"), house.worker()
    worker.live = worker.live.model_copy(update={"save_s": 600.0})

    def blocked() -> bool:
        found = house.store.sessions.state("ann")
        return found is not None and restored(found[0]).buy_check.blocked is Case.GREW

    async with house.running(worker):
        await until(lambda: len(account.waiting()) == 1, "a position with its stop", 60)
        account.by_hand(Side.BUY, LONG, "0.5")
        await until(lambda: any(notice.what == "No new levels" for _, notice in house.said), "it is told", 60)
        await until(blocked, "saved without waiting for the routine", 20)
