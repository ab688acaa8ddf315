"""The public tape: trades that make up each minute's volume, and the users' own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modules.simulator.randomness import generator
from modules.simulator.universe import DAY_MS, MINUTE_MS, Token
from modules.simulator.venue import Venue

_SEARCH_MINUTES = 720


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade; price in ticks, amount in steps; buyer_maker: a seller hit the bid."""

    ms: int
    price: int
    steps: int
    buyer_maker: bool


def tape(venue: Venue, token: Token, now_ms: int, start_ms: int | None, end_ms: int | None, limit: int) -> list[Print]:
    """The latest `limit` trades of [start, end], newest first, none after now."""
    until = now_ms if end_ms is None else min(now_ms, end_ms)
    since = token.list_ms if start_ms is None else max(start_ms, token.list_ms)
    since = max(since, until - _SEARCH_MINUTES * MINUTE_MS)
    found = [
        Print(fill.ms, int(fill.price.scaleb(token.price_scale)), int(fill.qty.scaleb(token.base_scale)),
              fill.side == "SELL")
        for fill in venue.prints(token.slot) if fill.symbol == token.symbol and since <= fill.ms <= until
    ]
    minute = until // MINUTE_MS
    while minute * MINUTE_MS + MINUTE_MS > since and len(found) < limit + 200:
        found += [p for p in _minute(venue, token, minute) if since <= p.ms <= until]
        minute -= 1
    found.sort(key=lambda p: -p.ms)
    return found[:limit]


def _minute(venue: Venue, token: Token, minute: int) -> list[Print]:
    """The prints of one whole minute; they add up to its volume."""
    corners, volume = venue.market.legs(token.slot, minute)
    if volume < 1:
        return []
    rng = generator(venue.source.key, "prints", token.slot, minute)
    worth = volume * 10.0**-token.base_scale * corners[-1][1] * token.tick
    wanted = int(np.clip(rng.poisson(1.0 + worth / (25.0 + 0.06 * token.adv**0.5)), 1, 60))
    count = int(min(wanted, volume))
    sizes = rng.multinomial(int(volume) - count, rng.dirichlet(np.full(count, 0.6))) + 1
    at = np.sort(rng.random(count))
    mids = np.interp(at, [t for t, _ in corners], [p for _, p in corners])
    calendar = venue.source.calendar(minute * MINUTE_MS // DAY_MS)
    half = 0.5 * float(calendar.rel_spread[token.slot]) * mids
    share = 0.5 + venue.source.pressure(token.slot, minute + 0.5)
    buys = rng.random(count) < share
    low, high = min(p for _, p in corners), max(p for _, p in corners)
    prices = np.clip(np.rint(mids + np.where(buys, half, -half)), low, high)
    return [
        Print(minute * MINUTE_MS + int(t * MINUTE_MS), int(p), int(q), not bool(b))
        for t, p, q, b in zip(at, prices, sizes, buys, strict=True)
    ]
