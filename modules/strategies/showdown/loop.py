"""The deciding half of system C: collects, decides every five market minutes, and hands decisions to execution."""

import asyncio
import logging
import time
from typing import Any

from modules.exchange.types import Unavailable
from modules.execution.mode import mode_word
from modules.storage.damage import StateError
from modules.storage.decisions import DecisionLog
from modules.storage.sql.database import DatabaseAway
from modules.storage.sql.spool import SpoolFull
from modules.storage.sql.writer import Writer
from modules.strategies.showdown import review, words
from modules.strategies.showdown.desk import Desk
from modules.strategies.showdown.execution import Execution
from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.manual import TITLES
from modules.strategies.showdown.records import Decision
from modules.strategies.showdown.review_panel import Panel
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.venue import BinanceSource
from modules.supervision.service import ServiceRun

log = logging.getLogger(__name__)
RETRY_S = 2.0
FLOOR_S = 1.0  # fastest real pace of the collector, whatever the market's speed
DRAIN_S = 5.0
DAY_MS = 86_400_000


class ShowdownLoop:
    """All contracts' desks at work on one market. `execution` None: signals only."""

    def __init__(self, run: ServiceRun, settings: ShowdownSettings, source: BinanceSource, speed: float, writer: Writer,
                 record: DecisionLog | None, execution: Execution | None, panel: Panel | None = None) -> None:
        self._run, self._settings, self._source, self._speed = run, settings, source, speed
        self._writer, self._execution = writer, execution
        self.desks = [Desk(source, writer.database, self._put, ShowdownFiles(run.paths, symbol, place == 0),
                           settings, record, panel) for place, symbol in enumerate(settings.symbols)]
        self._decided: dict[str, tuple[int, bool]] = {}
        self._before: dict[str, Decision | None] = {desk.symbol: desk.last_decision() for desk in self.desks}
        self._problem = ""
        self._told_files: set[str] = set()

    async def work(self) -> None:
        """Collect and decide until stopped."""
        while not self._run.stop.is_set():
            began = time.monotonic()
            problems = [problem for desk in self.desks if (problem := await self._turn(desk))]
            self._say_problem("; ".join(problems))
            pace = max(FLOOR_S, self._settings.collect_s / self._speed)
            await self._run.sleep(max(0.1, (RETRY_S if problems else pace) - (time.monotonic() - began)))

    async def _turn(self, desk: Desk) -> str:
        """One contract's turn; what is wrong, empty where nothing is."""
        problem = ""
        try:
            if not await asyncio.to_thread(self._writer.drain, DRAIN_S):
                raise DatabaseAway(self._writer.state().problem or "rows wait to be written")
            looked = await desk.collect()
            await asyncio.to_thread(self._writer.drain, DRAIN_S)
            self._run.tell(**{f"{desk.symbol}_candles": looked.candles, f"{desk.symbol}_gaps": looked.gaps})
        except (Unavailable, DatabaseAway, OSError, SpoolFull) as failed:
            problem = f"{desk.symbol}: {failed}"
        try:
            now = self._source.now_ms()
            self._manual(desk, now)
            await self._decide(desk, now, problem)
        except (Unavailable, StateError, OSError, SpoolFull) as failed:
            problem = problem or f"{desk.symbol}: {failed}"
        return problem

    async def _decide(self, desk: Desk, now: int, problem: str) -> None:
        turn = (now // round(1000 * self._settings.decide_s), bool(problem))
        if self._decided.get(desk.symbol) == turn:  # the end of a failure decides again, with what it brought
            return
        account = await self._execution.account() if self._execution is not None else None
        outcome = await desk.decide(now, account)
        self._decided[desk.symbol] = turn
        decision = outcome.decision
        told = {"action": decision.action, "why": decision.reason, "decide_ms": round(desk.decide_ms, 2)}
        self._run.tell(market_ms=now, **{f"{desk.symbol}_{name}": value for name, value in told.items()})
        if self._execution is not None:
            self._execution.offer(decision)
        before, self._before[desk.symbol] = self._before[desk.symbol], decision
        self._tell_decision(before, decision)

    def _tell_decision(self, before: Decision | None, now: Decision) -> None:
        """People hear of a trade that begins or turns, of its end, and of a drawdown limit (X34), once each."""
        was = before.action if before is not None else "flat"
        if now.action != was:
            level = "trade" if now.action != "flat" else "info"
            follows = words.what_follows(now, self._execution is not None, self._holds(now.symbol))
            self._run.outbox.say(f"System C · {words.headline(now)}", mode=now.mode, level=level,  # type: ignore[arg-type]
                                 why="\n".join([*filter(None, [words.size_line(now)]), *words.chain(now)[:8],
                                                *review.said(now)]),
                                 todo=f"{follows} /btc shows the chart.",
                                 key=f"showdown-{now.symbol}-{now.ms}-{now.action}")
        for check in now.gates:
            if check.code in ("DAY_DRAWDOWN", "WEEK_DRAWDOWN") and (check.result == "fail" or "80 %" in check.said):
                week = check.code == "WEEK_DRAWDOWN"
                episode = (now.ms - 4 * DAY_MS) // (7 * DAY_MS) if week else now.ms // DAY_MS
                self._run.outbox.say(f"RISK · System C · {check.said}", mode=now.mode, level="alert",
                                     todo="No entries while it lasts; protection goes on. /btc shows the account.",
                                     key=f"showdown-{check.code}-{check.result}-{episode}")

    def _holds(self, symbol: str) -> bool:
        return self._execution is not None and self._execution.holds(symbol)

    def _manual(self, desk: Desk, now: int) -> None:
        """Files put by hand, and the history into SQL."""
        taken, refused = desk.by_hand(now)
        for kind, version in taken:
            self._run.outbox.say(f"{TITLES[kind]} of {desk.symbol}: version {version.version} was taken from the file.",
                                 mode=mode_word(self._run.paths))
        for kind, problems in refused:
            text = "\n".join(problems)
            if text not in self._told_files:
                self._told_files.add(text)
                name = desk.files.manual(kind).name
                self._run.outbox.say(f"ERROR · {name} was not taken.", mode=mode_word(self._run.paths), why=text,
                                     level="warning",
                                     todo=f"Mend the file, or enter it with /{kind}; what counted before still counts.")
        desk.put_manual()

    def _put(self, table: str, rows: list[dict[str, Any]]) -> None:
        self._writer.add(table, rows)

    def _say_problem(self, problem: str) -> None:
        if problem and problem != self._problem:
            log.warning("%s", problem)
        self._problem = problem
        self._run.tell(error=problem)
