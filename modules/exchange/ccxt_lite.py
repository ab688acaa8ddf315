"""Loads one exchange class of ccxt without the other three hundred.

``import ccxt.async_support`` runs the module of every exchange: 72 MB and 0.33 s on the machine it was measured on,
paid by each process. Here the packages ``ccxt``, ``ccxt.async_support`` and ``ccxt.pro`` are entered into
``sys.modules`` as empty shells that know their folders and import a name when it is first asked for; ccxt's own files
then run unchanged. Measured with ccxt 4.5.90 (aiohttp loaded before): 9 MB and 0.07 s for mexc.

Where ccxt is loaded already, or the shells do not fit a later ccxt, the ordinary import is used.
"""

import importlib
import importlib.util
import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

log = logging.getLogger(__name__)

# Each shell, and where the names that its real __init__ gathers are defined.
SHELLS = {
    "ccxt": ("ccxt.base.errors", "ccxt.base.exchange", "ccxt.base.precise", "ccxt.base.decimal_to_precision"),
    "ccxt.async_support": ("ccxt.base.errors", "ccxt.async_support.base.exchange"),
    "ccxt.pro": ("ccxt.base.errors", "ccxt.async_support.base.exchange"),
}


class _Shell(ModuleType):
    """A package that runs no ``__init__``: classes and errors are found when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for source in SHELLS[self.__name__]:
            found = importlib.import_module(source)
            if hasattr(found, name):
                return getattr(found, name)
        try:
            importlib.import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError as missing:
            raise AttributeError(f"{self.__name__} has no {name}") from missing
        return self.__dict__[name]

    def __setattr__(self, name: str, value: object) -> None:
        # The import system binds a submodule to its package; ccxt's own packages rebind it to the class.
        if isinstance(value, ModuleType) and hasattr(value, name):
            value = getattr(value, name)
        super().__setattr__(name, value)


def load_class(exchange: str, package: str = "ccxt.async_support") -> type[Any]:
    """The unmodified class `exchange` of `package` (``ccxt.async_support`` or ``ccxt.pro``).

    Raises ImportError when ccxt is not installed, AttributeError when it has no such exchange.
    """
    if "ccxt" not in sys.modules:
        try:
            _enter_shells()
            return _loaded(exchange, package)
        except (ImportError, AttributeError, KeyError, TypeError) as problem:
            log.info("ccxt is imported as a whole: %s", problem)
            for name in [name for name in sys.modules if name == "ccxt" or name.startswith("ccxt.")]:
                del sys.modules[name]
    return _loaded(exchange, package)


def error_class() -> type[Exception]:
    """ccxt's root of all its exceptions. Call `load_class` first, or the whole of ccxt is loaded for it."""
    found = importlib.import_module("ccxt.base.errors").BaseError
    if not (isinstance(found, type) and issubclass(found, Exception)):
        raise AttributeError("ccxt.base.errors.BaseError is not an exception")
    return found


def _loaded(exchange: str, package: str) -> type[Any]:
    found = getattr(importlib.import_module(package), exchange)
    if not isinstance(found, type):
        raise AttributeError(f"{package}.{exchange} is not a class")
    return found


def _enter_shells() -> None:
    spec = importlib.util.find_spec("ccxt")  # finds the folder, runs nothing
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("ccxt is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name in SHELLS:
        shell = _Shell(name)
        shell.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = shell
    sys.modules["ccxt"].__dict__.update(async_support=sys.modules["ccxt.async_support"], pro=sys.modules["ccxt.pro"])
