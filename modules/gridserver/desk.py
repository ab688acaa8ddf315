"""What can be asked of the server, without HTTP: users, starts that are proven first (X38), stops that are previewed.

1. A start is judged on the worst case at the price and balance of now; a guess starts nothing. What breaks a limit
   needs `acceptRisk`, which is recorded with the figures; what cannot work at all nothing allows.
2. A stop leaves positions where they are, with their protective stops. Closing acts at the market, so it is previewed:
   the first call tells what is open and gives a code, the second one with that code acts (X36).
3. Nothing is half-done: each change is one transaction, with its line in the audit.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import anyio
import msgspec
from pydantic import ValidationError

from modules.gridserver import shown
from modules.gridserver.bodies import AcknowledgeBody, ExchangeBody, SettingsBody, StartBody, StopBody, UserBody
from modules.gridserver.checks import WrongBody, all_of, credentials_of, settings_of, webhook_of
from modules.gridserver.settings import GridServerSettings
from modules.gridserver.venue import AccountRefused, KeyRefused, Look, NoContract, Venue, VenueAway, look
from modules.strategies.grid.settings import GridSettings
from modules.strategies.grid.state import SessionState
from modules.strategies.grid.store.records import PAPER, Credentials, NewUser, Order, Session, Wanted, Webhook
from modules.strategies.grid.store.store import GridStore
from modules.strategies.grid.units import exact, misfits
from modules.strategies.grid.worst_case import Start, may_start
from utils.vault import VaultError
from utils.wall import iso

T = TypeVar("T")
VENUE_S = 12.0
LET_GO_S = 5.0
_WANTED = {"stop": Wanted.STOPPED, "pause": Wanted.PAUSED, "drain": Wanted.DRAINING, "close": Wanted.DRAINING}


class Refused(Exception):
    """A request that cannot be done as things are: `status` 409 or 503, every reason, and figures where there are."""

    def __init__(self, status: int, error: str, problems: list[str] | None = None, **figures: Any) -> None:
        super().__init__(error)
        self.status, self.error = status, error
        self.problems = problems or [error]
        self.figures = figures


class Desk:
    """The server's work. `who` is told in the audit: "platform", "admin", "user:ID"."""

    def __init__(self, store: GridStore, venue: Venue, base: GridSettings, server: GridServerSettings,
                 threads: int = 8) -> None:
        self.store, self.venue, self.base, self.server = store, venue, base, server
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    async def sql(self, call: Callable[..., T], *given: Any, **more: Any) -> T:
        """A call of the store, from a thread; as many at once as there are connections."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(lambda: call(*given, **more), limiter=self._limiter)

    # -- users ------------------------------------------------------------------------------------------------------

    async def add(self, body: UserBody, who: str, address: str) -> tuple[Session, str]:
        """A user, stopped; (session, token). Raises WrongBody, Taken, KeyInUse, Refused."""
        settings, custom, webhook = all_of(self.base, self.server, body.settings, body)
        await self._fits(settings)
        token = secrets.token_urlsafe(32)
        await self.sql(self.store.users.add, NewUser(
            body.userId, body.userBotId, hashed(token), credentials_of(body.exchange), webhook,
            settings.trading_symbol, custom, settings.model_dump()), who, address)
        return await self.sql(self.store.sessions.session, body.userId), token

    async def _fits(self, settings: GridSettings) -> None:
        """Contract and settings go together. An exchange that is away refuses nothing: the start asks again.

        Raises WrongBody.
        """
        try:
            async with asyncio.timeout(VENUE_S):
                contract = await self.venue.contract(settings.trading_symbol)
        except NoContract as problem:
            raise WrongBody([f"settings.tradingPair: {problem}"]) from None
        except (VenueAway, TimeoutError):
            return
        if wrong := misfits(settings, contract):
            raise WrongBody(wrong)

    async def new_token(self, user_id: str, who: str, address: str) -> str:
        """Another token; the old one is void from now on. Raises NoUser."""
        token = secrets.token_urlsafe(32)
        await self.sql(self.store.users.replace_token, user_id, hashed(token), who, address)
        return token

    async def replace_key(self, user_id: str, body: ExchangeBody, who: str, address: str) -> Session:
        """Another key for the same grid, which goes on with it. Raises NoUser, KeyInUse, Refused."""
        before = await self.sql(self.store.sessions.session, user_id)
        if body.isDemo != before.demo and not (await self._exposure(before)).flat:
            raise Refused(409, "isDemo cannot change while positions are open: they are on the other account. Close "
                               "them first (stop with action close).")
        await self.sql(self.store.users.replace_key, user_id, credentials_of(body), who, address)
        return await self.sql(self.store.sessions.session, user_id)

    async def replace_webhook(self, user_id: str, body: Any, who: str, address: str) -> Session:
        """Another place for the events. Raises NoUser, WrongBody."""
        given: Webhook = webhook_of(self.server, body)
        await self.sql(self.store.users.replace_webhook, user_id, given, who, address)
        return await self.sql(self.store.sessions.session, user_id)

    async def change(self, user_id: str, body: SettingsBody, who: str, address: str) -> Session:
        """Other settings for a grid that stands still: a running one would escape the proof. Raises WrongBody, Refused.
        """
        settings, custom = settings_of(self.base, body)
        session = await self.sql(self.store.sessions.session, user_id)
        if session.wanted is not Wanted.STOPPED:
            raise Refused(409, f"The grid is {session.wanted}. Stop it first (its positions keep their stops), change "
                               "the settings, and start it: the worst case is proven anew.")
        if settings.trading_symbol != session.symbol and not (await self._exposure(session)).flat:
            raise Refused(409, f"Positions of {session.symbol} are open: the pair cannot change. Close them first.")
        await self._fits(settings)
        await self.sql(self.store.sessions.change, user_id, settings.trading_symbol, custom, settings.model_dump(),
                       who, address)
        return await self.sql(self.store.sessions.session, user_id)

    async def remove(self, user_id: str, positions: str, who: str, address: str) -> dict[str, Any]:
        """The user and all its secrets, gone; what is open stays open only where that was said. Raises Refused."""
        session = await self.sql(self.store.sessions.session, user_id)
        exposure = await self._exposure(session)
        if not exposure.flat and positions != "leave":
            raise Refused(409, "Positions are open. Close them (stop with action close), or say positions=leave: they "
                               "stay on the exchange with their stops, and nobody looks after them.",
                          exposure=exposure.told)
        if session.wanted is not Wanted.STOPPED:
            await self.sql(self.store.sessions.want, user_id, Wanted.STOPPED, who, address)
        await self._let_go(user_id)
        await self.sql(self.store.users.remove, user_id, who, address, {"exposure": exposure.told})
        return exposure.told

    async def _let_go(self, user_id: str) -> None:
        """Wait until no worker holds the session: it might be sending an order. Raises Refused."""
        for _ in range(round(LET_GO_S / 0.25)):
            session = await self.sql(self.store.sessions.session, user_id)
            if not session.lease_holder or session.lease_until_ms <= await self.sql(self.store.now_ms):
                return
            await asyncio.sleep(0.25)
        raise Refused(409, "The grid is stopped, but its worker has not let go of it yet. Ask again in a few seconds.")

    # -- start and stop ---------------------------------------------------------------------------------------------

    async def start(self, user_id: str, body: StartBody, who: str, address: str) -> dict[str, Any]:
        """Start, or tell what a start would be (rule 1). Raises Refused, NoUser."""
        session = await self.sql(self.store.sessions.session, user_id)
        seen = await self._look(session)
        try:
            settings = GridSettings.model_validate(session.settings)
        except ValidationError:
            raise Refused(409, "The stored settings do not fit this version any more. Give them anew.") from None
        stamp = iso(await self.sql(self.store.now_ms))
        start = may_start(settings, seen.contract, seen.price, seen.balance,
                          f"{who} at {stamp}" if body.acceptRisk else "")
        impossible = [*start.impossible, *seen.problems]
        figures = shown.worst_case(start.figures, impossible)
        allowed = start.allowed and not impossible
        exposure = await self._exposure(session)
        told = {"userId": user_id, "allowed": allowed, "worstCase": figures, "acceptedRisk": None,
                "exposure": exposure.told}
        if body.dryRun:
            return told | {"status": "preview"}
        if not allowed:
            await self.sql(self.store.audit, who, "start refused", user_id, address, "refused", figures)
            raise Refused(409, _why_not(impossible), [*impossible, *start.figures.unsafe], worstCase=figures)
        if session.wanted is Wanted.RUNNING:
            return told | {"status": "running", "acceptedRisk": session.accepted}
        accepted = _accepted(start, who, stamp)
        await self.sql(self.store.sessions.want, user_id, Wanted.RUNNING, who, address, figures=figures,
                       accepted=accepted)
        return told | {"status": "started", "acceptedRisk": accepted}

    async def _look(self, session: Session) -> Look:
        """Contract, price and balance now. Raises Refused."""
        try:
            keys = await self.sql(self.store.users.credentials, session.user_id)
            settings = GridSettings.model_validate(session.settings)
            seen = await look(self.venue, session.user_id, keys, settings, VENUE_S,
                              await self._paper(session, keys, settings))
        except ValidationError:
            raise Refused(409, "The stored settings do not fit this version any more. Give them anew.") from None
        except (NoContract, AccountRefused) as problem:
            raise Refused(409, f"Nothing was started: {problem}") from None
        except KeyRefused as problem:
            await self.sql(self.store.users.key_refused, session.user_id, session.key_version, str(problem))
            raise Refused(409, f"The exchange refuses the key: {problem}. PUT …/keys with another one; the grid "
                               "stays.") from None
        except (VenueAway, VaultError) as problem:
            raise Refused(503, f"Nothing was started: {problem}") from None
        if session.key_refused:
            await self.sql(self.store.users.key_refused, session.user_id, session.key_version, "")
        if not (seen.price > 0 and seen.balance > 0):
            raise Refused(409, f"The account has {seen.balance:f} USDT (price {seen.price:f}): there is nothing to "
                               "start with. Transfer USDT to the futures account.")
        return seen

    async def _paper(self, session: Session, keys: Credentials, settings: GridSettings) -> Decimal | None:
        """USDT of a paper account, which only its worker opens: as last saved, or what it begins with."""
        if not keys.api_key.startswith(PAPER):
            return None
        found = await self.sql(self.store.sessions.state, session.user_id)
        saved = msgspec.json.decode(found[0], type=SessionState).balance if found is not None else None
        return saved if saved is not None else exact(settings.paper_usdt)

    async def stop(self, user_id: str, body: StopBody, who: str, address: str) -> dict[str, Any]:
        """Stop, pause, drain or close (rule 2). Raises Refused, NoUser."""
        session = await self.sql(self.store.sessions.session, user_id)
        exposure = await self._exposure(session)
        code = exposure.code(user_id) if body.action == "close" else None
        told = {"userId": user_id, "action": body.action, "exposure": exposure.told,
                "left": exposure.left(body.action), "confirm": code}
        if body.dryRun:
            return told | {"status": "preview"}
        if body.action == "close" and body.confirm != code:
            why = "What is open has changed since that preview." if body.confirm else "Closing acts at the market."
            raise Refused(409, f"{why} Look at the exposure, then ask again with its code in confirm.",
                          exposure=exposure.told, confirm=code)
        order = Order.FLATTEN if body.action == "close" else None
        await self.sql(self.store.sessions.want, user_id, _WANTED[body.action], who, address, order=order,
                       body={"action": body.action, "exposure": exposure.told})
        return told | {"status": "done"}

    async def acknowledge(self, user_id: str, body: AcknowledgeBody, who: str, address: str) -> None:
        """Say what a position is that the grid did not open. Raises NoUser."""
        await self.sql(self.store.sessions.say, user_id, Order.ACKNOWLEDGE,
                       {"side": 1 if body.side == "buy" else -1, "answer": body.answer}, who, address)

    # -- looks ------------------------------------------------------------------------------------------------------

    async def status(self, user_id: str) -> dict[str, Any]:
        """How a grid stands. Raises NoUser."""
        def read() -> tuple[Session, tuple[bytes, dict[str, Any], int] | None, int]:
            return self.store.sessions.session(user_id), self.store.sessions.state(user_id), self.store.now_ms()

        return shown.status(*await self.sql(read))

    async def _exposure(self, session: Session) -> "shown.Exposure":
        found = await self.sql(self.store.sessions.state, session.user_id)
        if found is None:
            return shown.Exposure(session.symbol, SessionState(), None)
        return shown.Exposure(session.symbol, msgspec.json.decode(found[0], type=SessionState), found[2])


def hashed(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _why_not(impossible: list[str]) -> str:
    if impossible:
        return "This grid cannot work, whoever accepts its risk; the figures are below."
    return ("The worst case breaks a limit: the grid was not started. Lower lots, orders or leverage, add USDT, or "
            "start with acceptRisk: true.")


def _accepted(start: Start, who: str, stamp: str) -> dict[str, Any] | None:
    """Who accepted which risk, for the record."""
    if not start.accepted:
        return None
    loss: Decimal = start.figures.loss
    return {"who": who, "at": stamp, "unsafe": list(start.figures.unsafe), "loss": float(loss)}
