"""How long orders took from the price that asked for them, for people and benchmarks. Instants of `monotonic`, s."""

from collections import deque

KEPT = 64


class Delays:
    """One host's. `sent`: until an order was handed to the account, its state saved; `answered`: until the exchange's
    answer, the wait for a turn of the address and both ways included."""

    def __init__(self) -> None:
        self.sent: deque[float] = deque(maxlen=KEPT)
        self.answered: deque[float] = deque(maxlen=KEPT)
        self._wished = 0.0

    def wish(self, at: float) -> None:
        """A price asks for an opening order; the balance is read first (E7)."""
        self._wished = self._wished or at

    def over(self) -> None:
        """The balance came, and no order with it."""
        self._wished = 0.0

    def since(self, opens: bool, at: float) -> float:
        """When the price came that an order decided at `at` goes back to."""
        return self._wished if opens and self._wished else at

    def clear(self) -> None:
        """Count anew."""
        self.sent.clear()
        self.answered.clear()
