"""Futures in the server: opened when first asked for, on the spot market's port, clock, folder and acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modules.simulator.server import Simulator
from modules.simulator.settings import SimulatorSettings
from tests.simulator.conftest import Running, Starter, start

__all__ = ["start"]


async def act(venue: Running, **data: Any) -> tuple[int, Any]:
    async with venue.session.post(venue.base + "/sim/act", json={"futures": True, **data}) as answer:
        return answer.status, await answer.json()


async def test_nothing_is_made_before_somebody_asks(start: Starter) -> None:
    venue = await start()
    assert (await venue.get("/api/v3/time"))[0] == 200
    assert venue.simulator.door.futures is None and (await venue.get("/sim/status"))[1]["futures"] is None
    status, depth = await venue.get("/fapi/v1/depth?symbol=BTCUSDT&limit=5")
    assert status == 200 and len(depth["bids"]) == 5 and float(depth["bids"][0][0]) < float(depth["asks"][0][0])
    assert (await venue.get("/sim/status"))[1]["futures"]["contracts"] == 30


async def test_without_futures_there_are_no_paths(start: Starter) -> None:
    venue = await start(futures=0)
    async with venue.session.get(venue.base + "/fapi/v1/time") as answer:
        assert answer.status != 200
    assert venue.simulator.door.futures is None


async def test_acts_and_truth(start: Starter) -> None:
    venue = await start(futures=3)
    status, told = await act(venue, action="buy", symbol="BTCUSDT", qty="0.1")
    assert (status, told) == (200, {"done": {"action": "buy", "symbol": "BTCUSDT", "qty": "0.1"}})
    truth = (await venue.get("/sim/truth"))[1]["futures"]["accounts"]["trader"]
    assert [p["qty"] for p in truth["positions"]] == ["0.100"] and float(truth["identity"]) == 0
    assert "sim-secret" not in str(truth)
    assert (await act(venue, action="dance"))[0] == 400
    status, told = await act(venue, action="close", symbol="ETHUSDT")
    assert status == 409 and "no position" in told["error"]
    assert (await act(venue, action="buy", symbol="BTCUSDT", qty="50"))[0] == 409


async def test_the_market_moves_with_the_clock(start: Starter) -> None:
    venue = await start(futures=3)
    first = (await venue.get("/sim/book?symbol=BTCUSDT&limit=50"))[1]
    venue.pass_s(2)
    venue.simulator.door.open().step()
    later = (await venue.get("/sim/book?symbol=BTCUSDT&limit=50"))[1]
    assert later["lastUpdateId"] > first["lastUpdateId"] and later["bids"] != first["bids"]
    assert (await venue.get("/sim/book?symbol=NOPE"))[0] == 404


async def test_a_restart_opens_what_was_there(start: Starter, tmp_path: Path) -> None:
    venue = await start(futures=3, state=tmp_path / "one")
    await act(venue, action="buy", symbol="BTCUSDT", qty="0.1")
    venue.simulator.close()  # lets the folder go
    again = Simulator(SimulatorSettings(tokens=12, futures=3, state=tmp_path / "one"))
    try:
        assert again.door.futures is not None
        assert [leg.steps for leg in again.door.futures.venue.accounts["trader"].legs()] == [100]
    finally:
        again.close()
