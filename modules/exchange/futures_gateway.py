"""Opens futures market data and accounts: the one place that knows which implementation stands behind which setting."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from modules.apikeys.api_manager import ApiManager
from modules.exchange import venue_bybit as bybit
from modules.exchange.address import Address, Resolve, resolver
from modules.exchange.binance_account import BinanceAccount
from modules.exchange.breaker import Episode
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.bybit_account import BybitAccount
from modules.exchange.futures_api import FuturesAccount, FuturesMarketData
from modules.exchange.futures_paper import FuturesPaper
from modules.exchange.futures_settings import FuturesSettings
from modules.exchange.gateway import SIMULATED_KEY
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.page import Page, SharedPage
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_binance import BINANCE_USDM, STREAMS_WS, TESTNET, TESTNET_WS, BinanceMarket
from modules.exchange.venue_bybit import BYBIT_LINEAR, BybitMarket
from utils.paths import Paths
from utils.redact import register_secrets

log = logging.getLogger(__name__)

VenueMarket = BinanceMarket | BybitMarket


@dataclass(frozen=True, slots=True)
class Streams:
    """Where the account's stream is."""

    session: aiohttp.ClientSession
    base: str


async def open_futures(settings: FuturesSettings, paths: Paths, *, lane: Lane = Lane.DATA,
                       listen: Callable[[Episode], None] | None = None) -> BinanceMarket:
    """Market data of Binance USD-M or of its simulation, for systems that need its derivatives data. Raises
    Unavailable, with what to do about it.
    """
    found = await open_venue(settings, paths, lane=lane, listen=listen)
    if not isinstance(found, BinanceMarket):
        await found.close()
        raise Unavailable("This system needs Binance futures' own data; on Bybit the scalper alone trades. Set "
                          "FUTURES_NAME=binance (simulated: FUTURES_DIALECT=binance) for it.")
    return found


async def open_venue(settings: FuturesSettings, paths: Paths, *, lane: Lane = Lane.DATA,
                     listen: Callable[[Episode], None] | None = None) -> VenueMarket:
    """Market data of the futures venue in the settings, its clock set. Raises Unavailable, with what to do about it."""
    page = _page(settings, paths)
    venue = BYBIT_LINEAR if settings.speaks == "bybit" else BINANCE_USDM
    try:
        link = await Link(settings, _resolver(settings, paths), page=page, listen=listen, lane=lane, venue=venue).open()
        return BybitMarket(link) if settings.speaks == "bybit" else BinanceMarket(link)
    except BaseException:
        page.close()
        raise


async def open_futures_account(mode: Mode, settings: FuturesSettings, paths: Paths,
                               market: FuturesMarketData, system: str = "", keys: ApiManager | None = None,
                               symbols: Sequence[str] = ()) -> FuturesAccount:
    """The paper account of `system` (TEST) or the venue's (LIVE) over an open market; close it before the market.

    `keys`: further keys of the account (`keyed`). `symbols`: what is traded, needed for Bybit. Raises Unavailable.
    """
    if mode is Mode.TEST:
        return await FuturesPaper.open(market, settings, paths, system)
    if isinstance(market, BybitMarket):
        if not symbols:
            raise Unavailable("Bybit keeps position mode and leverage for each contract: name those that are traded.")
        return BybitAccount(market, *_key(settings), symbols, settings.hedge, keys)
    if not isinstance(market, BinanceMarket):
        raise Unavailable("Live trading needs the exchange's own market data.")
    return BinanceAccount(market.link, *_key(settings), keys)


def _key(settings: FuturesSettings) -> tuple[str, str]:
    """Key and secret of the venue. Raises Unavailable."""
    name = settings.speaks.upper()
    pair = (settings.api_key, settings.api_secret)
    if name == "BYBIT":
        pair = (settings.bybit_api_key, settings.bybit_api_secret)
    key, secret = pair[0].get_secret_value(), pair[1].get_secret_value()
    if not key and not secret and settings.name == "simulated":
        key, secret = SIMULATED_KEY
    if not key or not secret:
        raise Unavailable(f"LIVE futures trading needs a key. Set {name}_API_KEY and {name}_API_SECRET "
                          "(a key that can trade futures and cannot withdraw), or stay in TEST.")
    if (key, secret) != SIMULATED_KEY:
        register_secrets([key, secret])
    return key, secret


def streams(settings: FuturesSettings, market: VenueMarket) -> Streams:
    """Where the account's stream of an open market is."""
    if isinstance(market, BybitMarket):
        venue = bybit.TESTNET_WS if settings.bybit_testnet else bybit.STREAMS_WS
    else:
        venue = TESTNET_WS if settings.testnet else STREAMS_WS
    base = settings.ws_url or (market.link.url.replace("http", "ws", 1) if settings.name == "simulated" else venue)
    return Streams(market.link.session, base)


def _resolver(settings: FuturesSettings, paths: Paths) -> Resolve:
    found = resolver(settings, paths)
    on_bybit = settings.speaks == "bybit"
    tested = settings.bybit_testnet if on_bybit else settings.testnet
    if settings.name == "simulated" or settings.base_url or not tested:
        return found

    async def testnet(session: aiohttp.ClientSession) -> Address:
        return Address(bybit.TESTNET if on_bybit else TESTNET, 1.0)

    return testnet


def _page(settings: FuturesSettings, paths: Paths) -> Page:
    """What all processes of this installation count together; where the disk refuses, each for itself."""
    try:
        return SharedPage(paths.run / f"futures-{settings.counted_as}.budget1", PAGE_SIZE)
    except OSError as problem:
        log.error("requests to the futures venue cannot be counted together with other processes: %s", problem)
        return Page(PAGE_SIZE)
