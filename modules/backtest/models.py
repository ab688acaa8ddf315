"""The feedback model in a backtest, fitted walk-forward: what judges a wish has never learnt from it or from later.

1. The time is cut into folds of `backtest.model_every_days`. The model of a fold learns from all moments whose label
   was known before it: time + label's horizon + embargo ≤ begin of the fold (purge and embargo).
2. It learns as live: from the strategy's own candidates (one a token each `rejudge_after_s`) and from past moments of
   hype beside them (datasets.py), calibrated on what it had not seen (fit.py); without proven edge it stands aside.
3. Before the first model there is none: it stands aside, every wish has the confidence of the table's row 0.80.
4. The verdict is the scanner's own (scanner_judge.judge). Tokens' own models are not fitted: they stand aside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modules.backtest import measure as m
from modules.backtest import progress
from modules.backtest.arrays import Floats, Ints
from modules.backtest.frames import Frame
from modules.backtest.settings import BacktestSettings
from modules.backtest.strategies import Groups
from modules.backtest.wishes import Wishes
from modules.learning import datasets, features, fit, labels
from modules.learning.fit import Rows
from modules.learning.modelfiles import Manifest
from modules.learning.predictor import Judgement, NoModel
from modules.learning.settings import LearningSettings
from modules.learning.trees import Trees, parse
from modules.strategies.hype.exit_table import STRATEGIES as KINDS
from modules.strategies.hype.records import Strategy
from modules.strategies.hype.scanner_judge import judge
from modules.strategies.hype.settings import HypeSettings

REFUSED = -1.0  # the confidence of a wish that the models refuse; the engine counts it as MODEL_NO
BTC = "BTCUSDT"
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
# What of features.CONTEXT candles tell; spread and depth they do not.
KNOWN = ("btc_1h_pct", "change_24h_pct")


@dataclass(frozen=True, slots=True)
class Fold:
    """What one model did. `aside`: why it did not judge, "" if it did. `learnt` from, `judged` and `approved`: wishes
    of the strategies that it may veto, and all moments it learnt from."""

    begin_ms: int
    learnt: int
    judged: int
    approved: int
    aside: str


@dataclass(frozen=True, slots=True)
class Model:
    """A fitted feedback model, or the reason why there is none that judges."""

    fitted: fit.Fitted | None
    trees: Trees | None
    aside: str

    def says(self, row: Floats) -> Judgement:
        """As predictor.Predictor says it."""
        if self.fitted is None or self.trees is None:
            return Judgement(0.0, 0.0, "feedback", None, self.aside)
        raw = self.trees.raw(row.tolist())
        scaler = self.fitted.scaler
        probability, confidence = scaler.probability(raw), scaler.confidence(raw)
        approves = None if self.aside else probability > scaler.threshold
        return Judgement(probability, confidence, "feedback", approves, self.aside or f"chance {probability:.1%}")


class Voices:
    """scanner_judge.Models for one wish: the fold's feedback model, and no token's own."""

    def __init__(self, voice: Judgement) -> None:
        self._voice = voice

    def feedback(self, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """The fold's model."""
        return self._voice

    def token(self, symbol: str, row: Sequence[float], context: Sequence[float] = ()) -> Judgement | NoModel:
        """Stands aside (rule 4)."""
        return Judgement(0.0, 0.0, symbol, None, "not fitted in a backtest")

    def card(self, name: str) -> Manifest | NoModel:
        """There are no files."""
        return NoModel("a model of a backtest has no card")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to learn from in ascending order of time, and the row of features of every wish."""

    rows: Rows
    wishes: Floats


def learning_of(groups: Groups) -> LearningSettings:
    """The learning's settings of a run."""
    found = groups["learning"]
    assert isinstance(found, LearningSettings)
    return found


def judged(wishes: Wishes, frames: Sequence[Frame], hype: HypeSettings, learning: LearningSettings,
           costs: BacktestSettings) -> tuple[Wishes, list[Fold]]:
    """The wishes with the models' confidence (REFUSED where they say no), and what each fold's model did.

    `frames` are the 5m candles that the wishes were made from. Needs LightGBM.
    """
    if not len(wishes):
        return wishes, []
    table = table_of(wishes, frames, hype, learning)
    horizon = int(learning.label_after_h * HOUR_MS)
    confidence = np.full(len(wishes), np.nan)
    folds = []
    every = round(costs.model_every_days * DAY_MS)
    begin = min(int(frame.time[0]) for frame in frames)
    last = int(wishes.known_ms.max())
    first = begin
    while begin <= last:
        progress.step(progress.SIGNALS + (progress.MODELS - progress.SIGNALS) * (begin - first) / (last - first + 1),
                      "models")
        mine = np.flatnonzero((wishes.known_ms >= begin) & (wishes.known_ms < begin + every))
        if len(mine):
            ended = table.rows.times + horizon + labels.LATE_MS + costs.model_embargo_h * HOUR_MS <= begin
            model = fitted(_only(table.rows, ended), horizon, learning)
            confidence[mine] = _verdicts(model, wishes, table.wishes, mine, frames, hype)
            vetoed = mine[np.isin(wishes.kind[mine], [KINDS.index(kind) for kind in hype.veto_strategies])]
            folds.append(Fold(begin, int(ended.sum()), len(vetoed), int((confidence[vetoed] >= 0).sum()), model.aside))
        begin += every
    return replace(wishes, confidence=confidence), folds


def fitted(rows: Rows, horizon: int, learning: LearningSettings) -> Model:
    """The model that these rows make, or why there is none (rules 2, 3)."""
    try:
        made = fit.fit(rows, horizon, learning)
    except fit.TooLittle as problem:
        return Model(None, None, str(problem))
    return Model(made, parse(made.text), made.scaler.aside)


def _verdicts(model: Model, wishes: Wishes, rows: Floats, mine: Ints, frames: Sequence[Frame],
              hype: HypeSettings) -> Floats:
    """The confidence of each wish of `mine`, REFUSED where the verdict is no (rule 4)."""
    found = np.empty(len(mine))
    for place, number in enumerate(mine.tolist()):
        symbol, kind = frames[wishes.token[number]].symbol, Strategy(KINDS[wishes.kind[number]])
        verdict = judge(Voices(model.says(rows[number])), symbol, kind, (), (), hype)
        found[place] = verdict.confidence if verdict.kind == "approved" else REFUSED
    return found


def table_of(wishes: Wishes, frames: Sequence[Frame], hype: HypeSettings, learning: LearningSettings) -> Table:
    """Features of all wishes, and all that may be learnt from, over all tokens."""
    rule = labels.Rule(int(learning.label_after_h * HOUR_MS), learning.label_growth_pct, learning.label_any_time)
    bars = datasets.Bars(hype.growth_5m_pct, hype.growth_1h_pct, hype.volume_surge)
    btc = next((candles_of(frame) for frame in frames if frame.symbol == BTC), np.empty((0, 6)))
    columns = len(features.FEATURES)
    asked = np.full((len(wishes), columns + len(KNOWN)), np.nan)
    parts: list[Floats] = []
    for token, frame in enumerate(frames):
        mine = np.flatnonzero(wishes.token == token)
        mine = mine[np.argsort(wishes.row[mine], kind="stable")]
        candles = candles_of(frame)
        rows = wishes.row[mine]
        if len(mine):
            asked[mine, :columns] = features.compute(candles)[rows]
            asked[mine, columns] = _btc_hour(btc, wishes.known_ms[mine])
            asked[mine, columns + 1] = m.growth_over(frame, DAY_MS)[rows]
        first = mine[_apart(wishes.known_ms[mine], round(hype.rejudge_after_s * 1000))]
        label = labels.label_rows(candles, rule)[wishes.row[first]]
        known = np.isfinite(label)
        parts.append(np.column_stack((asked[first], label, wishes.known_ms[first]))[known])
        past = datasets.past_rows(candles, btc, rule, bars, wishes.known_ms[first].tolist())
        parts.append(past[:, _past_columns()])
    every = np.concatenate(parts)
    every = every[np.argsort(every[:, -1], kind="stable")]
    rows_of = Rows(np.ascontiguousarray(every[:, :-2]), every[:, -2], every[:, -1], np.ones(len(every), np.bool_))
    return Table(rows_of, asked)


def candles_of(frame: Frame) -> Floats:
    """A frame as the learning wants it: (n, 6) open time in ms, open, high, low, close, volume."""
    return np.column_stack((frame.time, frame.open, frame.high, frame.low, frame.close, frame.volume))


def _past_columns() -> list[int]:
    """Columns of datasets.past_rows: features, the context that candles tell, label, time."""
    count = len(features.FEATURES)
    known = [count + features.CONTEXT.index(name) for name in KNOWN]
    width = count + len(features.CONTEXT)
    return [*range(count), *known, width, width + 1]


def _apart(known_ms: Ints, least_ms: int) -> list[int]:
    """Places of ascending times that lie at least so far apart: a token is judged once in that time."""
    kept: list[int] = []
    last = -least_ms
    for place, ms in enumerate(known_ms.tolist()):
        if not kept or ms - last >= least_ms:
            kept.append(place)
            last = ms
    return kept


def _btc_hour(btc: Floats, known_ms: Ints) -> Floats:
    """BTC's change over the hour before each time, percent, from candles closed by then; NaN if unknown."""
    found = np.full(len(known_ms), np.nan)
    if len(btc) < 2:
        return found
    closes = btc[:, 0] + m.INTERVAL_MS
    now = np.searchsorted(closes, known_ms, side="right") - 1
    before = np.searchsorted(closes, known_ms - HOUR_MS, side="right") - 1
    fresh = (before >= 0) & (known_ms - closes[np.maximum(now, 0)] < 2 * m.INTERVAL_MS)
    found[fresh] = (btc[now[fresh], 4] / btc[before[fresh], 4] - 1.0) * 100.0
    return found


def _only(rows: Rows, keep: npt.NDArray[np.bool_]) -> Rows:
    return Rows(rows.features[keep], rows.labels[keep], rows.times[keep], rows.judged[keep])
