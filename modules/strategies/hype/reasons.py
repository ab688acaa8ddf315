"""Why a token was refused: one integer code for each reason, and the one place that makes sentences of them."""

from enum import IntEnum


class Refusal(IntEnum):
    """Reasons in the order they are asked; 0 means that nothing stands against it."""

    NONE = 0
    # the whole market, from one tickers call
    NOT_TRADING = 1
    API_CLOSED = 2
    PRICE_LOW = 3
    PRICE_HIGH = 4
    VOLUME_LOW = 5
    SPREAD_WIDE = 6
    GROWTH_LOW = 7
    # the suspects, from their own candles and book
    NO_DATA = 20
    DEPTH_LOW = 21
    SURGE_LOW = 22
    FADING = 23
    NO_STRATEGY = 24
    # what the crew already does with it
    HELD = 40
    COOL_DOWN = 41
    NOT_AMONG_STRONGEST = 42
    # the models
    NO_FEEDBACK_MODEL = 60
    FEEDBACK_NO = 61
    NO_TOKEN_MODEL = 62
    TOKEN_NO = 63
    CONFIDENCE_LOW = 64
    MODEL_NEVER_CAME = 65
    STANDS_ASIDE = 66  # said, never a refusal: the model has no proven edge
    # what forbids entries now, whatever the models say
    MOOD_PAUSE = 80
    ENTRIES_PAUSED = 81
    RESTING = 82

    @property
    def code(self) -> str:
        """As it stands in files: ``growth_low``."""
        return self.name.lower()


_SENTENCES: dict[Refusal, str] = {
    Refusal.NONE: "passes every filter",
    Refusal.NOT_TRADING: "is not listed or its trading is halted",
    Refusal.API_CLOSED: "is closed to orders through the API",
    Refusal.PRICE_LOW: "costs too little",
    Refusal.PRICE_HIGH: "costs too much",
    Refusal.VOLUME_LOW: "trades too little in 24 h",
    Refusal.SPREAD_WIDE: "has too wide a spread",
    Refusal.GROWTH_LOW: "has not grown enough",
    Refusal.NO_DATA: "has no usable candles or book right now",
    Refusal.DEPTH_LOW: "has too thin a book",
    Refusal.SURGE_LOW: "grows without volume",
    Refusal.FADING: "is already falling back",
    Refusal.NO_STRATEGY: "fits none of the four strategies",
    Refusal.HELD: "is already held",
    Refusal.COOL_DOWN: "was judged a short while ago",
    Refusal.NOT_AMONG_STRONGEST: "was not among the strongest of its scan",
    Refusal.NO_FEEDBACK_MODEL: "waits for the feedback model",
    Refusal.FEEDBACK_NO: "was refused by the feedback model",
    Refusal.NO_TOKEN_MODEL: "waits for its own model",
    Refusal.TOKEN_NO: "was refused by its own model",
    Refusal.CONFIDENCE_LOW: "has too little confidence",
    Refusal.MODEL_NEVER_CAME: "waited for a model that could not be made",
    Refusal.STANDS_ASIDE: "is judged without a model: it has shown no edge, so it stands aside",
    Refusal.MOOD_PAUSE: "is not bought while BTC falls",
    Refusal.ENTRIES_PAUSED: "is not bought while a person or a limit stops entries",
    Refusal.RESTING: "rests after its last sale",
}


def sentence(reason: Refusal) -> str:
    """What a person reads after the token's name."""
    return _SENTENCES[reason]


def from_code(code: str) -> Refusal:
    """The reason behind a stored code. Raises ValueError for a code of no known reason."""
    try:
        return Refusal[code.upper()]
    except KeyError:
        raise ValueError(f"{code!r} is not a reason of this version") from None
