"""Data: candles for backtests: a download under way, the sets there are, each token's span and what its check said.

Nothing is fetched or checked here: /data does, in a process of its own, and keeps what it found (storage/kept_runs).
"""

from pathlib import Path
from typing import Any

from modules.dashboard.pages.backtests import under_way, words
from modules.dashboard.pages.sources import Sources
from modules.market import sets
from modules.storage.kept_runs import KeptRun, KeptRuns
from utils.wall import now_ms

KIND = "data"
SHOWN_RUNS, MOST_FILES = 20, 400
_TOLD = ("rows", "gap_count", "missing", "unusable", "zero_volume", "problem")


class DataPage:
    """Argument `set`: whose tokens are listed (the collected ones)."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept = KeptRuns(sources.paths)

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        look = self._sources.for_a_while
        there = look("candle sets", 2.0, lambda: sets.sets(self._sources.paths))
        wanted = arguments.get("set", "")
        name = wanted if wanted in there else sets.COLLECTED
        now = now_ms()
        return {"running": [under_way(run, now) for run in self._kept.under_way() if run.kind == KIND],
                "runs": look("data runs", 1.0, lambda: [asked(run) for run in self._runs()[:SHOWN_RUNS]]),
                "sets": look("sets", 2.0, lambda: [self._set(one) for one in there]), "chosen": name,
                "files": look(("candle files", name), 2.0, lambda: self._files(name)),
                "choices": {"exchange": self._sources.settings.exchange.name, "exchanges": self._exchanges(),
                            "intervals": list(sets.STEPS), "own": sets.OWN_INTERVAL}}

    def _exchanges(self) -> list[str]:
        """The program's own first; the simulated one serves only where it is that."""
        own = self._sources.settings.exchange.name
        return [own, *(name for name in sets.EXCHANGES if name not in (own, "simulated"))]

    def _runs(self) -> list[KeptRun]:
        """Downloads and checks, newest first."""
        found = [self._sources.while_same(path, lambda path=path: self._kept.load(path.stem))  # type: ignore[misc]
                 for path in self._kept.names(KIND)]
        return [run for run in found if run is not None]

    def _set(self, name: str) -> dict[str, Any]:
        """One set in short."""
        rows = self._rows(name)
        spans = [row for row in rows if row["first_ms"]]
        exchange, _, interval = name.rpartition("-")
        return {"name": name, "exchange": exchange or self._sources.settings.exchange.name,
                "interval": interval if exchange else sets.OWN_INTERVAL, "tokens": len(rows),
                "mb": round(sum(row["mb"] for row in rows), 1),
                "first_ms": min((row["first_ms"] for row in spans), default=0),
                "last_ms": max((row["last_ms"] for row in spans), default=0), "collected": name == sets.COLLECTED}

    def _files(self, name: str) -> dict[str, Any]:
        """The tokens of a set with their checks."""
        rows = self._rows(name)
        checks = self._checks(name)
        return {"rows": [{**row, **state(row, checks.get(row["symbol"]))} for row in rows[:MOST_FILES]],
                "more": max(0, len(rows) - MOST_FILES)}

    def _rows(self, name: str) -> list[dict[str, Any]]:
        folder = sets.folder_of(self._sources.paths, name)
        return [self._sources.while_same(path, lambda path=path: file_row(path))  # type: ignore[misc]
                for path in sorted(folder.glob("*.csv"))]

    def _checks(self, name: str) -> dict[str, dict[str, Any]]:
        """The newest check of each token: of a download what it fetched, of /data check the whole set."""
        found: dict[str, dict[str, Any]] = {}
        for run in self._runs():
            told = run.result if isinstance(run.result, dict) else {}
            rows = told.get("symbols")
            if told.get("set") == name and isinstance(rows, list):
                for row in rows:
                    symbol = str(row.get("symbol") or Path(str(row.get("file", ""))).stem)
                    found.setdefault(symbol, {**row, "checked_ms": run.ended_ms})
        return found


def file_row(path: Path) -> dict[str, Any]:
    """What its ends tell of one token's file."""
    first, last = sets.ends(path) or (0, 0)
    try:
        size = path.stat().st_size
    except OSError:
        size = 0
    return {"symbol": path.stem, "first_ms": first, "last_ms": last, "mb": round(size / 1e6, 2)}


def state(row: dict[str, Any], check: dict[str, Any] | None) -> dict[str, Any]:
    """What the check said of a file, and whether the file has grown since."""
    if check is None:
        return {"state": "not checked", "tone": "", "said": "", "checked_ms": 0, "rows": None, "gap_count": None,
                "missing": None}
    told = {name: check.get(name) for name in _TOLD}
    same = (row["first_ms"], row["last_ms"]) == (check.get("first_ms"), check.get("last_ms"))
    if told["problem"] or told["unusable"]:
        word, tone = "cannot all be used", "stuck"
        said = str(told["problem"] or f"{told['unusable']} rows with missing or impossible numbers are left out")
    else:
        word, tone, said = ("gaps", "starting", "") if told["gap_count"] else ("sound", "ready", "")
    said = "; ".join(filter(None, (said, "" if same else "changed since")))
    return {**told, "state": word, "tone": tone, "said": said, "checked_ms": check["checked_ms"]}


def asked(run: KeptRun) -> dict[str, Any]:
    """One download or check for the list."""
    told = run.result if isinstance(run.result, dict) else {}
    failed = told.get("failed") if isinstance(told.get("failed"), dict) else {}
    ended = "cancelled" if run.cancelled else "done" if run.code == 0 else "partly" if told.get("symbols") else "failed"
    said = "; ".join(f"{name}: {why}" for name, why in list((failed or {}).items())[:3])
    what = " ".join(word.removeprefix("--") for word in words(run.argv).split())
    return {"id": run.id, "what": what, "by": run.by, "state": ended, "added": told.get("added"),
            "ended_ms": run.ended_ms, "spent_s": max(0, run.ended_ms - run.began_ms) // 1000,
            "said": said or ("" if run.code == 0 else run.said[-300:])}
