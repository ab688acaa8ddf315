"""`simulate` on the command line: one clear line for what is wrong, and the right exit code."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from modules.simulator.cli import main
from modules.simulator.clock import VenueClock
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from tests.simulator.conftest import HandClock


@pytest.mark.parametrize("argv,words", [
    (["--port", "x"], "--port"), (["--port", "70000"], "--port 70000"), (["--speed", "0"], "--speed 0"),
    (["--tokens", "5000"], "--tokens 5000"), (["--start", "yesterday"], "'yesterday' is not an ISO 8601"),
    (["--colour", "red"], "--colour"), (["--usdt", "-5"], "--usdt -5"), (["--fault-rate", "2"], "--fault-rate 2"),
    (["--fault-seed", "-1"], "--fault-seed -1")])
def test_wrong_arguments_exit_2(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("argv,words", [
    (["--replay", "nowhere"], "replay nowhere: no .csv or .parquet"),
    (["--faults", "nowhere.json"], "fault plan nowhere.json: cannot be read"),
    (["--record", "no/such/folder/file"], "record file"),
    (["--state", "file/below"], "file")])
def test_what_cannot_be_used_exits_1(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file, not a folder", encoding="utf-8")
    assert main(["--port", "0", "--tokens", "3", *argv]) == 1
    err = capsys.readouterr().err
    assert words in err and len(err.strip().splitlines()) == 1


def test_a_port_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert main(["--port", str(port), "--tokens", "3"]) == 1
    err = capsys.readouterr().err
    assert f"port {port}: cannot listen" in err and "--port" in err


async def test_it_serves_until_told_to_stop() -> None:
    stop, ports = asyncio.Event(), []

    def ready(port: int) -> None:
        ports.append(port)
        asyncio.get_running_loop().call_soon(stop.set)

    await asyncio.wait_for(serve(SimulatorSettings(tokens=3, speed=120), ready, stop), 30)
    assert ports and ports[0] > 0


def test_market_time_runs_with_speed_and_never_back() -> None:
    hand = HandClock()
    clock = VenueClock(1_000, 120.0, hand)
    hand.seconds = 0.5
    assert clock.now() == 61_000
    hand.seconds = 0.25
    assert clock.now() == 61_000
    hand.seconds = 1.0
    assert clock.now() == 121_000
