"""What the sentiment service knows, for others: the latest mood of each symbol, and the record for backtests.

Live: ``Board(paths).mood("BTCUSDT", now_ms)``; the file ``data/sentiment.json`` is read again when it was
replaced. Backtest: ``History.read(folder, half_life_s)``, then ``.mood(symbol, ms)`` or ``.series(symbol, times)``:
only what was known at that instant counts. Both tell the same for the same instant.
"""

import logging
from bisect import bisect_right
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from modules.sentiment.mood import MARKET, Gauge, Mood, Scored, gauges, mood, series
from modules.storage import decisions
from modules.storage.decisions import DecisionFileError
from utils.paths import Paths

log = logging.getLogger(__name__)
FILE = "sentiment.json"
FOLDER = "sentiment"  # below data/: the record, files scores.NNNNNN.jsonl
RECORD = "scores"
LOOK_EVERY_MS = 500  # of market time: the file is not looked at more often


class State(msgspec.Struct, kw_only=True):
    """The file. `made_ms` is market time; `gauges` by symbol; `recent` the newest texts, the newest first.

    `local`: why only the local model scores ("" where a provider is used); `sources` and `providers`: their state, in
    words, by name.
    """

    made_ms: int
    half_life_s: float
    gauges: dict[str, Gauge] = {}
    recent: list[Scored] = []
    local: str = ""
    sources: dict[str, str] = {}
    providers: dict[str, str] = {}


def read_state(paths: Paths) -> State | None:
    """The file as it is now; None where there is none, or none that can be read."""
    try:
        return msgspec.json.decode((paths.data / FILE).read_bytes(), type=State)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as problem:
        log.warning("%s cannot be read: %s", FILE, problem)
        return None


class Board:
    """The latest moods. Cheap to ask: some µs, and one `stat` of the file every half second."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._file = paths.data / FILE
        self._mark: tuple[int, int] = (0, 0)
        self._looked_ms = -LOOK_EVERY_MS
        self.state: State | None = None

    def mood(self, symbol: str, now_ms: int) -> Mood | None:
        """The mood of `symbol` at market time `now_ms`; None while nothing was ever said of it (nor of the market)."""
        if not 0 <= now_ms - self._looked_ms < LOOK_EVERY_MS:
            self._looked_ms = now_ms
            self._look()
        state = self.state
        if state is None:
            return None
        return mood(symbol, state.gauges.get(symbol), state.gauges.get(MARKET), now_ms, state.half_life_s)

    def _look(self) -> None:
        try:
            stat = self._file.stat()
        except OSError:
            return
        if (mark := (stat.st_mtime_ns, stat.st_ino)) != self._mark:
            found = read_state(self._paths)
            if found is not None:  # an unreadable one leaves what was known before, which fades
                self.state, self._mark = found, mark


class History:
    """Recorded texts, in the order in which they became known."""

    def __init__(self, texts: list[Scored], half_life_s: float) -> None:
        self.texts = sorted(texts, key=lambda text: text.known_ms)
        self.half_life_s = half_life_s
        self.damaged: list[str] = []
        self._known = [text.known_ms for text in self.texts]

    @classmethod
    def read(cls, folder: Path, half_life_s: float) -> "History":
        """All files of the record in `folder` (``data/sentiment``); a damaged one is left out and told in `damaged`."""
        texts: list[Scored] = []
        damaged: list[str] = []
        for path in decisions.files(folder, RECORD):
            try:
                lines, _ = decisions.read(path)
                texts += [msgspec.json.decode(line, type=Scored) for line in lines[1:]]  # the first is the head
            except (DecisionFileError, msgspec.MsgspecError, OSError) as problem:
                damaged.append(f"{path.name}: {problem}")
        found = cls(texts, half_life_s)
        found.damaged = damaged
        return found

    def known(self, until_ms: int) -> list[Scored]:
        """The texts known at `until_ms`."""
        return self.texts[:bisect_right(self._known, until_ms)]

    def mood(self, symbol: str, now_ms: int) -> Mood | None:
        """As `Board.mood`, for any instant. For many instants use `series`."""
        found = gauges(self.known(now_ms), self.half_life_s)
        return mood(symbol, found.get(symbol), found.get(MARKET), now_ms, self.half_life_s)

    def series(self, symbol: str, times_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """(n, 3) score, confidence, age in s at each of `times_ms`, which rise; 0, 0, inf before the first text."""
        return series(symbol, self.texts, times_ms, self.half_life_s)
