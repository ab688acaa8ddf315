"""The command line, from files to files, with the exit codes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import load_settings
from modules.backtest import cli, engine
from modules.backtest.prepare import digest
from tests.backtest.candles import table, write_csv
from utils.paths import default_paths

COUNT = 700
ROOT = Path(__file__).resolve().parents[2]
assert engine.PPM  # loaded here as plain Python: a run in this process must not switch compilation on for other tests


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A program of its own, with collected candles of three tokens."""
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))
    folder = tmp_path / "data" / "market_data"
    folder.mkdir(parents=True)
    for seed, name in ((1, "AAAUSDT"), (4, "BBBUSDT")):
        write_csv(folder / f"{name}.csv", table(seed, COUNT))
    write_csv(folder / "BTCUSDT.csv", table(9, COUNT, price=50_000.0, pumps=False))
    return tmp_path


def run(capsys, *argv):
    paths = default_paths().prepare()
    code = cli.main(list(argv), load_settings(paths), paths)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("strategy", ["hype", "rsi"])
def test_from_the_collected_candles_to_every_report(capsys, home, strategy):
    out, page = home / "results.csv", home / "page.html"
    code, text, _ = run(capsys, strategy, "--out", str(out), "--html", str(page), "--set", "backtest.fee_pct=0.05",
                        "--json")
    told = json.loads(text)
    rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
    assert code == 0 and told["candles"] == 3 * COUNT and told["settings"]["backtest.fee_pct"] == 0.05
    assert told["metrics"]["trades"] == len([row for row in rows if row["kind"] == "trade"]) > 0
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert ("spread" in " ".join(told["waived"])) == (strategy == "hype")


def test_settings_change_the_exits(capsys):
    told = [json.loads(run(capsys, "hype", "--json", *changes)[1]) for changes in
            ((), ("--set", "exit_levels=simple 0.80: 1.001 1.002 1.003 / 10"), ("--set", "max_hold_h=0.1"))]
    reasons = [{row["name"] for row in each["by_reason"]} for each in told]
    assert "time" in reasons[2] and "time" not in reasons[0]
    assert told[1]["metrics"] != told[0]["metrics"]


def test_text_tells_what_was_assumed(capsys):
    code, text, _ = run(capsys, "hype", "--symbols", "BBB/USDT")
    assert code == 0 and "the models: not asked" in text and "no BTCUSDT among the candles" in text


def test_only_some_days(capsys):
    told = json.loads(run(capsys, "hype", "--json", "--since", "2024-01-02", "--until", "2024-01-02")[1])
    assert told["span"] == "2024-01-02 … 2024-01-02" and told["candles"] == 3 * 288


@pytest.mark.parametrize(("argv", "code", "told"), [
    (("hype", "--set", "nonsense=1"), 2, "there is no such setting"),
    (("hype", "--set", "trail_fal_pct=1"), 2, "Near to it: hype.trail_fall_pct"),
    (("hype", "--set", "trail_fall_pct"), 2, "write name=value"),
    (("hype", "--set", "trail_fall_pct=200"), 2, "hype.trail_fall_pct: must be less than 50"),
    (("rsi", "--set", "fee_pct=x", "--set", "rsi_buy=y"), 2, "rsi.rsi_buy"),
    (("hype", "--set", "exit_levels=simple 0.80: 0.9 / 3"), 2, "must lie above 1"),
    (("hype", "--since", "2024-02-01", "--until", "2024-01-01"), 2, "lies before the start"),
    (("hype", "--since", "yesterday"), 2, "is no date"),
    (("hype", "--since", "2030-01-01"), 1, "no candle lies between the days"),
    (("hype", "--candles", "nowhere.csv"), 1, "there is no such file"),
    (("hype", "--symbols", "XYZUSDT"), 1, "none of XYZUSDT"),
    (("hype", "--html", "."), 2, "--html .: is a folder"),
    (("imbalance",), 2, "backtest imbalance --ticks FILES"),
    (("signals", "--json"), 2, "backtest signals --ticks FILES"),
    (("signals", "--ticks", "nowhere.cxr"), 1, "there is no nowhere.cxr"),
])
def test_what_cannot_be_is_said(capsys, argv, code, told):
    found, _, error = run(capsys, *argv)
    assert found == code and told in error


def test_arguments_are_looked_at_before_candles_and_the_way_out_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path / "fresh"))
    code, _, error = run(capsys, "hype", "--set", "nonsense=1")
    assert code == 2 and "there is no such setting" in error
    code, _, error = run(capsys, "hype")
    assert code == 1 and "bot.py data download --top 50" in error and error.count("No backtest") == 1
    assert not list((tmp_path / "fresh" / "data").glob("cache/compiled-*")), "nothing was compiled for that"


def test_nothing_has_no_sign():
    from modules.backtest.metrics import Metric
    from modules.backtest.report import figure

    assert [figure(Metric("x", value, "", "")) for value in (-0.0, -0.001, -0.01, -3, 0)] == [
        "0.00", "0.00", "-0.01", "-3", "0"]


def test_the_program_itself_compiled(home, compiled_cache):
    """bot.py backtest as a user starts it; its result is that of the plain rules."""
    pytest.importorskip("numba")
    command = [sys.executable, str(ROOT / "bot.py"), "backtest", "hype", "--json"]
    told = []
    for extra in ({"NUMBA_CACHE_DIR": str(compiled_cache)}, {"NUMBA_DISABLE_JIT": "1"}):
        done = subprocess.run(command, env={**os.environ, **extra}, capture_output=True, text=True, timeout=110,
                              encoding="utf-8", cwd=home)
        assert (done.returncode, done.stderr) == (0, "")
        told.append({name: value for name, value in json.loads(done.stdout).items() if name != "seconds"})
    assert told[0] == told[1] and told[0]["metrics"]["trades"] > 0


def test_an_unknown_strategy_is_an_argument_error(capsys):
    code, _, err = run(capsys, "griddle")
    assert code == 2 and all(word in err for word in ("griddle", "hype", "showdown", "grid", "imbalance"))


@pytest.mark.parametrize("argv", [
    "imbalance --help", "imbalance --ticks --help", "grid --ticks -h", "--ticks x --help"])
def test_help_of_recorded_frames_needs_no_frames(capsys, argv):
    with pytest.raises(SystemExit) as ended:
        run(capsys, *argv.split())
    out = capsys.readouterr().out
    assert ended.value.code == 0 and "recorded" in out and "--ticks FILE" in out and "--models" not in out


def test_hour_candles_are_too_coarse_for_the_scanner(capsys, tmp_path):
    path = write_csv(tmp_path / "AAAUSDT.csv", table(1, 200, step_ms=3_600_000))
    code, _, error = run(capsys, "hype", "--candles", str(path))
    assert code == 1 and "its candles are 60 minutes long; needed are 5 minutes" in error
    assert run(capsys, "rsi", "--candles", str(path))[0] == 0


def test_one_candle_is_no_crash(capsys, tmp_path):
    path = write_csv(tmp_path / "AAAUSDT.csv", table(1, 1))
    code, text, _ = run(capsys, "hype", "--candles", str(path))
    assert code in (0, 1) and "Traceback" not in text


def test_minute_candles_decide_within_five_minutes(capsys, tmp_path):
    minutes = table(4, COUNT * 5, step_ms=60_000)
    (tmp_path / "fine").mkdir()
    fine = write_csv(tmp_path / "fine" / "BBBUSDT.csv", minutes)
    told = json.loads(run(capsys, "hype", "--candles", str(tmp_path / "data" / "market_data" / "BBBUSDT.csv"),
                          "--finer", str(fine), "--json")[1])
    assert told["candles"] == COUNT * 5


def test_the_cache_is_named_after_the_rules(monkeypatch, tmp_path):
    from modules.backtest import prepare
    before = digest()
    for part in prepare.PARTS:
        copy = tmp_path / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((prepare.HERE.parents[1] / part).read_bytes())
    monkeypatch.setattr(prepare, "HERE", tmp_path / "modules" / "backtest")
    assert digest() == before
    exits = tmp_path / "modules" / "strategies" / "hype" / "exits.py"
    exits.write_text(exits.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    assert digest() != before


def test_models_are_asked_for_by_an_option(capsys):
    told = json.loads(run(capsys, "hype", "--models", "walk-forward", "--json")[1])
    assert told["settings"]["backtest.models"] == "walk-forward" and told["folds"][0]["learnt"] == 0
    code, _, error = run(capsys, "rsi", "--models", "walk-forward")
    assert code == 2 and "no model judges the entries of rsi" in error
