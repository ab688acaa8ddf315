"""The keeper's rounds: what is read anew while it runs."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace

import pytest

from modules.exchange.futures_types import FuturesMarket
from modules.exchange.types import Unavailable
from modules.execution.controls import PerpRefusals
from modules.execution.executor import Filled
from modules.execution.futures import keeper as keepers
from modules.execution.futures.keeper import Keeper, Rhythm
from tests.execution.futures.conftest import Make


@pytest.mark.parametrize("failures", [0, 2])
async def test_a_contract_that_is_halted_while_this_runs_takes_no_entry(make: Make, monkeypatch: pytest.MonkeyPatch,
                                                                        failures: int) -> None:
    """The venue's list is kept by the market data: somebody has to ask for it anew, and a list that fails stops no
    look."""
    house = await make()
    kept = dict(await house.venue.contracts())
    left = failures

    async def contracts(refresh: bool = False) -> Mapping[str, FuturesMarket]:
        nonlocal kept, left
        if refresh:
            if left:
                left -= 1
                raise Unavailable("no answer")
            kept = {name: replace(one, trading=False) for name, one in kept.items()}
        return kept

    monkeypatch.setattr(house.venue, "contracts", contracts)
    monkeypatch.setattr(keepers, "LISTED_S", 0.0)
    task = asyncio.create_task(
        Keeper(house.desk, house.reconciler, ("ETHUSDT",), Rhythm(0.01, 0.02), house.words.append).run())
    async with asyncio.timeout(60):
        while kept["ETHUSDT"].trading:
            assert not task.done()
            await asyncio.sleep(0.01)
    refused = await house.desk.enter(house.ask(), "s")
    assert isinstance(refused, PerpRefusals) and "HALTED" in {str(one.code) for one in refused.found}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_part_that_falls_over_is_told_and_begins_anew_while_guarding_goes_on(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dead in silence, FLATTEN and the limits would be gone, and nobody would know."""
    monkeypatch.setattr(keepers, "AGAIN_S", 0.01)
    monkeypatch.setattr(keepers, "TURN_S", 0.01)
    house = await make()
    keeper = Keeper(house.desk, house.reconciler, ("ETHUSDT",), Rhythm(0.01, 0.05), house.words.append)
    turns: list[int] = []

    async def turn() -> None:
        turns.append(1)
        if len(turns) < 3:
            raise ArithmeticError("nobody foresaw this")

    async def save() -> bool:
        return True

    keeper.risk = SimpleNamespace(turn=turn, save=save, tell_unreadable=lambda: None)  # type: ignore[assignment]
    task = asyncio.create_task(keeper.run())
    async with asyncio.timeout(60):
        while len(turns) < 5:
            assert not task.done()
            await asyncio.sleep(0.01)
    assert "nobody foresaw this" in {word.key: word.why for word in house.words}["failed the risk of futures"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_contract_that_is_gone_from_the_list_keeps_no_other_from_being_closed(
        make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    house = await make()
    await house.reconciler.open(["ETHUSDT", "SOLUSDT"])
    assert isinstance(await house.desk.enter(house.ask(), "a"), Filled)
    other = replace(house.ask("1", "95", "110"), symbol="SOLUSDT")
    assert isinstance(await house.desk.enter(other, "b"), Filled)
    kept = {name: one for name, one in (await house.venue.contracts()).items() if name != "ETHUSDT"}

    async def contracts(refresh: bool = False) -> Mapping[str, FuturesMarket]:
        return kept

    keeper = Keeper(house.desk, house.reconciler, ("ETHUSDT", "SOLUSDT"), Rhythm(flatten_s=0.01), house.words.append)
    with monkeypatch.context() as gone:
        gone.setattr(house.venue, "contracts", contracts)
        left = await keeper.flatten("test", 0.5)
        assert [leg.symbol for leg in left] == ["ETHUSDT"]
        await house.desk.look()
        assert [word for word in house.words if word.key.startswith("gone ")]
    assert not await keeper.flatten("test")
    assert not await house.account.positions()
