"""bot.py as a person starts it: exit codes, one on a state, stop, restart."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import bot
from tests.surroundings import environment
from utils.locks import ProcessLock
from utils.paths import PROJECT


def run(home: Path, *arguments: str, typed: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
    """bot.py to its end, with a pipe as standard input."""
    return subprocess.run([sys.executable, str(PROJECT / "bot.py"), *arguments], input=typed, text=True, timeout=60,
                          encoding="utf-8", capture_output=True, env=environment(home, **more))


class Console:
    """A running console whose output is collected."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROJECT / "bot.py"), "--console"], env=environment(home), text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while piece := self.process.stdout.readline():
            self.output += piece

    def type(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def expect(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while text not in self.output:
            assert time.monotonic() < deadline and (self.process.poll() is None or text in self.output), self.output
            time.sleep(0.02)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(timeout=60)
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A command process that answers."""
    running = Console(tmp_path)
    running.type("/ping")
    running.expect("pong")
    yield running
    running.close()


def test_wrong_arguments_exit_2(tmp_path: Path) -> None:
    for arguments in (("--consol",), ("fly",), ("run",), ("doctor", "--nope"), ("train", "nonsense"),
                      ("train", "all", "--jobs", "0"), ("train", "all", "--jobs", "x")):
        with pytest.raises(SystemExit) as ended:
            bot.main(list(arguments))
        assert ended.value.code == 2


def test_unknown_service_and_broken_settings_exit_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))
    assert bot.main(["run", "traker"]) == 2
    assert "There is no service traker. There are: simulator, tracker" in capsys.readouterr().err
    monkeypatch.setenv("HYPE_TRADE_USDT", "a lot")
    monkeypatch.setenv("EXCHANGE", "moon")
    assert bot.main(["--console"]) == 2
    told = capsys.readouterr().err
    assert "HYPE_TRADE_USDT is 'a lot'" in told and "EXCHANGE is 'moon'" in told


def test_a_state_folder_that_cannot_be_made_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path / "file"))
    assert bot.main(["doctor"]) == 1
    assert "The folder for the program's state cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize("line", [["--console"], ["run", "tracker"]])
def test_a_full_disk_at_the_start_is_said_plainly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: list[str],
                                                  capsys: pytest.CaptureFixture[str]) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))
    monkeypatch.setattr("utils.locks.write_atomic", full)
    assert bot.main(line) == 1
    told = capsys.readouterr().err
    assert "No space left on device" in told and "Traceback" not in told
    lock = ProcessLock(tmp_path / "data" / "run", "bot" if line[0] == "--console" else "tracker")
    assert not lock.held()


def test_version_and_settings_print(capsys: pytest.CaptureFixture[str]) -> None:
    assert bot.main(["version"]) == 0 and "Coxswain" in capsys.readouterr().out
    assert bot.main(["settings"]) == 0 and "| `hype.trade_usdt` |" in capsys.readouterr().out


def test_without_token_terminal_or_pipe_it_says_what_to_do(tmp_path: Path) -> None:
    """As under systemd, whose services read from the null device."""
    done = subprocess.run([sys.executable, str(PROJECT / "bot.py")], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, encoding="utf-8", timeout=60, env=environment(tmp_path))
    assert done.returncode == 2 and "--console" in done.stderr and "TELEGRAM_TOKEN" in done.stderr
    assert not ProcessLock(tmp_path / "data" / "run", "bot").held()


@pytest.mark.parametrize("arguments", [(), ("--console",)])
def test_piped_commands_are_answered_and_the_end_is_clean(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, *arguments, typed="/ping\n")
    assert done.returncode == 0 and "pong" in done.stdout, done.stderr
    assert not ProcessLock(tmp_path / "data" / "run", "bot").held()


def test_commands_from_a_file_are_answered_too(tmp_path: Path) -> None:
    (tmp_path / "commands.txt").write_text("/ping\n", encoding="utf-8")
    with open(tmp_path / "commands.txt", encoding="utf-8") as commands:
        done = subprocess.run([sys.executable, str(PROJECT / "bot.py")], stdin=commands, capture_output=True,
                              text=True, encoding="utf-8", timeout=60, env=environment(tmp_path / "home"))
    assert done.returncode == 0 and "pong" in done.stdout, done.stderr


def test_training_by_hand_gets_the_settings(tmp_path: Path) -> None:
    done = run(tmp_path, "train")
    assert done.returncode == 1 and "Nothing was trained" in done.stdout, done.stderr
    wrong = run(tmp_path, "train", HYPE_TRADE_USDT="a lot")
    assert wrong.returncode == 2 and "HYPE_TRADE_USDT is 'a lot'" in wrong.stderr


def test_a_second_one_on_the_same_state_refuses_and_the_first_can_be_stopped(tmp_path: Path, console: Console) -> None:
    second = run(tmp_path, "--console", typed="/ping\n")
    assert second.returncode == 1 and "pong" not in second.stdout
    assert f"Coxswain already runs on this state (PID {console.process.pid}, since 20" in second.stderr
    assert "bot.py stop" in second.stderr
    stopped = run(tmp_path, "stop")
    assert stopped.returncode == 0 and "Stopped." in stopped.stdout, stopped.stderr
    assert console.process.wait(timeout=60) == 0
    assert "Nothing was running." in run(tmp_path, "stop").stdout


def test_a_command_sent_while_one_runs_is_handed_to_it(tmp_path: Path, console: Console) -> None:
    handed = run(tmp_path, "--send", "/version", "--console")
    assert handed.returncode == 0 and f"PID {console.process.pid}" in handed.stdout
    console.expect("/version: ")


def test_after_a_kill_the_next_start_is_not_refused(tmp_path: Path, console: Console) -> None:
    console.process.kill()
    console.process.wait()
    assert run(tmp_path, "--console", typed="/ping\n").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot replace a process; its heir has another pid")
def test_restart_keeps_the_terminal_and_the_pid(console: Console) -> None:
    began = psutil.Process(console.process.pid).create_time()
    console.output = ""
    console.type("/restartloop")
    console.expect("Coxswain is here")
    console.output = ""
    console.type("/ping")
    console.expect("pong")
    assert psutil.Process(console.process.pid).create_time() == began
    assert console.process.stdin is not None
    console.process.stdin.close()
    assert console.process.wait(timeout=60) == 0
