"""What the scanner writes down: activity, candidates, volatility, training wishes, proposals.

An approved candidate's row is written before its proposal leaves: after a crash between the two there is a row
without a purchase, never a purchase without a row. The candidate's id is the message's id, so a proposal is bought
at most once.
"""

import logging
from collections.abc import Sequence

import msgspec

from modules.exchange.types import Mode
from modules.learning import features
from modules.strategies.hype.files import HypeFiles, LearningFiles
from modules.strategies.hype.reasons import Refusal, sentence
from modules.strategies.hype.records import Activity, Proposal, Strategy
from modules.strategies.hype.scanner_judge import Verdict
from modules.strategies.hype.scanner_probe import Suspect
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.trade_book import TradeBook
from modules.supervision.messages import Inbox
from utils.paths import Paths

log = logging.getLogger(__name__)
SENDER = "scanner"


class ScannerRecords:
    """The scanner's files and the inboxes it posts to."""

    def __init__(self, paths: Paths, settings: HypeSettings) -> None:
        self._paths = paths
        self._learning = LearningFiles(paths)
        self._files = {mode: HypeFiles(paths, mode) for mode in Mode}
        self._books = {mode: TradeBook(files.trades, settings) for mode, files in self._files.items()}
        self._book_sizes: dict[Mode, int] = {}
        self._tracker = Inbox(paths.inbox, "tracker")
        self._trainer = Inbox(paths.inbox, "trainer")

    def judged(self, suspect: Suspect, verdict: Verdict, row: Sequence[float], context: Sequence[float],
               mode: Mode) -> str:
        """Write a final judgement down (A7); returns the candidate's id."""
        assert suspect.figures is not None and suspect.strategy is not None
        candidate_id = f"{suspect.symbol}-{suspect.market_ms}"
        self._learning.candidates.append([{
            "id": candidate_id,
            "symbol": suspect.symbol,
            "strategy": suspect.strategy.value,
            "market_ms": suspect.market_ms,
            "price": repr(suspect.figures.price),
            "verdict": verdict.kind,
            "codes": " ".join(code.code for code in verdict.codes),
            "probability": verdict.probability,
            "confidence": verdict.confidence,
            "features": features.pack(row, context),
        }])
        self._learning.volatility.append({
            "symbol": suspect.symbol, "market_ms": float(suspect.market_ms),
            "atr_pct": round(suspect.figures.atr_pct, 5),
        })  # A12
        self.activity(suspect, verdict, mode)
        return candidate_id

    def activity(self, suspect: Suspect, verdict: Verdict, mode: Mode) -> None:
        """One judgement into the activity log."""
        assert suspect.figures is not None and suspect.strategy is not None
        why = "; ".join(sentence(code) for code in verdict.codes if code is not Refusal.STANDS_ASIDE)
        text = ". ".join(part for part in (why, verdict.text) if part)
        log.info("%s %s %s: %s", suspect.symbol, suspect.strategy.value, verdict.kind, text)
        self.note(mode, Activity(
            market_ms=suspect.market_ms, event="judged", symbol=suspect.symbol, strategy=suspect.strategy.value,
            verdict=verdict.kind, codes=tuple(code.code for code in verdict.codes), probability=verdict.probability,
            confidence=verdict.confidence if verdict.kind != "waiting" else None, price=suspect.figures.price,
            text=text,
        ))

    def note(self, mode: Mode, record: Activity) -> None:
        """Any event into the activity log."""
        self._files[mode].activity.append(record)

    def propose(self, suspect: Suspect, verdict: Verdict, candidate_id: str, mode: Mode, size_factor: float) -> None:
        """Ask the tracker to buy (A6)."""
        assert suspect.figures is not None and suspect.strategy is not None
        proposal = Proposal(
            symbol=suspect.symbol, strategy=Strategy(suspect.strategy), confidence=verdict.confidence,
            probability=verdict.probability, price=suspect.figures.price, atr_pct=suspect.figures.atr_pct,
            market_ms=suspect.market_ms, mode=mode.value, candidate_id=candidate_id, size_factor=size_factor,
        )
        self._tracker.post("buy", msgspec.to_builtins(proposal), SENDER, candidate_id)

    def want_token_model(self, symbol: str, why: str) -> None:
        """Put a token into ``pending_training.json`` and ask the trainer for it at once (A5)."""
        self._learning.pending.update(lambda waiting: {**waiting, symbol: waiting.get(symbol, why)})
        self._trainer.post("token", {"symbol": symbol}, SENDER)

    def want_feedback_model(self) -> None:
        """Ask the trainer for the feedback model."""
        self._trainer.post("feedback", {}, SENDER)

    def rests(self, symbol: str, mode: Mode, now_ms: int) -> bool:
        """Whether the token rests after a sale (A18, X37); the history is read again only when it has grown."""
        book = self._books[mode]
        path = self._files[mode].trades.path
        size = path.stat().st_size if path.exists() else 0
        if size != self._book_sizes.get(mode):
            book.load()
            self._book_sizes[mode] = size
        return book.rest(symbol).until_ms > now_ms

    def held(self, mode: Mode) -> frozenset[str]:
        """Symbols with a position of this mode."""
        return frozenset(self._files[mode].tracked.load())
