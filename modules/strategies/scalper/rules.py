"""The rules of a scalp, pure (B5, B11): parts → score → BUY or SELL, levels, costs, exits. The same functions live, in
tests and in both backtests. Swapping sides turns BUY into SELL and nothing else.

1. Each part lies in −1..1 (positive speaks for buying). Its contribution is weight × part ÷ Σ weights of the parts that
   are there; the score is the sum of contributions. Flow is always there live; sentiment that is absent is left out.
2. Gates before the score: spread, trades, tick speed, volatility. They ask no side.
3. A signal must be worth its costs: |score| × distance of the target ≥ `cost_factor` × (fees of entry and exit + half
   the spread), all in bps. The exit is counted as a taker's.
4. The stop stands `stop_atr` ATR away, within its limits; the target `take_r` times that.
5. An exit: stop and target by the price that an exit would get, then the longest hold, then a signal the other way.
"""

import numpy as np
import numpy.typing as npt

from modules.strategies.scalper import flow as fl
from modules.strategies.scalper.terms import Terms
from utils.compiled import kernel, part

Floats = npt.NDArray[np.float64]

# Parts, then the score
(P_IMBALANCE, P_MICRO, P_OFI, P_CVD, P_LARGE, P_RSI, P_MACD, P_BOLLINGER, P_SENTIMENT, SCORE) = range(10)
PARTS = 10
PART_NAMES = ("imbalance", "microprice", "order flow", "volume delta", "large orders", "RSI", "MACD", "Bollinger",
              "sentiment")
# Cells of a contract's context: parts of the indicators, ATR in bps (0: unknown), sentiment, 1 where there is some
X_RSI, X_MACD, X_BOLLINGER, X_ATR_BPS, X_SENTIMENT, X_HAS_SENTIMENT = range(6)
CONTEXT = 6
# Codes as in reasons.Code and reasons.EXITS
OK, NOT_WHOLE, NO_CANDLES, WIDE, QUIET, VOLATILE, WEAK, COST = 0, 4, 5, 10, 11, 12, 13, 14
HELD, MOST_OPEN, COOL_DOWN, DAY_LIMIT, DAY_LOSS = 20, 21, 22, 23, 24
HOLD, STOP, TARGET, TIME, FLIP = range(5)
LEAST_CONFIDENCE = 0.05  # a mood that has faded below this says nothing any more


@kernel
def score(features: Floats, context: Floats, terms: Terms, with_flow: bool, parts: Floats) -> float:
    """Rule 1: contributions and their sum into `parts`; the sum."""
    parts[:] = 0.0
    weights = terms.w_rsi + terms.w_macd + terms.w_bollinger
    if with_flow:
        weights += terms.w_imbalance + terms.w_micro + terms.w_ofi + terms.w_cvd + terms.w_large
        parts[P_IMBALANCE] = terms.w_imbalance * (features[fl.IMB_1] + features[fl.IMB_5] + features[fl.IMB_10]
                                                  + features[fl.IMB_20]) / 4
        parts[P_MICRO] = terms.w_micro * features[fl.MICRO]
        parts[P_OFI] = terms.w_ofi * features[fl.OFI]
        parts[P_CVD] = terms.w_cvd * features[fl.DELTA]
        parts[P_LARGE] = terms.w_large * (features[fl.LARGE_RESTING] + features[fl.LARGE_TRADED]) / 2
    parts[P_RSI] = terms.w_rsi * context[X_RSI]
    parts[P_MACD] = terms.w_macd * context[X_MACD]
    parts[P_BOLLINGER] = terms.w_bollinger * context[X_BOLLINGER]
    if context[X_HAS_SENTIMENT] > 0:
        weights += terms.w_sentiment
        parts[P_SENTIMENT] = terms.w_sentiment * context[X_SENTIMENT]
    total = 0.0
    for at in range(SCORE):
        parts[at] = parts[at] / weights if weights > 0 else 0.0
        total += parts[at]
    parts[SCORE] = total
    return total


@kernel
def stop_bps(terms: Terms, atr_bps: float) -> float:
    """Distance of the stop, rule 4."""
    return min(max(terms.stop_atr * atr_bps, terms.min_stop_bps), terms.max_stop_bps)


@kernel
def cost_bps(terms: Terms, spread_bps: float, maker: bool) -> float:
    """Fees of entry and exit and half the spread, rule 3."""
    return (terms.maker_bps if maker else terms.taker_bps) + terms.taker_bps + spread_bps / 2


@kernel
def worth_it(terms: Terms, found: float, atr_bps: float, spread_bps: float, maker: bool) -> bool:
    """Rule 3."""
    promised = abs(found) * stop_bps(terms, atr_bps) * terms.take_r
    return promised >= terms.cost_factor * cost_bps(terms, spread_bps, maker)


@part
def gate(features: Floats, terms: Terms) -> int:
    """Rule 2: OK or the code of what refuses."""
    if features[fl.SPREAD_BPS] > terms.max_spread_bps:
        return WIDE
    if features[fl.TRADES] < terms.min_trades or features[fl.SPEED_RATIO] < terms.min_speed:
        return QUIET
    if features[fl.VOLATILITY_BPS] > terms.max_volatility_bps:
        return VOLATILE
    return OK


@kernel
def judge(features: Floats, context: Floats, terms: Terms, parts: Floats) -> int:
    """OK where `parts` hold a signal (its side is the score's sign), else the first code that refuses."""
    if context[X_ATR_BPS] <= 0:
        parts[:] = 0.0
        return NO_CANDLES
    found = score(features, context, terms, True, parts)
    code = gate(features, terms)
    if code != OK:
        return code
    if abs(found) < terms.buy_score:
        return WEAK
    return OK if worth_it(terms, found, context[X_ATR_BPS], features[fl.SPREAD_BPS], True) else COST


@kernel
def look(flow: fl.Flow, terms: Terms, levels: fl.Ints, now_ms: int, context: Floats, features: Floats,
         parts: Floats) -> int:
    """Figures and judgement of one instant; NOT_WHOLE where the window has a hole."""
    fl.features(flow, terms, levels, now_ms, features)
    code = judge(features, context, terms, parts)
    return code if fl.whole(flow, terms) else NOT_WHOLE


@kernel
def limit(now_ms: int, free_ms: int, today: int, a_day: int, open_now: int, most_open: int, day_loss: float,
          most_loss: float) -> int:
    """What the limits say to an entry; `free_ms`: when the contract may trade again, losses as shares of equity."""
    if open_now >= most_open:
        return MOST_OPEN
    if now_ms < free_ms:
        return COOL_DOWN
    if today >= a_day:
        return DAY_LIMIT
    return DAY_LOSS if day_loss >= most_loss else OK


@kernel
def exit_of(side: int, stop: float, take: float, deadline_ms: int, price: float, now_ms: int, found: float,
            terms: Terms) -> int:
    """Rule 5. `side` ±1; `price` is what an exit would get; `found` the score now (0: no valid judgement)."""
    if (price - stop) * side <= 0:
        return STOP
    if (price - take) * side >= 0:
        return TARGET
    if now_ms >= deadline_ms:
        return TIME
    return FLIP if terms.flip and -found * side >= terms.buy_score else HOLD
