"""Why there is no signal: every refusal has one of these codes, stored with its inputs (D13)."""

from enum import StrEnum


class Refusal(StrEnum):
    """What refused. The text of each is for people (`WORDS`)."""

    # no decision possible: data
    BOOK_STALE = "BOOK_STALE"
    BOOK_OLD = "BOOK_OLD"
    BOOK_PARTIAL = "BOOK_PARTIAL"
    BOOK_CHANGED = "BOOK_CHANGED"
    FLOW_NOT_WHOLE = "FLOW_NOT_WHOLE"
    NO_CONTEXT = "NO_CONTEXT"
    NO_AVERAGE = "NO_AVERAGE"
    PAUSED = "PAUSED"
    # conditions of D6, D7, D9
    IMBALANCE = "IMBALANCE"
    LARGE_TRADES = "LARGE_TRADES"
    INTENSITY = "INTENSITY"
    VWAP_SIDE = "VWAP_SIDE"
    QUALITY = "QUALITY"
    STOP_TOO_FAR = "STOP_TOO_FAR"
    # limits of D8
    SAME_EPISODE = "SAME_EPISODE"
    SYMBOL_OPEN = "SYMBOL_OPEN"
    CLASS_LIMIT = "CLASS_LIMIT"
    DAY_LIMIT = "DAY_LIMIT"
    CONCURRENT = "CONCURRENT"
    CORRELATED = "CORRELATED"
    HELD_BACK = "HELD_BACK"
    # after all of it
    EXCLUDED = "EXCLUDED"
    TOO_LATE = "TOO_LATE"
    DEMOTED = "DEMOTED"


WORDS: dict[Refusal, str] = {
    Refusal.BOOK_STALE: "the order book was in doubt",
    Refusal.BOOK_OLD: "the order book had not changed for too long",
    Refusal.BOOK_PARTIAL: "fewer levels known than the imbalance needs",
    Refusal.BOOK_CHANGED: "the book fell into doubt while the signal was made",
    Refusal.FLOW_NOT_WHOLE: "the trade window has a hole, or is not full yet",
    Refusal.NO_CONTEXT: "too few candles for ATR and VWAP",
    Refusal.NO_AVERAGE: "the symbol's average volume is unknown",
    Refusal.PAUSED: "signals are paused",
    Refusal.IMBALANCE: "the book leans too little",
    Refusal.LARGE_TRADES: "too few large trades of that side",
    Refusal.INTENSITY: "too little volume against the symbol's average",
    Refusal.VWAP_SIDE: "the price is on the wrong side of the 1 h VWAP",
    Refusal.QUALITY: "quality below the lowest class",
    Refusal.STOP_TOO_FAR: "the stop would be too far away",
    Refusal.SAME_EPISODE: "the same move was judged already",
    Refusal.SYMBOL_OPEN: "a signal of this symbol is open",
    Refusal.CLASS_LIMIT: "the day's limit of its class is reached",
    Refusal.DAY_LIMIT: "the day's limit is reached",
    Refusal.CONCURRENT: "as many signals are open as may be",
    Refusal.CORRELATED: "too much like a signal that is open",
    Refusal.HELD_BACK: "held back after a loss",
    Refusal.EXCLUDED: "the symbol has left the universe",
    Refusal.TOO_LATE: "it could not be sent within its class's time",
    Refusal.DEMOTED: "its class is no better than its control group",
}

# Refused by the looks themselves, many times a second: summed up. The others are stored one by one.
EVERY_LOOK = frozenset({
    Refusal.BOOK_STALE, Refusal.BOOK_OLD, Refusal.BOOK_PARTIAL, Refusal.FLOW_NOT_WHOLE, Refusal.NO_CONTEXT,
    Refusal.NO_AVERAGE, Refusal.PAUSED, Refusal.IMBALANCE, Refusal.LARGE_TRADES, Refusal.INTENSITY,
    Refusal.VWAP_SIDE, Refusal.QUALITY, Refusal.STOP_TOO_FAR, Refusal.SAME_EPISODE, Refusal.SYMBOL_OPEN,
})
