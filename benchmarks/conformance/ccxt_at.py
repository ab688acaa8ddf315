"""ccxt's own binanceusdm, aimed at a simulator by nothing but its `urls`."""

from typing import Any

from benchmarks.conformance.tally import KEY, SECRET

PRIVATE = ("", "V2", "V3")


def urls(base: str) -> dict[str, Any]:
    """The part of `urls` that has to change. Sockets: the venue's three families."""
    api = {f"fapi{kind}{version}": f"{base}/fapi/v{version[1:] or '1'}"
           for kind in ("Public", "Private") for version in PRIVATE}
    sockets = base.replace("http", "ws", 1)
    api |= {"fapiData": f"{base}/futures/data", "sapi": f"{base}/sapi/v1", "public": f"{base}/api/v3",
            "private": f"{base}/api/v3"}
    return {"api": {**api, "ws": {"linear": sockets, "linearPublic": sockets, "future": f"{sockets}/ws"}}}


def config(base: str, keys: bool = True) -> dict[str, Any]:
    """A client's configuration."""
    held = {"apiKey": KEY, "secret": SECRET} if keys else {}
    return {**held, "urls": urls(base), "enableRateLimit": False,
            "options": {"warnOnFetchOpenOrdersWithoutSymbol": False}}
