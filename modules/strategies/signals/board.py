"""What other processes show of the signal bot: one file, replaced every few seconds, and its facts for /status."""

import logging
from typing import Any

import msgspec

from modules.strategies.signals import stats
from modules.strategies.signals.crew import Parts
from modules.strategies.signals.health import Health
from modules.strategies.signals.report import pair
from modules.strategies.signals.stats import Done
from modules.supervision.service import ServiceRun
from utils.files import write_atomic

log = logging.getLogger(__name__)
FILE = "signals_view.json"
FALLEN = 60
DAY_MS = 86_400_000


class Board:
    """Writes it."""

    def __init__(self, run: ServiceRun, parts: Parts, health: Health) -> None:
        self._run, self._parts, self._health = run, parts, health
        self._problem = ""
        self._made_of, self._made = (-1, 0), dict[str, Any]()

    def write(self, now_ms: int) -> None:
        """The file and the facts; a full disk is told in the log once."""
        self._tell()
        body = msgspec.json.encode(self.view(now_ms))
        try:
            write_atomic(self._run.paths.data / FILE, body, durable=False)
            self._problem = ""
        except OSError as problem:
            if str(problem) != self._problem:
                log.error("%s cannot be written: %s", FILE, problem)
            self._problem = str(problem)

    def _tell(self) -> None:
        parts, health = self._parts, self._health
        troubles = [what for what in health.state.values() if what]
        self._run.tell(symbols=len(parts.desk.universe), looks=parts.desk.looks, paused=parts.paused(),
                       open=sum(one.kind == "ENTRY" for one in parts.ledger.state.open.values()),
                       sent_today=sum(parts.ledger.state.counts.sent.values()), trouble="; ".join(troubles),
                       database=parts.writer.state().problem, holes=len(parts.follower.holes()))

    def view(self, now_ms: int) -> dict[str, Any]:
        """Everything that commands and the dashboard show; plain values."""
        parts, health = self._parts, self._health
        state, kept = parts.ledger.state, parts.selector.kept
        places = kept.scan.places[:len(parts.selector.symbols()) + FALLEN]
        return {
            "ms": now_ms, "open": [self._open(one) for one in state.open.values() if one.kind == "ENTRY"],
            "controls": sum(one.kind == "CTRL" for one in state.open.values()) + len(state.planned),
            "counts": {"sent": state.counts.sent, "hold_back": state.counts.hold_back,
                       "held_back": state.counts.held_back},
            "demoted": state.demoted, "paused": parts.paused(), "refusals": parts.ledger.refusals.totals,
            "universe": {"ms": kept.scan.ms, "weight": kept.scan.weight, "funnel": kept.scan.funnel(),
                         "size": parts.selector.size, "excluded": kept.excluded, "watched": parts.selector.symbols(),
                         "problem": parts.selector.problem,
                         "places": [msgspec.to_builtins(one) for one in places]},
            "health": {"trouble": health.state, "failures": health.failures, "load": health.load.seen,
                       "backup": health.backup.reader is not None},
            "stats": self._statistics(now_ms), "past_loaded": parts.past_loaded,
        }

    def _statistics(self, now_ms: int) -> dict[str, Any]:
        """Made again where one ended, and each market minute: thousands of results are not summed up every view."""
        done = self._parts.done
        key = (len(done), now_ms // 60_000)
        if key != self._made_of:
            self._made_of, self._made = key, statistics(done, now_ms)
        return self._made

    def _open(self, signal: Any) -> dict[str, Any]:
        follow = signal.follow
        return {"id": signal.id, "symbol": signal.symbol, "direction": signal.direction, "priority": signal.priority,
                "sent_as": signal.sent_as, "quality": signal.quality, "entry": follow.entry, "stop": follow.stop_now,
                "tp1": follow.tp1, "tp2": follow.tp2, "ms": follow.begun_ms, "expires_ms": follow.expires_ms,
                "last": follow.last_price, "first": follow.first, "outcome": follow.outcome}


def statistics(done: list[Done], now_ms: int) -> dict[str, Any]:
    """All, today, this week, by class, symbol and hour: signals beside their controls."""
    def groups(found: list[Done]) -> dict[str, Any]:
        pairs = stats.by(found, lambda one: "all")
        return pair(pairs.get("all"))

    day = [one for one in done if one.closed_ms >= now_ms - DAY_MS]
    week = [one for one in done if one.closed_ms >= now_ms - 7 * DAY_MS]
    return {"all": groups(done), "day": groups(day), "week": groups(week),
            "class": {name: pair(both) for name, both in stats.by(done, lambda one: one.priority).items()},
            "symbol": {name: pair(both) for name, both in stats.by(done, lambda one: one.symbol).items()},
            "hour": {name: pair(both) for name, both in stats.by(done, stats.hour_of).items()}}
