"""Takes texts in, has them scored, keeps what is known: record, gauges, the file that others read.

1. A text counts once: what differs only in case, marks or addresses is the same text (`text.fingerprint`), over
   restarts as well.
2. A score is known when it is there, not when the text was written: `known_ms` is market time after scoring, and rises.
3. Record first, then the file: a backtest sees what the live board saw.
4. A disk that refuses costs records and is told; scoring goes on.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from modules.sentiment.board import FILE, FOLDER, RECORD, State, read_state
from modules.sentiment.mood import MARKET, Gauge, Scored
from modules.sentiment.providers import Judge
from modules.sentiment.score import Score
from modules.sentiment.settings import SentimentSettings
from modules.sentiment.sources import Item
from modules.sentiment.text import clean, fingerprint, symbols_of
from modules.storage import decisions
from modules.storage.decisions import DecisionFileError, DecisionLog
from utils.files import write_atomic
from utils.paths import Paths
from utils.wall import now_ms as wall_ms

log = logging.getLogger(__name__)
RECENT = 50
MOST_SEEN = 20_000
SHOWN = 160
JUMP_MS = 60_000  # market time that falls back by more began anew
SEEN = "sentiment_seen.json"
HEAD = b'{"record":"sentiment","form":1}'


class Desk:
    """One writer. `market_ms` tells market time."""

    def __init__(self, settings: SentimentSettings, paths: Paths, judge: Judge, market_ms: Callable[[], int]) -> None:
        self.settings, self.judge = settings, judge
        self.state = State(made_ms=0, half_life_s=settings.half_life_s)
        self.problem = ""
        self.scored = self.doubles = self.old = 0
        self._paths, self._market_ms = paths, market_ms
        self._turn = asyncio.Lock()
        self._seen: dict[str, None] = {}
        self._record = DecisionLog(paths.data / FOLDER, RECORD, HEAD, disk_mb=settings.disk_mb,
                                   keep_days=settings.keep_days, file_mb=8.0)

    def begin(self) -> None:
        """Take up what was known: the file, what the record has beyond it, and the texts seen."""
        found = read_state(self._paths)
        texts = _tail(self._paths.data / FOLDER)
        now = self._market_ms()
        if found is not None and found.half_life_s == self.settings.half_life_s and found.made_ms <= now + JUMP_MS:
            self.state = msgspec.structs.replace(found, sources={}, providers={}, local="")
        since = self.state.made_ms
        for text in sorted(texts, key=lambda text: text.known_ms):
            if since < text.known_ms <= now + JUMP_MS:
                self._add(text)
        self._seen = dict.fromkeys([*_seen_before(self._paths.data / SEEN), *(text.id for text in texts)])

    async def take(self, source: str, items: Sequence[Item]) -> int:
        """Score the texts that are new; how many were. Never raises for what texts say."""
        async with self._turn:
            fresh = self._fresh(items)
            if not fresh:
                return 0
            scores = await self.judge.score([item.text for _, item in fresh])
            known = self._known_ms()
            rows = [self._row(source, mark, item, score, known)
                    for (mark, item), score in zip(fresh, scores, strict=True)]
            self._record.append(*(msgspec.json.encode(row) for row in rows))
            self._record.flush()
            for row in rows:
                self._add(row)
            self.scored += len(rows)
            return len(rows)

    def write(self) -> None:
        """The file that others read, and the texts seen. A refusal of the disk is in `problem`."""
        state = self.state
        state.providers = dict(self.judge.state)
        state.made_ms = max(state.made_ms, self._market_ms())
        try:
            write_atomic(self._paths.data / FILE, msgspec.json.encode(state), durable=False)
            write_atomic(self._paths.data / SEEN, msgspec.json.encode(list(self._seen)[-MOST_SEEN:]), durable=False)
            self.problem = self._record.problem
        except OSError as problem:
            if not self.problem:
                log.error("what is known of sentiment cannot be written: %s", problem)
            self.problem = str(problem)

    async def close(self) -> None:
        """Write what waits."""
        await self._record.close()
        self.write()

    def _fresh(self, items: Sequence[Item]) -> list[tuple[str, Item]]:
        """Those that were not seen and are not too old, marked as seen; the oldest first, so that the newest leads."""
        found = []
        now = wall_ms()
        for item in items:
            mark = fingerprint(item.text)
            if not clean(item.text):
                continue
            if mark in self._seen:
                self.doubles += 1
                continue
            self._seen[mark] = None
            if item.published_ms is not None and now - item.published_ms > self.settings.max_age_h * 3_600_000:
                self.old += 1
                continue
            found.append((mark, item))
        while len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        return sorted(found, key=lambda one: one[1].published_ms or now)

    def _known_ms(self) -> int:
        now = self._market_ms()
        if now < self.state.made_ms - JUMP_MS:
            log.warning("market time began anew; what was known of sentiment is forgotten")
            self.state = State(made_ms=now, half_life_s=self.settings.half_life_s)
        return max(now, self.state.made_ms)

    def _row(self, source: str, mark: str, item: Item, score: Score, known: int) -> Scored:
        age_s = None if item.published_ms is None else max(0.0, (wall_ms() - item.published_ms) / 1000)
        return Scored(known_ms=known, score=round(score.score, 4), label=str(score.label),
                      confidence=round(score.confidence, 4), provider=score.provider, source=source, id=mark,
                      symbols=symbols_of(f"{item.text} {item.extra[:2000]}", self.settings.symbols), age_s=age_s,
                      fallback=score.fallback, language=score.language, text=clean(item.text)[:SHOWN])

    def _add(self, text: Scored) -> None:
        state = self.state
        for symbol in text.symbols or (MARKET,):
            state.gauges.setdefault(symbol, Gauge()).add(text, state.half_life_s)
        state.recent = [text, *state.recent][:RECENT]
        state.made_ms = max(state.made_ms, text.known_ms)


def _tail(folder: Path) -> list[Scored]:
    """The texts of the newest two files of the record; what cannot be read is left out and logged."""
    found: list[Scored] = []
    for path in decisions.files(folder, RECORD)[-2:]:
        try:
            found += [msgspec.json.decode(line, type=Scored) for line in decisions.read(path)[0][1:]]
        except (DecisionFileError, msgspec.MsgspecError, OSError) as problem:
            log.error("%s: %s", path.name, problem)
    return found


def _seen_before(file: Path) -> list[str]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[str])
    except (OSError, msgspec.MsgspecError):
        return []  # the record's ids are left
