"""Workers that die are begun again, later each time; Ray's as well (a whole cluster: `benchmarks/grid_ray.py`)."""

from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modules.exchange.types import Unavailable
from modules.strategies.grid.live import ray_crew
from modules.strategies.grid.live.crew import HEALTHY_S, LONGEST_WAIT_S, Restarts, watch_line
from modules.strategies.grid.live.ray_crew import OWN_HOME, RayCrew, _Actor, _joined, _Member
from tests.surroundings import wait_until


def test_who_keeps_dying_waits_longer_and_is_forgiven() -> None:
    one, now, waits = Restarts(), 1000.0, []
    for _ in range(9):
        one.began(now)
        one.died(now, "gone")
        due = next(step for step in range(200) if one.due(now + step))
        waits.append(due)
        now += due
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60] and waits[-1] == LONGEST_WAIT_S and one.deaths == 9
    one.began(now)
    one.lives(now + HEALTHY_S + 1)
    one.died(now + HEALTHY_S + 1, "gone")
    assert one.due(now + HEALTHY_S + 2)


class _Lost(Exception):
    """Ray's error."""


class _Ray:
    """As much of Ray as a member asks: runs that end when a test says so."""

    exceptions = SimpleNamespace(RayError=_Lost, RaySystemError=type("RaySystemError", (Exception,), {}))

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.ended: dict[str, Exception | None] = {}

    def actor(self) -> Any:
        def run() -> str:
            self.runs.append(f"run {len(self.runs)}")
            return self.runs[-1]

        return SimpleNamespace(run=SimpleNamespace(remote=run), where=SimpleNamespace(remote=lambda: "where"))

    def wait(self, asked: list[str], timeout: float) -> tuple[list[str], list[str]]:
        done = [one for one in asked if one == "where" or one in self.ended]
        return done, [one for one in asked if one not in done]

    def get(self, asked: str) -> Any:
        if asked == "where":
            return "10.0.0.7", 4711
        if (problem := self.ended[asked]) is not None:
            raise problem
        return None


def test_an_actor_that_died_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(ray_crew, "time", SimpleNamespace(monotonic=lambda: now))
    ray = _Ray()
    one = _Member(ray, ray.actor(), "grid-1")
    one.look()
    one.look()
    assert ray.runs == ["run 0"] and one.place == "10.0.0.7 4711" and not one.restarts.deaths
    ray.ended["run 0"] = _Lost("the node is gone\nand a long story")
    one.look()
    assert ray.runs == ["run 0"] and one.restarts.deaths == 1 and not one.place, "it waits"
    now += 1
    one.look()
    one.look()
    assert ray.runs == ["run 0", "run 1"] and one.place
    ray.ended["run 1"] = None
    one.look()
    now += 1
    one.look()
    assert len(ray.runs) == 2 and one.restarts.deaths == 2, "the second time later"
    now += 1
    one.look()
    assert len(ray.runs) == 3


def test_a_cluster_that_is_gone_is_told() -> None:
    crew = RayCrew.__new__(RayCrew)
    crew._ray = _Ray()

    def gone() -> None:
        raise ConnectionError("the client has no connection")

    crew._members = [SimpleNamespace(look=gone)]  # type: ignore[list-item]
    with pytest.raises(Unavailable, match="cluster is gone"):
        crew.look()


def test_without_a_cluster_it_says_what_to_do() -> None:
    with pytest.raises(Unavailable, match="COMPUTE=ray://"):
        _joined("local")


def test_an_actor_uses_its_own_machines_installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def target(home: str, name: str, line: Connection | None) -> None:
        seen.append(home)

    monkeypatch.setenv(OWN_HOME, str(tmp_path))
    _Actor("/of/another/machine", "grid-1", target).run()
    assert seen == [str(tmp_path)]
    monkeypatch.delenv(OWN_HOME)
    with pytest.raises(Unavailable, match=OWN_HOME):
        _Actor(str(tmp_path / "absent"), "grid-1", target).run()


def test_an_actor_stops_when_it_is_asked(tmp_path: Path) -> None:
    stopped: list[bool] = []

    def target(home: str, name: str, line: Connection | None) -> None:
        assert line is not None
        watch_line(line, lambda: stopped.append(True))

    actor = _Actor(str(tmp_path), "grid-1", target)
    actor.run()
    assert not stopped
    actor.run()  # begun again: the first one ends
    wait_until(lambda: len(stopped) == 1, "the first ends")
    actor.stop()
    wait_until(lambda: len(stopped) == 2, "the second ends")
