"""Worker processes: they train, they end when idle or when their owner dies, and a lost one costs one job."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from modules.learning import jobs, modelfiles
from modules.learning.datasets import Bars
from modules.learning.jobs import TokenJob
from modules.learning.settings import LearningSettings
from modules.learning.workers import WorkerFailed, Workers
from tests.learning.market import pumps
from utils.paths import PROJECT


def token_job(folder: Path, symbol: str = "PEPEUSDT", count: int = 1072) -> TokenJob:
    candles = pumps(count, seed=3)[0]
    recipe = jobs.recipe(folder, LearningSettings(trees=20), Bars(3.0, 5.0, 2.0))
    return TokenJob(recipe, symbol, jobs.pack(candles), int(candles[-1, 0]) + 300_000)


async def gone(pid: int) -> None:
    """Wait until a process has ended."""
    end = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end, f"process {pid} still lives"
        await asyncio.sleep(0.02)


async def test_a_worker_trains_and_is_used_again_and_ends_when_idle(tmp_path: Path) -> None:
    workers = Workers(1, idle_s=0.0)
    try:
        made = await workers.run(token_job(tmp_path))
        assert made.made and made.rows > 800 and made.text.startswith(f"Learnt from {made.rows} candles")
        assert isinstance(modelfiles.load(tmp_path, "PEPEUSDT"), modelfiles.Loaded)
        [pid] = workers.alive()
        young = await workers.run(token_job(tmp_path, "NEWUSDT", 150))
        assert workers.alive() == [pid], "the same process"
        assert not young.made and "at least 200" in young.text
        assert isinstance(modelfiles.load(tmp_path, "NEWUSDT"), modelfiles.NoneNow)
        await workers.trim()
        assert workers.alive() == []
        await gone(pid)
    finally:
        await workers.close()


async def test_an_error_in_a_job_comes_back_with_its_stack_and_the_worker_goes_on(tmp_path: Path) -> None:
    workers = Workers(1)
    try:
        with pytest.raises(WorkerFailed, match="cannot name a model"):
            await workers.run(token_job(tmp_path, "../evil"))
        assert (await workers.run(token_job(tmp_path))).made
    finally:
        await workers.close()


async def test_a_killed_worker_costs_one_job(tmp_path: Path) -> None:
    workers = Workers(1)
    try:
        running = asyncio.create_task(workers.run(token_job(tmp_path)))
        while not workers.alive():
            await asyncio.sleep(0.01)
        psutil.Process(workers.alive()[0]).kill()
        with pytest.raises(WorkerFailed, match="ended"):
            await running
        assert (await workers.run(token_job(tmp_path))).made
    finally:
        await workers.close()


async def test_a_job_that_hangs_is_ended(tmp_path: Path) -> None:
    workers = Workers(1, longest_s=0.01)
    try:
        with pytest.raises(WorkerFailed, match="too long"):
            await workers.run(token_job(tmp_path))
        assert workers.alive() == []
    finally:
        await workers.close()


async def test_a_cancelled_job_leaves_no_worker_behind(tmp_path: Path) -> None:
    workers = Workers(1)
    running = asyncio.create_task(workers.run(token_job(tmp_path)))
    while not workers.alive():
        await asyncio.sleep(0.01)
    [pid] = workers.alive()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert workers.alive() == []
    await gone(pid)
    await workers.close()


async def test_a_worker_ends_with_its_owner() -> None:
    code = (
        "import asyncio, os\n"
        "from modules.learning.workers import Workers\n"
        "async def go():\n"
        "    process = await Workers(1)._start()\n"
        "    print(process.pid, flush=True)\n"
        "    os._exit(0)\n"
        "asyncio.run(go())\n"
    )
    owner = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], cwd=PROJECT, capture_output=True,
                                    text=True, timeout=60, check=True)
    await gone(int(owner.stdout))


def test_the_parent_side_brings_no_heavy_package() -> None:
    code = (
        "import sys; import modules.learning.workers, modules.learning.catalog, modules.strategies.hype.labels;"
        "import modules.strategies.hype.trainer_jobs;"
        "sys.exit(bool({'pandas', 'sklearn', 'lightgbm', 'scipy', 'joblib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
