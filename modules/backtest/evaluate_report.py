"""An evaluation as one object for programs, and as a page for people. Every figure is out of sample.

1. `auc`, `base_rate`, `precision` and `brier` are of the seed's label, `auc` and `brier` by the model that learnt that
   label; `auc_within` of the label "at any time within", `auc_net` of a net result above 0, each by its own model.
   The model that approves is the one whose lift of the net result has the highest lower bound.
2. `approved` are those whose confidence is at least the bot's `min_confidence`.
3. Intervals (95 %) resample days.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.backtest.arrays import Floats, Ints
from modules.backtest.evaluate_judge import Scores
from modules.backtest.evaluate_rows import NARROW, PRESETS, ROW, Rows
from modules.learning import gate, validation
from modules.learning.validation import Interval
from modules.strategies.hype.exit_table import CONFIDENCES, STRATEGIES

BINS = 10


@dataclass(frozen=True, slots=True)
class View:
    """What all tables of one definition share: rows, the scores that approve, and the best scores for each label."""

    rows: Rows
    scores: Scores
    heads: dict[str, Scores]
    preset: str
    least: float
    tried: int
    confidence: Floats

    def kept(self, keep: Any) -> Ints:
        """Rows of `keep` that were judged with a confidence."""
        found: Ints = np.flatnonzero(np.asarray(keep) & np.isfinite(self.confidence))
        return found


def block(view: View, keep: Any) -> dict[str, Any]:
    """All figures of the rows in `keep` (bool, n)."""
    kept, rows = view.kept(keep), view.rows
    net = net_of(rows, view.preset)[kept]
    approved = view.confidence[kept] >= view.least
    found = gate.evidence(net, approved, rows.time[kept], tried=view.tried)
    seed, won = rows.seed[kept], np.where(np.isnan(net), np.nan, (net > 0).astype(np.float64))
    own = net_of(rows, view.preset, view.confidence)[kept]
    return {
        "candidates": len(kept), "approved": int(approved.sum()), "days": found.days,
        "base_rate": _mean(seed), "precision": _mean(seed[approved]), "auc": _auc(view, "seed", kept, seed),
        "auc_within": _auc(view, "within", kept, rows.within[kept]), "base_rate_within": _mean(rows.within[kept]),
        "net_base_rate": _mean(won), "net_precision": _mean(won[approved]), "auc_net": _auc(view, "net", kept, won),
        "auc_net_of_approving": _auc(view, "", kept, won), "brier": _brier(view, kept),
        "net_per_trade": {"all": triple(found.all), "approved": triple(found.chosen),
                          "approved_by_row": _mean(own[approved])},
        "lift": {"interval": triple(found.lift), "deflated_low": clean(found.least), "tried": found.tried},
        "exits": exits_of(view, kept, approved), "exit_rows": shares(view.confidence[kept]),
    }


def exits_of(view: View, kept: Ints, approved: Any) -> dict[str, Any]:
    """Net result and lift by the exits of each row of the table, and `as_traded`: the approved by the row that their
    confidence asks for, all by the row 0.80 as the bot without a filter; `auc_net` of the net model for that row."""
    nets = view.rows.net[kept, PRESETS.index(view.preset)]
    time, made = view.rows.time[kept], {}
    for row, name in enumerate(CONFIDENCES):
        found = gate.evidence(nets[:, row], approved, time, tried=view.tried)
        won = np.where(np.isnan(nets[:, row]), np.nan, (nets[:, row] > 0).astype(np.float64))
        made[name] = {"all": triple(found.all), "approved": triple(found.chosen), "lift": triple(found.lift),
                      "auc_net": _auc(view, "net", kept, won), "win_rate": _mean(won)}
    own = net_of(view.rows, view.preset, view.confidence)[kept][approved]
    traded = gate.evidence(own, np.ones(len(own), np.bool_), time[approved])
    return {**made, "as_traded": {"all": made[CONFIDENCES[NARROW]]["all"], "approved": triple(traded.all)}}


def headline(views: dict[str, Any]) -> dict[str, Any]:
    """A definition in a few figures, named so that none can be taken for another."""
    parts = ("all", "walk_forward", "hold_out", "unseen_tokens", "unseen_tokens_hold_out")
    return {part: None if not views[part] else {
        "candidates": views[part]["candidates"], "approved": views[part]["approved"],
        "auc_seed_at_time": views[part]["auc"], "auc_seed_within": views[part]["auc_within"],
        "auc_net": views[part]["auc_net"], "brier": views[part]["brier"]["model"],
        "brier_constant": views[part]["brier"]["constant"], "net_all": views[part]["net_per_trade"]["all"],
        "net_approved": views[part]["net_per_trade"]["approved"], "lift": views[part]["lift"]["interval"],
        "as_traded": views[part]["exits"]["as_traded"]} for part in parts}


def _auc(view: View, head: str, kept: Ints, label: Floats) -> float | None:
    return auc_of((view.heads[head] if head else view.scores).score[kept], label)


def auc_of(score: Floats, label: Floats) -> float | None:
    """AUC where both are known; None where a class is missing."""
    known = np.isfinite(label) & np.isfinite(score)
    return clean(validation.auc(score[known], label[known])) if known.any() else None


def _brier(view: View, kept: Ints) -> dict[str, float | None]:
    """Brier of the calibrated chance of the seed's label, and of the base rate known then."""
    chance, constant = (column[kept] for column in view.heads["seed"].probability())
    truth = view.heads["seed"].truth[kept]
    known = np.isfinite(chance) & np.isfinite(truth)
    return {"model": _mean((chance[known] - truth[known]) ** 2),
            "constant": _mean((constant[known] - truth[known]) ** 2)}


def per_strategy(view: View) -> dict[str, Any]:
    """`block` for each strategy that has candidates."""
    return {name: block(view, view.rows.strategy == place) for place, name in enumerate(STRATEGIES)
            if (view.rows.strategy == place).any()}


def per_month(view: View) -> dict[str, Any]:
    """`block` for each calendar month (UTC)."""
    months = view.rows.time.astype("datetime64[ms]").astype("datetime64[M]")
    return {str(month): block(view, months == month) for month in np.unique(months[np.isfinite(view.scores.score)])}


def net_of(rows: Rows, preset: str, confidence: Floats | None = None) -> Floats:
    """Net percent of each row: at the table's ROW, or at the row that its confidence asks for (A15)."""
    nets = rows.net[:, PRESETS.index(preset)]
    if confidence is None:
        return nets[:, ROW]
    levels = np.array([float(text) for text in CONFIDENCES])
    row = np.clip(np.searchsorted(levels, np.nan_to_num(confidence), side="right") - 1, 0, len(levels) - 1)
    found: Floats = np.take_along_axis(nets, row[:, None], axis=1)[:, 0]
    return found


def shares(confidence: Floats) -> dict[str, float]:
    """Share of the candidates in each row of the exit table, and of those below the first."""
    levels = np.array([0.0, *(float(text) for text in CONFIDENCES), 2.0])
    count = np.histogram(confidence, levels)[0]
    names = (f"below {CONFIDENCES[0]}", *CONFIDENCES)
    return {name: round(float(part) / max(len(confidence), 1), 4) for name, part in zip(names, count, strict=True)}


def reliability(scores: Scores) -> list[dict[str, float]]:
    """Calibrated probability against what came, in tenths of the candidates by probability."""
    chance = scores.probability()[0]
    known = np.flatnonzero(np.isfinite(chance) & np.isfinite(scores.truth))
    order = known[np.argsort(chance[known], kind="stable")]
    return [{"probability": round(float(chance[part].mean()), 4), "came": round(float(scores.truth[part].mean()), 4),
             "count": len(part)} for part in np.array_split(order, BINS) if len(part)]


def presets(rows: Rows, judged: Ints) -> dict[str, Any]:
    """Net per trade of both presets over the judged candidates, at every row of the table."""
    made = {}
    for place, preset in enumerate(PRESETS):
        made[preset] = {row: triple(gate.evidence(rows.net[judged, place, number], np.ones(len(judged), np.bool_),
                                                   rows.time[judged]).all)
                        for number, row in enumerate(CONFIDENCES)}
    return made


def text_of(found: dict[str, Any]) -> str:
    """The same for people, as Markdown that fits a terminal."""
    lines = [f"# {found['title']}", "", found["verdict"], "",
             "| candidates of | what | n | approved | base rate | precision | AUC seed | within | net | net all % "
             "| net approved % | lift, points |", "|---|---|---|---|---|---|---|---|---|---|---|---|"]
    for definition, parts in found["definitions"].items():
        for preset, views in parts["presets"].items():
            named = {"all out of sample": views["all"], "walk-forward": views["walk_forward"],
                     "hold-out": views["hold_out"], "tokens never seen": views["unseen_tokens"],
                     **{f"{name}": each for name, each in views["strategy"].items()},
                     **{f"{name}": each for name, each in views["month"].items()}}
            lines += [f"| {definition}, {preset} | {name} | {_row(each)} |" for name, each in named.items() if each]
    rows = found["definitions"]["scanner"]["presets"][found["preset"]]["all"]["exit_rows"]
    lines += ["", "Candidates in each row of the exit table: "
              + ", ".join(f"{name} {share:.1%}" for name, share in rows.items()) + "."]
    lines += ["", *(f"- {note}" for note in found["notes"])]
    return "\n".join(lines) + "\n"


def _row(each: dict[str, Any]) -> str:
    net, lift = each["net_per_trade"], each["lift"]["interval"]
    return " | ".join((str(each["candidates"]), str(each["approved"]), _share(each["base_rate"]),
                       _share(each["precision"]), _figure(each["auc"]), _figure(each["auc_within"]),
                       _figure(each["auc_net"]), _told(net["all"]), _told(net["approved"]), _told(lift)))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _told(three: list[float | None]) -> str:
    mean, low, high = three
    if mean is None:
        return "–"
    return f"{mean:+.2f}" + ("" if low is None or high is None else f" [{low:+.2f}, {high:+.2f}]")


def _mean(values: Floats) -> float | None:
    values = values[np.isfinite(values)]
    return round(float(values.mean()), 5) if len(values) else None


def clean(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) and abs(value) < gate.UNKNOWN else None


def triple(interval: Interval) -> list[float | None]:
    if interval.high >= gate.UNKNOWN:
        return [clean(interval.mean) if interval.mean else None, None, None]
    return [clean(interval.mean), clean(interval.low), clean(interval.high)]
