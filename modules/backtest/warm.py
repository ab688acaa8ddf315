"""Fills the cache of compiled code in a process of its own: ``python -m modules.backtest.warm``, started by prepare.py.

Compiling takes 150 MB that a process does not give back; beside a year of candles that would be too much.
"""

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.engine import run
from modules.backtest.frames import Frame
from modules.backtest.measure import look_closely
from modules.backtest.settings import BacktestSettings
from modules.backtest.terms import terms_of
from modules.strategies.hype.exit_rules import rules_of
from modules.strategies.hype.settings import HypeSettings


def main() -> None:
    """Run every kernel once on two candles."""
    hype = HypeSettings()
    candles = np.array([[0, 1], [2, 2], [2, 2], [2, 2], [2, 2]], np.int64)
    series = a.Series(candles, np.ones(2), np.array([[0, 2, 1]]), np.ones(1), np.zeros(0, np.int64), 1)
    run(series, np.zeros((0, a.E_COLUMNS), np.int64), rules_of(hype), terms_of(hype, BacktestSettings()))
    column = np.ones(2)
    look_closely(Frame("T", 300_000, np.array([0, 300_000]), column, column, column, column, column), np.array([1]))


if __name__ == "__main__":
    main()
