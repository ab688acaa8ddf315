"""A few worker processes, started when there is work and ended when there is none for a while.

The service that owns them stays small, and its loop keeps beating while they train.
"""

import asyncio
import logging
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process

import msgspec

from modules.learning.jobs import Job, Result
from modules.learning.worker import HEAD, Answer
from utils.paths import PROJECT

log = logging.getLogger(__name__)


class WorkerFailed(Exception):
    """A worker ended, hung or raised; the job is not done. The text has the stack where there is one."""


class Workers:
    """At most `size` processes. One coroutine per job; jobs beyond the size wait their turn."""

    def __init__(self, size: int, *, idle_s: float = 15.0, longest_s: float = 600.0) -> None:
        self._turns = asyncio.Semaphore(size)
        self._free: list[tuple[Process, float]] = []
        self._idle_s = idle_s
        self._longest_s = longest_s
        self._busy: set[Process] = set()

    async def run(self, job: Job) -> Result:
        """Do one job in a worker. Raises WorkerFailed; the worker is then gone and the next job gets a new one."""
        async with self._turns:
            worker = self._free.pop()[0] if self._free else await self._start()
            self._busy.add(worker)
            try:
                async with asyncio.timeout(self._longest_s):
                    answer = await _ask(worker, msgspec.msgpack.encode(job))
            except (OSError, EOFError, TimeoutError, msgspec.MsgspecError) as problem:
                await _end(worker)
                reason = "took too long" if isinstance(problem, TimeoutError) else f"ended ({worker.returncode})"
                raise WorkerFailed(f"the training process {reason}") from problem
            except BaseException:
                await _end(worker)  # cancelled within a job: its answer would meet the next one
                raise
            finally:
                self._busy.discard(worker)
            self._free.append((worker, time.monotonic()))
        if answer.error:
            raise WorkerFailed(answer.error)
        return msgspec.msgpack.decode(answer.result, type=Result)

    async def trim(self) -> None:
        """End workers without work for `idle_s`; call it now and then."""
        now = time.monotonic()
        tired = [item for item in self._free if now - item[1] >= self._idle_s]
        self._free = [item for item in self._free if item not in tired]
        for worker, _ in tired:
            await _end(worker)

    def alive(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in (*self._busy, *(item[0] for item in self._free))]

    async def close(self) -> None:
        """End every worker, busy ones too."""
        ending = [*self._busy, *(item[0] for item in self._free)]
        self._free = []
        for worker in ending:
            await _end(worker)

    async def _start(self) -> Process:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT)}
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "modules.learning.worker", stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
            cwd=PROJECT, env=environment,
        )  # fmt: skip
        log.info("training process %d started", worker.pid)
        return worker


async def _ask(worker: Process, body: bytes) -> Answer:
    """Send a job, wait for its answer."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write(HEAD.pack(len(body)))
    worker.stdin.write(body)
    await worker.stdin.drain()
    head = await worker.stdout.readexactly(HEAD.size)  # IncompleteReadError is an EOFError
    answer = await worker.stdout.readexactly(HEAD.unpack(head)[0])
    return msgspec.msgpack.decode(answer, type=Answer)


async def _end(worker: Process) -> None:
    """Close the pipe: an idle worker then ends by itself; a busy one is killed (model files survive that)."""
    if worker.stdin is not None:
        worker.stdin.close()
    try:
        async with asyncio.timeout(0.2 if worker.returncode is None else 0):
            await worker.wait()
    except TimeoutError:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
