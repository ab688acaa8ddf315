"""What the futures' sockets cost: 100 contracts at 100 ms depth + aggTrade + bookTicker, market model included.

    python -m benchmarks.perp_sockets [--contracts 100] [--seconds 20] [--listeners 1] [--speed 1] [--json]

The simulator runs as a process of its own; the client here takes frames as bytes and looks at the depth ids only.
Told: the simulator's CPU share of one core (from /proc), frames a second, breaks of the id chain, and the time from
a slice's market time to the frame's arrival (both processes share the clock).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, WSMsgType

ROOT = Path(__file__).resolve().parents[1]
_IDS = re.compile(rb'"E":(\d+).*?"s":"(\w+)","U":(\d+),"u":(\d+),"pu":(\d+)')


@dataclass
class Heard:
    """What one socket heard."""

    frames: int = 0
    size: int = 0
    breaks: int = 0
    last: dict[bytes, int] = field(default_factory=dict)
    late_ms: list[float] = field(default_factory=list)


async def listen(session: ClientSession, url: str, names: list[str], heard: Heard, until: float) -> None:
    """Count frames until a monotonic time."""
    async with session.ws_connect(url, max_msg_size=0) as socket:
        for at in range(0, len(names), 200):
            await socket.send_json({"method": "SUBSCRIBE", "params": names[at:at + 200], "id": at})
        while (left := until - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(socket.receive(), left)
            except TimeoutError:
                return
            if message.type is not WSMsgType.TEXT:
                raise SystemExit(f"{url}: ended ({message.type}, {socket.close_code})")
            data = message.data.encode()
            heard.frames += 1
            heard.size += len(data)
            if b'"depthUpdate"' in data and (match := _IDS.search(data)) is not None:
                heard.breaks += heard.last.get(match[2], int(match[5])) != int(match[5])
                heard.last[match[2]] = int(match[4])
                heard.late_ms.append(time.time() * 1000.0 - int(match[1]))


def cpu_seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(options: argparse.Namespace, base: str, pid: int) -> dict[str, Any]:
    """Listen for a while."""
    host = base.partition("://")[2]
    async with ClientSession() as session:
        async with session.get(f"{base}/fapi/v1/exchangeInfo") as answer:
            symbols = [row["symbol"].lower() for row in (await answer.json())["symbols"]]
        public = [f"{name}@{what}" for name in symbols for what in ("depth@100ms", "bookTicker")]
        market = [f"{name}@aggTrade" for name in symbols]
        heard = [Heard() for _ in range(2 * options.listeners)]
        await asyncio.sleep(2.0)
        idle = cpu_seconds(pid)
        await asyncio.sleep(5.0)
        idle = (cpu_seconds(pid) - idle) / 5.0
        until = time.monotonic() + options.seconds + 2.0
        work = [asyncio.ensure_future(listen(session, f"ws://{host}/{path}/ws", names, heard[2 * n + k], until))
                for n in range(options.listeners) for k, (path, names) in enumerate(
                    (("public", public), ("market", market)))]
        await asyncio.sleep(1.0)
        begun, frames, at = cpu_seconds(pid), sum(one.frames for one in heard), time.monotonic()
        await asyncio.sleep(options.seconds)
        span = time.monotonic() - at
        used, frames = cpu_seconds(pid) - begun, sum(one.frames for one in heard) - frames
        await asyncio.gather(*work)
    late = sorted(ms for one in heard for ms in one.late_ms)
    return {
        "contracts": len(symbols), "listeners": options.listeners, "speed": options.speed,
        "cpu_share_idle": round(idle, 3), "cpu_share": round(used / span, 3), "frames_per_s": round(frames / span),
        "mb_per_s": round(sum(one.size for one in heard) / (options.seconds + 2.0) / 1e6, 2),
        "depth_breaks": sum(one.breaks for one in heard),
        "late_ms_median": round(late[len(late) // 2], 1), "late_ms_p99": round(late[int(len(late) * 0.99)], 1),
        "memory_mb": round(memory_mb(pid))}


def main() -> int:
    """Run the simulator, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contracts", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--listeners", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    command = [sys.executable, str(ROOT / "bot.py"), "simulate", "--port", "0", "--tokens", "1",
               "--futures", str(options.contracts), "--speed", str(options.speed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        match = re.search(r"http://[\w.:]+", process.stdout.readline())
        if match is None:
            raise SystemExit("the simulator did not start")
        result = asyncio.run(measure(options, match[0], process.pid))
    finally:
        process.terminate()
        process.wait()
    print(json.dumps(result) if options.json else "\n".join(f"{name:16} {value}" for name, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
