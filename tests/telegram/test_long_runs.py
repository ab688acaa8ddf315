"""Long runs: one of a kind, progress as it comes, low priority, and an end with everything that was begun."""

import asyncio
import os
import textwrap
from pathlib import Path

import psutil
import pytest

from modules.storage.kept_runs import KEPT, KeptRun, KeptRuns
from modules.telegram import long_runs
from modules.telegram.long_runs import LongRuns, Occupied
from tests.surroundings import until
from utils.paths import Paths

SCRIPT = """
import json, os, pathlib, subprocess, sys, time
home = pathlib.Path(os.environ["COXSWAIN_HOME"])
def step(share, what):
    print("progress " + json.dumps({"share": share, "what": what}), file=sys.stderr, flush=True)
if sys.argv[1] == "fail":
    print("it went wrong", file=sys.stderr)
    sys.exit(1)
step(0.25, "signals")
print("progress nonsense", file=sys.stderr, flush=True)
if sys.argv[1] == "wait":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (home / "pids.tmp").write_text(f"{os.getpid()} {child.pid}")
    os.replace(home / "pids.tmp", home / "pids")
    while not (home / "go").exists():
        time.sleep(0.01)
    child.kill()
print(json.dumps({"args": sys.argv[1:], "nice": os.nice(0) if hasattr(os, "nice") else None}))
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bot.py of the test's own."""
    (tmp_path / "bot.py").write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    monkeypatch.setattr(long_runs, "PROJECT", tmp_path)
    monkeypatch.setattr(long_runs, "EVERY_S", 0.01)
    monkeypatch.setattr(long_runs, "NOTE_S", 0.01)
    return tmp_path


class Heard:
    def __init__(self) -> None:
        self.lines: list[str] = []

    async def __call__(self, text: str) -> None:
        self.lines.append(text)


async def test_its_result_and_what_it_said(tmp_path: Path) -> None:
    runs = LongRuns()
    ended = await runs.run("backtest", ["quick", "--json"], Paths(tmp_path), "me", Heard())
    assert (ended.code, ended.said, ended.cancelled) == (0, "progress nonsense", False)
    assert '"args": ["quick", "--json"]' in ended.out and not runs.under_way()
    ended = await runs.run("backtest", ["fail"], Paths(tmp_path), "me", Heard())
    assert (ended.code, ended.said) == (1, "it went wrong")


async def test_one_of_a_kind_with_progress_at_low_priority(tmp_path: Path) -> None:
    runs, heard = LongRuns(), Heard()
    task = asyncio.create_task(runs.run("backtest", ["wait"], Paths(tmp_path), "Ann", heard))
    await until(lambda: heard.lines, "progress")
    assert "25 %, signals" in heard.lines[0]
    with pytest.raises(Occupied, match="wait, asked for by Ann: 25 %"):
        await runs.run("backtest", ["quick"], Paths(tmp_path), "Bob", Heard())
    other = await runs.run("optimize", ["quick"], Paths(tmp_path), "Bob", Heard())
    assert other.code == 0
    (tmp_path / "go").touch()
    ended = await task
    assert ended.code == 0
    if os.name != "nt":
        assert '"nice": 10' in ended.out


@pytest.mark.parametrize("how", ["cancel", "task"])
async def test_the_end_of_a_run_is_that_of_all_it_began(tmp_path: Path, how: str) -> None:
    runs = LongRuns()
    task = asyncio.create_task(runs.run("backtest", ["wait"], Paths(tmp_path), "me", Heard()))
    await until(lambda: (tmp_path / "pids").exists(), "its child")
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    if how == "cancel":
        assert runs.cancel("backtest") and not runs.cancel("optimize")
        assert (await task).cancelled
    else:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(lambda: not any(alive(pid) for pid in pids), "the end of both")
    assert not runs.under_way() and not runs.cancel("backtest")


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_what_goes_on_and_how_it_ended_is_left_for_the_dashboard(tmp_path: Path) -> None:
    runs, kept = LongRuns(), KeptRuns(Paths(tmp_path))
    task = asyncio.create_task(runs.run("backtest", ["wait", "--json"], Paths(tmp_path), "Ann", Heard()))
    await until(lambda: any(run.share == 0.25 for run in kept.under_way()), "its progress in the file")
    shown = kept.under_way()[0]
    assert (shown.kind, shown.by, shown.step, shown.argv) == ("backtest", "Ann", "signals", ("wait", "--json"))
    (tmp_path / "go").touch()
    await task
    assert kept.under_way() == []
    ended = kept.load(kept.names("backtest")[0].stem)
    assert ended is not None and ended.code == 0 and ended.result["args"] == ["wait", "--json"]
    await runs.run("backtest", ["fail"], Paths(tmp_path), "Ann", Heard())
    failed = kept.load(kept.names("backtest")[0].stem)
    assert failed is not None and (failed.code, failed.result) == (1, None) and "it went wrong" in failed.said


async def test_a_disk_that_refuses_costs_the_run_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(KeptRuns, "keep", full)
    monkeypatch.setattr(KeptRuns, "note", full)
    ended = await LongRuns().run("backtest", ["quick"], Paths(tmp_path), "me", Heard())
    assert ended.code == 0


def test_the_newest_of_each_kind_are_kept_and_names_are_no_paths(tmp_path: Path) -> None:
    kept = KeptRuns(Paths(tmp_path))
    for number in range(KEPT + 3):
        kept.keep(KeptRun(f"backtest-{number}", "backtest", (), "me", 0, number, 0, "", False, {"n": number}))
    kept.keep(KeptRun("optimize-1", "optimize", (), "me", 0, 1, 0, "", False))
    assert [path.stem for path in kept.names("backtest")] == [f"backtest-{n}" for n in range(KEPT + 2, 2, -1)]
    assert kept.load("backtest-3") and not kept.load("backtest-2") and len(kept.names()) == KEPT + 1
    outside = kept.folder.parent / "backtest-9.json"  # a run, but not one of ours
    outside.write_bytes((kept.folder / "backtest-3.json").read_bytes())
    for name in ("../backtest-9", "../run/long_runs", "backtest-3.json", "", "a-1/../b-2"):
        assert kept.load(name) is None
