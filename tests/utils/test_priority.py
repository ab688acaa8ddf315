"""Priority of a process and of its session, as a service sets it at its start."""

import os
import subprocess
import sys

import pytest

from config.crew import CREW
from utils.paths import PROJECT

ASK = """
import psutil
from utils.priority import AUTOGROUP, set_priority
print(repr(set_priority({nice})))
print(int(psutil.Process().nice()))
words = AUTOGROUP.read_text().split() if AUTOGROUP.exists() else []
print(words[-1] if words else {nice})
"""  # the file is empty for a process whose session has no group of its own (one as old as the system, some containers)


def asked(nice: int, leader: bool) -> list[str]:
    done = subprocess.run([sys.executable, "-c", ASK.format(nice=nice)], cwd=PROJECT, start_new_session=leader,
                          capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split("\n")[:3]


@pytest.mark.skipif(sys.platform != "linux", reason="sessions are scheduled so on Linux")
def test_a_service_yields_with_its_whole_session() -> None:
    """Without the session's own value its nice value would count among its own children only."""
    assert asked(7, leader=True) == ["''", "7", "7"]


@pytest.mark.skipif(sys.platform != "linux", reason="sessions are scheduled so on Linux")
def test_who_only_belongs_to_a_session_leaves_it_alone() -> None:
    before = asked(3, leader=False)
    assert before[:2] == ["''", "3"]
    assert before[2] == "3" or before[2] == asked(6, leader=False)[2]


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="a matter of rights on this system")
def test_more_than_the_usual_priority_is_taken_where_it_is_granted_and_never_fails() -> None:
    said, nice, _ = asked(-5, leader=True)
    assert (said == "''") == (nice == "-5")


def test_who_guards_positions_comes_before_who_only_computes() -> None:
    nice = {service.name: service.nice for service in CREW}
    assert max(nice[name] for name in ("tracker", "scalper", "showdown", "grid")) < 0
    assert min(nice[name] for name in ("trainer", "sentiment", "dashboard")) > 0
