"""Venues for the tests: one that is scripted, and the real simulated exchange in a process of its own."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.exchange.fake_venue import FakeVenue

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def venue() -> AsyncIterator[FakeVenue]:
    fake = FakeVenue()
    await fake.start()
    yield fake
    await fake.stop()


@dataclass
class SimProcess:
    """A running simulator."""

    process: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def truth(self) -> dict:
        with urlopen(f"{self.url}/sim/truth", timeout=10) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()


def start_simulator(*arguments: str, speed: float = 10, tokens: int = 30, port: int = 0) -> SimProcess:
    """Start one and wait until it listens."""
    code = "import sys; from modules.simulator.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-u", "-c", code, "--port", str(port), "--speed", str(speed), "--tokens", str(tokens),
               "--seed", "3", "--start", "2025-03-01T10:00:00Z", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://127.0.0.1:" in line, line
    found = SimProcess(process, int(line.split("http://127.0.0.1:")[1].split()[0].rstrip("/")))
    deadline = time.monotonic() + 30
    while True:
        try:
            with urlopen(f"{found.url}/sim/status", timeout=5):
                return found
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimProcess]:
    running = start_simulator()
    yield running
    running.stop()
