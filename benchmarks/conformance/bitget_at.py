"""ccxt's own bitget (classic account), aimed at a simulator by nothing but its `urls`."""

from typing import Any

from benchmarks.conformance.tally import KEY, SECRET

PASSPHRASE = "sim-passphrase"


def urls(base: str) -> dict[str, Any]:
    """The part of `urls` that has to change."""
    sockets = base.replace("http", "ws", 1)
    public, private = f"{sockets}/v2/ws/public", f"{sockets}/v2/ws/private"
    rooms = ("spot", "mix", "user", "p2p", "broker", "margin", "common", "tax", "convert", "copy", "earn", "uta")
    return {"api": {**dict.fromkeys(rooms, base), "ws": {"public": public, "private": private},
                    "demo": {"public": public, "private": private}}}


def config(base: str, key: str = KEY, secret: str = SECRET, **options: Any) -> dict[str, Any]:
    """A client's configuration."""
    return {"apiKey": key, "secret": secret, "password": PASSPHRASE, "urls": urls(base), "enableRateLimit": False,
            "options": {"uta": False, "defaultType": "swap", **options}}
