"""What the accounts of the futures venues share: asking, sending once, and what an order has to be before it leaves."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from modules.exchange.classify import Answer
from modules.exchange.futures_types import TriggerRequest, Wallet, opens
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.prompt import promptly
from modules.exchange.types import (
    Accepted,
    Balance,
    OrderRequest,
    OrderType,
    Outcome,
    PositionSide,
    Refused,
    Unavailable,
    Unknown,
)
from modules.exchange.wire import Endpoint, Wire

T = TypeVar("T")
Params = Mapping[str, str | int]

ASSET = "USDT"
SPAN_MS = 7 * 86_400_000 - 1
AHEAD_MS = 60_000  # our clock may be behind; the newest row must not be missed


class VenueAccount(ABC):
    """One account of one venue. Subclasses set `link` and `_wire`, and know the words."""

    link: Link
    _wire: Wire
    already_so: frozenset[str] = frozenset()  # codes of a setting that is as it was asked to be

    async def _ask(self, endpoint: Endpoint, params: Params, lane: Lane, *, soon: bool = False) -> str:
        """A query's answer; `soon`: guarding waits for it (``prompt``). Raises Unavailable."""
        def ask() -> Coroutine[Any, Any, str]:
            return self.link.ask(self._wire, endpoint, params, lane)

        return await (promptly(ask) if soon else ask())

    async def _read(self, endpoint: Endpoint, params: Params, read: Callable[[str], T], lane: Lane, *,
                    soon: bool = False) -> T:
        """A query's answer, read. Raises Unavailable."""
        body = await self._ask(endpoint, params, lane, soon=soon)
        return self.link.readable(lambda: read(body), endpoint)

    async def _send(self, endpoint: Endpoint, params: Params, lane: Lane, read: Callable[[str], Outcome]) -> Outcome:
        """Once (X4); whoever comes next finds clock and address mended."""
        share = 0.5 if lane is Lane.ENTRY else 3.0
        reply = await self._wire.send(endpoint, params, lane, self.link.settings.timeout_s * share)
        if isinstance(reply, Answer):
            try:
                return self.link.readable(lambda: read(reply.body), endpoint)
            except Unavailable as problem:
                return Unknown(str(problem))
        await self.link.recover(reply)
        return reply

    async def _set(self, endpoint: Endpoint, params: Params,
                   read: Callable[[str], Outcome] = lambda body: Accepted("")) -> Outcome:
        """Change a setting; as it was asked to be already is as good."""
        outcome = await self._send(endpoint, params, Lane.EXIT, read)
        return Accepted("") if isinstance(outcome, Refused) and outcome.code in self.already_so else outcome

    def _until_ms(self) -> int:
        """Up to when lists are asked for."""
        return self.link.clock.now_ms() + AHEAD_MS

    @abstractmethod
    async def wallet(self) -> Wallet:
        """The account's USDT."""

    async def balances(self) -> dict[str, Balance]:
        """The account's USDT: what is free, and what is tied up."""
        wallet = await self.wallet()
        return {ASSET: Balance(ASSET, wallet.available, wallet.equity - wallet.available)}

    async def close(self) -> None:  # noqa: B027 - nothing to release is right for all of them
        """The link is the market data's; nothing of this account's own is left to release."""


def weeks(since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
    """Seven days at a time, first and last ms: the venues show no more in one answer."""
    start = since_ms
    while start <= until_ms:
        end = min(start + SPAN_MS, until_ms)
        yield start, end
        start = end + 1


def plain(value: Decimal) -> str:
    """Without exponent or trailing zeros, as the venues want it."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity_of(request: OrderRequest) -> Decimal:
    """The quantity of an order, in base. Raises ValueError for a senseless order."""
    if request.quantity is None or request.quote_quantity is not None:
        raise ValueError("an order on futures has a quantity in base")
    if (request.type is OrderType.MARKET) == (request.price is not None):
        raise ValueError("a market order has no price, every other order has one")
    return request.quantity


def closes(request: OrderRequest) -> bool:
    """Whether an order closes: by its side in hedge mode, else where it says so.

    Raises ValueError for one that opens by its side and says that it reduces.
    """
    if request.position_side is PositionSide.BOTH:
        return request.reduce_only
    opening = opens(request.side, request.position_side)
    if request.reduce_only and opening:
        raise ValueError(f"{request.symbol}: {request.side} on {request.position_side} opens and cannot reduce")
    return not opening


def lane_of(request: OrderRequest) -> Lane:
    """What opens goes in the lane of entries, what closes in that of exits (X31)."""
    return Lane.EXIT if closes(request) else Lane.ENTRY


def closing_only(request: TriggerRequest) -> None:
    """A conditional order never opens. Raises ValueError for one that would."""
    if request.position_side is not PositionSide.BOTH and opens(request.side, request.position_side):
        raise ValueError(f"{request.symbol}: {request.side} on {request.position_side} would open a position")
