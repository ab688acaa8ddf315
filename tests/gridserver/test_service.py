"""The service as the runner starts it: listens, tells its address, serves, ends when it is told to."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest

from config.settings import load_settings
from modules.gridserver.service import AddressInUse, listen, main
from modules.gridserver.settings import GridServerSettings
from modules.supervision.service import ServiceRun, read_beat
from tests.gridserver.house import PLATFORM, person
from utils.paths import Paths


async def test_it_serves_until_it_is_stopped(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    settings = load_settings(paths, {"SERVER_PORT": "0", "PLATFORM_API_KEY": PLATFORM})
    run = ServiceRun("gridserver", paths, 1.0)
    serving = asyncio.create_task(main(run, settings))
    async with asyncio.timeout(60):
        while (beat := read_beat(paths.run, "gridserver")) is None or not beat.ready:
            assert not serving.done(), serving.exception()
            await asyncio.sleep(0.02)
    async with aiohttp.ClientSession() as session:
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
    run.stop.set()
    async with asyncio.timeout(60):
        await serving
    assert (tmp_path / "config" / "grid.key").stat().st_mode & 0o077 == 0
    told = "".join(file.read_text() for file in (tmp_path / "data").rglob("*.json"))
    assert "ADMIN_API_KEY" in told and PLATFORM not in told


def test_a_port_in_use_is_said_with_its_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(AddressInUse, match="SERVER_PORT"):
            listen(GridServerSettings(port=taken.getsockname()[1]))
