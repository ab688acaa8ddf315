"""Whatever is asked, the venue answers with an answer or a refusal of its own, never with a stumble."""

from __future__ import annotations

import hashlib
import hmac
import random
from urllib.parse import urlencode

from modules.simulator.dialects.binance import Access, BinanceDialect
from modules.simulator.dialects.binance_auth import BinanceGate
from modules.simulator.dialects.binance_routes import routes
from modules.simulator.dialects.binance_weights import BinanceWeights, Limits
from modules.simulator.dialects.call import Request
from modules.simulator.perp.api import Account
from modules.simulator.perp.venue import PerpVenue
from modules.simulator.sockets.listen_keys import ListenKeys
from tests.simulator.served import START_MS

_TEXTS = ("", "0", "-1", "1", "5", "0.001", "1e9", "99999999999999999999", "BTCUSDT", "ETHUSDT", "NOPE", "true", "[]",
          "[1]", '["a"]', "{", "null", "BUY", "LIMIT", "MARKET", "é", "\x00", "60000.1", str(START_MS), "-0", "1.",
          ".1")


def _value(rng: random.Random, name: str, values: frozenset[str] | None) -> str:
    """Something for a parameter: often what fits, otherwise anything."""
    if values is not None and rng.random() < 0.8:
        return rng.choice(sorted(values))
    if name in ("symbol", "pair") and rng.random() < 0.8:
        return "BTCUSDT"
    if name == "type" and rng.random() < 0.8:
        return rng.choice(("LIMIT", "MARKET", "STOP", "STOP_MARKET", "TRAILING_STOP_MARKET", "1", "2"))
    if name in ("quantity", "price", "triggerPrice") and rng.random() < 0.6:
        return rng.choice(("0.002", "0.01", "60000.1", "55000", "63000", "5"))
    return rng.choice(_TEXTS)


async def test_random_requests_of_every_route() -> None:
    clock, rng = [START_MS], random.Random(11)
    venue = PerpVenue(2, 1, lambda: clock[0], [Account("trader", "key", "secret")])
    limits = Limits(weight_1m=10**9, orders_10s=10**9, orders_1m=10**9, slow_5m=10**9)
    table = routes(venue, ListenKeys(lambda: clock[0]), limits)
    dialect = BinanceDialect(BinanceGate(venue.by_key, 1.0), BinanceWeights(limits, 1.0), table, venue.now)
    answered: set[tuple[str, str]] = set()
    for turn in range(25):
        for (method, path), route in table.items():
            chosen = {
                name: _value(rng, name, param.values) for name, param in route.params.items()
                if param.needed or rng.random() < 0.35}
            query = urlencode(chosen)
            if route.access is Access.SIGNED:
                query += ("&" if query else "") + f"timestamp={clock[0]}"
                query += "&signature=" + hmac.new(b"secret", query.encode(), hashlib.sha256).hexdigest()
            reply = await dialect.handle(Request(
                method, path, query, "", {"X-MBX-APIKEY": "key"}, "127.0.0.1"))
            assert reply.status in (200, 400), (method, path, chosen, reply)
            if reply.status == 200:
                answered.add((method, path))
        clock[0] += 700 * (turn % 3)
    assert len(answered) > len(table) * 0.8
    account = venue.accounts["trader"]
    assert account.wallet == sum(row.amount for row in venue.income_of(account))
