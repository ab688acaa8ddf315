"""Books against account: own fills are counted, a person's acts told and left alone, doubt stops entries (X16–X21)."""

import asyncio
from collections import deque
from dataclasses import replace
from decimal import Decimal

import pytest

from modules.exchange.types import Balance, Fill, Mode, OrderState, OrderStatus, OrderType, Side, Unavailable
from modules.execution.findings import Code
from modules.execution.intents import PREFIX
from modules.execution.invariants import Report, Rule
from modules.strategies.hype.desk_books import reconciled_file
from tests.execution.venue import lost_before
from tests.hype.tracker_house import House

D = Decimal


@pytest.fixture
def house(tmp_path) -> House:
    made = House(tmp_path)
    made.venue.add("AAAUSDT")
    return made


def by_hand(house: House, side: Side, quantity: str, price: str = "1", client_id: str = "web-1") -> None:
    """What a person does on the exchange's page."""
    account, amount = house.account, D(quantity)
    sign = 1 if side is Side.BUY else -1
    account._move("AAA", sign * amount)
    account._move("USDT", -sign * amount * D(price))
    account.executions.append(Fill(f"hand{len(account.executions)}", "AAAUSDT", f"o-{client_id}", client_id, side,
                                   D(price), amount, D(0), "USDT", house.venue.clock.ms))


async def passes(house: House, count: int = 5, **bids: str) -> None:
    for _ in range(count):
        await house.turn(quiet=True, **bids)


def report(house: House, mode: Mode = Mode.TEST) -> Report:
    kept = reconciled_file(house.paths, mode).load().report
    assert kept is not None
    return kept


def codes(house: House) -> list[Code]:
    return [finding.code for finding in report(house).findings]


# --- what is ours ----------------------------------------------------------------------------------------------


async def test_after_a_trade_books_and_account_agree_in_everything(house):
    await house.bought()
    await passes(house)
    seen = report(house)
    assert seen.clean and not house.test.doubt, seen
    held = {(check.rule, check.subject): check.held_ms for check in seen.checks}
    assert held[Rule.QUANTITY, "AAA"] and held[Rule.AVERAGE, "AAAUSDT"] and held[Rule.EQUITY, "TEST"]
    assert held[Rule.PROTECTED, "AAAUSDT"] and held[Rule.QUANTITY, "position AAAUSDT"]
    assert seen.lines()[0] == "Books and exchange agree" and "AAA: books 49, exchange 49" in seen.lines()
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    await passes(house)
    assert report(house).clean and house.notices("warning") == []


async def test_fills_that_were_told_late_are_counted_and_the_position_is_what_they_say(house):
    house.account.fee_in_base = True
    hidden: list[Fill] = []

    def silent(account, request):
        outcome = account.execute(request)
        hidden.extend(account.executions)
        account.executions.clear()
        return outcome

    house.account.faults = deque([silent])
    house.propose()
    desk = house.test
    await house.until(lambda: desk.positions)
    assert desk.books.pending and desk.positions["AAAUSDT"].quantity == 49  # the fee is not known yet
    house.account.executions += hidden
    await passes(house)
    assert desk.books.pending == {} and desk.positions["AAAUSDT"].quantity == 49 * D("0.999")
    assert report(house).clean
    house.crash()
    assert house.test.books.pending == {} and house.test.books.ledger.holding("AAAUSDT").quantity == 49 * D("0.999")


async def test_an_order_that_was_believed_never_sent_and_was_executed_becomes_a_position(house):
    await house.turn()
    house.account.faults = deque([lost_before])
    house.propose()
    await house.until(lambda: not house.test.open_entries() and house.account.placed)
    assert house.test.positions == {}
    house.account.execute(house.account.placed[0])  # it was on its way all the time
    await house.until(lambda: "AAAUSDT" in house.test.positions)
    assert house.test.positions["AAAUSDT"].quantity == 49 and len(house.account.placed) == 1
    await passes(house)
    assert report(house).clean


async def test_a_ledger_that_was_lost_is_built_again_from_the_fills(house):
    await house.bought()
    await passes(house)
    for name in ("test_ledger.json", "test_ledger.json.bak", "test_fills.json", "test_reconciliation.json"):
        (house.paths.data / name).unlink(missing_ok=True)
    house.crash()
    assert house.test.books.ledger.holdings() == {}
    await passes(house)
    assert house.test.books.ledger.holding("AAAUSDT").quantity == 49
    assert report(house).clean and house.notices("warning") == house.notices("alert") == []


async def test_a_position_without_any_fill_on_record_gets_a_marked_synthetic_entry(house):
    position = await house.bought()
    for name in ("test_ledger.json", "test_ledger.json.bak", "test_fills.json"):
        (house.paths.data / name).unlink(missing_ok=True)
    house.account.executions.clear()
    house.crash()
    await passes(house)
    fills = house.test.books.ledger.fills("AAAUSDT")
    assert [fill.id.startswith("synthetic-") for fill in fills] == [True]
    assert house.test.books.ledger.holding("AAAUSDT").average == position.entry_price
    assert report(house).clean


async def test_an_order_of_ours_that_rests_although_it_was_finished_is_withdrawn(house):
    await house.bought()
    ended = house.account.orders[house.account.placed[0].client_id]
    house.account.orders[ended.client_id] = replace(ended, status=OrderStatus.PARTIAL, quantity=D(90))
    await house.until(lambda: house.account.cancelled == [ended.client_id])
    await passes(house)
    assert report(house).clean


# --- what a person did -----------------------------------------------------------------------------------------


async def test_a_sale_by_hand_is_told_once_never_fought_and_settled_by_resync(house):
    await house.bought()
    await passes(house)
    by_hand(house, Side.SELL, "20")
    await passes(house, 8)
    told = [notice for notice in house.notices("alert") if "sold by hand" in notice.what]
    assert len(told) == 1 and "AAA: 20 less" in told[0].what and "/resync" in told[0].todo
    assert house.test.positions["AAAUSDT"].quantity == 49 and len(house.account.placed) == 1
    assert house.test.doubted == {"AAAUSDT"} and codes(house)[0] is Code.MANUAL_SALE
    house.crash()
    await passes(house)
    assert len([notice for notice in house.notices("alert") if "sold by hand" in notice.what]) == 1
    house.post("resync", mode="TEST")
    await passes(house)
    assert house.test.positions["AAAUSDT"].quantity == 29 and house.test.doubted == frozenset()
    assert report(house).clean, report(house).lines()
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    assert house.account.coins["AAA"] == 0
    await passes(house)
    assert report(house).clean, report(house).lines()


async def test_doubt_about_one_token_stops_entries_there_and_nowhere_else(house):
    await house.bought()
    await passes(house)
    by_hand(house, Side.SELL, "49")
    await house.until(lambda: house.test.positions["AAAUSDT"].state == "external")
    house.venue.add("BBBUSDT")
    house.propose("BBBUSDT")
    await house.turn()
    assert "BBBUSDT" in house.test.positions


async def test_coins_bought_by_hand_stay_the_persons_own(house):
    await house.bought()
    await passes(house)
    by_hand(house, Side.BUY, "100")
    await passes(house, 8)
    assert ["bought by hand" in notice.what for notice in house.notices("warning") if "AAA:" in notice.what] == [True]
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    assert house.account.placed[-1].quantity == 49 and house.account.coins["AAA"] == 100
    assert house.test.doubt == "" and house.test.doubted == frozenset()


async def test_money_brought_in_is_told_and_settled_by_resync(house):
    await house.turn()
    await passes(house)
    house.account.coins["USDT"] += 500
    await passes(house, 6)
    told = [notice.what for notice in house.notices("warning")]
    assert len(told) == 1 and "USDT: 500 more" in told[0] and "deposit" in told[0]
    house.post("resync", mode="TEST")
    await passes(house, 3)
    assert report(house).clean
    assert any("noted: USDT: 500 more" in notice.why for notice in house.notices())


async def test_what_an_account_held_before_our_first_order_is_the_persons_own(house):
    house.account.coins["AAA"] = D(7)
    position = await house.bought()
    await passes(house)
    assert position.quantity == 49 and house.test.books.external["AAA"] == 7
    assert report(house).clean and "AAA: books 49 + 7 yours, exchange 56" in report(house).lines()


async def test_a_persons_own_coins_count_towards_the_limit_of_the_token(house):
    house.account.coins["AAA"] = D(60)
    house.propose()
    await house.turn()
    assert house.account.placed == [] and "MAX_TOKEN" in house.beat()["last_refusal"]
    house.propose(market_ms=1)
    await house.turn()
    assert all(code in house.beat()["last_refusal"] for code in ("TOO_OLD", "MAX_TOKEN"))  # all, not only the first


async def test_an_order_by_hand_is_told_and_never_touched(house):
    await house.turn()
    now = house.venue.clock.ms
    house.account.orders["web-9"] = OrderState("web-9", "o-9", "AAAUSDT", Side.BUY, OrderType.LIMIT, OrderStatus.NEW,
                                               D(5), D(0), D(0), now, now)
    await passes(house, 8)
    assert ["web-9" in notice.what for notice in house.notices("warning")] == [True]
    assert house.account.cancelled == [] and not house.test.entries_closed


# --- doubt -----------------------------------------------------------------------------------------------------


async def test_a_second_writer_stops_entries_and_exits_go_on(house):
    await house.bought()
    now, twin = house.venue.clock.ms, PREFIX + "f" * 26
    house.account.orders[twin] = OrderState(twin, "o-9", "BBBUSDT", Side.BUY, OrderType.IOC, OrderStatus.NEW, D(5),
                                            D(0), D(0), now, now)
    await house.until(lambda: house.test.second_writer)
    house.venue.add("BBBUSDT")
    house.propose("BBBUSDT")
    await house.turn()
    assert "SECOND_WRITER" in house.beat()["last_refusal"] and "BBBUSDT" not in house.test.positions
    assert any("second copy" in notice.what for notice in house.notices("alert"))
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    del house.account.orders[twin]
    await passes(house, 2)
    assert house.test.second_writer == ""


@pytest.mark.parametrize("broken", ["orders", "balances", "fills"])
async def test_until_the_first_pass_has_succeeded_there_are_exits_only(house, broken):
    await house.bought()
    if broken == "fills":
        (house.paths.data / "test_fills.json").unlink()  # so that they have to be asked for
        (house.paths.data / "test_ledger.json").unlink()
        (house.paths.data / "test_ledger.json.bak").unlink()
    house.crash()
    honest = {name: getattr(house.account, name) for name in ("open_orders", "balances", "fills")}

    async def down(*_):
        raise Unavailable("timeout")

    setattr(house.account, {"orders": "open_orders"}.get(broken, broken), down)
    house.venue.add("BBBUSDT")
    house.propose("BBBUSDT")
    await house.turn()
    assert "CLOSED" in house.beat()["last_refusal"] and list(house.test.positions) == ["AAAUSDT"]
    await house.until(lambda: not house.test.positions, AAAUSDT="0.9")
    for name, method in honest.items():
        setattr(house.account, name, method)
    house.propose("BBBUSDT")
    await house.until(lambda: "BBBUSDT" in house.test.positions)


async def test_an_empty_answer_is_not_believed_while_coins_are_held(house):
    await house.bought()
    await passes(house)
    coins, house.account.coins = house.account.coins, {}
    await passes(house, 4)
    assert house.test.positions["AAAUSDT"].state == "open" and Code.ANSWER_EMPTY in codes(house)
    assert "not believed" in house.test.entries_closed
    house.account.coins = coins
    await passes(house, 2)
    assert house.test.entries_closed == "" and report(house).clean


async def test_a_balance_that_cannot_be_is_refused(house):
    await house.bought()
    await passes(house)

    async def nonsense():
        return {"AAA": Balance("AAA", D("NaN"), D(0)), "USDT": Balance("USDT", D(1), D(0))}

    honest, house.account.balances = house.account.balances, nonsense
    await passes(house, 2)
    assert codes(house) == [Code.ANSWER_INVALID] and house.test.positions["AAAUSDT"].state == "open"
    house.account.balances = honest
    await passes(house, 2)
    assert report(house).clean


async def test_exits_do_not_wait_for_an_account_that_hangs(house):
    await house.bought()
    hang = asyncio.Event()

    async def never(*_):
        await hang.wait()

    house.account.open_orders = never
    await house.turn(quiet=False)
    async with asyncio.timeout(60):
        while house.test.positions:
            await house.turn(quiet=False, AAAUSDT="0.9")
            await asyncio.sleep(0.01)
    await house.tracker.auditors[Mode.TEST].close()


async def test_a_balance_that_lags_behind_a_purchase_does_not_shrink_its_exit(house):
    await house.turn()
    await passes(house)
    stale = dict(house.account.coins)
    await house.bought()
    true, house.account.coins = house.account.coins, stale
    await house.turn()  # a pass reads balances of before the purchase
    house.account.coins = true
    house.tracker.auditors[Mode.TEST]._next = float("inf")  # no newer balances
    await house.turn(AAAUSDT="0.9")
    assert house.test.positions == {} and house.account.placed[-1].quantity == 49


async def test_coins_missing_in_one_answer_alone_leave_the_position_guarded(house):
    await house.bought()
    await passes(house)
    coins, house.account.coins = house.account.coins, {**house.account.coins, "AAA": D(0)}
    await house.turn()
    house.account.coins = coins
    await passes(house)
    assert house.test.positions["AAAUSDT"].state == "open" and house.notices("alert") == []
