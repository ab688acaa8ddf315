"""Opens market data and accounts: the one place that knows which implementation stands behind which setting."""

from modules.exchange.address import resolver
from modules.exchange.api import Account, MarketData
from modules.exchange.keys import KeyReport, key_report
from modules.exchange.link import Link
from modules.exchange.paper import PaperAccount
from modules.exchange.settings import ExchangeSettings
from modules.exchange.types import Mode, Unavailable
from modules.exchange.venue_mexc import MexcAccount, MexcMarket
from utils.paths import Paths
from utils.redact import register_secrets

SIMULATED_KEY = ("sim-key", "sim-secret")  # every simulated exchange has this account; it is no secret


async def open_market(settings: ExchangeSettings, paths: Paths) -> MarketData:
    """Market data of the venue in the settings, its clock set. Raises Unavailable, with what to do about it."""
    return MexcMarket(await Link(settings, resolver(settings, paths)).open())


async def open_account(mode: Mode, settings: ExchangeSettings, paths: Paths, market: MarketData) -> Account:
    """The paper account (TEST) or the venue's (LIVE) over an open market. Raises Unavailable.

    The account uses the market's connection: close the account first.
    """
    if mode is Mode.TEST:
        return await PaperAccount.open(market, settings, paths)
    return _live(settings, market)


def _live(settings: ExchangeSettings, market: MarketData) -> MexcAccount:
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
    return MexcAccount(market.link, key, secret)


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
