"""The API manager: which key serves, who rests for what, and what survives."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager, Lease, Tired
from modules.apikeys.health import KeyState
from modules.apikeys.keyring import KeyFile, parse
from modules.apikeys.outcome import DONE, Outcome, Verdict
from modules.apikeys.profiles import PROFILES
from modules.apikeys.settings import ApiKeySettings
from modules.apikeys.state import PAGE_SIZE
from utils.page import Page
from utils.paths import Paths
from utils.redact import masked

KEYS = "sk-first-key-1111,sk-second-key-2222,sk-third-key-3333"
DAY = 86_400_000
START = 1_700_000_000_000


class Clock:
    def __init__(self) -> None:
        self.ms = START

    def __call__(self) -> int:
        return self.ms

    def pass_s(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class House:
    """Managers over one installation, each as another process would open it."""

    def __init__(self, home: Path) -> None:
        self.paths, self.clock = Paths(home).prepare(), Clock()
        self.opened: list[ApiManager] = []

    def manager(self, limits: tuple[str, ...] = ("openai rpm=0", "gemini rpm=0 rpd=0"), **keys: str) -> ApiManager:
        chosen = {name: SecretStr(text) for name, text in (keys or {"openai": KEYS}).items()}
        settings = ApiKeySettings(limits=limits, **chosen)
        self.opened.append(ApiManager.open(settings, self.paths, self.clock))
        return self.opened[-1]

    def log(self) -> str:
        file = self.paths.logs / "api_rotation.log"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    for manager in made.opened:
        manager.close()


def taken(manager: ApiManager, provider: str = "openai", owner: str = "") -> Lease:
    found = manager.take(provider, owner)
    assert isinstance(found, Lease), found
    return found


def tired(manager: ApiManager, provider: str = "openai") -> Tired:
    found = manager.take(provider)
    assert isinstance(found, Tired), found
    return found


def test_one_key_serves_until_it_tires(house: House) -> None:
    manager = house.manager()
    first = taken(manager).key
    assert all(taken(manager).key == first for _ in range(50))


def test_no_key_is_a_clear_state(house: House) -> None:
    found = house.manager(gemini="g1-key-of-gemini").take("openai")
    assert found == Tired("openai", 0, "there is no key of openai")


@pytest.mark.parametrize("verdict, told_s, rests_s", [
    (Verdict.LIMITED, 7.0, 7.0),
    (Verdict.LIMITED, None, PROFILES["openai"].rest_s),
    (Verdict.REFUSED, None, 12 * 3600.0),
    (Verdict.FORBIDDEN, None, 3600.0),
])
def test_a_key_rests_as_long_as_it_is_told_and_the_next_serves(house: House, verdict: Verdict, told_s: float | None,
                                                               rests_s: float) -> None:
    manager = house.manager(openai="sk-first-key-1111,sk-second-key-2222")
    lease = taken(manager)
    manager.report(lease, Outcome(verdict, told_s, why="x"))
    other = taken(manager)
    assert other.key != lease.key
    manager.report(other, Outcome(Verdict.LIMITED, rests_s + 100, why="x"))
    house.clock.pass_s(rests_s - 0.01)
    assert abs(tired(manager).until_ms - (START + rests_s * 1000)) <= 1
    house.clock.pass_s(0.02)
    assert taken(manager).key == lease.key


def test_a_rest_grows_while_the_provider_says_no_time(house: House) -> None:
    manager = house.manager(openai="sk-first-key-1111")
    rests = []
    for _ in range(4):
        manager.report(taken(manager), Outcome(Verdict.LIMITED))
        rests.append((tired(manager).until_ms - house.clock.ms) / 1000)
        house.clock.ms = tired(manager).until_ms
    assert [round(rest) for rest in rests] == [20, 40, 80, 160]
    manager.report(taken(manager), DONE)
    manager.report(taken(manager), Outcome(Verdict.LIMITED))
    assert round((tired(manager).until_ms - house.clock.ms) / 1000) == 20


def test_keys_of_one_quota_owner_rest_together(house: House) -> None:
    manager = house.manager(gemini="a=gemini-key-one-1,a=gemini-key-two-2,b=gemini-key-three")
    first = taken(manager, "gemini")
    manager.report(first, Outcome(Verdict.LIMITED, 30.0))
    assert taken(manager, "gemini").key.owner == "b"  # X33


def test_a_refused_key_leaves_its_owner_the_others(house: House) -> None:
    manager = house.manager(gemini="a=gemini-key-one-1,a=gemini-key-two-2")
    first = taken(manager, "gemini")
    manager.report(first, Outcome(Verdict.REFUSED))
    second = taken(manager, "gemini")
    assert second.key != first.key and second.key.owner == "a"


def test_an_address_that_is_limited_rests_all_keys_of_an_exchange(house: House) -> None:
    manager = house.manager(binance="a=key-one-of-bin:secret-one,b=key-two-of-bin:secret-two")
    manager.report(taken(manager, "binance"), Outcome(Verdict.LIMITED, 9.0))
    assert tired(manager, "binance").until_ms == pytest.approx(START + 9_000, abs=2)  # X33: weight is the address's


def test_a_named_owner_never_gets_another_owners_key(house: House) -> None:
    manager = house.manager(binance="a=key-one-of-bin:secret-one,b=key-two-of-bin:secret-two")
    manager.report(taken(manager, "binance", "a"), Outcome(Verdict.REFUSED))
    assert isinstance(manager.take("binance", "a"), Tired)
    assert taken(manager, "binance", "b").key.owner == "b"


def test_a_failing_provider_rests_as_a_whole_and_shortly(house: House) -> None:
    manager = house.manager()
    lease = taken(manager)
    manager.report(lease, Outcome(Verdict.FAILED))
    assert taken(manager).key == lease.key  # one failure says little
    manager.report(lease, Outcome(Verdict.FAILED))
    assert tired(manager).until_ms == pytest.approx(START + 1_000, abs=2)
    house.clock.pass_s(1.1)
    assert taken(manager).key == lease.key


def test_a_spent_quota_rests_until_the_providers_midnight(house: House) -> None:
    manager = house.manager(gemini="a=gemini-key-one-1")
    manager.report(taken(manager, "gemini"), Outcome(Verdict.EXHAUSTED))
    until = tired(manager, "gemini").until_ms
    assert 0 < until - START <= DAY and (until - 1) % DAY == 8 * 3_600_000  # midnight in California, winter
    assert manager.health()[0].state is KeyState.EXHAUSTED


def test_header_budgets_are_honoured_before_the_refusal(house: House) -> None:
    manager = house.manager(openai="sk-first-key-1111")
    manager.report(taken(manager), Outcome(Verdict.OK, left=2.0, reset_s=30.0))
    taken(manager)
    taken(manager)
    assert tired(manager).until_ms == pytest.approx(START + 30_000, abs=2)
    house.clock.pass_s(30.1)
    taken(manager)


def test_own_limits_a_minute_hold_in_every_minute(house: House) -> None:
    manager = house.manager(limits=("openai rpm=20",), openai="sk-first-key-1111")
    calls = []
    for _ in range(4_000):
        if isinstance(manager.take("openai"), Lease):
            calls.append(house.clock.ms)
        house.clock.pass_s(0.1)
    assert len(calls) > 100
    assert max(sum(at <= other < at + 60_000 for other in calls) for at in calls) <= 20


@pytest.mark.parametrize("limit, cost", [("rpd=3", DONE), ("tpd=30", Outcome(Verdict.OK, tokens=10)),
                                         ("usd=0.3", Outcome(Verdict.OK, cost_usd=0.1001))])
def test_own_limits_a_day_exhaust_and_begin_anew(house: House, limit: str, cost: Outcome) -> None:
    manager = house.manager(limits=("openai rpm=0 " + limit,), openai="sk-first-key-1111")
    for _ in range(3):
        manager.report(taken(manager), cost)
    assert tired(manager).why == "quota spent"
    house.clock.ms = tired(manager).until_ms
    taken(manager)


def test_state_survives_a_restart_and_is_shared(house: House) -> None:
    one, two = house.manager(), house.manager()
    lease = taken(one)
    one.report(lease, Outcome(Verdict.LIMITED, 60.0))
    assert taken(two).key != lease.key
    one.close()
    assert taken(house.manager()).key != lease.key


def test_a_report_that_finds_the_page_held_is_written_before_the_next_key(house: House) -> None:
    manager, other = house.manager(), house.manager()
    lease = taken(manager)
    with other._page.held():
        manager.report(lease, Outcome(Verdict.LIMITED, 60.0))
        assert isinstance(manager.take("openai"), Tired)
    assert taken(manager).key != lease.key


def test_a_replaced_key_begins_anew(house: House) -> None:
    manager = house.manager(openai="main=sk-first-key-1111")
    manager.report(taken(manager), Outcome(Verdict.REFUSED))
    assert isinstance(manager.take("openai"), Tired)
    assert taken(house.manager(openai="main=sk-other-key-9999")).key.owner == "main"


def test_the_log_tells_every_switch_and_no_key(house: House) -> None:
    manager = house.manager()
    for number in range(3):
        manager.report(taken(manager), Outcome(Verdict.LIMITED, 10.0 + number, why="HTTP 429"))
    tired(manager)
    house.clock.pass_s(11)
    taken(manager)
    text = house.log()
    assert text.count("from key") == 3 and "no key may serve until" in text and "serves again" in text
    assert masked("sk-first-key-1111") in text
    twin = (house.paths.logs / "api_rotation.jsonl").read_text()
    assert not any(key in text + twin for key in KEYS.split(","))


def test_the_log_turns_when_it_is_full(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.apikeys.rotation_log.MAX_BYTES", 5_000)
    manager, other = house.manager(openai="sk-first-key-1111"), house.manager(openai="sk-first-key-1111")
    for number in range(400):
        (manager, other)[number % 2].report(taken(manager), Outcome(Verdict.LIMITED, 1.0, why="HTTP 429"))
        house.clock.pass_s(2)
    files = sorted(each.name for each in house.paths.logs.glob("api_rotation.log*"))
    assert files[0] == "api_rotation.log" and 2 <= len(files) <= 4
    assert all(each.stat().st_size < 20_000 for each in house.paths.logs.glob("api_rotation.*"))


def test_keys_of_the_encrypted_file_serve_after_those_of_the_environment(house: House) -> None:
    KeyFile(house.paths).add("openai", "file=sk-key-of-the-file")
    manager = house.manager(openai="env=sk-first-key-1111")
    assert [key.owner for key in manager.keys("openai")] == ["env", "file"]


def test_a_file_that_does_not_open_leaves_the_environments_keys(house: House) -> None:
    KeyFile(house.paths).add("openai", "file=sk-key-of-the-file")
    (house.paths.config / "vault.key").unlink()
    manager = house.manager(openai="env=sk-first-key-1111")
    assert taken(manager).key.owner == "env" and "apikeys.enc" in manager.problem


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(list(Verdict)), st.floats(0, 100), st.floats(0, 50)),
                max_size=60))
def test_a_resting_key_is_never_handed_out(steps: list[tuple[int, Verdict, float, float]]) -> None:
    clock, page = Clock(), Page(PAGE_SIZE)
    keys = {"openai": parse(PROFILES["openai"], "a=sk-first-key-1111,a=sk-second-key-2222,b=sk-third-key-3333")}
    managers = [ApiManager(keys, ApiKeySettings(limits=("openai rpm=0",)), page, None, clock) for _ in range(3)]
    rests: dict[str, float] = {}
    for who, verdict, rest_s, passed_s in steps:
        found = managers[who].take("openai")
        now = clock.ms
        if isinstance(found, Lease):
            assert all(now >= rests.get(name, 0) for name in (found.key.mark, found.key.owner, "openai"))
            managers[who].report(found, Outcome(verdict, rest_s))
            name = {Verdict.LIMITED: found.key.owner, Verdict.EXHAUSTED: found.key.owner,
                    Verdict.REFUSED: found.key.mark, Verdict.FORBIDDEN: found.key.mark,
                    Verdict.FAILED: "openai"}.get(verdict)
            if name:
                rests[name] = max(rests.get(name, 0), now + int(rest_s * 1000))
        else:
            assert found.until_ms > now
        clock.pass_s(passed_s)
