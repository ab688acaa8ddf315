"""Compiled rules for the live process: switched on before they are imported, with a cache named after their sources.

Without numba everything works as plain Python: a look then takes about a hundred times as long.
"""

import hashlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

from utils.environment import to_install

HERE = Path(__file__).resolve().parent
SOURCES = ("flow.py", "rules.py", "taking.py", "terms.py")


def compile_rules(cache: Path) -> str:
    """Have the kernels compiled from here on; "" or the reason why they run as plain Python. Before `flow` and `rules`
    are imported."""
    if importlib.util.find_spec("numba") is None:
        return f"numba is not installed ({to_install('requirements-backtest.txt')})"
    if "utils.compiled" in sys.modules:
        return "" if sys.modules["utils.compiled"].COMPILED else "the rules were loaded as plain Python before"
    os.environ["COXSWAIN_COMPILED"] = "1"
    if "NUMBA_CACHE_DIR" not in os.environ:
        folder = cache / f"scalper-{digest()}"
        for old in cache.glob("scalper-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
    return ""


def digest() -> str:
    """One hash over all sources that take part."""
    seen = hashlib.sha256(sys.version.encode())
    for name in SOURCES:
        seen.update((HERE / name).read_bytes())
    return seen.hexdigest()[:16]
