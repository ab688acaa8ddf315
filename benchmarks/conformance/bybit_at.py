"""ccxt's own bybit (v5, linear contracts, unified account), aimed at a simulator by nothing but its `urls`."""

from typing import Any

from benchmarks.conformance.tally import KEY, SECRET


def urls(base: str) -> dict[str, Any]:
    """The part of `urls` that has to change."""
    sockets = base.replace("http", "ws", 1)
    public = {"spot": f"{sockets}/v5/public/linear", "linear": f"{sockets}/v5/public/linear"}
    private = {"unified": f"{sockets}/v5/private", "contract": f"{sockets}/v5/private",
               "usdc": f"{sockets}/v5/private", "trade": f"{sockets}/v5/trade"}
    return {"api": {**dict.fromkeys(("spot", "futures", "v2", "public", "private"), base),
                    "ws": {"public": public, "private": {"spot": private, **private}}}}


def config(base: str, key: str = KEY, secret: str = SECRET, **options: Any) -> dict[str, Any]:
    """A client's configuration."""
    return {"apiKey": key, "secret": secret, "urls": urls(base), "enableRateLimit": False,
            "options": {"defaultType": "swap", "enableUnifiedAccount": True, **options}}
