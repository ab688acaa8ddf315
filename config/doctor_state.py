"""The doctor's look at this machine: disk, state files, models, processes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from config.crew import crew_for
from config.finding import Finding
from config.settings import Settings
from modules.exchange.paper import account_file
from modules.exchange.paper_state import PaperState
from modules.exchange.types import Mode
from modules.learning.catalog import entries
from modules.storage.csv_table import CsvTable
from modules.storage.history import History
from modules.storage.json_state import JsonFile
from modules.strategies.hype.files import HypeFiles, LearningFiles, mode_file
from modules.supervision.service import read_beat
from utils.files import write_atomic
from utils.locks import ProcessLock
from utils.logs import last_error
from utils.paths import Paths
from utils.wall import iso

BAD_FREE_MB = 200
WARN_FREE_MB = 1000


def disk(paths: Paths) -> Iterator[Finding]:
    """Room and rights."""
    for folder in (paths.data, paths.models, paths.config):
        probe = folder / ".doctor"
        try:
            write_atomic(probe, b"can this be written?")
            probe.unlink()
        except OSError as problem:
            yield Finding("disk", "bad", f"{folder} cannot be written: {problem.strerror or problem}",
                          "Give this user the right to write there, or make room")
    free = shutil.disk_usage(paths.data).free / 1e6
    text = f"{free:,.0f} MB free for {paths.data}"
    if free < BAD_FREE_MB:
        yield Finding("disk", "bad", text, "Make room: positions can only be kept safe on a disk that takes writes")
    elif free < WARN_FREE_MB:
        yield Finding("disk", "warn", text, "Make room soon; /cleanup removes old market data")
    else:
        yield Finding("disk", "ok", text)


def _mend(path: Path) -> str:
    last = "restore a backup, or move the file away to start empty"
    if path.with_name(f"{path.name}.bak").exists():
        return f"The program restores it from its copy when it starts; if it cannot, {last}"
    return f"The program mends it when it starts, where it can; if it cannot, {last}"


def files(paths: Paths) -> Iterator[Finding]:
    """Whether every state file can be read."""
    good = 0
    declared = dict(_state_files(paths))
    for path in sorted({*declared, *paths.data.glob("*.json")}):
        file = declared.get(path) or JsonFile(path, object, dict)  # of the others: whether it is JSON at all
        if not path.exists() and not path.with_name(f"{path.name}.bak").exists():
            continue
        try:
            problem = file.problem()
        except OSError as refusal:
            problem = refusal.strerror or str(refusal)
        if problem:
            yield Finding("state", "bad", f"{path.name}: {problem}", _mend(path))
        else:
            good += 1
    yield Finding("state", "ok", f"{good} state file(s) can be read" if good else "no state files yet")
    aside = sorted(path.name for path in paths.data.glob("*.damaged-*"))
    if aside:
        yield Finding("state", "warn", f"set aside as damaged: {', '.join(aside[-3:])}"
                      + (f" and {len(aside) - 3} more" if len(aside) > 3 else ""),
                      "Compare them with what is in use now, then remove them")
    dead = sum(1 for _ in (paths.outbox / "dead").glob("*.json"))
    if dead:
        yield Finding("messages", "warn", f"{dead} could not be delivered",
                      "Read them in data/outbox/dead, then remove them")


StateFile = JsonFile[object] | History[object] | CsvTable


def _state_files(paths: Paths) -> Iterator[tuple[Path, StateFile]]:
    learning = LearningFiles(paths)
    found: list[object] = [
        mode_file(paths), JsonFile(paths.run / "desired.json", list[str], list),
        JsonFile(account_file(paths), PaperState, dict),  # type: ignore[arg-type]
        learning.candidates, learning.labeled, learning.pending, learning.volatility,
    ]
    for mode in Mode:
        own = HypeFiles(paths, mode)
        found += [own.tracked, own.trades, own.summaries, own.activity]
    for file in found:
        assert isinstance(file, JsonFile | History | CsvTable)
        yield file.path, file


def models(paths: Paths) -> Iterator[Finding]:
    """Whether every model can be loaded."""
    good = 0
    for entry in entries(paths.models, thorough=True):
        if entry.state == "refused":
            yield Finding("models", "bad", f"{entry.name}: {entry.text}",
                          "Train it anew: bot.py train, or /retrainfeedback")
        else:
            good += 1
    yield Finding("models", "ok", f"{good} model(s) can be loaded" if good else "no models yet; the trainer makes them")


def processes(paths: Paths, settings: Settings) -> Iterator[Finding]:
    """What runs on this state now."""
    owner = ProcessLock(paths.run, "bot").owner()
    if owner:
        yield Finding("bot", "ok", f"runs, PID {owner.pid}, since {iso(owner.since_ms)[:19]}Z")
    else:
        yield Finding("bot", "ok", "does not run now")
    for service in crew_for(settings):
        holder = ProcessLock(paths.run, service.name).owner()
        if holder is None:
            words = last_error(paths, service.name) if owner else ""
            yield Finding(service.name, "warn" if words else "ok",
                          "does not run" + (f"; last words: {words}" if words else ""),
                          f"/logs {service.name} shows more; /status tells whether it should run" if words else "")
            continue
        beat = read_beat(paths.run, service.name)
        ready = beat is not None and beat.ready and beat.pid == holder.pid
        yield Finding(service.name, "ok" if ready else "warn",
                      f"PID {holder.pid}, {'ready' if ready else 'not ready (yet)'}",
                      "" if ready else f"data/logs/{service.name}.log tells what it waits for")
