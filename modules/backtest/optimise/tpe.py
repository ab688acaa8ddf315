"""The second stage: Optuna's TPE proposes settings from all trials that are known so far.

The study on disk is journal.py's: Optuna's own is built from it in memory, so there is one truth, the first stage needs
no Optuna, and a kill leaves nothing to reconcile.
"""

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modules.backtest.optimise.space import Parameter, Value
from utils.environment import to_install

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

MISSING = f"Optuna is not installed ({to_install('requirements-optimize.txt')}): all trials are random"
MOST_SEEDS = 400


class Known(NamedTuple):
    """A trial that has a result: its settings, objectives (more is better), and how far it is beyond each limit."""

    values: dict[str, Value]
    objectives: tuple[float, ...]
    violations: tuple[float, ...]


def present() -> bool:
    """Whether Optuna can be used."""
    return importlib.util.find_spec("optuna") is not None


class Proposer:
    """The sampler of one fold: learns trials, proposes settings. Optuna's study lives as long as this does."""

    def __init__(self, space: Sequence[Parameter], objectives: int, seed: int) -> None:
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._space = space
        self._distributions = {parameter.name: _distribution(parameter) for parameter in space}
        self._study = optuna.create_study(directions=["maximize"] * objectives, sampler=optuna.samplers.TPESampler(
            seed=seed, multivariate=True, n_startup_trials=1))

    def learn(self, known: Sequence[Known]) -> None:
        """Show it trials that it has not seen; of very many the best and a sample of the rest (time grows with them).

        Settings outside the space (the present ones, mostly) are passed over.
        """
        from optuna.trial import create_trial
        self._study.add_trials([create_trial(
            params={parameter.name: each.values[parameter.name] for parameter in self._space},
            distributions=self._distributions, values=list(each.objectives),
            constraints={f"limit {place}": value for place, value in enumerate(each.violations)})
            for each in _fewer(known)
            if all(_inside(parameter, each.values.get(parameter.name)) for parameter in self._space)])

    def propose(self, count: int) -> list[dict[str, Value]]:
        """`count` settings to try next."""
        from optuna.trial import TrialState
        trials = [self._study.ask(self._distributions) for _ in range(count)]
        for trial in trials:  # their results come back through `learn`
            self._study.tell(trial, state=TrialState.FAIL)
        return [{parameter.name: _tidy(parameter, trial.params[parameter.name]) for parameter in self._space}
                for trial in trials]


def _fewer(known: Sequence[Known]) -> list[Known]:
    """TPE's time grows with what it is shown: those within the limits and best come first."""
    ranked = sorted(known, key=lambda each: (sum(max(value, 0.0) for value in each.violations), -each.objectives[0]))
    if len(ranked) <= MOST_SEEDS:
        return ranked
    half = MOST_SEEDS // 2
    return [*ranked[:half], *ranked[half::max((len(ranked) - half) // half, 1)]]


def _distribution(parameter: Parameter) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    if parameter.choices:
        return CategoricalDistribution(parameter.choices)
    if parameter.whole:
        step = max(int(parameter.step), 1)
        high = int(parameter.low) + (int(parameter.high) - int(parameter.low)) // step * step
        return IntDistribution(int(parameter.low), high, log=parameter.log, step=step)
    if parameter.step:
        return FloatDistribution(parameter.low, parameter.low + (parameter.steps() - 1) * parameter.step,
                                 step=parameter.step)
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _inside(parameter: Parameter, value: Value | None) -> bool:
    if value is None:
        return False
    if parameter.choices:
        return value in parameter.choices
    return isinstance(value, int | float) and parameter.low <= value <= parameter.high


def _tidy(parameter: Parameter, value: Any) -> Value:
    if parameter.choices or parameter.whole:
        found: Value = value
        return found
    return min(max(float(f"{value:.5g}"), parameter.low), parameter.high)
