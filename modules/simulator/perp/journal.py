"""Memory of the perpetual venue across restarts: what users own, durable before it is answered; the market's state.

`journal.jsonl`: one line for each commit, `crc32 json`, as in the spot venue; a torn tail is cut off. `market.json`:
the market's state, written every few seconds. `candles.bin`: closed minutes, one record of float64 each.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modules.simulator.perp.ledger import Ledger
from modules.simulator.perp.past import COLUMNS, Floats
from modules.simulator.perp.records import Account, Algo, Fill, Income, Order, Position, SymbolSetup
from utils.files import write_atomic

COMPACT_BYTES = 4_000_000


class KeptError(Exception):
    """The folder cannot be used; the message says why and what to do."""


@dataclass(slots=True)
class Kept:
    """An account as it is written; no keys."""

    name: str
    wallet: Decimal
    hedge: bool
    can_trade: bool
    setups: dict[str, SymbolSetup]
    positions: list[Position]


@dataclass(slots=True)
class Batch:
    """One commit."""

    ms: int
    next_id: int
    accounts: list[Kept] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    algos: list[Algo] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    income: list[Income] = field(default_factory=list)
    log_prices: list[float] = field(default_factory=list)  # the market's, at that instant


def _kept(account: Account) -> Kept:
    return Kept(
        account.name, account.wallet, account.hedge, account.can_trade, account.setups,
        list(account.positions.values()))


def _frame(batch: Batch) -> bytes:
    raw = msgspec.json.encode(batch)
    return b"%08x %s\n" % (zlib.crc32(raw), raw)


def _batch(line: bytes) -> Batch | None:
    if not line.endswith(b"\n") or len(line) < 10 or line[8:9] != b" ":
        return None
    raw = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(raw):
            return None
        return msgspec.json.decode(raw, type=Batch)
    except (ValueError, msgspec.MsgspecError):
        return None


class Memory:
    """One folder. The simulator's lock on its state folder covers it."""

    def __init__(self, folder: Path, description: str) -> None:
        self._folder = folder
        self._journal, self._market = folder / "journal.jsonl", folder / "market.json"
        self._candles = folder / "candles.bin"
        self._file: Any = None
        self._candle_file: Any = None
        self.lost_bytes = 0
        self.log_prices: list[float] = []  # of the last commit
        self._claim(description)

    def _claim(self, description: str) -> None:
        meta = self._folder / "contracts.json"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if meta.exists():
                owner = json.loads(meta.read_text(encoding="utf-8"))["market"]
                if owner != description:
                    raise KeptError(
                        f"state folder {self._folder}: it belongs to the market '{owner}', this is '{description}'. "
                        "Use the same options, or another --state folder.")
            else:
                write_atomic(meta, json.dumps({"market": description}).encode("utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise KeptError(f"state folder {self._folder}: cannot be used ({problem}). Remove it: a new market "
                               "begins. Or give another --state folder.") from problem

    # -- users -------------------------------------------------------------------------------------------

    def load(self, ledger: Ledger) -> int:
        """Put everything kept into a ledger; market ms of the last commit, 0 for a new folder. Raises KeptError."""
        content = self._journal.read_bytes() if self._journal.exists() else b""
        good = latest = 0
        lines = content.splitlines(keepends=True)
        for place, line in enumerate(lines):
            batch = _batch(line)
            if batch is None:
                if any(_batch(later) is not None for later in lines[place + 1:]):
                    raise KeptError(
                        f"{self._journal}: damaged in the middle (byte {good}). Restore it from a backup, or start "
                        "with an empty --state folder.")
                break
            _apply(ledger, batch)
            latest = max(latest, batch.ms)
            self.log_prices = batch.log_prices or self.log_prices
            good += len(line)
        if good < len(content):
            self.lost_bytes = len(content) - good
            write_atomic(self._journal.with_suffix(".damaged"), content[good:])
            write_atomic(self._journal, content[:good])
        if good > COMPACT_BYTES:
            write_atomic(self._journal, _frame(_whole(ledger, latest)))
        self._file = open(self._journal, "ab")  # noqa: SIM115
        return latest

    def commit(self, ledger: Ledger, ms: int, log_prices: list[float]) -> None:
        """Write what changed, durably. Raises OSError; then nobody may be answered any more."""
        dirty = ledger.dirty
        batch = Batch(
            ms, ledger.next_id, [_kept(ledger.accounts[name]) for name in sorted(dirty.accounts)],
            list(dirty.orders.values()), list(dirty.algos.values()), dirty.fills, dirty.income, log_prices)
        self._file.write(_frame(batch))
        self._file.flush()
        os.fsync(self._file.fileno())

    # -- the market --------------------------------------------------------------------------------------

    def load_market(self) -> dict[str, Any] | None:
        """The market's state, None for a new one. Raises KeptError."""
        try:
            found: dict[str, Any] = json.loads(self._market.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as problem:
            raise KeptError(f"{self._market}: unreadable ({problem}). Remove it: prices begin anew.") from problem
        return found

    def save_market(self, state: dict[str, Any]) -> None:
        """Put the market's state in place of the last one."""
        write_atomic(self._market, json.dumps(state).encode("utf-8"))

    def load_candles(self, contracts: int) -> list[Floats]:
        """Closed minutes since the birth, whole records only."""
        size = contracts * COLUMNS * 8
        content = self._candles.read_bytes() if self._candles.exists() else b""
        whole = len(content) // size
        if len(content) != whole * size:
            with open(self._candles, "r+b") as file:
                file.truncate(whole * size)
        rows = np.frombuffer(content[:whole * size], dtype="<f8").reshape(whole, contracts, COLUMNS).copy()
        self._candle_file = open(self._candles, "ab")  # noqa: SIM115
        return list(rows)

    def add_candles(self, rows: Sequence[Floats]) -> None:
        """Append closed minutes."""
        for one in rows:
            self._candle_file.write(one.astype("<f8").tobytes())
        self._candle_file.flush()

    def close(self) -> None:
        """Close the files."""
        for file in (self._file, self._candle_file):
            if file is not None:
                file.close()
        self._file = self._candle_file = None


def _whole(ledger: Ledger, ms: int) -> Batch:
    return Batch(
        ms, ledger.next_id, [_kept(account) for account in ledger.accounts.values()], list(ledger.orders.values()),
        list(ledger.algos.values()), ledger.fills, ledger.income)


def _apply(ledger: Ledger, batch: Batch) -> None:
    for kept in batch.accounts:
        account = ledger.accounts.get(kept.name)
        if account is None:
            continue
        account.wallet, account.hedge, account.can_trade = kept.wallet, kept.hedge, kept.can_trade
        account.setups = kept.setups
        account.positions = {(p.symbol, p.leg): p for p in kept.positions}
    for order in batch.orders:
        ledger.note(order)
    for algo in batch.algos:
        ledger.note_algo(algo)
    ledger.fills += batch.fills
    ledger.income += batch.income
    ledger.next_id = max(ledger.next_id, batch.next_id)
    ledger.dirty = type(ledger.dirty)()
