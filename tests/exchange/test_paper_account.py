"""The paper account as a venue: latency, durability, one order an id, and what the strategies may rely on."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.lanes import Lane
from modules.exchange.paper import PaperAccount, account_file
from modules.exchange.types import (
    Absent,
    Accepted,
    Failed,
    OrderState,
    OrderStatus,
    Print,
    Refused,
    Unavailable,
    Unknown,
)
from modules.storage.json_state import JsonFile
from tests.exchange.paper_market import PEPE, MemoryMarket, book, buy, opened, sell
from utils.paths import Paths

D = Decimal


async def until(condition: object, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_a_round_trip_costs_spread_and_fees(tmp_path: Path) -> None:
    account = await opened(MemoryMarket(), tmp_path)
    assert isinstance(await account.place(buy("a", "50")), Accepted)
    assert isinstance(await account.place(sell("b", "50")), Accepted)
    free = (await account.balances())["USDT"].free
    assert free == 1000 - 50 * D("0.02") - 50 * D("1.01") * D("0.001") - 50 * D("0.99") * D("0.001")
    assert "PEPE" not in await account.balances()
    await account.close()


async def test_a_sale_asks_for_its_book_as_an_exit(tmp_path: Path) -> None:
    """X31: otherwise market data of other processes would hold up the stops of TEST."""
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    await account.place(buy("a", "50"))
    assert set(market.lanes) == {Lane.ENTRY}
    market.lanes.clear()
    await account.place(sell("b", "50"))
    assert market.lanes and set(market.lanes) == {Lane.EXIT}
    await account.close()


async def test_the_book_is_fetched_after_the_latency(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path, latency_ms=10_000)  # 10 ms of ours at speed 1000
    placing = asyncio.create_task(account.place(buy("a", "50")))
    await asyncio.sleep(0)
    assert "book" not in market.asked
    market.now = book([("1.10", "100")], [("1.20", "100")])  # the price runs away meanwhile
    await placing
    (fill,) = await account.fills("PEPEUSDT", 0)
    assert fill.price == D("1.20")
    await account.close()


async def test_what_was_answered_is_on_disk(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    await account.place(buy("a", "50"))
    await account.place(buy("rest", "10", price="0.90"))
    again = await opened(market, tmp_path)  # as after kill -9: nothing was closed
    assert await again.balances() == await account.balances()
    assert isinstance(await again.order("PEPEUSDT", "a"), OrderState)
    assert [o.client_id for o in await again.open_orders()] == ["rest"]
    assert len(await again.fills("PEPEUSDT", 0)) == 1
    assert PaperAccount.peek(Paths(tmp_path)) == await account.balances()
    await account.close()
    await again.close()


async def test_peek_says_when_there_is_nothing_to_see(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    with pytest.raises(Unavailable, match="/startbot"):
        PaperAccount.peek(paths)
    account_file(paths).write_text("{", encoding="utf-8")
    with pytest.raises(Unavailable, match=r"data/test_account\.json cannot be read .*restore a backup"):
        PaperAccount.peek(paths)
    assert account_file(paths).read_text(encoding="utf-8") == "{"  # another process' file is not mended here


async def test_an_id_in_flight_is_refused(tmp_path: Path) -> None:
    account = await opened(MemoryMarket(), tmp_path, latency_ms=10_000)
    outcomes = await asyncio.gather(account.place(buy("a", "10")), account.place(buy("a", "10")))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Accepted", "Refused"]
    assert (await account.balances())["PEPE"].free == 10
    await account.close()


async def test_twenty_stops_at_once_share_what_stands(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    market.now = book([], [("1.00", "400")])
    await account.place(buy("in", "400"))
    market.now = book([("0.99", "100"), ("0.98", "150"), ("0.50", "1000")], [("1.00", "1")])
    await asyncio.gather(*(account.place(sell(f"s{n}", "20")) for n in range(20)))
    sold: dict[Decimal, Decimal] = {}
    for fill in await account.fills("PEPEUSDT", 0):
        if fill.client_id != "in":
            sold[fill.price] = sold.get(fill.price, D(0)) + fill.quantity
    assert sold == {D("0.99"): 100, D("0.98"): 150, D("0.50"): 150}
    await account.close()


async def test_no_market_data_means_that_nothing_was_taken(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    market.refuse = True
    assert isinstance(await account.place(buy("a", "10")), Failed)
    market.refuse = False
    assert await account.order("PEPEUSDT", "a") == Absent("a")
    await account.close()


async def test_an_unknown_symbol_is_refused(tmp_path: Path) -> None:
    market = MemoryMarket()
    market.pairs = {"OTHERUSDT": PEPE}
    account = await opened(market, tmp_path)
    outcome = await account.place(buy("a", "10"))
    assert isinstance(outcome, Refused) and outcome.code == "-1121"
    await account.close()


async def test_a_full_disk_is_unknown_then_stops_orders_then_heals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await opened(MemoryMarket(), tmp_path)
    write = JsonFile.save

    def full(self: JsonFile[object], value: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonFile, "save", full)
    assert isinstance(await account.place(buy("a", "10")), Unknown)
    assert isinstance(await account.place(buy("b", "10")), Failed)
    assert isinstance(await account.order("PEPEUSDT", "a"), Unknown)
    with pytest.raises(Unavailable, match="No space"):
        await account.balances()  # X15: what a crash could undo is not told
    monkeypatch.setattr(JsonFile, "save", write)
    found = await account.order("PEPEUSDT", "a")
    assert isinstance(found, OrderState) and found.status is OrderStatus.FILLED
    assert await account.order("PEPEUSDT", "b") == Absent("b")
    await account.close()


async def test_a_resting_order_is_looked_at_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.exchange.paper.LEAST_LOOK_S", 0.02)
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    await account.place(buy("a", "10", price="0.90"))
    market.refuse = True  # a market that is away for a while changes nothing
    market.clock.ms += 5_000
    seen = len(market.asked)

    async def looked() -> bool:
        return len(market.asked) > seen

    await until(looked)
    market.refuse = False
    market.tape = [Print(D("0.89"), D(100), market.clock.ms)]

    async def filled() -> bool:
        return account._ledger.order("PEPEUSDT", "a").status is OrderStatus.FILLED  # type: ignore[union-attr]

    await until(filled)
    await account.close()
    assert PaperAccount.peek(Paths(tmp_path))["PEPE"].free == 10


async def test_an_order_filled_before_its_cancel_arrives(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    await account.place(buy("a", "10", price="0.90"))
    market.now = book([("0.80", "10")], [("0.85", "100")])
    outcome = await account.cancel("PEPEUSDT", "a")
    assert isinstance(outcome, Refused) and outcome.code == "-2011"
    assert (await account.balances())["PEPE"].free == 10
    await account.close()


async def test_a_halt_is_noticed(tmp_path: Path) -> None:
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    assert isinstance(await account.place(buy("a", "10")), Accepted)
    market.pairs = {"PEPEUSDT": replace(PEPE, trading=False)}
    market.clock.ms += 10_000_000
    outcome = await account.place(sell("b", "10"))
    assert isinstance(outcome, Refused) and outcome.code == "30016"
    await account.close()


async def test_dropped_fills_are_not_told_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """X15."""
    monkeypatch.setattr("modules.exchange.paper_ledger.KEEP_FILLS", 1)
    market = MemoryMarket()
    account = await opened(market, tmp_path)
    await account.place(buy("a", "10"))
    market.clock.ms += 50_000
    await account.place(buy("b", "10"))
    with pytest.raises(Unavailable, match="only from"):
        await account.fills("PEPEUSDT", 0)
    assert len(await account.fills("PEPEUSDT", market.clock.ms)) == 1
    await account.close()
