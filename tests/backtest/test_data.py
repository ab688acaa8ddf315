"""``bot.py data``: download against the simulated exchange, resumed after a kill; check; lossless conversion."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from config.settings import load_settings
from modules.backtest import data_cli
from modules.backtest.data_download import Wanted, download
from modules.backtest.load import tokens
from modules.exchange.types import Candles, Unavailable
from modules.market import candles, sets
from modules.simulator.server import serve
from modules.simulator.settings import SimulatorSettings
from tests.backtest.candles import STEP_MS, table, write_csv
from tests.quiet_market import QuietMarket
from tests.surroundings import environment, wait_until
from utils.paths import PROJECT, Paths

NOW = 1_750_000_000_000 // STEP_MS * STEP_MS + 60_000


class Venue(QuietMarket):
    """Candles of every 5 minutes since a listing, at most 500 from `since_ms` on."""

    def __init__(self, listed_ms: int = 0, broken_after: int = 10**9) -> None:
        super().__init__(NOW)
        self.listed_ms, self.broken_after = listed_ms, broken_after
        self.asked: list[tuple[str, int]] = []

    async def candles(self, symbol: str, interval: str, limit: int, since_ms: int | None = None) -> Candles:
        assert since_ms is not None
        if len(self.asked) >= self.broken_after or symbol == "BADUSDT":
            raise Unavailable("broken by the test")
        self.asked.append((interval, since_ms))
        step = sets.STEPS[interval]
        first = max(since_ms, self.listed_ms // step * step)
        opens = np.arange(-(-first // step), min(self.hand.ms // step + 1, -(-first // step) + limit)) * float(step)
        return np.column_stack((opens, *[np.ones(len(opens))] * 4, opens / step % 7))


def wanted(days: float, until_ms: int = NOW) -> Wanted:
    return Wanted("5m", NOW // STEP_MS * STEP_MS - round(days * 288) * STEP_MS, until_ms)


async def fetch(venue, folder, want, *symbols):
    return [step async for step in download(venue, symbols or ("AUSDT",), want, folder)]


def stored(folder, symbol="AUSDT"):
    return candles.read(candles.candle_path(folder, symbol))


async def test_what_is_stored_is_not_asked_for_again(tmp_path):
    venue = Venue()
    steps = await fetch(venue, tmp_path, wanted(20))
    assert len(stored(tmp_path)) == 20 * 288 and steps[-1].last.added == 20 * 288 and steps[-1].done == 1
    venue.asked.clear()
    venue.hand.ms += 2 * STEP_MS
    await fetch(venue, tmp_path, wanted(20, venue.hand.ms))
    assert len(venue.asked) == 1 and len(stored(tmp_path)) == 20 * 288 + 2


async def test_a_longer_span_is_added_in_front(tmp_path):
    await fetch(Venue(), tmp_path, wanted(5))
    await fetch(Venue(), tmp_path, wanted(25))
    rows = stored(tmp_path)
    assert len(rows) == 25 * 288 and not candles.gaps(rows)


@pytest.mark.parametrize("broken_after", [2, 6, 12, 15])
async def test_a_cut_at_any_time_leaves_no_hole_and_the_next_run_completes_it(tmp_path, broken_after):
    await fetch(Venue(), tmp_path, Wanted("5m", NOW - 6 * 86_400_000, NOW - 4 * 86_400_000))
    steps = await fetch(Venue(broken_after=broken_after), tmp_path, wanted(29))
    assert "broken" in steps[-1].last.problem and not candles.gaps(stored(tmp_path))
    await fetch(Venue(), tmp_path, wanted(29))
    assert len(stored(tmp_path)) == 29 * 288 and not candles.gaps(stored(tmp_path))


async def test_a_young_token_is_asked_from_its_listing_on(tmp_path):
    venue = Venue(listed_ms=NOW - 3 * 86_400_000)
    await fetch(venue, tmp_path, wanted(400))
    assert len(stored(tmp_path)) == 3 * 288 and len([one for one in venue.asked if one[0] == "5m"]) <= 3


async def test_one_bad_symbol_fails_alone_and_other_lengths_do_not_mix(tmp_path):
    steps = await fetch(Venue(), tmp_path, wanted(1), "AUSDT", "BADUSDT", "CUSDT")
    assert {step.last.name for step in steps if step.last.problem} == {"BADUSDT"} and steps[-1].share == 1.0
    minutes = Wanted("1m", NOW - 3_600_000, NOW)
    assert "another length" in (await fetch(Venue(), tmp_path, minutes))[-1].last.problem


def run(capsys, home, *argv, **variables):
    paths = Paths(home).prepare()
    code = data_cli.main([str(one) for one in argv], load_settings(paths, variables), paths)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.fixture
async def venue():
    """Address of a small simulated exchange."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    options = SimulatorSettings(tokens=20, seed=3, start=datetime(2026, 3, 3, 12, tzinfo=UTC))
    task = asyncio.create_task(serve(options, ready.set_result, stop))
    yield f"http://127.0.0.1:{await asyncio.wait_for(ready, 30)}"
    stop.set()
    await task


async def command(home, address, *argv):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-u", str(PROJECT / "bot.py"), "data", *argv, cwd=home, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=environment(home, EXCHANGE_BASE_URL=address))


async def test_the_program_downloads_is_killed_and_goes_on(venue, tmp_path):
    """Minutes of two tokens into one Parquet file; killed once the first batch lies on the disk."""
    pytest.importorskip("pyarrow")
    target = tmp_path / "minutes.parquet"
    argv = ("download", "btc", "eth", "--interval", "1m", "--since", "2026-02-15", "--to", str(target))
    first = await command(tmp_path, venue, *argv)
    parts = tmp_path / ".minutes-parquet-parts"
    await asyncio.to_thread(wait_until, lambda: any(parts.glob("*.csv")), "a first batch", 60)
    first.kill()
    await first.communicate()
    before = sum(len(candles.read(path)) for path in parts.glob("*.csv"))
    assert before > 0 and not target.exists()
    second = await command(tmp_path, venue, *argv)
    out, err = await asyncio.wait_for(second.communicate(), 90)
    assert second.returncode == 0 and "2 of 2 symbols" in out.decode(), err.decode()
    found = dict(tokens(target))
    assert set(found) == {"BTCUSDT", "ETHUSDT"} and not parts.exists()
    for columns in found.values():
        assert len(columns["time"]) >= 16.4 * 1440 and (np.diff(columns["time"]) == 60_000).all()
    fresh = sum(int(line.split(": ")[1].split(" new")[0].replace(",", "")) for line in err.decode().splitlines())
    assert fresh + before <= sum(len(columns["time"]) for columns in found.values()) + 3


def odd(path):
    """Rows with everything that can be wrong."""
    rows = table(1, 40)
    rows[5, 2] = np.nan
    rows[7, 3] = rows[7, 2] + 1
    rows[9, 5] = 0
    rows[[20, 21]] = rows[[21, 20]]
    rows = np.concatenate((rows[:30], rows[33:], rows[39:]))
    return write_csv(path, rows)


def test_check_counts_what_is_wrong_for_each_symbol(capsys, tmp_path):
    odd(tmp_path / "ODDUSDT.csv")
    write_csv(tmp_path / "GOODUSDT.csv", table(2, 40))
    both = (tmp_path / "ODDUSDT.csv", tmp_path / "GOODUSDT.csv")
    code, text, _ = run(capsys, tmp_path / "home", "check", *both, "--json")
    told = json.loads(text)
    bad = next(one for one in told["symbols"] if one["symbol"] == "ODDUSDT")
    assert code == 1 and not told["usable"]
    assert {name: bad[name] for name in ("nan", "impossible", "unsorted", "duplicates", "zero_volume", "unusable")} == {
        "nan": 1, "impossible": 1, "unsorted": 1, "duplicates": 1, "zero_volume": 1, "unusable": 2}
    assert bad["gap_count"] == 3 and bad["missing"] == 5  # the two rows left out are gaps as well
    code, text, _ = run(capsys, tmp_path / "home", "check", tmp_path / "ODDUSDT.csv")
    assert code == 1 and "CANNOT BE USED" in text and "no candles 2024-01-01 02:30 … 2024-01-01 02:45 (3)" in text
    assert run(capsys, tmp_path / "home", "check", tmp_path / "GOODUSDT.csv")[0] == 0


@pytest.mark.parametrize("ending", [".parquet", ".feather", ".csv"])
def test_conversion_loses_nothing_there_and_back(capsys, tmp_path, ending):
    if ending != ".csv":
        pytest.importorskip("pyarrow")
    source = tmp_path / "in"
    rows = {name: table(seed, 300, price=0.000123 * 10**seed) for seed, name in enumerate(("AAAUSDT", "BBBUSDT"))}
    source.mkdir()
    for name, one in rows.items():
        one[:, 1:] *= np.pi  # seventeen digits
        write_csv(source / f"{name}.csv", one)
    whole, back = tmp_path / f"all{ending}", tmp_path / "back"
    assert run(capsys, tmp_path / "home", "convert", source, "--to", whole)[0] == 0
    assert run(capsys, tmp_path / "home", "convert", whole, "--to", back)[0] == 0
    for name, one in rows.items():
        assert np.array_equal(candles.read(back / f"{name}.csv"), one)
    code, _, error = run(capsys, tmp_path / "home", "convert", source, "--to", whole)
    assert code == 2 and "exists already" in error
    assert run(capsys, tmp_path / "home", "convert", source, "--to", whole, "--replace")[0] == 0


def test_odd_rows_are_kept_by_files_and_refused_by_the_bots_folder(capsys, tmp_path):
    path = odd(tmp_path / "ODDUSDT.csv")
    code, text, _ = run(capsys, tmp_path / "home", "convert", path, "--to", tmp_path / "out.csv")
    assert code == 0 and "38 rows" in text
    before, after = (next(iter(tokens(one)))[1] for one in (path, tmp_path / "out.csv"))
    assert all(np.array_equal(before[name], after[name], equal_nan=True) for name in ("time", "open", "high", "volume"))
    code, _, error = run(capsys, tmp_path / "home", "convert", path, "--to", tmp_path / "folder")
    assert code == 1 and "cannot lie in the bot's own folder" in error
    code, text, _ = run(capsys, tmp_path / "home", "convert", path, "--to", tmp_path / "folder", "--clean")
    assert code == 0 and "1 × duplicate rows" in text and len(stored(tmp_path / "folder", "ODDUSDT")) == 35


@pytest.mark.parametrize(("argv", "code", "told"), [
    (("download",), 2, "name the tokens"),
    (("download", "btc", "--days", "0"), 2, "must be 1 or more"),
    (("download", "btc", "--days", "3", "--since", "2024-01-01"), 2, "not both"),
    (("check", "--set", "../x"), 2, "is no set of candles"),
    (("download", "btc", "--since", "2024-02-01", "--until", "2024-01-01"), 2, "lies before the start"),
    (("download", "btc", "--since", "soon"), 2, "is no date"),
    (("check", "nowhere.csv"), 1, "there is no such file"),
    (("check",), 1, "no candle files in this folder"),
    (("convert", "nowhere.csv", "--to", "x.csv"), 1, "there is no such file"),
])
def test_what_cannot_be_is_said(capsys, tmp_path, argv, code, told):
    found, _, error = run(capsys, tmp_path, *argv)
    assert found == code and told in error


def test_an_empty_file_and_an_unknown_ending(capsys, tmp_path):
    (tmp_path / "EMPTYUSDT.csv").write_text("")
    code, text, _ = run(capsys, tmp_path / "home", "check", tmp_path / "EMPTYUSDT.csv")
    assert code == 1 and "is empty" in text
    write_csv(tmp_path / "AUSDT.csv", table(1, 5))
    code, _, error = run(capsys, tmp_path / "home", "convert", tmp_path / "AUSDT.csv", "--to", tmp_path / "a.xls")
    assert code == 1 and "unknown kind of file" in error


async def test_an_unknown_symbol_is_named_with_what_is_near(venue, tmp_path):
    done = await command(tmp_path, venue, "download", "ethh")
    _, err = await asyncio.wait_for(done.communicate(), 60)
    assert done.returncode == 2 and "Near: ETHUSDT" in err.decode()


async def test_other_lengths_lie_apart_and_programs_get_json_and_progress(venue, tmp_path):
    done = await command(tmp_path, venue, "download", "btc", "--interval", "1h", "--days", "3", "--json", "--progress")
    out, err = await asyncio.wait_for(done.communicate(), 60)
    told = json.loads(out)
    assert done.returncode == 0 and told["set"] == "simulated-1h" and told["usable"] and told["failed"] == {}
    assert told["added"] == told["rows"] == len(stored(tmp_path / "data/candles/simulated-1h", "BTCUSDT"))
    shares = [json.loads(line.removeprefix("progress "))["share"] for line in err.decode().splitlines()]
    assert shares == sorted(shares) and shares[-1] >= data_cli.FETCHED
    assert not list((tmp_path / "data/market_data").glob("*.csv"))
