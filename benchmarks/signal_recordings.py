"""Recordings of simulated market days, as the feed would have made them: what the tuning of signals is shown on.

    python -m benchmarks.signal_recordings --to FOLDER [--contracts 3] [--hours 240] [--slice-ms 2000] [--edge 0.06]
    bot.py optimize signals --ticks FOLDER --trials 40

One process makes venue, wire and frames at the machine's speed (benchmarks/signals.py); every frame and every answer to
REST goes through the feed's own recorder, dated by market time.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.signals import Day
from modules.storage.recordings.format import Kind
from modules.storage.recordings.recorder import Recorder, RecorderLimits


class RecordedDay(Day):
    """A day whose frames are kept."""

    def __init__(self, options: argparse.Namespace, home: Path) -> None:
        limits = RecorderLimits(most_mb=options.most_mb, keep_days=3650, held_bytes=1 << 32, sync_s=3600.0)
        self.ms = 1_780_000_000_000 // 86_400_000 * 86_400_000
        self.recorder = Recorder(options.to, lambda: self.ms * 1_000_000, limits)
        self._socket = self.recorder.source("market")
        super().__init__(options, home)
        self.recorder.start()

    def _publish(self, name: str, data: bytes) -> None:
        self.recorder.tap(b'{"stream":"' + name.encode() + b'","data":' + data + b"}", self.ms * 1_000_000,
                          self._socket)
        super()._publish(name, data)

    def _heard(self, path: str, body: Any) -> None:
        self.recorder.tap(json.dumps(body).encode(), self.ms * 1_000_000, self.recorder.source(path), Kind.ANSWER)

    def list_symbols(self) -> None:
        """The venue's list, as it is asked for at a start."""
        self._heard("/fapi/v1/exchangeInfo", {"symbols": [
            {"symbol": spec.symbol, "status": "TRADING", "contractType": "PERPETUAL", "quoteAsset": "USDT", "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": f"{spec.tick:f}"},
                {"filterType": "LOT_SIZE", "stepSize": f"{spec.step:f}"}]} for spec in self.venue.specs]})

    def on_snapshot(self, symbol: str, body: Any) -> None:
        """A book that was asked for."""
        self._heard(f"/fapi/v1/depth?symbol={symbol}&limit=20000", body)

    def on_candles(self, symbol: str, found: Any, tick: float, step: float) -> None:
        """Candles that were asked for."""
        self._heard(f"/fapi/v1/klines?symbol={symbol}&interval=15m&limit=101", [
            [c.open_ms, *(f"{value * tick:.12g}" for value in (c.open, c.high, c.low, c.close)),
             f"{c.volume * step:.12g}", c.open_ms + 899_999, f"{c.quote:.12g}", 1, f"{c.buy_volume * step:.12g}", "0",
             "0"] for c in found])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--contracts", type=int, default=3)
    parser.add_argument("--hours", type=float, default=240.0)
    parser.add_argument("--minutes", type=float, default=600.0, help="end after so many real minutes")
    parser.add_argument("--slice-ms", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--edge", type=float, default=0.06)
    parser.add_argument("--most-mb", type=int, default=4000)
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    began, slices = time.monotonic(), int(options.hours * 3_600_000 / options.slice_ms)
    with tempfile.TemporaryDirectory() as home:
        world = RecordedDay(options, Path(home))
        world.list_symbols()
        for number in range(slices):
            world.step()
            if number % 500 == 0 and time.monotonic() - began > options.minutes * 60:
                break
        world.recorder.close()
    state = world.recorder.state()
    print(json.dumps({"hours": round((number + 1) * options.slice_ms / 3_600_000, 1), "frames": state.frames,
                      "dropped": state.dropped, "mb": round(state.written_bytes / 1e6),
                      "took_s": round(time.monotonic() - began)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
