"""Who gets in: passwords, links, sessions; wrong ones are slowed; what is stored opens nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.dashboard.passwords import hashed, made_up, matches, owner_hash, renew
from modules.dashboard.sessions import OWNER, VIEWER, Sessions, digest
from modules.dashboard.settings import DashboardSettings
from modules.dashboard.throttle import LONGEST_S, Throttle
from tests.dashboard.asgi import HASHES, LOOKING, PASSWORD, Browser, parts_of
from tests.telegram.house import Clock, House
from utils.buckets import Buckets
from utils.paths import Paths

DAY_MS = 86_400_000


class Wall:
    """Milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_760_000_000_000

    def __call__(self) -> int:
        return self.now


def test_a_password_opens_its_own_hash_and_no_other() -> None:
    stored = hashed("some password")
    assert matches("some password", stored) and not matches("some passwore", stored)
    assert hashed("some password") != stored  # salted
    assert "some password" not in stored


@pytest.mark.parametrize("stored", ["", "scrypt:1:2", "scrypt:a:8:1:x:y", "scrypt:16384:8:1:!!:??", "plain text"])
def test_a_hash_that_cannot_be_read_opens_nothing(stored: str) -> None:
    assert not matches("", stored) and not matches("plain text", stored)


def test_the_first_start_makes_a_password_and_tells_it_once(tmp_path: Path) -> None:
    stored, made = owner_hash("", tmp_path)
    assert matches(made, stored)
    assert owner_hash("", tmp_path) == (stored, "")
    assert made not in (tmp_path / "dashboard_login.json").read_text()
    other, again = renew(tmp_path)
    assert made != again and owner_hash("", tmp_path) == (other, "")


def test_a_set_password_counts_as_it_is_or_as_its_hash(tmp_path: Path) -> None:
    assert matches("long enough", owner_hash("long enough", tmp_path)[0])
    stored = hashed("long enough")
    assert owner_hash(stored, tmp_path) == (stored, "")
    assert not (tmp_path / "dashboard_login.json").exists()
    assert len({made_up() for _ in range(50)}) == 50


def test_short_passwords_and_addresses_with_a_path_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter than 10"):
        DashboardSettings.model_validate({"password": "short"})
    with pytest.raises(ValueError, match=r"https://bot\.example\.org"):
        DashboardSettings.model_validate({"public_url": "https://bot.example.org/x"})
    assert DashboardSettings.model_validate({"public_url": "https://bot.example.org/"}).public_url.endswith("org")


def test_sessions_outlive_the_process_and_end_by_age_logout_and_password(tmp_path: Path) -> None:
    paths, wall = Paths(tmp_path).prepare(), Wall()
    sessions = Sessions(paths, 7, wall)
    token, first = sessions.open(OWNER, "password", "seal one")
    other, second = sessions.open(VIEWER, "Ann")
    assert token not in (paths.run / "dashboard_sessions.json").read_text()
    again = Sessions(paths, 7, wall)
    assert again.find(token) == first and again.find("guess") is None and again.find("") is None
    again.keep_only({"seal two"})
    assert again.find(token) is None and again.find(other) == second
    again.close(second)
    assert again.find(other) is None and not again.still(second)
    token, third = again.open(OWNER, "password", "s")
    wall.now += 7 * DAY_MS
    assert again.find(token) is None and not again.still(third)


def test_a_link_works_once_and_not_for_long(tmp_path: Path) -> None:
    wall = Wall()
    sessions = Sessions(Paths(tmp_path).prepare(), 7, wall)
    sessions.expect(digest("abc"), OWNER, "Ann", wall.now + 1000)
    link = sessions.use("abc")
    assert link is not None and link.role == OWNER
    assert sessions.use("abc") is None
    sessions.expect(digest("late"), OWNER, "Ann", wall.now + 1000)
    wall.now += 1000
    assert sessions.use("late") is None
    sessions.expect(digest("old"), OWNER, "Ann", wall.now)
    assert sessions.use("old") is None


def test_each_wrong_password_waits_longer_and_a_right_one_forgives() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(8):
        waits.append(throttle.wrong("a"))
        clock.now += throttle.wait_s("a")
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60] and throttle.wait_s("b") == 0
    throttle.right("a")
    assert throttle.wrong("a") == 1


def test_many_addresses_together_are_slowed_too() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for number in range(30):
        throttle.wrong(f"address {number}")
    assert 0 < throttle.wait_s("a new one") <= LONGEST_S
    clock.now += 61
    assert throttle.wait_s("a new one") == 0


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_bucket_never_gives_more_than_burst_and_rate(pauses: list[float]) -> None:
    clock = Clock()
    buckets = Buckets(2.0, 5.0, clock)
    begun, given_ = clock.now, 0
    for pause in pauses:
        clock.now += pause
        given_ += buckets.take("x")
    assert given_ <= 5 + 2 * (clock.now - begun) + 1e-6


async def test_password_login_gives_the_role(house: House) -> None:
    parts = parts_of(house)
    owner, viewer = await Browser(parts.app).log_in(), await Browser(parts.app).log_in(LOOKING)
    assert (await owner.ask("GET", "/api/me")).json()["role"] == OWNER
    assert (await viewer.ask("GET", "/api/me")).json()["role"] == VIEWER
    assert (await owner.ask("POST", "/logout")).status == 204
    assert (await owner.ask("GET", "/api/me")).status == 401


async def test_the_cookie_is_no_scripts_and_travels_by_tls_where_there_is_tls(tmp_path: Path) -> None:
    plain = await Browser(parts_of(House(tmp_path)).app).ask("POST", "/login", {"password": PASSWORD})
    assert "HttpOnly" in plain.headers["set-cookie"] and "samesite=lax" in plain.headers["set-cookie"].lower()
    parts = parts_of(House(tmp_path, DASHBOARD_PUBLIC_URL="https://bot.example.org"))
    secure = await Browser(parts.app).ask("POST", "/login", {"password": PASSWORD}, host="bot.example.org",
                                          origin="https://bot.example.org")
    assert secure.status == 200 and "secure" in secure.headers["set-cookie"].lower()
    assert "strict-transport-security" in secure.headers


async def test_wrong_passwords_are_slowed_and_audited_and_links_still_work(house: House) -> None:
    parts = parts_of(house)
    browser = Browser(parts.app)
    first = await browser.ask("POST", "/login", {"password": "wrong wrong"})
    assert first.status == 401 and first.headers["retry-after"] == "1"
    assert (await browser.ask("POST", "/login", {"password": PASSWORD})).status == 429  # too soon, right or not
    audit = (house.paths.data / "dashboard_audit.json").read_text()
    assert '"wrong"' in audit and "wrong wrong" not in audit
    parts.sessions.expect(digest("tok"), OWNER, "Ann", 2**60)
    assert (await browser.ask("POST", "/login/link", {"token": "tok"})).status == 200
    assert (await Browser(parts.app).ask("POST", "/login/link", {"token": "tok"})).status == 401


async def test_another_password_ends_logins_of_the_old_one(house: House) -> None:
    browser = await Browser(parts_of(house).app).log_in()
    parts = parts_of(house, **{**HASHES, OWNER: hashed("another password")})
    browser.app = parts.app
    assert (await browser.ask("GET", "/api/me")).status == 401
