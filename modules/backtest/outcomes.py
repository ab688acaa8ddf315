"""What each candidate would have earned by itself: the engine's own entry, costs and exits, one trade a candidate.

1. The entry is at the open of the next candle, with the costs and the latency of a backtest; the exits are the
   tracker's (exits.py), walked by the engine. No second copy of a rule.
2. Limits of the account do not count here: each candidate is its own market with endless cash.
3. What is still held `cap_ms` after the entry is sold at that close. Where the candles end before, and the token has
   not gone, the outcome is not known (NaN).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from modules.backtest import arrays as a
from modules.backtest.arrays import Floats, Ints, Series, Terms
from modules.backtest.engine import run
from modules.backtest.market import Steps
from modules.backtest.settings import BacktestSettings
from modules.backtest.wishes import Wishes, entries_of
from modules.strategies.hype.exits import Rules

AT_ONCE = 64  # trades walked in one run; the engine looks through all that are open
PPM = 1_000_000
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Net result in percent of what was paid, fees and slippage in it (NaN: not bought, or not known), and its end."""

    net_pct: Floats
    end_ms: Ints


def outcomes(wishes: Wishes, series: Series, steps: Sequence[Steps], rules: Rules, terms: Terms,
             costs: BacktestSettings, bar_ms: int, cap_ms: int, confidence: float | None = None) -> Outcomes:
    """The outcome of every wish, in their order; at most one wish a token and time. `confidence`: row of the exits."""
    entries = entries_of(wishes, series, steps, costs, bar_ms)
    owner = _owners(entries, wishes, costs, bar_ms)
    if confidence is not None:
        entries[:, a.E_CONFIDENCE] = round(confidence * PPM)
    entries[:, a.E_SIZE] = PPM
    free = terms._replace(start=1 << 56, share_ppm=0, max_open=AT_ONCE, max_exposure=a.NEVER // 4, max_per_day=1 << 40,
                          max_token=max(terms.max_token, terms.trade_size))
    net, end = np.full(len(wishes), np.nan), np.zeros(len(wishes), np.int64)
    for begin in range(0, len(entries), AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        net[owner[part]], end[owner[part]] = _walked(entries[part].copy(), series, rules, free, cap_ms)
    return Outcomes(net, end)


def _owners(entries: Ints, wishes: Wishes, costs: BacktestSettings, bar_ms: int) -> Ints:
    """Which wish each entry came from: token and time name it."""
    known = wishes.known_ms + (costs.latency_bars - 1) * bar_ms
    order = np.lexsort((known, wishes.token))
    key = wishes.token[order] * (1 << 44) + known[order]
    if (np.diff(key) == 0).any():
        raise ValueError("two wishes of one token at one time")
    found: Ints = order[np.searchsorted(key, entries[:, a.E_TOKEN] * (1 << 44) + entries[:, a.E_KNOWN])]
    return found


def _walked(entries: Ints, series: Series, rules: Rules, terms: Terms, cap_ms: int) -> tuple[Floats, Ints]:
    """Net percent and time of the end of some entries, each on a token of its own (rule 2)."""
    count = len(entries)
    time = series.candles[a.TIME]
    token, at = entries[:, a.E_TOKEN].copy(), entries[:, a.E_AT].copy()
    tokens = series.tokens[token].copy()
    ends = tokens[:, a.K_END].copy()
    for row in range(count):  # rule 3
        last = at[row] + np.searchsorted(time[at[row]:ends[row]], time[at[row]] + cap_ms)
        tokens[row, a.K_END] = max(int(last), int(at[row]) + 1)
    entries[:, a.E_TOKEN] = np.arange(count)
    own = series._replace(tokens=tokens, unit=series.unit[token])
    made = run(own, entries, rules, terms)
    paid, got = np.full(count, np.nan), np.zeros(count)
    wish = made.positions[:, a.P_SIGNAL]
    paid[wish] = made.positions[:, a.P_COST]
    of_sale = wish[made.sales[:, a.S_POSITION]]
    np.add.at(got, of_sale, made.sales[:, a.S_VALUE] - made.sales[:, a.S_FEE])
    end = time[at].copy()
    np.maximum.at(end, of_sale, time[made.sales[:, a.S_AT]])
    cut = np.zeros(count, np.bool_)
    cut[of_sale[np.isin(made.sales[:, a.S_CODE], (a.END, a.DELISTED))]] = True
    short = (tokens[:, a.K_END] == ends) & (series.last_ms - time[ends - 1] < DAY_MS)
    net = (got / paid - 1.0) * 100.0
    net[cut & short] = np.nan
    return net, end
