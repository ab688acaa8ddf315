"""What the trainer does: fetches candles, has a worker train, notes what came of it. No schedule and no inbox here."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Unavailable
from modules.learning import events, jobs, modelfiles
from modules.learning.datasets import Bars, LabelledRow, past_rows, with_market
from modules.learning.features import STEP_MS, Floats
from modules.learning.jobs import FeedbackJob, Recipe, Result, TokenJob
from modules.learning.market import Panel
from modules.learning.modelfiles import FEEDBACK, Manifest
from modules.learning.settings import LearningSettings
from modules.learning.workers import WorkerFailed
from modules.storage.csv_table import Row
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.files import LearningFiles
from modules.strategies.hype.net_results import net_results
from modules.strategies.hype.settings import HypeSettings
from modules.strategies.hype.trainer_candles import history, sample, tradable

log = logging.getLogger(__name__)

BTC = "BTCUSDT"
FETCHES = 4  # requests at once; the gateway's limiter holds the rate
NEWEST_LABELLED = 20_000  # rows of the labelled candidates that the feedback model learns from
ENOUGH_LABELLED = 3000  # with so many real candidates the past moments are left out

Train = Callable[[jobs.Job], Awaitable[Result]]
Progress = Callable[[str, int, int], None]  # what, done, of


def bars_of(hype: HypeSettings) -> Bars:
    """What counts as hype, for the learning."""
    return Bars(hype.growth_5m_pct, hype.growth_1h_pct, hype.volume_surge)


class TrainerJobs:
    """The trainings, over one market and one way to train (a worker pool, joblib, or in this process)."""

    def __init__(self, market: MarketData, files: LearningFiles, learning: LearningSettings, hype: HypeSettings,
                 train: Train) -> None:
        self.market = market
        self.files = files
        self.learning = learning
        self.hype = hype
        self._train = train
        self.recipe: Recipe = jobs.recipe(files.paths.models, learning, bars_of(hype))

    async def token_job(self, symbol: str) -> TokenJob:
        """A token's training with its candles, ready to be done. Raises Unavailable; ValueError for a bad name."""
        modelfiles.check_name(symbol)
        now = self.market.clock.now_ms()
        # the label looks ahead, so the newest rows have none: they come on top
        count = self.learning.candles + int(self.learning.label_after_h * 12) + 1
        candles = await history(self.market, symbol, count, now, self.files.paths.market_data)
        net = await asyncio.to_thread(self._net_of_moving, candles)
        return TokenJob(self.recipe, symbol, jobs.pack(candles), now, jobs.pack(net), self.held(symbol))

    def held(self, name: str) -> str:
        """Why a new model of this name may not speak yet: one before it broke its promise. "" if it may."""
        record = self.files.watch.load().get(name)
        return record.retired if record is not None else ""

    def _net(self, candles: Floats, rows: Sequence[int]) -> Floats:
        """What the tracker's exits would have earned after these rows, percent."""
        return net_results(candles, rows, rules_of(self.hype), self.learning.cost_side_pct)

    def _net_of_moving(self, candles: Floats) -> Floats:
        """The net result after each candle in motion; NaN after the others, which no model will be asked about."""
        found = np.full(len(candles), np.nan)
        if len(candles):
            moving = events.moving(candles, self.recipe.bars.growth_5m_pct, self.recipe.bars.growth_1h_pct)
            rows = np.flatnonzero(moving)
            found[rows] = self._net(candles, rows.tolist())
        return found

    async def token(self, symbol: str) -> Result:
        """Train a token's own model. Raises Unavailable, WorkerFailed."""
        result = await self._train(await self.token_job(symbol))
        self.note(result)
        return result

    async def tokens(self, symbols: list[str], progress: Progress,
                     done: Callable[[str], None] | None = None) -> list[Result]:
        """Train many, a few at once; a token that fails does not stop the others. `done` hears of each that ended.

        Raises WorkerFailed where the training of every one failed.
        """
        turns = asyncio.Semaphore(max(2, self.learning.jobs))
        results: list[Result] = []
        failures: list[WorkerFailed] = []

        async def one(symbol: str) -> None:
            async with turns:
                try:
                    results.append(await self.token(symbol))
                    if done is not None:
                        done(symbol)
                except (Unavailable, ValueError) as problem:
                    results.append(Result(symbol, False, str(problem)))
                except WorkerFailed as problem:
                    log.error("the training of %s failed: %s", symbol, problem)
                    failures.append(problem)
                    results.append(Result(symbol, False, str(problem).strip().splitlines()[-1]))
                progress("tokens", len(results), len(symbols))

        async with asyncio.TaskGroup() as group:
            for symbol in symbols:
                group.create_task(one(symbol))
        if failures and len(failures) == len(symbols):
            raise failures[-1]  # not the tokens: the trainer cannot train
        return results

    async def feedback(self, progress: Progress, depth: int, attempts: int = 1) -> Result:
        """Train the global model: labelled candidates, and past moments of hype until there are enough of those.

        `depth`: candles of each token in which moments are looked for; `attempts`: as of FeedbackJob.
        """
        labelled = await asyncio.to_thread(self.labelled)
        now = self.market.clock.now_ms()
        past: list[Floats] = []
        if len(labelled) < ENOUGH_LABELLED:
            past = await self._past(now, depth, labelled, progress)
        progress("feedback: training", 0, 1)
        packed = jobs.pack(np.concatenate(past)) if past else b""
        result = await self._train(FeedbackJob(self.recipe, packed, labelled, now, self.held(FEEDBACK), attempts))
        progress("feedback: training", 1, 1)
        return result

    def first_depth(self, card: Manifest | None) -> int:
        """Candles to begin with: as many as the standing model was learnt from, or `bootstrap_candles`."""
        depth = self.learning.bootstrap_candles
        if card is not None and card.origin != "labelled":
            while depth * STEP_MS * 1.25 < card.trained_ms - card.from_ms:
                further = self.deeper(depth)
                if not further:
                    break
                depth = further
        return depth

    def deeper(self, depth: int) -> int:
        """The next depth to try for a model that has shown no edge; 0 where there is none."""
        most = self.learning.bootstrap_most_candles
        return min(depth * 2, most) if depth < most else 0

    def labelled(self) -> list[LabelledRow]:
        """The newest labelled candidates, refused ones and trades alike (A9), with what they earned where known.

        The features are those of the decision, as they were stored then; nothing is computed anew.
        """
        rows = self.files.labeled.read()[-NEWEST_LABELLED:]
        earned = {row["id"]: float(row["net_pct"]) for row in self.files.results.read() if _finite(row["net_pct"])}
        return [LabelledRow(row["symbol"], int(row["market_ms"]), row["features"], int(row["label"]),
                            earned.get(row["id"], math.nan)) for row in rows if _usable(row)]

    async def _past(self, now_ms: int, depth: int, labelled: list[LabelledRow], progress: Progress) -> list[Floats]:
        """Past moments of hype of a sample of the venue's tokens; candles go as soon as their rows are made."""
        folder = self.files.paths.market_data
        symbols = sample(await tradable(self.market, self.hype.min_quote_volume), self.learning.bootstrap_symbols)
        symbols = [symbol for symbol in symbols if symbol != BTC]
        btc = await self._of_btc(depth, now_ms)
        taken: dict[str, list[int]] = {}
        for row in labelled:
            taken.setdefault(row.symbol, []).append(row.market_ms)
        turns = asyncio.Semaphore(FETCHES)
        found: dict[str, Floats] = {}
        panel = Panel(STEP_MS)
        if len(btc):
            panel.add(BTC, btc[:, 0], btc[:, 4], btc[:, 5])
        tried = 0

        async def one(symbol: str) -> None:
            nonlocal tried
            async with turns:
                try:
                    candles = await history(self.market, symbol, depth, now_ms, folder)
                    found[symbol] = await asyncio.to_thread(past_rows, candles, btc, self.recipe.rule, self.recipe.bars,
                                                            taken.get(symbol, []), self._net)
                    panel.add(symbol, candles[:, 0], candles[:, 4], candles[:, 5])
                except (Unavailable, ValueError) as problem:
                    log.warning("the past of %s is left out: %s", symbol, problem)
                tried += 1
                progress("feedback: candles", tried, len(symbols))

        async with asyncio.TaskGroup() as group:
            for symbol in symbols:
                group.create_task(one(symbol))
        if symbols and not found:
            raise Unavailable("the exchange gave candles of no token")
        return [await asyncio.to_thread(with_market, found[symbol], panel, symbol) for symbol in sorted(found)]

    async def _of_btc(self, depth: int, now_ms: int) -> Floats:
        """BTC's candles; none where the venue does not give them (the rows then do not know BTC's move)."""
        try:
            return await history(self.market, BTC, depth, now_ms, self.files.paths.market_data)
        except Unavailable as problem:
            log.warning("the past of %s is left out: %s", BTC, problem)
            return np.empty((0, 6))

    def note(self, result: Result) -> None:
        """Keep ``pending_training.json`` in step with what came of a token's training."""
        def change(waiting: dict[str, str]) -> dict[str, str]:
            rest = {symbol: why for symbol, why in waiting.items() if symbol != result.name}
            return rest if result.made else {**rest, result.name: f"no model yet: {result.text}"}

        self.files.pending.update(change)


def _finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _usable(row: Row) -> bool:
    return row["label"] in ("0", "1") and row["market_ms"].isdigit()
