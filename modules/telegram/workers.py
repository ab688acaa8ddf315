"""Heavy or rare work in a short-lived process: charts (matplotlib) and questions to the exchange (ccxt).

The command process stays small and never blocks: a worker gets one JSON object on standard input, answers one on
standard output, and ends. Keys travel through that pipe only, never through arguments or environment. A worker
that takes too long is killed; at most two run at once.

    python -m modules.telegram.workers      (started by `run_worker`; not for people)
"""

import asyncio
import importlib
import json
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from modules.exchange.types import Unavailable
from modules.storage.damage import StateError
from utils.paths import PROJECT, Paths
from utils.redact import redact

if TYPE_CHECKING:
    from config.settings import Settings

log = logging.getLogger(__name__)
LIMIT_S = 45.0
AT_ONCE = 2
TASKS = {  # task: module with `async def TASK(paths, exchange, spec) -> dict`
    "balance": "modules.telegram.ask_exchange",
    "key_report": "modules.telegram.ask_exchange",
    "resync_changes": "modules.telegram.ask_exchange",
    "chart": "modules.telegram.chart_candles",
    "grid": "modules.telegram.chart_grid",
    "signal": "modules.telegram.chart_signal",
    "signal_report": "modules.telegram.chart_signal_report",
    "showdown": "modules.telegram.chart_showdown",
    "equity": "modules.telegram.chart_equity",
    "backtest": "modules.telegram.chart_backtest",
    "model": "modules.telegram.chart_model",
}


class Workers:
    """Runs workers for the command process; the context's `worker`."""

    def __init__(self, paths: Paths, settings: "Settings") -> None:
        self._paths = paths
        self._exchange = _plain(settings)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, task: str, spec: dict[str, Any]) -> dict[str, Any]:
        """Answer of one worker. Raises Unavailable with a sentence for a person."""
        order = {"task": task, "home": str(self._paths.home), "exchange": self._exchange, "spec": spec}
        async with self._slots:
            out = await self._run(json.dumps(order).encode())
        try:
            answer = json.loads(out.decode("utf-8").splitlines()[-1])
        except (ValueError, IndexError):
            raise Unavailable(f"The worker for {task} gave no answer. /logs bot has the details.") from None
        if "problem" in answer and "result" not in answer:
            raise Unavailable(str(answer["problem"]))
        result: dict[str, Any] = answer["result"]
        return result

    async def _run(self, order: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "modules.telegram.workers", cwd=PROJECT, env=_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            async with asyncio.timeout(LIMIT_S):
                out, err = await process.communicate(order)
        except TimeoutError:
            raise Unavailable(f"No answer within {LIMIT_S:.0f} s. Try again.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if err.strip():
            log.warning("worker: %s", redact(err.decode("utf-8", "replace"))[-2000:])
        return out


def _environment() -> dict[str, str]:
    """One thread is enough for a worker; matplotlib draws without a display."""
    return {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
            "PYTHONIOENCODING": "utf-8"}


def _plain(settings: "Settings") -> dict[str, Any]:
    """The exchange's settings with their secrets, for the pipe."""
    section = settings.exchange
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in ((name, getattr(section, name)) for name in type(section).model_fields)}


async def answer(order: dict[str, Any]) -> dict[str, Any]:
    """Do what `order` says, in the worker."""
    from pathlib import Path

    from modules.exchange.settings import ExchangeSettings
    from utils.redact import register_secrets

    exchange = ExchangeSettings.model_validate(order["exchange"])
    register_secrets([exchange.api_key.get_secret_value(), exchange.api_secret.get_secret_value()])
    work = getattr(importlib.import_module(TASKS[order["task"]]), order["task"])
    try:
        return {"result": await work(Paths(Path(order["home"])), exchange, order["spec"])}
    except (Unavailable, StateError) as problem:
        return {"problem": redact(str(problem))}


def main() -> int:
    """The worker process."""
    try:
        told = asyncio.run(answer(json.loads(sys.stdin.buffer.read())))
    except Exception as problem:  # border of the process
        logging.basicConfig(stream=sys.stderr)
        log.exception("worker failed")
        told = {"problem": f"It failed: {type(problem).__name__}. /logs bot has the details."}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
