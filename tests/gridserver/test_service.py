"""The service as the runner starts it: listens, tells its address, serves, ends when it is told to."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest

from config.settings import load_settings
from modules.gridserver.service import AddressInUse, Http, listen, main
from modules.gridserver.settings import GridServerSettings
from modules.supervision.service import Beat, ServiceRun, read_beat
from tests.gridserver.house import PLATFORM, person
from utils.paths import Paths


@asynccontextmanager
async def served(home: Path) -> AsyncIterator[Beat]:
    """The service at work, and its heartbeat; it ends in order."""
    paths = Paths(home).prepare()
    settings = load_settings(paths, {"SERVER_PORT": "0", "PLATFORM_API_KEY": PLATFORM})
    run = ServiceRun("gridserver", paths, 1.0)
    serving = asyncio.create_task(main(run, settings))
    async with asyncio.timeout(60):
        while (beat := read_beat(paths.run, "gridserver")) is None or not beat.ready:
            assert not serving.done(), serving.exception()
            await asyncio.sleep(0.02)
    try:
        yield beat
    finally:
        run.stop.set()
        async with asyncio.timeout(60):
            await serving


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    async with served(tmp_path) as beat, aiohttp.ClientSession() as session:
        async with session.get(f"{beat.info['url']}/health") as answer:
            assert (await answer.json())["sessions"] == {"total": 0, "running": 0}
        # No exchange answers here: users can be added, their start is proven later.
        async with session.post(f"{beat.info['url']}/api/v1/users", json=person(),
                                headers={"X-Platform-Key": PLATFORM}) as answer:
            assert answer.status == 201
            token = (await answer.json())["token"]
        async with session.post(f"{beat.info['url']}/api/v1/users/user-1/start",
                                headers={"Authorization": f"Bearer {token}"}) as answer:
            assert answer.status == 503 and "Nothing was started" in (await answer.json())["error"]
    assert (tmp_path / "config" / "grid.key").stat().st_mode & 0o077 == 0
    told = "".join(file.read_text() for file in (tmp_path / "data").rglob("*.json"))
    assert "ADMIN_API_KEY" in told and PLATFORM not in told


SLOW = {"headers": b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "body": b"POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: 20000\r\n\r\n"}


@pytest.mark.parametrize("part", SLOW)
async def test_who_sends_drop_by_drop_is_cut_off_and_holds_nobody_up(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(Http, "request_s", 1.0)
    async with served(tmp_path) as beat, aiohttp.ClientSession() as session:
        held = [await asyncio.open_connection("127.0.0.1", beat.info["port"]) for _ in range(20)]

        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(SLOW[part])
            try:
                while True:
                    writer.write(b" ")
                    await writer.drain()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.05):
                            return await reader.read(100)
            except ConnectionError:
                return b""
            finally:
                writer.close()

        async with asyncio.timeout(60):
            drips = [asyncio.create_task(drip(*one)) for one in held]
            answered = 0
            while not all(one.done() for one in drips):
                async with session.get(f"{beat.info['url']}/health") as answer:
                    answered += answer.status == 200
                await asyncio.sleep(0.05)
        assert answered and [one.result() for one in drips] == [b""] * 20


def test_a_port_in_use_is_said_with_its_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AddressInUse, match="SERVER_PORT"):
            listen(GridServerSettings(port=taken.getsockname()[1]))
