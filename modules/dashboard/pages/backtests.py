"""Backtests: what runs and how far it is, results and two of them side by side, versions of settings to apply or roll
back. The runs themselves are the command process's: /backtest and /optimize, with its confirmations.
"""

from pathlib import Path
from typing import Any

from modules.dashboard.pages.sources import Sources
from modules.market import sets
from modules.storage.damage import StateError
from modules.storage.kept_runs import KeptRun, KeptRuns, UnderWay
from modules.storage.settings_versions import Versions
from utils.wall import now_ms

SHOWN = 40
BACKTEST, SEARCH = "backtest", "optimize"
STRATEGIES = ("hype", "rsi", "scalper", "grid", "showdown", "signals", "imbalance")
_ROW = ("result", "buy and hold", "deepest drawdown", "trades", "won", "mean trade", "mean trade ±", "profit factor",
        "Sharpe", "fees", "end", "start")
_NOISE = frozenset({"--json", "--progress", "--curve"})


class BacktestsPage:
    """Arguments `a` and `b`: the results that are shown side by side (the newest backtest alone)."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._kept = KeptRuns(sources.paths)
        self._versions = Versions(sources.paths)

    def __call__(self, arguments: dict[str, str]) -> dict[str, Any]:
        """The page's sections."""
        rows = self._sources.for_a_while("runs", 1.0, self._rows)
        first = next((row["id"] for row in rows if row["kind"] == BACKTEST and row["result"] is not None), "")
        chosen = [self._whole(arguments.get("a", "") or first), self._whole(arguments.get("b", ""))]
        now = now_ms()
        return {"running": [under_way(run, now) for run in self._kept.under_way() if run.kind in (BACKTEST, SEARCH)],
                "runs": rows,
                "compare": compare(chosen), "versions": self._sources.for_a_while("versions", 1.0, self._told),
                "candles": self._sources.for_a_while("candles", 5.0, self._candles)}

    def _rows(self) -> list[dict[str, Any]]:
        found = []
        names = [*self._kept.names(BACKTEST), *self._kept.names(SEARCH)]  # newest first of each
        for path in sorted(names, key=lambda path: -int(path.stem.rpartition("-")[2]))[:SHOWN]:
            row = self._sources.while_same(path, lambda path=path: summary(self._kept.load(path.stem)))  # type: ignore[misc]
            if row is not None:
                found.append(row)
        return found

    def _whole(self, name: str) -> dict[str, Any] | None:
        run = self._kept.load(name) if name else None
        return whole(run) if run is not None and run.kind == BACKTEST else None

    def _told(self) -> dict[str, Any]:
        """Every version that was kept, and which of them holds."""
        try:
            applied = self._versions.applied()
        except StateError as problem:
            return {"rows": [], "applied": "", "problem": str(problem), "earlier": 0}
        rows = [{"version": one.version, "strategy": one.strategy, "found": one.found, "until": one.data_until[:10],
                 "applied": applied.versions.get(one.strategy) == one.version, "settings": sorted(one.settings.items()),
                 "before": {name: one.before.get(name) for name in one.settings},
                 "difference": one.figures.get("difference"), "objective": one.figures.get("objective"),
                 "warning": str(one.figures.get("warning") or "")} for one in reversed(self._versions.all())]
        return {"rows": rows[:SHOWN], "applied": applied.named(), "since": applied.since, "problem": "",
                "earlier": len(applied.earlier)}

    def _candles(self) -> dict[str, Any]:
        files = list(self._sources.paths.market_data.glob("*.csv"))
        return {"tokens": len(files), "mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
                "strategies": STRATEGIES, "sets": [name for name in sets.sets(self._sources.paths)
                                                   if name != sets.COLLECTED]}


def under_way(run: UnderWay, now: int) -> dict[str, Any]:
    """A run that goes on."""
    return {"kind": run.kind, "what": words(run.argv), "by": run.by, "share": run.share, "step": run.step or "starting",
            "spent_s": max(0, now - run.began_ms) // 1000}


def words(argv: tuple[str, ...]) -> str:
    """What was asked, without what programs add."""
    kept, skip = [], False
    for word in argv[1:]:
        if skip:
            skip = False
        elif word in _NOISE:
            skip = word == "--curve"
        else:
            name, sign, value = word.partition("=")
            kept.append(f"candles={Path(value).name}" if name == "--candles" and sign else word.removeprefix("--set="))
    return " ".join(kept)


def summary(run: KeptRun | None) -> dict[str, Any] | None:
    """One run for the list."""
    if run is None:
        return None
    state = "cancelled" if run.cancelled else "done" if run.code == 0 else "failed"
    row: dict[str, Any] = {"id": run.id, "kind": run.kind, "what": words(run.argv), "by": run.by, "state": state,
                           "ended_ms": run.ended_ms, "spent_s": max(0, run.ended_ms - run.began_ms) // 1000,
                           "said": "" if run.code == 0 else run.said[-300:], "result": None}
    told = run.result if isinstance(run.result, dict) else {}
    if run.kind == BACKTEST and isinstance(told.get("metrics"), dict):
        metrics = told["metrics"]
        row |= {"title": told.get("title", ""), "span": told.get("span", ""),
                **{name: metrics.get(name) for name in _ROW}}
    elif run.kind == SEARCH and "held_up" in told:
        difference = told.get("difference") or {}
        held = told.get("held_up") and told.get("version")
        better = f"version {told['version']} held up out of sample" if held else "nothing better was found"
        gain = difference.get("value")
        by = f"; {told.get('objective')} {gain:+.3g} against the present settings" if isinstance(gain, float) else ""
        row |= {"title": "Search", "trials": told.get("asked"), "said": f"{better}{by}"}
    return row


def whole(run: KeptRun) -> dict[str, Any]:
    """One result in full."""
    told = run.result if isinstance(run.result, dict) else {}
    curve = told.get("curve") if isinstance(told.get("curve"), dict) else {}
    return {"id": run.id, "what": words(run.argv), "title": told.get("title", run.id), "span": told.get("span", ""),
            "metrics": told.get("metrics") or {}, "units": told.get("units") or {},
            "definitions": told.get("definitions") or {}, "settings": told.get("settings") or {},
            "months": told.get("by_month") or [], "reasons": told.get("by_reason") or [],
            "symbols": told.get("by_symbol") or [], "waived": told.get("waived") or [],
            "refused": told.get("refused") or {}, "equity": points(curve, "equity"), "hold": points(curve, "hold")}


def points(curve: dict[str, Any] | None, name: str) -> list[tuple[int, float]]:
    """(seconds, % against the start)."""
    values, times = (curve or {}).get(name) or [], (curve or {}).get("time") or []
    if not values or not values[0]:
        return []
    found = {int(ms) // 1000: (value / values[0] - 1) * 100 for ms, value in zip(times, values, strict=False)}
    return sorted(found.items())


def compare(chosen: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Two results: every figure, and the settings in which they differ."""
    sides = [one for one in chosen if one is not None]
    names = list(dict.fromkeys(name for one in sides for name in one["metrics"]))
    metrics = [{"name": name, "values": [one["metrics"].get(name) for one in sides],
                "unit": next((one["units"][name] for one in sides if name in one["units"]), ""),
                "meaning": next((one["definitions"][name] for one in sides if name in one["definitions"]), "")}
               for name in names]
    differ = []
    if len(sides) == 2:
        every = dict.fromkeys([*sides[0]["settings"], *sides[1]["settings"]])
        differ = [{"name": name, "values": [one["settings"].get(name) for one in sides]} for name in every
                  if sides[0]["settings"].get(name) != sides[1]["settings"].get(name)]
    return {"sides": [{key: one[key] for key in ("id", "what", "title", "span", "equity", "hold", "months", "reasons",
                                                 "symbols", "waived", "refused")} for one in sides],
            "metrics": metrics, "differ": differ}
