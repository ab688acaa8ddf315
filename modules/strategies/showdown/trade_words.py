"""What system C's execution says to people: class (ERROR, RISK, ORDERS), mode, what, why, what to do (C9).

The same word of the same mode is said again only after `AGAIN_S` or when it changed; every word goes into the table
``logs`` with its class as well.
"""

import time
from collections.abc import Callable
from typing import Any, Literal

from modules.exchange.types import Mode
from modules.execution.futures.plan import Word
from modules.strategies.showdown.positions import Trade
from modules.strategies.showdown.trade_book import Ended
from modules.strategies.showdown.words import because
from modules.supervision.outbox import Level, Outbox

Class = Literal["ERROR", "RISK", "ORDERS"]
AGAIN_S = 1800.0
RISKS = ("risk ", "liquidat", "near ", "bare ", "turned ", "leg ", "setup ", "mode")
ORDERS = ("exit ", "foreign ")
KEPT = 500


class Voice:
    """One voice for the whole service. `put(table, rows)` takes rows for SQL; `now_ms` is market time."""

    def __init__(self, outbox: Outbox, put: Callable[[str, list[dict[str, Any]]], None],
                 now_ms: Callable[[], int]) -> None:
        self._outbox, self._put, self._now_ms = outbox, put, now_ms
        self._said: dict[str, tuple[str, float]] = {}

    def say(self, kind: Class, mode: str, what: str, why: str = "", todo: str = "", *, level: Level = "warning",
            key: str = "") -> None:
        """A notice; with a `key` it is said once for good (an order), else not again soon."""
        episode, now = f"{mode} {kind} {key or what}", time.monotonic()
        before = self._said.get(episode)
        if before is not None and before[0] == f"{what} {why}" and now - before[1] < AGAIN_S:
            return
        self._said.pop(episode, None)
        self._said[episode] = (f"{what} {why}", now)
        for old in list(self._said)[:-KEPT]:
            del self._said[old]
        self._outbox.say(f"{kind} · System C · {what}", mode=mode, why=why, todo=todo, level=level, key=key)
        self._put("logs", [{"ms": self._now_ms(), "service": "showdown", "level": level, "kind": kind,
                            "text": f"[{mode}] {what}" + (f": {why}" if why else "")}])

    def of(self, mode: str) -> Callable[[Word], None]:
        """The voice of a keeper."""
        def hear(word: Word) -> None:
            kind: Class = "RISK" if word.key.startswith(RISKS) else "ORDERS" if word.key.startswith(ORDERS) else "ERROR"
            self.say(kind, mode, word.what, word.why, word.todo or "Nothing: stops stand, it is tried again",
                     level="alert" if word.urgent else "warning")
        return hear

    def refused(self, trade: Trade, why: str) -> None:
        """An entry that did not come about."""
        self.say("ORDERS", trade.mode, f"{name(trade)} was not opened", why,
                 "Nothing: nothing is held. /btc shows the decision", level="info", key=f"showdown-no-{trade.id}")

    def opened(self, trade: Trade, quantity: str, average: str, how: str) -> None:
        """An entry that is over, with something filled."""
        where = "on the exchange" if trade.mode == Mode.LIVE else "on the paper account"
        self.say("ORDERS", trade.mode, f"{name(trade)} opened: {quantity} at {average}",
                 f"Stop {trade.stop:f}, targets {trade.tp1:f} (a part) and {trade.tp2:f} stand {where}; "
                 f"entry: {how}; {because(trade.reason)}",
                 f"Nothing. After {trade.tp1:f} the stop goes to the entry. /closebtc closes it now",
                 level="trade", key=f"showdown-open-{trade.id}")

    def part(self, trade: Trade, stays: str, late: bool) -> None:
        """The first target; `late`: reached while the program was down, closed at the market after it."""
        when = " while the program was down" if late else ""
        self.say("ORDERS", trade.mode, f"{name(trade)}: first target {trade.tp1:f} reached{when}",
                 f"Part was closed{' at the market now' if late else ''}, {stays} stay; the stop goes to the entry",
                 "Nothing", level="trade", key=f"showdown-part-{trade.id}")

    def ended(self, one: Ended) -> None:
        """A trade that is over."""
        again = f"; {one.side} again only after one that says otherwise" if one.by_hand else ""
        self.say("ORDERS", one.mode, f"{one.symbol} {one.side.upper()} closed: {one.net:+.2f} USDT ({one.r:+.2f} R)",
                 f"{one.ended}; in at {one.entry.normalize():f}, out at {one.exit.normalize():f}; "
                 f"fees {one.fees:.2f}, funding {one.funding:+.2f}",
                 "Nothing. The next decision comes by itself" + again,
                 level="trade", key=f"showdown-end-{one.id}")


def name(trade: Trade) -> str:
    """A trade in two words."""
    return f"{trade.symbol} {'LONG' if trade.long else 'SHORT'}"
