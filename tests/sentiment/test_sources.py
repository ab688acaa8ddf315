"""Sources: polite, bounded, and whatever they answer the others are read on."""

import csv
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from modules.apikeys.api_manager import ApiManager
from modules.apikeys.settings import ApiKeySettings
from modules.sentiment import fetch
from modules.sentiment.service import SentimentService, sources
from modules.sentiment.settings import SentimentSettings
from modules.sentiment.sources import FeedSource, FileSource, RedditSource, TwitterSource
from tests.apikeys.loopback import Providers, Quota
from utils.paths import Paths

RSS = b"<rss><channel><item><title>Bitcoin soars</title></item><item><title>Ether falls</title></item></channel></rss>"


@dataclass
class Site:
    """A web site with a feed; `answers`: what it says next, in turn."""

    answers: list[web.Response] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)

    async def feed(self, request: web.Request) -> web.Response:
        self.asked.append({name.lower(): value for name, value in request.headers.items()})
        return self.answers.pop(0) if self.answers else web.Response(body=RSS)


@pytest.fixture
async def site() -> AsyncIterator[tuple[Site, str, httpx.AsyncClient]]:
    made, app = Site(), web.Application()
    app.router.add_get("/rss", made.feed)
    server = TestServer(app)
    await server.start_server()
    async with httpx.AsyncClient() as client:
        yield made, str(server.make_url("/rss")), client
    await server.close()


Visit = tuple[Site, str, httpx.AsyncClient]


def feed(visit: Visit) -> FeedSource:
    return FeedSource(visit[1], 60.0, 20.0, visit[2])


async def test_requests_are_conditional(site: Visit) -> None:
    marks = {"ETag": '"7"', "Last-Modified": "Sat, 21 Nov 2026 05:00:00 GMT"}
    site[0].answers = [web.Response(body=RSS, headers=marks), web.Response(status=304)]
    source = feed(site)
    assert [one.text for one in (await source.look()).items] == ["Bitcoin soars", "Ether falls"]
    again = await source.look()
    assert not again.items and again.problem == ""
    assert site[0].asked[1]["if-none-match"] == '"7"' and "if-modified-since" in site[0].asked[1]


@pytest.mark.parametrize("status", [429, 503])
async def test_a_source_that_asks_to_be_left_alone_is(site: Visit, status: int) -> None:
    site[0].answers = [web.Response(status=status, headers={"Retry-After": "120"})]
    look = await feed(site).look()
    assert (look.rest_s, look.problem) == (120.0, f"HTTP {status}")
    assert SentimentService.wait_s(60.0, 1, look.rest_s) >= 120.0


def test_waits_grow_with_failures_to_an_hour() -> None:
    waits = [SentimentService.wait_s(60.0, failures, None) for failures in range(12)]
    assert waits[0] < 70 and all(wait < 3600 * 1.2 for wait in waits) and waits[-1] > 3400


@pytest.mark.parametrize("body, headers, says", [
    (b"<rss><channel><item><title>x</title></item><item>", {}, "broken XML in line 1"),
    (b"<html/>", {}, "no feed"), (b"", {}, "broken"), (b"\xff" * 100_000, {}, "broken"),
    (gzip.compress(RSS, mtime=0), {"Content-Encoding": "gzip"}, ""),
    (b"no gzip", {"Content-Encoding": "gzip"}, "packed"),
    (RSS, {"Content-Encoding": "br"}, "packed"),
    (gzip.compress(b"<rss><channel><item><title>" + b"x" * 30_000_000, mtime=0), {"Content-Encoding": "gzip"},
     "longer than"),
    (b"<rss><channel><item><title>y</title></item>" + b" " * (6 << 20), {}, "longer than"),
], ids=["torn", "html", "empty", "noise", "packed", "badly packed", "packed otherwise", "bomb", "megabytes"])
async def test_whatever_comes_is_told_and_used_as_far_as_it_goes(site: Visit, body: bytes, headers: dict[str, str],
                                                                 says: str) -> None:
    site[0].answers = [web.Response(body=body, headers=headers)]
    look = await feed(site).look()
    assert says in look.problem
    if b">x</title></item>" in body or b">y</title></item>" in body:
        assert len(look.items) == 1 and "1 texts of it are used" in look.problem
    site[0].answers = []
    assert len((await feed(site).look()).items) == 2


async def test_redirects_are_followed_a_little_and_never_into_another_network(site: Visit) -> None:
    here = site[1]
    site[0].answers = [web.Response(status=302, headers={"Location": here + "?2"})]
    assert len((await feed(site).look()).items) == 2
    for target in ("http://10.0.0.1/rss", "file:///etc/passwd", "ftp://example.com/", "http://u:p@127.0.0.1/"):
        site[0].answers = [web.Response(status=302, headers={"Location": target})]
        assert "not followed" in (await feed(site).look()).problem
    site[0].answers = [web.Response(status=302, headers={"Location": here}) for _ in range(9)]
    assert "circles" in (await feed(site).look()).problem


async def test_nobody_there(site: Visit) -> None:
    look = await FeedSource("http://127.0.0.1:1/rss", 60.0, 20.0, site[2]).look()
    assert "cannot be reached" in look.problem and not look.items


async def test_a_slow_site_is_given_up(site: Visit) -> None:
    found = await fetch.get(site[2], site[1], {}, 1e-9)
    assert found.status == 0 and "no whole answer" in found.problem


class Clock:
    ms = 1_795_240_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
async def keyed(tmp_path: Path) -> AsyncIterator[tuple[Providers, ApiManager, str, httpx.AsyncClient, Clock]]:
    clock = Clock()
    loopback = Providers(clock, {"x-bearer-token-1": "x", "reddit-token": "r"}, {})
    server = TestServer(loopback.app())
    await server.start_server()
    settings = ApiKeySettings(twitter=SecretStr("x=x-bearer-token-1"), reddit=SecretStr("r=reddit-id-1:reddit-secret"))
    manager = ApiManager.open(settings, Paths(tmp_path).prepare(), clock)
    async with httpx.AsyncClient() as client:
        yield loopback, manager, str(server.make_url("")).rstrip("/"), client, clock
    manager.close()
    await server.close()


Keyed = tuple[Providers, ApiManager, str, httpx.AsyncClient, Clock]


def twitter(keyed: Keyed) -> TwitterSource:
    source = TwitterSource("btc", keyed[2], 60.0, 20.0, keyed[3], keyed[1])
    source._now = keyed[4]
    return source


def reddit(keyed: Keyed) -> RedditSource:
    source = RedditSource("Crypto/../x", keyed[2], 60.0, 20.0, keyed[3], keyed[1])
    source._now = keyed[4]
    return source


async def test_x_is_read_with_a_key_and_rests_as_its_headers_say(keyed: Keyed) -> None:
    source = twitter(keyed)
    look = await source.look()
    assert [one.text for one in look.items][0].startswith("$BTC") and look.items[0].published_ms == 1795237200000
    keyed[4].ms += 10_000
    keyed[0].quotas["x"] = Quota(rpm=1)
    keyed[0].quotas["x"].calls = [keyed[4].ms / 1000]
    assert (await source.look()).problem == "HTTP 429"
    tired = await source.look()
    assert "no key may serve" in tired.problem and tired.rest_s is not None and 890 < tired.rest_s <= 901
    assert keyed[0].asked.count("x-bearer-token-1") == 2 and not keyed[0].violations


async def test_reddit_is_read_with_an_access_token(keyed: Keyed) -> None:
    look = await reddit(keyed).look()
    assert [one.text for one in look.items] == ["Solana surges", "DOGE to the moon 🚀"]
    assert look.items[0].extra == "SOL is up" and look.items[1].published_ms is None


@pytest.mark.parametrize("mood", ["down", "garbage", "huge", "redirect"])
async def test_bad_days_of_providers_are_told(keyed: Keyed, mood: str) -> None:
    keyed[0].mood = mood
    for source in (twitter(keyed), reddit(keyed)):
        look = await source.look()
        assert look.problem and not look.items


async def test_a_refused_key_is_not_asked_again(keyed: Keyed) -> None:
    keyed[0].refused = {"x-bearer-token-1"}
    source = twitter(keyed)
    assert (await source.look()).problem == "HTTP 401"
    assert "key refused" in (await source.look()).problem
    assert keyed[0].asked == ["x-bearer-token-1"]


async def test_files_are_read_when_they_change(tmp_path: Path) -> None:
    plain, table, lines = tmp_path / "a.txt", tmp_path / "b.csv", tmp_path / "c.jsonl"
    plain.write_bytes("Bitcoin up\n\nÄther runter \xff\n".encode("latin-1"))
    with open(table, "w", newline="") as out:
        csv.writer(out).writerows([["id", "headline", "date"], ["1", "Solana, up", "2026-11-21T05:00:00Z"]])
    lines.write_text(json.dumps({"text": "DOGE up"}) + "\nnot json\n")
    source = FileSource(plain, 1.0)
    assert [one.text for one in (await source.look()).items][0] == "Bitcoin up"
    assert not (await source.look()).items
    with open(plain, "a") as out:
        out.write("More\n")
    assert (await source.look()).items[-1].text == "More"
    row = (await FileSource(table, 1.0).look()).items[0]
    assert (row.text, row.published_ms) == ("Solana, up", 1795237200000)
    look = await FileSource(lines, 1.0).look()
    assert look.items[0].text == "DOGE up" and "1 lines of it are no rows" in look.problem


async def test_a_file_that_is_not_there_or_has_no_texts_is_told(tmp_path: Path) -> None:
    assert "does not exist" in (await FileSource(tmp_path / "none.csv", 1.0).look()).problem
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    assert "no column" in (await FileSource(tmp_path / "x.csv", 1.0).look()).problem


async def test_sources_that_need_a_key_are_left_out_without_one(tmp_path: Path, keyed: Keyed) -> None:
    settings = SentimentSettings(feeds=("https://example.com/a", "https://example.com/b"), files=("news.txt",))
    bare = ApiManager.open(ApiKeySettings(), Paths(tmp_path / "other").prepare())
    names = [one.name for one in sources(settings, bare, keyed[3], tmp_path)]
    assert names == ["rss:example.com/a", "rss:example.com/b", "file:news.txt"]
    assert {"twitter", "reddit:CryptoCurrency"} <= {one.name for one in sources(settings, keyed[1], keyed[3], tmp_path)}
    bare.close()
