"""What candidates earned: the closed trade's own result where there was one, else what the tracker's exits would have.

1. A trade belongs to the approved candidate of its token that was judged at most JOIN_MS before it was opened; a real
   one (LIVE) counts before one on paper. Its features are the candidate's, as they were at the decision.
2. A refused candidate, or one that was not bought, is bought at the next open in thought (net_results.py), after the
   same costs. Its result is looked for when its label is there, and again at TRIES; in between nothing is asked.
3. What is not known GIVE_UP_MS after the decision never will be: an empty result, so that nobody waits for it.
"""

import logging
import math
from collections.abc import Iterator

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Mode, Unavailable
from modules.learning.features import STEP_MS, closed
from modules.storage.csv_table import Row
from modules.strategies.hype.exit_table import STRATEGIES
from modules.strategies.hype.exits import Rules
from modules.strategies.hype.files import LABELED_COLUMNS, RESULT_COLUMNS, HypeFiles, LearningFiles
from modules.strategies.hype.labels import CandidateTail
from modules.strategies.hype.net_results import ATR_CANDLES, CAP_MS, net_results
from modules.strategies.hype.records import Trade
from modules.strategies.hype.trainer_candles import between

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
JOIN_MS = 10 * 60_000
TRIES = (0, 18 * HOUR_MS, 36 * HOUR_MS, CAP_MS + 3 * STEP_MS)  # after the decision
GIVE_UP_MS = CAP_MS + 24 * HOUR_MS
NEWEST_TRADES = 2000
SILENT = 3  # tokens in a row without an answer that end a look
ROW_WITHOUT_MODEL = 0.80


class Results:
    """Keeps the labelled candidates that have no result yet, and writes results. One object in one process."""

    def __init__(self, files: LearningFiles, rules: Rules, cost_side_pct: float) -> None:
        self._files = files
        self._rules = rules
        self._cost = cost_side_pct
        self._tail = CandidateTail(files.labeled.path, LABELED_COLUMNS)
        self._known: set[str] | None = None
        self._waiting: dict[str, Row] = {}
        self._next: dict[str, int] = {}

    @property
    def waiting(self) -> int:
        """Labelled candidates without a result."""
        return len(self._waiting)

    def look(self) -> None:
        """Take up newly labelled candidates. Raises StateError for a file of another version."""
        if self._known is None:
            self._known = {row["id"] for row in self._files.results.read()}
        for row in self._tail.read():
            if row["id"] not in self._known and row["market_ms"].isdigit():
                self._waiting[row["id"]] = row

    async def write_due(self, market: MarketData, now_ms: int) -> int:
        """Find and write results that can be known now; returns how many. Raises OSError, StateError."""
        due = [row for name, row in self._waiting.items() if self._next.get(name, 0) <= now_ms]
        if not due:
            return 0
        trades = _closed_trades(self._files)
        found: list[dict[str, object]] = []
        silent = 0
        for row in due:
            try:
                made = await self._one(market, row, trades.get(row["symbol"], []), now_ms)
                silent = 0
            except Unavailable as problem:
                silent += 1
                made = self._later(row, now_ms, str(problem))
                if silent == SILENT:
                    break
            if made is not None:
                found.append(made)
        if found:
            self._files.results.append(found)
        assert self._known is not None
        for each in found:
            self._known.add(str(each["id"]))
            self._waiting.pop(str(each["id"]), None)
            self._next.pop(str(each["id"]), None)
        return len(found)

    async def _one(self, market: MarketData, row: Row, trades: list["_Closed"],
                   now_ms: int) -> dict[str, object] | None:
        at = int(row["market_ms"])
        own = [trade for trade in trades if row["verdict"] == "approved" and 0 <= trade.opened_ms - at <= JOIN_MS]
        if own:
            best = min(own, key=lambda trade: (trade.mode != Mode.LIVE.value, trade.opened_ms))
            return _result(row, best.net_pct, best.mode, now_ms)
        begin, end = at - (ATR_CANDLES + 6) * STEP_MS, min(now_ms, at + CAP_MS + 3 * STEP_MS)
        candles = closed(await between(market, row["symbol"], begin, end), now_ms)
        place = int(np.searchsorted(candles[:, 0], at - STEP_MS, side="right")) - 1
        if place >= 0:
            confidence = _figure(row["confidence"])
            net = float(net_results(candles, [place], self._rules, self._cost, STEP_MS,
                                    STRATEGIES.index(row["strategy"]), max(confidence, ROW_WITHOUT_MODEL))[0])
            if math.isfinite(net):
                return _result(row, net, "exits", now_ms)
        return self._later(row, now_ms, "its candles do not tell")

    def _later(self, row: Row, now_ms: int, why: str) -> dict[str, object] | None:
        """Look again at the next of TRIES; rule 3."""
        at = int(row["market_ms"])
        if now_ms - at > GIVE_UP_MS:
            log.warning("the result of candidate %s stays unknown: %s", row["id"], why)
            return _result(row, None, "unknown", now_ms)
        self._next[row["id"]] = next((at + wait for wait in TRIES if at + wait > now_ms), now_ms + HOUR_MS)
        return None


class _Closed:
    """A closed position: mode, when it was opened, its net percent."""

    __slots__ = ("mode", "net_pct", "opened_ms")

    def __init__(self, mode: str, opened_ms: int, net_pct: float) -> None:
        self.mode, self.opened_ms, self.net_pct = mode, opened_ms, net_pct


def _closed_trades(files: LearningFiles) -> dict[str, list[_Closed]]:
    """Closed positions of both modes by symbol, from the newest trades."""
    found: dict[str, list[_Closed]] = {}
    for mode in Mode:
        trades = HypeFiles(files.paths, mode).trades.newest(NEWEST_TRADES)
        for symbol, closed_one in _positions(trades):
            found.setdefault(symbol, []).append(closed_one)
    return found


def _positions(trades: list[Trade]) -> Iterator[tuple[str, _Closed]]:
    by_position: dict[str, list[Trade]] = {}
    for trade in trades:
        by_position.setdefault(trade.position_id, []).append(trade)
    for members in by_position.values():
        buys = [trade for trade in members if trade.side == "BUY"]
        if not buys or not any(trade.closes for trade in members):
            continue
        cost = sum((trade.quote_usdt + trade.fee_usdt for trade in buys), start=buys[0].quote_usdt * 0)
        earned = sum((trade.pnl_usdt for trade in members if trade.pnl_usdt is not None), start=cost * 0)
        if cost > 0:
            yield buys[0].symbol, _Closed(buys[0].mode, buys[0].opened_ms or buys[0].market_ms,
                                          float(earned / cost * 100))


def _result(row: Row, net: float | None, source: str, now_ms: int) -> dict[str, object]:
    made = (row["id"], None if net is None else repr(round(net, 6)), source, now_ms)
    return dict(zip(RESULT_COLUMNS, made, strict=True))


def _figure(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
