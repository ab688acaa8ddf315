"""One evaluation: rows, the configurations that compete, the winner's walk, the hold-out opened once, the verdict."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from typing import Any

import numpy as np

from modules.backtest import evaluate_report as report
from modules.backtest.arrays import Ints
from modules.backtest.evaluate_judge import GROUPS, Config, Scores, bounds_of, configs, joined, judged
from modules.backtest.evaluate_rows import DEFINITIONS, NARROW, PRESETS, ROW, Market, Rows, bar_of
from modules.backtest.frames import DataError
from modules.learning import gate
from modules.learning.settings import LearningSettings
from modules.strategies.hype.exit_table import CONFIDENCES

# Figures looked at by hand on the first 80 % of the recorded files before these defaults were written down
# (docs/EVALUATION.md); their number deflates every figure.
TRIED_BEFORE = 512
LEAST_CANDIDATES = 300
SHUFFLES = 3
Say = Callable[[str], None]

__all__ = ["LEAST_CANDIDATES", "TRIED_BEFORE", "bar_of", "evaluate"]


@dataclass(frozen=True, slots=True)
class Judged:
    """The rows of all definitions as one, where each begins, their scores by each head, and without the own group."""

    rows: Rows
    parts: dict[str, slice]
    heads: dict[str, Scores]
    unseen: Scores
    hold_out_from: float


@dataclass(frozen=True, slots=True)
class Heads:
    """The winners among the configurations before the hold-out: by lift, and by the AUC of each label."""

    approving: Config
    best: dict[str, Config]
    competed: list[dict[str, Any]]


def evaluate(asked: Market, taught: Market | None, learning: LearningSettings, preset: str, least: float,
             say: Say) -> dict[str, Any]:
    """The whole evaluation of `asked`; `taught`: learnt on that market instead. Raises DataError for too few rows."""
    _check(asked, taught)
    home = taught or asked
    heads = _choose(home, learning, least, say)
    tried = TRIED_BEFORE + len(heads.competed)
    prior = None if taught is None else _walk(taught, taught, heads, learning, None, say).heads
    walked = _walk(asked, home, heads, learning, prior, say)
    made = {name: _definition(walked, name, least, tried) for name in DEFINITIONS
            if walked.parts[name].stop > walked.parts[name].start}
    top = made["scanner"]["presets"][preset]
    decision = gate.decide(_evidence(walked, preset, least, taught is not None))
    return {
        "title": _title(asked, taught), "preset": preset, **top["all"], "hold_out": top["hold_out"],
        "strategy": top["strategy"], "month": top["month"], "label": _label(learning),
        "headline": {name: report.headline(each["presets"][preset]) for name, each in made.items()},
        "leaks": _leaks(home, heads.approving, learning, least, say),
        "gate": {"speaks": decision.speaks, "reason": decision.reason}, "verdict": _verdict(decision, top["all"]),
        "definitions": made, "config": heads.approving.name,
        "heads": {label: config.name for label, config in heads.best.items()}, "configurations": heads.competed,
        "tried": tried, "min_confidence": least, "bar_ms": asked.bar_ms, "candles": asked.candles,
        "symbols": list(asked.symbols), "notes": _notes(asked, taught, tried, heads.approving),
    }


def _check(asked: Market, taught: Market | None) -> None:
    for market, what in ((asked, "--candles"), (taught, "--train")):
        if market is None:
            continue
        count = len(market.by["reference"])
        if market is not asked or taught is None:
            if count < LEAST_CANDIDATES or len(market.by["scanner"]) == 0:
                raise DataError(f"too few candidates to learn from in {what}: {count} by the reference definition, "
                                f"{len(market.by['scanner'])} by the scanner's rules; at least {LEAST_CANDIDATES} "
                                "and 1 are needed. Give more tokens or a longer time.")
        elif len(market.by["scanner"]) == 0:
            raise DataError(f"no candidate by the scanner's rules in {what}: nothing can be judged")


def _choose(home: Market, learning: LearningSettings, least: float, say: Say) -> Heads:
    """The winners on the reference candidates before the hold-out; every configuration with its figures."""
    rows = home.by["reference"]
    bounds = bounds_of(rows.time)
    net = report.net_of(rows, PRESETS[0])
    truth = {"seed": rows.seed, "within": rows.within,
             "net": np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64))}
    every, found = configs(), []
    for number, config in enumerate(every, 1):
        say(f"configuration {number} of {len(every)}: {config.name}")
        scores = judged(rows, _teachers(home, config), config, bounds[:-1], learning)
        confidence = scores.confidence()
        kept = np.isfinite(confidence)
        seen = gate.evidence(net[kept], confidence[kept] >= least, rows.time[kept], tried=TRIED_BEFORE + len(every))
        aucs = {f"auc_{label}": report.auc_of(scores.score[kept], true[kept]) for label, true in truth.items()}
        found.append({"name": config.name, "target": config.target, "approved": seen.approved, "judged": seen.judged,
                      "lift": report.triple(seen.lift), "deflated_low": report.clean(seen.least), **aucs})
    best: dict[str, Config] = {}
    for label, targets in (("seed", ("seed",)), ("within", ("within",)), ("net", ("net", "narrow", "won"))):
        own = [place for place, config in enumerate(every) if config.target in targets]
        best[label] = every[own[_first([found[place] for place in own], itemgetter(f"auc_{label}"))]]
    return Heads(every[_first(found, lambda each: each["lift"][1] if each["approved"] else None)], best, found)


def _leaks(home: Market, config: Config, learning: LearningSettings, least: float, say: Say) -> dict[str, Any]:
    """The winner taught with outcomes dealt out at random, SHUFFLES times: its AUC lies about 0.5, and what lifts it
    shows is how much a worthless model shows. Anything else would tell of a leak."""
    rows, teach = home.by["reference"], _teachers(home, config)
    net, rng = report.net_of(rows, PRESETS[0]), np.random.default_rng(learning.seed)
    won = np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64))
    aucs, lifts = [], []
    for number in range(SHUFFLES):
        say(f"outcomes dealt at random, {number + 1} of {SHUFFLES}")
        dealt = rng.permutation(len(teach))
        mixed = replace(teach, seed=teach.seed[dealt], within=teach.within[dealt], net=teach.net[dealt])
        scores = judged(rows, mixed, config, bounds_of(rows.time)[:-1], learning)
        confidence = scores.confidence()
        kept = np.isfinite(confidence)
        found = gate.evidence(net[kept], confidence[kept] >= least, rows.time[kept])
        aucs.append(report.auc_of(scores.score[kept], won[kept]))
        lifts.append(report.triple(found.lift)[0])
    return {"outcomes_dealt_at_random": {"auc_net": aucs, "lift": lifts}}


def _label(learning: LearningSettings) -> str:
    """What `auc` and `base_rate` are of."""
    when = "at any time within" if learning.label_any_time else "at"
    return f"+{learning.label_growth_pct:g} % {when} {learning.label_after_h:g} h"


def _first(found: list[dict[str, Any]], figure: Callable[[dict[str, Any]], float | None]) -> int:
    """Place of the largest figure, the first of equals; 0 where there is none."""
    known = [(place, value) for place, each in enumerate(found) if (value := figure(each)) is not None]
    return max(known, key=lambda pair: (pair[1], -pair[0]))[0] if known else 0


def _teachers(home: Market, config: Config) -> Rows:
    return _stacked([home.by[name] for name in config.teachers])


def _walk(asked: Market, home: Market, heads: Heads, learning: LearningSettings,
          prior: dict[str, Scores] | None, say: Say) -> Judged:
    """Both definitions judged by every head by time, and by the approving one without the token's own group."""
    rows = _stacked([asked.by[name] for name in DEFINITIONS])
    sizes = np.cumsum([0, *(len(asked.by[name]) for name in DEFINITIONS)]).tolist()
    parts = {name: slice(sizes[place], sizes[place + 1]) for place, name in enumerate(DEFINITIONS)}
    bounds = bounds_of(asked.by["reference"].time if len(asked.by["reference"]) else rows.time)
    if home is not asked:
        bounds = [float(rows.time.min()), *bounds]
    apart = None
    if home is not asked and set(home.symbols) & set(asked.symbols):  # a token never teaches its own judgement
        apart = (_groups(asked)[rows.token], _groups(home))
    made: dict[str, Scores] = {}
    done: dict[str, Scores] = {}
    for label, config in {"": heads.approving, **heads.best}.items():
        if config.name not in done:
            say(f"judging {len(rows):,} candidates of {len(asked.symbols)} tokens with “{config.name}”")
            teach = _teachers(home, config)
            groups = None if apart is None else (apart[0], apart[1][teach.token])
            walked = judged(rows, teach, config, bounds[:-1], learning, apart=groups)
            late = judged(rows, teach, config, bounds[-2:], learning, apart=groups,  # opened once
                          first=len(bounds) - 2)
            done[config.name] = joined([walked, late])
        made[label] = replace(done[config.name], prior=None if prior is None else prior[label])
    if home is not asked:
        return Judged(rows, parts, made, made[""], bounds[-2])
    say("tokens never seen …")
    teach = _teachers(home, heads.approving)
    groups = (_groups(asked)[rows.token], _groups(asked)[teach.token])
    unseen = judged(rows, teach, heads.approving, bounds, learning, apart=groups)
    return Judged(rows, parts, made, unseen, bounds[-2])


def _groups(market: Market) -> Ints:
    """The group of each token, by its name: the same in every market."""
    return np.array([hashlib.sha256(symbol.encode()).digest()[0] % GROUPS for symbol in market.symbols], np.int64)


def _stacked(parts: list[Rows]) -> Rows:
    return Rows(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Rows)))


def _definition(walked: Judged, name: str, least: float, tried: int) -> dict[str, Any]:
    """All views of one definition, for both presets."""
    part = walked.parts[name]
    rows = walked.rows.only(part)
    heads = {label: each.only(part, each.prior) for label, each in walked.heads.items()}
    unseen = walked.unseen.only(part, walked.unseen.prior)
    late, every = rows.time >= walked.hold_out_from, np.ones(len(rows), np.bool_)
    confidence, apart = heads[""].confidence(), unseen.confidence()
    made: dict[str, Any] = {}
    for preset in PRESETS:
        view = report.View(rows, heads[""], heads, preset, least, tried, confidence)
        alone = replace(view, scores=unseen, confidence=apart)
        made[preset] = {
            "all": report.block(view, every), "walk_forward": report.block(view, ~late),
            "hold_out": report.block(view, late), "unseen_tokens": report.block(alone, every),
            "unseen_tokens_hold_out": report.block(alone, late), "strategy": report.per_strategy(view),
            "month": report.per_month(view),
        }
    known: Ints = np.flatnonzero(np.isfinite(confidence))
    return {"presets": made, "without_filter": report.presets(rows, known),
            "reliability": {label or "approving": report.reliability(each) for label, each in heads.items()}}


def _evidence(walked: Judged, preset: str, least: float, other: bool) -> gate.Evidence:
    """What the gate decides by: the scanner's candidates on which nothing was chosen, so it is not deflated."""
    part = walked.parts["scanner"]
    scores = walked.heads[""]
    rows, confidence = walked.rows.only(part), scores.only(part, scores.prior).confidence()
    kept = np.isfinite(confidence) & (other | (rows.time >= walked.hold_out_from))
    return gate.evidence(report.net_of(rows, preset)[kept], confidence[kept] >= least, rows.time[kept])


def _verdict(decision: gate.Decision, top: dict[str, Any]) -> str:
    said = "The filter may speak: " if decision.speaks else "The filter stands aside: "
    mean = top["exits"][CONFIDENCES[NARROW]]["all"][0]
    loses = f" Without a filter hype trading {'loses' if mean < 0 else 'earns'} {mean:+.2f} % a trade here." \
        if mean is not None else ""
    return said + decision.reason + loses


def _title(asked: Market, taught: Market | None) -> str:
    where = f"{len(asked.symbols)} tokens, {asked.candles:,} candles"
    return f"Evaluation of {where}" + (f", learnt on {len(taught.symbols)} other tokens" if taught else "")


def _notes(asked: Market, taught: Market | None, tried: int, winner: Config) -> list[str]:
    notes = [f"Decisions at the close of candles of {asked.bar_ms // 60_000} minutes, entry at the next open.",
             f"Winner on the first 80 %: “{winner.name}”. {tried} configurations were tried in all, by hand and here; "
             "`deflated_low` is the lift's lower bound after them.",
             f"Net results by the exits of the table's row {CONFIDENCES[ROW]}; `exits` has all rows. The reference "
             "candidates pay 0.1 % fee and 0.1 % slippage a fill, the scanner's what a backtest pays.",
             "The hold-out is the last 20 % of the time; nothing was chosen on it.",
             "Candles tell neither spread nor depth; a candle's low and high are taken in the worse order."]
    if asked.bar_ms > 300_000:
        notes.append("Candles longer than 5 minutes: candidates by the move of an hour only; exits inside a candle are "
                     "coarse, so the net result is pessimistic.")
    if taught is not None:
        notes.append("No token taught its own judgement, in whichever market it stood; neither did anything later.")
    return notes
