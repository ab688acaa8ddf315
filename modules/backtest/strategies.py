"""The strategies that can be tested on past candles: one declaration each, read by backtest, optimize and analyse.

To add one: write its wishes (entries, and sells by signal) as a function of frames and settings, and declare it here.
Nothing heavy is imported before a function of a declaration is called: the rules must be compiled first (prepare.py).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel

from modules.strategies.hype.exit_table import STRATEGIES as HYPE_KINDS

if TYPE_CHECKING:
    from modules.backtest.arrays import Floats, Terms
    from modules.backtest.frames import Frame
    from modules.backtest.models import Fold
    from modules.backtest.wishes import Wishes
    from modules.strategies.hype.exits import Rules

# Settings of a run by the name of their group (``hype``, ``backtest`` …), as in config/settings.py.
Groups = Mapping[str, BaseModel]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy as the engine and its tools see it.

    `groups`: its settings, its own group first (``backtest`` comes with every run). `interval_ms`: the candles that
    `wishes` and `figures` want (finer ones are joined to it); 0: as they are given. `kinds`: what E_STRATEGY names.
    `wishes`: every wish to buy or sell short, and every sell by signal, of all tokens, in any order; a wish may use
    only candles closed by its `known_ms`. `figures`: what the rules look at, by name, one value a candle (NaN: not
    known); for ``analyse``. `warm_up`: candles after which a figure does not depend on what came before them.
    `exits` and `terms`: rules of the exits, and limits of the account. `assumed`: what candles do not tell, for the
    report. `models`: judges the wishes by models fitted walk-forward; None where none does.
    """

    name: str
    about: str
    groups: tuple[str, ...]
    interval_ms: int
    kinds: tuple[str, ...]
    wishes: "Callable[[Sequence[Frame], Groups, Counter[str]], Wishes]"
    figures: "Callable[[Frame, Groups], dict[str, Floats]]"
    warm_up: Callable[[Groups], int]
    exits: "Callable[[Groups], Rules]"
    terms: "Callable[[Groups], Terms]"
    assumed: "Callable[[Sequence[str], Groups], list[str]]"
    models: "Callable[[Wishes, Sequence[Frame], Groups], tuple[Wishes, list[Fold]]] | None" = None


def _hype_wishes(frames: "Sequence[Frame]", groups: Groups, counted: Counter[str]) -> "Wishes":
    from modules.backtest import signals
    return signals.hype_wishes(frames, signals.hype_of(groups), signals.costs_of(groups), counted)


def _hype_figures(frame: "Frame", groups: Groups) -> "dict[str, Floats]":
    from modules.backtest import signals
    return signals.figures_of(frame)


def _hype_warm_up(groups: Groups) -> int:
    from modules.backtest import signals
    return signals.WARM_UP


def _hype_exits(groups: Groups) -> "Rules":
    from modules.backtest import signals
    from modules.strategies.hype.exit_rules import rules_of
    return rules_of(signals.hype_of(groups))


def _hype_terms(groups: Groups) -> "Terms":
    from modules.backtest import signals, terms
    return terms.terms_of(signals.hype_of(groups), signals.costs_of(groups))


def _hype_assumed(symbols: Sequence[str], groups: Groups) -> list[str]:
    from modules.backtest import signals
    asked = signals.costs_of(groups).models != "off"
    return [*signals.WAIVED, signals.NO_TOKEN_MODELS if asked else signals.NO_MODELS,
            *([] if signals.BTC in symbols else [signals.NO_BTC])]


def _hype_models(wishes: "Wishes", frames: "Sequence[Frame]", groups: Groups) -> "tuple[Wishes, list[Fold]]":
    from modules.backtest import models, signals
    return models.judged(wishes, frames, signals.hype_of(groups), models.learning_of(groups), signals.costs_of(groups))


def _rsi_wishes(frames: "Sequence[Frame]", groups: Groups, counted: Counter[str]) -> "Wishes":
    from modules.backtest import rsi
    return rsi.rsi_wishes(frames, rsi.settings_of(groups))


def _rsi_figures(frame: "Frame", groups: Groups) -> "dict[str, Floats]":
    from modules.backtest import rsi
    return rsi.figures_of(frame, rsi.settings_of(groups))


def _rsi_warm_up(groups: Groups) -> int:
    from modules.backtest import rsi
    return rsi.warm_up(rsi.settings_of(groups))


def _rsi_terms(groups: Groups) -> "Terms":
    from modules.backtest import signals, terms
    return terms.terms_of(signals.hype_of(groups), signals.costs_of(groups), plain=True)


def _scalper_wishes(frames: "Sequence[Frame]", groups: Groups, counted: Counter[str]) -> "Wishes":
    from modules.backtest import scalper
    return scalper.scalper_wishes(frames, groups, counted)


def _scalper_figures(frame: "Frame", groups: Groups) -> "dict[str, Floats]":
    from modules.backtest import scalper
    return scalper.figures_of(frame, scalper.settings_of(groups))


def _scalper_warm_up(groups: Groups) -> int:
    from modules.backtest import scalper
    from modules.strategies.scalper.indicators import warm_up
    return warm_up(scalper.settings_of(groups))


def _scalper_exits(groups: Groups) -> "Rules":
    from modules.backtest import scalper
    return scalper.exits_of(groups)


def _scalper_terms(groups: Groups) -> "Terms":
    from modules.backtest import scalper
    return scalper.terms_for(groups)


def _scalper_assumed(symbols: Sequence[str], groups: Groups) -> list[str]:
    from modules.backtest import scalper
    return scalper.assumed(symbols, groups)


STRATEGIES: dict[str, Strategy] = {each.name: each for each in (
    Strategy("hype", "the live scanner's entries and the live tracker's exits", ("hype", "learning"), 300_000,
             HYPE_KINDS, _hype_wishes, _hype_figures, _hype_warm_up, _hype_exits, _hype_terms, _hype_assumed,
             _hype_models),
    Strategy("rsi", "plain rules to compare with: RSI in; target, stop or RSI out", ("rsi", "hype"), 0, ("rsi",),
             _rsi_wishes, _rsi_figures, _rsi_warm_up, _hype_exits, _rsi_terms, lambda symbols, groups: []),
    Strategy("scalper", "the live scalper's indicators and recorded sentiment (its order flow: --ticks)",
             ("scalper", "hype"), 0, ("scalp",), _scalper_wishes, _scalper_figures, _scalper_warm_up, _scalper_exits,
             _scalper_terms, _scalper_assumed),
)}
