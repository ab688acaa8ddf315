"""The manager against servers with quotas: nothing stops while one key works, and no call comes on a resting key."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager, Lease, Tired
from modules.apikeys.outcome import outcome
from modules.apikeys.profiles import PROFILES
from modules.apikeys.settings import ApiKeySettings
from tests.apikeys.loopback import Providers, Quota
from utils.chat_endpoint import ChatProblem, Endpoint, chat
from utils.paths import Paths

OPENAI = PROFILES["openai"]
OWNERS = {f"sk-key-number-{n}-{n}{n}{n}": f"o{n // 2}" for n in range(6)}  # two keys an owner
TEXT = ",".join(f"{owner}={key}" for key, owner in OWNERS.items())


class Clock:
    ms = 1_795_240_000_000

    def __call__(self) -> int:
        return self.ms


def opened(home: Path, clock: Clock, *limits: str) -> ApiManager:
    settings = ApiKeySettings(openai=SecretStr(TEXT), limits=limits)
    return ApiManager.open(settings, Paths(home).prepare(), clock)


def test_a_day_with_quotas_that_run_out_in_turn(tmp_path: Path) -> None:
    """8,000 calls over two managers: what is limited rests, the others serve, no key is asked early."""
    clock, draw = Clock(), random.Random(7)
    loopback = Providers(clock, dict(OWNERS), {"o0": Quota(rpm=20), "o1": Quota(rpm=8), "o2": Quota(rpm=30)})
    managers = [opened(tmp_path, clock, "openai rpm=0") for _ in range(2)]
    served, waits = 0, []
    for _ in range(8_000):
        manager = draw.choice(managers)
        lease = manager.take("openai")
        if isinstance(lease, Tired):
            waits.append(lease.until_ms - clock.ms)
            clock.ms = lease.until_ms
            continue
        status, headers = loopback.admit(lease.key.secret)
        told = float(headers["Retry-After"]) if "Retry-After" in headers else None
        manager.report(lease, outcome(OPENAI, status, headers, clock.ms, retry_after_s=told))
        served += status == 200
        clock.ms += draw.randrange(0, 4_000)
    assert not loopback.violations
    assert served > 5_000 and len(waits) < 2_000 and max(waits, default=0) <= 61_000
    assert {OWNERS[key] for key in loopback.asked} == {"o0", "o1", "o2"}
    for manager in managers:
        manager.close()


def test_limits_of_our_own_keep_a_server_from_ever_refusing(tmp_path: Path) -> None:
    clock = Clock()
    loopback = Providers(clock, dict(OWNERS), {f"o{n}": Quota(rpm=10) for n in range(3)})
    manager = opened(tmp_path, clock, "openai rpm=10")
    for _ in range(2_000):
        lease = manager.take("openai")
        if isinstance(lease, Lease):
            status, headers = loopback.admit(lease.key.secret)
            assert status == 200
            manager.report(lease, outcome(OPENAI, status, {}, clock.ms))
        clock.ms += 700
    manager.close()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Providers, Clock, str]]:
    clock = Clock()
    loopback = Providers(clock, dict(OWNERS), {"o0": Quota(rpm=3), "o1": Quota(rpm=5), "o2": Quota(rpm=7)})
    made = TestServer(loopback.app())
    await made.start_server()
    yield loopback, clock, str(made.make_url("/v1"))
    await made.close()


async def test_over_http_bad_days_come_and_go(server: tuple[Providers, Clock, str], tmp_path: Path) -> None:
    """Refusals, outages, garbage and limits by turns; each ends, the manager goes on, no call on a resting key."""
    loopback, clock, url = server
    manager = opened(tmp_path, clock, "openai rpm=0")
    good, moods = 0, ["good", "down", "good", "garbage", "good"]
    async with httpx.AsyncClient() as client:
        for number in range(300):
            loopback.mood = moods[number // 60]
            loopback.refused = {next(iter(OWNERS))} if number > 100 else set()
            lease = manager.take("openai")
            if isinstance(lease, Tired):
                clock.ms = lease.until_ms
                continue
            endpoint = Endpoint("openai", "m", url, lease.key.secret, timeout_s=60.0)
            try:
                answer = await chat(endpoint, [("system", ""), ("user", "[]")], client)
                found = outcome(OPENAI, 200 if answer.text[0] == "{" else 0, answer.headers, clock.ms)
                good += 1
            except ChatProblem as problem:
                found = outcome(OPENAI, problem.status, problem.headers, clock.ms,
                                retry_after_s=problem.retry_after_s, code=problem.code)
            manager.report(lease, found)
            clock.ms += 2_000
    manager.close()
    assert good > 80 and not loopback.violations
    first = next(iter(OWNERS))
    assert loopback.asked.count(first) < 150
