"""kill -9 of every process in turn: back within seconds, nothing orphaned, no state file damaged."""

import time
from typing import Any

import psutil

from tests.e2e.conftest import StartProgram
from tests.e2e.harness import Program, state_files_are_whole
from tests.surroundings import wait_until

CREW = ("simulator", "tracker", "scanner", "trainer")


def started(program: StartProgram, **environment: str) -> Program:
    coxswain = program(**environment)
    coxswain.ask("/startbot", r"Running: simulated exchange, TEST mode")
    for name in CREW:
        coxswain.wait_ready(name)
    return coxswain


def positions(coxswain: Program) -> dict[str, Any]:
    return coxswain.json("test_tracked_tokens.json") or {}


def test_each_service_comes_back(program: StartProgram) -> None:
    coxswain = started(program)
    wait_until(lambda: positions(coxswain), "a position to guard")
    for name in ("scanner", "tracker", "trainer", "simulator"):
        pid = coxswain.wait_ready(name)
        before = time.monotonic()
        psutil.Process(pid).kill()
        coxswain.wait_ready(name, other_than=pid, patience_s=30)
        assert time.monotonic() - before < 30
        coxswain.ask("/status", name.replace("simulator", "Simulated exchange"))
    bought = {trade["position_id"] for trade in coxswain.trades() if trade["side"] == "BUY"}
    closed = {trade["position_id"] for trade in coxswain.trades() if trade.get("closes")}
    held = {position["id"] for position in positions(coxswain).values()}
    assert bought - closed <= held, "a position was lost"
    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
    state_files_are_whole(coxswain.home)


def test_killed_command_process_finds_its_crew_again(program: StartProgram) -> None:
    coxswain = started(program)
    pids = {name: coxswain.service_pid(name) for name in CREW}
    psutil.Process(coxswain.command_pid).kill()
    wait_until(lambda: not psutil.pid_exists(coxswain.command_pid) or coxswain.command_pid is None
               or psutil.Process(coxswain.command_pid).status() == psutil.STATUS_ZOMBIE, "the command process dead")
    assert all(coxswain.service_pid(name) == pid for name, pid in pids.items()), "the crew died with it"

    heir = Program(coxswain.home, coxswain.arguments).start()
    heir.environment.update(coxswain.environment)
    try:
        heir.ask("/status", r"Tracker: ready")
        assert {name: heir.service_pid(name) for name in CREW} == pids, "a service was started twice or anew"
        second = Program(coxswain.home, coxswain.arguments).start()
        second.expect(r"already runs on this state", 20)
        assert heir.end_of_input() == 0
        assert heir.left_over() == []
    finally:
        heir.kill_all()
    state_files_are_whole(coxswain.home)


def test_restartloop_leaves_the_crew_alone(program: StartProgram) -> None:
    coxswain = started(program)
    pids = {name: coxswain.service_pid(name) for name in CREW}
    coxswain.ask("/restartloop", r"Coxswain is (here|back)")
    coxswain.ask("/status", r"Tracker: ready")
    assert {name: coxswain.service_pid(name) for name in CREW} == pids
    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []


def test_stopall_leaves_nothing_behind(program: StartProgram) -> None:
    coxswain = started(program)
    coxswain.send("/stopall")
    if coxswain.expect(r"yes or no|Everything is stopped").group(0) == "yes or no":
        coxswain.ask("yes", r"Everything is stopped")
    wait_until(lambda: len(coxswain.left_over()) <= 1, "only the command process left")
    coxswain.ask("/ping", r"pong|here|alive")
    assert coxswain.end_of_input() == 0
    assert coxswain.left_over() == []
