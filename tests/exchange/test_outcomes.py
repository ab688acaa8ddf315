"""What became of an order (X3, X4): by the venue's own code, never by ccxt's class, never sent twice."""

import asyncio
import logging
import socket
from decimal import Decimal

import pytest

from modules.exchange.classify import Answer, classify
from modules.exchange.codes import CodeTable, Kind
from modules.exchange.mexc_codes import MEXC
from modules.exchange.types import (
    Absent,
    Accepted,
    Failed,
    OrderRequest,
    OrderType,
    Refused,
    Side,
    Unavailable,
    Unknown,
)
from modules.exchange.venue_mexc import MexcAccount, order_params
from tests.exchange.fake_venue import START_MS, FakeVenue, Reply, linked

BUY = OrderRequest("cx-1", "PEPEUSDT", Side.BUY, OrderType.MARKET, quote_quantity=Decimal("50"))
SELL = OrderRequest("cx-2", "PEPEUSDT", Side.SELL, OrderType.MARKET, quantity=Decimal("1E+3"))
HTML = "<html>bad</html>"

# wire/errmap_loopback.txt, mexc: (HTTP status, body) and what we make of it.
WIRE = [
    (429, {"code": 429, "msg": "Too Many Requests"}, Refused, "429"),
    (418, {"code": -1003, "msg": "banned"}, Refused, "-1003"),
    (403, HTML, Unknown, ""),
    (500, "None", Unknown, ""),
    (502, HTML, Unknown, ""),
    (503, {"code": -1, "msg": "unknown"}, Unknown, ""),
    (200, "<html>maintenance</html>", Unknown, ""),
    (200, "", Unknown, ""),
    (200, '{"symbol":"PEPEUSDT","orderId":', Unknown, ""),
    (200, '[1,2', Unknown, ""),
    (200, "true", Unknown, ""),
    (200, {"symbol": "PEPEUSDT"}, Unknown, ""),
    (200, {"symbol": "DOGEUSDT", "orderId": "1"}, Unknown, ""),
    (200, {"symbol": "PEPEUSDT", "orderId": ""}, Unknown, ""),
    (200, {"symbol": "PEPEUSDT", "orderId": "C02__1"}, Accepted, "C02__1"),
    (400, {"code": 30004, "msg": "Insufficient position"}, Refused, "30004"),
    (400, {"code": 30005, "msg": "Oversold"}, Refused, "30005"),
    (400, {"code": 700003, "msg": "Timestamp"}, Refused, "700003"),
    (400, {"code": 700002, "msg": "Signature"}, Refused, "700002"),
    (400, {"code": 10072, "msg": "Api key info invalid"}, Refused, "10072"),
    (400, {"code": 700006, "msg": "IP"}, Refused, "700006"),
    (400, {"code": 30002, "msg": "minimum"}, Refused, "30002"),
    (400, {"code": 30003, "msg": "maximum"}, Refused, "30003"),
    (400, {"code": -2011, "msg": "Unknown order sent."}, Refused, "-2011"),
    (400, {"code": -2013, "msg": "Order does not exist."}, Refused, "-2013"),
    (400, {"code": 30016, "msg": "trading disabled"}, Refused, "30016"),
    (400, {"code": 30041, "msg": "type"}, Refused, "30041"),
    (400, {"code": 30051, "msg": "market"}, Refused, "30051"),
    (400, {"code": 429, "msg": "Too Many Requests"}, Refused, "429"),
    (400, {"code": -1121, "msg": "Invalid symbol."}, Refused, "-1121"),
    (400, {"code": 22222, "msg": "record does not exist"}, Refused, "22222"),
    (400, {"code": 10101, "msg": "funds"}, Refused, "10101"),
    (400, {"code": 987654, "msg": "never seen"}, Unknown, ""),  # X3: an unrecognised error is unknown
    (400, {"msg": "no code"}, Unknown, ""),
    (200, {"success": False, "code": 30016, "message": "trading disabled"}, Refused, "30016"),
    (500, {"code": 30004, "msg": "Insufficient position"}, Unknown, ""),  # X4: 5xx is unknown whatever it says
]


@pytest.mark.parametrize(("status", "body", "kind", "code"), WIRE)
async def test_every_answer_on_the_wire_is_one_outcome(
    venue: FakeVenue, status: int, body: object, kind: type, code: str
) -> None:
    venue.set("POST", "order", body, status=status)
    link = await linked(venue)
    try:
        outcome = await MexcAccount(link, "key-of-tests", "secret-of-tests").place(BUY)
    finally:
        await link.close()
    assert type(outcome) is kind
    if isinstance(outcome, Refused):
        assert outcome.code == code
    if isinstance(outcome, Accepted):
        assert outcome.order_id == code
    assert venue.count("POST", "order") == 1  # X4: sent once


OUTCOMES = {Kind.REFUSED: Refused, Kind.ABSENT: Refused, Kind.CLOCK: Refused, Kind.LIMITED: Refused,
            Kind.UNKNOWN: Unknown}


@pytest.mark.parametrize(("code", "kind"), sorted(MEXC.codes.items()))
@pytest.mark.parametrize("status", [200, 400, 403])
def test_every_listed_code(code: str, kind: Kind, status: int) -> None:
    """By the code alone, whether it comes as a number or as text, with an error's status or with success."""
    for body in (f'{{"code":{code},"msg":"x"}}', f'{{"code":"{code}","message":"x"}}'):
        found = classify(status, {}, body, MEXC)
        assert type(found) is OUTCOMES[kind]
        if isinstance(found, Refused):
            assert found.code == code and found.text == f"{MEXC.meaning(code)} (x)"


@pytest.mark.parametrize("code", sorted(MEXC.codes))
def test_a_server_error_is_unknown_whatever_it_says(code: str) -> None:
    assert isinstance(classify(503, {}, f'{{"code":{code},"msg":"x"}}', MEXC), Unknown)


def test_another_venue_is_one_table_more() -> None:
    """Bybit's form: other names, other success, a 403 for too many requests."""
    bybit = CodeTable("Bybit", {"110007": "not enough funds"}, {"110001": "no such order"}, {"10002": "time"},
                      {"10006": "too many requests"}, {"10016": "failed inside"}, success=frozenset({"0"}),
                      code_names=("retCode",), text_names=("retMsg",), limited_status=403)
    found = classify(200, {}, '{"retCode":110007,"retMsg":"ab not enough"}', bybit)
    assert isinstance(found, Refused) and found.code == "110007" and "not enough funds" in found.text
    assert isinstance(classify(200, {}, '{"retCode":0,"result":{}}', bybit), Answer)
    assert isinstance(classify(200, {}, '{"retCode":10016}', bybit), Unknown)
    assert isinstance(classify(200, {}, '{"retCode":77}', bybit), Unknown)
    assert classify(403, {"Retry-After": "3"}, "", bybit) == Refused("403", "code 403", 3.0)


def test_a_code_is_listed_once() -> None:
    with pytest.raises(ValueError, match="listed twice"):
        CodeTable("X", {"1": "a"}, {}, {}, {}, {"1": "b"}, success=frozenset({"0"}))
    with pytest.raises(ValueError, match="listed twice"):
        CodeTable("X", {"0": "a"}, {}, {}, {}, {}, success=frozenset({"0"}))
    assert MEXC.kind_of("-2013") is Kind.ABSENT and MEXC.kind_of("nobody listed this") is Kind.UNKNOWN


@pytest.mark.parametrize(("headers", "seconds"), [
    ({"Retry-After": "7"}, 7.0), ({"retry-after": "0.5"}, 0.5), ({"Retry-After": "soon"}, None),
    ({"Retry-After": "-1"}, None), ({"Retry-After": "nan"}, None), ({}, None),
])
def test_retry_after_is_told_where_it_can_be_read(headers: dict[str, str], seconds: float | None) -> None:
    found = classify(429, headers, "", MEXC)
    assert isinstance(found, Refused) and found.retry_after_s == seconds


@pytest.mark.parametrize("body", [
    "", "<html></html>", "null", "true", "12", '"text"', "{", "[1", '{"a":', '{"code":[1]}', "\ud800", "{\ud800}",
    pytest.param("[" * 200_000, id="deep"),
])
def test_what_is_not_json_is_no_answer(body: str) -> None:
    """WIRE trap 4, for queries too."""
    assert isinstance(classify(200, {}, body, MEXC), Unknown)


def test_answers_keep_their_text() -> None:
    assert classify(200, {}, '[{"code": 1}]', MEXC) == Answer('[{"code": 1}]')
    assert classify(200, {}, '{"code":0,"data":[]}', MEXC) == Answer('{"code":0,"data":[]}')
    assert classify(200, {}, '{"code":200,"data":[]}', MEXC) == Answer('{"code":200,"data":[]}')


@pytest.mark.parametrize("reply", [Reply(drop=True), Reply(hang=True)])
async def test_what_may_have_left_is_unknown_and_not_repeated(venue: FakeVenue, reply: Reply) -> None:
    venue.answers[("POST", "order")] = reply
    link = await linked(venue, timeout_s=0.3)
    try:
        outcome = await MexcAccount(link, "key-of-tests", "secret-of-tests").place(SELL)
    finally:
        await link.close()
    assert isinstance(outcome, Unknown)
    assert venue.count("POST", "order") == 1


async def test_what_never_left_has_failed(venue: FakeVenue) -> None:
    venue.set("GET", "time", {"serverTime": START_MS}, headers={"Connection": "close"})  # no connection stays open
    link = await linked(venue)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    await venue.stop()
    try:
        assert isinstance(await account.place(BUY), Failed)
        assert isinstance(await account.cancel("PEPEUSDT", "cx-1"), Failed)
    finally:
        await link.close()


async def test_a_host_that_does_not_exist_has_failed(venue: FakeVenue, monkeypatch: pytest.MonkeyPatch) -> None:
    link = await linked(venue)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    for exchange in link._exchanges:
        exchange.urls["api"]["spot"] = {"public": "http://nowhere.invalid", "private": "http://nowhere.invalid"}

    async def no_such_host(*args: object, **kwargs: object) -> None:
        raise socket.gaierror("no such host")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_such_host)
    try:
        assert isinstance(await account.place(BUY), Failed)
    finally:
        await link.close()


async def test_lookup_tells_absent_from_unknown(venue: FakeVenue) -> None:
    link = await linked(venue, timeout_s=0.4)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    try:
        venue.set("GET", "order", {"code": -2013, "msg": "Order does not exist."}, status=400)
        assert await account.order("PEPEUSDT", "cx-1") == Absent("cx-1")
        venue.set("GET", "order", HTML, status=502)
        assert isinstance(await account.order("PEPEUSDT", "cx-1"), Unknown)
        venue.set("GET", "order", {"code": 10072, "msg": "key"}, status=400)
        assert isinstance(await account.order("PEPEUSDT", "cx-1"), Unknown)
        venue.set("GET", "order", "")
        assert isinstance(await account.order("PEPEUSDT", "cx-1"), Unknown)
    finally:
        await link.close()


async def test_queries_are_repeated_until_their_deadline(venue: FakeVenue) -> None:
    link = await linked(venue, timeout_s=1.0)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    good = {"canTrade": True, "canWithdraw": False, "balances": [{"asset": "USDT", "free": "1.5", "locked": "0"}]}
    try:
        venue.answers[("GET", "account")] = [Reply("", 500), Reply(drop=True), Reply(good)]
        assert (await account.balances())["USDT"].free == Decimal("1.5")
        venue.answers[("GET", "account")] = Reply("", 500)
        with pytest.raises(Unavailable, match="No account from the exchange"):
            await account.balances()  # X15: not "no money"
    finally:
        await link.close()


async def test_one_resync_when_the_venue_refuses_our_time(venue: FakeVenue) -> None:
    """X32: the clock is asked anew, then the query is signed with the new time."""
    link = await linked(venue, timeout_s=1.0)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    later = 1_700_000_500_000
    venue.set("GET", "time", {"serverTime": later})

    async def judge(request: object) -> Reply:
        stamp = int(venue.requests[-1][2]["timestamp"])
        return Reply([]) if abs(stamp - later) < 5_000 else Reply({"code": 700003, "msg": "Timestamp"}, 400)

    venue.answers[("GET", "openOrders")] = judge
    try:
        assert await account.open_orders() == []
        assert venue.count("GET", "openOrders") == 2
    finally:
        await link.close()


async def test_nothing_is_signed_while_the_time_is_unknown(venue: FakeVenue) -> None:
    link = await linked(venue)
    try:
        account = MexcAccount(link, "key-of-tests", "secret-of-tests")
        link.clock.distrust()
        assert isinstance(await account.place(BUY), Failed)
        assert venue.count("POST", "order") == 0
    finally:
        await link.close()


async def test_signatures_follow_a_fast_market(venue: FakeVenue) -> None:
    link = await linked(venue, speed=120.0)
    venue.set("GET", "openOrders", [])
    try:
        account = MexcAccount(link, "key-of-tests", "secret-of-tests")
        before = link.clock.venue_ms()
        await account.open_orders()
        stamp = int(venue.requests[-1][2]["timestamp"])
        assert before <= stamp <= link.clock.venue_ms()
    finally:
        await link.close()


async def test_an_order_travels_with_these_parameters_and_no_others(venue: FakeVenue) -> None:
    """WIRE trap 1: a stop price would sell at once."""
    venue.set("POST", "order", {"symbol": "PEPEUSDT", "orderId": "1"})
    link = await linked(venue)
    try:
        account = MexcAccount(link, "key-of-tests", "secret-of-tests")
        await account.place(SELL)
        limit = OrderRequest("cx-3", "PEPEUSDT", Side.BUY, OrderType.IOC, Decimal("12.50"), None, Decimal("1E-8"))
        await account.place(limit)
    finally:
        await link.close()
    signing = {"timestamp", "recvWindow", "signature"}
    sent = [{k: v for k, v in query.items() if k not in signing} for m, p, query in venue.requests if p == "order"]
    assert sent == [
        {"symbol": "PEPEUSDT", "side": "SELL", "type": "MARKET", "newClientOrderId": "cx-2", "quantity": "1000"},
        {"symbol": "PEPEUSDT", "side": "BUY", "type": "IMMEDIATE_OR_CANCEL", "newClientOrderId": "cx-3",
         "quantity": "12.5", "price": "0.00000001"},
    ]


@pytest.mark.parametrize("request_", [
    OrderRequest("a", "X", Side.BUY, OrderType.MARKET),
    OrderRequest("a", "X", Side.BUY, OrderType.MARKET, Decimal(1), Decimal(1)),
    OrderRequest("a", "X", Side.BUY, OrderType.MARKET, Decimal(1), None, Decimal(1)),
    OrderRequest("a", "X", Side.BUY, OrderType.LIMIT, Decimal(1)),
    OrderRequest("a", "X", Side.SELL, OrderType.MARKET, None, Decimal(1)),
])
def test_a_senseless_order_is_a_mistake_of_the_program(request_: OrderRequest) -> None:
    with pytest.raises(ValueError):
        order_params(request_)


async def test_secrets_stay_inside(venue: FakeVenue, caplog: pytest.LogCaptureFixture) -> None:
    """WIRE trap 7: ccxt's exceptions carry the signed URL."""
    caplog.set_level(logging.DEBUG)
    link = await linked(venue, timeout_s=0.4)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    told: list[str] = []
    try:
        for reply in (Reply("", 500), Reply(drop=True), Reply(hang=True), Reply({"code": 30004, "msg": "x"}, 400)):
            venue.answers[("POST", "order")] = reply
            venue.answers[("GET", "account")] = reply
            told.append(repr(await account.place(BUY)))
            with pytest.raises(Unavailable) as caught:
                await account.balances()
            told += [str(caught.value), repr(caught.value.__cause__), repr(account)]
    finally:
        await link.close()
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("modules.")]
    for text in told + ours:
        assert "secret-of-tests" not in text and "key-of-tests" not in text and "signature=" not in text


async def test_too_many_requests_rest_the_lanes(venue: FakeVenue) -> None:
    venue.set("GET", "account", {"code": 429}, status=429, headers={"Retry-After": "60"})
    link = await linked(venue, timeout_s=0.4)
    account = MexcAccount(link, "key-of-tests", "secret-of-tests")
    try:
        with pytest.raises(Unavailable):
            await account.balances()
        assert venue.count("GET", "account") == 1
        assert 50 < link.limiter.paused_s <= 60
        assert isinstance(await account.place(BUY), Failed)  # shed, never sent
        assert venue.count("POST", "order") == 0
    finally:
        await link.close()
