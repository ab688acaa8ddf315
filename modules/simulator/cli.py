"""`python bot.py simulate …`: the simulated exchange in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from pydantic import ValidationError

from modules.simulator.listening import StartError
from modules.simulator.raw_replay_reader import is_recording
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from utils.mistakes import wrong


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not an ISO 8601 time, e.g. 2026-01-31T12:00:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bot.py simulate", description="A simulated exchange on this machine, speaking MEXC spot's REST API.")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add("--port", type=int, default=8900, help="port; 0 takes a free one (default %(default)s)")
    add("--speed", type=float, default=1.0, help="market seconds per second (default 1)")
    add("--tokens", type=int, default=300, help="tokens beside the majors, up to 2500 (default 300)")
    add("--futures", type=int, default=30, metavar="N",
        help="perpetual contracts with Binance USD-M's and Bitget's REST and sockets, up to 300; 0: none (default 30)")
    add("--bitget-users", type=int, default=0, metavar="N",
        help="more accounts behind Bitget's wire, keys sim-key-1 … sim-key-N (default 0)")
    add("--bitget-calls", type=int, default=6_000, metavar="N",
        help="calls a minute of one address there (default 6000, Bitget's own)")
    add("--seed", type=int, default=1, help="same seed, same market (default 1)")
    add("--start", type=_moment, default=None, help="market time at the start, ISO 8601 (default: now)")
    add("--replay", type=Path, default=None, metavar="PATH",
        help="recorded candles instead of the model, or recorded raw frames (served as Binance USD-M)")
    add("--faults", type=Path, default=None, metavar="FILE", help="fault plan, JSON")
    add("--fault-seed", type=int, default=None, metavar="S", help="seed of the faults' dice (default the plan's, or 0)")
    add("--fault-rate", type=float, default=None, metavar="P",
        help="share of all requests that meet a fault of the default mix, 0 … 1")
    add("--record", type=Path, default=None, metavar="FILE", help="append the venue's own truth, JSON lines")
    add("--state", type=Path, default=None, metavar="DIR", help="keep accounts and orders across restarts")
    add("--usdt", type=float, default=10_000.0, dest="start_usdt", help="USDT in each account at first (default 10000)")
    add("--fee-asset", choices=("quote", "received"), default="quote", help="coin of the commission (default USDT)")
    add("--accept-wall-time", action="store_true", help="also accept requests signed with the wall clock")
    return parser


def main(argv: list[str]) -> int:
    """Run until Ctrl-C. 0 stopped, 1 failed, 2 wrong arguments."""
    try:
        arguments = vars(_parser().parse_args(argv))
    except SystemExit as leave:  # argparse has already said what is wrong
        return int(leave.code or 0)
    try:
        options = SimulatorSettings(**arguments)
    except ValidationError as problem:
        for error in problem.errors():
            name = str(error["loc"][0]).replace("start_usdt", "usdt").replace("_", "-")
            print(f"--{name} {error['input']}: {wrong(error)}", file=sys.stderr)  # noqa: T201
        return 2
    try:
        asyncio.run(_run(options))
    except KeyboardInterrupt:
        return 0
    except StartError as problem:
        print(f"simulate: {problem}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as problem:
        print(f"simulate: stopped, its state can no longer be written ({problem})", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _run(options: SimulatorSettings) -> None:
    stop = asyncio.Event()
    _on_interrupt(asyncio.get_running_loop(), stop.set)

    faults = f" · faults at {options.fault_rate:.0%} of requests" if options.fault_rate else ""

    if options.replay is not None and is_recording(options.replay):
        await _replay(options, stop)
        return

    def ready(port: int) -> None:
        print(  # noqa: T201
            f"Simulated exchange (MEXC spot) on http://{options.host}:{port} · {options.tokens} tokens · "
            f"seed {options.seed} · speed {options.speed:g}{faults} · key sim-key / sim-secret · Ctrl-C stops",
            flush=True)

    await serve(options, ready, stop)


async def _replay(options: SimulatorSettings, stop: asyncio.Event) -> None:
    from modules.simulator.raw_replay_server import serve_replay

    def ready(port: int) -> None:
        print(  # noqa: T201
            f"Recorded frames of {options.replay} as Binance USD-M on http://{options.host}:{port} (sockets "
            f"ws://{options.host}:{port}/public, /market) · speed {options.speed:g} · Ctrl-C stops", flush=True)

    await serve_replay(options, ready, stop)


def _on_interrupt(loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
    """Ctrl-C and a polite termination end the server; works on Windows too."""

    def handler(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
