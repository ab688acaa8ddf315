"""Every kind of bad candles through the command: an error that says what is wrong, or a run that counts it."""

import json

import numpy as np
import pytest

from config.settings import load_settings
from modules.backtest import cli, engine
from tests.backtest.candles import table
from utils.paths import default_paths

HEAD = "time,open,high,low,close,volume\n"
CANDLES = table(4, 400)
assert engine.PPM


def text(candles):
    return HEAD + "".join(",".join(repr(float(value)) for value in row) + "\n" for row in candles)


def changed(column, value, rows=slice(None)):
    candles = CANDLES.copy()
    candles[rows, column] = value
    return text(candles)


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command on files with these contents: (exit code, JSON object or None, what was said)."""
    monkeypatch.setenv("COXSWAIN_HOME", str(tmp_path))

    def go(strategy, *contents, options=()):
        files = []
        for number, content in enumerate(contents):
            files.append(tmp_path / f"T{number}USDT.csv")
            files[-1].write_text(content, encoding="utf-8")
        paths = default_paths().prepare()
        code = cli.main([strategy, "--candles", *map(str, files), "--json", *options], load_settings(paths), paths)
        out = capsys.readouterr()
        assert "Traceback" not in out.err
        return code, json.loads(out.out) if out.out else None, out.err
    return go


@pytest.mark.parametrize("strategy", ["hype", "rsi"])
@pytest.mark.parametrize(("content", "told"), [
    ("", "is empty"), (HEAD, "holds no rows"), ("a,b\n1,2\n", "columns are missing: a time"),
    (HEAD + "2024-01-01,a,b,c,d,e\n", "column open holds something that is no number"),
    (HEAD + "hello,1,1,1,1,1\n", "a time cannot be read"), (changed(4, np.nan), "no usable candle"),
    (changed(3, -1.0), "no usable candle"), (changed(4, np.inf), "no usable candle"),
])
def test_what_cannot_be_used_is_an_error_that_says_why(run, strategy, content, told):
    code, _, error = run(strategy, content)
    assert code == 1 and told in error


@pytest.mark.parametrize("strategy", ["hype", "rsi"])
@pytest.mark.parametrize(("content", "counted"), [
    (text(np.delete(CANDLES, slice(100, 150), axis=0)), {"gaps": 1}),
    (text(np.concatenate((CANDLES, CANDLES[50:60]))), {"duplicate rows (the later one counts)": 10,
                                                       "unsorted rows": 1}),
    (text(CANDLES[::-1]), {"unsorted rows": 399}),
    (changed(4, np.nan, slice(10, 20)), {"rows with missing numbers (left out)": 10, "gaps": 1}),
    (changed(2, 1e-9, slice(10, 20)), {"impossible candles (left out)": 10, "gaps": 1}),
    (changed(5, 0.0), {"candles without volume": 400}),
    (text(CANDLES[:1]), {"tokens with one candle only": 1}),
    (changed(0, CANDLES[0, 0]), {"duplicate rows (the later one counts)": 399, "tokens with one candle only": 1}),
])
def test_what_can_be_used_is_counted(run, strategy, content, counted):
    code, told, _ = run(strategy, content)
    data = {name: count for name, count in told["data"].items()
            if count and not name.startswith(("candles: ", "suspects: "))}
    assert code == 0 and data == counted


def test_nothing_is_bought_without_volume(run):
    _, told, _ = run("rsi", changed(5, 0.0))
    assert told["metrics"]["trades"] == 0 and told["refused"]["NO_VOLUME"] > 0


def test_a_token_of_rubbish_does_not_stop_the_others(run):
    code, told, _ = run("rsi", changed(4, np.nan), text(CANDLES))
    assert code == 0 and told["symbols"] == ["T1USDT"]
    assert told["data"]["tokens without a usable candle (left out)"] == 1


@pytest.mark.parametrize("factor", [1e-13, 1e12])
def test_prices_of_any_size(run, factor):
    candles = CANDLES.copy()
    candles[:, 1:5] *= factor
    candles[:, 5] /= factor
    code, told, _ = run("rsi", text(candles), options=("--set", "rsi.direction=both"))
    assert code == 0 and told["metrics"]["trades"] > 3 and {row["name"] for row in told["by_side"]} == {"long", "short"}
