"""What the compiled loop works on: bundles of arrays, and the codes that it answers with.

Prices are whole ticks of the token's market, quantities whole steps, money whole units of 1e-8 USDT, shares and
distances parts per million of one, times market ms.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONG, SHORT = 1, -1  # as exits.LONG and SHORT
MONEY = 100_000_000  # units of one USDT
NEVER = 1 << 60

# Reasons of a sale beside those of exits.py (STOP = 1 … TIME = 5).
SIGNAL = 6
DELISTED = 7
END = 8

# Why an entry was not bought; BOUGHT is none.
BOUGHT = 0
HELD = 1
JUDGED_LATELY = 2
TOO_OLD = 3
COOL_DOWN = 4
MAX_TRADES = 5
MAX_PER_DAY = 6
MAX_EXPOSURE = 7
SLIPPAGE = 8
MIN_NOTIONAL = 9
FUNDS = 10
NO_VOLUME = 11
MODEL_NO = 12
REFUSALS = ("bought", "HELD", "JUDGED_LATELY", "TOO_OLD", "COOL_DOWN", "MAX_TRADES", "MAX_PER_DAY", "MAX_EXPOSURE",
            "SLIPPAGE", "MIN_NOTIONAL", "FUNDS", "NO_VOLUME", "MODEL_NO")

# Columns of the positions made.
P_TOKEN, P_AT, P_ENTRY, P_QUANTITY, P_COST, P_FEE, P_STOP, P_SIGNAL, P_CLOSED, P_SIDE = range(10)
P_COLUMNS = 10
# Columns of the sales made; a short's "sale" buys back. S_HIT: targets reached so far. S_VALUE: what comes back before
# the fee and the carry (S_CARRY, the cost of having been short): of a short its margin, S_MARGIN, and its result.
S_POSITION, S_AT, S_CODE, S_QUANTITY, S_LOOK, S_VALUE, S_FEE, S_HIT, S_CARRY, S_MARGIN = range(10)
S_COLUMNS = 10
# A position sells at most once at each of four targets, and once all that is left.
SALES_EACH = 5


# Rows of `Series.candles`.
TIME, OPEN, HIGH, LOW, CLOSE = range(5)
# Columns of `Series.tokens`: first candle, the one after the last, the venue's minimum in tick·steps.
K_BEGIN, K_END, K_LEAST = range(3)
# Columns of an entries table. AT: candle at whose open the order arrives. KNOWN: when the signal was known, ms.
# PRICE: the signal's price in ticks. SIZE: factor on the size (the market's mood), ppm. GOAL, STOP (ticks) and
# QUANTITY (steps) are for rule sets of their own; 0 leaves them to the tracker's table and to the sizing. SIDE: below 0
# sells short. A CONFIDENCE below 0: the models said no.
# HOLD: longest hold of an own target and stop, ms; 0: none.
(E_AT, E_TOKEN, E_KNOWN, E_STRATEGY, E_CONFIDENCE, E_ATR, E_PRICE, E_SIZE, E_GOAL, E_STOP, E_QUANTITY,
 E_SIDE, E_HOLD) = range(13)
E_COLUMNS = 13


NOTHING = np.zeros(0, np.int64)


class Series(NamedTuple):
    """Candles of all tokens, one token after the other, each ascending in time.

    `candles`: (5, n) rows TIME … CLOSE. `quote`: USDT traded in each candle. `tokens`: (k, 3) columns K_…. `unit`:
    money units that one tick·step is worth, per token. `exits`: ascending candles at whose open a signal sells what
    is held, `covers`: the same for shorts. `last_ms`: the latest time of all; data that end a day before it end because
    the token went.

    Few arrays in few bundles: every array of a bundle costs compile time in every function that takes it.
    """

    candles: Ints
    quote: Floats
    tokens: Ints
    unit: Floats
    exits: Ints
    last_ms: int
    covers: Ints = NOTHING


class Terms(NamedTuple):
    """The account, its limits (A18) and what trading costs. Money in units, times in ms, the rest in ppm.

    `carry_ppm`: what a short costs a day, of its value at the entry.
    """

    start: int
    trade_size: int
    share_ppm: int
    max_token: int
    max_open: int
    max_exposure: int
    max_per_day: int
    cool_stop_ms: int
    cool_sell_ms: int
    rejudge_ms: int
    max_age_ms: int
    max_slippage_ppm: int
    fee_ppm: int
    half_spread_ppm: int
    slippage_ppm: int
    impact_ppm: int
    most_slippage_ppm: int
    carry_ppm: int = 0


class Made(NamedTuple):
    """What a run leaves: rows of P_ and S_ columns, an outcome for every entry, and the T_ totals."""

    positions: Ints
    sales: Ints
    outcomes: Ints
    totals: Ints


# Places in `Made.totals`.
T_POSITIONS, T_SALES, T_CASH = range(3)
