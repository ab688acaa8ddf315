"""Services outlive the command process, are found again, and never doubled."""

import subprocess
import sys
from pathlib import Path

import psutil

from modules.supervision.child import Record, Registry, adopt
from tests.supervision import crew_fixture
from tests.supervision.conftest import alive, make, watched
from tests.surroundings import until
from utils.locks import ProcessLock
from utils.paths import PROJECT, Paths
from utils.processes import start_mark


def killed_boss(home: Path, *entries: str) -> None:
    """A command process that started services and was then killed without a chance to say goodbye."""
    command = [sys.executable, "-m", "tests.supervision.boss_fixture", str(home), *entries]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, text=True) as boss:
        assert boss.stdout is not None
        assert boss.stdout.readline() == "started\n"
        boss.kill()


async def test_killed_command_process_finds_its_children_again(tmp_path: Path) -> None:
    killed_boss(tmp_path, "good", "parent")
    pids = {name: record.pid for name, record in Registry(Paths(tmp_path).run).load().items()}
    assert all(alive(pid) for pid in pids.values())
    async with watched(tmp_path, "good", "parent") as boss:
        assert set(boss.adopted) == {"good", "parent"}
        await until(lambda: all(state.state == "ready" for state in boss.status(load=False)))
        assert {state.name: state.pid for state in boss.status(load=False)} == pids
        worker = int((tmp_path / "data" / "worker.pid").read_text(encoding="utf-8"))
        await boss.stop("parent")
        await until(lambda: not alive(worker))
        assert not alive(pids["parent"])
        psutil.Process(pids["good"]).kill()  # an adopted one is watched like one's own
        await until(lambda: boss.status(load=False)[0].restarts == 1
                         and boss.status(load=False)[0].state == "ready")


async def test_adopted_without_registry_by_the_note_of_the_service_itself(tmp_path: Path) -> None:
    killed_boss(tmp_path, "good")
    pid = Registry(Paths(tmp_path).run).load()["good"].pid
    (tmp_path / "data" / "run" / "services.json").unlink()
    async with watched(tmp_path, "good") as boss:
        await until(lambda: boss.status(load=False)[0].state == "ready")
        assert boss.status(load=False)[0].pid == pid


async def test_wanted_services_that_died_meanwhile_are_started_again(tmp_path: Path) -> None:
    killed_boss(tmp_path, "good")
    pid = Registry(Paths(tmp_path).run).load()["good"].pid
    psutil.Process(pid).kill()
    await until(lambda: not alive(pid))
    async with watched(tmp_path, "good") as boss:
        assert boss.adopted == ()
        await until(lambda: boss.status(load=False)[0].state == "ready")
        assert boss.status(load=False)[0].pid != pid


async def test_shutdown_keeps_what_was_wanted(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        await boss.start("good")
        await boss.shutdown()
        assert boss.status()[0].state == "stopped"
    async with watched(tmp_path, "good") as boss:
        await until(lambda: boss.status(load=False)[0].state == "ready")
        await boss.stop_all()
    assert make(tmp_path, "good").desired == set()


def test_same_pid_with_another_start_is_a_stranger(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    me = psutil.Process().pid
    assert adopt("good", Record(me, start_mark(me) - 1, False), paths) is None
    assert adopt("good", Record(me, start_mark(me), False), paths) is not None


def test_second_of_one_service_refuses_and_names_the_first(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    lock = ProcessLock(paths.run, "good")
    lock.acquire()
    try:
        second = subprocess.run(crew_fixture.command(tmp_path, "good", "good"), cwd=PROJECT, text=True,
                                capture_output=True, timeout=30)
    finally:
        lock.release()
    assert second.returncode == 1
    assert f"good already runs on this state (PID {psutil.Process().pid}, since 2" in second.stderr


async def test_service_run_by_hand_is_adopted_instead_of_doubled(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        command = [part for part in crew_fixture.command(tmp_path, "good", "good") if part != "--supervised"]
        with subprocess.Popen(command, cwd=PROJECT) as by_hand:
            await until(lambda: boss.status(load=False)[0].pid == by_hand.pid)
            [state] = await boss.start("good")
            assert (state.state, state.pid) == ("ready", by_hand.pid)
            await boss.stop("good")
            assert by_hand.wait(timeout=60) == 0
