"""Workers as actors of a Ray cluster, over several machines (`GRIDLIVE_BACKEND=ray`).

1. Ray places the actors (spread over the nodes) and restarts one that dies, on another node where its own is gone.
   Which worker trades which grid is decided by leases in SQL alone: an actor that Ray believes dead and that still
   lives is fenced like any other.
2. Every node has its own installation: settings, key of the vault and database address come from the environment of
   its Ray (`COXSWAIN_HOME` of `ray start`); only the program's files are sent along. No secret travels.
3. An orderly end asks each actor to stop, so that it saves and gives its leases back; an actor that is killed, or whose
   service is gone, leaves leases that run out. Positions keep their stops either way (X36).
"""

import contextlib
import logging
import os
import time
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from modules.exchange.types import Unavailable
from modules.strategies.grid.live.crew import END_S, Restarts, Target
from utils.compute import OF_RAY, sent_along
from utils.environment import to_install

log = logging.getLogger(__name__)

OWN_HOME = "COXSWAIN_HOME"
LONGEST_WAIT_S = 4.0  # Ray restarts the actor itself; until it has, a run fails at once


class _Actor:
    """A worker as a Ray actor: `run` blocks in one thread, the others answer meanwhile."""

    def __init__(self, home: str, name: str, target: Target) -> None:
        self._home, self._name, self._target = os.environ.get(OWN_HOME) or home, name, target
        self._ours: Any = None

    def run(self) -> None:
        """Trade until asked to stop. Raises Unavailable where this machine has no installation."""
        if not Path(self._home).is_dir():
            raise Unavailable(f"{self._home} is not on this machine: begin its Ray with {OWN_HOME}=FOLDER ray start …, "
                              "the folder of an installation with its own settings")
        self.stop()  # Ray lost sight of this actor for a while and begins it again: one worker is enough
        theirs, self._ours = Pipe(duplex=False)
        self._target(self._home, self._name, theirs)

    def stop(self) -> None:
        """Ask the worker to end in order."""
        if self._ours is not None:
            self._ours.close()

    def where(self) -> tuple[str, int]:
        """(node, process id)."""
        import ray
        return ray.util.get_node_ip_address(), os.getpid()


class _Member:
    """One actor, its run, and the pauses before it is begun again."""

    def __init__(self, ray: Any, actor: Any, name: str) -> None:
        self._ray, self.actor, self.name = ray, actor, name
        self.restarts = Restarts(LONGEST_WAIT_S)
        self._run: Any = None
        self._asked: Any = None
        self.place = ""

    def look(self) -> None:
        """Begin the run where it has ended; ask where it is."""
        now = time.monotonic()
        if self._run is not None:
            if not self._ray.wait([self._run], timeout=0)[0]:
                self.restarts.lives(now)
                self._locate()
                return
            why = "it ended by itself"
            try:
                self._ray.get(self._run)
            except self._ray.exceptions.RayError as problem:
                why = str(problem).strip().splitlines()[0][:300]
            self.restarts.died(now, f"worker {self.name} ({self.place or 'somewhere'}): {why}")
            self._run = self._asked = None
            self.place = ""
        if self.restarts.due(now):
            self._run = self.actor.run.remote()
            self._asked = self.actor.where.remote()
            self.restarts.began(now)

    def _locate(self) -> None:
        if self._asked is None or not self._ray.wait([self._asked], timeout=0)[0]:
            return
        with contextlib.suppress(self._ray.exceptions.RayError):
            node, pid = self._ray.get(self._asked)
            self.place = f"{node} {pid}"
            log.info("worker %s runs on %s as process %d", self.name, node, pid)
        self._asked = None

    @property
    def run(self) -> Any:
        """The run under way, None: none is."""
        return self._run


class RayCrew:
    """Workers as actors of the cluster at `address` (`ray://HOST:PORT`, `ray://auto`: that of this machine)."""

    def __init__(self, target: Target, home: str, names: list[str], address: str) -> None:
        """Join the cluster. Raises Unavailable: ray absent, or no cluster answers."""
        self._ray = _joined(address)
        actor = self._ray.remote(max_restarts=-1, max_task_retries=0, max_concurrency=4, num_cpus=0.1,
                                 scheduling_strategy="SPREAD")(_Actor)
        self._members = [_Member(self._ray, actor.remote(home, name, target), name) for name in names]

    def look(self) -> None:
        """Begin a worker's run again where it has ended. Raises Unavailable where the cluster is gone."""
        try:
            for member in self._members:
                member.look()
        except (ConnectionError, self._ray.exceptions.RaySystemError) as problem:
            raise Unavailable(f"the Ray cluster is gone: {str(problem)[:200]}") from None

    def facts(self) -> dict[str, Any]:
        """For /status."""
        return {"workers": {one.name: one.place or None for one in self._members},
                "deaths": sum(one.restarts.deaths for one in self._members)}

    def end(self) -> None:
        """End all in order; blocks. Who does not end is killed."""
        with contextlib.suppress(Exception):  # border of the process: the cluster may be gone already
            for member in self._members:
                member.actor.stop.remote()
            runs = [member.run for member in self._members if member.run is not None]
            if runs:
                self._ray.wait(runs, num_returns=len(runs), timeout=END_S)
            for member in self._members:
                self._ray.kill(member.actor)
        with contextlib.suppress(Exception):
            self._ray.shutdown()


def _joined(address: str) -> Any:
    """The module ray, connected. Raises Unavailable with the mend."""
    if not address.startswith(OF_RAY):
        raise Unavailable("GRIDLIVE_BACKEND=ray needs a cluster: set COMPUTE=ray://HOST:PORT or ray://auto, or "
                          "GRIDLIVE_BACKEND=local.")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise Unavailable(f"GRIDLIVE_BACKEND=ray, but ray is not installed: {to_install('requirements-ray.txt')}, "
                          "or set GRIDLIVE_BACKEND=local.") from None
    try:
        ray.init(address="auto" if address == f"{OF_RAY}auto" else address, runtime_env=sent_along(),
                 logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, TimeoutError, ValueError) as problem:
        with contextlib.suppress(Exception):  # half a connection would refuse the next try
            ray.shutdown()
        raise Unavailable(f"COMPUTE={address}: no Ray cluster answers there ({str(problem)[:200]}). Start one with ray "
                          "start --head, or set GRIDLIVE_BACKEND=local.") from None
    return ray

