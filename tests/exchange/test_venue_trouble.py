"""A venue in trouble, over the wire: breakers, refusals that rest, clocks that jump; exits go on, and it heals."""

import asyncio
import logging
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from modules.exchange.address import Address
from modules.exchange.breaker import FAILURES, Circuit, Episode
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.gateway import open_market
from modules.exchange.health import health, page_file
from modules.exchange.lanes import Lane, in_lane
from modules.exchange.link import Link
from modules.exchange.page import SharedPage
from modules.exchange.types import (
    Accepted,
    Failed,
    NotSent,
    OrderRequest,
    OrderType,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from modules.exchange.venue_mexc import MexcAccount, MexcMarket
from tests.exchange.fake_venue import START_MS, FakeVenue, Reply, linked, settings
from utils.paths import Paths

BUY = OrderRequest("cx-1", "PEPEUSDT", Side.BUY, OrderType.MARKET, quote_quantity=Decimal("50"))
SELL = OrderRequest("cx-2", "PEPEUSDT", Side.SELL, OrderType.MARKET, quantity=Decimal("1E+3"))
PLACED = {"symbol": "PEPEUSDT", "orderId": "1"}
BOOK = {"bids": [["1", "1"]], "asks": [["2", "1"]]}


def account_of(link: Link) -> MexcAccount:
    return MexcAccount(link, "key-of-tests", "secret-of-tests")


async def until(condition: Any, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


# -- breakers --------------------------------------------------------------------------------------------------------


async def test_a_failing_venue_gets_exits_but_no_entries(venue: FakeVenue) -> None:
    venue.set("POST", "order", "", status=503)
    venue.set("DELETE", "order", "", status=503)
    link = await linked(venue)
    account = account_of(link)
    try:
        for _ in range(FAILURES):
            assert isinstance(await account.place(SELL), Unknown)
        sent = venue.count("POST", "order")
        refused = await account.place(BUY)
        assert isinstance(refused, Failed) and refused.code is NotSent.BREAKER
        assert venue.count("POST", "order") == sent
        assert isinstance(await account.place(SELL), Unknown)  # tried all the same
        assert isinstance(await account.cancel("PEPEUSDT", "cx-2"), Unknown)
        assert venue.count("POST", "order") == sent + 1 and venue.count("DELETE", "order") == 1
        venue.set("POST", "order", PLACED)
        assert isinstance(await account.place(SELL), Accepted)  # heals with the first success
        assert isinstance(await account.place(BUY), Accepted)
    finally:
        await link.close()


async def test_data_rests_while_the_venue_fails_and_probes_heal_it(venue: FakeVenue) -> None:
    venue.set("GET", "depth", "", status=502)
    link = await linked(venue, timeout_s=0.3)
    market = MexcMarket(link)
    try:
        while not link.breakers.venue.open:
            with pytest.raises(Unavailable):
                await market.book("PEPEUSDT")
        asked = venue.count("GET", "depth")
        with pytest.raises(Unavailable, match="fails at present"):
            await market.book("PEPEUSDT")
        assert venue.count("GET", "depth") <= asked + 1  # at most a probe
        venue.set("GET", "depth", BOOK)
        deadline = time.monotonic() + 60
        while link.breakers.venue.open:  # by itself, as soon as somebody's request is the probe
            assert time.monotonic() < deadline
            try:
                assert (await market.book("PEPEUSDT")).bids
            except Unavailable:
                assert link.breakers.venue.open
    finally:
        await link.close()


async def test_refusals_are_no_failures(venue: FakeVenue) -> None:
    venue.set("POST", "order", {"code": 30004, "msg": "Insufficient position"}, status=400)
    link = await linked(venue)
    try:
        for _ in range(2 * FAILURES):
            assert isinstance(await account_of(link).place(BUY), Refused)
        assert not link.breakers.venue.open and not link.breakers.orders.open
    finally:
        await link.close()


async def test_one_alert_an_episode_among_all_processes(venue: FakeVenue, tmp_path: Path) -> None:
    """Two connections on one page stand for two processes: one fails, the other one tells people."""
    paths, own = Paths(tmp_path).prepare(), settings(base_url=venue.url)
    heard: list[Episode] = []
    failing = await open_market(own, paths)
    listening = await open_market(own, paths, listen=heard.append)
    assert isinstance(failing, MexcMarket)
    try:
        for _ in range(2 * FAILURES):
            failing.link.breakers.note(good=False, placing=False)
        await until(lambda: heard)
        assert [(one.circuit, one.over) for one in heard] == [(Circuit.VENUE, False)]
        found = health(own, paths)
        assert found is not None and found.failing_s > 0 and "entries are refused" in found.text
        failing.link.breakers.note(good=True, placing=False)
        await until(lambda: len(heard) == 2)
        assert heard[1].over
        found = health(own, paths)
        assert found is not None and found.text == "well"
    finally:
        await failing.close()
        await listening.close()


# -- too many requests -----------------------------------------------------------------------------------------------


async def test_a_refusal_in_one_process_rests_the_others(venue: FakeVenue, tmp_path: Path) -> None:
    own, paths = settings(base_url=venue.url, timeout_s=0.6), Paths(tmp_path).prepare()
    ours, theirs = await open_market(own, paths), await open_market(own, paths)
    assert isinstance(theirs, MexcMarket)
    venue.set("GET", "depth", {"code": 429}, status=429, headers={"Retry-After": "60"})
    venue.set("POST", "order", PLACED)
    try:
        with pytest.raises(Unavailable):
            await ours.book("PEPEUSDT")
        asked = venue.count("GET", "depth")
        with pytest.raises(Unavailable, match="too many requests"):
            await theirs.book("PEPEUSDT")
        assert venue.count("GET", "depth") == asked
        entry = await account_of(theirs.link).place(BUY)
        assert isinstance(entry, Failed) and entry.code is NotSent.LIMITED
        assert isinstance(await account_of(theirs.link).place(SELL), Accepted)  # another endpoint: exits go on
        found = health(own, paths)
        assert found is not None and found.refusals == 1 and 50 < found.rest_s <= 60 and found.banned_s == 0
    finally:
        await ours.close()
        await theirs.close()


async def test_each_call_travels_in_its_lane(venue: FakeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    link = await linked(venue, timeout_s=5)
    market, account = MexcMarket(link), account_of(link)
    lanes: list[tuple[str, Lane]] = []
    take = link.limiter.take

    async def watched(key: str, weight: int, lane: Lane, patience_s: float, lease_s: float) -> Any:
        lanes.append((key, lane))
        return await take(key, weight, lane, patience_s, lease_s)

    monkeypatch.setattr(link.limiter, "take", watched)
    venue.set("POST", "order", PLACED)
    venue.set("DELETE", "order", PLACED)
    venue.set("GET", "order", {"code": -2013, "msg": "Order does not exist."}, status=400)
    venue.set("GET", "depth", BOOK)
    try:
        await account.place(BUY)
        await account.place(SELL)
        await account.cancel("PEPEUSDT", "cx-2")
        await account.order("PEPEUSDT", "cx-2")
        await market.book("PEPEUSDT")
        with in_lane(Lane.EXIT):
            await market.book("PEPEUSDT")
        assert lanes == [("order", Lane.ENTRY), ("order", Lane.EXIT), ("order", Lane.PROTECT), ("order", Lane.LOOKUP),
                         ("depth", Lane.DATA), ("depth", Lane.EXIT)]
    finally:
        await link.close()


async def test_a_ban_stops_everything_for_as_long_as_it_lasts(venue: FakeVenue, tmp_path: Path) -> None:
    """More requests would only make it longer."""
    own, paths = settings(base_url=venue.url, timeout_s=5), Paths(tmp_path).prepare()
    market = await open_market(own, paths)
    assert isinstance(market, MexcMarket)
    venue.set("POST", "order", {"code": -1003, "msg": "banned"}, status=418, headers={"Retry-After": "3600"})
    account = account_of(market.link)
    try:
        assert isinstance(await account.place(SELL), Refused)
        again = await account.place(SELL)
        assert isinstance(again, Failed) and again.code is NotSent.LIMITED
        assert venue.count("POST", "order") == 1
        found = health(own, paths)
        assert found is not None and found.banned_s > 3500 and "blocks this machine" in found.text
    finally:
        await market.close()


async def test_the_venues_own_count_is_believed_where_it_sends_one(venue: FakeVenue) -> None:
    link = await linked(venue)
    object.__setattr__(link.codes, "used_header", "x-used-weight")
    venue.set("GET", "depth", BOOK, headers={"X-Used-Weight": "500"})
    try:
        await MexcMarket(link).book("PEPEUSDT")
        assert link.limiter._budget.delay("depth", 1, link._lane) > 1.0
    finally:
        object.__setattr__(link.codes, "used_header", "")
        await link.close()


async def test_a_disk_that_refuses_does_not_stop_trading(
    venue: FakeVenue, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own, paths = settings(base_url=venue.url), Paths(tmp_path).prepare()
    page_file(own, paths).mkdir()
    venue.set("GET", "depth", BOOK)
    market = await open_market(own, paths)
    try:
        assert (await market.book("PEPEUSDT")).bids
        assert "counted together" in caplog.text and health(own, paths) is None
    finally:
        await market.close()


async def test_who_cannot_connect_leaves_no_page_open(tmp_path: Path) -> None:
    paths = Paths(tmp_path).prepare()
    with pytest.raises(Unavailable):
        await open_market(settings(base_url="http://127.0.0.1:9", timeout_s=0.2), paths)
    page = SharedPage(page_file(settings(), paths), PAGE_SIZE)
    with page.held():
        pass
    page.close()


# -- the clock -------------------------------------------------------------------------------------------------------


class JumpingVenue:
    """A venue whose clock can be moved; it judges signatures as MEXC does."""

    def __init__(self, venue: FakeVenue) -> None:
        self.venue = venue
        self.jump_ms = 0
        self.mute = False
        self.accepted = 0
        self._began = time.monotonic()
        venue.answers[("GET", "time")] = self.time
        for method in ("POST", "DELETE"):
            venue.answers[(method, "order")] = self.judge

    @property
    def now_ms(self) -> int:
        return START_MS + self.jump_ms + round((time.monotonic() - self._began) * 1000)

    async def time(self, request: web.Request) -> Reply:
        return Reply("", 503) if self.mute else Reply({"serverTime": self.now_ms})

    async def judge(self, request: web.Request) -> Reply:
        stamp, window = int(request.query["timestamp"]), int(request.query["recvWindow"])
        if not (stamp < self.now_ms + 1000 and self.now_ms - stamp <= window):
            return Reply({"code": 700003, "msg": "Timestamp for this request is outside of the recvWindow."}, 400)
        self.accepted += 1
        return Reply(PLACED)


@pytest.mark.parametrize("jump_ms", [5_500, -5_500])
async def test_a_jump_of_the_venues_clock_is_found_out_and_followed(venue: FakeVenue, jump_ms: int) -> None:
    jumping = JumpingVenue(venue)
    link = await linked(venue)
    account = account_of(link)
    told = []
    try:
        assert isinstance(await account.place(SELL), Accepted)
        told.append(link.clock.now_ms())
        jumping.jump_ms = jump_ms
        refused = await account.place(SELL)
        assert isinstance(refused, Refused) and refused.code == "700003"
        told.append(link.clock.now_ms())
        assert isinstance(await account.place(SELL), Accepted)  # the time was asked anew before this one
        assert venue.count("POST", "order") == 3 and jumping.accepted == 2
        assert abs(link.clock.venue_ms() - jumping.now_ms) < 2000
        for _ in range(50):
            told.append(link.clock.now_ms())
            await asyncio.sleep(0.001)
        assert told == sorted(told)  # never back
    finally:
        await link.close()


@pytest.mark.parametrize("jump_ms", [5_000, -5_000])
async def test_a_jump_is_found_out_by_the_next_resync(
    venue: FakeVenue, caplog: pytest.LogCaptureFixture, jump_ms: int
) -> None:
    caplog.set_level(logging.WARNING)
    jumping = JumpingVenue(venue)
    link = await linked(venue)
    try:
        jumping.jump_ms = jump_ms
        await link.sync()
        assert abs(link.clock.venue_ms() - jumping.now_ms) < 2000
        assert "clock moved by" in caplog.text
    finally:
        await link.close()


async def test_nothing_is_signed_between_the_refusal_and_the_new_time(venue: FakeVenue) -> None:
    """X32: while the venue's time cannot be had, orders fail unsent, exits too."""
    jumping = JumpingVenue(venue)
    link = await linked(venue)
    account = account_of(link)
    try:
        jumping.jump_ms, jumping.mute = 5_500, True
        assert isinstance(await account.place(SELL), Refused)
        for order in (BUY, SELL):
            outcome = await account.place(order)
            assert isinstance(outcome, Failed) and outcome.code is NotSent.CLOCK
        assert venue.count("POST", "order") == 1
        jumping.mute = False
        await until(lambda: link.clock.known)  # asked again by itself
        assert isinstance(await account.place(SELL), Accepted)
    finally:
        await link.close()


@pytest.mark.parametrize("body", [
    '{"serverTime":-5}', '{"serverTime":0}', '{"serverTime":"NaN"}', "{}", "<html></html>", '{"serverTime":null}',
    '{"serverTime":99999999999999999999}', pytest.param("[" * 200_000, id="deep"),
])
async def test_a_time_that_cannot_be_is_no_time(venue: FakeVenue, body: str) -> None:
    venue.set("GET", "time", body)

    async def resolve(session: Any) -> Address:
        return Address(venue.url, 1.0)

    with pytest.raises(Unavailable):
        await Link(settings(base_url=venue.url), resolve).open()
