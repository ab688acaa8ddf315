"""The application: routes, their OpenAPI, and how refusals are told. No logic: that is `desk.py`'s."""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from modules.gridserver import shown
from modules.gridserver.auth import Door, address
from modules.gridserver.bodies import (
    CUSTOM_SCHEMA,
    ID,
    AcknowledgeBody,
    DoneOut,
    ExchangeBody,
    HealthOut,
    InfoOut,
    LinesOut,
    NewUserOut,
    Problem,
    RemovedOut,
    SessionsOut,
    SettingsBody,
    StartBody,
    StartOut,
    StatusOut,
    StopBody,
    StopOut,
    TokenOut,
    UserBody,
    UserOut,
    WebhookBody,
)
from modules.gridserver.checks import WrongBody, defaults, structure
from modules.gridserver.desk import Desk, Refused
from modules.gridserver.venue import VenueAway
from modules.storage.sql.database import DatabaseAway
from modules.strategies.grid.store.records import KeyInUse, NoUser, Taken
from utils.vault import VaultError

_WORDS = {400: "No JSON, or too deep", 401: "Key missing or wrong", 404: "No such thing",
          409: "Not as things are now: reasons, figures", 413: "Body too large", 415: "Body is not JSON",
          422: "Errors of the request, all of them", 429: "Too many requests", 503: "Exchange or database away"}
UserId = Annotated[str, Path(alias="id", pattern=ID, max_length=64, description="userId")]


def _answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": Problem, "description": _WORDS[code]} for code in (400, 413, 415, 429, 503, *codes)}


_USER, _CHANGE = _answers(401, 404, 422), _answers(401, 404, 409, 422)


def application(desk: Desk, health: Callable[[], dict[str, Any]]) -> FastAPI:
    """All routes. `health`: what /health tells beside the sessions: status and uptime."""
    app = FastAPI(title=desk.server.bot_name, version=desk.server.bot_version, docs_url=None, redoc_url=None,
                  openapi_url=None, redirect_slashes=False)
    door = Door(desk, desk.server)
    _open_routes(app, desk, health)
    _user_routes(app, desk, door)
    _grid_routes(app, desk, door)
    _admin_routes(app, desk, door)
    _refusals(app, desk)
    _openapi(app)
    return app


def _open_routes(app: FastAPI, desk: Desk, health: Callable[[], dict[str, Any]]) -> None:
    @app.get("/health", response_model=HealthOut, responses=_answers(), tags=["open"])
    async def how() -> Any:
        """Whether the server does its work."""
        counts = await desk.sql(desk.store.sessions.counts)
        total = sum(counts.values())
        return health() | {"version": desk.server.bot_version,
                           "sessions": {"total": total, "running": total - counts.get("STOPPED", 0)}}

    @app.get("/info", response_model=InfoOut, responses=_answers(), tags=["open"])
    async def info() -> Any:
        """What this robot is, its defaults, and the schema of customSettings."""
        try:
            pairs = await desk.venue.symbols()
        except VenueAway:
            pairs = [desk.base.trading_symbol]
        return {
            "name": desk.server.bot_name, "version": desk.server.bot_version, "strategy": "GRID_HEDGING",
            "description": "Grid hedging strategy with SMA/SAR/CCI indicators", "supportedPairs": pairs,
            "supportedExchanges": ["bitget"],
            "capabilities": {"spot": False, "futures": True, "margin": False, "grid": True, "hedge": True,
                             "martingale": True},
            "defaultSettings": defaults(desk.base), "customSettingsSchema": CUSTOM_SCHEMA,
            "botId": desk.server.bot_id}


def _user_routes(app: FastAPI, desk: Desk, door: Door) -> None:
    @app.post("/api/v1/users", response_model=NewUserOut, status_code=201, tags=["users"],
              responses=_answers(401, 409, 422))
    async def add(body: UserBody, request: Request, who: str = Depends(door.platform)) -> Any:
        """Add a user with its key and settings; its grid is stopped. The token is told this once."""
        session, token = await desk.add(body, who, address(request))
        return shown.user(session) | {"token": token}

    @app.get("/api/v1/users/{id}", response_model=UserOut, responses=_USER, tags=["users"])
    async def one(user_id: UserId, who: str = Depends(door.user)) -> Any:
        """A user, without anything secret."""
        return shown.user(await desk.sql(desk.store.sessions.session, user_id))

    @app.delete("/api/v1/users/{id}", response_model=RemovedOut, responses=_CHANGE, tags=["users"])
    async def remove(user_id: UserId, request: Request, who: str = Depends(door.user),
                     positions: Annotated[Literal["none", "leave"], Query(
                         description="leave: open positions stay on the exchange with their stops")] = "none") -> Any:
        """Remove a user, its key, grid and events. With positions open only if positions=leave."""
        return {"userId": user_id, "status": "removed",
                "exposure": await desk.remove(user_id, positions, who, address(request))}

    @app.put("/api/v1/users/{id}/keys", response_model=UserOut, responses=_CHANGE, tags=["users"])
    async def keys(user_id: UserId, body: ExchangeBody, request: Request, who: str = Depends(door.user)) -> Any:
        """Another exchange key for the same grid, which goes on."""
        return shown.user(await desk.replace_key(user_id, body, who, address(request)))

    @app.put("/api/v1/users/{id}/settings", response_model=UserOut, responses=_CHANGE, tags=["users"])
    async def settings(user_id: UserId, body: SettingsBody, request: Request, who: str = Depends(door.user)) -> Any:
        """Other settings, for a grid that is stopped."""
        return shown.user(await desk.change(user_id, body, who, address(request)))

    @app.put("/api/v1/users/{id}/webhook", response_model=UserOut, responses=_USER, tags=["users"])
    async def webhook(user_id: UserId, body: WebhookBody, request: Request, who: str = Depends(door.user)) -> Any:
        """Another place for the events."""
        return shown.user(await desk.replace_webhook(user_id, body, who, address(request)))

    @app.post("/api/v1/users/{id}/token", response_model=TokenOut, responses=_USER, tags=["users"])
    async def token(user_id: UserId, request: Request, who: str = Depends(door.owner)) -> Any:
        """Another token; the old one is void."""
        return {"userId": user_id, "token": await desk.new_token(user_id, who, address(request))}


def _grid_routes(app: FastAPI, desk: Desk, door: Door) -> None:
    @app.post("/api/v1/users/{id}/start", response_model=StartOut, responses=_CHANGE, tags=["grid"])
    async def start(user_id: UserId, request: Request, body: StartBody | None = None,
                    who: str = Depends(door.user)) -> Any:
        """Start the grid. The answer has the worst case; an unsafe one is 409 with the figures."""
        return await desk.start(user_id, body or StartBody(), who, address(request))

    @app.post("/api/v1/users/{id}/stop", response_model=StopOut, responses=_CHANGE, tags=["grid"])
    async def stop(user_id: UserId, request: Request, body: StopBody | None = None,
                   who: str = Depends(door.user)) -> Any:
        """Stop (positions stay with their stops), pause, drain, or close. Closing is previewed first."""
        return await desk.stop(user_id, body or StopBody(), who, address(request))

    @app.post("/api/v1/users/{id}/acknowledge", response_model=DoneOut, responses=_USER, tags=["grid"])
    async def acknowledge(user_id: UserId, body: AcknowledgeBody, request: Request,
                          who: str = Depends(door.user)) -> Any:
        """Say what a position is that the grid did not open; new levels wait for this."""
        await desk.acknowledge(user_id, body, who, address(request))
        return {"userId": user_id, "status": "acknowledged"}

    @app.get("/api/v1/users/{id}/status", response_model=StatusOut, responses=_USER, tags=["grid"])
    async def status(user_id: UserId, who: str = Depends(door.user)) -> Any:
        """How the grid stands."""
        return JSONResponse(await desk.status(user_id))

    @app.get("/api/v1/users/{id}/webhooks/dead", response_model=LinesOut, responses=_USER, tags=["webhooks"])
    async def dead(user_id: UserId, who: str = Depends(door.user)) -> Any:
        """Events that were given up, and why."""
        return {"lines": [shown.dead(one) for one in await desk.sql(desk.store.events.dead, user_id)]}

    @app.post("/api/v1/users/{id}/webhooks/retry", response_model=DoneOut, responses=_USER, tags=["webhooks"])
    async def retry(user_id: UserId, request: Request, who: str = Depends(door.user)) -> Any:
        """Send the dead letters again."""
        count = await desk.sql(desk.store.events.again, user_id, who, address(request))
        return {"userId": user_id, "status": "queued", "count": count}


def _admin_routes(app: FastAPI, desk: Desk, door: Door) -> None:
    @app.get("/api/v1/admin/sessions", response_model=SessionsOut, responses=_answers(401, 422), tags=["admin"])
    async def sessions(who: str = Depends(door.admin),
                       after: Annotated[str, Query(pattern=r"^[A-Za-z0-9_.:@-]{0,64}$")] = "",
                       limit: Annotated[int, Query(ge=1, le=1000)] = 500) -> Any:
        """Every grid: what is wanted of it, which worker holds it, its risk."""
        found = await desk.sql(desk.store.sessions.all, after, limit)
        counts, now = await desk.sql(desk.store.sessions.counts), await desk.sql(desk.store.now_ms)
        return {"total": sum(counts.values()), "sessions": [shown.row(one, now) for one in found],
                "next": found[-1].user_id if len(found) == limit else None}

    @app.get("/api/v1/admin/audit", response_model=LinesOut, responses=_answers(401, 422), tags=["admin"])
    async def audit(who: str = Depends(door.admin),
                    user: Annotated[str, Query(pattern=r"^[A-Za-z0-9_.:@-]{0,64}$")] = "",
                    before: Annotated[int, Query(ge=0, le=2**53)] = 0,
                    limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Any:
        """Who did what, newest first."""
        return {"lines": await desk.sql(desk.store.audited, user, limit, before)}

    @app.get("/api/v1/admin/webhooks/dead", response_model=LinesOut, responses=_answers(401, 422), tags=["admin"])
    async def all_dead(who: str = Depends(door.admin), limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Any:
        """Everybody's events that were given up."""
        return {"lines": [shown.dead(one) for one in await desk.sql(desk.store.events.dead, "", limit)]}


def told(status: int, error: str, problems: list[str] | None = None, headers: dict[str, str] | None = None,
         **more: Any) -> JSONResponse:
    """A refusal (`Problem`)."""
    return JSONResponse({"error": error, "problems": problems or [error], **more}, status, headers)


def _refusals(app: FastAPI, desk: Desk) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, problem: RequestValidationError) -> JSONResponse:
        errors = problem.errors()
        if any(one["type"] == "json_invalid" for one in errors):
            return told(400, "The body is no JSON.")
        wrong = WrongBody(structure(errors, problem.body, desk.base, desk.server)).problems
        return told(422, f"{len(wrong)} error(s); nothing was done.", wrong)

    @app.exception_handler(WrongBody)
    async def wrong(request: Request, problem: WrongBody) -> JSONResponse:
        return told(422, f"{len(problem.problems)} error(s); nothing was done.", problem.problems)

    @app.exception_handler(Refused)
    async def refused(request: Request, problem: Refused) -> JSONResponse:
        headers = {"Retry-After": "5"} if problem.status == 503 else None
        return told(problem.status, problem.error, problem.problems, headers, **problem.figures)

    @app.exception_handler(HTTPException)
    async def by_status(request: Request, problem: HTTPException) -> JSONResponse:
        headers = dict(problem.headers or {})
        if problem.status_code == 405:  # Starlette names the methods of the first route of a path only
            found = {method for route in app.routes if isinstance(route, Route)
                     and route.path_regex.match(request.url.path) for method in route.methods or ()}
            headers["Allow"] = ", ".join(sorted(found))
        return told(problem.status_code, str(problem.detail), headers=headers)

    @app.exception_handler(Exception)
    async def mistake(request: Request, problem: Exception) -> JSONResponse:
        return told(500, "The server made a mistake; its log tells more. Nothing is known to have been done.")

    for kind, status in ((Taken, 409), (KeyInUse, 409), (NoUser, 404)):
        app.add_exception_handler(kind, _plainly(status))
    app.add_exception_handler(DatabaseAway, _plainly(503, "The database does not answer; nothing was done."))
    app.add_exception_handler(VaultError, _plainly(503, "Stored secrets cannot be opened; the server's key is not the "
                                                        "one that sealed them. Nothing was done."))


def _plainly(status: int, words: str = "") -> Callable[[Request, Exception], JSONResponse]:
    def handler(request: Request, problem: Exception) -> JSONResponse:
        return told(status, words or str(problem), headers={"Retry-After": "5"} if status == 503 else None)

    return handler


def _openapi(app: FastAPI) -> None:
    """The document at /openapi.json: 422 is a `Problem`, too, not FastAPI's own form."""
    @cache
    def document() -> dict[str, Any]:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes,
                           description="Hedging grid on Bitget futures for many users. See docs/GRIDSERVER.md.")
        for gone in ("HTTPValidationError", "ValidationError"):
            made["components"]["schemas"].pop(gone, None)
        return made

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Any:
        return JSONResponse(document())

    app.state.document = document
