"""Heavy batch work through joblib: processes of this machine, or a Ray cluster by its address (P13).

1. Work is a function of a module and a list of arguments; the answers come in the order of the arguments.
2. What all calls share is put somewhere once (`Shared`): a file that local workers map into memory, or Ray's store.
3. A worker that dies takes its batch with it: the batch is done again by new workers, `MOST_TRIES` times; the work must
   have no side effects. An error that the work itself raises is not repeated.
"""

import contextlib
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from utils.environment import to_install
from utils.paths import PROJECT

log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_TRIES = 4
LOCAL = "local"
OF_RAY = "ray://"
# No secret and nothing of this installation travels: only the program.
_NOT_SENT = [".git", ".venv", ".*_cache", ".hypothesis", "/data", "/models", "/docs", "/tests", "/benchmarks",
             "**/__pycache__", ".env", "*.key", "*.enc", "*.db", "/config/state.json*", "/config/config.local.yaml"]
_HANDED_ON = ("COXSWAIN_COMPILED", "NUMBA_CACHE_DIR")
_kept: dict[str, Any] = {}


class ComputeSettings(BaseModel):
    """Where heavy batch work runs: on this machine, or on a Ray cluster."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str = Field(LOCAL, description="local, ray://HOST:PORT (a cluster's client port) or ray://auto "
                                            "(the cluster of this machine)", json_schema_extra={"env": "COMPUTE"})
    jobs: int = Field(0, ge=0, le=1024, description="Workers at once; 0 = every CPU (of the cluster, with Ray)")

    @field_validator("backend")
    @classmethod
    def _known(cls, value: str) -> str:
        text = value.strip()
        if text == LOCAL or (text.startswith(OF_RAY) and len(text) > len(OF_RAY)):
            return text
        raise ValueError("must be local, ray://HOST:PORT or ray://auto")


class ComputeError(Exception):
    """The workers cannot be had, or keep dying; the text says which and what to do."""


class Shared:
    """Something large that every worker needs: made by `Crew.share`, unpacked once in each worker by `get`."""

    def __init__(self, path: str = "", reference: Any = None) -> None:
        self._path = path
        self._reference = reference

    def get(self) -> Any:
        """The thing itself, the same object at every call in one process."""
        key = self._path or str(self._reference)
        if key not in _kept:
            _kept.clear()  # only one arena is worked in at a time
            _kept[key] = self._load()
        return _kept[key]

    def _load(self) -> Any:
        if self._path:
            import joblib
            return joblib.load(self._path, mmap_mode="c")
        import ray
        return ray.get(self._reference[0])


class Crew:
    """Workers for batches of calls; a context manager."""

    def __init__(self, settings: ComputeSettings) -> None:
        self._settings = settings
        self._ray = settings.backend.startswith(OF_RAY)
        self._connected = False
        self._files: list[Path] = []
        self._pool: Any = None
        self.jobs = 1
        self.deaths = 0

    @property
    def here(self) -> bool:
        """Whether all work is done in this process."""
        return not self._ray and self.jobs == 1

    @property
    def remote(self) -> bool:
        """Whether workers may be on other machines, whose disk is not ours."""
        return self._ray

    def __enter__(self) -> "Crew":
        if self._ray:
            self._connect()
        else:
            self.jobs = self._settings.jobs or os.cpu_count() or 1
        return self

    def __exit__(self, *_: object) -> None:
        self._dismiss()
        for path in self._files:
            with contextlib.suppress(OSError):
                path.unlink()
        if self._connected:
            import ray
            ray.shutdown()

    def share(self, thing: Any, aside: Path) -> Shared:
        """Put `thing` where every worker reaches it; `aside` is a file that may be used for it."""
        if self._ray:
            import ray
            return Shared(reference=[ray.put(thing)])
        import joblib
        aside.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(thing, aside)
        self._files.append(aside)
        return Shared(path=str(aside))

    def map(self, work: Callable[..., T], calls: Sequence[tuple[Any, ...]]) -> list[T]:
        """work(*call) for every call, in order. Raises ComputeError when workers keep dying, and what work raises."""
        import joblib
        for attempt in range(1, MOST_TRIES + 1):
            try:
                found: list[T] = self._workers()(joblib.delayed(work)(*call) for call in calls)
                return found
            except BaseException as problem:
                if not _is_death(problem):
                    raise
                self.deaths += 1
                log.warning("a worker died in a batch of %d (%s); try %d of %d", len(calls), type(problem).__name__,
                            attempt, MOST_TRIES)
                self._dismiss()
        raise ComputeError(f"workers died {MOST_TRIES} times in one batch. Is there too little memory? "
                           "Give fewer with COMPUTE_JOBS; what was finished is kept.")

    def _workers(self) -> Any:
        """The pool, kept from batch to batch: a worker of Ray takes seconds to start."""
        if self._pool is None:
            import joblib
            name = "ray" if self._ray else "sequential" if self.jobs == 1 else "loky"
            self._pool = joblib.Parallel(n_jobs=self.jobs, batch_size=1, backend=name)
            self._pool.__enter__()
        return self._pool

    def _dismiss(self) -> None:
        """End the pool; after a death its own end may fail as well, and there is nothing left to lose in it."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            pool.__exit__(None, None, None)
        except Exception:  # border: a pool with a dead worker ends as it can
            log.info("the pool of a dead worker did not end in order", exc_info=True)
        if not self._ray and self.deaths:
            from joblib.externals.loky import get_reusable_executor
            get_reusable_executor().shutdown(wait=False, kill_workers=True)

    def _connect(self) -> None:
        """Join the cluster. Raises ComputeError: Ray absent, or no cluster at the address."""
        try:
            os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
            import ray
            from ray.util.joblib import register_ray
        except ImportError:
            raise ComputeError("COMPUTE names a Ray cluster, but ray is not installed: "
                               + to_install("requirements-ray.txt")) from None
        address = self._settings.backend
        whom = "auto" if address == f"{OF_RAY}auto" else address
        here = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        if whom != "auto":
            here.pop("NUMBA_CACHE_DIR", None)  # a folder of this machine
        environment = sent_along() | {"env_vars": here}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address=whom, runtime_env=environment, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, RuntimeError, TimeoutError, ValueError) as problem:
            raise ComputeError(f"COMPUTE={address}: no Ray cluster answers there ({str(problem)[:200]}). Start one "
                               "with ray start --head, or set COMPUTE=local.") from problem
        self._connected = True
        register_ray()
        cpus = int(ray.cluster_resources().get("CPU", 1))
        self.jobs = min(self._settings.jobs or cpus, cpus)


def sent_along() -> dict[str, Any]:
    """What a cluster's nodes get of this installation: the program, no secret, no state."""
    return {"working_dir": str(PROJECT), "excludes": _NOT_SENT}


def _is_death(problem: BaseException) -> bool:
    """Whether a worker's end, and not the work, is what went wrong."""
    names = {kind.__name__ for kind in type(problem).__mro__}
    return bool(names & {"TerminatedWorkerError", "BrokenProcessPool", "RayActorError", "ActorDiedError",
                         "ActorUnavailableError", "WorkerCrashedError", "OwnerDiedError", "NodeDiedError"})
