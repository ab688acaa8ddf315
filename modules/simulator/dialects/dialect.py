"""What the futures dialects share: a request becomes a call, a refusal an answer in the dialect's words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modules.simulator.dialects.call import Request
from modules.simulator.dialects.declined import Declined
from modules.simulator.dialects.reply import Ready, Reply
from modules.simulator.perp.api import Account, Refused

if TYPE_CHECKING:
    from modules.simulator.perp_past import PerpSeen


@dataclass(slots=True)
class Turn:
    """One request being answered."""

    request: Request
    ms: int
    told_ms: int  # what the venue says the time is
    seen: PerpSeen | None  # reads of the account as this replica knows it
    out: dict[str, str]  # headers of the answer


class Dialect(ABC):
    """The wire of one simulated venue. `now` is the market's clock, `shift_ms` how wrong the told one is."""

    def __init__(self, now: Callable[[], int], shift_ms: Callable[[], int] = lambda: 0) -> None:
        self._now, self._shift_ms = now, shift_ms

    async def handle(self, request: Request, seen: PerpSeen | None = None) -> Reply:
        """Answer one request; reads of the account as `seen`."""
        ms = self._now()
        turn = Turn(request, ms, ms + self._shift_ms(), seen, {})
        try:
            result = await self._answer(turn)
        except (Refused, Declined) as problem:
            refusal = self._translated(problem) if isinstance(problem, Refused) else problem
            return Reply(refusal.status, self._refusal(refusal, turn.told_ms), turn.out)
        if isinstance(result, Reply):
            return result
        return Reply(200, result if isinstance(result, Ready) else self._success(result, turn.told_ms), turn.out)

    @abstractmethod
    async def _answer(self, turn: Turn) -> object:
        """What the answer holds, or a whole reply. Raises Refused, Declined."""

    @abstractmethod
    def _translated(self, refused: Refused) -> Declined:
        """A refusal of the venue in the dialect's words."""

    @abstractmethod
    def _refusal(self, problem: Declined, told_ms: int) -> str:
        """The body of a refusal."""

    @abstractmethod
    def _success(self, result: object, told_ms: int) -> str:
        """The body of an answer."""

    @abstractmethod
    def params_of(self, request: Request) -> dict[str, Any]:
        """A request's parameters as far as they can be read; never refuses."""

    @abstractmethod
    def owner(self, key: str | None) -> Account | None:
        """The account of a key, None where there is none; never refuses."""
