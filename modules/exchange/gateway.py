"""Opens market data and accounts: the one place that knows which implementation stands behind which setting."""

import logging
from collections.abc import Callable

from modules.apikeys.api_manager import ApiManager
from modules.exchange.address import resolver
from modules.exchange.api import Account, MarketData
from modules.exchange.breaker import Episode
from modules.exchange.budget import PAGE_SIZE
from modules.exchange.health import page_file
from modules.exchange.keys import KeyReport, key_report
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.page import Page, SharedPage
from modules.exchange.paper import PaperAccount
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_mexc import MexcAccount, MexcMarket
from utils.paths import Paths
from utils.redact import register_secrets

log = logging.getLogger(__name__)

SIMULATED_KEY = ("sim-key", "sim-secret")  # every simulated exchange has this account; it is no secret


async def open_market(settings: ExchangeSettings, paths: Paths, *, lane: Lane = Lane.DATA,
                      listen: Callable[[Episode], None] | None = None) -> MarketData:
    """Market data of the venue in the settings, its clock set. Raises Unavailable, with what to do about it.

    `lane` is that of all market data asked for through it: ``Lane.EXIT`` for a process that guards positions.
    `listen` is called from this process's loop when the venue begins to fail and when it is well again, once an
    episode among all processes that listen; it must not block.
    """
    page = _page(settings, paths)
    try:
        return MexcMarket(await Link(settings, resolver(settings, paths), page=page, listen=listen, lane=lane).open())
    except BaseException:
        page.close()
        raise


def _page(settings: ExchangeSettings, paths: Paths) -> Page:
    """What all processes of this installation count together; where the disk refuses, each for itself."""
    try:
        return SharedPage(page_file(settings, paths), PAGE_SIZE)
    except OSError as problem:
        log.error("requests to the exchange cannot be counted together with other processes: %s", problem)
        return Page(PAGE_SIZE)


async def open_account(mode: Mode, settings: ExchangeSettings, paths: Paths, market: MarketData,
                       keys: ApiManager | None = None) -> Account:
    """The paper account (TEST) or the venue's (LIVE) over an open market. Raises Unavailable.

    The account uses the market's connection: close the account first. `keys`: further keys of the account (`keyed`).
    """
    if mode is Mode.TEST:
        return await PaperAccount.open(market, settings, paths)
    return _live(settings, market, keys)


def _live(settings: ExchangeSettings, market: MarketData, keys: ApiManager | None = None) -> MexcAccount:
    if not isinstance(market, MexcMarket):
        raise Unavailable("Live trading needs the exchange's own market data.")
    key, secret = settings.api_key.get_secret_value(), settings.api_secret.get_secret_value()
    if not key and not secret and settings.name == "simulated":
        key, secret = SIMULATED_KEY
    if not key or not secret:
        raise Unavailable(
            "LIVE trading needs a key of the exchange. Set EXCHANGE_API_KEY and EXCHANGE_API_SECRET "
            "(a key that can trade and cannot withdraw), or stay in TEST."
        )
    if (key, secret) != SIMULATED_KEY:
        register_secrets([key, secret])
    return MexcAccount(market.link, key, secret, keys)


async def check_key(settings: ExchangeSettings, paths: Paths) -> KeyReport:
    """What the key in the settings may do; opens and closes its own connection. Raises Unavailable."""
    market = await open_market(settings, paths)
    try:
        return await key_report(_live(settings, market))
    finally:
        await market.close()


async def may_trade_live(account: Account) -> KeyReport:
    """Whether entries may be made on this LIVE account. Raises Unavailable when it cannot be found out."""
    if not isinstance(account, MexcAccount):
        raise Unavailable("Only a LIVE account has a key.")
    return await key_report(account)
