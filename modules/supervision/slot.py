"""The place of one service in the crew: its state machine, driven by `advance` with the monotonic time.

stopped → starting → ready → (ended unasked, or stuck → killed) → backoff → starting …; too often → crash-loop;
asked to stop → stopping (stop file, then signal, then the whole tree killed) → stopped.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from modules.supervision.child import Child, adopt, spawn
from modules.supervision.outbox import Level
from modules.supervision.registry import Service
from modules.supervision.service import Beat, read_beat
from modules.supervision.settings import SupervisionSettings
from modules.supervision.status import State
from utils.logs import last_error, sizes
from utils.paths import Paths
from utils.wall import stamp

log = logging.getLogger(__name__)
_AFTER_SIGNAL_S = 2.0
_LOOK_AGAIN_S = 1.0


class Tell(Protocol):
    """How a slot speaks to people; never raises."""

    def __call__(self, what: str, *, why: str = "", todo: str = "", level: Level = "info") -> None: ...


class Slot:
    """One service: its process, and what happened to it. Times are monotonic seconds."""

    def __init__(self, service: Service, paths: Paths, settings: SupervisionSettings,
                 command: Callable[[str], list[str]], tell: Tell) -> None:
        self.service = service
        self.state: State = "stopped"
        self.child: Child | None = None
        self.stop_asked = False
        self.kept = False  # runs only because it must (A17): ends when it no longer must
        self.restarts = 0
        self.crashes: list[float] = []
        self.next_try = 0.0
        self.since = 0.0
        self.last_end = ""
        self.beat: Beat | None = None
        self._paths = paths
        self._settings = settings
        self._command = command
        self._tell = tell
        self._moved = 0.0
        self._moved_key: int | None = None
        self._stop_step = 0
        self._stop_deadline = 0.0
        self._told_slow = False
        self._looping = False
        self._died_at: float | None = None
        self._looked = float("-inf")
        self._log_mark = (0, 0)
        self._error: tuple[object, str] = (None, "")

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def stop_file(self) -> Path:
        return self._paths.run / f"{self.name}.stop"

    @property
    def error(self) -> str:
        """The last words of the service, "" if it had none to say."""
        now = (sizes(self._paths, self.name), self._log_mark)
        if now != self._error[0]:  # /status asks often, and reading back a log takes some ms
            self._error = now, last_error(self._paths, self.name, self._log_mark)
        return self._error[1]

    def take_over(self, child: Child, now: float) -> None:
        """An adopted process fills the slot."""
        self.child = child
        self.state = "starting"
        self.since = self._moved = now
        self._moved_key = None
        self._told_slow = False
        self._log_mark = sizes(self._paths, self.name)
        if self.stop_file.exists():  # somebody was about to stop it
            self.stop_asked = True

    def forget_crashes(self) -> None:
        """A person starts it: crash loop and back-off are over."""
        self.crashes.clear()
        self._looping = False
        if self.child is None:
            self.state = "stopped"

    def credit(self, seconds: float) -> None:
        """We stood still ourselves: that is no silence of the service."""
        self._moved += seconds
        self._stop_deadline += seconds

    def advance(self, now: float, *, wanted: bool, must: bool, needs_ready: bool, may_stop: bool) -> bool:
        """One look; True if the process in the slot changed. `must`: it runs for the positions' sake."""
        if self.child is None:
            return self._fill(now, wanted, must, needs_ready)
        over, code = self.child.ended()
        if over:
            self._gone(now, code, must)
            return True
        self._listen(now)
        if self.stop_asked:
            if may_stop:
                self._press(now)
        elif now - self._moved > self._patience():
            self._kill_stuck(now)
        return False

    def _fill(self, now: float, wanted: bool, must: bool, needs_ready: bool) -> bool:
        if now - self._looked >= _LOOK_AGAIN_S:
            self._looked = now
            found = adopt(self.name, None, self._paths)
            if found is not None:
                self.take_over(found, now)
                return True
        self.stop_asked = False
        if not wanted:
            self.state = "stopped"
            return False
        waiting = self.state == "backoff" or (self.state == "crash-loop" and must)
        if self.state == "crash-loop" and not must or waiting and now < self.next_try or not needs_ready:
            return False
        return self._launch(now, must)

    def _launch(self, now: float, must: bool) -> bool:
        self._log_mark = sizes(self._paths, self.name)
        try:
            child = spawn(self.name, self._command(self.name), self._paths)
        except OSError as problem:
            self._crashed(now, f"could not be started: {problem}", must)
            return False
        self.take_over(child, now)
        log.info("%s started, pid %d", self.name, child.record.pid)
        return True

    def _listen(self, now: float) -> None:
        """Read the heartbeat; only a movement of it counts."""
        assert self.child is not None
        key = beat_time(self._paths.run, self.name)
        if key is None or key == self._moved_key:
            return
        beat = read_beat(self._paths.run, self.name)
        if beat is None or beat.pid != self.child.record.pid:
            return
        self._moved, self._moved_key, self.beat = now, key, beat
        if beat.ready and self.state == "starting":
            self.state = "ready"
            if self._died_at is not None:
                log.info("%s is back after %.1f s", self.name, now - self._died_at)
                if len(self.crashes) == 1:
                    self._tell(f"{self.service.title} works again, {now - self._died_at:.1f} s after it ended.")
                self._died_at = None
        elif not beat.ready and not self._told_slow and now - self.since > self._settings.ready_within_s:
            self._told_slow = True
            self._tell(f"{self.service.title} is up, but cannot begin its work yet.", level="warning",
                       why=self.error, todo=f"/logs {self.name} shows what it waits for. It goes on trying.")

    def _patience(self) -> float:
        """Seconds of silence that mean stuck; imports and a first set-up may hold the loop for longer."""
        limits = self._settings
        return max(limits.stuck_after_s, limits.ready_within_s) if self.state == "starting" else limits.stuck_after_s

    def _kill_stuck(self, now: float) -> None:
        assert self.child is not None
        if self.state != "stuck":
            log.error("%s is stuck: no heartbeat for %.1f s; its tree is killed", self.name, now - self._moved)
        self.state = "stuck"
        self.child.kill_tree()

    def _press(self, now: float) -> None:
        """Stop file first, the signal after the time for it, the whole tree after that."""
        assert self.child is not None
        if self.state != "stopping":
            self.state, self._stop_step = "stopping", 0
            self._stop_deadline = now + self._settings.stop_within_s
            try:
                self.stop_file.write_text(stamp(), encoding="utf-8")
            except OSError as problem:  # disk full: the signal says the same
                log.error("stop file of %s: %s", self.name, problem)
                self.child.terminate()
        elif now >= self._stop_deadline:
            self._stop_step += 1
            self._stop_deadline = now + _AFTER_SIGNAL_S
            if self._stop_step == 1:
                log.warning("%s did not stop within %.0f s; asked by signal", self.name, self._settings.stop_within_s)
                self.child.terminate()
            else:
                log.error("%s does not stop; its tree is killed", self.name)
                self.child.kill_tree()

    def _gone(self, now: float, code: int | None, must: bool) -> None:
        assert self.child is not None
        left = self.child.kill_leftovers()
        if left:
            log.warning("%s left %d worker(s) behind; ended", self.name, left)
        was = self.state
        self.child, self.beat, self._looked = None, None, now
        if self.stop_asked:
            self.stop_asked, self.state = False, "stopped"
            self.stop_file.unlink(missing_ok=True)
            log.info("%s stopped", self.name)
            return
        other = adopt(self.name, None, self._paths)
        if other is not None:  # ours found another one alive and gave way to it
            self.take_over(other, now)
            return
        if was == "stuck":
            self._crashed(now, f"it hung: no heartbeat for {self._settings.stuck_after_s:g} s, so it was killed", must)
        else:
            self._crashed(now, _ending(code), must)

    def _crashed(self, now: float, how: str, must: bool) -> None:
        limits = self._settings
        self.last_end = how
        self._died_at = now if self._died_at is None else self._died_at
        self.crashes = [at for at in self.crashes if now - at < limits.crash_loop_window_s] + [now]
        words = self.error
        log.error("%s: %s. %s", self.name, how, words)
        why = f"{how[0].upper()}{how[1:]}." + (f" Last words: {words}" if words else "")
        if len(self.crashes) < limits.crash_loop_count:
            self.restarts += 1
            self._looping = False
            self.state = "backoff"
            self.next_try = now + min(limits.restart_longest_s, limits.restart_first_s * 2 ** (len(self.crashes) - 1))
            if len(self.crashes) == 1:
                self._tell(f"{self.service.title} ended unexpectedly and is being restarted.", why=why, level="warning")
            return
        self.next_try = now + limits.restart_longest_s
        self.state = "crash-loop"
        if not self._looping:  # said once, however long it goes on
            self._looping = True
            self._tell_loop(why, must)

    def _tell_loop(self, why: str, must: bool) -> None:
        window = self._settings.crash_loop_window_s / 60
        self._tell(
            f"{self.service.title} crashed {len(self.crashes)} times within {window:g} min. "
            + ("Positions are open, so it is tried again every "
               f"{self._settings.restart_longest_s:g} s." if must else "It is not started again."),
            why=why, level="alert",
            todo=f"See /logs {self.name}, mend the cause (bot.py doctor helps), then start it again.",
        )


def beat_time(run_folder: Path, name: str) -> int | None:
    """When the heartbeat's file was last written: a mark that moves, never compared with a clock.

    It moves also when a full disk takes no new file (ServiceRun.beat).
    """
    try:
        return (run_folder / f"{name}.beat.json").stat().st_mtime_ns
    except OSError:
        return None


def _ending(code: int | None) -> str:
    if code is None:
        return "it ended"
    if code < 0:
        return f"it was killed by signal {-code}"
    return f"it ended with exit code {code}"
