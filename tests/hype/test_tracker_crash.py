"""A crash at every named step between intent and books: no lost position, no double order, books that add up (P10)."""

import asyncio
import shutil
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from modules.exchange.types import Mode, Side
from modules.execution import books, executor
from modules.execution.crashpoints import declared
from modules.strategies.hype import desk, tracker
from tests.execution.venue import Fault, lost_after, lost_before, part
from tests.hype.tracker_house import House

D = Decimal
POINTS = sorted(name for name, module in declared().items()
                if module in (books.__name__, executor.__name__, desk.__name__, tracker.__name__))


class Crashed(BaseException):
    """The process is gone; nothing may catch this."""


BOOKING = ("booking.begun", "trades.written", "ledger.written", "fills.written", "positions.written", "intents.closed")


class Bomb:
    """Copies the files as they lie at the named point, then ends whatever runs there.

    The points of a booking count only while something is being booked: they are passed at quiet times, too.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, house: House, copy: Path, name: str) -> None:
        self.house, self.copy, self.name = house, copy, name
        self.gone = self.over = False
        for module in (books, executor, desk, tracker):
            monkeypatch.setattr(module, "crash_point", self.reach)

    def reach(self, name: str) -> None:
        if self.over:
            return
        if name == self.name and not self.gone and (name not in BOOKING or self.house.test._staged):
            self.gone = True
            # Another thread may be writing meanwhile: what is written aside and not yet renamed is not there.
            shutil.copytree(self.house.home, self.copy, ignore=shutil.ignore_patterns("*.tmp", "*.lock"))
        if self.gone:
            raise Crashed(name)


    def sending(self, request: object) -> None:
        """A dead process sends nothing, even where its tasks live on in the test."""
        if self.gone and not self.over:
            raise Crashed(self.name)


async def lived_until_crash(house: House, bomb: Bomb, **bids: str) -> None:
    """Turns until the bomb went off, or until it is plain that this point is not passed."""
    house.dead = lambda: bomb.gone
    house.account.on_place = bomb.sending
    for _ in range(4):
        try:
            await house.turn(quiet=True, **bids)
        except Crashed:
            pass
        if bomb.gone:
            tasks = [task for one in house.tracker.desks.values() for task in one.busy.values()]
            await asyncio.gather(*tasks, return_exceptions=True)
            return


def reborn(house: House, bomb: Bomb) -> House:
    """The next process on the files as they lay, with the venue as it stands."""
    bomb.over = True
    if not bomb.gone:
        return house
    after = House(bomb.copy, house.settings, house.venue)
    after.accounts = house.accounts
    for account in after.accounts.values():
        account.faults.clear()
    return after


def books_add_up(house: House) -> None:
    account = house.account
    trades = house.trades()
    assert len({trade.id for trade in trades}) == len(trades)
    bought = sum((trade.quantity for trade in trades if trade.side == "BUY"), D(0))
    sold = sum((trade.quantity for trade in trades if trade.side == "SELL"), D(0))
    held = sum((position.quantity for position in house.test.positions.values()), D(0))
    assert bought - sold == held == account.coins.get("AAA", D(0))
    kept = house.test.books
    assert kept.ledger.assets().get("AAA", D(0)) == held and not kept.pending  # as the venue, to the unit
    assert kept.ledger.assets().get("USDT", D(0)) == account.coins["USDT"] - 10_000
    assert house.on_disk() == house.test.positions
    told = [notice.id for notice in house.notices("trade")]
    assert sorted(told) == sorted(trade.id for trade in trades)
    assert house.test.open_entries() == []
    placed = [request.client_id for request in account.placed]
    assert len(set(placed)) == len(placed)


def answer(house: House, fault: Fault | None) -> None:
    house.account.faults = deque([fault] if fault else [])


BUYS: dict[str, Fault | None] = {"filled": None, "answer lost": lost_after, "request lost": lost_before}
SALES: dict[str, tuple[str, Fault | None]] = {
    "target": ("1.0302", None), "target half filled": ("1.0302", part("0.5")), "stop": ("0.9", None),
    "stop, answer lost": ("0.9", lost_after)}


@pytest.mark.parametrize("fault", BUYS.values(), ids=BUYS)
@pytest.mark.parametrize("name", POINTS)
async def test_a_crash_while_buying(tmp_path, monkeypatch, name, fault):
    house = House(tmp_path / "a")
    house.venue.add("AAAUSDT")
    await house.turn()
    bomb = Bomb(monkeypatch, house, tmp_path / "b", name)
    answer(house, fault)
    house.propose()
    await lived_until_crash(house, bomb)
    after = reborn(house, bomb)
    await after.until(lambda: not after.test.open_entries() and not after.test.closed and not after.run.inbox.waiting())
    books_add_up(after)
    assert len([request for request in house.account.placed if request.side is Side.BUY]) <= 1
    if fault is not lost_before and house.account.placed:
        assert list(after.on_disk()) == ["AAAUSDT"]
    await sold_out(after)


@pytest.mark.parametrize(("bid", "fault"), SALES.values(), ids=SALES)
@pytest.mark.parametrize("name", POINTS)
async def test_a_crash_while_selling(tmp_path, monkeypatch, name, bid, fault):
    house = House(tmp_path / "a")
    await house.bought()
    bomb = Bomb(monkeypatch, house, tmp_path / "b", name)
    answer(house, fault)
    await lived_until_crash(house, bomb, AAAUSDT=bid)
    after = reborn(house, bomb)
    target = bid != "0.9"
    done: Callable[[], bool] = (lambda: after.test.positions["AAAUSDT"].tp_hit == 1) if target else (
        lambda: not after.test.positions)
    await after.until(lambda: done() and not after.test.unwritten and not after.test.open_entries(), AAAUSDT=bid)
    books_add_up(after)
    if target:
        position = after.on_disk()["AAAUSDT"]
        assert 49 - position.quantity == 19 - position.owed  # the slice was sold once, or is still due
    await sold_out(after)


async def sold_out(house: House) -> None:
    """Whatever happened before, everything gets out, and the results of the trades are the change of the account."""
    await house.until(lambda: not house.test.positions and not house.test.unwritten, AAAUSDT="0.9")
    books_add_up(house)
    pnl = sum((trade.pnl_usdt or D(0) for trade in house.trades(Mode.TEST)), D(0))
    assert abs(pnl - (house.account.coins["USDT"] - 10_000)) < D("1e-15")


def test_every_step_with_money_has_its_point():
    assert len(POINTS) >= 12
