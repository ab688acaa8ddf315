"""The private socket of a host's account as a reason to look: what it tells is asked for by REST, never believed.

So a frame that comes twice, late, out of order or cut short costs a question, and one that never comes costs time until
the routine reading (every 30 ticks) sees it. Orders and legs are told apart by REST's own ids and words alone. A socket
of nothing but noise costs a question every `APART_S`, not the address's budget.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modules.strategies.grid import events as ev

if TYPE_CHECKING:
    from modules.exchange.bitget_stream import BitgetStream
    from modules.strategies.grid.live.host import Host

log = logging.getLogger(__name__)

SOON_S = 0.05  # frames of one burst are one reason
APART_S = 1.0
AGAIN_S = 2.0


class Hints:
    """One host's socket. Paper accounts have none."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self.stream: BitgetStream | None = None
        self.heard = 0
        self._looked_at = 0.0
        self._stop_moved = False
        self._task: asyncio.Task[None] | None = None
        self._due: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen with the account's present key; again after another key was put in."""
        self.stop()
        opened = getattr(self.host.account, "stream", None)
        if opened is not None:
            self.stream = opened(self._order, self._gap)
            self._task = asyncio.create_task(self._listen(self.stream), name=f"{self.host.lease.user_id} stream")

    async def _listen(self, stream: "BitgetStream") -> None:
        while True:
            try:
                await stream.run()
            except Exception:  # border of the task: without its socket a grid is read by routine
                log.exception("%s: the private socket failed; it is opened again", self.host.lease.user_id)
            await asyncio.sleep(AGAIN_S)

    @property
    def listens(self) -> bool:
        """Whether there is a socket at all."""
        return self._task is not None

    def stop(self) -> None:
        """Listen no longer."""
        if self._due is not None:
            self._due.cancel()
        if self._task is not None:
            self._task.cancel()
        self._task = self._due = self.stream = None

    async def ended(self) -> None:
        """Stopped, and its task over."""
        task = self._task
        self.stop()
        if task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def _order(self, row: Mapping[str, Any]) -> None:
        if row.get("instId") in (None, self.host.symbol):
            # A stop that we believe to stand: somebody may have cancelled it, or the venue with a new tick size.
            self._stop_moved |= row.get("status") != "live" and row.get("clientOid") in {
                stop.client_id for stop in self.host.memory.stops}
            self._gap("an order changed")

    def _gap(self, why: str) -> None:
        self.heard += 1
        if self._due is None and not self.host.lost:
            loop = asyncio.get_running_loop()
            self._due = loop.call_at(max(loop.time() + SOON_S, self._looked_at + APART_S), self._look)

    def _look(self) -> None:
        """Orders under way first, then both positions; what differs is explained by fills (readings.py)."""
        self._due, self._looked_at = None, asyncio.get_running_loop().time()
        host = self.host
        if host.lost or host.silent or not host.state.started:
            return
        for order in host.state.pending:
            host.begin(f"look {order.slot}", host._look_up(order.slot, order.generation))
        host.readings.ask(ev.What.POSITIONS, urgent=True)
        if self._stop_moved:
            self._stop_moved = False
            host.stops.check()
