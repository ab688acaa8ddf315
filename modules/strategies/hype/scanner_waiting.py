"""Candidates that wait for a model (A5): which model, since when, and when it was last asked for. No I/O."""

from dataclasses import dataclass, field

from modules.strategies.hype.scanner_judge import Need

FEEDBACK = "feedback"
ASK_AGAIN_S = 600.0  # a trainer that was away finds its inbox when it comes back; this is for one that lost it
FEEDBACK_PATIENCE_S = 300.0  # the trainer makes a missing feedback model by itself; asked too early, it makes two
GIVE_UP_MS = 6 * 3_600_000  # market time: a candidate older than its label's horizon is none any more


@dataclass(slots=True)
class WaitingRoom:
    """Symbols that wait, and the models asked for."""

    _since: dict[str, tuple[Need, int]] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)
    _missed: dict[str, float] = field(default_factory=dict)
    _ready: list[str] = field(default_factory=list)

    def enter(self, symbol: str, need: Need, now_ms: int) -> None:
        """A candidate waits from now on; one that waits already keeps its time."""
        since = self._since.get(symbol, (need, now_ms))[1]
        self._since[symbol] = (need, since)

    def leave(self, symbol: str) -> None:
        """It was judged, or is no candidate any more."""
        self._since.pop(symbol, None)

    def waits(self, symbol: str) -> bool:
        """Whether a symbol waits for a model."""
        return symbol in self._since

    def needs(self) -> dict[str, str]:
        """Symbol → the model it waits for."""
        return {symbol: need for symbol, (need, _) in self._since.items()}

    def expire(self, now_ms: int) -> list[str]:
        """Take out and return those that waited too long."""
        gone = [symbol for symbol, (_, since) in self._since.items() if now_ms - since > GIVE_UP_MS]
        for symbol in gone:
            self.leave(symbol)
        return gone

    def should_ask(self, model: str, monotonic_s: float) -> bool:
        """Whether to ask the trainer for a model now; True at most once in ASK_AGAIN_S for each."""
        if model == FEEDBACK and monotonic_s - self._missed.setdefault(model, monotonic_s) < FEEDBACK_PATIENCE_S:
            return False
        before = self._asked.get(model)
        if before is not None and monotonic_s - before < ASK_AGAIN_S:
            return False
        self._asked[model] = monotonic_s
        return True

    def models(self) -> set[str]:
        """Names of the models that somebody waits for: ``feedback``, or a symbol."""
        return {FEEDBACK if need == "feedback" else symbol for symbol, (need, _) in self._since.items()}

    def model_came(self, model: str) -> None:
        """The trainer is done with a model: who waited for it is to be judged afresh."""
        self._missed.pop(model, None)
        for symbol, (need, _) in self._since.items():
            waited_for = FEEDBACK if need == "feedback" else symbol
            if model == waited_for and symbol not in self._ready:
                self._ready.append(symbol)

    def take_ready(self) -> list[str]:
        """Symbols to judge afresh, each once."""
        ready, self._ready = [symbol for symbol in self._ready if symbol in self._since], []
        return ready
