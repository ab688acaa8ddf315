"""One simulated futures venue and one trader that is killed again and again; what the venue says is the verdict."""

from __future__ import annotations

import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.futures_trader import SYSTEM
from benchmarks.killed_world import KilledWorld
from modules.exchange.types import PositionSide
from modules.execution.futures.books import FuturesBooks
from modules.execution.futures.plan import FuturesState, LegKey
from modules.execution.journal import read_journal
from modules.simulator.perp.acts import ACTIONS
from modules.storage.json_state import JsonFile
from modules.supervision.messages import Inbox

# The venue grants weight by its own minute: a faster market lets a trader start anew every few seconds.
SPEED = 6
ACCOUNTS = {"binance": "trader", "bybit": "bybit"}  # whose account is behind which wire of the simulated venue
# Enough margin to take more than the best level offers: only so is an order filled in parts.
DEPOSIT = "990000"
STOPS = ("STOP", "STOP_MARKET", "TRAILING_STOP_MARKET")


def naked(account: dict[str, Any]) -> set[str]:
    """Legs that hold something which no waiting stop of the venue covers, nor several of them in parts."""
    covered: dict[tuple[str, str], Decimal] = {}
    for algo in account["algos"]:
        if algo["status"] == "NEW" and algo["kind"] in STOPS:
            leg = (algo["symbol"], algo["leg"])
            much = Decimal("1e30") if algo["close_position"] else Decimal(algo["qty"])
            covered[leg] = covered.get(leg, Decimal(0)) + much
    return {f"{row['symbol']} {row['leg']}" for row in account["positions"]
            if covered.get((row["symbol"], row["leg"]), Decimal(0)) < abs(Decimal(row["qty"]))}


class Watch:
    """How long any leg stood without a stop, by the venue's own words, looked at every `period_s`.

    `gaps`: (seconds, leg, when it ended by the monotonic clock); `seen`: the account as it was last looked at.
    """

    def __init__(self, ask: Callable[[str], Any], period_s: float = 0.05, account: str = ACCOUNTS["binance"]) -> None:
        self._ask, self._period_s, self._account = ask, period_s, account
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
                account = told["accounts"][self._account]
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


class World(KilledWorld):
    """A home, a venue, at most one trader. Use as a context. `system` and `module` name who trades."""

    system, module = SYSTEM, "benchmarks.futures_trader"

    def __init__(self, home: Path, *, seed: int = 3, start: str = "2025-03-01T10:00:00", hedge: bool = True,
                 futures: int = 8, look_s: float = 0.05, venue: str = "binance") -> None:
        self.hedge, self.venue, self.account = hedge, venue, ACCOUNTS[venue]
        self.symbols = ("ETHUSDT", "SOLUSDT", "BTCUSDT")
        self.program = ("-m", self.module, *self.symbols)
        super().__init__(
            home, ("COXSWAIN_", "FUTURES_", "BINANCE_", "BYBIT_", "SIMULATOR_"),
            {"FUTURES_HEDGE": str(int(hedge)), "FUTURES_DIALECT": venue},
            ("--futures", str(futures), "--tokens", "5", "--seed", str(seed), "--start", start, "--speed", str(SPEED)))
        self.inbox = Inbox(self.paths.inbox, self.system)
        self.environment["FUTURES_BASE_URL"] = self.url
        self.ask("/fapi/v1/exchangeInfo")  # the futures begin with the first request
        self.act(action="transfer", amount=DEPOSIT)
        self.watch = Watch(self.ask, look_s, self.account)

    def __exit__(self, *what: object) -> None:
        self.watch.close()
        super().__exit__(*what)

    @property
    def said(self) -> Path:
        """The trader's status."""
        return self.paths.run / "trader.json"

    # -- the venue -------------------------------------------------------------------------------------------

    def truth(self) -> dict[str, Any]:
        """The account as the venue holds it."""
        found: dict[str, Any] = self.ask("/sim/truth")["futures"]["accounts"][self.account]
        return found

    def act(self, **what: Any) -> None:
        """The owner's or the venue's hand."""
        whose = {"account": self.account} if "account" in ACTIONS[what["action"]][1] else {}
        self.ask("/sim/act", {"futures": True, **whose, **what})

    def mark(self, symbol: str) -> Decimal:
        """Mark price."""
        return Decimal(self.ask(f"/fapi/v1/premiumIndex?symbol={symbol}")["markPrice"])

    def book(self, symbol: str) -> dict[str, Any]:
        """Best levels."""
        found: dict[str, Any] = self.ask(f"/fapi/v1/depth?symbol={symbol}&limit=5")
        return found

    # -- the trader ------------------------------------------------------------------------------------------

    def at_rest(self) -> bool:
        """Whether nothing is under way and everything has been read since."""
        told = self.status()
        closing = any(told.get("plans", {"?": "?"}).values())
        return bool(told.get("opened")) and not told["open"] and not told["waiting"] and not told["bare"] \
            and not closing and not self.inbox.waiting() and told["clean"] is True

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

    def all_closed(self) -> bool:
        """Whether nothing is held, nor believed to be."""
        return not self.held()

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
