import os
import subprocess
import sys
from pathlib import Path

import pytest

from modules.execution import crashpoints
from modules.execution.crashpoints import AT, EXIT_CRASHED, ONCE, CrashPointError, declare, declared, parse
from tests.execution.crash_calls import Found, problems, read_source, read_tree
from utils.paths import PROJECT

STEPS = """
import atexit, sys
from modules.execution.crashpoints import crash_point, declare
declare(__name__, "a.one", "a.two")
atexit.register(print, "cleaned up")
for turn in range(3):
    for name in ("a.one", "a.two"):
        crash_point(name)
        print(turn, name, flush=True)
"""


def run_steps(**variables: str) -> tuple[int, list[str]]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("COXSWAIN_")}
    done = subprocess.run([sys.executable, "-c", STEPS], env={**clean, **variables}, cwd=PROJECT, text=True,
                          capture_output=True, timeout=60, encoding="utf-8")
    return done.returncode, done.stdout.splitlines()


def test_without_the_variable_nothing_happens() -> None:
    code, lines = run_steps()
    assert code == 0
    assert lines == ["0 a.one", "0 a.two", "1 a.one", "1 a.two", "2 a.one", "2 a.two", "cleaned up"]


def test_the_process_ends_at_the_nth_call_without_any_clean_up() -> None:
    code, lines = run_steps(**{AT: "a.two:2"})
    assert code == EXIT_CRASHED
    assert lines == ["0 a.one", "0 a.two", "1 a.one"]


def test_once_means_once(tmp_path: Path) -> None:
    mark = tmp_path / "crashed"
    variables = {AT: "a.one", ONCE: str(mark)}
    assert run_steps(**variables) == (EXIT_CRASHED, [])
    assert mark.read_text(encoding="utf-8") == "a.one\n"
    assert run_steps(**variables)[0] == 0


@pytest.mark.parametrize("text", ["a:0", "a:x", ":1", "a:-1"])
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(CrashPointError):
        parse({AT: text})


def test_a_point_belongs_to_one_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashpoints, "_declared", {})
    assert declare("first", "x.y", "x.z") == ("x.y", "x.z")
    declare("first", "x.y")  # a module imported again
    with pytest.raises(CrashPointError):
        declare("second", "x.y")
    assert declared() == {"x.y": "first", "x.z": "first"}


def test_no_call_in_the_program_is_undeclared_and_no_declared_point_is_forgotten() -> None:
    assert problems(read_tree(PROJECT / "modules")) == []


@pytest.mark.parametrize(("source", "expected"), [
    ('declare(__name__, "a")\ncrash_point("a")', 0),
    ('crash_point("a")', 1),
    ('declare(__name__, "a")', 1),
    ('declare(__name__, "a")\ncrash_point("a")\ncrash_point(name)', 1),
    ('declare(__name__, "a", "b")\ncrashpoints.crash_point("a")', 1),
])
def test_the_check_of_the_source_finds_what_is_wrong(source: str, expected: int) -> None:
    found = Found()
    read_source(f"# crash\n{source}\n", "some.py", found)
    assert len(problems(found)) == expected

