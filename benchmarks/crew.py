"""What the running crew costs and how fast it answers (issue 2): the program as a user starts it.

    python -m benchmarks.crew [--tokens 300] [--speed 1] [--settle 60] [--json]

Cold start to the first answer, kill -9 of each service to its replacement ready, /ping through Telegram's API while
the crew scans and trains, and the memory (PSS) of each process. A Bot API server of the tests stands in for Telegram.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.e2e.harness import Program, wait_until
from tests.telegram.bot_api import BotApiServer

OWNER = 77
TOKEN = "123456:BENCHMARKBENCHMARKBENCHMARKBENCHMA"
SERVICES = ("simulator", "tracker", "scanner", "trainer")


def pss_mb(pid: int) -> float:
    """Proportional memory of a process and its children, MB (Linux; elsewhere resident memory)."""
    found = 0
    for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        if process.pid != pid and "run" in process.cmdline():  # a service, counted under its own name
            continue
        memory = process.memory_full_info()
        found += getattr(memory, "pss", memory.rss)
    return found / 1e6


def console_start(home: Path, environment: dict[str, str]) -> float:
    """Cold start on the console: seconds from the command to the answer of /ping."""
    program = Program(home, ("--console",), **environment)
    before = time.perf_counter()
    try:
        program.start().ask("/ping", r"pong")
        return time.perf_counter() - before
    finally:
        program.end_of_input()
        program.kill_all()


def pings(api: BotApiServer, count: int) -> list[float]:
    """Milliseconds from a message that arrives to the answer that leaves, one after the other."""
    took = []
    for _ in range(count):
        already = api.texts(OWNER).count("pong")
        before = time.perf_counter()
        api.say(OWNER, "/ping")
        while api.texts(OWNER).count("pong") == already:
            time.sleep(0.0005)
        took.append((time.perf_counter() - before) * 1000)
        time.sleep(1.1)  # Telegram lets one message a second through to a chat
    return took


def measure(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    """All figures of one run."""
    environment = {"SIMULATOR_TOKENS": str(options.tokens), "SIMULATOR_SPEED": str(options.speed)}
    starts = [round(console_start(home / f"c{i}", environment), 2) for i in range(3)]
    found: dict[str, Any] = {"console_start_s": starts}
    with BotApiServer(token=TOKEN) as api:
        program = Program(home / "crew", (), TELEGRAM_TOKEN=TOKEN, TELEGRAM_OWNERS=str(OWNER),
                          TELEGRAM_API_BASE=api.base, **environment)
        api.say(OWNER, "/ping")
        before = time.perf_counter()
        program.start()
        try:
            wait_until(lambda: "pong" in api.texts(OWNER), "the first answer")
            found["telegram_start_s"] = round(time.perf_counter() - before, 2)
            api.say(OWNER, "/startbot")
            for name in SERVICES:
                program.wait_ready(name)
            found["startbot_ready_s"] = round(time.perf_counter() - before - found["telegram_start_s"], 2)
            api.say(OWNER, "/retrainfeedback")
            took = pings(api, options.pings)
            found["ping_ms"] = {"median": round(statistics.median(took), 1), "max": round(max(took), 1), "n": len(took)}
            time.sleep(options.settle)
            found["pss_mb"] = {name: round(pss_mb(program.service_pid(name) or 0), 1) for name in SERVICES}
            found["pss_mb"]["command"] = round(pss_mb(program.command_pid), 1)
            found["pss_mb"]["crew_without_simulator"] = round(
                sum(v for k, v in found["pss_mb"].items() if k != "simulator"), 1)
            found["kill_to_ready_s"] = {name: round(revival_s(program, name), 2) for name in SERVICES}
        finally:
            program.kill_all()
    return found


def revival_s(program: Program, name: str) -> float:
    """Seconds from kill -9 of a service to its replacement's readiness."""
    pid = program.wait_ready(name)
    before = time.perf_counter()
    psutil.Process(pid).kill()
    program.wait_ready(name, other_than=pid)
    return time.perf_counter() - before


def main() -> int:
    """Entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--speed", type=float, default=1)
    parser.add_argument("--settle", type=float, default=60, help="seconds of work before memory is read")
    parser.add_argument("--pings", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = measure(options, Path(folder))
    found["cores"] = os.cpu_count()
    print(json.dumps(found, indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
