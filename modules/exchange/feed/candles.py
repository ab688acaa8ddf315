"""One table of candles in shared memory: context from REST, then the stream; holes are found and asked for again.

A stream tells the running candle; at its end a last message with `closed`. If the next candle begins and that message
never came, or candles are missing between, the table says so: its rows are asked for by REST.
"""

from collections.abc import Sequence

import numpy as np

from modules.exchange.feed.page import C_COUNT, C_EVENT_MS, C_LOCAL_NS, C_SEQ, CANDLE_ROW, Floats, Ints

INTERVAL_MS = {"1m": 60_000, "3m": 180_000, "5m": 300_000, "15m": 900_000, "30m": 1_800_000, "1h": 3_600_000,
               "2h": 7_200_000, "4h": 14_400_000, "6h": 21_600_000, "12h": 43_200_000, "1d": 86_400_000}
Row = Sequence[float]


class CandleTable:
    """Rows oldest first; the last one may be open still."""

    def __init__(self, words: Ints, rows: Floats, interval: str) -> None:
        self._words, self._rows = words, rows
        self.interval = interval
        self._step = INTERVAL_MS[interval]
        self.wants_rows = True

    def clear(self) -> None:
        """Nothing is known."""
        self._write(np.empty((0, CANDLE_ROW)), 0, 0)
        self.wants_rows = True

    def load(self, rows: Floats, local_ns: int) -> None:
        """Rows from REST, oldest first (n, CANDLE_ROW). What the stream told beyond them stays."""
        present = self._present()
        beyond = present[present[:, 0] >= rows[-1, 0]] if len(rows) and len(present) else present
        if len(rows) and len(beyond) and beyond[0, 0] == rows[-1, 0]:
            rows = rows[:-1]
        self._write(np.concatenate([rows, beyond]), local_ns, int(self._words[C_EVENT_MS]))
        found = self._present()
        self.wants_rows = not len(found) or bool((np.diff(found[:, 0]) != self._step).any())

    def on_row(self, row: Row, event_ms: int, local_ns: int) -> bool:
        """A candle of the stream; False for one that is older than what is known."""
        count, words, rows = int(self._words[C_COUNT]), self._words, self._rows
        if count and row[0] < rows[count - 1, 0]:
            return False
        if count and row[0] == rows[count - 1, 0]:
            if rows[count - 1, 8] and not row[8]:
                return False  # its end was told already
            words[C_SEQ] += 1
            rows[count - 1] = row
            words[C_EVENT_MS], words[C_LOCAL_NS] = event_ms, local_ns
            words[C_SEQ] += 1
            return True
        if not count or row[0] != rows[count - 1, 0] + self._step or not rows[count - 1, 8]:
            self.wants_rows = True
        self._write(np.concatenate([self._present(), np.array([row])]), local_ns, event_ms)
        return True

    def _present(self) -> Floats:
        return self._rows[:int(self._words[C_COUNT])].copy()

    def _write(self, rows: Floats, local_ns: int, event_ms: int) -> None:
        rows = rows[-len(self._rows):]
        self._words[C_SEQ] += 1
        self._rows[:len(rows)] = rows
        self._words[C_COUNT] = len(rows)
        self._words[C_EVENT_MS], self._words[C_LOCAL_NS] = event_ms, local_ns
        self._words[C_SEQ] += 1
