"""Old and unwanted files: what /cleanup and /cleartestdata (and their scripts) remove. Found first, removed after."""

import re
from dataclasses import dataclass
from pathlib import Path

from utils.locks import ProcessLock
from utils.paths import Paths
from utils.wall import now_ms

OLD_DAYS = 3
_PICTURES = "pictures"
# State, its copy, and the full segments of histories, also one that a crash left in the middle of its turning over.
_OF_TEST_MODE = re.compile(
    r"test_(tracked_tokens|trade_history|summary_log|log|account|risk_state|ledger|fills|reconciliation)"
    r"\.(json(\.bak)?|\d{5,}\.(jsonl|full))")


@dataclass(frozen=True, slots=True)
class Found:
    """Files that would go."""

    files: tuple[Path, ...]

    @property
    def megabytes(self) -> float:
        """Their size together."""
        return sum(path.stat().st_size for path in self.files if path.exists()) / 1e6

    def remove(self) -> int:
        """Remove them; returns how many went."""
        gone = 0
        for path in self.files:
            if path.exists():
                path.unlink()
                gone += 1
        return gone


def old_files(paths: Paths, days: float = OLD_DAYS) -> Found:
    """Candle tables and pictures not written for `days`. Candidates, labels, trades and models never go this way."""
    cut = now_ms() / 1000 - days * 86_400
    found = [*paths.market_data.glob("*.csv"), *(paths.data / _PICTURES).glob("*.png")]
    return Found(tuple(sorted(path for path in found if path.stat().st_mtime < cut)))


def test_files(paths: Paths) -> Found:
    """Everything test mode has written: positions, trades, summaries, activity, paper account, limits, decisions.

    Copies (``.bak``) go too, and first: a copy whose file is gone would bring the data back.
    """
    found = [path for path in paths.data.glob("test_*") if _OF_TEST_MODE.fullmatch(path.name)]
    found += (paths.data / "decisions").glob("hype-test.*.jsonl")
    return Found(tuple(sorted(found, key=lambda path: (not path.name.endswith(".bak"), path.name))))


def writer_running(paths: Paths) -> bool:
    """Whether the tracker, which writes these files, runs now."""
    return ProcessLock(paths.run, "tracker").held()


def pictures(paths: Paths) -> Path:
    """Folder of pictures, made if need be."""
    folder = paths.data / _PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    return folder
