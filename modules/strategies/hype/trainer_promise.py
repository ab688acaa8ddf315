"""Holds the models to their promise: notes what they say of each live candidate, and retires one that breaks it.

1. A vote is what the standing model says of a candidate's features as they were stored at the decision: the same
   model, the same figures, so the same answer as the scanner got. It is written before its outcome can be known.
2. Only a model that speaks, or would if it were not retired, votes: one that its training left aside promised nothing.
3. The record belongs to the name, not to one training: a successor inherits it (learning/promise.py, rule 4).
"""

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

from modules.learning import modelkeeping, promise
from modules.learning.features import CONTEXT, FEATURES, unpack
from modules.learning.modelfiles import FEEDBACK, Manifest
from modules.learning.predictor import Judgement, Predictor
from modules.learning.promise import Vote, Watch
from modules.learning.settings import LearningSettings
from modules.storage.csv_table import Row
from modules.strategies.hype.files import LABELED_COLUMNS, RESULT_COLUMNS, VOTE_COLUMNS, Kept, LearningFiles
from modules.strategies.hype.labels import CandidateTail
from modules.strategies.hype.net_results import CAP_MS

log = logging.getLogger(__name__)

HOUR_MS = 3_600_000
KEPT_MS = 180 * 24 * HOUR_MS
GIVE_UP_MS = CAP_MS + 26 * HOUR_MS  # a little longer than a result is looked for


class Change(NamedTuple):
    """A model was retired (`speaks` False) or speaks again."""

    name: str
    speaks: bool
    reason: str


class _Asked(NamedTuple):
    """A vote whose outcome is joined by the candidate's id."""

    id: str
    market_ms: int
    of_net: bool
    approved: bool
    promised: float


class PromiseKeeper:
    """The models' live records. One object in one process (the trainer's)."""

    def __init__(self, files: LearningFiles, learning: LearningSettings) -> None:
        self._files = files
        self._learning = learning
        self._horizon_ms = int(learning.label_after_h * HOUR_MS)
        self._predictor = Predictor(files.paths.models)
        self._candidates = CandidateTail(files.candidates.path)
        self._labels = CandidateTail(files.labeled.path, LABELED_COLUMNS)
        self._results = CandidateTail(files.results.path, RESULT_COLUMNS)
        self._votes: dict[str, list[_Asked]] | None = None
        self._seen_to_ms = 0
        self._label: dict[str, float] = {}
        self._net: dict[str, float] = {}

    def look(self, now_ms: int) -> list[Change]:
        """Take up new candidates, labels and results; retire and reinstate. Raises StateError, OSError."""
        votes = self._known_votes(now_ms)
        self._vote(votes, now_ms)
        self._label |= {row["id"]: float(row["label"]) for row in self._labels.read() if row["label"] in ("0", "1")}
        self._net |= {row["id"]: _figure(row["net_pct"]) for row in self._results.read()}
        before = self._files.watch.load()
        after: dict[str, Kept] = {}
        changes: list[Change] = []
        for name, asked in votes.items():
            asked[:] = [vote for vote in asked if vote.market_ms > now_ms - KEPT_MS]
            found = promise.watch(map(self._joined, asked), self._horizon_ms, self._learning.false_alarm_days, now_ms,
                                  GIVE_UP_MS)
            after[name], change = self._decided(name, before.get(name), found, now_ms)
            changes += [change] if change else []
        self._forget(votes)
        if {name: kept.watch for name, kept in after.items()} != {name: kept.watch for name, kept in before.items()} \
                or changes:
            self._files.watch.save(after)
        for name, kept in after.items():  # after a crash between the two files, and for a model trained meanwhile
            if kept.retired:
                modelkeeping.retire(self._files.paths.models, name, kept.retired)
            else:
                modelkeeping.reinstate(self._files.paths.models, name)
        return changes

    def _decided(self, name: str, before: Kept | None, found: Watch, now_ms: int) -> tuple[Kept, Change | None]:
        """What the record means for the model (promise.py, rule 4)."""
        retired = before.retired if before else ""
        if not retired and found.broken:
            reason = f"it broke its promise: {found.sentence()}"
            return Kept(watch=found, looked_ms=now_ms, retired=reason, retired_ms=now_ms), Change(name, False, reason)
        if retired and found.mended:
            return Kept(watch=found, looked_ms=now_ms), Change(name, True, found.sentence())
        since = before.retired_ms if before else 0
        return Kept(watch=found, looked_ms=now_ms, retired=retired, retired_ms=since), None

    def _known_votes(self, now_ms: int) -> dict[str, list[_Asked]]:
        """The votes so far; at the first look from their file."""
        if self._votes is None:
            self._votes = {}
            for row in self._files.votes.read():
                self._seen_to_ms = max(self._seen_to_ms, int(row["market_ms"]))
                self._votes.setdefault(row["model"], []).append(_asked(row))
            if self._seen_to_ms > now_ms:  # a market that began anew: its candidates come before the old ones
                self._seen_to_ms = 0
        return self._votes

    def _vote(self, votes: dict[str, list[_Asked]], now_ms: int) -> None:
        """Ask the standing models about candidates that are new (rule 1)."""
        have = {vote.id for asked in votes.values() for vote in asked if vote.market_ms == self._seen_to_ms}
        rows: list[dict[str, object]] = []
        for candidate in self._candidates.read():
            at = candidate["market_ms"]
            old = not at.isdigit() or int(at) < max(self._seen_to_ms, now_ms - self._horizon_ms)
            if old or candidate["id"] in have:
                continue  # its outcome could be known already, or it has been asked about
            values = unpack(candidate["features"], FEATURES + CONTEXT)
            if values is None:
                continue
            row, context = values[: len(FEATURES)].tolist(), values[len(FEATURES):].tolist()
            for name, judge in self._judges(candidate["symbol"]):
                said = judge(row, context)
                card = self._predictor.card(name)
                if isinstance(said, Judgement) and isinstance(card, Manifest) and (not card.aside or card.retired):
                    rows.append(_vote_row(candidate, name, card, said, self._learning.approve_confidence))
            self._seen_to_ms = max(self._seen_to_ms, int(at))
        if rows:
            self._files.votes.append(rows)
        for made in rows:
            votes.setdefault(str(made["model"]), []).append(_asked({key: str(value) for key, value in made.items()}))

    def _judges(self, symbol: str) -> list[tuple[str, Callable[[list[float], list[float]], object]]]:
        def own(row: list[float], context: list[float]) -> object:
            return self._predictor.token(symbol, row, context)

        return [(FEEDBACK, self._predictor.feedback), (symbol, own)]

    def _joined(self, asked: _Asked) -> Vote:
        """A vote with what came of its candidate."""
        net = self._net.get(asked.id)
        right = self._label.get(asked.id)
        if asked.of_net:
            right = None if net is None else (float(net > 0) if math.isfinite(net) else math.nan)
        return Vote(asked.market_ms, asked.approved, asked.promised, right, net)

    def _forget(self, votes: dict[str, list[_Asked]]) -> None:
        """Drop outcomes that no vote waits for."""
        wanted = {vote.id for asked in votes.values() for vote in asked}
        for outcomes in (self._label, self._net):
            if len(outcomes) > 2 * len(wanted) + 20_000:
                for name in [name for name in outcomes if name not in wanted]:
                    del outcomes[name]


def _vote_row(candidate: Row, name: str, card: Manifest, said: Judgement, bar: float) -> dict[str, object]:
    promised = card.promise.precision.low if card.promise is not None else 0.0
    made = (candidate["id"], candidate["market_ms"], candidate["symbol"], name, card.generation,
            "net" if card.label.startswith("net result") else "label", repr(said.probability), repr(said.confidence),
            int(said.confidence >= bar), repr(promised))
    return dict(zip(VOTE_COLUMNS, made, strict=True))


def _asked(row: Row) -> _Asked:
    return _Asked(row["id"], int(row["market_ms"]), row["asks"] == "net", row["approved"] == "1",
                  float(row["promised"]))


def _figure(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
