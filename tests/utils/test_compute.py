"""Batch work through joblib: in order, shared things unpacked once, a worker's death survived, errors not repeated."""

import os
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest

from utils import compute
from utils.compute import ComputeError, ComputeSettings, Crew, Shared


def total(shared: Shared, by: int) -> float:
    """Something of what is shared."""
    return float(shared.get()["numbers"].sum()) * by


def die_once(marker: str, value: int) -> int:
    """The first call ends its process the hard way."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return value * 10
    os.kill(os.getpid(), signal.SIGKILL)
    return -1


def always_die(value: int) -> int:
    """No worker survives this."""
    os.kill(os.getpid(), signal.SIGKILL)
    return value


def wrong(counted: str) -> int:
    """The work itself fails."""
    with open(counted, "a", encoding="utf-8") as file:
        file.write("x")
    raise ValueError("no such thing")


def test_answers_come_in_order_and_the_shared_thing_is_put_once(tmp_path: Path) -> None:
    with Crew(ComputeSettings(jobs=1)) as crew:
        shared = crew.share({"numbers": np.arange(5.0)}, tmp_path / "aside" / "shared.bin")
        assert crew.here and crew.map(total, [(shared, each) for each in (1, 3, 2)]) == [10.0, 30.0, 20.0]
        assert shared.get() is shared.get()
    assert not (tmp_path / "aside" / "shared.bin").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_a_worker_that_dies_takes_only_its_batch_which_is_done_again(tmp_path: Path) -> None:
    with Crew(ComputeSettings(jobs=2)) as crew:
        assert crew.map(die_once, [(str(tmp_path / "died"), each) for each in range(4)]) == [0, 10, 20, 30]
        assert crew.deaths == 1
        assert crew.map(die_once, [(str(tmp_path / "died"), 7)]) == [70]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_workers_that_keep_dying_are_an_error_with_a_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "MOST_TRIES", 2)
    with Crew(ComputeSettings(jobs=2)) as crew, pytest.raises(ComputeError, match="died 2 times.*COMPUTE_JOBS"):
        crew.map(always_die, [(1,), (2,)])


def test_an_error_of_the_work_is_not_repeated(tmp_path: Path) -> None:
    counted = tmp_path / "counted"
    with Crew(ComputeSettings(jobs=1)) as crew, pytest.raises(ValueError, match="no such thing"):
        crew.map(wrong, [(str(counted),)])
    assert counted.read_text() == "x"


@pytest.mark.parametrize("backend", ["local", "ray://auto", "ray://10.0.0.1:10001", " local "])
def test_backends_that_can_be(backend: str) -> None:
    assert ComputeSettings(backend=backend).backend == backend.strip()


@pytest.mark.parametrize("backend", ["", "ray", "ray://", "dask://x", "10.0.0.1:10001"])
def test_backends_that_cannot(backend: str) -> None:
    with pytest.raises(ValueError, match="must be local, ray://HOST:PORT or ray://auto"):
        ComputeSettings(backend=backend)


def test_no_secret_and_no_state_travels_to_a_cluster(tmp_path: Path) -> None:
    packaging = pytest.importorskip("ray._private.runtime_env.packaging")
    kept = ("bot.py", "modules/strategies/grid/live/crew.py", "config/config.yaml", "modules/learning/features.py")
    left = (".env", "config/.env", "config/grid.key", "config/vault.key", "config/apikeys.enc", "config/state.json",
            "config/config.local.yaml", "data/coxswain.db", "models/a.json")
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    file = tmp_path.with_suffix(".zip")
    packaging.create_package(str(tmp_path), file, False, excludes=compute.sent_along()["excludes"])
    with zipfile.ZipFile(file) as package:
        assert {one for one in package.namelist() if not one.endswith("/")} == set(kept)
