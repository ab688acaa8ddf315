"""One scan after another: the whole market by one tickers call, a close look at the strongest, the models' verdict.

1. Tickers → board → screen (`rules.screen`): arrays over all symbols, no requests.
2. The strongest suspects get a close look (candles, book), at most `max_probes` a scan.
3. The strongest of those with a strategy are judged, at most `max_candidates`; a missing model is asked for and its
   candidate waits, the scan goes on (A5).
4. Approved: written down, proposed to the tracker. The scanner never orders.

At a cold start nothing is known of the last hour. Scanning begins at once on growth over 24 h, while a task beside
it fetches one hour of 1m candles of the `warmup_symbols` that moved most (seconds of real time, whatever the
market's speed), so growth over 5 m and 1 h is known within the first scans.
"""

import asyncio
import logging
import time
from collections.abc import Callable

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Mode, Unavailable
from modules.execution.risk import standing
from modules.learning import features
from modules.learning.predictor import NoModel
from modules.strategies.hype import rules
from modules.strategies.hype.board import MarketBoard
from modules.strategies.hype.files import HypeFiles, mode_file
from modules.strategies.hype.mood import EFFECTS, Mood, next_mood
from modules.strategies.hype.reasons import Refusal
from modules.strategies.hype.records import Activity
from modules.strategies.hype.scanner_judge import Models, Verdict, judge
from modules.strategies.hype.scanner_probe import AT_ONCE, Hint, Prober, Suspect
from modules.strategies.hype.scanner_records import ScannerRecords
from modules.strategies.hype.scanner_view import ScanView
from modules.strategies.hype.scanner_waiting import FEEDBACK, WaitingRoom
from modules.strategies.hype.settings import HypeSettings
from utils.paths import Paths

log = logging.getLogger(__name__)
BTC = "BTCUSDT"
LOOK_AGAIN_MS = 120_000  # a suspect that failed its close look
WARMUP_MINUTES = 66


class Scanner:
    """The state of the scanner between scans. One instance runs in one task."""

    def __init__(self, market: MarketData, models: Models, settings: HypeSettings, paths: Paths,
                 monotonic: Callable[[], float] = time.monotonic) -> None:
        self.view = ScanView(paths)
        self.waiting = WaitingRoom()
        self._market = market
        self._models = models
        self._monotonic = monotonic
        self._settings = settings
        self._records = ScannerRecords(paths, settings)
        self._mode_file = mode_file(paths)
        self._files = {mode: HypeFiles(paths, mode) for mode in Mode}
        self._prober = Prober(market)
        self._board = MarketBoard()
        self._mood = Mood.NORMAL
        self._again: dict[str, int] = {}
        self._btc = (float("nan"), float("nan"))
        self._btc_known = False

    # -- one scan ----------------------------------------------------------------------------------------

    async def set_markets(self, refresh: bool) -> None:
        """Read which symbols trade, and which are open to API orders (A11). Raises Unavailable."""
        self._board.set_markets(await self._market.markets(refresh))

    async def scan(self) -> None:
        """One scan from tickers to proposals. Raises Unavailable when the tickers cannot be had."""
        tickers = await self._market.tickers()
        now = self._market.clock.now_ms()
        started = time.perf_counter()
        board = self._board.push(tickers, now)
        self._read_mood(board, now)
        at = rules.bars(self._settings, self._mood)
        codes = rules.screen(board, at)
        self.view.begin(self._board.symbols, board, codes, at, self._monotonic())
        self.find_models()
        hints = self._pick(board, codes, rules.strength(board, at), now)
        self._tell(now, (time.perf_counter() - started) * 1000.0)
        await self._look_and_judge(hints, at, now)
        self.view.facts.waiting = self.waiting.needs()

    def _pick(self, board: rules.Board, codes: rules.Codes, strengths: rules.Floats, now: int) -> list[Hint]:
        """The suspects worth a close look, strongest first."""
        held = self._records.held(self._mode_file.load().mode)
        found: list[int] = []
        suspects = np.flatnonzero(codes == 0)
        for at in suspects[np.argsort(-strengths[suspects], kind="stable")]:
            symbol = self._board.symbols[at]
            if symbol in held:
                self.view.count(Refusal.HELD.code)
            elif self.waiting.waits(symbol):
                self.view.count("waiting_for_model")
            elif self._again.get(symbol, 0) > now:
                self.view.count(Refusal.COOL_DOWN.code)
            elif len(found) >= self._settings.max_probes:
                self.view.count(Refusal.NOT_AMONG_STRONGEST.code)
            else:
                found.append(int(at))
        ready = [self._board.column(symbol) for symbol in self.waiting.take_ready()]
        picked = [*(at for at in ready if at is not None), *found]
        return [self._hint(board, at) for at in picked]

    def _hint(self, board: rules.Board, at: int) -> Hint:
        return Hint(self._board.symbols[at], float(board.price[at]), float(board.quote_volume[at]),
                    float(board.growth_5m[at]), float(board.growth_1h[at]), float(board.growth_24h[at]))

    async def _look_and_judge(self, hints: list[Hint], at: rules.Bars, now: int) -> None:
        suspects = await asyncio.gather(*(self._prober.look(hint, at) for hint in hints))
        judged = 0
        for suspect in suspects:
            self.view.count("looked_at")
            if suspect.strategy is None:
                self._refuse(suspect, now)
            elif judged >= self._settings.max_candidates:
                self.view.count(Refusal.NOT_AMONG_STRONGEST.code)
            else:
                judged += 1
                self.view.count("candidates")
                self._judge(suspect)
        self._again = {symbol: until for symbol, until in self._again.items() if until > now}

    def _refuse(self, suspect: Suspect, now: int) -> None:
        """A suspect that is no candidate: looked at again soon, nothing written to disk."""
        for reason in suspect.refusals:
            self.view.count(reason.code)
        self.view.looked(suspect)
        self.waiting.leave(suspect.symbol)
        self._again[suspect.symbol] = now + min(LOOK_AGAIN_MS, int(self._settings.rejudge_after_s * 1000))

    # -- the verdict -------------------------------------------------------------------------------------

    def _judge(self, suspect: Suspect) -> None:
        """Ask the models about one candidate and act on what they say."""
        assert suspect.figures is not None and suspect.strategy is not None
        mode = self._mode_file.load().mode
        closed = features.closed(suspect.candles, suspect.market_ms)
        row = features.compute(closed)[-1].tolist()
        context = features.context_row({
            **self._board.beside(suspect.symbol, self._settings.min_quote_volume),
            "btc_1h_pct": self._btc[0], "change_24h_pct": suspect.figures.growth_24h,
            "spread_pct": suspect.figures.spread_pct, "depth_usdt": suspect.both_depths,
        })
        verdict = judge(self._models, suspect.symbol, suspect.strategy, row, context, self._settings)
        self._ask_for_models(suspect.symbol, verdict)
        if verdict.kind == "waiting":
            if not self.waiting.waits(suspect.symbol):
                self._records.activity(suspect, verdict, mode)
            self.waiting.enter(suspect.symbol, verdict.need, suspect.market_ms)
            self._conclude(suspect, verdict)
            return
        self.waiting.leave(suspect.symbol)
        verdict = self._against_entries(suspect, verdict, mode)
        candidate_id = self._records.judged(suspect, verdict, row, context, mode)
        if verdict.kind == "approved":
            self._records.propose(suspect, verdict, candidate_id, mode, EFFECTS[self._mood].size)
        self._again[suspect.symbol] = suspect.market_ms + int(self._settings.rejudge_after_s * 1000)
        self._conclude(suspect, verdict)

    def _conclude(self, suspect: Suspect, verdict: Verdict) -> None:
        self.view.count(verdict.kind)
        for code in verdict.codes:
            self.view.count(code.code)
        self.view.looked(suspect, verdict)

    def _against_entries(self, suspect: Suspect, verdict: Verdict, mode: Mode) -> Verdict:
        """What the models approved, but the market's mood, a person or a rest forbids to buy now (A10, A18)."""
        if verdict.kind != "approved":
            return verdict
        if self._mood is Mood.PAUSE:
            against = Refusal.MOOD_PAUSE
        elif standing(self._files[mode].read_risk(), suspect.market_ms):
            against = Refusal.ENTRIES_PAUSED
        elif self._records.rests(suspect.symbol, mode, suspect.market_ms):
            against = Refusal.RESTING
        else:
            return verdict
        return Verdict("rejected", (against, *verdict.codes), verdict.confidence, verdict.probability, "", verdict.text)

    def _ask_for_models(self, symbol: str, verdict: Verdict) -> None:
        """Have the trainer make what is missing, at most once in a while for each model (A5)."""
        if verdict.need == "feedback" and self.waiting.should_ask(FEEDBACK, self._monotonic()):
            self._records.want_feedback_model()
        elif verdict.need == "token" and self.waiting.should_ask(symbol, self._monotonic()):
            self._records.want_token_model(symbol, f"{verdict.kind} without a model of its own")

    def model_ready(self, model: str) -> None:
        """The trainer is done with a model, or has found that none can be made (message ``model_ready``)."""
        self.waiting.model_came(model)

    def note_model(self, model: str, text: str) -> None:
        """What became of a model, into the activity log."""
        symbol = "" if model == FEEDBACK else model
        self._records.note(self._mode_file.load().mode, Activity(
            market_ms=self._market.clock.now_ms(), event="model", symbol=symbol, text=text))

    def find_models(self) -> None:
        """See for ourselves which awaited models are there: a message may have been lost with a crash."""
        for model in self.waiting.models():
            card = self._models.card(model)
            if not (isinstance(card, NoModel) and card.wanted):
                self.waiting.model_came(model)
        feedback = self._models.card(FEEDBACK)
        self.view.facts.feedback_ready = not isinstance(feedback, NoModel)
        self.view.facts.feedback_model = feedback.reason if isinstance(feedback, NoModel) else feedback.aside

    # -- mood, warm-up, facts ----------------------------------------------------------------------------

    def _read_mood(self, board: rules.Board, now: int) -> None:
        at = self._board.column(BTC)
        self._btc = (float("nan"),) * 2 if at is None else (float(board.growth_1h[at]), float(board.growth_24h[at]))
        if not self._btc_known and np.isnan(self._btc[0]):
            self._mood = Mood.CAREFUL  # not known yet; no mood to come back from
            return
        before = self._mood if self._btc_known else Mood.NORMAL
        self._mood, self._btc_known = next_mood(before, *self._btc, self._settings), True
        if before is not self._mood:
            text = f"BTC {self._btc[0]:+.2f} % in 1 h: mood {before} → {self._mood}"
            log.info("%s", text)
            self._records.note(self._mode_file.load().mode, Activity(market_ms=now, event="mood", text=text))

    def needs_warmup(self) -> bool:
        """Whether the last hour is unknown: at the start, and after an outage."""
        return bool(self._board.symbols) and not self._board.knows_hour(BTC, self._market.clock.now_ms())

    async def warm_up(self) -> None:
        """Fetch the last hour of those that moved most over 24 h; BTC first. Runs beside the scans."""
        tickers = await self._market.tickers()
        now = self._market.clock.now_ms()
        board = self._board.push(tickers, now)
        codes = rules.screen(board, rules.bars(self._settings, Mood.NORMAL))
        open_to_us = np.flatnonzero((codes == Refusal.NONE) | (codes == Refusal.GROWTH_LOW))
        moved = np.nan_to_num(np.abs(board.growth_24h[open_to_us]))
        order = open_to_us[np.argsort(-moved, kind="stable")][: self._settings.warmup_symbols]
        strongest = [name for at in order if (name := self._board.symbols[at]) != BTC]
        names = [name for name in (BTC, *strongest) if self._board.column(name) is not None]
        gate = asyncio.Semaphore(AT_ONCE)
        self.view.facts.warming = True
        self.view.facts.warmed = 0
        try:
            await asyncio.gather(*(self._warm_one(name, gate) for name in names))
        finally:
            self.view.facts.warming = False
            self.view.renew_board()

    async def _warm_one(self, symbol: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                candles = await self._market.candles(symbol, "1m", WARMUP_MINUTES)
            except Unavailable as problem:
                log.info("no last hour for %s: %s", symbol, problem)
                return
        now = self._market.clock.now_ms()
        self._board.backfill(symbol, candles[candles[:, 0] + 60_000 <= now])
        self.view.facts.warmed += 1

    def _tell(self, now: int, scan_ms: float) -> None:
        facts = self.view.facts
        facts.scans += 1
        facts.market_ms, facts.scan_ms = now, round(scan_ms, 2)
        facts.started_ms = facts.started_ms or now
        facts.scan_interval_s = self._settings.scan_interval_s
        facts.mode, facts.mood = self._mode_file.load().mode.value, self._mood.value
        facts.btc_1h_pct, facts.btc_24h_pct = (None if np.isnan(x) else round(x, 3) for x in self._btc)
        for symbol in self.waiting.expire(now):
            log.info("%s waited too long for a model", symbol)
            self.view.count(Refusal.MODEL_NEVER_CAME.code)
