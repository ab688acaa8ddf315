"""The gateway on the real simulated exchange: live and paper over one interface, keys, an exchange that moves."""

import asyncio
import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from modules.exchange.api import Account, MarketData, quantize_down
from modules.exchange.gateway import check_key, may_trade_live, open_account, open_market
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import (
    Absent,
    Accepted,
    Market,
    Mode,
    OrderRequest,
    OrderState,
    OrderStatus,
    OrderType,
    Refused,
    Side,
    Unavailable,
)
from modules.exchange.venue_mexc import MexcMarket
from tests.exchange.conftest import SimProcess, start_simulator
from utils.paths import Paths

D = Decimal


def beat(paths: Paths, port: int) -> None:
    content = {"service": "simulator", "pid": 1, "started": 1.0, "count": 1, "ready": True, "info": {"port": port}}
    (paths.run / "simulator.beat.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path).prepare()


async def liquid(market: MarketData) -> Market:
    """The most traded pair that takes market orders."""
    pairs = await market.markets()
    tickers = await market.tickers()
    open_pairs = [t for t in tickers.values() if pairs[t.symbol].api_allowed and pairs[t.symbol].market_orders]
    return pairs[max(open_pairs, key=lambda ticker: ticker.quote_volume).symbol]


async def round_trip(account: Account, market: MarketData, prefix: str) -> None:
    pair = await liquid(market)
    start = market.clock.now_ms()
    before = (await account.balances())["USDT"].free
    buy = OrderRequest(f"{prefix}b", pair.symbol, Side.BUY, OrderType.MARKET, quote_quantity=D(100))
    assert isinstance(await account.place(buy), Accepted)
    bought = await account.order(pair.symbol, f"{prefix}b")
    assert isinstance(bought, OrderState) and bought.status is OrderStatus.FILLED and bought.filled > 0
    assert start - 1000 <= bought.created_ms <= market.clock.now_ms() + 1000
    held = (await account.balances())[pair.base].free
    quantity = quantize_down(held, pair.step)
    sell = OrderRequest(f"{prefix}s", pair.symbol, Side.SELL, OrderType.MARKET, quantity=quantity)
    assert isinstance(await account.place(sell), Accepted)
    fills = await account.fills(pair.symbol, start - 1000)
    mine = [fill for fill in fills if fill.client_id.startswith(prefix)]
    sold = sum((f.price * f.quantity for f in mine if f.side is Side.SELL), D(0))
    spent = sum((f.price * f.quantity for f in mine if f.side is Side.BUY), D(0))
    fees = sum((f.fee for f in mine), D(0))
    after = (await account.balances())["USDT"].free
    assert {f.fee_asset for f in mine} == {"USDT"}
    assert before - after == spent + fees - sold  # to the last digit (X12)


async def rest_and_cancel(account: Account, market: MarketData, prefix: str) -> None:
    pair = await liquid(market)
    book = await market.book(pair.symbol)
    price = quantize_down(book.bids[0][0] * D("0.8"), pair.tick)
    quantity = quantize_down(D(20) / price, pair.step)
    order = OrderRequest(f"{prefix}r", pair.symbol, Side.BUY, OrderType.LIMIT, quantity=quantity, price=price)
    assert isinstance(await account.place(order), Accepted)
    assert [o.client_id for o in await account.open_orders(pair.symbol)] == [f"{prefix}r"]
    assert (await account.balances())["USDT"].locked > 0
    again = await account.place(order)
    assert isinstance(again, Refused) and again.code == "30026"
    assert isinstance(await account.cancel(pair.symbol, f"{prefix}r"), Accepted)
    assert await account.open_orders() == []
    found = await account.order(pair.symbol, f"{prefix}r")
    assert isinstance(found, OrderState) and found.status is OrderStatus.CANCELED


async def refusals(account: Account, market: MarketData, prefix: str) -> None:
    pair = await liquid(market)
    small = OrderRequest(f"{prefix}1", pair.symbol, Side.BUY, OrderType.MARKET, quote_quantity=D("0.5"))
    large = OrderRequest(f"{prefix}2", pair.symbol, Side.BUY, OrderType.MARKET, quote_quantity=D("90000"))
    strange = OrderRequest(f"{prefix}3", "NOPEUSDT", Side.BUY, OrderType.MARKET, quote_quantity=D(10))
    for request, code in ((small, "30002"), (large, "30004"), (strange, "-1121")):
        outcome = await account.place(request)
        assert isinstance(outcome, Refused) and outcome.code == code
        assert await account.order(pair.symbol, request.client_id) == Absent(request.client_id)
    gone = await account.cancel(pair.symbol, f"{prefix}none")
    assert isinstance(gone, Refused) and gone.code == "-2011"


@pytest.mark.parametrize("mode", list(Mode))
async def test_both_accounts_do_the_same(simulator: SimProcess, paths: Paths, mode: Mode) -> None:
    settings = ExchangeSettings(base_url=simulator.url)
    market = await open_market(settings, paths)
    account = await open_account(mode, settings, paths, market)
    try:
        assert account.mode is mode and market.clock.speed == 10
        await round_trip(account, market, f"cx{mode}")
        await rest_and_cancel(account, market, f"cx{mode}")
        await refusals(account, market, f"cx{mode}")
        if mode is Mode.LIVE:
            ours = await account.balances()
            venues = simulator.truth()["accounts"]["trader"]["balances"]
            held = {asset: D(row["free"]) for asset, row in venues.items() if D(row["free"]) or D(row["locked"])}
            assert held == {asset: balance.free for asset, balance in ours.items()}
    finally:
        await account.close()
        await market.close()


async def test_live_and_test_are_apart(simulator: SimProcess, paths: Paths) -> None:
    settings = ExchangeSettings(base_url=simulator.url, paper_usdt=777)
    market = await open_market(settings, paths)
    try:
        paper = await open_account(Mode.TEST, settings, paths, market)
        live = await open_account(Mode.LIVE, settings, paths, market)
        assert (await paper.balances())["USDT"].free == 777
        assert (await live.balances())["USDT"].free > 777
        await paper.close()
    finally:
        await market.close()


@pytest.mark.parametrize(("key", "secret", "usable", "words"), [
    ("", "", True, "can trade and cannot withdraw"),
    ("sim-key", "sim-secret", True, "can trade and cannot withdraw"),
    ("sim-withdraw-key", "sim-withdraw-secret", False, "can withdraw coins, so LIVE trading does not start"),
    ("no-such-key", "no-such-secret", False, "the key is unknown"),
    ("sim-key", "wrong-secret", False, "the signature is wrong"),
])
async def test_what_a_key_may_do(
    simulator: SimProcess, paths: Paths, key: str, secret: str, usable: bool, words: str
) -> None:
    settings = ExchangeSettings(base_url=simulator.url, api_key=SecretStr(key), api_secret=SecretStr(secret))
    report = await check_key(settings, paths)
    assert report.usable is usable and words in report.text
    assert usable or "Make a key at mexc.com" in report.text  # how to make a right one
    if secret:
        assert secret not in report.text


async def test_a_paper_account_has_no_key(simulator: SimProcess, paths: Paths) -> None:
    settings = ExchangeSettings(base_url=simulator.url)
    market = await open_market(settings, paths)
    try:
        paper = await open_account(Mode.TEST, settings, paths, market)
        with pytest.raises(Unavailable):
            await may_trade_live(paper)
    finally:
        await market.close()


async def test_live_on_mexc_needs_a_key(simulator: SimProcess, paths: Paths) -> None:
    settings = ExchangeSettings(name="mexc", base_url=simulator.url)
    market = await open_market(settings, paths)
    try:
        with pytest.raises(Unavailable, match="EXCHANGE_API_KEY"):
            await open_account(Mode.LIVE, settings, paths, market)
    finally:
        await market.close()


async def test_without_a_simulator_people_are_told_how_to_start_it(paths: Paths) -> None:
    with pytest.raises(Unavailable, match="not running.*bot.py"):
        await open_market(ExchangeSettings(), paths)
    beat(paths, 1)
    with pytest.raises(Unavailable, match="No simulated exchange answers"):
        await open_market(ExchangeSettings(), paths)


async def test_a_certificate_file_that_cannot_be_read_is_named(paths: Paths) -> None:
    with pytest.raises(Unavailable, match="EXCHANGE_CA_FILE"):
        await open_market(ExchangeSettings(ca_file=str(paths.home / "none.pem")), paths)


async def test_a_simulator_that_was_started_again_is_found_again(paths: Paths, tmp_path: Path) -> None:
    """On another port, at another speed; live state lies in its folder, market time goes on."""
    state = tmp_path / "sim"
    first = await asyncio.to_thread(start_simulator, "--state", str(state), speed=10, tokens=5)
    settings = ExchangeSettings(timeout_s=8)
    market = None
    try:
        beat(paths, first.port)
        market = await open_market(settings, paths)
        live = await open_account(Mode.LIVE, settings, paths, market)
        before = market.clock.now_ms()
        await asyncio.to_thread(first.stop)
        asking = asyncio.create_task(live.balances())
        second = await asyncio.to_thread(start_simulator, "--state", str(state), speed=20, tokens=5)
        try:
            beat(paths, second.port)
            assert (await asking)["USDT"].free == 10_000
            assert market.clock.speed == 20 and market.clock.now_ms() >= before
            assert len(await market.tickers()) > 3
        finally:
            await asyncio.to_thread(second.stop)
    finally:
        if market is not None:
            await market.close()


async def test_faster_than_the_venue_allows_is_slowed_down_not_refused(simulator: SimProcess, paths: Paths) -> None:
    """500 weight in 10 market seconds, 1 s of ours at speed 10: data may use 270 of it, six calls of weight 40."""
    settings = ExchangeSettings(base_url=simulator.url)
    market = await open_market(settings, paths)
    try:
        began = time.monotonic()
        for _ in range(13):
            await market.tickers()
            assert isinstance(market, MexcMarket) and market.link.limiter.paused_s == 0
        assert time.monotonic() - began > 1.0
    finally:
        await market.close()
