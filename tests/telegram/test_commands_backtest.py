"""/backtest and /cancel: what is asked of the program, and what a person reads and sees."""

import json
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from modules.exchange.settings import ExchangeSettings
from modules.market import candles, sets
from modules.telegram.chart_backtest import backtest as draw
from modules.telegram.chart_style import DOWN, ENTRY, UP
from modules.telegram.command import UsageError
from modules.telegram.commands.backtest import read
from modules.telegram.long_runs import Ended, Occupied
from modules.telegram.markup import plain
from tests.telegram.house import House
from tests.telegram.test_charts import share
from utils.paths import Paths

BEGIN_MS = 1_704_067_200_000  # 2024-01-01
DAY_MS = 86_400_000


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Ten days of one token."""
    made = House(tmp_path)
    store(made.paths.market_data, 10 * 288)
    return made


def store(folder: Path, count: int) -> None:
    rows = np.ones((count, 6))
    rows[:, 0] = BEGIN_MS + np.arange(count) * 300_000.0
    candles.merge(folder / "AAAUSDT.csv", rows, 1 << 60)


class Runs:
    """Notes what is run, and answers as told."""

    def __init__(self, ended: Ended | None = None, busy: str = "") -> None:
        self.ended, self.busy, self.argv = ended, busy, [""]
        self.cancelled: list[str] = []

    async def run(self, kind: str, argv: list[str], *rest: Any) -> Ended:
        self.argv = argv
        if self.busy:
            raise Occupied(self.busy)
        assert self.ended is not None
        return self.ended

    def under_way(self) -> dict[str, str]:
        return {"backtest": "x"}

    def cancel(self, kind: str) -> bool:
        self.cancelled.append(kind)
        return True


def result(**figures: Any) -> dict[str, Any]:
    values = {"start": 1000.0, "end": 1012.5, "result": 1.25, "buy and hold": -3.0, "trades": 12, "won": 50.0,
              "mean trade": 0.4, "mean trade ±": 0.9, "deepest drawdown": 2.5, "fees": 1.5, **figures}
    times = [BEGIN_MS + day * DAY_MS for day in range(60)]
    end = values["end"]
    return {"title": "Backtest hype", "span": "2024-01-01 … 2024-02-29", "symbols": ["AAAUSDT", "BBBUSDT"],
            "candles": 34560, "metrics": values, "waived": ["depth: <taken> as deep", "spread: taken"],
            "refused": {"HELD": 3}, "by_month": [{"name": "2024-01", "pnl_usdt": "20.0"},
                                                 {"name": "2024-02", "pnl_usdt": "-7.5"}],
            "curve": {"time": times, "equity": np.linspace(1000, end, 60).tolist(),
                      "hold": np.linspace(1000, 970, 60).tolist(), "drawdown": [0.0, -2.5] * 30}}


async def ask(house: House, line: str, runs: Runs) -> str:
    house.context.runs = runs  # type: ignore[assignment]
    return plain(await house.ask(line))


async def test_figures_interval_and_assumptions_are_told(house: House) -> None:
    runs = Runs(Ended(0, json.dumps(result()), ""))
    told = await ask(house, "/backtest hype 3 trail_fall_pct=2 hype.max_open_trades=3 AAAUSDT", runs)
    assert "Net +12.50 USDT (+1.25%), buy and hold −3.00%" in told and "12 trades, 50% won" in told
    assert "+0.40% ± 0.90 (95 %): no different from nothing" in told and "nothing was bought or sold" in told
    assert "depth: <taken> as deep; 1 more" in told and "neither TEST nor LIVE" in told and "no picture" in told
    assert runs.argv == ["backtest", "hype", "--json", "--progress", "--curve", "600", "--since=2024-01-07",
                         "--symbols", "AAAUSDT", "--set=trail_fall_pct=2", "--set=hype.max_open_trades=3"]


async def test_the_picture_comes_with_it(house: House) -> None:
    house.worker.answers["backtest"] = {"picture": "pictures/x.png"}
    house.context.runs = Runs(Ended(0, json.dumps(result()), ""))  # type: ignore[assignment]
    from tests.telegram.house import CONSOLE
    answer = await house.router.line(CONSOLE, "/backtest rsi 2024-01-02 2024-01-05")
    assert answer is not None and answer.picture == house.paths.data / "pictures/x.png"
    assert house.context.runs.argv[-2:] == ["--since=2024-01-02", "--until=2024-01-05"]  # type: ignore[attr-defined]
    _, spec = house.worker.asked[-1]
    assert spec["months"] == [("2024-01", 20.0), ("2024-02", -7.5)] and "deepest fall 2.5%" in spec["note"]


async def test_no_trades_and_certain_results(house: House) -> None:
    none = result(trades=0, won=None, **{"mean trade": None, "mean trade ±": None})
    assert "No trade came of it" in await ask(house, "/backtest", Runs(Ended(0, json.dumps(none), "")))
    for mean, word in ((2.0, ": a gain"), (-2.0, ": a loss")):
        text = json.dumps(result(**{"mean trade": mean}))
        assert word in await ask(house, "/backtest", Runs(Ended(0, text, "")))


@pytest.mark.parametrize(("ended", "told"), [
    (Ended(2, "", "usage: x\nbot.py backtest: error: argument strategy: invalid choice: 'foo' (choose from 'hype', "
                  "'rsi')"), "No backtest.\nstrategy: there is no 'foo'; there are: hype, rsi\n"),
    (Ended(2, "", "usage: x\nbot.py backtest: error: unrecognized arguments: -x"), "No backtest.\nunrecognized"),
    (Ended(2, "", "--set nosuch: there is no such setting."), "no such setting"),
    (Ended(1, "", "No backtest: no candle lies between the days given"), "Give other days"),
    (Ended(-9, "", "", cancelled=True), "Backtest cancelled"),
    (Ended(-9, "", ""), "ended with code -9"),
])
async def test_what_went_wrong_is_said(house: House, ended: Ended, told: str) -> None:
    said = await ask(house, "/backtest x", Runs(ended))
    assert told in said and "fault of the program" not in said


async def test_one_at_a_time_and_cancelled_by_word(house: House) -> None:
    said = await ask(house, "/backtest", Runs(busy="hype, asked for by Ann: 40 %"))
    assert "A backtest is under way." in said and "40 %" in said
    runs = Runs()
    assert "Cancelled: backtest" in await ask(house, "/backtest cancel", runs)
    assert "Cancelled: backtest" in await ask(house, "/cancel", runs)
    assert runs.cancelled == ["backtest", "backtest"]


@pytest.mark.parametrize("count", [0, 288])
async def test_too_few_candles_are_a_friendly_answer(tmp_path: Path, count: int) -> None:
    house = House(tmp_path)
    if count:
        store(house.paths.market_data, count)
    runs = Runs()
    said = await ask(house, "/backtest", runs)
    assert "/data download top=" in said and runs.argv == [""]


async def test_settings_are_judged_before_the_candles(tmp_path: Path) -> None:
    house = House(tmp_path)
    wrong = Runs(Ended(2, "", "--set nosuch: there is no such setting."))
    assert "no such setting" in await ask(house, "/backtest hype 30 nosuch=1", wrong)
    right = Runs(Ended(1, "", "No backtest: no candles lie in x"))
    assert "/data download top=" in await ask(house, "/backtest hype 30 trail_fall_pct=2", right)


@pytest.mark.parametrize("words", ["0", "99999", "2024-01-01 2024-01-02 2024-01-03", "5 2024-01-01", "hype x y", "§"])
async def test_words_that_mean_nothing_are_refused(house: House, words: str) -> None:
    with pytest.raises(UsageError):
        read(words)
    assert "is an example" in await ask(house, f"/backtest {words}", Runs())


def test_the_span_of_what_is_collected(house: House) -> None:
    (house.paths.market_data / "odd.csv").write_text("x")
    assert sets.span(house.paths.market_data) == (BEGIN_MS, BEGIN_MS + 10 * DAY_MS - 300_000)


@pytest.mark.parametrize("end", [1200.0, 800.0, 1000.0])
async def test_the_picture_shows_both_curves_and_the_months(tmp_path: Path, end: float) -> None:
    found = result(end=end)
    spec = {"name": "Backtest hype", "zone": "Europe/Riga", "note": "…", "start": 1000.0, "curve": found["curve"],
            "months": [("2024-01", 20.0), ("2024-02", 12.0 if end > 1000 else -20.0)]}
    path = tmp_path / "data" / (await draw(Paths(tmp_path), ExchangeSettings(), spec))["picture"]
    assert matplotlib.image.imread(path).shape[:2] == (1000, 1125)
    assert share(path, ENTRY) > 0.001 and share(path, UP) > 0.01
    assert (share(path, DOWN) > 0.01) == (end <= 1000)


async def test_one_point_is_no_crash(tmp_path: Path) -> None:
    spec = {"name": "Backtest hype", "zone": "UTC", "note": "", "start": 1000.0, "months": [],
            "curve": {"time": [BEGIN_MS], "equity": [1000.0], "hold": [1000.0], "drawdown": [0.0]}}
    assert (await draw(Paths(tmp_path), ExchangeSettings(), spec))["picture"].endswith(".png")


async def test_the_program_itself_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From /backtest over bot.py to the text, on made-up candles; plain Python, so that nothing is compiled."""
    from tests.backtest.candles import table, write_csv
    house = House(tmp_path)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    for seed, name in ((1, "AAAUSDT"), (4, "BBBUSDT"), (9, "BTCUSDT")):
        write_csv(house.paths.market_data / f"{name}.csv", table(seed, 700))
    house.worker.answers["backtest"] = {"picture": "pictures/x.png"}
    said = plain(await house.ask("/backtest hype"))
    assert "Backtest hype, 2024-01-01 … 2024-01-03" in said and "Per trade" in said
    curve = house.worker.asked[-1][1]["curve"]
    assert len(curve["time"]) == len(curve["equity"]) == len(curve["hold"]) > 100
