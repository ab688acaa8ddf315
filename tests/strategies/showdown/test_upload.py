"""Manual sources as files: a document in Telegram, @PATH on the console; the gate, the role and the size come first."""

import io
import json
import logging
from pathlib import Path

import pytest

from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.manual_store import ManualStore
from modules.telegram import front_telegram
from modules.telegram.front_console import Console
from tests.telegram.bot_api import BotApiServer
from tests.telegram.house import OWNER, STRANGER, VIEWER, House
from tests.telegram.test_front_telegram import running

FLOWS = json.dumps({"days": [{"date": "2025-04-01", "flows": {"IBIT": 120e6, "FBTC": -30e6}}]}, indent=2).encode()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_telegram, "_FIRST_WAIT_S", 0.02)


@pytest.fixture
def api():
    with BotApiServer() as server:
        yield server


def entered(house: House, kind: str = "etf"):
    return ManualStore(ShowdownFiles(house.paths, "BTCUSDT", True)).current().get(kind)


async def told(api: BotApiServer, count: int = 1) -> str:
    await api.until(lambda: len(api.texts(OWNER)) >= count, patience_s=60)
    return api.texts(OWNER)[-1]


async def test_a_document_with_its_caption_is_entered(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        api.send_file(OWNER, "/etf", b"\xef\xbb\xbf" + FLOWS)
        assert "version 1 counts" in await told(api)
        assert entered(house).body["days"][0]["flows"]["IBIT"] == 120e6
        api.send_file(OWNER, "/etf", b"2025-04-02 5M\n2025-04-03 6M", size=None)
        assert "version 2 counts" in await told(api, 2)
        assert len(entered(house).body["days"]) == 3


async def test_strangers_and_viewers_have_nothing_fetched(tmp_path: Path, api: BotApiServer) -> None:
    async with running(tmp_path, api) as (house, _):
        api.send_file(STRANGER, "/etf", FLOWS)
        api.send_file(VIEWER, "/etf", FLOWS)
        await api.until(lambda: api.texts(VIEWER), patience_s=60)
        assert "for owners" in api.texts(VIEWER)[-1] and api.texts(STRANGER) == []
        assert api.fetched == [] and entered(house) is None


@pytest.mark.parametrize(("caption", "content", "size", "named", "fetched"), [
    ("/etf", b"x" * 250_000, -1, "at most 200,000", 0),
    ("/etf", b"x" * 5_000_000, 10, "at most 200,000", 1),  # Telegram says less than comes
    ("", FLOWS, -1, "needs a caption", 0),
    ("/ping", FLOWS, -1, "takes no file", 0),
    ("/nonsense", FLOWS, -1, "I don't know", 0),
    ("/etf", b"\xff\xfe\x00binary", -1, "no UTF-8 text", 1),
    ("/etf", b"  ", -1, "empty", 1),
    ("/etf 2025-04-01 5M", FLOWS, -1, "a file and with text", 1),
    ("/etf", b"{broken", -1, "no JSON", 1),
    ("/etf", b"undo", -1, "not taken", 1),
    ("/liqmap", b"[1, 2]", -1, "not taken", 1)])
async def test_what_cannot_be_taken_is_told_and_changes_nothing(tmp_path: Path, api: BotApiServer, caption: str,
                                                                content: bytes, size: int, named: str,
                                                                fetched: int) -> None:
    async with running(tmp_path, api) as (house, _):
        api.send_file(OWNER, caption, content, size=size)
        assert named in await told(api)
        assert len(api.fetched) == fetched
        assert not ShowdownFiles(house.paths, "BTCUSDT", True).versions.exists()


async def test_a_fetch_that_fails_is_told_without_the_token(tmp_path: Path, api: BotApiServer,
                                                            caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(tmp_path, api) as (house, _):
        api.fail("file", 500)
        api.send_file(OWNER, "/etf", FLOWS)
        assert "could not be fetched" in await told(api)
        api.fail("getFile", 400, "Bad Request: file is too big")
        api.send_file(OWNER, "/etf", FLOWS)
        assert "file is too big" in await told(api, 2)
        assert entered(house) is None
        ours = [record.getMessage() for record in caplog.records if record.name.startswith("modules.")]
        assert api.token not in "".join([*ours, *api.texts(OWNER)])  # the server's own log knows it


async def test_the_console_takes_a_path(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    path = tmp_path / "flows.json"
    path.write_bytes(FLOWS)
    sink = io.StringIO()
    front = Console(house.router, io.StringIO(f"/etf @{path}\n/etf @{tmp_path}/none.json\n/ping @{path}\n"), sink)
    await front.run()
    shown = sink.getvalue()
    path.write_text("not\na\nfile\nof\nETF\nflows\never")
    sink = io.StringIO()
    await Console(house.router, io.StringIO(f"/etf @{path}\n"), sink).run()
    refused = sink.getvalue()
    assert refused.count("no date; write e.g. 2026-11-20") == 5 and "and 2 more" in refused, refused
    assert "version 1 counts" in shown and "cannot be read: No such file" in shown
    assert entered(house).version == 1
