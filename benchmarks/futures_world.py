"""One simulated futures venue and one trader that is killed again and again; what the venue says is the verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.futures_trader import SYSTEM
from modules.exchange.types import PositionSide
from modules.execution.crashpoints import AT, EXIT_CRASHED
from modules.execution.futures.books import FuturesBooks
from modules.execution.futures.plan import FuturesState, LegKey
from modules.execution.journal import read_journal
from modules.storage.json_state import JsonFile
from modules.supervision.messages import Inbox
from utils.paths import Paths

PROJECT = Path(__file__).resolve().parent.parent
PATIENCE_S = 45.0
# The venue grants weight by its own minute: a faster market lets a trader start anew every few seconds.
SPEED = 6
TRADER = "trader"
# Enough margin to take more than the best level offers: only so is an order filled in parts.
DEPOSIT = "990000"
STOPS = ("STOP", "STOP_MARKET", "TRAILING_STOP_MARKET")


class WorldError(Exception):
    """The world itself does not work; says nothing of the trader's money."""


def naked(account: dict[str, Any]) -> set[str]:
    """Legs that hold something which no waiting stop of the venue covers."""
    covered: dict[tuple[str, str], Decimal] = {}
    for algo in account["algos"]:
        if algo["status"] == "NEW" and algo["kind"] in STOPS:
            leg = (algo["symbol"], algo["leg"])
            much = Decimal("1e30") if algo["close_position"] else Decimal(algo["qty"])
            covered[leg] = max(covered.get(leg, Decimal(0)), much)
    return {f"{row['symbol']} {row['leg']}" for row in account["positions"]
            if covered.get((row["symbol"], row["leg"]), Decimal(0)) < abs(Decimal(row["qty"]))}


class Watch:
    """How long any leg stood without a stop, by the venue's own words, looked at every `period_s`.

    `gaps`: (seconds, leg, when it ended by the monotonic clock); `seen`: the account as it was last looked at.
    """

    def __init__(self, ask: Callable[[str], Any], period_s: float = 0.05) -> None:
        self._ask, self._period_s = ask, period_s
        self.gaps: list[tuple[float, str, float]] = []
        self.seen: dict[str, Any] = {}
        self._since: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                told = self._ask("/sim/truth")["futures"]
                account = told["accounts"][TRADER]
                self.seen = {**account, "marks": told["marks"]}
                bare = naked(account)
            except (OSError, ValueError, KeyError, urllib.error.URLError):
                continue
            now = time.monotonic()
            for leg in [leg for leg in self._since if leg not in bare]:
                self.gaps.append((now - self._since.pop(leg), leg, now))
            for leg in bare:
                self._since.setdefault(leg, now)

    def longest(self) -> float:
        """Seconds, a gap that lasts still included."""
        now = time.monotonic()
        return max([gap[0] for gap in self.gaps] + [now - since for since in self._since.values()], default=0)

    def close(self) -> None:
        """End it."""
        self._over.set()
        self._thread.join(5)


class World:
    """A home, a venue, at most one trader. Use as a context. `system` and `program` name who trades."""

    system, program = SYSTEM, "benchmarks.futures_trader"

    def __init__(self, home: Path, *, seed: int = 3, start: str = "2025-03-01T10:00:00", hedge: bool = True,
                 futures: int = 8, look_s: float = 0.05) -> None:
        self.home, self.paths = home, Paths(home).prepare()
        self.inbox = Inbox(self.paths.inbox, self.system)
        self.trader: subprocess.Popen[bytes] | None = None
        self.hedge, self.armed = hedge, False
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith(("COXSWAIN_", "FUTURES_", "BINANCE_", "SIMULATOR_"))}
        self.environment |= {"COXSWAIN_HOME": str(home), "PYTHONUNBUFFERED": "1", "FUTURES_HEDGE": str(int(hedge))}
        self._simulator = subprocess.Popen(
            [sys.executable, str(PROJECT / "bot.py"), "simulate", "--port", "0", "--futures", str(futures), "--tokens",
             "5", "--seed", str(seed), "--start", start, "--speed", str(SPEED)], cwd=PROJECT, env=self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
        assert self._simulator.stdout is not None
        line = self._simulator.stdout.readline()
        if "http://" not in line:
            self._simulator.kill()
            raise WorldError(f"the simulator does not start: {line}")
        self.url = "http://" + line.split("http://")[1].split()[0].rstrip("/")
        self.environment["FUTURES_BASE_URL"] = self.url
        self.symbols = ("ETHUSDT", "SOLUSDT", "BTCUSDT")
        self.ask("/fapi/v1/exchangeInfo")  # the futures begin with the first request
        self.act(action="transfer", amount=DEPOSIT)
        self.watch = Watch(self.ask, look_s)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.close()
        self.kill()
        self._simulator.kill()
        self._simulator.wait(20)
        assert self._simulator.stdout is not None
        self._simulator.stdout.close()

    # -- the venue -------------------------------------------------------------------------------------------

    def ask(self, path: str, body: Any = None) -> Any:
        """The simulator's answer. Raises OSError."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.url + path, data=data), timeout=20) as answer:
            return json.load(answer)

    def truth(self) -> dict[str, Any]:
        """The account as the venue holds it."""
        found: dict[str, Any] = self.ask("/sim/truth")["futures"]["accounts"][TRADER]
        return found

    def act(self, **what: Any) -> None:
        """The owner's or the venue's hand."""
        self.ask("/sim/act", {"futures": True, **what})

    def mark(self, symbol: str) -> Decimal:
        """Mark price."""
        return Decimal(self.ask(f"/fapi/v1/premiumIndex?symbol={symbol}")["markPrice"])

    def book(self, symbol: str) -> dict[str, Any]:
        """Best levels."""
        found: dict[str, Any] = self.ask(f"/fapi/v1/depth?symbol={symbol}&limit=5")
        return found

    # -- the trader ------------------------------------------------------------------------------------------

    def start(self, crash_at: str = "") -> None:
        """A trader; with `crash_at` one that ends itself there."""
        self.kill()
        self.armed = bool(crash_at)
        (self.paths.run / "trader.json").unlink(missing_ok=True)
        environment = {**self.environment, AT: crash_at} if crash_at else self.environment
        with open(self.home / "trader.log", "ab") as log:
            self.trader = subprocess.Popen([sys.executable, "-m", self.program, *self.symbols],
                                           cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        """kill -9, if one runs."""
        if self.trader is not None:
            self.trader.kill()
            self.trader.wait(20)
            self.trader = None

    @property
    def crashed(self) -> bool:
        """Whether it ended itself at its crash point. Raises WorldError for any other end."""
        code = None if self.trader is None else self.trader.poll()
        if code not in (None, EXIT_CRASHED):
            raise WorldError(f"the trader ended with code {code}: {self.log_tail()}")
        return code == EXIT_CRASHED

    def status(self) -> dict[str, Any]:
        """What the trader tells; empty before it does."""
        try:
            found: dict[str, Any] = json.loads((self.paths.run / "trader.json").read_text("utf-8"))
            return found
        except (OSError, ValueError):
            return {}

    def at_rest(self) -> bool:
        """Whether nothing is under way and everything has been read since."""
        told = self.status()
        closing = any(told.get("plans", {"?": "?"}).values())
        return bool(told.get("opened")) and not told["open"] and not told["waiting"] and not told["bare"] \
            and not closing and not self.inbox.waiting() and told["clean"] is True

    def wait(self, condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
        """Until a condition holds. Raises WorldError when it does not in time."""
        end = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > end:
                raise WorldError(f"not within {patience_s:.0f} s: {what}; {self.status()} {self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self) -> str:
        """The end of the trader's output."""
        path = self.home / "trader.log"
        return "\n".join(path.read_text("utf-8", "replace").splitlines()[-25:]) if path.exists() else "no log"

    # -- wishes ------------------------------------------------------------------------------------------------

    def enter(self, symbol: str, long: bool = True, kind: str = "MARKET", notional: int = 600,
              **more: Any) -> None:
        """An entry of about `notional` USDT with a stop 6 % and a target 9 % away."""
        mark = self.mark(symbol)
        quantity = (Decimal(notional) / mark).quantize(Decimal(1) if symbol == "SOLUSDT" else Decimal("0.01"))
        sign = 1 if long else -1
        body = {"symbol": symbol, "long": long, "type": kind, "quantity": str(quantity),
                "stop": f"{mark * (1 - sign * Decimal('0.06')):.1f}",
                "take": f"{mark * (1 + sign * Decimal('0.09')):.1f}", **more}
        self.inbox.post("enter", body, "world")

    def leg(self, symbol: str, long: bool = True) -> dict[str, str]:
        """How a leg is named in a wish."""
        side = ("LONG" if long else "SHORT") if self.hedge else "BOTH"
        return {"symbol": symbol, "side": side}

    def held(self) -> list[dict[str, Any]]:
        """Positions by the venue."""
        found: list[dict[str, Any]] = self.truth()["positions"]
        return found

    # -- the verdict -------------------------------------------------------------------------------------------

    def verdict(self) -> list[str]:
        """Everything in which our files and the venue do not agree."""
        account = self.truth()
        entries = read_journal(self.paths.data / f"futures_{self.system}_intents.jsonl")
        file = JsonFile(self.paths.data / f"futures_{self.system}.json", FuturesState, FuturesState)
        books = FuturesBooks(file, "", "")
        books.load()
        known = {entry.intent.id: entry for entry in entries}
        problems = [f"{leg} is NAKED" for leg in naked(account)]
        problems += [f"{entry.intent.leg} {entry.intent.id} is open" for entry in entries if entry.open]
        times = Counter(row["client_id"] for row in account["orders"] if not row.get("algo_id"))
        times.update(f"algo {row['client_id']}" for row in account["algos"])
        problems += [f"{name} stands {count} times" for name, count in times.items()
                     if count > 1 and name.removeprefix("algo ").startswith("cx")]
        problems += [f"{name}: no intent" for name in times
                     if name.removeprefix("algo ").startswith("cx") and name.removeprefix("algo ") not in known]
        causes = Counter(known[row["client_id"]].intent.cause for row in account["orders"]
                         if row["client_id"] in known and known[row["client_id"]].intent.leg == "entry")
        problems += [f"the wish {cause} led to {count} orders" for cause, count in causes.items() if count > 1]
        problems += self._sums(account, books)
        held = {(row["symbol"], row["leg"]) for row in account["positions"]}
        problems += [f"{row['kind']} of a flat leg {row['symbol']}" for row in account["algos"]
                     if row["status"] == "NEW" and (row["symbol"], row["leg"]) not in held]
        return problems

    def _sums(self, account: dict[str, Any], books: FuturesBooks) -> list[str]:
        found = []
        venue = {LegKey(row["symbol"], PositionSide(row["leg"])): Decimal(row["qty"]) for row in account["positions"]}
        for leg in sorted(venue.keys() | books.legs(), key=str):
            if books.held(leg) != venue.get(leg, Decimal(0)):
                found.append(f"{leg}: books {books.held(leg)}, venue {venue.get(leg, 0)}")
        ours, wallet = books.wallet(), Decimal(account["wallet"])
        if ours is None or abs(ours - wallet) > books.rounding():
            found.append(f"wallet: books {ours}, venue {wallet}")
        funding = sum((amount for kind, amount in (books.cash.other if books.cash else {}).items()
                       if kind == "FUNDING_FEE"), Decimal(0))
        if funding != Decimal(account["sums"].get("FUNDING_FEE", 0)):
            found.append(f"funding: books {funding}, venue {account['sums'].get('FUNDING_FEE')}")
        return found
