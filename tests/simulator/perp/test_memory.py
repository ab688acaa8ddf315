"""What survives a killed process: everything users own, the market's prices, candles, names and ticks."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.simulator.perp.acts import PerpAct
from modules.simulator.perp.api import AlgoStatus, Kind, Leg, Status
from modules.simulator.perp.truth import truth
from modules.simulator.perp.venue import KeptError, PerpVenue
from tests.simulator.perp.conftest import START, D, World


def again(world: World, folder: Path, later_ms: int = 5_000) -> World:
    """The next process on the same folder; nothing of the first was closed in order."""
    return World(len(world.venue.specs), folder, start=world.ms + later_ms, speed=world.venue.speed)


def test_users_find_everything_again(tmp_path: Path) -> None:
    world = World(3, tmp_path)
    world.venue.set_leverage(world.trader, "ETHUSDT", 7)
    world.venue.set_isolated(world.trader, "BTCUSDT", True)
    world.go(5)
    world.order("BUY", "0.1")
    resting = world.order("SELL", "0.04", world.ask + 5000, client="tp")
    algo = world.algo("SELL", Kind.STOP_MARKET, world.bid - 5000, "0.1", reduce_only=True)
    world.venue.set_hedge(world.other, True)
    world.go(10)
    before = truth(world.venue)["accounts"]
    after = again(world, tmp_path)
    found = truth(after.venue)["accounts"]
    for name, mine in before.items():
        for part in ("wallet", "identity", "sums", "hedge", "setups", "fills", "income", "algos"):
            assert found[name][part] == mine[part], part
        assert [p["steps"] for p in found[name]["positions"]] == [p["steps"] for p in mine["positions"]]
    order = after.venue.find(after.trader, "BTCUSDT", client_id="tp")
    assert (order.id, order.status) == (resting.id, Status.NEW)
    after.books_agree()
    after.jump(1.02)
    assert order.status is Status.FILLED
    assert after.venue.find_algo(after.trader, algo_id=algo.id).status is AlgoStatus.NEW
    assert after.order("BUY", "0.01").id > max(world.venue.ledger.orders)
    after.identity()


def test_prices_and_candles_go_on_where_they_were(tmp_path: Path) -> None:
    world = World(2, tmp_path, speed=20.0)
    world.go(480)
    last = world.venue.candles.last(0)
    trade, update = world.venue.tape.next_trade[0], world.mirror.ids[0]
    world.go(90)  # what is open is kept every two seconds of the wall
    kept = world.venue.candles.klines(0, "1m", START, None, 10)[:4]
    after = again(world, tmp_path, 120_000)
    assert abs(after.bid / last - 1) < 0.003
    partly = after.venue.candles.klines(0, "1m", START, None, 10)[3]
    assert 0 < partly.volume <= kept[3].volume and partly.open == kept[3].open
    assert after.venue.candles.klines(0, "1m", START, None, 10)[:3] == kept[:3]
    assert after.venue.tape.next_trade[0] > trade and after.mirror.ids[0] > update  # no id comes twice
    minutes = after.venue.candles.klines(0, "1m", START, None, 50)
    assert [b.open_ms - a.open_ms for a, b in zip(minutes, minutes[1:], strict=False)] == [60_000] * (len(minutes) - 1)
    assert minutes[-1].open_ms == after.ms // 60_000 * 60_000


def test_an_order_whose_price_the_market_had_not_reached_still_rests(tmp_path: Path) -> None:
    """The price of the last commit counts, not the older one that the market's own file holds."""
    world = World(1, tmp_path)
    world.go(5)
    world.venue.market.jump(0, 1.01)
    world.go()
    order = world.order("SELL", "0.1", world.ask + 40)
    far = world.order("BUY", "0.1", world.bid - 3000)  # above where the market's file would begin again
    after = again(world, tmp_path)
    assert abs(after.bid / world.bid - 1) < 0.0005
    for one in (order, far):
        assert after.venue.find(after.trader, "BTCUSDT", order_id=one.id).status is Status.NEW


def test_orders_that_the_price_passed_are_filled_at_the_start(tmp_path: Path) -> None:
    world = World(1, tmp_path)
    world.go(5)
    order = world.order("BUY", "0.1", world.bid - 30)
    world.venue.market.jump(0, 0.99)
    world.venue.close()  # keeps the market after the move, before a slice could match
    after = again(world, tmp_path)
    # the commit of the order is older than the market's file: the file's price counts
    assert after.venue.find(after.trader, "BTCUSDT", order_id=order.id).status is Status.FILLED
    after.books_agree()
    after.identity()


def test_a_torn_tail_is_cut_off(tmp_path: Path) -> None:
    world = World(1, tmp_path)
    world.go()
    world.order("BUY", "0.1")
    file = tmp_path / "journal.jsonl"
    whole = file.read_bytes()
    world.order("BUY", "0.2")
    file.write_bytes(file.read_bytes()[:-20])
    after = again(world, tmp_path)
    assert after.trader.position("BTCUSDT", Leg.BOTH).steps == 100
    assert file.read_bytes().startswith(whole) and file.with_suffix(".damaged").exists()
    after.identity()


def test_damage_in_the_middle_stops_the_start(tmp_path: Path) -> None:
    world = World(1, tmp_path)
    world.go()
    world.order("BUY", "0.1")
    file = tmp_path / "journal.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"garbage\n" + b"".join(lines))
    with pytest.raises(KeptError, match="damaged in the middle"):
        again(world, tmp_path)


def test_another_market_does_not_take_the_folder(tmp_path: Path) -> None:
    World(1, tmp_path)
    with pytest.raises(KeptError, match="belongs to the market"):
        World(2, tmp_path)


def test_a_full_disk_breaks_the_venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(1, tmp_path)
    world.go()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modules.simulator.perp.journal.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        world.order("BUY", "0.1")
    assert world.venue.broken is not None


def test_names_and_ticks_of_acts_last(tmp_path: Path) -> None:
    world = World(3, tmp_path, speed=20.0)
    world.go(260)
    for act in ({"action": "tick_size", "symbol": "BTCUSDT", "tick": "1"},
                {"action": "rename", "symbol": "ETHUSDT", "to": "AETHUSDT"},
                {"action": "delist", "symbol": "SOLUSDT"}):
        world.venue.deeds.do(PerpAct.parse(act))
    world.go(140)
    kept = world.venue.candles.klines(0, "1m", START, None, 3)
    after = again(world, tmp_path)
    assert list(after.venue.by_symbol) == ["BTCUSDT", "AETHUSDT"] and after.venue.specs[0].tick == D(1)
    assert 50_000 < after.bid < 70_000
    found = after.venue.candles.klines(0, "1m", START, None, 3)
    assert [(c.open, c.high, c.low, c.close, c.volume) for c in found[:2]] == [
        (c.open, c.high, c.low, c.close, c.volume) for c in kept[:2]]
    after.go(3)
    after.books_agree()


def test_nothing_secret_is_written(tmp_path: Path) -> None:
    world = World(1, tmp_path)
    world.order("BUY", "0.1")
    world.venue.close()
    text = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret" not in text and b"key2" not in text
    assert "secret" not in repr(world.trader) and isinstance(world.venue, PerpVenue)
