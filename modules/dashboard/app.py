"""The web application: login, pages, the live socket, actions. FastAPI behind the guard; every route in one place.

Pages are one HTML file; what they show comes through the socket. Nothing here reads or writes trading state: pages
come from `live`, wishes go to the command process through `actions`.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from modules.dashboard.actions import Actions
from modules.dashboard.files import File, read_all
from modules.dashboard.guard import cookie_name
from modules.dashboard.live import Live, TooMany, Watcher
from modules.dashboard.login import Login, LoginRefused
from modules.dashboard.pages import OWNERS, PAGES
from modules.dashboard.sessions import OWNER, Session, Sessions

__all__ = ["PAGES", "application"]
log = logging.getLogger(__name__)
_LOGIN_FILES = {"/login": "login.html", "/login.css": "login.css", "/login.js": "login.js", "/icon.svg": "icon.svg"}
_ANSWER_WITHIN_S = 20.0
_LONGEST_WORD = 200
_BETWEEN_WORDS_S = 0.05  # a socket that never stops talking is heard 20 times a second


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PasswordBody(_Body):
    """A try to log in."""

    password: str = Field(max_length=_LONGEST_WORD)


class LinkBody(_Body):
    """A one-time link's token."""

    token: str = Field(max_length=_LONGEST_WORD)


class AskBody(_Body):
    """A command line, or the data of a pressed button."""

    line: str = Field("", max_length=400)
    press: str = Field("", max_length=400)


def application(sessions: Sessions, login: Login, live: Live, actions: Actions, secure: bool,
                health: Callable[[], dict[str, Any]]) -> FastAPI:
    """The routes. `secure`: the cookie travels over TLS only. `health`: what /health tells anybody."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    _login_routes(app, sessions, login, actions, secure)
    _page_routes(app, health)
    _action_routes(app, actions)
    _live_route(app, sessions, live)
    return app


def _login_routes(app: FastAPI, sessions: Sessions, login: Login, actions: Actions, secure: bool) -> None:
    def entered(token: str, session: Session, request: Request) -> Response:
        before = request.scope["state"]["session"]
        if before is not None:  # one browser has one login
            sessions.close(before)
        answer = JSONResponse({"role": session.role})
        answer.set_cookie(cookie_name(secure), token, max_age=login.cookie_s, httponly=True, samesite="lax",
                          secure=secure, path="/")
        return answer

    @app.post("/login")
    async def by_password(body: PasswordBody, request: Request) -> Response:
        try:
            return entered(*await login.by_password(body.password, _address(request)), request)
        except LoginRefused as refusal:
            return refusal.answer()

    @app.post("/login/link")
    async def by_link(body: LinkBody, request: Request) -> Response:
        try:
            return entered(*await login.by_link(body.token, _address(request)), request)
        except LoginRefused as refusal:
            return refusal.answer()

    @app.post("/logout")
    async def logout(request: Request) -> Response:
        session = _session(request)
        sessions.close(session)
        await actions.note("logout", session.who, session.role, _address(request))
        answer = Response(status_code=204)
        answer.delete_cookie(cookie_name(secure), path="/", httponly=True, samesite="lax", secure=secure)
        return answer


def _page_routes(app: FastAPI, health: Callable[[], dict[str, Any]]) -> None:
    @app.get("/health")
    async def how() -> dict[str, Any]:
        return health()

    files = read_all()

    def give(file: File, request: Request) -> Response:
        status, body, headers = file.answer(dict(request.headers))
        return Response(body, status, headers)

    def giver(name: str) -> Callable[[Request], Any]:
        async def one(request: Request) -> Response:
            return give(files[name], request)

        return one

    for path, name in _LOGIN_FILES.items():
        app.get(path)(giver(name))
    for page in ("/", *(f"/{page}" for page in PAGES)):
        app.get(page)(giver("index.html"))

    @app.get("/static/{name:path}")
    async def static(name: str, request: Request) -> Response:
        file = files.get(name)
        return give(file, request) if file is not None else Response("There is no such file.", 404)

    @app.get("/api/me")
    async def me(request: Request) -> dict[str, Any]:
        session = _session(request)
        return {"who": session.who, "role": session.role, "csrf": session.csrf}


def _action_routes(app: FastAPI, actions: Actions) -> None:
    @app.post("/api/ask")
    async def ask(body: AskBody, request: Request) -> Response:
        session = _session(request)
        if session.role != OWNER:
            return Response("This login may only look. Log in as the owner to act.", 403)
        kind, text = ("press", body.press) if body.press else ("line", body.line)
        if not text.strip():
            return Response("Nothing was asked.", 422)
        try:
            question = await actions.ask(session, _address(request), kind, text)
        except OSError as problem:
            return Response(f"Nothing was done: it could not be handed over: {problem.strerror}. Disk full?", 507)
        return await _answer(actions, session, question)

    @app.get("/api/answer/{question}")
    async def later(question: str, request: Request) -> Response:
        return await _answer(actions, _session(request), question)


async def _answer(actions: Actions, session: Session, question: str) -> Response:
    try:
        told = await actions.answer(session, question, _ANSWER_WITHIN_S)
    except KeyError:
        return Response("There is no such question.", 404)
    if told is None:
        return JSONResponse({"question": question}, 202)
    return JSONResponse({"text": told.get("text", ""), "buttons": told.get("buttons", [])})


def _live_route(app: FastAPI, sessions: Sessions, live: Live) -> None:
    @app.websocket("/live")
    async def socket(websocket: WebSocket) -> None:
        session: Session = websocket.scope["state"]["session"]
        await websocket.accept()
        watcher = Watcher(websocket, lambda: sessions.still(session))
        reader = asyncio.create_task(_listen(websocket, live, watcher, session.role == OWNER))
        sender = asyncio.create_task(live.watch(watcher))
        try:
            done, _ = await asyncio.wait({reader, sender}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await websocket.close(4401)  # the session is over
        except TooMany:
            await websocket.close(4429)
        except (WebSocketDisconnect, RuntimeError, OSError):  # the browser is gone
            return
        finally:
            for task in (reader, sender):
                task.cancel()
            await asyncio.gather(reader, sender, return_exceptions=True)


async def _listen(websocket: WebSocket, live: Live, watcher: Watcher, owner: bool) -> None:
    """Which page the browser shows; one for owners shows nothing to others. What is not understood ends the talk."""
    while True:
        text = await websocket.receive_text()
        try:
            told = msgspec.json.decode(text[:4000], type=dict[str, str])
        except msgspec.MsgspecError:
            raise WebSocketDisconnect(1003) from None
        page = told.pop("page", "")
        page = page if owner or page not in OWNERS else ""
        live.look_at(watcher, page, {key[:20]: value[:100] for key, value in list(told.items())[:5]})
        await asyncio.sleep(_BETWEEN_WORDS_S)


def _session(request: Request) -> Session:
    """The guard let it pass, so there is one."""
    session: Session = request.scope["state"]["session"]
    return session


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"
