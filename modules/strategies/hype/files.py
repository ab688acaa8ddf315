"""The files of system A, named in one place. Test mode has the same files with the ``test_`` prefix (P6)."""

from dataclasses import dataclass
from functools import cached_property

import msgspec

from modules.exchange.types import Mode
from modules.execution.mode import TestMode as TestMode
from modules.execution.mode import mode_file as mode_file
from modules.execution.risk_state import RiskState, Unreadable, load_risk, risk_file, scope_of
from modules.learning.promise import Watch
from modules.storage.csv_table import CsvTable
from modules.storage.history import History
from modules.storage.json_state import JsonFile
from modules.strategies.hype.records import Activity, Position, Trade
from utils.paths import Paths

SYSTEM = "hype"
CANDIDATE_COLUMNS = ("id", "symbol", "strategy", "market_ms", "price", "verdict", "codes", "probability", "confidence",
                     "features")
LABELED_COLUMNS = (*CANDIDATE_COLUMNS, "label", "price_after", "growth_pct", "labelled_ms")

RESULT_COLUMNS = ("id", "net_pct", "source", "known_ms")
VOTE_COLUMNS = ("id", "market_ms", "symbol", "model", "generation", "asks", "probability", "confidence", "approved",
                "promised")


class TradingState(msgspec.Struct, frozen=True, kw_only=True):
    """``data/trading_state.json`` of an earlier version; the pause now lies in the risk state of each mode."""

    paused: bool = False
    reason: str = ""
    since_ms: int = 0


class DaySummary(msgspec.Struct, frozen=True, kw_only=True):
    """One closed day in ``summary_log.json`` (UTC day, USDT)."""

    day: str
    trades: int
    wins: int
    pnl_usdt: float
    fees_usdt: float
    best: str = ""
    worst: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One model's live record in ``model_watch.json``; `retired` is why it may not speak, "" if it may."""

    watch: Watch
    looked_ms: int
    retired: str = ""
    retired_ms: int = 0


def trading_state_file(paths: Paths) -> JsonFile[TradingState]:
    """The pause switch of an earlier version: read once, when there is no risk state yet."""
    return JsonFile(paths.data / "trading_state.json", TradingState, TradingState)


@dataclass(frozen=True)
class HypeFiles:
    """Every file of one mode."""

    paths: Paths
    mode: Mode

    def _name(self, name: str) -> str:
        return f"test_{name}" if self.mode is Mode.TEST else name

    @cached_property
    def tracked(self) -> JsonFile[dict[str, Position]]:
        """Open positions by symbol; the tracker is the only writer."""
        return JsonFile(self.paths.data / self._name("tracked_tokens.json"), dict[str, Position], dict)

    def read_risk(self) -> RiskState | Unreadable:
        """The risk state, or why it cannot be used (X35)."""
        return load_risk(self.risk, scope_of(SYSTEM, self.mode))

    @cached_property
    def risk(self) -> JsonFile[RiskState]:
        """Trading state and limits of this mode; the tracker is the only writer."""
        return risk_file(self.paths, SYSTEM, self.mode)

    @cached_property
    def trades(self) -> History[Trade]:
        """Every executed order; the tracker is the only writer."""
        return History(self.paths.data / self._name("trade_history.json"), Trade)

    @cached_property
    def summaries(self) -> History[DaySummary]:
        """Closed days; the tracker is the only writer."""
        return History(self.paths.data / self._name("summary_log.json"), DaySummary)

    @cached_property
    def activity(self) -> History[Activity]:
        """Judgements of the scanner (``bot_log.json``, ``test_log.json``)."""
        name = "test_log.json" if self.mode is Mode.TEST else "bot_log.json"
        return History(self.paths.data / name, Activity)


@dataclass(frozen=True)
class LearningFiles:
    """Files of the learning; both modes share them (a candidate is a candidate)."""

    paths: Paths

    @cached_property
    def candidates(self) -> CsvTable:
        """Judged tokens with features as JSON, price and reason codes; the scanner is the only writer of rows."""
        return CsvTable(self.paths.data / "candidate_tokens.csv", CANDIDATE_COLUMNS)

    @cached_property
    def labeled(self) -> CsvTable:
        """Candidates with their label; the trainer is the only writer."""
        return CsvTable(self.paths.data / "labeled_candidates.csv", LABELED_COLUMNS)

    @cached_property
    def results(self) -> CsvTable:
        """``candidate_results.csv``: what a candidate earned as a trade (source TEST, LIVE) or would have earned by the
        tracker's exits (source exits), percent after costs; the trainer is the only writer."""
        return CsvTable(self.paths.data / "candidate_results.csv", RESULT_COLUMNS)

    @cached_property
    def votes(self) -> CsvTable:
        """``model_votes.csv``: what each model that made a promise said of each candidate; the trainer is the only
        writer."""
        return CsvTable(self.paths.data / "model_votes.csv", VOTE_COLUMNS)

    @cached_property
    def watch(self) -> JsonFile[dict[str, Kept]]:
        """``model_watch.json``: each model's live record against its promise; the trainer is the only writer."""
        return JsonFile(self.paths.data / "model_watch.json", dict[str, Kept], dict)

    @cached_property
    def pending(self) -> JsonFile[dict[str, str]]:
        """``pending_training.json``: symbol → why it waits for a model. Changed with ``update`` only."""
        return JsonFile(self.paths.data / "pending_training.json", dict[str, str], dict)

    @cached_property
    def volatility(self) -> History[dict[str, float | str]]:
        """``volatility_log.json``: symbol, market_ms, atr_pct of every candidate (A12)."""
        return History(self.paths.data / "volatility_log.json", dict[str, float | str])
