"""Checking recordings: breaks are found by the venue's rules, candles are exact, strange lines are counted."""

import gzip
import json
import random
import zipfile

import pytest

from config.settings import Settings
from modules.exchange.captures import CaptureError, pieces
from modules.exchange.recording_cli import examine, main
from modules.storage.recordings.format import Kind
from modules.storage.recordings.reader import Damage
from modules.storage.recordings.recorder import Recorder, RecorderLimits
from utils.paths import Paths

T0 = 1_723_161_300_000  # 2024-08-08 23:55


def diff(first: int, last: int, before: int | None = None) -> dict:
    chain = {} if before is None else {"pu": before}
    return {"e": "depthUpdate", "E": T0, "T": T0, "s": "BTCUSDT", "U": first, "u": last, **chain,
            "b": [["61800.20", "0.000"]], "a": []}


def trade(number: int, price: str, quantity: str, after_ms: int) -> dict:
    return {"e": "trade", "E": T0 + after_ms, "s": "BTCUSDT", "t": number, "p": price, "q": quantity,
            "T": T0 + after_ms, "m": True}


def lines(path, messages, stream="btcusdt@depth@100ms"):
    rows = [f'{(T0 + n) * 1_000_000} ' + json.dumps({"stream": stream if m.get("e") == "depthUpdate" else
            f"btcusdt@{m.get('e', 'bookTicker')}", "data": m}, separators=(",", ":")) for n, m in enumerate(messages)]
    with gzip.open(path, "wt") as out:
        out.write("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(("chain", "breaks", "late"), [
    ([diff(1, 5, 0), diff(6, 9, 5), diff(12, 20, 9)], 0, 0),  # futures: pu counts, ids may jump
    ([diff(1, 5, 0), diff(6, 9, 4)], 1, 0),
    ([diff(1, 5, 0), diff(6, 9, 5), diff(6, 9, 5), diff(10, 11, 9)], 0, 1),  # repeated
    ([diff(1, 5, 0), diff(10, 11, 9), diff(6, 9, 5), diff(12, 13, 11)], 1, 1),  # out of order
    ([diff(1, 5), diff(6, 9)], 0, 0),  # spot: the first id follows
    ([diff(1, 5), diff(7, 9)], 1, 0),
    ([diff(1, 5), diff(5, 9)], 1, 0),
])
def test_sequences(tmp_path, chain, breaks, late) -> None:
    told = examine([lines(tmp_path / "a.gz", chain)])
    assert (told["sequence_breaks"], told["late_or_repeated"], told["diffs"]) == (breaks, late, len(chain))
    assert told["symbols"] == ["BTCUSDT"] and bool(told["places"]) == bool(breaks)


def test_candles_are_exact_and_say_whether_they_are_whole(tmp_path) -> None:
    rows = [trade(1, "61828.0", "0.1", -5), trade(2, "61828.10", "0.2", 0), trade(4, "61860.8", "0.10000001", 7),
            trade(4, "61860.8", "9", 8), trade(5, "61583.22", "0.3", 299_999), trade(6, "61583.22", "0.3", 300_000)]
    told = examine([lines(tmp_path / "a.gz", rows)])
    five = [row for row in told["candles"] if row["timeframe"] == "5m" and row["open_ms"] == T0][0]
    assert (five["open"], five["high"], five["low"], five["close"]) == (61828.10, 61860.8, 61583.22, 61583.22)
    assert five["volume"] == 0.60000001 and five["trades"] == 3 and five["whole"]
    assert told["trades"] == 5 and told["trades_repeated"] == 1 and told["trades_missing"] == 1
    assert not [row for row in told["candles"] if row["open_ms"] != T0 and row["timeframe"] == "5m"][0]["whole"]


def test_trades_that_were_not_on_the_book_make_no_candle(tmp_path) -> None:
    told = examine([lines(tmp_path / "a.gz", [trade(1, "5", "1", 0), trade(2, "0", "0", 1)])])
    assert told["trades"] == 1 and told["candles"][0]["low"] == 5.0


def test_captures_of_two_markets_are_not_mixed(tmp_path) -> None:
    first = lines(tmp_path / "a.gz", [diff(1, 5, 0), diff(6, 9, 5)])
    second = lines(tmp_path / "b.gz", [diff(1001, 1005, 1000), diff(1006, 1009, 1005)])
    assert examine([first, second])["sequence_breaks"] == 0


def test_garbage_is_counted_and_the_rest_goes_on(tmp_path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"hello\n" + str(T0 * 10**6).encode() + b' {"stream":"x@depth","data":{"e":"depthUp\n'
                     + b"1626992741.06: " + json.dumps(diff(1, 2, 0)).encode() + b"\n\xff\xfe\n")
    told = examine([path])
    assert told["garbage"] == 3 and told["diffs"] == 1


@pytest.mark.parametrize("spoil", ["cut", "damaged"])
def test_a_packed_capture_that_breaks_off_is_read_up_to_there(tmp_path, spoil) -> None:
    rng = random.Random(5)
    path = lines(tmp_path / "a.gz", [trade(n, f"{rng.uniform(1, 9e4):.2f}", f"{rng.random():.8f}", n)
                                     for n in range(1, 20_001)])
    raw = bytearray(path.read_bytes())
    half = len(raw) // 2
    if spoil == "damaged":
        raw[half:half + 2000] = bytes(2000)
    path.write_bytes(raw if spoil == "damaged" else raw[:half])
    told = examine([path])
    assert 8_000 < told["trades"] < 12_000 and told["torn_bytes"] == 1 and told["trades_missing"] == 0
    assert sum("a.gz breaks off" in place for place in told["places"]) == 1
    damage = Damage()
    text = b"".join(pieces(path, damage))
    assert told["trades"] <= text.count(b"\n") < 12_000 and damage.torn_bytes == 1


@pytest.mark.parametrize("text", [b"\xff\xfe\x00rubbish\n", b"1,2\x00,3\n"])
def test_an_archive_that_is_no_text_is_refused_by_name(tmp_path, text) -> None:
    path = tmp_path / "BTCUSDT-aggTrades-2024-08-08.csv"
    path.write_bytes(text)
    with pytest.raises(CaptureError, match="BTCUSDT-aggTrades"):
        examine([path])


def test_an_archive_of_trades(tmp_path) -> None:
    path = tmp_path / "spot-PEPEUSDT-aggTrades-2024-10-27.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("PEPEUSDT.csv", "agg_trade_id,price,quantity,first,last,time,maker\n"
                     f"7,0.00000908,1000.00,1,1,{T0},False,True\n8,0.00000907,2000.00,2,3,{T0 + 5}000,True,True\nx\n")
    told = examine([path], ("5m",))
    assert told["trades"] == 2 and told["garbage"] == 1
    assert (told["candles"][0]["low"], told["candles"][0]["volume"]) == (9.07e-06, 3000.0)


def test_our_recording_restarts_its_sequence_with_a_connection(tmp_path) -> None:
    recorder = Recorder(tmp_path, lambda: T0 * 10**6, RecorderLimits(block_s=0.01))
    recorder.start()
    socket = recorder.source("/public")
    for message in (diff(1, 5, 0), diff(6, 9, 5)):
        recorder.tap(json.dumps(message).encode(), T0 * 10**6, socket)
    recorder.note({"lost": True, "source": "/public"})
    recorder.tap(json.dumps(diff(50, 60, 49)).encode(), T0 * 10**6, socket, Kind.MESSAGE)
    recorder.close()
    told = examine([tmp_path])
    assert (told["sequence_breaks"], told["restarts"], told["diffs"]) == (0, 1, 3)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.write_bytes(b""), lambda p: p.write_bytes(b"\x1f\x8bxx"),
                                  lambda p: p.write_bytes(b"nothing known\n")])
def test_files_that_are_no_capture(tmp_path, make) -> None:
    path = tmp_path / "a.gz"
    make(path)
    with pytest.raises(CaptureError, match="a.gz"):
        examine([path])


def test_the_command(tmp_path, capsys) -> None:
    path = lines(tmp_path / "a.gz", [diff(1, 5, 0), trade(1, "5", "1", 0)])
    paths = Paths(tmp_path)
    assert main(["check", str(path), "--json"], Settings(), paths) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 2
    assert main(["check", str(path)], Settings(), paths) == 0
    assert "sequence breaks" in capsys.readouterr().out
    assert main(["check"], Settings(), paths) == 1
    assert "bot.py run feed" in capsys.readouterr().err, "what to do where nothing was recorded"
    torn = lines(tmp_path / "torn.gz", [trade(n, "5", "1", n) for n in range(1, 20_001)])
    torn.write_bytes(torn.read_bytes()[:-200])
    assert main(["check", str(torn)], Settings(), paths) == 1
    said = capsys.readouterr()
    assert "sequence breaks" in said.out and "Torn or damaged" in said.err
    with pytest.raises(SystemExit) as ended:
        main(["chek"], Settings(), paths)
    assert ended.value.code == 2
