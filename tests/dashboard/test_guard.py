"""The door: nothing without login but /health and the login page; foreign pages and names get nothing; headers."""

import re

import pytest

from modules.dashboard.files import STATIC
from tests.dashboard.asgi import LOOKING, PASSWORD, Browser, parts_of
from tests.telegram.house import House
from tests.telegram.house import telegram as _telegram

CLOSED = ["/", "/overview", "/signals", "/logs", "/system", "/hype", "/static/app.css", "/static/js/main.js", "/api/me",
          "/api/answer/x", "/static/../service.py", "/docs", "/openapi.json", "/login/", "/health/", "//health"]


@pytest.mark.parametrize("path", CLOSED)
async def test_nothing_without_login(house: House, path: str) -> None:
    reply = await Browser(parts_of(house).app).ask("GET", path)
    assert reply.status == 401 and reply.text == "Log in first."


@pytest.mark.parametrize("path", ["/api/ask", "/logout", "/health", "/nothing"])
async def test_nothing_is_done_without_login(house: House, path: str) -> None:
    reply = await Browser(parts_of(house).app).ask("POST", path, {"line": "/startbot"})
    assert reply.status in (401, 405)
    assert not list((house.paths.inbox / "bot").glob("[0-9]*"))


async def test_health_and_login_page_are_open_and_say_nothing_more(house: House) -> None:
    browser = Browser(parts_of(house).app)
    assert (await browser.ask("GET", "/health")).json() == {"status": "ok"}
    page = await browser.ask("GET", "/login")
    assert page.status == 200 and "TEST" not in page.text
    for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert (await browser.ask("GET", path)).status == 200, path


async def test_a_person_is_led_to_the_login_page(house: House) -> None:
    reply = await Browser(parts_of(house).app).ask("GET", "/overview", accept="text/html")
    assert reply.status == 303 and reply.headers["location"] == "/login"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "bot.example.org@evil.example"])
async def test_a_foreign_name_is_not_served(house: House, host: str) -> None:
    assert (await Browser(parts_of(house).app).ask("GET", "/health", host=host or "x")).status == 421


async def test_a_foreign_page_can_do_nothing(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    wish = {"line": "/startbot"}
    for headers in ({"origin": "https://evil.example"}, {"origin": ""}, {"origin": "null"}, {"x_csrf": ""},
                    {"x_csrf": "guess"}):
        assert (await browser.ask("POST", "/api/ask", wish, **headers)).status == 403
    foreign = Browser(browser.app)
    login = await foreign.ask("POST", "/login", {"password": PASSWORD}, origin="https://evil.example")
    assert login.status == 403
    assert not list((house.paths.inbox / "bot").glob("[0-9]*"))


async def test_a_viewer_may_not_act(house: House) -> None:
    viewer = await Browser(parts_of(house).app).log_in(LOOKING)
    reply = await viewer.ask("POST", "/api/ask", {"line": "/startbot"})
    assert reply.status == 403 and "owner" in reply.text
    assert not list((house.paths.inbox / "bot").glob("[0-9]*"))


async def test_every_answer_carries_the_headers(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    for path in ("/overview", "/static/js/main.js", "/api/me", "/nothing", "/health"):
        headers = (await browser.ask("GET", path)).headers
        assert "script-src 'self';" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert "unsafe-eval" not in headers["content-security-policy"]


@pytest.mark.parametrize("name", ["../service.py", "..%2fservice.py", "js/../../service.py", "js", "",
                                  "vendor/nothing"])
async def test_files_beside_the_pages_are_not_given(house: House, name: str) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    assert (await browser.ask("GET", f"/static/{name}")).status == 404


@pytest.mark.parametrize("body", [[], {"line": 5}, {"line": "x" * 5000}, {"other": "x"}, "text", {"line": "  "}, None])
async def test_bodies_that_make_no_sense(house: House, body: object) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    assert (await browser.ask("POST", "/api/ask", body)).status == 422


async def test_too_large_and_too_many(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    assert (await browser.ask("POST", "/api/ask", {"line": "x"}, content_length="9999999")).status == 413
    assert (await browser.ask("POST", "/api/ask", {"line": "x"}, content_length="-1")).status == 413
    assert (await browser.ask("POST", "/api/ask", {"line": "x"}, transfer_encoding="chunked")).status == 413
    found = [(await browser.ask("GET", "/api/me")).status for _ in range(150)]
    assert 429 in found
    assert (await Browser(browser.app, "10.0.0.9").ask("GET", "/health")).status == 200


def test_pages_name_no_other_server_and_hold_no_inline_script() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in (".html", ".css", ".js", ".svg"):
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
            assert not re.search(r"https?://(?!\$)", text), path.name
            assert not re.search(r"<script(?![^>]*src=)|\son\w+=\"|innerHTML|eval\(|outerHTML", text), path.name


def test_the_dashboard_is_no_telegram_user(house: House) -> None:
    from modules.telegram.command import Role, Sender

    assert house.gate.role(Sender("owner:abc", "dashboard")) is Role.OWNER
    assert house.gate.role(Sender("viewer:abc", "dashboard")) is Role.VIEWER
    assert house.gate.role(Sender("", "dashboard")) is Role.VIEWER
    assert house.gate.role(_telegram(999)) is None
