"""The supervisor with real processes: start, restart, crash loop, stuck, stop, trees."""

import time
from pathlib import Path

import psutil

from modules.supervision.settings import SupervisionSettings
from tests.supervision.conftest import alive, notices, watched
from tests.supervision.crew_fixture import LIMITS, QUICK
from tests.surroundings import until


async def test_started_service_is_ready_and_stops(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        [state] = await boss.start("good")
        assert state.state == "ready"
        assert state.info == {"home": str(tmp_path)}
        assert state.pid is not None and boss.healthy()
        [full] = boss.status()
        assert full.rss_mb > 5 and full.cpu_pct > 0 and full.uptime_s >= 0 and full.wanted
        await boss.stop("good")
        [after] = boss.status()
        assert (after.state, after.wanted, after.pid) == ("stopped", False, None)
        assert not psutil.pid_exists(state.pid), "no zombie stays"


async def test_killed_service_is_replaced_within_five_seconds(tmp_path: Path) -> None:
    async with watched(tmp_path, "good", limits=SupervisionSettings(), mode=lambda: "TEST") as boss:
        began = time.monotonic()
        [before] = await boss.start("good")
        assert before.pid is not None
        start_s, began = time.monotonic() - began, time.monotonic()
        psutil.Process(before.pid).kill()
        await until(lambda: boss.status(load=False)[0].state == "ready"
                         and boss.status(load=False)[0].pid != before.pid)
        assert time.monotonic() - began < max(5.0, 4 * start_s)  # a busy machine starts nothing within five
        assert boss.status(load=False)[0].restarts == 1
        told = [notice.what for notice in notices(tmp_path)]
        assert told[0] == "Good ended unexpectedly and is being restarted."
        assert told[1].startswith("Good works again")
        assert {notice.mode for notice in notices(tmp_path)} == {"TEST"}


async def test_crash_loop_ends_with_one_alert_and_the_last_words(tmp_path: Path) -> None:
    async with watched(tmp_path, "crashing") as boss:
        [state] = await boss.start("crashing")
        await until(lambda: boss.status(load=False)[0].state == "crash-loop")
        alerts = [notice for notice in notices(tmp_path) if notice.level == "alert"]
        assert len(alerts) == 1
        assert "crashed 3 times" in alerts[0].what
        assert "RuntimeError: the fixture broke its leg" in alerts[0].why
        assert "/logs crashing" in alerts[0].todo
        assert not boss.healthy()
        [state] = await boss.start("crashing")  # a person tries again: the counting begins anew
        assert state.state in ("crash-loop", "ready", "backoff", "starting")
        await until(lambda: boss.status(load=False)[0].state == "crash-loop")
        assert boss.status(load=False)[0].restarts == 4


async def test_stuck_loop_is_killed_and_replaced(tmp_path: Path) -> None:
    async with watched(tmp_path, "hanging", limits=LIMITS) as boss:
        [first] = await boss.start("hanging")
        await until(lambda: boss.status(load=False)[0].restarts == 1)
        await until(lambda: boss.status(load=False)[0].state == "ready")
        [second] = boss.status(load=False)
        assert second.pid != first.pid
        assert "no heartbeat for 1.5 s" in second.last_end
        where = (tmp_path / "data" / "logs" / "hanging.out").read_text(encoding="utf-8")
        assert "crew_fixture.py" in where, "the watchdog wrote where the loop hung"


async def test_service_that_ignores_every_request_is_killed(tmp_path: Path) -> None:
    limits = SupervisionSettings(**QUICK | {"stop_within_s": 0.3, "stuck_after_s": 8.0})
    async with watched(tmp_path, "stubborn", limits=limits) as boss:
        [state] = await boss.start("stubborn")
        assert state.pid is not None
        await boss.stop("stubborn")
        assert not alive(state.pid)
        assert boss.status()[0].state == "stopped"
        assert not [notice for notice in notices(tmp_path) if notice.level == "alert"]


async def test_workers_of_a_killed_service_do_not_outlive_it(tmp_path: Path) -> None:
    async with watched(tmp_path, "parent") as boss:
        [state] = await boss.start("parent")
        worker = int((tmp_path / "data" / "worker.pid").read_text(encoding="utf-8"))
        assert state.pid is not None and alive(worker)
        psutil.Process(state.pid).kill()
        await until(lambda: not alive(worker))
        await until(lambda: boss.status(load=False)[0].state == "ready"
                         and boss.status(load=False)[0].restarts == 1)
        worker = int((tmp_path / "data" / "worker.pid").read_text(encoding="utf-8"))
        assert alive(worker)
        await boss.stop("parent")
        await until(lambda: not alive(worker))


async def test_service_that_ends_by_itself_is_restarted(tmp_path: Path) -> None:
    async with watched(tmp_path, "quitting") as boss:
        await boss.start("quitting")
        await until(lambda: boss.status(load=False)[0].state == "crash-loop")
        assert boss.status(load=False)[0].last_end == "it ended with exit code 1"


async def test_live_but_unready_service_is_left_alone_and_told_once(tmp_path: Path) -> None:
    limits = SupervisionSettings(**QUICK | {"ready_within_s": 1.2, "stuck_after_s": 8.0})
    async with watched(tmp_path, "unready", limits=limits) as boss:
        [state] = await boss.start("unready")
        assert state.state == "starting"
        await until(lambda: notices(tmp_path))
        await until(lambda: boss.status(load=False)[0].uptime_s > 2.5)
        [after] = boss.status(load=False)
        assert (after.pid, after.restarts) == (state.pid, 0)
        assert ["cannot begin its work yet" in notice.what for notice in notices(tmp_path)] == [True]


async def test_needs_start_first_and_stop_last(tmp_path: Path) -> None:
    needs = {"parent": ("good",)}
    async with watched(tmp_path, "good", "parent", needs=needs) as boss:
        states = await boss.start("parent")
        assert [(state.name, state.state) for state in states] == [("good", "ready"), ("parent", "ready")]
        assert states[0].pid is not None and states[1].pid is not None
        first, second = (psutil.Process(state.pid).create_time() for state in states if state.pid)
        assert first < second
        order: list[str] = []
        for slot in boss._slots.values():
            gone = slot._gone
            slot._gone = (lambda *a, gone=gone, name=slot.name: (order.append(name), gone(*a))[1])  # type: ignore
        await boss.stop_all()
        assert order == ["parent", "good"]
        assert boss.desired == set()


async def test_unknown_name_is_refused_before_anything_happens(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        try:
            await boss.start("good", "goood")
        except ValueError as problem:
            assert "no such service: goood" in str(problem) and "good" in str(problem)
        else:
            raise AssertionError("accepted")
        assert boss.status()[0].state == "stopped" and boss.desired == set()


async def test_what_must_run_is_started_kept_and_released(tmp_path: Path) -> None:
    must: set[str] = {"good"}
    async with watched(tmp_path, "good", must_run=lambda: set(must)) as boss:
        await until(lambda: boss.status(load=False)[0].state == "ready")  # nobody asked: A17
        await boss.start("good")
        assert await boss.stop("good") == ["good"]
        assert boss.status()[0].state == "ready"
        must.clear()
        await until(lambda: boss.status(load=False)[0].state == "stopped")
        must.add("good")
        await until(lambda: boss.status(load=False)[0].state == "ready")
        await boss.stop_all()
        assert boss.status()[0].state == "stopped", "/stopall is the last word"


async def test_what_must_run_is_tried_on_in_a_crash_loop(tmp_path: Path) -> None:
    async with watched(tmp_path, "crashing", must_run=lambda: {"crashing"}) as boss:
        def lives() -> int:
            return (tmp_path / "data/logs/crashing.log").read_text(encoding="utf-8").count("crashing failed")

        await until(lambda: boss.status(load=False)[0].state == "crash-loop")
        before = lives()
        await until(lambda: lives() > before + 1)
        assert len([notice for notice in notices(tmp_path) if notice.level == "alert"]) == 1


async def test_restart_gives_a_new_process(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        [before] = await boss.start("good")
        [after] = await boss.restart("good")
        assert after.state == "ready" and after.pid != before.pid and after.restarts == 0


async def test_own_standstill_is_not_held_against_the_services(tmp_path: Path) -> None:
    async with watched(tmp_path, "good") as boss:
        [before] = await boss.start("good")
        boss._ticked -= 3600  # as if this process had been stopped for an hour
        for slot in boss._slots.values():
            slot._moved -= 3600
        boss.tick()
        [after] = boss.status(load=False)
        assert after.pid == before.pid and after.restarts == 0


