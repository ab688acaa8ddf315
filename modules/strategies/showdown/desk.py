"""One contract's desk: collects, reads what is stored, runs the stages, writes and records what they tell."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from modules.exchange.types import Unavailable
from modules.storage.damage import StateError
from modules.storage.decisions import DecisionLog
from modules.storage.sql.database import Database, DatabaseAway
from modules.strategies.showdown import files as filing
from modules.strategies.showdown import replay, review, stages, store
from modules.strategies.showdown.collector import Collector, Looked
from modules.strategies.showdown.files import ShowdownFiles
from modules.strategies.showdown.inputs import Inputs, Manual
from modules.strategies.showdown.manual import KINDS, Invalid, Kind
from modules.strategies.showdown.manual_store import ManualStore, Version, sql_rows
from modules.strategies.showdown.records import Contract, Decision, Money
from modules.strategies.showdown.review_panel import Panel
from modules.strategies.showdown.settings import ShowdownSettings
from modules.strategies.showdown.stages import Outcome
from modules.strategies.showdown.venue import Source

if TYPE_CHECKING:
    from modules.strategies.showdown.execution import AccountNow

Put = Callable[[str, list[dict[str, Any]]], None]
CONTRACT_EVERY = 120  # looks between two questions for the contract's limits


class Desk:
    """One contract. `put(table, rows)` hands rows to the database's writer; `record` keeps decisions for replay."""

    def __init__(self, source: Source, database: Database, put: Put, files: ShowdownFiles, settings: ShowdownSettings,
                 record: DecisionLog | None, panel: Panel | None = None) -> None:
        self.files, self.symbol = files, files.symbol
        self.manual = ManualStore(files)
        self._source, self._database, self._put = source, database, put
        self._settings, self._record, self._panel = settings, record, panel
        self._collector = Collector(source, database, put, files.symbol, settings)
        self._contract: Contract | None = None
        self._looks = 0
        self._rows_put: set[tuple[str, str, int | None]] = set()
        self.price: float | None = None
        self.decide_ms = 0.0

    async def collect(self) -> Looked:
        """Fetch what is lacking. Raises Unavailable, DatabaseAway, OSError."""
        if self._contract is None or self._looks % CONTRACT_EVERY == 0:
            self._contract = await self._source.contract(self.symbol)
            if self._contract is None:
                raise Unavailable(f"The venue has no contract {self.symbol} that trades. Mend showdown.symbols.")
        self._looks += 1
        return await self._collector.look()

    def by_hand(self, now_ms: int) -> tuple[list[tuple[Kind, Version]], list[tuple[Kind, list[str]]]]:
        """Manual files that people put or changed: (taken, refused with every error). Raises StateError, OSError."""
        taken: list[tuple[Kind, Version]] = []
        refused: list[tuple[Kind, list[str]]] = []
        for kind in KINDS:
            if kind == "liqmap" and self.price is None:  # nothing to hold its sides against yet
                continue
            try:
                version = self.manual.by_hand(kind, self.price, now_ms)
            except Invalid as problem:
                refused.append((kind, problem.problems))
                continue
            if version is not None:
                taken.append((kind, version))
        return taken, refused

    def put_manual(self) -> None:
        """Hand the manual sources' history to SQL, each row once a run (rule 4 of `manual_store`)."""
        for table, row in sql_rows(self.symbol, self.manual.versions()):
            key = (table, str(row["uid"]), row["undone_ms"])
            if key not in self._rows_put:
                self._put(table, [row])
                self._rows_put.add(key)

    async def decide(self, now_ms: int, account: "AccountNow | None" = None) -> Outcome:
        """Read, decide, write. A database that is away is an input that is missing: flat, and why (C12).

        `account`: the one that trades; None for signals only.
        """
        inputs = await asyncio.to_thread(self._inputs, now_ms, account)
        reviewer = await self._panel.model() if self._panel is not None else ""
        began = time.perf_counter()
        outcome = stages.run(inputs, self._settings, reviewer)
        self.decide_ms = 1000 * (time.perf_counter() - began)
        self.price = outcome.snapshot.price
        opinions = await self._panel.opinions(outcome.question, outcome.decision) if self._panel is not None else ()
        outcome = outcome._replace(decision=review.apply(outcome.decision, opinions, inputs.contract))
        if self._record is not None:
            self._record.append(replay.line(outcome.question, outcome.decision, opinions))
            self._record.flush()
        await asyncio.to_thread(self._write, outcome)
        return outcome

    def _inputs(self, now_ms: int, account: "AccountNow | None") -> Inputs:
        manual, problem = self._manual()
        try:
            bars, series = store.read_market(self._database, self.symbol, now_ms)
            money = store.read_money(self._database, now_ms, self._settings, account)
        except DatabaseAway as away:
            failed = f"the database is away ({away})"
            mode = str(account.mode) if account is not None else "TEST"
            return Inputs(self.symbol, now_ms, {}, {}, manual, Money(mode=mode, problem=failed), self._contract, failed)
        if problem:
            money = msgspec.structs.replace(money, problem=problem)
        return Inputs(self.symbol, now_ms, bars, series, manual, money, self._contract)

    def _manual(self) -> tuple[dict[str, Manual], str]:
        try:
            return self.manual.current(), ""
        except (StateError, OSError) as problem:
            return {}, f"the manual sources cannot be read: {problem}"

    def _write(self, outcome: Outcome) -> None:
        filing.write(self.files.snapshot, outcome.snapshot)
        filing.write(self.files.flow, outcome.flow)
        filing.write(self.files.decision, outcome.decision)
        for table, record in (("snapshots", outcome.snapshot), ("flows", outcome.flow)):
            self._put(table, [_row(record)])
        decision = outcome.decision
        self._put("decisions", [{**_row(decision), "action": decision.action, "confidence": decision.confidence}])

    def last_decision(self) -> Decision | None:
        """The one in the file: what was decided before a restart."""
        return filing.read(self.files.decision, Decision)


def _row(record: Any) -> dict[str, Any]:
    return {"symbol": record.symbol, "ms": record.ms, "hash": record.hash, "body": msgspec.to_builtins(record)}
