"""Why there is no trade: every refusal of the scalper has one of these codes."""

from enum import IntEnum


class Code(IntEnum):
    """0 is a signal; all others refuse."""

    OK = 0
    # data
    BOOK_STALE = 1
    BOOK_OLD = 2
    BOOK_PARTIAL = 3
    FLOW_NOT_WHOLE = 4
    NO_CANDLES = 5
    NO_FEED = 6
    PRICE_ELSEWHERE = 7
    # the market
    SPREAD = 10
    QUIET = 11
    VOLATILE = 12
    SCORE = 13
    COST = 14
    # limits
    HELD = 20
    MOST_OPEN = 21
    COOL_DOWN = 22
    DAY_LIMIT = 23
    DAY_LOSS = 24
    # acting
    PAUSED = 30
    SIZE = 31
    BUSY = 32
    VENUE = 33
    NOT_FILLED = 34
    DISK = 35


WORDS: dict[Code, str] = {
    Code.OK: "a signal",
    Code.BOOK_STALE: "the order book was in doubt",
    Code.BOOK_OLD: "the order book had not changed for too long",
    Code.BOOK_PARTIAL: "no best price on one side",
    Code.FLOW_NOT_WHOLE: "the window of order flow is not full yet, or has a hole",
    Code.NO_CANDLES: "too few or too old candles for the indicators",
    Code.NO_FEED: "the market data feed does not run, or does not hear the contract",
    Code.PRICE_ELSEWHERE: "the exchange's own price is old, or is not near the feed's, which hears another exchange",
    Code.SPREAD: "the spread is too wide",
    Code.QUIET: "too few trades",
    Code.VOLATILE: "the price moves too wildly",
    Code.SCORE: "the parts together speak too weakly",
    Code.COST: "fees and spread would eat what the signal promises",
    Code.HELD: "a position of the contract is open",
    Code.MOST_OPEN: "as many positions are open as may be",
    Code.COOL_DOWN: "it waits after the last trade of the contract",
    Code.DAY_LIMIT: "the day's number of trades is reached",
    Code.DAY_LOSS: "the day's loss is reached",
    Code.PAUSED: "entries are stopped",
    Code.SIZE: "the position would be smaller than the exchange takes",
    Code.BUSY: "an order of the contract is under way",
    Code.VENUE: "the exchange or its checklist refused",
    Code.NOT_FILLED: "the limit order was not filled, and taking was not worth it",
    Code.DISK: "the state could not be written",
}

EXITS = ("hold", "stop", "target", "time", "flip", "end")
