"""One run of the optimiser, from arguments to its report: candles, study, search, verdict, version."""

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from modules.backtest.cli import Wrong, between, span_of
from modules.backtest.frames import Frame
from modules.backtest.load import load, plain_symbol
from modules.backtest.optimise import tpe
from modules.backtest.optimise.arena import DAY_MS, Arena, Trials
from modules.backtest.optimise.folds import folds_of
from modules.backtest.optimise.grid_arena import ASSUMED as GRID_ASSUMED
from modules.backtest.optimise.grid_arena import GROUPS as GRID_GROUPS
from modules.backtest.optimise.grid_arena import grid_arena
from modules.backtest.optimise.journal import Study
from modules.backtest.optimise.scalper_arena import GROUPS as SCALPER_GROUPS
from modules.backtest.optimise.scalper_arena import scalper_arena
from modules.backtest.optimise.search import Task, run_search
from modules.backtest.optimise.space import NEVER_SEARCHED, Parameter, Value, fixed_of, space_of, with_values
from modules.backtest.optimise.tick_arena import GROUPS as TICK_GROUPS
from modules.backtest.optimise.tick_arena import fewer_folds, searched, signal_arena
from modules.backtest.optimise.verdict import Verdict, judge, text_of
from modules.backtest.optimise.version_cli import again
from modules.backtest.strategies import STRATEGIES
from modules.backtest.ticks.context_candles import context_rows
from modules.storage.settings_versions import Version, Versions
from utils.compute import Crew
from utils.figures import duration
from utils.paths import Paths
from utils.wall import iso

if TYPE_CHECKING:
    from config.settings import Settings

__all__ = ["Wrong", "optimise"]


@dataclass(frozen=True, slots=True)
class _OnTicks:
    """A search on recorded frames: groups of settings, and what a trial leaves out."""

    groups: tuple[str, ...]
    left_out: str


ON_TICKS = {"signals": _OnTicks(TICK_GROUPS, "limits of a day, correlation, hold-backs and pauses are not part of a "
                                             "trial"),
            "scalper": _OnTicks(SCALPER_GROUPS, "positions at once and the risk rules across contracts are not part of "
                                                "a trial; each contract has an account of its own")}
LINE_EVERY_S = 10.0
PLAYED = 0.5  # of the whole work, for the progress


def optimise(chosen: argparse.Namespace, settings: "Settings", paths: Paths) -> str:
    """The report, as text or JSON. Raises what optimize_cli.py tells of."""
    began = time.monotonic()
    names = dict.fromkeys(_groups(chosen))
    present: dict[str, BaseModel] = {name: getattr(settings, name) for name in names}
    fixed = fixed_of(present, chosen.fix)
    space = space_of(present, chosen.space, fixed, on_ticks(chosen))
    common = {name: value for name, value in fixed.items() if _cost(name) or not _differs(chosen, name)}
    base = with_values(present, common)  # for the present settings' trial as well
    held = {name: value for name, value in fixed.items() if name not in common}
    counted: Counter[str] = Counter()
    arena, digest, tokens = _arena(chosen, settings, paths, base, held, space, counted)
    wanted = fewer_folds(arena.days, chosen.folds, chosen.first) if on_ticks(chosen) else chosen.folds
    folds = folds_of(arena.days, wanted, chosen.first, chosen.walk)
    task = Task(space, folds, tuple(dict.fromkeys(chosen.objective)) or (objective_of(chosen.strategy),), chosen.trials,
                chosen.stage1, chosen.grid, chosen.min_trades, chosen.max_drawdown, chosen.seed)
    question = _question(chosen, task, arena, (digest, tokens), held)
    name = chosen.name or f"{chosen.strategy}-{hashlib.sha256(json.dumps(question).encode()).hexdigest()[:8]}"
    study = Study.opened(paths.data / "studies" / name, question, chosen.again)
    progress = _Progress(chosen.progress, name, len(study.trials))
    with Crew(settings.compute) as crew:
        found = run_search(arena, task, study, crew, progress)
        notes = _notes(study, found.refused, found.tpe_used or chosen.grid or chosen.stage1 == 1, crew.deaths, counted)
    progress.end()
    if wanted < chosen.folds:
        notes.append(f"{wanted} fold{'s' if wanted > 1 else ''} instead of {chosen.folds}: the recordings span "
                     f"{arena.days} days")
    if on_ticks(chosen):
        notes.append(ON_TICKS[chosen.strategy].left_out)
    if chosen.strategy == "grid":
        notes.append(GRID_ASSUMED)
    others = other_searches(paths.data / "studies", name, question)
    if others:
        notes.append(f"{others} other search{'es' if others > 1 else ''} on the same candles: each is one more chance "
                     "for luck, which the figures here do not know of")
    verdict = judge(found, task, arena.start_usdt())
    changed = {key: [getattr(present[key.partition(".")[0]], key.partition(".")[2]), value]
               for key, value in verdict.candidate.items()}
    changed = {key: pair for key, pair in changed.items() if pair[0] != pair[1]}
    version = _keep(chosen, name, arena, verdict, present, paths) if verdict.held_up and changed else None
    took_s = time.monotonic() - began
    if chosen.json:
        return json.dumps({"study": name, "version": version.version if version else None, "changed": changed,
                           "seconds": took_s, "notes": notes, "applied": bool(version and chosen.apply),
                           **verdict.as_dict()}, ensure_ascii=False)
    return "\n".join([text_of(verdict, changed, took_s, notes), *_after(version, chosen.apply, name)])


def _groups(chosen: argparse.Namespace) -> tuple[str, ...]:
    if chosen.strategy == "grid":
        return GRID_GROUPS
    return ON_TICKS[chosen.strategy].groups if on_ticks(chosen) else (*STRATEGIES[chosen.strategy].groups, "backtest",
                                                                      "hype")


def _cost(name: str) -> bool:
    return name.partition(".")[0] in NEVER_SEARCHED


def objective_of(strategy: str) -> str:
    """What is better where nobody says. A grid takes many small profits: its equity counts, not its mean trade."""
    return "net" if strategy == "grid" else "net_per_trade"


def _frames(chosen: argparse.Namespace, paths: Paths, counted: Counter[str]) -> list[Frame]:
    only = frozenset(plain_symbol(symbol) for symbol in chosen.symbols)
    begin, end = span_of(chosen.since, chosen.until)
    files = [Path(each) for each in chosen.candles] if chosen.candles else [paths.market_data]
    return between(load(files, counted, only), begin, end)


def on_ticks(chosen: argparse.Namespace) -> bool:
    """Whether it is searched on recorded frames."""
    return chosen.strategy != "grid" and (chosen.strategy not in STRATEGIES or chosen.ticks is not None)


def _differs(chosen: argparse.Namespace, name: str) -> bool:
    """Whether trials may differ in a setting: the signal bot's looks are gathered once, with what is fixed then."""
    if chosen.strategy == "grid":
        return name != "grid.paper_usdt"  # the balance of every trial, the present settings' among them
    return searched(name) if chosen.strategy == "signals" else True


def _arena(chosen: argparse.Namespace, settings: "Settings", paths: Paths, base: dict[str, BaseModel],
           held: dict[str, Value], space: Sequence[Parameter], counted: Counter[str]) -> tuple[Trials, str, int]:
    """(what trials run over, hash of its data, symbols)."""
    if on_ticks(chosen):
        files = [Path(each) for each in chosen.ticks or [paths.data / "recordings" / settings.feed.venue]]
        symbols = [plain_symbol(symbol) for symbol in chosen.symbols]
        if chosen.strategy == "scalper":
            read = (lambda share, what: _machine(share, f"reading recordings, {what}")) if chosen.progress else (
                lambda share, what: None)
            return scalper_arena(files, symbols, chosen.top, base, held, counted, read)
        earlier = context_rows([Path(each) for each in chosen.candles or []], symbols)
        tell = (lambda share, what: _machine(share * PLAYED, f"playing recordings, {what}")) if chosen.progress else (
            lambda share, what: None)
        return signal_arena(files, symbols, chosen.top, base, held, space, earlier, counted, tell)
    if chosen.progress:
        _machine(0.0, "loading candles")
    frames = _frames(chosen, paths, counted)
    if chosen.strategy == "grid":
        return grid_arena(frames, base, held, chosen.lot_usdt), f"{_digest(frames)}/{chosen.lot_usdt:g}", len(frames)
    return Arena(chosen.strategy, frames, base, held), _digest(frames), len(frames)


def _digest(frames: Sequence[Frame]) -> str:
    candles = hashlib.sha256()
    for frame in frames:
        candles.update(f"{frame.symbol} {len(frame)} {frame.time[0]} {frame.time[-1]} {frame.close.sum()!r}".encode())
    return candles.hexdigest()[:16]


def _question(chosen: argparse.Namespace, task: Task, arena: Trials, data: tuple[str, int],
              held: dict[str, Value]) -> dict[str, Any]:
    """What makes a study the same study. `data`: hash, and how many tokens."""
    return {
        "strategy": chosen.strategy, "candles": data[0], "tokens": data[1],
        "days": arena.days, "present": {name: model.model_dump(mode="json") for name, model in arena.base.items()},
        "space": [str(parameter) for parameter in task.space], "fix": dict(held), "objectives": list(task.objectives),
        "trials": task.trials, "stage1": task.stage1_share, "grid": task.grid, "folds": task.folds.count,
        "walk": task.folds.mode, "first": chosen.first, "min_trades": task.min_trades,
        "max_drawdown": task.max_drawdown_pct, "seed": task.seed,
    }


def other_searches(folder: Path, name: str, question: dict[str, Any]) -> int:
    """Other studies of the same strategy on the same candles."""
    count = 0
    for head in folder.glob("*/study.json"):
        try:
            told = json.loads(head.read_bytes())
        except (OSError, ValueError):
            continue  # a damaged study is told of when it is asked for
        count += head.parent.name != name and all(told.get(key) == question[key] for key in ("strategy", "candles"))
    return count


def _keep(chosen: argparse.Namespace, study: str, arena: Trials, verdict: Verdict, present: dict[str, BaseModel],
          paths: Paths) -> Version:
    """The version, with everything of this strategy that an applied version holds: it was judged together."""
    versions = Versions(paths)
    now = versions.applied()
    mine = versions.get(now.versions[chosen.strategy]).settings if chosen.strategy in now.versions else {}
    settings = {name: getattr(present[name.partition(".")[0]], name.partition(".")[2]) for name in mine
                if name.partition(".")[0] in present} | verdict.candidate
    before = {name: getattr(present[name.partition(".")[0]], name.partition(".")[2]) for name in settings}
    until = iso((arena.first_day + arena.days) * DAY_MS)
    made = versions.keep(chosen.strategy, study, until, settings, before, verdict.as_dict())
    if chosen.apply:
        versions.apply(made.version)
    return made


def _notes(study: Study, refused: int, staged: bool, deaths: int, counted: Counter[str]) -> list[str]:
    notes = []
    if not staged and not tpe.present():
        notes.append(tpe.MISSING)
    if refused:
        notes.append(f"{refused} trials had settings that cannot be together; they count as tried, without a result")
    if study.damaged:
        notes.append(f"{study.damaged} damaged lines of the study were left out and done again")
    if deaths:
        notes.append(f"workers died {deaths} times; their trials were done again")
    notes += [f"{count:,} × {what}" for what, count in sorted(counted.items())
              if count and "left out" in what or "counts" in what]
    return notes


def _after(version: Version | None, applied: bool, study: str) -> list[str]:
    if version is None:
        return [f"Study: {study}"]
    if applied:
        return [f"Version {version.version} is applied; services take it when they start: {again(version.strategy)}"]
    return [f"Kept as version {version.version}. Apply it with: bot.py optimize apply {version.version}"]


def _machine(share: float, what: str) -> None:
    """How far it is, for programs."""
    sys.stderr.write(f"progress {json.dumps({'share': share, 'what': what})}\n")
    sys.stderr.flush()


class _Progress:
    """Trials done on the terminal, or as JSON lines; says the time that is left."""

    def __init__(self, machine: bool, name: str, before: int) -> None:
        self._machine, self._name, self._before = machine, name, before
        self._began = self._told = time.monotonic()
        self._first: int | None = None
        self._live = sys.stderr.isatty()
        if machine:
            _machine(0.0, "present settings; compiling the rules, if they have changed")
        elif before:
            sys.stderr.write(f"Study {name} goes on: {before} trials are done already.\n")

    def __call__(self, done: int, planned: int, what: str) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done
            self._began = now
        rate = (done - self._first) / (now - self._began) if done > self._first else 0.0
        left = (planned - done) / rate if rate else -1.0
        if self._machine:
            _machine(min(done / max(planned, 1), 1.0), f"{done} of {planned} trials, {what}")
        elif self._live or now - self._told >= LINE_EVERY_S:
            self._told = now
            told = f", {duration(max(left, 0.0))} left" if rate else ""
            sys.stderr.write(("\r\x1b[K" if self._live else "") + f"{done} of {planned} trials ({what}){told}"
                             + ("" if self._live else "\n"))
            sys.stderr.flush()

    def end(self) -> None:
        """The end of the search."""
        if self._live and not self._machine:
            sys.stderr.write("\r\x1b[K")
