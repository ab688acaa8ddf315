"""From raw frames to a tape: what the frames say, in the venue's order, with breaks and strange lines told."""

import gzip
import json

import numpy as np
import pytest

from modules.backtest.ticks.build import load_tape
from modules.backtest.ticks.tape import DEPTH, FUNDING, GAP, SNAPSHOT, TRADE, TapeError, with_funding
from modules.storage.recordings.format import Kind
from modules.storage.recordings.recorder import Recorder, RecorderLimits
from tests.backtest.ticks.frames import T0, depth, session, snapshot, trade, write


def rows(tape):
    """(kind, ms, changes) of every message, changes as (price in ticks, steps)."""
    return [(int(tape.kind[i]), int(tape.exch_ns[i]) // 1_000_000 - T0,
             list(zip(tape.key[tape.begin[i]:tape.begin[i + 1]].tolist(),
                      tape.qty[tape.begin[i]:tape.begin[i + 1]].tolist(), strict=True))) for i in range(len(tape))]


def test_what_the_frames_say(tmp_path) -> None:
    tape = load_tape([write(tmp_path / "a.gz", session([
        depth(5, (9, 12, 8), [("100.1", "1.50")], []), trade(7, "100.2", "0.50", False)]))])
    assert tape.symbol == "BTCUSDT" and str(tape.tick) == "0.1" and str(tape.step) == "0.50"
    assert rows(tape) == [
        (SNAPSHOT, 5, [(1000, 20), (999, 40), (-1002, 20), (-1003, 40)]), (DEPTH, 5, [(1001, 3)]),
        (TRADE, 7, [(-1002, 1)]), (TRADE, 3_600_000, [(1001, 2)])]
    assert (tape.local_ns - tape.exch_ns)[[1, 2]].tolist() == [2_000_000] * 2


def test_a_break_becomes_a_gap_and_old_diffs_go(tmp_path) -> None:
    tape = load_tape([write(tmp_path / "a.gz", session([
        depth(1, (11, 12, 10), [("100.1", "1.00")], []), depth(2, (13, 14, 12), [("100.1", "2.00")], []),
        depth(3, (13, 14, 12), [("100.1", "9.00")], []), depth(4, (20, 21, 19), [], [("100.2", "0.00")]),
        snapshot(5, 30, [("99.0", "1.00")], [("101.0", "1.00")]), depth(6, (31, 32, 30), [], [("100.9", "1.00")])]))])
    assert [kind for kind, _, _ in rows(tape)] == [SNAPSHOT, DEPTH, DEPTH, GAP, DEPTH, GAP, SNAPSHOT, DEPTH, TRADE]
    assert tape.counted["breaks of the sequence"] == 2 and tape.counted["depth messages repeated or late"] == 1


def test_a_snapshot_that_no_diff_follows_on_proves_nothing(tmp_path) -> None:
    tape = load_tape([write(tmp_path / "a.gz", session([depth(5, (20, 21, 19), [("100.1", "1.00")], [])]))])
    assert [kind for kind, _, _ in rows(tape)] == [DEPTH, TRADE]
    assert tape.counted["snapshots that no diff follows on"] == 1


def test_local_clocks_behind_the_venue_are_set_forward(tmp_path) -> None:
    path = write(tmp_path / "a.gz", session([depth(5, (11, 12, 10), [("100.1", "1.00")], [])]), travel_ms=-1270)
    tape = load_tape([path], base_latency_ns=1_000_000)
    assert (tape.local_ns - tape.exch_ns)[1:].min() == 1_000_000
    assert tape.counted["local clock set forward, ms"] == 1271


def test_spot_frames_and_aggregated_trades(tmp_path) -> None:
    messages = [{"e": "depthUpdate", "E": T0, "s": "BTCUSDT", "U": 1, "u": 2, "b": [["100.0", "1.0"]], "a": []},
                {"e": "depthUpdate", "E": T0 + 1, "s": "BTCUSDT", "U": 3, "u": 5, "b": [], "a": [["100.1", "1.0"]]},
                trade(2, "100.1", "0.5", True, "aggTrade")]
    path = tmp_path / "spot.txt"
    bodies = [json.dumps(message, separators=(",", ":")) for message in messages]
    path.write_text("".join(f"{(T0 + n) * 10**6} {body}\n" for n, body in enumerate(bodies)))
    assert [kind for kind, _, _ in rows(load_tape([path]))] == [DEPTH, DEPTH, TRADE]


def test_a_recording_of_ours_is_the_same_tape(tmp_path) -> None:
    messages = session([depth(5, (11, 12, 10), [("100.1", "1.50")], []), trade(7, "100.2", "0.50", False)])
    recorder = Recorder(tmp_path / "own", lambda: 0, RecorderLimits(block_s=0.01))
    recorder.start()
    for message in messages:
        body = json.dumps(message, separators=(",", ":")).encode()
        kind = Kind.ANSWER if "lastUpdateId" in message else Kind.MESSAGE
        recorder.tap(body, (message["T"] + 2) * 10**6, recorder.source("/x"), kind)
    recorder.close()
    ours, theirs = load_tape([tmp_path / "own"], "BTCUSDT"), load_tape([write(tmp_path / "a.gz", messages)])
    assert rows(ours) == rows(theirs) and (ours.local_ns == theirs.local_ns).all()


def test_damaged_lines_and_other_symbols_are_passed_over(tmp_path) -> None:
    path = tmp_path / "a.gz"
    good = json.dumps(trade(1, "100.0", "1.00", True)).encode()
    other = good.replace(b"BTCUSDT", b"ETHUSDT")
    with gzip.open(path, "wb") as out:
        for body in (good, good[:-20], b'{"e":"trade"', other, b'["x"]', b'{"e":"kline","s":"BTCUSDT","k":{"c":"1"}}'):
            out.write(b"%d %b\n" % (T0 * 10**6, body))
        out.write(b"hello\n\n")
    tape = load_tape([path], "BTCUSDT")
    assert len(tape) == 1 and tape.counted["damaged lines"] == 4


def test_finer_numbers_later_in_the_file(tmp_path) -> None:
    many = [trade(n, "100.1", "1.0", True) for n in range(4000)]
    tape = load_tape([write(tmp_path / "a.gz", [*many, trade(5000, "100.125", "0.001", False)])])
    assert str(tape.tick) == "0.025" and str(tape.step) == "0.001" and rows(tape)[-1][2] == [(-4005, 1)]


@pytest.mark.parametrize(("content", "symbol", "told"), [
    (b"", None, "no depth message"), (b"1723161255000000000 {}\n", None, "symbol"),
    (b"%d %b\n" % (T0 * 10**6, json.dumps(trade(1, "1", "1", True)).encode()), "ETHUSDT", "ETHUSDT"),
])
def test_files_without_a_tape(tmp_path, content, symbol, told) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=told):
        load_tape([path], symbol)


def test_funding_is_put_in_its_place(tmp_path) -> None:
    tape = load_tape([write(tmp_path / "a.gz", session([trade(7, "100.2", "0.50", False)]))])
    paid = with_funding(tape, np.array([T0 - 10, T0 + 1000]), np.array([1.0, 0.0001]), np.array([1.0, 100.2]))
    kinds = [kind for kind, _, _ in rows(paid)]
    assert kinds == [SNAPSHOT, TRADE, FUNDING, TRADE] and rows(paid)[2] == (FUNDING, 1000, [(1002, 10_000)])
    assert len(paid.local_order) == len(paid) == 4


def test_funding_is_taken_from_mark_prices(tmp_path) -> None:
    def mark(ms: int, rate: str, due: int) -> dict:
        return {"e": "markPriceUpdate", "E": T0 + ms, "s": "BTCUSDT", "p": "100.12345678", "i": "100.1", "P": "100.1",
                "r": rate, "T": T0 + due}

    steps = [trade(7, "100.2", "0.50", False), mark(500, "0.00020000", 1000), mark(900, "0.00010000", 1000),
             mark(1100, "0.00090000", 9_000_000)]
    bodies = [{**each, "T": each.get("T", 0)} for each in session(steps)]
    path = tmp_path / "a.txt"
    path.write_text("".join(
        f"{(each['E'] + 1) * 10**6} {json.dumps(each, separators=(',', ':'))}\n" for each in bodies))
    tape = load_tape([path])
    paid = [row for row in rows(tape) if row[0] == FUNDING]
    assert [(ms, changes[0][1]) for _, ms, changes in paid] == [(1000, 10_000)]
    assert tape.counted["funding payments"] == 1
    assert paid[0][2][0][0] * float(tape.tick) == pytest.approx(100.1, abs=0.1)
