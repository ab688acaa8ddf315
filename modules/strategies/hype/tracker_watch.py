"""What the tracker keeps an eye on besides prices: halts, prices that stay away, time unguarded, the end of days."""

import logging
import time
from collections.abc import Mapping
from decimal import Decimal

import numpy as np

from modules.exchange.api import MarketData
from modules.exchange.types import Market, Unavailable
from modules.strategies.hype import tracker_words
from modules.strategies.hype.desk import Desk

log = logging.getLogger(__name__)

STALE_LEAST_S = 5.0
UNGUARDED_WORTH_TELLING_MS = 60_000
SIGHTINGS = 2


class Halts:
    """States `halted` and `delisted` of held tokens (A11)."""

    def __init__(self) -> None:
        self._missing: dict[str, int] = {}

    def update(self, desk: Desk, markets: Mapping[str, Market]) -> None:
        """Compare with a fresh list of markets. A pair is gone only when two lists in a row lack it (X15)."""
        for symbol, position in list(desk.positions.items()):
            market = markets.get(symbol)
            key = f"{desk.mode.value} {symbol}"
            self._missing[key] = self._missing.get(key, 0) + 1 if market is None else 0
            if market is None:
                state = "delisted" if self._missing[key] >= SIGHTINGS else position.state
            elif not (market.trading and market.api_allowed and market.sells):
                state = "halted"
            elif position.state in ("halted", "delisted"):
                state = "closing" if position.reason else "open"
            else:
                continue
            if state == position.state or position.state == "external":
                continue
            changed = desk.change(symbol, state=state)
            desk.urgent = True
            if state in ("halted", "delisted"):
                desk.say(**tracker_words.halted(changed, state), level="alert")
            else:
                desk.say(**tracker_words.resumed(changed), level="warning")


class Stale:
    """Tells once per episode that a held token has no trustworthy price."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._seen: dict[str, tuple[int, float]] = {}
        self._told: set[str] = set()

    def update(self, desk: Desk, bids: Mapping[str, Decimal], now_ms: int) -> None:
        """After every look. Old by market time *and* by ours: at high speed a breath is minutes of market time."""
        mark = time.monotonic()
        for symbol, position in desk.positions.items():
            key = f"{desk.mode.value} {symbol}"
            if symbol in bids or position.state not in ("open", "closing"):
                self._seen[key] = (now_ms, mark)
                self._told.discard(key)
                continue
            since_ms, since = self._seen.setdefault(key, (now_ms, mark))
            age_s = (now_ms - since_ms) / 1000
            if age_s > self._after_s and mark - since > STALE_LEAST_S and key not in self._told:
                self._told.add(key)
                desk.say(**tracker_words.stale(position, age_s), level="alert")

    @property
    def count(self) -> int:
        """How many held tokens are without a price."""
        return len(self._told)


class Unguarded:
    """The first message after a start: how long positions were unguarded and what their prices did (P16)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._since = {symbol: (position.last_seen_ms or position.opened_ms, position.last_price)
                       for symbol, position in desk.positions.items()}
        self.done = not self._since

    async def report(self, market: MarketData, bids: Mapping[str, Decimal], now_ms: int) -> None:
        """Once prices are there: tell it, if it was long enough to matter."""
        self.done = True
        gap_ms = now_ms - min(since for since, _ in self._since.values())
        if gap_ms < UNGUARDED_WORTH_TELLING_MS:
            return
        lines = [await self._line(market, symbol, bids.get(symbol), now_ms) for symbol in sorted(self._since)]
        self._desk.say(f"{len(self._since)} positions were unguarded for {spell(gap_ms)}", why="\n".join(lines),
                       todo="They are guarded again from now.", level="warning")

    async def _line(self, market: MarketData, symbol: str, bid: Decimal | None, now_ms: int) -> str:
        since_ms, then = self._since[symbol]
        if bid is None or not then:
            return f"{symbol}: no price yet"
        parts = [f"{symbol}: now {(bid / then - 1) * 100:+.1f} %"]
        try:
            minutes = min(max((now_ms - since_ms) // 60_000 + 1, 2), 1000)
            candles = await market.candles(symbol, "1m", int(minutes))
            between = candles[candles[:, 0] >= since_ms - 60_000]
            if len(between):
                low, high = float(np.nanmin(between[:, 3])), float(np.nanmax(between[:, 2]))
                parts.append(f"low {_moved(low, then)}, high {_moved(high, then)}")
        except Unavailable as problem:
            log.warning("candles of %s since the last look: %s", symbol, problem)
            parts.append("what it did in between is not known")
        return ", ".join(parts)


def _moved(price: float, since: Decimal) -> str:
    return f"{(price / float(since) - 1) * 100:+.1f} %"


def spell(ms: int) -> str:
    """A span of time for people."""
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds / 3600:.1f} h"


async def close_days(desk: Desk, now_ms: int) -> None:
    """Write the summaries of days that have ended, each once, and tell them. Raises OSError."""
    newest = desk.files.summaries.newest(1)
    for day in desk.trades.days_to_close(now_ms, newest[-1] if newest else None):
        desk.files.summaries.append(day)
        desk.say(f"Day {day.day}: {day.pnl_usdt:+.2f} USDT in {day.trades} closed trades",
                 why=f"{day.wins} won, fees {day.fees_usdt:.2f}", key=f"day-{desk.mode.value}-{day.day}",
                 todo=f"Best {day.best} · worst {day.worst}" if day.best else "")
