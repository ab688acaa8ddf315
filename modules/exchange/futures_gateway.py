"""Opens futures market data and accounts: the one place that knows which implementation stands behind which setting."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from modules.apikeys.api_manager import ApiManager
from modules.exchange.address import Address, Resolve, resolver
from modules.exchange.binance_account import BinanceAccount
from modules.exchange.breaker import Episode
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.futures_api import FuturesAccount, FuturesMarketData
from modules.exchange.futures_paper import FuturesPaper
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.gateway import SIMULATED_KEY
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.page import Page, SharedPage
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_binance import BINANCE_USDM, STREAMS_WS, TESTNET, TESTNET_WS, BinanceMarket
from utils.paths import Paths
from utils.redact import register_secrets

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Streams:
    """Where the account's stream is."""

    session: aiohttp.ClientSession
    base: str


async def open_futures(settings: FuturesSettings, paths: Paths, *, lane: Lane = Lane.DATA,
                       listen: Callable[[Episode], None] | None = None) -> BinanceMarket:
    """Market data of the futures venue in the settings, its clock set. Raises Unavailable, with what to do about it."""
    page = _page(settings, paths)
    try:
        link = Link(settings, _resolver(settings, paths), page=page, listen=listen, lane=lane, venue=BINANCE_USDM)
        return BinanceMarket(await link.open())
    except BaseException:
        page.close()
        raise


async def open_futures_account(mode: Mode, settings: FuturesSettings, paths: Paths,
                               market: FuturesMarketData, system: str = "",
                               keys: ApiManager | None = None) -> FuturesAccount:
    """The paper account of `system` (TEST) or the venue's (LIVE) over an open market; close it before the market.

    `keys`: further keys of the account (`keyed`). Raises Unavailable.
    """
    if mode is Mode.TEST:
        return await FuturesPaper.open(market, settings, paths, system)
    if not isinstance(market, BinanceMarket):
        raise Unavailable("Live trading needs the exchange's own market data.")
    key, secret = settings.api_key.get_secret_value(), settings.api_secret.get_secret_value()
    if not key and not secret and settings.name == "simulated":
        key, secret = SIMULATED_KEY
    if not key or not secret:
        raise Unavailable("LIVE futures trading needs a key. Set BINANCE_API_KEY and BINANCE_API_SECRET "
                          "(a key that can trade futures and cannot withdraw), or stay in TEST.")
    if (key, secret) != SIMULATED_KEY:
        register_secrets([key, secret])
    return BinanceAccount(market.link, key, secret, keys)


def streams(settings: FuturesSettings, market: BinanceMarket) -> Streams:
    """Where the account's stream of an open market is."""
    venue = TESTNET_WS if settings.testnet else STREAMS_WS
    base = settings.ws_url or (market.link.url.replace("http", "ws", 1) if settings.name == "simulated" else venue)
    return Streams(market.link.session, base)


def _resolver(settings: FuturesSettings, paths: Paths) -> Resolve:
    found = resolver(settings, paths)
    if settings.name == "simulated" or settings.base_url or not settings.testnet:
        return found

    async def testnet(session: aiohttp.ClientSession) -> Address:
        return Address(TESTNET, 1.0)

    return testnet


def _page(settings: FuturesSettings, paths: Paths) -> Page:
    """What all processes of this installation count together; where the disk refuses, each for itself."""
    try:
        return SharedPage(paths.run / f"futures-{settings.name}.budget1", PAGE_SIZE)
    except OSError as problem:
        log.error("requests to the futures venue cannot be counted together with other processes: %s", problem)
        return Page(PAGE_SIZE)
