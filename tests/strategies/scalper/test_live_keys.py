"""LIVE with several keys of one account on the simulated exchange: a refused key rests, the next one signs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.health import KeyState
from modules.apikeys.settings import ApiKeySettings
from modules.exchange.futures_gateway import open_futures, open_futures_account
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.types import Mode
from modules.execution.futures.keeper import Rhythm, keep
from modules.execution.risk_settings import RiskSettings
from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from modules.strategies.scalper.eye import Eye, Signal
from modules.strategies.scalper.reasons import Code
from modules.strategies.scalper.records import state_file
from modules.strategies.scalper.settings import ScalperSettings
from modules.strategies.scalper.trade_log import TradeLog
from modules.strategies.scalper.trader import Trader
from tests.surroundings import until
from utils.paths import Paths

SYMBOL = "ETHUSDT"
REFUSED = "an-old-key-of-the-same-account"


@pytest.fixture
async def base() -> AsyncIterator[str]:
    simulator = Simulator(SimulatorSettings(tokens=2, futures=3, start=datetime(2026, 2, 3, 11, tzinfo=UTC), speed=6))
    runner = web.AppRunner(simulator.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    simulator.port = runner.addresses[0][1]
    yield f"http://127.0.0.1:{simulator.port}"
    await runner.cleanup()
    simulator.close()


async def test_a_refused_key_rests_and_the_next_one_trades(base: str, tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    futures = FuturesSettings(base_url=base, timeout_s=30, arrange=True, api_key=SecretStr(REFUSED),
                              api_secret=SecretStr("its-secret"))
    keys = ApiManager.open(ApiKeySettings(binance=SecretStr("account=sim-key:sim-secret")), paths)
    own = ScalperSettings(symbols=(SYMBOL,), min_stop_bps=600, max_stop_bps=600, risk_pct=5)
    market = await open_futures(futures, paths)
    account = await open_futures_account(Mode.LIVE, futures, paths, market, "scalper", keys)
    keeper = keep("scalper", Mode.LIVE, futures, paths.data, account, market, (SYMBOL,), lambda word: None,
                  Rhythm(look_s=0.3, pass_s=1.0), RiskSettings())
    eye, lines = Eye(SYMBOL, own), TradeLog(paths.logs)
    trader = Trader(Mode.LIVE, own, keeper, state_file(paths, Mode.LIVE), {SYMBOL: eye}, lines, lambda *said: None)
    work = asyncio.create_task(keeper.run())
    try:
        await until(keeper.opened.is_set)
        book = f"{base}/fapi/v1/depth?symbol={SYMBOL}&limit=5"
        async with aiohttp.ClientSession() as session, session.get(book) as told:
            ask = float((await told.json())["asks"][0][0])
        signal = Signal(SYMBOL, 1, 0.9, {}, ask, ask, 0.1, 10.0, trader.now_ms(), 0, {})
        assert trader.offer(signal) is Code.OK
        await asyncio.gather(*trader._tasks.values())
        await trader.turn()
        [trade] = trader.state.open.values()
        assert trade.opened_ms and trade.filled
        first, second = keys.health()
        assert (first.state, first.good) == (KeyState.REFUSED, 0) and second.state is KeyState.READY
        assert first.calls <= 4  # those of the first moment, asked side by side; none since
        assert second.good > 5 and REFUSED not in first.mask
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await trader.shut()
        lines.close()
        await keeper.desk.shut()
        await account.close()
        await market.close()
        keys.close()
    text = (paths.logs / "api_rotation.log").read_text("utf-8")
    assert "refused" in text and REFUSED not in text and "sim-secret" not in text
