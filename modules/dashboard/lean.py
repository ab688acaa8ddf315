"""Market data without what only signing and ccxt's blocking half need: 12 MB less in a process that never trades.

ccxt's base module imports ``requests`` and ``cryptography`` when it is loaded; the async class for public market data
uses neither. While it loads, stand-ins are in their place; afterwards anybody imports the real ones as ever. What a
stand-in is asked to do raises. Measured with ccxt 4.5.90. A later ccxt that does not load so is loaded as usual.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)
ROOTS = ("requests", "cryptography")
NAMES = ("requests", "requests.utils", "requests.exceptions", "cryptography", "cryptography.hazmat",
         "cryptography.hazmat.backends", "cryptography.hazmat.primitives", "cryptography.hazmat.primitives.hashes",
         "cryptography.hazmat.primitives.asymmetric", "cryptography.hazmat.primitives.asymmetric.utils",
         "cryptography.hazmat.primitives.serialization")
_lock = threading.Lock()


class NotHere(Exception):
    """Something was asked of a stand-in: this process only reads public market data."""


class _Named(type):
    """A stand-in's class: it has any name, each a stand-in again (``ec.SECP256K1`` stands in a table of ccxt's)."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _made(name)


def _made(name: str) -> Any:
    return _Named(name, (NotHere,), {"__init__": _refuse})


class _StandIn(ModuleType):
    """A module whose every name is a class that cannot be made; fit for imports and ``except``."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "default_user_agent":
            return lambda: "ccxt"
        made = _made(name)
        setattr(self, name, made)
        return made


def _refuse(self: object, *_: object, **__: object) -> None:
    raise NotHere(f"{type(self).__name__} is left out of a process that only reads public market data")


@contextmanager
def stand_ins() -> Iterator[None]:
    """Stand-ins for what is not loaded yet, taken away at the end."""
    put = [name for name in NAMES if name.partition(".")[0] not in sys.modules]
    for name in put:
        sys.modules[name] = _StandIn(name)
    try:
        yield
    finally:
        for name in put:
            sys.modules.pop(name, None)


def load_market(exchange: str = "mexc") -> None:
    """Load ccxt's class of a venue so, where it is not loaded yet; what goes wrong is left to the usual way."""
    from modules.exchange.ccxt_lite import load_class
    with _lock:
        if "ccxt" in sys.modules or all(root in sys.modules for root in ROOTS):
            return
        try:
            with stand_ins():
                load_class(exchange)({"enableRateLimit": False})
        except (ImportError, AttributeError, KeyError, TypeError, NotHere) as problem:
            log.info("ccxt is loaded with all it imports: %r", problem)
            for name in [name for name in sys.modules if name == "ccxt" or name.startswith("ccxt.")]:
                del sys.modules[name]
