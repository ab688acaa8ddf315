"""The venue's memory: every change as one JSON line, flushed to disk before a client is answered.

A line holds orders, fills and balances *as they are after the change*, so reading is: the last word wins.
Each line carries a checksum; a tail torn by a crash is cut off (and kept aside), everything before it counts.
A separate small file reserves market time ahead, so that a restart never answers an earlier time than before.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from modules.simulator.accounts import Account, Balance, Fill, Order, OrderType, Status, Transfer
from modules.simulator.universe import QUOTE
from modules.simulator.venue import Change
from utils.files import write_atomic

LEASE_WALL_S = 3.0
COMPACT_BYTES = 4_000_000
_ORDER_DECIMALS = ("quote_limit", "shown_price", "filled_quote", "hold")
_FILL_DECIMALS = ("price", "qty", "quote", "fee")


class StateError(Exception):
    """A state folder cannot be used; the message says why and what to do."""


@dataclass(slots=True)
class Restored:
    """What a journal held."""

    orders: dict[str, Order]
    fills: list[Fill]
    balances: dict[str, dict[str, Balance]]
    next_seq: int
    ms: int
    lost_bytes: int
    transfers: list[Transfer] = field(default_factory=list)


def _dump(record: object) -> dict[str, Any]:
    """A dataclass with slots as JSON-ready values; Decimals as text."""
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in asdict(record).items()}  # type: ignore[call-overload]


def _order(data: dict[str, Any]) -> Order:
    for name in _ORDER_DECIMALS:
        data[name] = Decimal(data[name]) if data[name] is not None else None
    data["type"], data["status"] = OrderType(data["type"]), Status(data["status"])
    return Order(**data)


def _fill(data: dict[str, Any]) -> Fill:
    for name in _FILL_DECIMALS:
        data[name] = Decimal(data[name])
    return Fill(**data)


def change_to_json(change: Change) -> dict[str, Any]:
    """A change as plain values."""
    moved = {QUOTE, *(order.base for order in change.orders)}
    return {
        "ms": change.ms, "next": change.next_seq,
        "orders": [_dump(order) for order in change.orders],
        "fills": [_dump(fill) for fill in change.fills],
        "transfers": [_dump(transfer) for transfer in change.transfers],
        "balances": {
            account.name: {
                a: [str(b.free), str(b.locked)] for a, b in account.balances.items() if change.whole or a in moved}
            for account in change.accounts
        },
    }


class Journal:
    """Appends changes to `journal.jsonl` in a folder. One process owns the folder (its lock is the server's)."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal.jsonl"
        self._clock = folder / "clock.json"
        self._meta = folder / "market.json"
        self._folder = folder
        self._file: Any = None

    def claim(self, description: str) -> None:
        """Check that the folder belongs to this market, or mark it. Raises StateError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self._meta.exists():
                owner = json.loads(self._meta.read_text(encoding="utf-8"))["market"]
                if owner != description:
                    raise StateError(
                        f"state folder {self._folder}: it belongs to the market '{owner}', this is '{description}'. "
                        "Use the same options, or another --state folder.")
            else:
                write_atomic(self._meta, json.dumps({"market": description}).encode("utf-8"))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise StateError(
                f"state folder {self._folder}: cannot be used, {self._meta.name} is damaged ({problem}). "
                "Remove the folder: a new market begins. Or give another --state folder.") from problem

    def load(self) -> Restored:
        """Read everything; cut a torn tail off. Raises StateError where the middle is damaged."""
        restored = Restored({}, [], {}, 1, self._reserved(), 0)
        if not self._path.exists():
            return restored
        content = self._path.read_bytes()
        good = 0
        for line in content.splitlines(keepends=True):
            data = _checked(line)
            if data is None:
                break
            _apply(restored, data)
            good += len(line)
        if good < len(content):
            self._cut(content, good)
            restored.lost_bytes = len(content) - good
        return restored

    def _cut(self, content: bytes, good: int) -> None:
        tail = content[good:]
        if any(_checked(line) is not None for line in tail.splitlines(keepends=True)[1:]):
            raise StateError(
                f"{self._path}: damaged in the middle (byte {good}). Restore it from a backup, or start with an "
                "empty --state folder.")
        write_atomic(self._path.with_suffix(".damaged"), tail)
        write_atomic(self._path, content[:good])

    def _reserved(self) -> int:
        try:
            return int(json.loads(self._clock.read_text(encoding="utf-8"))["ms"])
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise StateError(
                f"{self._clock}: unreadable ({problem}). Without it market time could go back; write "
                '{"ms": MILLISECONDS} into it, later than any time seen.') from problem

    def open(self) -> None:
        """Open for appending."""
        self._file = open(self._path, "ab")  # noqa: SIM115

    def compact(self, change: Change) -> None:
        """Put one line that holds everything in place of a journal that has grown long."""
        if self._path.exists() and self._path.stat().st_size > COMPACT_BYTES:
            write_atomic(self._path, _line(change))

    def append(self, change: Change) -> None:
        """Write a change durably. Raises OSError (disk full); then nobody may be answered any more."""
        self._file.write(_line(change))
        self._file.flush()
        os.fsync(self._file.fileno())

    def reserve(self, ms: int) -> None:
        """Promise that a restart begins at `ms` or later."""
        write_atomic(self._clock, json.dumps({"ms": ms}).encode("utf-8"))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _line(change: Change) -> bytes:
    raw = json.dumps(change_to_json(change), separators=(",", ":")).encode("utf-8")
    return b"%08x %s\n" % (zlib.crc32(raw), raw)


def _checked(line: bytes) -> dict[str, Any] | None:
    """The content of a whole, undamaged line; None otherwise."""
    if not line.endswith(b"\n") or len(line) < 10 or line[8:9] != b" ":
        return None
    raw = line[9:-1]
    try:
        if int(line[:8], 16) != zlib.crc32(raw):
            return None
        data: dict[str, Any] = json.loads(raw)
    except ValueError:
        return None
    return data


def _apply(restored: Restored, data: dict[str, Any]) -> None:
    for order in data["orders"]:
        restored.orders[order["id"]] = _order(order)
    restored.fills += [_fill(fill) for fill in data["fills"]]
    restored.transfers += [
        Transfer(**{**row, "amount": Decimal(row["amount"])}) for row in data.get("transfers", [])]
    for name, balances in data["balances"].items():
        restored.balances.setdefault(name, {}).update({
            asset: Balance(Decimal(free), Decimal(locked)) for asset, (free, locked) in balances.items()})
    restored.next_seq = max(restored.next_seq, data["next"])
    restored.ms = max(restored.ms, data["ms"])


class Recorder:
    """`--record FILE`: the venue's own truth as JSON lines, one for each order state, fill and balance."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "a", encoding="utf-8", newline="\n")  # noqa: SIM115

    def append(self, change: Change) -> None:
        """Write one change."""
        data = change_to_json(change)
        self.write(self._rows(change, data))

    @staticmethod
    def _rows(change: Change, data: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = [{"kind": "order", "ms": change.ms, **order} for order in data["orders"]]
        rows += [{"kind": "fill", **fill} for fill in data["fills"]]
        rows += [{"kind": "transfer", **transfer} for transfer in data["transfers"]]
        rows += [
            {"kind": "balance", "ms": change.ms, "account": name, "balances": balances}
            for name, balances in data["balances"].items()
        ]
        return rows

    def write(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write rows as they are. Raises OSError."""
        self._file.writelines(json.dumps(row) + "\n" for row in rows)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def truth(
    accounts: Iterable[Account], orders: Iterable[Order], fills: Iterable[Fill], transfers: Iterable[Transfer]
) -> dict[str, Any]:
    """What the venue holds to be true, per account: balances, orders, fills, sums of fees, the owner's transfers."""
    found: dict[str, Any] = {
        account.name: {
            "api_key": account.api_key,
            "balances": {a: {"free": str(b.free), "locked": str(b.locked)} for a, b in account.balances.items()},
            "orders": [], "fills": [], "fees": {}, "transfers": [],
        }
        for account in accounts
    }
    for order in orders:
        row = _dump(order)
        row["price"] = str(order.at(order.price)) if order.price is not None else None
        row["qty"] = str(order.amount(order.steps)) if order.steps is not None else None
        row["filled_qty"] = str(order.amount(order.filled))
        found[order.account]["orders"].append(row)
    for fill in fills:
        mine = found[fill.account]
        mine["fills"].append(_dump(fill))
        mine["fees"][fill.fee_asset] = str(Decimal(mine["fees"].get(fill.fee_asset, "0")) + fill.fee)
    for transfer in transfers:
        found[transfer.account]["transfers"].append(_dump(transfer))
    return found


