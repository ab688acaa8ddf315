"""The one door of the dashboard: every request and socket passes here before any page does.

1. The Host must be one of ours (a foreign page cannot reach us through its own name: DNS rebinding).
2. Without a session there is nothing but /health and what the login page itself needs; and /metrics for whoever
   `scrapers` lets in.
3. Whatever changes something (any method but GET and HEAD) comes from our own page: Origin, and with a session its
   CSRF token. A socket must come from our own page as well.
4. A viewer's session may read; the routes that act ask for the owner's.
5. Every answer carries the security headers; scripts come from this server only, none is inline.
"""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from modules.dashboard.scrapers import Scrapers
from modules.dashboard.sessions import Session, Sessions
from utils.buckets import Buckets

COOKIE = "coxswain_session"
OPEN = frozenset({"/health", "/login", "/login/link", "/login.css", "/login.js", "/icon.svg"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LARGEST_BODY = 256_000
_HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
     b"img-src 'self' data:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
     b"frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware. `hosts`: names people reach us by, besides loopback."""

    def __init__(self, app: App, sessions: Sessions, buckets: Buckets, hosts: frozenset[str], secure: bool,
                 scrapers: Scrapers | None = None) -> None:
        self.app = app
        self.sessions = sessions
        self.buckets = buckets
        self.scrapers = scrapers or Scrapers()
        self.hosts = hosts | _LOOPBACK
        self.headers = _HEADERS + (((b"strict-transport-security", b"max-age=31536000"),) if secure else ())
        self.cookie = cookie_name(secure)
        self.refused = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        session = self.sessions.find(_cookie(headers.get("cookie", ""), self.cookie))
        scope.setdefault("state", {})["session"] = session
        refusal = self._refusal(scope, headers, session)
        if refusal is None:
            await self.app(scope, receive, self._dressed(scope, send))
            return
        self.refused += 1
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 4401 if refusal[0] == 401 else 4403})
            return
        await self._refuse(scope, headers, send, *refusal)

    def _refusal(self, scope: Scope, headers: dict[str, str], session: Session | None) -> tuple[int, str] | None:
        """Status and words of a refusal, None where the request may pass (rules 1–3)."""
        client = str((scope.get("client") or ("?",))[0])
        if not self.buckets.take(session.id if session is not None else client):
            return 429, "Too many requests; wait a little."
        request = scope.get("method", ""), scope["path"], headers
        if self.scrapers.shows_token(*request):
            return None
        if _host_of(headers.get("host", "")) not in self.hosts:
            return 421, "This address is not served here. DASHBOARD_PUBLIC_URL names the one people use."
        if self.scrapers.is_local(*request, client):
            return None
        if scope["type"] == "websocket":
            if not _same_origin(headers):
                return 403, "This socket was opened by a foreign page."
            return None if session is not None else (401, "Log in first.")
        if session is None and scope["path"] not in OPEN:
            return 401, "Log in first."
        if scope["method"] in ("GET", "HEAD"):
            return None
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or len(length) > 9 or int(length) > _LARGEST_BODY:
            return 413, "This is too large."
        if not _same_origin(headers):
            return 403, "This request comes from a foreign page."
        if scope["path"] not in OPEN and (session is None or not _same(headers.get("x-csrf", ""), session.csrf)):
            return 403, "The page is from an earlier login. Load it again."
        return None

    async def _refuse(self, scope: Scope, headers: dict[str, str], send: Send, status: int, words: str) -> None:
        wants_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        body = words.encode()
        more: list[tuple[bytes, bytes]] = [(b"content-type", b"text/plain; charset=utf-8")]
        if status == 401 and wants_page:  # a person, not a script: to the login page
            status, body, more = 303, b"", [(b"location", b"/login")]
        more += [(b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), *self.headers]
        await send({"type": "http.response.start", "status": status, "headers": more})
        await send({"type": "http.response.body", "body": body})

    def _dressed(self, scope: Scope, send: Send) -> Send:
        """`send` that adds the headers (rule 5)."""
        if scope["type"] == "websocket":
            return send

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                extra = [] if b"cache-control" in known else [(b"cache-control", b"no-store")]
                message["headers"] = [*message["headers"], *extra, *self.headers]
            await send(message)

        return dressed


def cookie_name(secure: bool) -> str:
    """The cookie's name. With TLS its prefix makes browsers refuse one that another name of the domain has planted."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def _cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _host_of(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _same(shown: str, known: str) -> bool:
    return hmac.compare_digest(shown.encode("latin-1"), known.encode())


def _same_origin(headers: dict[str, str]) -> bool:
    """Whether the browser says that our own page asks (rule 3). The scheme is the proxy's affair."""
    origin = headers.get("origin", "")
    try:
        return bool(origin) and urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False
