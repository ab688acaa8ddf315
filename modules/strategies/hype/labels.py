"""Labelling candidates when their time has come (A8, A9): approved ones, which became trades, and refused ones alike.

1. A candidate is due `label_after_h` market hours after it was judged. Its label comes from 5m candles
   (modules/learning/labels.py); where they do not tell, it stays without a label, with the reason. It is asked for
   again for an hour, or for a day while the exchange does not answer.
2. Rows that grew put their token into ``pending_training.json``.
3. ``candidate_tokens.csv`` is read on from where the last look ended; cost does not grow with its length.
"""

import csv
import io
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from modules.exchange.api import MarketData
from modules.exchange.types import Unavailable
from modules.learning.features import STEP_MS
from modules.learning.labels import LATE_MS, Label, Rule, label_one
from modules.storage.csv_table import Row
from modules.strategies.hype.files import CANDIDATE_COLUMNS, LearningFiles
from modules.strategies.hype.trainer_candles import between

log = logging.getLogger(__name__)

GIVE_UP_MS = 24 * 3_600_000
LATE_CANDLES_MS = 3_600_000  # an exchange that answers without the candle an hour later will not have it any more
BATCH = 200  # rows written at once
SILENT = 3  # tokens in a row without an answer that end a look
SPAN_MS = 400 * STEP_MS  # candidates of one token this near to each other share one request


@dataclass(slots=True)
class Outcome:
    """What one look has done: labels written, how many grew, still without a label and why."""

    labelled: int = 0
    grown: int = 0
    unlabelled: Counter[str] = field(default_factory=Counter)

    def sentence(self) -> str:
        """For a person."""
        text = f"{self.labelled} candidates labelled, {self.grown} of them grew"
        if self.unlabelled:
            text += "; without a label: " + ", ".join(f"{count} ({why})" for why, count in self.unlabelled.items())
        return text


class CandidateTail:
    """Reads the rows that were added to a candidates file since the last look (rule 3)."""

    def __init__(self, path: Path, columns: tuple[str, ...] = CANDIDATE_COLUMNS) -> None:
        self._path = path
        self._columns = columns
        self._offset = 0

    def read(self) -> list[Row]:
        """New whole rows. A file that became shorter (cleaned up) is read from its beginning."""
        try:
            size = self._path.stat().st_size
            if size < self._offset:
                self._offset = 0
            if size == self._offset:
                return []
            with open(self._path, "rb") as content:
                content.seek(self._offset)
                fresh = content.read(size - self._offset)
        except FileNotFoundError:
            self._offset = 0
            return []
        whole = fresh[: fresh.rfind(b"\n") + 1]  # a row being written right now waits for the next look
        self._offset += len(whole)
        rows = csv.reader(io.StringIO(whole.decode("utf-8", errors="replace")))
        return [dict(zip(self._columns, cells, strict=True)) for cells in rows
                if len(cells) == len(self._columns) and cells[0] != "id"]


class Labeller:
    """Keeps the candidates that wait for their label, and writes labels. One object in one process."""

    def __init__(self, files: LearningFiles, rule: Rule) -> None:
        self._files = files
        self._rule = rule
        self._tail = CandidateTail(files.candidates.path)
        self._waiting: dict[str, Row] = {}
        self._known: set[str] | None = None
        self.total = 0

    def look(self) -> None:
        """Take up new candidates that have no label yet. Raises StateError for a file of another version."""
        if self._known is None:
            self._known = {row["id"] for row in self._files.labeled.read()}
            self.total = len(self._known)
        for row in self._tail.read():
            if row["id"] not in self._known and _number(row["market_ms"]) and _number(row["price"]):
                self._waiting[row["id"]] = row

    @property
    def waiting(self) -> int:
        """Candidates without a label, due or not."""
        return len(self._waiting)

    async def label_due(self, market: MarketData, now_ms: int) -> Outcome:
        """Label what is due. What the exchange does not answer stays for the next look; raises OSError, StateError."""
        outcome = Outcome()
        due = [row for row in self._waiting.values() if int(row["market_ms"]) + self._rule.after_ms + STEP_MS <= now_ms]
        done: list[dict[str, object]] = []
        silent = 0
        for group in _groups(due):
            try:
                done += await self._label_group(market, group, now_ms, outcome)
                silent = 0
            except Unavailable as problem:  # one token may be gone; several in a row is the exchange
                silent += 1
                for row in group:
                    self._leave(row, str(problem), False, now_ms, outcome)
                if silent == SILENT:
                    break
            if len(done) >= BATCH:
                self._write(done, outcome)
                done = []
        self._write(done, outcome)
        return outcome

    async def _label_group(self, market: MarketData, group: list[Row], now_ms: int,
                           outcome: Outcome) -> list[dict[str, object]]:
        """Candidates of one token near to each other, by one request for candles."""
        times = [int(row["market_ms"]) for row in group]
        begin = min(times) if self._rule.any_time else min(times) + self._rule.after_ms
        candles = await between(market, group[0]["symbol"], begin, max(times) + self._rule.after_ms + LATE_MS)
        made: list[dict[str, object]] = []
        for row, at in zip(group, times, strict=True):
            label = label_one(candles, at, float(row["price"]), self._rule)
            if isinstance(label, Label):
                made.append({**row, "label": label.label, "price_after": repr(label.price_after),
                             "growth_pct": round(label.growth_pct, 4), "labelled_ms": now_ms})
                continue
            answered = now_ms - at - self._rule.after_ms > LATE_CANDLES_MS
            self._leave(row, label.reason, label.final or answered, now_ms, outcome)
        return made

    def _leave(self, row: Row, reason: str, final: bool, now_ms: int, outcome: Outcome) -> None:
        """No label now; none ever where that is final or enough time has passed (rule 1)."""
        outcome.unlabelled[reason] += 1
        if final or now_ms - int(row["market_ms"]) - self._rule.after_ms > GIVE_UP_MS:
            log.warning("candidate %s stays without a label: %s", row["id"], reason)
            self._waiting.pop(row["id"], None)

    def _write(self, rows: list[dict[str, object]], outcome: Outcome) -> None:
        """Labels into the table, grown tokens into the pending file (rule 2)."""
        if not rows:
            return
        assert self._known is not None
        self._files.labeled.append(rows)
        grown = {str(row["symbol"]): "grew by the label: train it anew" for row in rows if row["label"] == 1}
        if grown:
            self._files.pending.update(lambda waiting: {**grown, **waiting})
        for row in rows:
            self._known.add(str(row["id"]))
            self._waiting.pop(str(row["id"]), None)
        self.total += len(rows)
        outcome.labelled += len(rows)
        outcome.grown += sum(1 for row in rows if row["label"] == 1)


def _groups(rows: list[Row]) -> list[list[Row]]:
    """Rows of one token within SPAN_MS together, oldest first."""
    found: list[list[Row]] = []
    for row in sorted(rows, key=lambda row: (row["symbol"], int(row["market_ms"]))):
        last = found[-1] if found else None
        same = last is not None and last[0]["symbol"] == row["symbol"]
        if last is not None and same and int(row["market_ms"]) - int(last[0]["market_ms"]) < SPAN_MS:
            last.append(row)
        else:
            found.append([row])
    return found


def _number(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
