"""OWASP's usual list, tried against the dashboard: who may do what, forged requests, hostile words, files, sessions."""

import ast
import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute

from config.crew import crew_for
from modules.dashboard.guard import OPEN
from modules.dashboard.login import Login
from modules.dashboard.pages import PAGES
from modules.dashboard.pages.every import builders
from modules.dashboard.pages.sources import Sources
from modules.dashboard.service import handle, serve
from modules.dashboard.sessions import OWNER, digest
from modules.supervision.messages import Message
from modules.supervision.service import ServiceRun
from tests.dashboard.asgi import HOST, LOOKING, PASSWORD, Browser, parts_of
from tests.telegram.house import House
from utils.logs import setup_logging, tail
from utils.paths import PROJECT
from utils.patient_http import PatientHttp

ROOM = PROJECT / "modules" / "dashboard"
SAMPLES = {"question": "0" * 32, "name": "app.css", "kind": "etf"}
BODIES: dict[str, Any] = {"/api/ask": {"line": "/startbot"}, "/logout": {}, "/login": {"password": PASSWORD},
                          "/login/link": {"token": "x"}}


def routes(house: House) -> list[tuple[str, str]]:
    """(method, path) of every route there is, pages of the future included."""
    app: Any = parts_of(house).guard.app
    found = [(method, re.sub(r"\{(\w+)(?::path)?\}", lambda name: SAMPLES.get(name[1], "x"), route.path))
             for route in app.routes if isinstance(route, APIRoute) for method in route.methods or ()]
    assert len(found) > len(PAGES) + 10
    return found


def snapshot(house: House) -> dict[str, bytes]:
    """Everything that is kept, but who asked and who is logged in."""
    return {str(path): path.read_bytes() for path in house.paths.home.rglob("*") if path.is_file()
            and "dashboard_audit" not in path.name and "dashboard_sessions" not in path.name}


# -- broken access control


async def test_no_route_answers_without_login(house: House) -> None:
    app, before = parts_of(house).app, snapshot(house)
    for method, path in routes(house):
        reply = await Browser(app).ask(method, path, BODIES.get(path, {}) if method == "POST" else None)
        assert path in OPEN or reply.status == 401, (method, path, reply.status)
    assert {"/health", "/login", "/login/link", "/login.css", "/login.js", "/icon.svg"} == OPEN
    assert snapshot(house) == before


async def test_a_viewer_can_do_nothing_on_any_route(house: House) -> None:
    viewer = await Browser(parts_of(house).app).log_in(LOOKING)
    before = snapshot(house)
    for method, path in routes(house):
        if method != "GET" and path not in ("/login", "/login/link", "/logout"):
            reply = await viewer.ask(method, path, BODIES.get(path, {}))
            assert reply.status == 403, (method, path, reply.status)
    assert snapshot(house) == before


async def test_no_act_without_the_token_of_the_page_or_from_a_foreign_one(house: House) -> None:
    owner = await Browser(parts_of(house).app).log_in()
    before = snapshot(house)
    for method, path in routes(house):
        if method == "GET":
            continue
        for headers in ({"x_csrf": ""}, {"x_csrf": "guess"}, {"x_csrf": "ü"}, {"origin": ""}, {"origin": "null"},
                        {"origin": "https://evil.example"}, {"origin": f"http://{HOST}.evil.example"}):
            if path in OPEN and "x_csrf" in headers:  # there is no session yet whose token it could be
                continue
            reply = await owner.ask(method, path, BODIES.get(path, {}), **headers)
            assert reply.status == 403, (method, path, headers, reply.status)
    assert snapshot(house) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "HEAD", "get", "BREW"])
async def test_other_methods_open_nothing(house: House, method: str) -> None:
    browser, owner = Browser(parts_of(house).app), await Browser(parts_of(house).app).log_in()
    for path in ("/overview", "/api/ask", "/api/me", "/metrics", "/login", "/static/app.css"):
        assert (await browser.ask(method, path)).status in (401, 403, 405), path
        assert (await owner.ask(method, path)).status in (403, 405), path


@pytest.mark.parametrize("path", ["/LOGIN", "/login/../api/me", "/login%2f..%2fapi%2fme", "/health/../overview",
                                  "/health;x", "/./overview", "\\overview", "/login\x00",
                                  "/login.css/../../service.py", "*", ""])
async def test_paths_beside_the_open_ones_are_closed(house: House, path: str) -> None:
    assert (await Browser(parts_of(house).app).ask("GET", path)).status == 401


async def test_somebody_elses_answer_is_not_read(house: House) -> None:
    parts = parts_of(house)
    owner, other = await Browser(parts.app).log_in(), await Browser(parts.app).log_in()
    asked = asyncio.create_task(owner.ask("POST", "/api/ask", {"line": "/balance"}))
    async with asyncio.timeout(60):
        while not parts.actions._waiting:
            await asyncio.sleep(0)
    [question] = parts.actions._waiting
    assert (await other.ask("GET", f"/api/answer/{question}")).status == 404
    parts.actions.answered({"question": question, "text": "10,000 USDT"})
    assert (await asked).json()["text"] == "10,000 USDT"


# -- sessions, cookies, links


async def test_a_planted_session_is_not_taken_and_one_browser_has_one(house: House) -> None:
    parts = parts_of(house)
    browser = Browser(parts.app)
    browser.cookie = planted = "coxswain_session=planted-by-somebody"
    await browser.log_in()
    assert browser.cookie != planted
    first = Browser(parts.app)
    first.cookie, first.csrf = browser.cookie, browser.csrf
    again = await browser.ask("POST", "/login", {"password": PASSWORD})
    assert again.status == 200 and browser.cookie != first.cookie
    assert (await first.ask("GET", "/api/me")).status == 401, "the login before it has ended"
    assert (await browser.ask("GET", "/api/me")).status == 200


async def test_the_cookie_behind_tls_is_bound_to_its_host(tmp_path: Path) -> None:
    house = House(tmp_path, DASHBOARD_PUBLIC_URL="https://bot.example.org")
    browser = Browser(parts_of(house).app)
    secure = {"host": "bot.example.org", "origin": "https://bot.example.org"}
    reply = await browser.ask("POST", "/login", {"password": PASSWORD}, **secure)
    told = reply.headers["set-cookie"].lower()
    assert told.startswith("__host-coxswain_session=") and "; path=/" in told and "domain" not in told
    assert all(word in told for word in ("; secure", "; httponly", "; samesite=lax"))
    assert (await browser.ask("GET", "/api/me", **secure)).status == 200
    value = browser.cookie.split("=")[1]
    plain = f"coxswain_session={value}"
    assert (await browser.ask("GET", "/api/me", cookie=plain, host="bot.example.org")).status == 401


async def test_a_new_password_ends_every_login_also_those_by_links(house: House) -> None:
    parts = parts_of(house)
    by_password = await Browser(parts.app).log_in()
    parts.sessions.expect(digest("tok"), OWNER, "Ann", 2**60)
    parts.sessions.expect(digest("unused"), OWNER, "Ann", 2**60)
    by_link = Browser(parts.app)
    assert (await by_link.ask("POST", "/login/link", {"token": "tok"})).status == 200
    run = ServiceRun("dashboard", house.paths, 1.0)
    await handle(run, parts, Message("1", "password", {}, "bot", 0))
    assert [(await one.ask("GET", "/api/me")).status for one in (by_password, by_link)] == [401, 401]
    assert (await by_link.ask("POST", "/login/link", {"token": "unused"})).status == 401


@pytest.mark.parametrize("cookie", ["coxswain_session=", "coxswain_session", "=;=;", "coxswain_session=\"\\",
                                    "x" * 8000, "coxswain_session=a; coxswain_session=b", "\xff\xfe=\x01"],
                         ids=["empty", "name", "signs", "quote", "long", "twice", "bytes"])
async def test_cookies_that_are_none(house: House, cookie: str) -> None:
    parts = parts_of(house)
    status: list[int] = []

    async def send(message: Any) -> None:
        status.append(message.get("status", 0))

    scope = {"type": "http", "method": "GET", "path": "/api/me", "client": ("127.0.0.1", 1),
             "headers": [(b"host", HOST.encode()), (b"cookie", cookie.encode("latin-1"))]}
    await parts.app(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert status[0] == 401


# -- injection, files, words


def hostile_pages() -> list[tuple[str, str, str]]:
    """Every argument that any page reads, with words that mean something elsewhere."""
    names = {name for path in (ROOM / "pages").glob("*.py")
             for name in re.findall(r'arguments(?:\.get\(|\[)"(\w+)"', path.read_text("utf-8"))}
    assert names >= {"service", "words", "symbol", "user"}
    words = ["../../../etc/passwd", "..\\..\\config\\.env", "/etc/passwd", "bot\x00", "' OR 1=1 --",
             "\"; DROP TABLE users; --", "%27", "${7*7}", "{{7*7}}", "(a+)+$", "\u202e", "x" * 100]
    return [(page, name, word) for page in PAGES for name in sorted(names) for word in words]


async def test_hostile_arguments_lead_no_page_anywhere(house: House) -> None:
    (house.paths.config / ".env").write_text("EXCHANGE_API_SECRET=do-not-show-this\n")
    sources = Sources(house.paths, house.settings, crew_for(house.settings))
    pages = builders(sources, dict)
    for page in PAGES:
        pages[page]({})
    before = snapshot(house)
    for page, name, word in hostile_pages():
        shown = json.dumps(pages[page]({name: word}), default=str)
        assert "do-not-show-this" not in shown and "root:" not in shown, (page, name, word)
    assert snapshot(house) == before


def test_the_dashboard_asks_nobody_anything() -> None:
    """No SSRF: nothing here connects to an address; candles come by the gateway, from the exchange of the settings."""
    clients = {"httpx", "aiohttp", "requests", "urllib.request", "http.client", "ccxt", "websockets", "ftplib",
               "smtplib"}
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else \
                [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not clients.intersection(names), (path, names)


def test_no_script_of_ours_makes_markup_of_words() -> None:
    """Words become text nodes (dom.js); nothing in the pages writes HTML, evaluates text, or leaves the machine."""
    never = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|"
                       r"setTimeout\(\s*[\"'`]|https?://(?!www\.w3\.org/2000/svg)|javascript:")
    for path in [*(ROOM / "static" / "js").glob("*.js"), ROOM / "static" / "login.js"]:
        found = never.findall(re.sub(r"^\s*//.*$", "", path.read_text("utf-8"), flags=re.MULTILINE))
        assert not found, (path.name, found)


async def test_no_command_forges_a_line_of_a_log(house: House) -> None:
    import logging

    root = logging.getLogger()
    kept = list(root.handlers), root.level, logging.raiseExceptions
    for handler in kept[0]:
        root.removeHandler(handler)
    try:
        setup_logging(house.paths.logs, "dashboard")
        parts = parts_of(house)
        owner = await Browser(parts.app).log_in()
        line = "/why x\n2026-01-01T00:00:00.000Z CRITICAL bot: forged\r2026-01-01T00:00:00.000Z ERROR bot: forged"
        await parts.actions.ask(next(iter(parts.sessions._known.values())), "127.0.0.1", "line", line)
        assert owner.csrf and not [one for one in tail(house.paths, "dashboard", 100) if one.startswith("2026-01-01")]
    finally:
        for handler in list(root.handlers):
            root.removeHandler(handler)
            handler.close()
        for handler in kept[0]:
            root.addHandler(handler)
        root.setLevel(kept[1])
        logging.raiseExceptions = kept[2]


# -- redirects, headers, errors


@pytest.mark.parametrize("path", ["//evil.example", "//evil.example/..", "/overview/", "/https://evil.example",
                                  "/login?next=https://evil.example", "/\\evil.example"])
async def test_nobody_is_led_elsewhere(house: House, path: str) -> None:
    for browser in (Browser(parts_of(house).app), await Browser(parts_of(house).app).log_in()):
        reply = await browser.ask("GET", path, accept="text/html")
        assert reply.headers.get("location", "/login") == "/login", reply.headers


async def test_every_answer_has_the_headers_also_refusals_and_errors(house: House,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    parts = parts_of(house)
    owner, stranger = await Browser(parts.app).log_in(), Browser(parts.app)
    replies = [await stranger.ask("GET", "/overview"), await stranger.ask("GET", "/health", host="evil.example"),
               await owner.ask("GET", "/nothing"), await owner.ask("POST", "/api/ask", {"line": 5}),
               await owner.ask("DELETE", "/api/me"), await owner.ask("POST", "/api/ask", {}, content_length="9999999"),
               await stranger.ask("GET", "/login"), await owner.ask("GET", "/metrics")]

    async def broken(*_: Any) -> str:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(parts.actions, "ask", broken)
    failing = Browser(parts.app)
    failing.cookie, failing.csrf = owner.cookie, owner.csrf
    sent: list[Any] = []
    with pytest.raises(RuntimeError):  # for the server's log; the browser has its answer by then
        await _ask_raw(parts.app, failing, sent)
    assert sent[0]["status"] == 500 and b"secret inside" not in sent[1]["body"]
    heads = [reply.headers for reply in replies]
    heads.append({name.decode(): value.decode() for name, value in sent[0]["headers"]})
    for headers in heads:
        assert headers["x-frame-options"] == "DENY" and "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] in ("no-store", "no-cache") and "server" not in headers


async def _ask_raw(app: Any, browser: Browser, sent: list[Any]) -> None:
    body = b'{"line": "/ping"}'
    headers = {"host": HOST, "cookie": browser.cookie, "content-length": str(len(body)), "origin": f"http://{HOST}",
               "content-type": "application/json", "x-csrf": browser.csrf}
    scope = {"type": "http", "method": "POST", "path": "/api/ask", "raw_path": b"/api/ask", "query_string": b"",
             "headers": [(name.encode(), value.encode()) for name, value in headers.items()], "scheme": "http",
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "http_version": "1.1", "root_path": ""}

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)


# -- sockets, flooding


@pytest.mark.parametrize(("origin", "host"), [("", HOST), ("https://evil.example", HOST), ("null", HOST),
                                              (f"http://{HOST}", "evil.example"),
                                              ("http://evil.example", "evil.example")])
async def test_a_socket_of_a_foreign_page_is_not_opened(house: House, origin: str, host: str) -> None:
    parts = parts_of(house)
    owner = await Browser(parts.app).log_in()
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", host.encode()), (b"cookie", owner.cookie.encode()), (b"origin", origin.encode())]
    await parts.app({"type": "websocket", "path": "/live", "headers": [one for one in headers if one[1]],
                     "client": ("127.0.0.1", 1)}, asyncio.Event().wait, send)  # type: ignore[arg-type]
    assert [one["type"] for one in sent] == ["websocket.close"]


async def test_wrong_passwords_at_once_are_one_try(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tries side by side do not get round the wait: one is computed, the others are turned away."""
    counted: list[str] = []
    real = Login._role

    def role(self: Login, password: str) -> str | None:
        counted.append(password)
        return real(self, password)

    monkeypatch.setattr(Login, "_role", role)
    app = parts_of(house).app
    tries = (Browser(app).ask("POST", "/login", {"password": f"wrong wrong {number}"}) for number in range(20))
    replies = await asyncio.gather(*tries)
    assert sorted(reply.status for reply in replies) == [401] + [429] * 19 and len(counted) == 1


async def test_the_running_service_cuts_off_who_sends_drop_by_drop(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PatientHttp, "request_s", 0.2)
    house = House(tmp_path, DASHBOARD_PORT="0", DASHBOARD_PASSWORD=PASSWORD)
    run = ServiceRun("dashboard", house.paths, 0.2)
    service = asyncio.create_task(serve(run, house.settings, crew_for(house.settings)))
    try:
        async with asyncio.timeout(60):
            while "port" not in run._info:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection("127.0.0.1", run._info["port"])
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            try:
                assert await reader.read(100) == b""
            except ConnectionError:
                pass
            writer.close()
    finally:
        run.stop.set()
        await asyncio.wait_for(service, 60)
