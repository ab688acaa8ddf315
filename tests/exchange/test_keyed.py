"""Several keys of one account: the refused one rests, no order is sent twice, nothing is held back."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.settings import ApiKeySettings
from modules.exchange.types import Accepted, Denied, OrderRequest, OrderType, Refused, Side
from modules.exchange.venue_mexc import MexcAccount
from tests.exchange.fake_venue import FakeVenue, Reply, linked
from utils.paths import Paths

KEYS = "account=second-key-22:second-secret,other=foreign-key-3:foreign-secret"
BUY = OrderRequest("X1", "PEPEUSDT", Side.BUY, OrderType.LIMIT, quantity=Decimal(10), price=Decimal(1))
REFUSED = Reply({"code": 10072, "msg": "Api key info invalid"}, status=400)


@pytest.fixture
def manager(tmp_path: Path) -> ApiManager:
    return ApiManager.open(ApiKeySettings(mexc=SecretStr(KEYS)), Paths(tmp_path).prepare())


@pytest.fixture
async def account(venue: FakeVenue, manager: ApiManager) -> AsyncIterator[MexcAccount]:
    link = await linked(venue, timeout_s=30.0)
    yield MexcAccount(link, "first-key-111", "first-secret", manager)
    await link.close()
    manager.close()


def keys_of(venue: FakeVenue) -> list[str]:
    return [headers["X-MEXC-APIKEY"] for headers in venue.headers if "X-MEXC-APIKEY" in headers]


def refuses(venue: FakeVenue, method: str, path: str, keys: set[str], body: object) -> None:
    async def answer(request: web.Request) -> Reply:
        return REFUSED if request.headers["X-MEXC-APIKEY"] in keys else Reply(body)

    venue.answers[(method, path)] = answer


BALANCES = {"canTrade": True, "canWithdraw": False, "balances": [{"asset": "USDT", "free": "5", "locked": "0"}]}


async def test_a_query_goes_on_with_the_next_key_and_stays_there(venue: FakeVenue, account: MexcAccount) -> None:
    refuses(venue, "GET", "account", {"first-key-111"}, BALANCES)
    for _ in range(3):
        assert (await account.balances())["USDT"].free == 5
    assert keys_of(venue) == ["first-key-111", "second-key-22", "second-key-22", "second-key-22"]


async def test_an_order_is_never_sent_twice(venue: FakeVenue, account: MexcAccount) -> None:
    refuses(venue, "POST", "order", {"first-key-111"}, {"symbol": "PEPEUSDT", "orderId": "7"})
    assert isinstance(await account.place(BUY), Refused)
    assert venue.count("POST", "order") == 1
    assert isinstance(await account.place(BUY), Accepted)
    assert keys_of(venue) == ["first-key-111", "second-key-22"]


async def test_a_key_of_another_account_never_signs_and_the_last_resort_is_the_first(venue: FakeVenue,
                                                                                   account: MexcAccount) -> None:
    refuses(venue, "GET", "account", {"first-key-111", "second-key-22"}, BALANCES)
    for _ in range(3):
        with pytest.raises(Denied):
            await account.balances()
    assert "foreign-key-3" not in keys_of(venue) and keys_of(venue)[-1] == "first-key-111"


async def test_too_many_requests_rest_no_key(venue: FakeVenue, account: MexcAccount, manager: ApiManager) -> None:
    venue.set("POST", "order", {"code": 429, "msg": "slow down"}, status=429, headers={"Retry-After": "0"})
    await account.place(BUY)
    assert all(row.rest_s == 0 for row in manager.health())
