"""The tick engine beside hftbacktest: 500,000 depth diffs of 24 changes and trades, the same quoting strategy.

    python -m benchmarks.peers.ticks [--diffs 500000] [--data DIR] [--venv FOLDER] [--json]

- speed: changes a second of the whole run with latency, both queue models; the peer with both of its books.
- fills: each change of position against the peer's, at zero latency and at 5 ms.
- raw frames: with --data, lines a second from a recorded capture to events, against its `convert`.

The peer runs in an environment of its own (made in FOLDER by pip where it is not there), in turns with ours.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CAPTURE = Path("ticks/binance_usdm/btcusdt_20240808.gz")
DEPTH_EVENT, TRADE_EVENT = 1, 2
EXCH, LOCAL, BUY, SELL = 1 << 31, 1 << 30, 1 << 29, 1 << 28
EVERY, PATIENCE, QTY = 100_000_000, 5_000_000_000, 10


def synthetic(diffs: int, per: int = 24, seed: int = 5) -> Any:
    """A tape of a walking book: diffs every 10 ms, a trade behind every second one; 1 ms to us."""
    import numpy as np

    from modules.backtest.ticks.tape import DEPTH, TRADE, Tape
    rng = np.random.default_rng(seed)
    middle = 100_000 + np.cumsum(rng.integers(-1, 2, diffs))
    side = np.where(np.arange(per) < per // 2, 1, -1)
    away = np.cumsum(rng.geometric(0.35, (diffs, 2, per // 2)), axis=2).reshape(diffs, per)  # no level twice in a diff
    price = middle[:, None] - side * away
    qty = rng.integers(0, 400, (diffs, per))
    qty[qty < 120] = 0
    price[:, [0, per // 2]], qty[:, [0, per // 2]] = middle[:, None], 0  # nothing stands where the middle has come to
    after = np.arange(0, diffs, 2)
    depth_at = np.arange(diffs) + (np.arange(diffs) + 1) // 2
    trade_at = depth_at[after] + 1
    total = diffs + len(after)
    kind, count = np.full(total, DEPTH, np.uint8), np.full(total, per)
    kind[trade_at], count[trade_at] = TRADE, 1
    exch = np.empty(total, np.int64)
    # not on a grid: which of two things comes first at one and the same ns is nobody's rule
    exch[depth_at] = 1_700_000_000_000_000_000 + np.arange(diffs) * 10_000_000 + rng.integers(0, 9_000_000, diffs)
    exch[trade_at] = exch[depth_at[after]] + 1000
    begin = np.concatenate(([0], np.cumsum(count)))
    key, amount = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.int64)
    cells = (begin[depth_at][:, None] + np.arange(per)).ravel()
    key[cells], amount[cells] = (price * side).ravel(), qty.ravel()
    taker = rng.choice([1, -1], len(after))
    key[begin[trade_at]], amount[begin[trade_at]] = (middle[after] - taker) * taker, rng.integers(1, 300, len(after))
    return Tape("SYN", Decimal("0.1"), Decimal("0.001"), kind, exch, exch + 1_000_000, begin, key, amount,
                np.arange(total, dtype=np.int32))


def events(tape: Any, path: Path) -> None:
    """The same tape in the peer's own form: one row a change."""
    import numpy as np

    from modules.backtest.ticks.tape import DEPTH
    form = np.dtype([("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8"),
                     ("order_id", "<u8"), ("ival", "<i8"), ("fval", "<f8")], align=True)
    count = np.diff(tape.begin)
    rows = np.zeros(int(tape.begin[-1]), form)
    depth = np.repeat(tape.kind == DEPTH, count)
    buys = np.where(depth, tape.key > 0, tape.key < 0)  # a trade's side is that of its taker
    rows["ev"] = np.where(depth, DEPTH_EVENT, TRADE_EVENT) | np.where(buys, BUY, SELL) | EXCH | LOCAL
    rows["exch_ts"], rows["local_ts"] = np.repeat(tape.exch_ns, count), np.repeat(tape.local_ns, count)
    rows["px"], rows["qty"] = np.abs(tape.key) * float(tape.tick), tape.qty * float(tape.step)
    np.savez(path, data=rows)


def ours(tape: Any, queue: str, latency: int, repeat: int = 4) -> tuple[list[float], Any]:
    """Seconds of each run, and (decision ns, position) at each change of position that a look saw."""
    from benchmarks.peers.quoting import quote
    from modules.backtest.ticks import arena as ar
    seconds = []
    for _ in range(repeat):
        a = ar.arena_of(tape, trust=True, entry_ns=latency, answer_ns=latency, partial=False,
                        queue=ar.QUEUE_BACK if queue == "back" else ar.QUEUE_POWER)
        started = time.perf_counter()
        quote(a, EVERY, QTY, PATIENCE)
        seconds.append(time.perf_counter() - started)
    assert a.now[ar.FAULT] == 0
    return seconds[1:], a.fills[:a.now[ar.FILLS]]


def peer_python(folder: Path) -> Path:
    """The peer's interpreter."""
    python = folder / "hftbacktest" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        venv.create(folder / "hftbacktest", with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "hftbacktest==2.4.4"], check=True)
    return python


def peer(python: Path, *arguments: str) -> dict[str, Any]:
    """Run the peer; what it printed last."""
    command = [str(python), str(HERE / "peer_hftbacktest.py"), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def compared(fills: Any, seen: Any, tape: Any) -> dict[str, int]:
    """Fills that differ: the peer's position after each change, and when a look saw it, against ours.

    A fill in the last moments of the tape may be seen by one of them alone: one more or less is no difference.
    """
    import numpy as np

    from modules.backtest.ticks import arena as ar
    common = min(len(fills), len(seen))
    mine, theirs = fills[:common], seen[:common]
    wait = theirs[:, 0] - mine[:, ar.F_NS]
    apart = ~np.isclose(mine[:, ar.F_POSITION] * float(tape.step), theirs[:, 1]) | (wait < 0) | (wait > 2 * EVERY)
    return {"ours": len(fills), "peer": len(seen), "differ": int(apart.sum()) + max(0, abs(len(fills) - len(seen)) - 1)}


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--diffs", type=int, default=500_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--venv", type=Path)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        from modules.backtest.prepare import compiled
        compiled(Path(scratch) / "cache")
        python = peer_python(chosen.venv or Path(scratch))
        told = measured(chosen.diffs, Path(scratch), python)
        if chosen.data is not None:
            told["frames"] = frames(chosen.data / CAPTURE, python)
    sys.stdout.write(json.dumps(told, indent=None if chosen.json else 2) + "\n")


def measured(diffs: int, scratch: Path, python: Path) -> dict[str, Any]:
    """Speed and fills on the synthetic tape."""
    import numpy as np
    tape = synthetic(diffs)
    events(tape, scratch / "events.npz")
    changes = diffs * 24
    told: dict[str, Any] = {"changes": changes, "tape_mib": tape.bytes() / 2**20}
    for queue, latency in (("back", 0), ("back", 5_000_000), ("power", 5_000_000)):
        seconds, fills = ours(tape, queue, latency)
        theirs = peer(python, "run", str(scratch / "events.npz"), str(scratch / "fills.npy"), queue, str(latency))
        best = min(min(theirs[name]["seconds"]) for name in ("hash map", "vector"))
        told[f"queue {queue}, latency {latency // 1_000_000} ms"] = {
            "ours_m_changes_s": changes / min(seconds) / 1e6, "ours_median": changes / statistics.median(seconds) / 1e6,
            "peer_m_changes_s": {name: changes / min(theirs[name]["seconds"]) / 1e6 for name in ("hash map", "vector")},
            "ratio": best / min(seconds), "peer_mib": theirs["mib"],
            "fills": compared(fills, np.load(scratch / "fills.npy"), tape)}
    told["our_peak_mib"] = alone(tape, scratch)
    return told


def alone(tape: Any, scratch: Path) -> float:
    """Peak memory of a process that reads the tape and walks it once, MiB."""
    import numpy as np
    columns = ("kind", "exch_ns", "local_ns", "begin", "key", "qty", "local_order")
    for name in columns:
        np.save(scratch / f"{name}.npy", getattr(tape, name))
    script = f"""
import numpy as np
from decimal import Decimal
from pathlib import Path
from modules.backtest.prepare import compiled
compiled(Path({str(scratch / 'cache')!r}))
from benchmarks.peers.peak import mib
from benchmarks.peers.quoting import quote
from modules.backtest.ticks import arena as ar
from modules.backtest.ticks.tape import Tape
tape = Tape("SYN", Decimal("0.1"), Decimal("0.001"), *(np.load(f"{scratch}/{{n}}.npy") for n in {columns!r}))
quote(ar.arena_of(tape, trust=True), {EVERY}, {QTY}, {PATIENCE})
print(mib())
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE.parents[1])
    return float(done.stdout.split()[-1])


def frames(path: Path, python: Path) -> dict[str, Any]:
    """A recorded capture to events: lines and rows a second, ours and the peer's."""
    from modules.backtest.ticks.build import load_tape
    from modules.exchange.captures import pieces
    from modules.storage.recordings.reader import Damage
    lines = sum(piece.count(b"\n") for piece in pieces(path, Damage()))
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        tape = load_tape([path])
        seconds.append(time.perf_counter() - started)
    theirs = [peer(python, "convert", str(path)) for _ in range(2)]
    best = min(each["seconds"] for each in theirs)
    return {"lines": lines, "ours_s": min(seconds[1:]), "peer_s": best, "ratio": best / min(seconds[1:]),
            "ours_rows_s": tape.changes / min(seconds[1:]), "peer_rows_s": theirs[0]["rows"] / best,
            "ours_lines_s": lines / min(seconds[1:])}


if __name__ == "__main__":
    main()
