"""The standalone grid: one user of the store, with the key of ``.env``, a demo key, or on paper.

`propose` proves what a start could lose (X38), `begin` writes the user and says that his grid is wanted; a worker of
the service ``grid`` trades it. Everything here that asks SQL blocks: call it from a thread.
"""

import secrets
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from modules.exchange.bitget_settings import BitgetSettings
from modules.exchange.futures_types import MarginMode
from modules.exchange.lanes import Lane
from modules.exchange.types import Mode, Unavailable
from modules.strategies.grid.live.accounts import open_account
from modules.strategies.grid.live.market import contract_of
from modules.strategies.grid.live.service import open_bitget
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import restored
from modules.strategies.grid.store.records import (
    PAPER,
    Credentials,
    NewUser,
    NoUser,
    Session,
    StoreError,
    Wanted,
    Webhook,
)
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.worst_case import Start, may_start
from utils.paths import Paths

if TYPE_CHECKING:
    from config.settings import Settings

SIMULATED = ("sim-key", "sim-secret", "sim-passphrase")
SIMULATED_DEMO = ("sim-demo-key", "sim-demo-secret", "sim-passphrase")


class Proposal(msgspec.Struct, frozen=True):
    """What a start would be: the proof, with the balance and price that it was made with."""

    settings: GridSettings
    start: Start
    price: Decimal
    balance: Decimal


def credentials(settings: BitgetSettings, mode: Mode) -> Credentials:
    """With which key a mode trades. Raises Unavailable where there is none."""
    own = (settings.api_key.get_secret_value(), settings.secret_key.get_secret_value(),
           settings.passphrase.get_secret_value())
    if mode is Mode.TEST and not settings.demo:
        return Credentials(PAPER, "", "", False)
    if not any(own) and settings.name == "simulated":
        own = SIMULATED_DEMO if mode is Mode.TEST else SIMULATED
    if not all(own):
        raise Unavailable("This grid needs a key. Set BITGET_API_KEY, BITGET_SECRET_KEY and BITGET_PASSPHRASE (futures "
                          "trading, no withdrawals), or stay in TEST without BITGET_DEMO.")
    return Credentials(*own, mode is Mode.TEST)


async def propose(settings: "Settings", paths: Paths, mode: Mode, chosen: GridSettings, accept: str = "") -> Proposal:
    """The worst case of a start now (X38). Raises Unavailable."""
    market = await open_bitget(settings.bitget, paths, lane=Lane.LOOKUP)
    try:
        symbol = chosen.trading_symbol
        try:
            contract = await contract_of(market, symbol)
        except KeyError:
            raise Unavailable(f"{symbol} is no USDT perpetual of this exchange.") from None
        touch = (await market.touches(frozenset({symbol}))).get(symbol)
        if touch is None:
            raise Unavailable(f"{symbol} has no price now.")
        margin = MarginMode(settings.bitget.margin)
        account = await open_account(market, credentials(settings.bitget, mode), settings.gridlive.user, chosen,
                                     margin, paths)
        try:
            wallet = (await account.standing(symbol)).wallet
            balance = min(wallet.balance, wallet.equity)  # an open loss counts, an open gain does not
        finally:
            await account.close()
        return Proposal(chosen, may_start(chosen, contract, touch.ask, balance, accept), touch.ask, balance)
    finally:
        await market.close()


def standing(store: GridStore, user_id: str) -> tuple[Session, bytes | None, dict[str, Any], int] | None:
    """(session, state, facts, saved ms) of the standalone user; None: he never started."""
    try:
        session = store.sessions.session(user_id)
    except NoUser:
        return None
    state = store.sessions.state(user_id)
    return (session, None, {}, 0) if state is None else (session, *state)


def begin(store: GridStore, settings: "Settings", mode: Mode, found: Proposal, who: str) -> None:
    """Write the user as he is to be, and that his grid is wanted. Raises StoreError, Unavailable."""
    user_id, given = settings.gridlive.user, credentials(settings.bitget, mode)
    chosen = found.settings.model_dump()
    known = standing(store, user_id)
    if known is None:
        store.users.add(NewUser(user_id, settings.gridserver.bot_id, f"standalone-{secrets.token_hex(16)}", given,
                                Webhook("", ""), found.settings.trading_symbol, {}, chosen), who)
    else:
        _replace(store, known, given, found.settings, who)
    store.sessions.want(user_id, Wanted.RUNNING, who, figures=msgspec.to_builtins(found.start.figures),
                        accepted={"by": found.start.accepted} if found.start.accepted else None)


def _replace(store: GridStore, known: tuple[Session, bytes | None, dict[str, Any], int], given: Credentials,
             chosen: GridSettings, who: str) -> None:
    session, state, facts, _ = known
    kept = store.users.credentials(session.user_id)
    if chosen.trading_symbol != session.symbol and _holds(state):
        raise StoreError(f"The grid still holds positions of {session.symbol}. Start it on {session.symbol}, or "
                         f"/stopgrid close first.")
    if (kept.api_key, kept.demo) != (given.api_key, given.demo) and state is not None:
        if _holds(state):
            raise StoreError(f"The grid still holds positions of its {facts.get('mode', 'other')} account. Switch back "
                             f"to that mode and /stopgrid close first.")
        if session.lease_until_ms > store.now_ms():
            raise StoreError(f"A worker still holds the grid of the {facts.get('mode', 'other')} account. /stopgrid "
                             f"ends it; then try again in some seconds.")
    if (kept.api_key, kept.api_secret, kept.passphrase, kept.demo) != (
            given.api_key, given.api_secret, given.passphrase, given.demo):
        store.users.replace_key(session.user_id, given, who)
    if session.settings != chosen.model_dump(mode="json"):
        store.sessions.change(session.user_id, chosen.trading_symbol, {}, chosen.model_dump(), who)


def _holds(body: bytes | None) -> bool:
    """Whether a saved grid holds something, or may come to hold it."""
    if body is None:
        return False
    state = restored(body)
    return bool(state.buy.entries or state.sell.entries or state.pending)
