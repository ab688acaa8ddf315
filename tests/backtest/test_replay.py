"""``bot.py replay`` on what a tracker recorded: the same, or a difference that is named; damage is a clear error."""

import json

import pytest

from config.settings import load_settings
from modules.backtest import replay_cli
from modules.backtest.replay import Look, Recording
from modules.backtest.replay_words import words
from modules.strategies.hype import exits
from modules.strategies.hype.settings import HypeSettings
from tests.hype.tracker_house import House
from utils.paths import Paths

LADDER = "simple 0.80: 1.03 1.06 1.09 / 2.5"


@pytest.fixture
async def recorded(tmp_path):
    """Three positions: one climbs the ladder and trails out, one is stopped, one falls back to break-even."""
    house = House(tmp_path / "home", HypeSettings(exit_levels=(LADDER,), cooldown_after_sell_s=0))
    for symbol in ("AAAUSDT", "BBBUSDT", "CCCUSDT"):
        await house.bought(symbol)
    for bids in (("1.01", "0.99", "1.02"), ("1.031", "0.974", "1.035"), ("1.065", "0.97", "1.001"),
                 ("1.1", "0.97", "1"), ("1.2", "0.97", "1"), ("1.16", "0.97", "1")):
        await house.turn(AAAUSDT=bids[0], BBBUSDT=bids[1], CCCUSDT=bids[2])
    house.propose("AAAUSDT", price=0.5)
    await house.turn()
    await house.tracker.finish()
    assert not house.test.positions
    return house


def run(capsys, house, *argv):
    paths = Paths(house.home).prepare()
    code = replay_cli.main([*map(str, argv)], load_settings(paths, {}), paths)
    out = capsys.readouterr()
    return code, out.out, out.err


def file_of(house):
    return house.paths.data / "decisions" / "hype-test.000001.jsonl"


async def test_every_decision_is_made_again_and_told(recorded, capsys):
    code, text, _ = run(capsys, recorded)
    assert code == 0 and "all the same, byte for byte" in text
    for told in ("reached target 1 at", "reached target 2 at", "the stop moves from",
                 "price 0.974 fell to the first stop", "fell to the stop", "raised to break-even", "trailing stop",
                 "3 % from the best price 1.2",
                 "refused", "SLIPPAGE", "targets 1.0302 1.0602 1.0902", "allowed"):
        assert told in text, told
    assert ": held" not in text  # looks at which nothing happened are only counted


async def test_json_one_position_and_a_moment(recorded, capsys):
    code, text, _ = run(capsys, recorded, file_of(recorded), "--json", "--position", "BBB", "--all")
    told = json.loads(text)
    assert code == 0 and told["different"] == 0 and {row["symbol"] for row in told["shown"]} == {"BBBUSDT"}
    kinds = [row["kind"] for row in told["shown"]]
    assert kinds[:2] == ["judged", "opened"] and kinds[-1] == "sold" and "stop" in kinds and "hold" in kinds
    stop = next(row for row in told["shown"] if row["kind"] == "stop")
    code, text, _ = run(capsys, recorded, file_of(recorded), "--json", "--at", stop["market_ms"], "--position",
                        stop["position"])
    assert [row["why"] for row in json.loads(text)["shown"]][-1] == stop["why"]


@pytest.mark.parametrize("change", ["PPM", "WIDEST_STOP_PPM", "trail_stop", "min_plan"])
async def test_one_changed_rule_makes_it_fail_and_names_the_first(recorded, capsys, monkeypatch, change):
    if change == "WIDEST_STOP_PPM":
        monkeypatch.setattr(exits, change, 5_000)
    elif change == "PPM":
        monkeypatch.setattr(exits, change, 1_000_100)
    elif change == "trail_stop":
        monkeypatch.setattr(exits, change, lambda peak, trail_ppm: peak * (1_000_000 - 2 * trail_ppm) // 1_000_000)
    else:
        monkeypatch.setattr(exits, "stop_reason", lambda plan, state, stop: exits.TRAILING)
    code, text, _ = run(capsys, recorded)
    assert code == 1 and "DIFFER" in text and "The first that differs:" in text
    code, text, _ = run(capsys, recorded, "--json")
    told = json.loads(text)
    assert code == 1 and told["different"] >= 1
    assert told["first_difference"]["recorded"] != told["first_difference"]["now"]


async def test_an_edited_line_is_named_and_a_torn_tail_left_out(recorded, capsys):
    path = file_of(recorded)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(whole.replace(b'"look",1,', b'"look",2,', 1))
    code, _, error = run(capsys, recorded, path)
    number = next(place for place, line in enumerate(lines, 1) if b'"look",1,' in line)
    assert code == 1 and f"line {number}: its checksum is wrong" in error
    path.write_bytes(whole[:-7])
    code, text, _ = run(capsys, recorded, path)
    assert code == 0 and "torn tail" in text


@pytest.mark.parametrize(("content", "told"), [
    (b"", "holds no record"), (b"hello\nworld\n", "checksum"), (b'{"a": 1}', "holds no record"),
])
async def test_what_is_no_record_is_said(tmp_path, capsys, content, told):
    house = House(tmp_path)
    path = tmp_path / "odd.jsonl"
    path.write_bytes(content)
    code, _, error = run(capsys, house, path)
    assert code == 1 and told in error


async def test_missing_files_and_wrong_times(tmp_path, capsys):
    house = House(tmp_path)
    assert run(capsys, house)[0] == 1
    code, _, error = run(capsys, house, tmp_path / "none.jsonl")
    assert code == 1 and "there is no such file" in error
    code, _, error = run(capsys, house, "--at", "noon")
    assert code == 2 and "is no time" in error


async def test_a_price_under_way_and_every_hold_has_words(recorded):
    looks = [line.record for line in Recording(file_of(recorded)).lines() if isinstance(line.record, Look)]
    held = [words(look) for look in looks if look.code == exits.HOLD]
    assert any("below target 1" in text for text in held) and all(text.startswith("price ") for text in held)


async def test_each_file_can_be_read_alone(tmp_path, capsys):
    """Files turn over in the middle of positions."""
    from modules.exchange.types import Mode
    from modules.storage.settings import DecisionSettings
    from modules.strategies.hype.decisions import Decisions
    house = House(tmp_path)
    desk = house.test
    desk.decisions = Decisions.to(house.paths, Mode.TEST, DecisionSettings(file_mb=0.01), desk.house.rules)
    await house.bought("AAAUSDT")
    for turn in range(400):
        await house.turn(AAAUSDT=f"1.00{turn % 9}")
    await house.tracker.finish()
    files = sorted((house.paths.data / "decisions").glob("*.jsonl"))
    assert len(files) >= 3
    for path in reversed(files):
        assert run(capsys, house, path)[0] == 0


async def test_a_disk_that_takes_no_record_is_told_once_and_trading_goes_on(tmp_path):
    house = House(tmp_path)
    (house.paths.data / "decisions").write_text("in the way")
    await house.bought("AAAUSDT")
    for _ in range(5):
        await house.turn(AAAUSDT="1.001")
    await house.turn(AAAUSDT="0.9")
    await house.tracker.finish()
    assert house.test.decisions.log is not None
    assert not house.test.positions and house.test.decisions.log.lost > 5
    assert [one.what for one in house.notices("warning")].count("Decisions are not recorded") == 1


async def test_a_record_that_cannot_be_made_is_no_fault_of_guarding(tmp_path, monkeypatch):
    """The position is sold at its stop all the same."""
    from modules.strategies.hype import decisions
    house = House(tmp_path)
    await house.bought("AAAUSDT")

    def broken(record):
        raise OverflowError("too large")

    monkeypatch.setattr(decisions, "_encode", broken)
    await house.turn(AAAUSDT="0.9")
    await house.tracker.finish()
    assert not house.test.positions and house.test.decisions.faults >= 2
    assert [trade.reason for trade in house.trades()][-1] == "stop"
