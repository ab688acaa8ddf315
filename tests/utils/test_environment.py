"""A bare Python hands over to the environment, or says how to make one."""

import subprocess
import sys
from pathlib import Path

import pytest

from utils import environment
from utils.paths import PROJECT

posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for the environment's Python")
BARE = [sys.executable, "-I", "-S"]  # no site-packages: the standard library alone


def bare_run(project: Path) -> subprocess.CompletedProcess[str]:
    code = (f"import sys; sys.path.insert(0, {str(PROJECT)!r}); sys.argv = ['bot.py', 'doctor', '--json']; "
            f"from pathlib import Path; from utils import environment; environment.enter(Path({str(project)!r})); "
            "print('went on')")
    return subprocess.run([*BARE, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@posix
def test_bare_python_hands_its_arguments_to_the_environment(tmp_path: Path) -> None:
    own = environment.interpreter(tmp_path)
    own.parent.mkdir(parents=True)
    own.write_text("#!/bin/sh\necho \"own: $*\"\nexit 7\n")
    own.chmod(0o755)
    ended = bare_run(tmp_path)
    assert (ended.returncode, ended.stdout) == (7, "own: bot.py doctor --json\n"), ended.stderr


def test_bare_python_without_environment_says_how_to_make_one(tmp_path: Path) -> None:
    ended = bare_run(tmp_path)
    assert ended.returncode == 2
    assert not ended.stdout
    assert "lacks the program's packages" in ended.stderr
    assert "doctor" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_python_with_the_packages_goes_on(tmp_path: Path) -> None:
    environment.enter(tmp_path)


@pytest.mark.parametrize("script", ["bot.py", "tracker.py"])
def test_entry_points_start_on_the_standard_library_alone(script: str) -> None:
    ended = subprocess.run([*BARE, "-c", f"import sys; sys.path.insert(0, {str(PROJECT)!r}); import {script[:-3]}"],
                           capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr


def test_hint_names_the_python_that_runs() -> None:
    hint = environment.to_install("requirements-sql.txt")
    assert hint.endswith(" -m pip install -r requirements-sql.txt")
    assert (PROJECT / hint.split(" ")[0]).exists() or Path(hint.split(" ")[0]).exists()
