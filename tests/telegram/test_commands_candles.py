"""/data: what is asked of the program, what a person reads; downloads from a simulated exchange on the loopback."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from modules.exchange.settings import ExchangeSettings
from modules.market import candles, sets
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from modules.storage.kept_runs import KeptRuns
from modules.telegram.candle_words import read
from modules.telegram.command import UsageError
from modules.telegram.commands import candles as command
from modules.telegram.long_runs import Ended
from modules.telegram.markup import plain
from tests.backtest.candles import table, write_csv
from tests.telegram.house import House, telegram
from tests.telegram.test_commands_backtest import Runs

VIEWER = 222


def result(**more: Any) -> dict[str, Any]:
    row = {"file": "BTCUSDT.csv", "symbol": "BTCUSDT", "rows": 288, "unusable": 0, "problem": "", "gap_count": 1,
           "missing": 3}
    return {"set": "market_data", "exchange": "simulated", "interval": "5m", "since_ms": 0, "until_ms": 1, "asked": 2,
            "added": 288, "failed": {"XUSDT": "no answer"}, "usable": True, "rows": 288, "symbols": [row], **more}


async def ask(house: House, line: str, runs: Runs) -> str:
    house.context.runs = runs  # type: ignore[assignment]
    house.crew.states["simulator"] = "ready"
    return plain(await house.ask(line))


async def test_what_is_asked_becomes_arguments_of_the_program(house: House) -> None:
    runs = Runs(Ended(1, json.dumps(result()), "XUSDT: no answer"))
    said = await ask(house, "/data download btc PEPE/USDT top=3 days=90 1h exchange=mexc", runs)
    assert runs.argv == ["data", "download", "BTCUSDT", "PEPEUSDT", "--json", "--progress", "--interval=1h", "--top=3",
                         "--exchange=mexc", "--days=90"]
    assert "1 of 2 tokens" in said and "XUSDT: no answer" in said and "1 gap (3 candles missing)" in said
    await ask(house, "/data download btc 2024-03-01 2024-03-31", runs)
    assert runs.argv[-2:] == ["--since=2024-03-01", "--until=2024-03-31"]


@pytest.mark.parametrize(("words", "told"), [
    ("", "Name the tokens"), ("btc 30", "write days=30 or top=30"), ("btc days=0", "from 1 to 3650"),
    ("top=5000", "from 1 to 2000"), ("btc interval=2m", "it can be 1m, 5m"), ("btc exchange=x", "simulated, mexc"),
    ("btc foo=1", "there are days="), ("btc 2024-02-31", "is no day"),
    ("btc 2024-03-02 2024-03-01", "before the first"),
    ("btc days=3 2024-03-01", "Give a number of days"), ("--to", "is not known here"), ("../../x", "is not a symbol"),
])
async def test_words_that_mean_nothing_are_refused_with_the_usage(house: House, words: str, told: str) -> None:
    with pytest.raises(UsageError):
        read(words.split())
    runs = Runs()
    said = await ask(house, f"/data download {words}", runs)
    assert told in said and "Usage: /data download" in said and runs.argv == [""]


async def test_a_large_download_asks_first_and_one_the_disk_cannot_hold_is_refused(
        house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(Ended(0, json.dumps(result()), ""))
    said = await ask(house, "/data download top=200 days=365", runs)
    assert "Download up to 21,024,000 candles?" in said and "42,048 requests to simulated" in said and runs.argv == [""]
    assert "Candles downloaded" in await house.confirm("/data download top=200 days=365")
    assert "--top=200" in runs.argv
    runs.argv = [""]
    monkeypatch.setattr(command.shutil, "disk_usage", lambda _: type("Disk", (), {"free": 600_000_000}))
    assert "stay free for trading" in await ask(house, "/data download top=200 days=365", runs) and runs.argv == [""]


async def test_a_viewer_cannot_and_one_runs_at_a_time(house: House) -> None:
    assert "for owners" in plain(await house.ask("/data download btc", telegram(VIEWER)))
    said = await ask(house, "/data download btc", Runs(busy="btc, asked for by Ann: 40 %"))
    assert "is under way" in said and "40 %" in said and "/data cancel" in said
    runs = Runs()
    assert "stopped" in await ask(house, "/data cancel", runs) and runs.cancelled == ["data"]
    assert "is not known here" in await ask(house, "/data frobnicate", runs)


async def test_sets_are_listed_checked_and_deleted_after_a_yes(house: House) -> None:
    write_csv(house.paths.market_data / "AAAUSDT.csv", table(1, 300))
    apart = sets.folder_of(house.paths, "mexc-1h")
    apart.mkdir(parents=True)
    write_csv(apart / "BBBUSDT.csv", table(2, 50))
    (house.paths.data / "candles" / "other-7h").mkdir()
    said = plain(await house.ask("/data"))
    assert "market_data: 1 token, 2024-01-01 … 2024-01-02" in said and "mexc-1h: 1 token" in said and "7h" not in said
    runs = Runs(Ended(0, json.dumps(result(set="mexc-1h")), ""))
    assert "Candles of mexc-1h, checked" in await ask(house, "/data check mexc-1h", runs)
    assert runs.argv == ["data", "check", "--set=mexc-1h", "--json", "--progress"]
    assert "no set '../../config'" in await ask(house, "/data check ../../config", runs)
    assert "/cleanup" in plain(await house.ask("/data delete market_data"))
    assert "Delete the candles mexc-1h?" in plain(await house.ask("/data delete mexc-1h")) and apart.exists()
    runs.under_way = dict  # type: ignore[method-assign]
    assert "are deleted" in plain(await house.confirm("/data delete mexc-1h"))
    assert not apart.exists() and (house.paths.market_data / "AAAUSDT.csv").exists()


async def test_a_backtest_takes_a_set_by_its_name(house: House) -> None:
    apart = sets.folder_of(house.paths, "mexc-1h")
    apart.mkdir(parents=True)
    write_csv(apart / "BBBUSDT.csv", table(2, 3000))
    runs = Runs(Ended(1, "", "No backtest: x"))
    await ask(house, "/backtest rsi 5 candles=mexc-1h", runs)
    assert f"--candles={apart}" in runs.argv and "--since=2024-01-06" in runs.argv
    said = await ask(house, "/backtest rsi candles=../../etc", runs)
    assert "There is no set of candles" in said and "mexc-1h" in said


def test_exchanges_are_those_of_the_settings_and_names_never_leave_the_folder(house: House) -> None:
    assert get_args(ExchangeSettings.model_fields["name"].annotation) == sets.EXCHANGES
    for name in ("../x", "mexc-7h", "mexc-1h/..", "", "MEXC-1H"):
        with pytest.raises(ValueError, match="is no set of candles"):
            sets.folder_of(house.paths, name)


@pytest.fixture
async def venue() -> AsyncIterator[str]:
    """Address of a small simulated exchange."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    options = SimulatorSettings(tokens=20, seed=3, start=datetime(2026, 3, 3, 12, tzinfo=UTC))
    task = asyncio.create_task(serve(options, ready.set_result, stop))
    yield f"http://127.0.0.1:{await asyncio.wait_for(ready, 30)}"
    stop.set()
    await task


async def test_the_program_itself_downloads_with_no_configuration(tmp_path: Path, venue: str,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    """From /data over bot.py to the files: own candles, another length apart, a token that is not there."""
    house = House(tmp_path)
    monkeypatch.setenv("EXCHANGE_BASE_URL", venue)
    said = plain(await house.ask("/data download btc eth days=2"))
    assert "2 of 2 tokens" in said and "every row can be used" in said, said
    assert ("start", "simulator") in house.crew.asked
    rows = candles.read(house.paths.market_data / "ETHUSDT.csv")
    assert len(rows) == 2 * 288 or len(rows) == 2 * 288 - 1
    said = plain(await house.ask("/data download btc days=20 interval=1h"))
    assert "simulated-1h" in said and "candles=simulated-1h" in said, said
    assert len(candles.read(sets.folder_of(house.paths, "simulated-1h") / "BTCUSDT.csv")) in (479, 480)
    said = plain(await house.ask("/data download ethh"))
    assert "Near: ETHUSDT" in said, said
    assert "2 tokens, 1,1" in plain(await house.ask("/data check"))
    kept = [KeptRuns(house.paths).load(path.stem) for path in KeptRuns(house.paths).names("data")]
    assert [(run.code, bool(run.result)) for run in kept if run] == [(0, True), (2, False), (0, True), (0, True)]
