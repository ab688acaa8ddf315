"""One exchange of ccxt without the others: in a fresh process each, because imports cannot be taken back."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_one_class_costs_little_and_is_ccxts_own() -> None:
    """The ordinary import costs 70 MB more; the tracker must stay well under 100 MB."""
    out = run(
        "import sys, psutil, aiohttp, numpy, msgspec, pydantic\n"
        "from modules.exchange.ccxt_lite import load_class\n"
        "found = load_class('mexc')\n"
        "found({'enableRateLimit': False})\n"
        "import inspect\n"
        "parts = [name for name in sys.modules if name.startswith('ccxt.async_support.')]\n"
        "source = inspect.getsourcefile(found).replace(chr(92), '/')\n"
        "print(psutil.Process().memory_info().rss // 1_000_000, len(parts), source)"
    )
    megabytes, modules, source = out.split(" ", 2)
    assert int(megabytes) < 95
    assert int(modules) < 15
    assert source.endswith("ccxt/async_support/mexc.py")


@pytest.mark.parametrize("package", ["ccxt.async_support", "ccxt.pro"])
def test_later_venues_load_too(package: str) -> None:
    out = run(
        "from modules.exchange.ccxt_lite import load_class\n"
        f"print(*[load_class(name, {package!r})().id for name in ('mexc', 'binanceusdm', 'bitget', 'bybit')])"
    )
    assert out == "mexc binanceusdm bitget bybit"


def test_ccxt_that_is_loaded_already_is_used() -> None:
    out = run(
        "import ccxt.async_support as whole\n"
        "from modules.exchange.ccxt_lite import error_class, load_class\n"
        "import ccxt\n"
        "print(load_class('mexc') is whole.mexc, error_class() is ccxt.BaseError)"
    )
    assert out == "True True"


def test_where_the_shells_do_not_fit_the_whole_is_imported() -> None:
    out = run(
        "import sys\n"
        "from modules.exchange import ccxt_lite\n"
        "ccxt_lite.SHELLS['ccxt'] = ('ccxt.base.nothing',)\n"
        "found = ccxt_lite.load_class('mexc')\n"
        "import ccxt\n"
        "print(found.__name__, type(ccxt).__name__, len(ccxt.exchanges) > 50)"
    )
    assert out == "mexc module True"


def test_other_users_of_ccxt_in_the_process_find_it_whole() -> None:
    out = run(
        "from modules.exchange.ccxt_lite import load_class\n"
        "load_class('mexc')\n"
        "import ccxt, ccxt.pro\n"
        "from ccxt import NetworkError, Exchange\n"
        "print(ccxt.mexc().id, ccxt.async_support.kraken().id, issubclass(ccxt.RequestTimeout, NetworkError),"
        " hasattr(ccxt, 'nothing_at_all'))"
    )
    assert out == "mexc kraken True False"


def test_an_exchange_that_does_not_exist_is_named() -> None:
    out = run(
        "from modules.exchange.ccxt_lite import load_class\n"
        "try:\n    load_class('nowhere')\nexcept AttributeError as problem:\n    print(problem)"
    )
    assert "nowhere" in out
