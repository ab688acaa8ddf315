"""The risk service in the tracker: fed, obeyed, persisted; entries ask it, exits never (X34–X37)."""

import time
from decimal import Decimal

import msgspec
import pytest

from modules.exchange.types import Balance, Mode, Unavailable
from modules.execution import risk_driver
from modules.execution.risk import Allowed
from modules.execution.risk_settings import RiskSettings
from modules.execution.risk_state import Limit, RiskState, Trading
from modules.strategies.hype import desk_risk
from modules.strategies.hype.files import TradingState, trading_state_file
from modules.strategies.hype.settings import HypeSettings
from tests.execution.venue import lost_after
from tests.hype.tracker_house import House

D = Decimal
OFF = RiskSettings(day_loss_pct=0, week_loss_pct=0, drawdown_pct=0, exposure_pct=0, losing_streak=0)
DAY_S = 86_400


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Cash is read with every look: nothing waits for the wall clock."""
    for name in ("CASH_EVERY_S", "CASH_SETTLES_S"):
        monkeypatch.setattr(desk_risk, name, 0.0)
    for name in ("WRITE_EVERY_S", "CANCEL_EVERY_S"):
        monkeypatch.setattr(risk_driver, name, 0.0)


def house_with(tmp_path, limits: RiskSettings = OFF, **limit: float) -> House:
    settings = HypeSettings(max_exposure_usdt=5000, max_open_trades=50, trade_usdt=100, cooldown_after_sell_s=0,
                            cooldown_after_stop_s=0)
    return House(tmp_path, settings, limits=limits.model_copy(update=limit))


async def word(house: House, command: str, mode: str = "TEST", **more) -> None:
    house.post("risk", mode=mode, command=command, by="Ann", **more)
    await looks(house)


async def looks(house: House, count: int = 3, **bids: str) -> None:
    """Some looks; what runs beside them comes to its end."""
    for _ in range(count):
        await house.turn(quiet=True, **bids)
        for risk in house.tracker.risks.values():
            if risk._errand is not None:
                await risk._errand


async def silent() -> dict[str, Balance]:
    raise Unavailable("maintenance")


async def halted(house: House) -> None:
    """Looks until a FLATTEN has ended."""
    for _ in range(100):
        if house.risk().trading is Trading.HALTED:
            return
        await looks(house, 1)
        for attempts in house.test.attempts.values():
            attempts.not_before = 0.0
    raise AssertionError("never flat")


def state(house: House, mode: Mode = Mode.TEST) -> RiskState:
    found = house.tracker.risks[mode].state
    assert isinstance(found, RiskState)
    return found


def whats(house: House, level: str = "") -> list[str]:
    return [notice.what for notice in house.notices(level)]


async def buys(house: House, symbol: str) -> bool:
    """Whether a proposal leads to a purchase now."""
    if symbol not in house.venue.listed:
        house.venue.add(symbol)
    house.propose(symbol)
    await house.turn()
    return symbol in house.test.positions


# -- what it sees


async def test_equity_is_cash_and_coins_at_their_bids_with_fees_paid(tmp_path):
    house = house_with(tmp_path)
    position = await house.bought()
    await looks(house, AAAUSDT="1.02")
    coins = position.quantity * D("1.02") * (1 - D("0.001"))
    assert state(house).equity == house.account.coins["USDT"] + coins and state(house).exposure == coins
    assert state(house).peak is not None and house.risk().equity == state(house).equity


async def test_no_equity_is_told_while_an_order_is_under_way_or_a_price_is_missing(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    before = state(house).equity_ms
    house.venue.bids["AAAUSDT"] = D(0)  # no bid: what the coins are worth is not known
    house.venue.clock.pass_s(40)
    await looks(house)
    assert state(house).equity_ms == before
    await looks(house, AAAUSDT="1")
    assert state(house).equity_ms > before


async def test_money_moved_by_a_person_is_neither_gain_nor_loss(tmp_path):
    house = house_with(tmp_path, drawdown_pct=10)
    await looks(house)
    house.account.coins["USDT"] -= 5000
    await looks(house)
    assert state(house).equity == state(house).peak == state(house).day_start == 5000
    assert state(house).trading is Trading.ACTIVE and house.notices("alert") == []


async def test_coins_that_are_gone_or_unsellable_count_for_nothing(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    house.test.change("AAAUSDT", state="delisted")
    await looks(house)
    assert state(house).exposure == 0


async def test_a_closed_trade_counts_once_with_all_its_sales_also_after_a_crash(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await house.turn(AAAUSDT="0.9")
    await looks(house)
    assert state(house).streak == 1
    house.crash()
    await looks(house)
    assert state(house).streak == 1
    await house.bought("BBBUSDT")
    await house.turn(BBBUSDT="0.9")
    house.crash()  # before it was counted
    await looks(house)
    assert state(house).streak == 2 and len(set(state(house).counted)) == 2


async def test_a_history_from_before_is_not_counted(tmp_path):
    house = house_with(tmp_path)
    for symbol in ("AAAUSDT", "BBBUSDT"):
        await house.bought(symbol)
        await house.turn(quiet=True, **{symbol: "0.9"})
    await looks(house)
    house.test.files.risk.remove()
    house.build()
    await looks(house)
    assert state(house).streak == 0


# -- limits


async def test_a_loss_of_the_day_stops_entries_until_the_next_and_exits_go_on(tmp_path):
    house = house_with(tmp_path, day_loss_pct=0.1)
    await looks(house)
    await house.bought()
    await house.bought("BBBUSDT")
    await looks(house, AAAUSDT="0.9")
    assert "AAAUSDT" not in house.test.positions and Limit.DAY_LOSS in house.risk().latched
    broken = [notice for notice in house.notices("alert") if "loss of the day" in notice.what]
    assert len(broken) == 1 and broken[0].mode == "TEST" and "of at most 0.10%" in broken[0].why
    assert "Exits go on" in broken[0].todo and "open again at 2023-11-15 00:00" in broken[0].todo
    assert not await buys(house, "CCCUSDT") and "DAY_LOSS is broken" in house.beat()["last_refusal"]
    house.crash()
    assert not await buys(house, "DDDUSDT")
    await looks(house, BBBUSDT="0.9")  # the exit is none of its business
    assert house.test.positions == {}
    house.venue.clock.pass_s(DAY_S)
    await looks(house)
    assert await buys(house, "EEEUSDT")


async def test_80_percent_of_a_limit_warns_once_an_episode(tmp_path):
    house = house_with(tmp_path, drawdown_pct=0.026)
    await looks(house)
    await house.bought()
    await looks(house, AAAUSDT="0.98")
    await looks(house, AAAUSDT="0.9801")
    warned = [notice for notice in house.notices("warning") if "Close to a limit: fall from the peak" in notice.what]
    assert len(warned) == 1 and "% of the limit" in warned[0].why and "Nothing is stopped yet" in warned[0].todo
    assert await buys(house, "BBBUSDT")


async def test_drawdown_halts_until_a_person_accepts_it_and_the_peak_survives(tmp_path):
    house = house_with(tmp_path, drawdown_pct=0.03)
    await looks(house)
    await house.bought()
    await looks(house, AAAUSDT="1.02")
    peak = state(house).peak
    house.crash()
    await looks(house, AAAUSDT="0.98")
    assert state(house).peak == peak and house.risk().trading is Trading.HALTED
    await word(house, "RESUME")
    assert house.risk().trading is Trading.HALTED and "Not done" in whats(house, "warning")
    await word(house, "RESUME", accept=True)
    assert house.risk().trading is Trading.ACTIVE and house.risk().latched == {}
    assert await buys(house, "BBBUSDT")


async def test_exposure_stops_entries_for_as_long_as_it_lasts(tmp_path):
    house = house_with(tmp_path, exposure_pct=1.5)
    assert await buys(house, "AAAUSDT")
    await looks(house)
    assert await buys(house, "BBBUSDT")
    await looks(house)
    assert not await buys(house, "CCCUSDT") and "EXPOSURE" in house.beat()["last_refusal"]
    house.post("sell", symbol="AAAUSDT", mode="TEST")
    await looks(house)
    assert await buys(house, "CCCUSDT")


async def test_old_prices_and_old_equity_stop_entries_not_exits(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    house.venue.bids["AAAUSDT"] = D(0)
    house.venue.clock.pass_s(400)
    await looks(house)
    assert not await buys(house, "BBBUSDT") and "STALE_DATA" in house.beat()["last_refusal"]
    await looks(house, AAAUSDT="0.9")
    assert house.test.positions == {}
    assert await buys(house, "BBBUSDT")


async def test_at_speed_nothing_is_old_before_some_seconds_of_our_own(tmp_path):
    house = house_with(tmp_path)
    house.venue.clock.speed = 1000.0
    assert house.tracker.risks[Mode.TEST].settings.data_stale_s == 5000
    assert house.tracker.risks[Mode.TEST].settings.equity_stale_s == 30_000


async def test_a_start_after_a_long_gap_is_no_alarm(tmp_path):
    house = house_with(tmp_path)
    await looks(house)
    house.venue.clock.pass_s(DAY_S)
    house.crash()
    await looks(house)
    assert not any("age of" in what for what in whats(house))
    assert await buys(house, "AAAUSDT")


# -- words


@pytest.mark.parametrize(("command", "trading"), [("PAUSE", Trading.PAUSED), ("DRAIN", Trading.DRAINING),
                                                  ("KILL", Trading.HALTED)])
async def test_a_word_stops_entries_of_its_mode_guards_on_and_survives(tmp_path, command, trading):
    house = house_with(tmp_path)
    await house.bought()
    await word(house, command)
    assert house.risk().trading is trading and house.risk(Mode.LIVE).trading is Trading.ACTIVE
    assert house.risk().killed is (command == "KILL")
    house.crash()
    await looks(house)
    assert not await buys(house, "BBBUSDT")
    await looks(house, AAAUSDT="0.9")
    assert house.test.positions == {}


async def test_the_kill_switch_comes_off_by_an_accepted_resume_only(tmp_path):
    house = house_with(tmp_path)
    await word(house, "KILL")
    await word(house, "RESUME")
    assert house.risk().killed and not await buys(house, "AAAUSDT")
    await word(house, "RESUME", accept=True)
    assert not house.risk().killed and await buys(house, "AAAUSDT")


async def test_drain_ends_paused_when_the_last_position_has_left(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await word(house, "DRAIN")
    assert "AAAUSDT" in house.test.positions
    await looks(house, 6, AAAUSDT="0.9")
    assert house.risk().trading is Trading.PAUSED and "Drained: every position is closed" in whats(house)


async def test_flatten_sells_everything_confirms_flat_twice_and_nothing_buys_it_straight_back(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await house.bought("BBBUSDT")
    await house.bought(mode="LIVE")
    await word(house, "FLATTEN")
    assert house.test.positions == {} and "AAAUSDT" in house.live.positions
    assert {trade.reason for trade in house.trades() if trade.side == "SELL"} == {"flatten"}
    await looks(house, 4)
    assert house.risk().trading is Trading.HALTED and "Flat: everything is sold, confirmed twice" in whats(house)
    await word(house, "RESUME")
    assert not await buys(house, "AAAUSDT") and "COOL_DOWN" in house.beat()["last_refusal"]  # X37
    assert await buys(house, "CCCUSDT")
    house.venue.clock.pass_s(900)
    await looks(house)
    assert await buys(house, "AAAUSDT")


async def test_flat_is_not_believed_while_the_venue_does_not_say_so(tmp_path, monkeypatch):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    monkeypatch.setattr(house.account, "balances", silent)
    await word(house, "FLATTEN")
    await looks(house, 5)
    assert house.test.positions == {} and house.risk().trading is Trading.FLATTENING
    monkeypatch.undo()
    await looks(house, 5)
    assert house.risk().trading is Trading.HALTED


async def test_flatten_cancels_an_unresolved_entry_before_it_sells(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    house.account.faults.append(lost_after)
    house.account.orders_down = "no answer"
    assert not await buys(house, "BBBUSDT")
    await word(house, "FLATTEN")
    entry = next(order for order in house.account.placed if order.symbol == "BBBUSDT")
    assert entry.client_id in house.account.cancelled
    assert "AAAUSDT" in house.test.positions and not house.risk().closing  # it could still buy
    house.account.orders_down = ""
    await halted(house)
    assert house.test.positions == {}


async def test_an_unfinished_flatten_goes_on_after_a_crash(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    house.venue.depth["AAAUSDT"] = D(10)
    house.post("risk", mode="TEST", command="FLATTEN", by="Ann")
    await house.turn()
    house.crash()
    assert house.risk().trading is Trading.FLATTENING
    house.venue.depth.clear()
    await house.until(lambda: not house.test.positions)
    await looks(house, 4)
    assert house.risk().trading is Trading.HALTED


async def test_flatten_tells_what_cannot_be_sold_and_waits_for_it(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    house.venue.add("AAAUSDT", trading=False)
    house.venue.clock.pass_s(61)
    await looks(house)
    await word(house, "FLATTEN")
    await looks(house, 4)
    told = [notice for notice in house.notices("warning") if "Cannot be sold now: AAAUSDT" in notice.what]
    assert len(told) == 1 and house.risk().trading is Trading.FLATTENING
    house.venue.add("AAAUSDT")
    house.venue.clock.pass_s(61)
    await halted(house)
    assert house.test.positions == {}


async def test_a_word_is_durable_before_its_message_is_done(tmp_path, monkeypatch):
    house = house_with(tmp_path)
    await looks(house)
    house.post("risk", mode="TEST", command="PAUSE", by="Ann")
    file = house.tracker.risks[Mode.TEST]._file

    def full(value: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(file, "save", full)
    with pytest.raises(OSError, match="risk state cannot be written"):
        await house.tracker.take_messages()
    assert house.run.inbox.waiting() == 1
    assert not isinstance(house.tracker.risks[Mode.TEST].may_enter(house.venue.clock.ms), Allowed)
    house.crash()
    await looks(house)
    assert house.risk().trading is Trading.PAUSED and house.run.inbox.waiting() == 0


# -- a state that cannot be used (X35)


async def test_an_unreadable_state_refuses_entries_never_exits_and_can_be_started_anew(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    for path in house.paths.data.glob("test_risk_state.json*"):
        path.write_text("{torn", encoding="utf-8")
    house.build()
    await looks(house)
    assert whats(house, "alert") == ["Entries stop: the risk state cannot be read"]
    assert not await buys(house, "BBBUSDT")
    await word(house, "PAUSE")
    await word(house, "FLATTEN")
    assert house.test.positions == {} and not await buys(house, "BBBUSDT")
    await word(house, "RESUME")
    assert not await buys(house, "BBBUSDT")
    await word(house, "RESUME", accept=True)
    assert await buys(house, "BBBUSDT") and house.risk().trading is Trading.ACTIVE
    assert list(house.paths.data.glob("test_risk_state.json.damaged-*"))


async def test_the_state_of_another_scope_is_refused(tmp_path):
    house = house_with(tmp_path)
    house.test.files.risk.save(RiskState(scope="other/TEST"))
    house.build()
    assert not await buys(house, "AAAUSDT") and "other/TEST" in house.beat()["last_refusal"]


async def test_a_pause_of_an_earlier_version_still_holds(tmp_path):
    house = house_with(tmp_path)
    trading_state_file(house.paths).save(TradingState(paused=True, reason="holiday"))
    house.build()
    assert state(house).trading is Trading.PAUSED and not await buys(house, "AAAUSDT")
    await word(house, "RESUME")
    house.crash()
    assert await buys(house, "AAAUSDT")


async def test_figures_alone_are_not_written_with_every_look(tmp_path, monkeypatch):
    monkeypatch.setattr(risk_driver, "WRITE_EVERY_S", 3600.0)
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    began, written = time.monotonic(), house.risk()
    await looks(house, 5, AAAUSDT="1.0001")
    assert time.monotonic() - began < 3600 and house.risk() == written
    await looks(house, 2, AAAUSDT="1.2")  # a peak is
    assert house.risk().peak == state(house).peak
    changed = msgspec.structs.replace(state(house), trading=Trading.PAUSED)
    house.tracker.risks[Mode.TEST].state = changed
    await looks(house, 2)
    assert house.risk().trading is Trading.PAUSED


async def test_a_state_that_cannot_be_written_refuses_entries_until_it_can(tmp_path, monkeypatch):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)

    def full(value: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(house.tracker.risks[Mode.TEST]._file, "save", full)
    await looks(house, 5)
    assert not await buys(house, "BBBUSDT") and "cannot be written" in house.beat()["last_refusal"]
    assert whats(house, "alert") == ["Entries stop: the risk state cannot be written"]
    await looks(house, AAAUSDT="0.9")
    assert house.test.positions == {}
    monkeypatch.undo()
    await looks(house)
    assert await buys(house, "BBBUSDT")


async def test_flatten_waits_for_an_entry_between_its_approval_and_its_order(tmp_path):
    house = house_with(tmp_path)
    await house.bought()
    await looks(house)
    house.tracker.risks[Mode.TEST].buying += 1
    await word(house, "FLATTEN")
    assert "AAAUSDT" in house.test.positions and not house.risk().closing
    house.tracker.risks[Mode.TEST].buying -= 1
    await halted(house)
    assert house.test.positions == {}
