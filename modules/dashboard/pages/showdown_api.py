"""Manual sources of system C by HTTP: show, check, enter, undo, history. Data only; the forms are the page's.

    GET  /api/showdown                   {symbols, symbol, price, price_age_s, market_ms, sources: {KIND: {...}}}
    GET  /api/showdown/KIND/history      {versions: [{version, entered_ms, source, undone_ms, body}]}, newest first
    POST /api/showdown/KIND/check        {text} → 200 {body}, nothing is changed; 422 {problems: [every error]}
    POST /api/showdown/KIND              {text} → 200 {version, entered_ms, body}; 422 {problems: [every error]}
    POST /api/showdown/KIND/undo         {} → 200 {undone, counts: {...} or null}; 422 {problems}

KIND: etf, liqmap, sentiment. `text` is JSON or the text form of docs/SHOWDOWN.md; `symbol` (body or query) names
another contract than the first. The same function as Telegram's and the file's checks it. Login, Origin, CSRF token and
rate are the guard's; the owner's role and the audit are asked for here.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from modules.dashboard.actions import Actions
from modules.dashboard.sessions import OWNER, Session
from modules.storage.damage import StateError
from modules.strategies.showdown.files import ShowdownFiles, last
from modules.strategies.showdown.manual import BIGGEST_TEXT, EXAMPLES, KINDS, TITLES, Invalid, Kind, parse
from modules.strategies.showdown.manual_store import ManualStore, Version
from modules.supervision.service import read_beat
from utils.paths import Paths
from utils.wall import now_ms

if TYPE_CHECKING:
    from config.settings import Settings

PRICE_LIVES_MS = 30 * 60_000
SHOWN = 100


class Entered(BaseModel):
    """What a form sends."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field("", max_length=BIGGEST_TEXT)
    symbol: str = Field("", max_length=24)


class ManualApi:
    """The manual sources of all contracts. `market_ms`: market time as anybody noted it."""

    def __init__(self, paths: Paths, settings: "Settings", actions: Actions, market_ms: Callable[[], int]) -> None:
        self._paths, self._symbols = paths, tuple(settings.showdown.symbols)
        self._actions, self._market_ms = actions, market_ms

    def shown(self, symbol: str) -> dict[str, Any]:
        """What counts now. Raises KeyError for a contract that is not decided on, StateError, OSError."""
        files, now = self._files(symbol), self._market_ms()
        snap, _, _ = last(files)
        versions = ManualStore(files).versions()
        sources = {}
        for kind in KINDS:
            counts = next((one for one in reversed(versions.get(kind, [])) if one.undone_ms is None), None)
            sources[kind] = {"title": TITLES[kind], "example": EXAMPLES[kind], "file": files.manual(kind).name,
                             "counts": _told(counts), "versions": len(versions.get(kind, []))}
        return {"symbols": self._symbols, "symbol": files.symbol, "market_ms": now, "sources": sources,
                "price": snap.price if snap is not None else None,
                "price_age_s": (now - snap.ms) / 1000 if snap is not None else None}

    def history(self, kind: Kind, symbol: str) -> list[dict[str, Any] | None]:
        """Every version kept, newest first. Raises as `shown`."""
        rows = ManualStore(self._files(symbol)).versions().get(kind, [])
        return [_told(one) for one in reversed(rows[-SHOWN:])]

    def check(self, kind: Kind, entered: Entered) -> dict[str, Any]:
        """What would be taken. Raises Invalid with every error, KeyError."""
        files = self._files(entered.symbol)
        return {"body": parse(kind, entered.text, self._price(files), self._market_ms())}

    def enter(self, kind: Kind, entered: Entered, who: str) -> dict[str, Any] | None:
        """A new version. Raises Invalid with every error, KeyError, StateError, OSError."""
        files = self._files(entered.symbol)
        return _told(ManualStore(files).enter(kind, entered.text, f"dashboard {who}"[:40], self._price(files),
                                              self._market_ms()))

    def undo(self, kind: Kind, entered: Entered) -> dict[str, Any]:
        """Take the newest version back. Raises as `enter`."""
        undone, left = ManualStore(self._files(entered.symbol)).undo(kind, self._market_ms())
        return {"undone": _told(undone), "counts": _told(left)}

    async def changed(self, request: Request, act: str, kind: Kind, entered: Entered) -> Response:
        """One POST: role, audit, then `act`."""
        session: Session = request.scope["state"]["session"]
        if session.role != OWNER:
            return Response("This login may only look. Log in as the owner to act.", 403)
        try:
            if act != "check":
                address = request.client.host if request.client else "?"
                await self._actions.note(f"{act} {kind}", session.who, session.role, address, entered.text[:200])
            return JSONResponse(await asyncio.to_thread(self._done, act, kind, entered, session.who))
        except Invalid as problem:
            return JSONResponse({"problems": problem.problems}, 422)
        except KeyError:
            return _unknown(entered.symbol, self._symbols)
        except (StateError, OSError) as problem:
            return JSONResponse({"problems": [f"Nothing was changed; it could not be written: {problem}"]}, 507)

    def _done(self, act: str, kind: Kind, entered: Entered, who: str) -> Any:
        if act == "undo":
            return self.undo(kind, entered)
        return self.check(kind, entered) if act == "check" else self.enter(kind, entered, who)

    def _files(self, symbol: str) -> ShowdownFiles:
        wanted = symbol or self._symbols[0]
        if wanted not in self._symbols:
            raise KeyError(wanted)
        return ShowdownFiles(self._paths, wanted, wanted == self._symbols[0])

    def _price(self, files: ShowdownFiles) -> float | None:
        snap, _, _ = last(files)
        return snap.price if snap is not None and abs(self._market_ms() - snap.ms) <= PRICE_LIVES_MS else None


def router(api: ManualApi) -> APIRouter:
    """The routes; the application includes them behind its guard."""
    found = APIRouter(prefix="/api/showdown")

    async def read(work: Callable[[], Any], symbol: str) -> Response:
        try:
            return JSONResponse(await asyncio.to_thread(work))
        except KeyError:
            return _unknown(symbol, api.shown("")["symbols"])
        except (StateError, OSError) as problem:
            return Response(f"The manual sources cannot be read: {problem}", 503)

    @found.get("")
    async def shown(symbol: str = "") -> Response:
        return await read(lambda: api.shown(symbol), symbol)

    @found.get("/{kind}/history")
    async def history(kind: Kind, symbol: str = "") -> Response:
        return await read(lambda: {"versions": api.history(kind, symbol)}, symbol)

    @found.post("/{kind}")
    async def enter(kind: Kind, entered: Entered, request: Request) -> Response:
        return await api.changed(request, "enter", kind, entered)

    @found.post("/{kind}/check")
    async def check(kind: Kind, entered: Entered, request: Request) -> Response:
        return await api.changed(request, "check", kind, entered)

    @found.post("/{kind}/undo")
    async def undo(kind: Kind, entered: Entered, request: Request) -> Response:
        return await api.changed(request, "undo", kind, entered)

    return found


def market_clock(paths: Paths, simulated: bool) -> Callable[[], int]:
    """Market time as good as an entry's age needs it: what services noted on the simulated venue, else calendar's."""
    def now() -> int:
        if not simulated:
            return now_ms()
        beats = (read_beat(paths.run, name) for name in ("showdown", "tracker", "scanner"))
        noted = [beat.info.get("market_ms") for beat in beats if beat is not None]
        return max((value for value in noted if isinstance(value, int)), default=0) or now_ms()
    return now


def _told(version: Version | None) -> dict[str, Any] | None:
    return None if version is None else msgspec.to_builtins(version)


def _unknown(symbol: str, symbols: tuple[str, ...]) -> Response:
    return Response(f"System C does not decide on {symbol[:24]!r}; it does on {', '.join(symbols)} (showdown.symbols).",
                    404)
