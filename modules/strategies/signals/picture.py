"""The chart of a signal or of a report, drawn in a short-lived process: matplotlib never loads beside the looks."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from typing import Any

from modules.exchange.feed.reader import Candles
from modules.strategies.signals.records import Signal
from utils.paths import PROJECT, Paths
from utils.redact import redact

log = logging.getLogger(__name__)
BARS = 64
PAINTER = "modules.telegram.workers"  # started as a program, never imported here


def spec_of(signal: Signal, candles: Candles, samples: list[tuple[int, float, float, float]], zone: str,
            threshold: float) -> dict[str, Any]:
    """What the picture shows."""
    follow = signal.follow
    return {"symbol": signal.symbol, "direction": signal.direction, "priority": signal.sent_as or signal.priority,
            "quality": signal.quality, "entry": follow.entry, "sl": follow.stop, "tp1": follow.tp1, "tp2": follow.tp2,
            "vwap": signal.vwap, "at": follow.begun_ms, "candles": candles.rows[-BARS:, :6].tolist(),
            "samples": samples, "zone": zone, "threshold": threshold}


async def draw(paths: Paths, spec: dict[str, Any], within_s: float, task: str = "signal") -> str:
    """Path of the PNG below data/, "" where it could not be drawn in time. `task`: of the workers' table."""
    order = {"task": task, "home": str(paths.home), "exchange": {}, "spec": spec}
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                   "PYTHONIOENCODING": "utf-8"}
    process = None
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", PAINTER, cwd=PROJECT, env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        async with asyncio.timeout(within_s):
            out, err = await process.communicate(json.dumps(order).encode())
        told = json.loads(out.decode("utf-8").splitlines()[-1])
        return str(told["result"]["picture"])
    except (OSError, TimeoutError, ValueError, IndexError, KeyError) as problem:
        log.warning("the %s chart of %s was not drawn (%s); its message goes without it", task,
                    spec.get("symbol") or spec.get("name"),
                    redact(str(problem)) or type(problem).__name__)
        return ""
    finally:
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
