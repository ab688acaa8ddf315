"""The account's stream may do what it likes: what is held and what it cost comes from REST; nothing doubled or lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from modules.exchange.binance_account import BinanceAccount
from modules.exchange.binance_events import read
from modules.exchange.futures_gateway import open_futures, open_futures_account, streams
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.streams.private import PrivateStream
from modules.exchange.types import Mode, OrderType
from modules.execution.executor import Filled
from modules.execution.futures import keeper as keepers
from modules.execution.futures.checklist import PerpAsk
from modules.execution.futures.keeper import Keeper, Rhythm, keep
from modules.execution.futures.plan import LegKey, Word
from modules.execution.risk_settings import RiskSettings
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from tests.surroundings import until
from utils.paths import Paths

D = Decimal
SYMBOL = "ETHUSDT"
NO_LIMITS = RiskSettings(day_loss_pct=0, week_loss_pct=0, drawdown_pct=0, exposure_pct=0, losing_streak=0)


@dataclass
class Kept:
    """A venue, and a keeper that hears its stream."""

    base: str
    session: aiohttp.ClientSession
    keeper: Keeper
    account: BinanceAccount
    stream: PrivateStream
    words: list[Word]

    async def act(self, **what: Any) -> int:
        async with self.session.post(f"{self.base}/sim/act", json=what) as answer:
            return answer.status

    async def faults(self, *rules: dict[str, Any]) -> None:
        async with self.session.post(f"{self.base}/sim/faults", json={"seed": 1, "streams": list(rules)}) as answer:
            assert answer.status == 200, await answer.text()

    async def befallen(self) -> dict[str, Any]:
        async with self.session.get(f"{self.base}/sim/faults") as answer:
            found: dict[str, Any] = (await answer.json())["streams"]["by_kind"]
            return found

    async def truth(self) -> dict[str, Any]:
        async with self.session.get(f"{self.base}/sim/truth") as answer:
            found: dict[str, Any] = (await answer.json())["futures"]["accounts"]["trader"]
            return found

    async def enter(self, slot: str, quantity: str = "0.1") -> Filled:
        desk = self.keeper.desk
        mark = (await desk.market.marks())[SYMBOL].price
        stop, take = (mark * D("0.94")).quantize(D("0.1")), (mark * D("1.09")).quantize(D("0.1"))
        result = await desk.enter(PerpAsk(SYMBOL, True, D(quantity), OrderType.MARKET, None, stop, take), slot)
        assert isinstance(result, Filled), result
        return result

    @property
    def leg(self) -> LegKey:
        return self.keeper.desk.leg_of(SYMBOL, True)

    async def agrees(self) -> bool:
        """Whether books and venue say the same: quantity, wallet, fills, and a stop for what is held."""
        truth, books = await self.truth(), self.keeper.desk.books
        held = sum((D(row["qty"]) for row in truth["positions"]), D(0))
        fills = {row["trade_id"] for row in truth["fills"]}
        known = sum(len(ledger.fills(SYMBOL)) for ledger in books.ledgers.values())
        stops = [row for row in truth["algos"] if row["status"] == "NEW" and "STOP" in row["kind"]]
        wallet = books.wallet()
        return books.held(self.leg) == held and known == len(fills) and wallet is not None \
            and abs(wallet - D(truth["wallet"])) <= books.rounding() and bool(stops) == bool(held) \
            and not self.keeper.desk.journal.open_entries("b", "LIVE")

    async def settle(self) -> None:
        """Wait for agreement, by the keeper's own looks alone."""
        end = asyncio.get_running_loop().time() + 60
        while not await self.agrees():
            assert asyncio.get_running_loop().time() < end, (await self.truth(), self.keeper.report)
            await asyncio.sleep(0.1)


@pytest.fixture
async def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Kept]:
    monkeypatch.setattr(keepers, "SILENT_S", 1.5)
    simulator = Simulator(SimulatorSettings(  # fast: the weight of its minute must not end before the test does
        tokens=2, futures=3, start=datetime(2026, 2, 3, 11, tzinfo=UTC), speed=6))
    runner = web.AppRunner(simulator.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    simulator.port = runner.addresses[0][1]
    base = f"http://127.0.0.1:{simulator.port}"
    settings = FuturesSettings(base_url=base, timeout_s=5, arrange=True)
    paths = Paths(tmp_path).prepare()
    market = await open_futures(settings, paths)
    account = await open_futures_account(Mode.LIVE, settings, paths, market)
    assert isinstance(account, BinanceAccount)
    words: list[Word] = []
    keeper = keep("b", Mode.LIVE, settings, paths.data, account, market, (SYMBOL,), words.append,
                  Rhythm(look_s=0.3, pass_s=1.0), NO_LIMITS)
    stream = keeper.listen(account, streams(settings, market))
    assert isinstance(stream, PrivateStream)
    session = aiohttp.ClientSession()
    tasks = [asyncio.create_task(work) for work in (keeper.run(), stream.run())]
    await until(keeper.opened.is_set)
    await until(lambda: stream.socket is not None and stream.socket.connected)
    yield Kept(base, session, keeper, account, stream, words)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await keeper.desk.shut()
    await session.close()
    await market.close()
    await runner.cleanup()
    simulator.close()


@pytest.mark.parametrize("kinds", [("duplicate",), ("reorder", "late"), ("garbage", "truncate"), ("lose",)])
async def test_events_doubled_swapped_spoilt_or_lost_change_nothing(kept: Kept, kinds: tuple[str, ...]) -> None:
    await kept.faults(*({"kind": kind, "user": True, "probability": 1.0 / len(kinds)} for kind in kinds))
    await kept.enter("a")
    await kept.enter("b", "0.05")
    assert await kept.act(futures=True, action="sell", symbol=SYMBOL, leg="LONG", qty="0.05") == 200
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == D("0.1")
    while not (await kept.keeper.desk.close(kept.leg, "test")).flat:
        await asyncio.sleep(0.05)
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == 0
    assert set(await kept.befallen()) & set(kinds), "the faults did happen"
    assert not kept.keeper.desk.books.conflicts


async def test_a_key_that_expired_is_renewed_and_the_gap_is_read_by_rest(kept: Kept) -> None:
    await kept.enter("a")
    first = kept.stream.socket
    assert await kept.act(action="expire_listen_key") == 200
    assert await kept.act(futures=True, action="sell", symbol=SYMBOL, leg="LONG", qty="0.03") == 200
    await until(lambda: kept.stream.socket is not first and kept.stream.socket is not None
                and kept.stream.socket.connected)
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == D("0.07")
    heard = kept.keeper.heard_at
    assert await kept.act(futures=True, action="sell", symbol=SYMBOL, leg="LONG", qty="0.02") == 200
    await until(lambda: kept.keeper.heard_at > heard, "the new key's stream speaks")
    await kept.settle()


async def test_a_silent_stream_that_answers_pings_is_opened_anew_and_nothing_is_missed(kept: Kept) -> None:
    await kept.faults({"kind": "silence", "user": True, "for_ms": 600_000})
    await kept.enter("a")
    heard = kept.keeper.heard_at
    assert await kept.act(futures=True, action="sell", symbol=SYMBOL, leg="LONG", qty="0.04") == 200
    await kept.settle()
    assert kept.keeper.desk.books.held(kept.leg) == D("0.06") and kept.keeper.heard_at == heard, "REST alone told it"
    socket = kept.stream.socket
    assert socket is not None
    await until(lambda: socket.silences >= 1, "silence is death, whatever pings say")


@pytest.mark.parametrize("kind", ["cut", "reset"])
async def test_a_cut_stream_comes_back(kept: Kept, kind: str) -> None:
    await kept.enter("a")
    socket = kept.stream.socket
    assert socket is not None
    connects = socket.connects
    assert await kept.act(action="stream", fault={"kind": kind, "user": True}) == 200
    assert await kept.act(futures=True, action="sell", symbol=SYMBOL, leg="LONG", qty="0.04") == 200
    await until(lambda: socket.connects > connects and socket.connected)
    await kept.settle()


EVENTS = st.sampled_from(["ORDER_TRADE_UPDATE", "ALGO_UPDATE", "ACCOUNT_UPDATE", "listenKeyExpired", "MARGIN_CALL",
                          "ACCOUNT_CONFIG_UPDATE", "WHO_KNOWS", "", "TRADE_LITE"])
VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                          st.sampled_from(["s", "c", "S", "X", "l", "L", "z", "P", "m", "caid"]), inner, max_size=5),
                      max_leaves=8)


@given(event=EVENTS, body=VALUES, cut=st.integers(0, 60), garbage=st.binary(max_size=20))
def test_no_bytes_whatsoever_raise(event: str, body: object, cut: int, garbage: bytes) -> None:
    whole = json.dumps({"e": event, "E": 1, "o": body, "a": body}).encode()
    for raw in (whole, whole[:cut], garbage, whole[:cut] + garbage):
        read(raw)
