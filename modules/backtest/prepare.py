"""Compilation switched on before the rules are imported, with a cache that a changed rule can never survive.

Numba's cache looks at the file of a compiled function, not at the files of the functions it calls: after a change in
exits.py the engine would go on with the old exits. So the cache lies in a folder named after the sources.
"""

import hashlib
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from modules.learning.quiet import without
from utils.environment import to_install

HERE = Path(__file__).resolve().parent
PARTS = (*(f"modules/backtest/{name}.py" for name in ("arrays", "book", "engine", "measure",
                                                       "optimise/sweep", "walk")),
         *(f"modules/backtest/ticks/{name}.py" for name in ("arena", "books", "engine", "feed", "imbalance", "tape",
                                                             "tape_kernels")),
         *(f"modules/exchange/orderbook/{name}.py" for name in ("jit", "layout", "parse_kernels")),
         "modules/strategies/hype/exits.py", "utils/compiled.py", "modules/backtest/ticks/signal_trial.py",
         *(f"modules/strategies/signals/{name}.py" for name in ("follow", "rules")),
         "modules/backtest/scalper.py", "modules/backtest/ticks/scalper.py", "modules/backtest/ticks/grid_kernels.py",
         *(f"modules/strategies/scalper/{name}.py" for name in ("flow", "rules", "taking", "terms")),
         *(f"modules/strategies/grid/{name}.py" for name in ("backtest", "indicators", "rules")))


def compiled(cache: Path) -> str:
    """Have the kernels compiled from here on; returns "" or the reason why they run as plain Python.

    To be called before the engine or the exit rules are imported. `cache` is the folder of compiled code.
    """
    if importlib.util.find_spec("numba") is None:
        return f"numba is not installed ({to_install('requirements-backtest.txt')})"
    if "utils.compiled" in sys.modules:
        return "" if sys.modules["utils.compiled"].COMPILED else "the rules were loaded as plain Python before"
    os.environ["COXSWAIN_COMPILED"] = "1"
    if "NUMBA_CACHE_DIR" not in os.environ:
        folder = cache / f"compiled-{digest()}"
        for old in cache.glob("compiled-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
        os.environ["NUMBA_CACHE_DIR"] = str(folder)
        _fill(folder)
    with without("scipy"):  # numba would load it for linear algebra that no kernel uses: 40 MB, a third of a second
        importlib.import_module("numba.np.arraymath")
    return ""


def fresh(cache: Path) -> bool:
    """Whether `compiled` will have to compile everything first: about half a minute, once."""
    return (importlib.util.find_spec("numba") is not None and "NUMBA_CACHE_DIR" not in os.environ
            and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0") and not (cache / f"compiled-{digest()}").exists())


def _fill(folder: Path) -> None:
    """Compile into an empty cache in a process of its own (warm.py); where that fails, it is done in this one."""
    try:
        folder.mkdir(parents=True)
    except OSError:  # another process was first, or nothing can be written: then this one compiles
        return
    subprocess.run([sys.executable, "-m", "modules.backtest.warm"], cwd=HERE.parents[1], check=False,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def digest() -> str:
    """One hash over all sources that take part in a compilation."""
    seen = hashlib.sha256(sys.version.encode())
    root = HERE.parents[1]
    for part in PARTS:
        seen.update(part.encode() + (root / part).read_bytes())
    return seen.hexdigest()[:16]
