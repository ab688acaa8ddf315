"""Requests made by hand, whatever comes back; and what has to be true of a venue at any time."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientError, ClientTimeout

from tests.simulator.conftest import Running


@dataclass(frozen=True)
class Got:
    """What came back: an answer, or the name of what went wrong on the way."""

    status: int = 0
    text: str = ""
    retry_after: str | None = None
    error: str = ""

    @property
    def json(self) -> Any:
        """The answer's content. Raises ValueError where it is not JSON."""
        return json.loads(self.text)


async def ask(
    venue: Running, method: str, path: str, params: dict[str, Any] | None = None, *, signed: bool = True,
    timeout_s: float = 60.0, key: str = "sim-key", secret: str = "sim-secret",
) -> Got:
    """One request to /api/v3/, signed with the market time that the venue truly has."""
    query = dict(params or {})
    if signed:
        query |= {"timestamp": venue.simulator.clock.now(), "recvWindow": 5000}
    text = urlencode(query)
    if signed:
        text += "&signature=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    url = f"{venue.base}/api/v3/{path}" + ("?" + text if text else "")
    try:
        async with venue.session.request(
                method, url, headers={"X-MEXC-APIKEY": key}, timeout=ClientTimeout(total=timeout_s)) as answer:
            return Got(answer.status, await answer.text(), answer.headers.get("Retry-After"))
    except (ClientError, TimeoutError, ConnectionError) as problem:
        return Got(error=type(problem).__name__)


async def plan(venue: Running, content: Any) -> None:
    """Give the venue a fault plan."""
    async with venue.session.post(venue.base + "/sim/faults", json=content) as answer:
        assert answer.status == 200, await answer.text()


async def act(venue: Running, **what: Any) -> None:
    """Do something to the venue."""
    async with venue.session.post(venue.base + "/sim/act", json=what) as answer:
        assert answer.status == 200, await answer.text()


async def refused_act(venue: Running, **what: Any) -> tuple[int, str]:
    """An act that cannot be done: (status, error)."""
    async with venue.session.post(venue.base + "/sim/act", json=what) as answer:
        return answer.status, (await answer.json())["error"]


async def truth(venue: Running) -> dict[str, Any]:
    """The venue's own truth of the trader."""
    return dict((await venue.get("/sim/truth"))[1]["accounts"]["trader"])


async def injected(venue: Running) -> dict[str, dict[str, int]]:
    """What was injected, by kind and class."""
    return dict((await venue.get("/sim/status"))[1]["faults"]["by_kind"])


def conserved(mine: dict[str, Any], start_usdt: int = 10_000) -> None:
    """Money is where fills, fees and transfers have put it; holds and sums of orders agree; nothing is negative."""
    expected: dict[str, Decimal] = defaultdict(Decimal)
    expected["USDT"] = Decimal(start_usdt)
    for transfer in mine["transfers"]:
        expected[transfer["asset"]] += Decimal(transfer["amount"])
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for fill in mine["fills"]:
        sign = 1 if fill["side"] == "BUY" else -1
        expected[fill["symbol"].removesuffix("USDT")] += sign * Decimal(fill["qty"])
        expected["USDT"] -= sign * Decimal(fill["quote"])
        expected[fill["fee_asset"]] -= Decimal(fill["fee"])
        filled[fill["order"]] += Decimal(fill["qty"])
    held: dict[str, Decimal] = defaultdict(Decimal)
    for order in mine["orders"]:
        assert filled[order["id"]] == Decimal(order["filled_qty"]), order
        held["USDT" if order["side"] == "BUY" else order["base"]] += Decimal(order["hold"])
    assert len({fill["id"] for fill in mine["fills"]}) == len(mine["fills"])
    for asset in {*expected, *mine["balances"]}:
        balance = mine["balances"].get(asset, {"free": "0", "locked": "0"})
        free, locked = Decimal(balance["free"]), Decimal(balance["locked"])
        assert free >= 0 and locked >= 0, asset
        assert free + locked == expected[asset], asset
        assert locked == held[asset], asset
