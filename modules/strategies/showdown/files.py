"""The files of system C below ``data/``: the last snapshot, flow and decision of each contract, the manual sources.

The first contract's files bear the names everybody knows (``btc_snapshot.json``, ``btc_flow.json``, ``decision.json``);
each further one's begin with its asset (``eth_snapshot.json``, ``eth_decision.json``).
"""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modules.strategies.showdown.manual import Kind
from modules.strategies.showdown.records import Decision, Flow, Snapshot
from utils.files import read_whole, write_atomic
from utils.paths import Paths

T = TypeVar("T")
RECORD = "showdown"
MANUAL_NAMES: dict[Kind, str] = {"etf": "etp_flow", "liqmap": "liquidation_map", "sentiment": "news_sentiment"}


class ShowdownFiles:
    """Where a contract's files lie; `first`: whether it is the first of the settings."""

    def __init__(self, paths: Paths, symbol: str, first: bool) -> None:
        self.folder, self.symbol = paths.data, symbol
        self.asset = symbol.removesuffix("USDT").lower()
        self.snapshot = paths.data / f"{self.asset}_snapshot.json"
        self.flow = paths.data / f"{self.asset}_flow.json"
        self.decision = paths.data / ("decision.json" if first else f"{self.asset}_decision.json")

    def manual(self, kind: Kind) -> Path:
        """Where the current version of a manual source lies, and where one may be put by hand."""
        if kind == "sentiment" and self.decision.name == "decision.json":
            return self.folder / "news_sentiment.json"
        return self.folder / f"{self.asset}_{MANUAL_NAMES[kind]}.json"

    @property
    def versions(self) -> Path:
        """All versions of the manual sources."""
        return self.folder / f"{self.asset}_manual.json"


def is_record(path: Path) -> bool:
    """Whether a file of recorded decisions is one of system C, by its name."""
    return path.name.startswith(f"{RECORD}.")


def write(path: Path, record: Any) -> None:
    """Replace a file by a record. Raises OSError."""
    write_atomic(path, msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n", durable=False)


def read(path: Path, kind: type[T]) -> T | None:
    """The record in a file; None where there is none or it cannot be read (it is written anew soon)."""
    try:
        return msgspec.json.decode(read_whole(path), type=kind)
    except (OSError, msgspec.MsgspecError):
        return None


def last(files: ShowdownFiles) -> tuple[Snapshot | None, Flow | None, Decision | None]:
    """The last records of a contract."""
    return read(files.snapshot, Snapshot), read(files.flow, Flow), read(files.decision, Decision)
