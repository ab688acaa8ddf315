"""Where texts come from: feeds, Reddit, X, files. Each look gives items and how it went; none raises for strangers.

Politeness: conditional requests (ETag, Last-Modified), ``Retry-After`` kept, back-off that doubles to an hour; Reddit
and X go by the keys of the API manager.
Sources: Reddit API (oauth.reddit.com, client credentials), X API v2 recent search.
"""

import asyncio
import base64
import logging
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple, Protocol
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from modules.apikeys.api_manager import ApiManager, Lease, Tired
from modules.apikeys.outcome import outcome
from modules.apikeys.profiles import PROFILES
from modules.sentiment.feedxml import parse, when
from modules.sentiment.fetch import Fetched, get
from modules.sentiment.rows import Shape, Wrong, read_rows
from utils.wall import now_ms

log = logging.getLogger(__name__)
MOST_POSTS = 500
MOST_ROWS = 5_000
REDDIT_LOGIN, REDDIT, TWITTER = "https://www.reddit.com", "https://oauth.reddit.com", "https://api.twitter.com"
_COLUMNS = ("text", "title", "headline", "body", "content")


class Item(NamedTuple):
    """A text from outside. `extra`: more of it, looked at for symbols only. `published_ms`: calendar, None: unknown."""

    text: str
    extra: str
    published_ms: int | None


class Look(NamedTuple):
    """What one look gave. `problem` in words, "" for none; `rest_s`: how long the source asks to be left alone."""

    items: list[Item]
    problem: str = ""
    rest_s: float | None = None


class Source(Protocol):
    """One source."""

    name: str
    every_s: float

    async def look(self) -> Look:
        """The items that are there now, new or not."""


class FeedSource:
    """An RSS or Atom feed."""

    def __init__(self, url: str, every_s: float, timeout_s: float, client: httpx.AsyncClient) -> None:
        parts = urlsplit(url)
        self.name = f"rss:{parts.hostname}{parts.path.rstrip('/')[:40]}"
        self.every_s, self._url, self._timeout_s, self._client = every_s, url, timeout_s, client
        self._marks: dict[str, str] = {}

    async def look(self) -> Look:
        """One conditional request."""
        found = await get(self._client, self._url, self._marks, self._timeout_s)
        if found.status == 304:
            return Look([])
        if found.status != 200:
            return Look([], found.problem or f"HTTP {found.status}", found.retry_after_s)
        parsed = parse(found.body, found.charset)
        self._marks = {ours: found.headers[theirs] for ours, theirs in (
            ("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")) if theirs in found.headers}
        items = [Item(one.title or one.body, one.body, one.published_ms) for one in parsed.items]
        problem = parsed.problem and f"{parsed.problem}; {len(items)} texts of it are used"
        return Look(items, problem)


class _Post(msgspec.Struct):
    title: str = ""
    selftext: str = ""
    created_utc: float = 0.0


class _Child(msgspec.Struct):
    data: _Post


class _Children(msgspec.Struct):
    children: Annotated[list[_Child], msgspec.Meta(max_length=MOST_POSTS)]


class _Listing(msgspec.Struct):
    data: _Children


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0


class _Tweet(msgspec.Struct):
    text: str
    created_at: str = ""


class _Tweets(msgspec.Struct):
    meta: dict[str, msgspec.Raw]  # always there; `data` is left out where nothing was found
    data: Annotated[list[_Tweet], msgspec.Meta(max_length=MOST_POSTS)] = []


class _Keyed:
    """A source that needs a key of the manager."""

    provider = ""

    def __init__(self, every_s: float, timeout_s: float, client: httpx.AsyncClient, manager: ApiManager,
                 now: Callable[[], int] = now_ms) -> None:
        self.every_s, self._timeout_s, self._client, self._manager, self._now = (
            every_s, timeout_s, client, manager, now)

    async def _get(self, lease: Lease, url: str, headers: Mapping[str, str]) -> Fetched:
        found = await get(self._client, url, headers, self._timeout_s)
        self._report(lease, found)
        return found

    def _report(self, lease: Lease, found: Fetched) -> None:
        self._manager.report(lease, outcome(PROFILES[self.provider], found.status, found.headers, self._now(),
                                            retry_after_s=found.retry_after_s))

    def _tired(self, tired: Tired) -> Look:
        rest_s = (tired.until_ms - self._now()) / 1000 if tired.until_ms else None
        return Look([], f"no key may serve: {tired.why}", rest_s)


class RedditSource(_Keyed):
    """The newest posts of a subreddit, over an app's client credentials."""

    provider = "reddit"

    def __init__(self, subreddit: str, base_url: str, every_s: float, timeout_s: float, client: httpx.AsyncClient,
                 manager: ApiManager) -> None:
        super().__init__(every_s, timeout_s, client, manager)
        self.name = f"reddit:{subreddit}"
        self._login = (base_url or REDDIT_LOGIN).rstrip("/")
        self._url = f"{(base_url or REDDIT).rstrip('/')}/r/{quote(subreddit, safe='')}/new?limit=50&raw_json=1"
        self._tokens: dict[str, tuple[str, int]] = {}

    async def look(self) -> Look:
        """One listing, with a key that may serve."""
        lease = self._manager.take(self.provider)
        if isinstance(lease, Tired):
            return self._tired(lease)
        token = await self._token(lease)
        if not token:
            return Look([], "Reddit gave no access")
        found = await self._get(lease, self._url, {"Authorization": f"Bearer {token}"})
        if found.status == 401:
            self._tokens.pop(lease.key.mark, None)
        if found.status != 200:
            return Look([], found.problem or f"HTTP {found.status}", found.retry_after_s)
        try:
            posts = msgspec.json.decode(found.body, type=_Listing).data.children
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return Look([], "an answer that is no listing")
        return Look([Item(post.data.title or post.data.selftext, post.data.selftext,
                          int(post.data.created_utc * 1000) if 0 < post.data.created_utc < 4e9 else None)
                     for post in posts])

    async def _token(self, lease: Lease) -> str:
        token, until = self._tokens.get(lease.key.mark, ("", 0))
        if token and self._now() < until:
            return token
        pair = base64.b64encode(":".join(lease.key.parts).encode()).decode()
        status, headers, body = 0, dict[str, str](), b""
        try:
            async with self._client.stream(
                    "POST", f"{self._login}/api/v1/access_token", content=b"grant_type=client_credentials",
                    headers={"Authorization": f"Basic {pair}", "User-Agent": "coxswain (news reader)",
                             "Content-Type": "application/x-www-form-urlencoded"}, timeout=self._timeout_s) as response:
                status = response.status_code
                headers = {name.lower(): value for name, value in response.headers.items()}
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > 65_536:
                        break
            found = msgspec.json.decode(body, type=_Token) if status == 200 else None
        except (httpx.HTTPError, OSError, msgspec.MsgspecError, UnicodeError):
            found = None
        if found is None:
            self._report(lease, Fetched(0 if status == 200 else status, headers, b""))
            return ""
        self._tokens[lease.key.mark] = (found.access_token, self._now() + int(found.expires_in * 900))
        return found.access_token


class TwitterSource(_Keyed):
    """Recent posts at X for a search."""

    provider = "twitter"

    def __init__(self, search: str, base_url: str, every_s: float, timeout_s: float, client: httpx.AsyncClient,
                 manager: ApiManager) -> None:
        super().__init__(every_s, timeout_s, client, manager)
        self.name = "twitter"
        self._url = (f"{(base_url or TWITTER).rstrip('/')}/2/tweets/search/recent?query={quote(search, safe='')}"
                     "&max_results=50&tweet.fields=created_at,lang")

    async def look(self) -> Look:
        """One search, with a key that may serve."""
        lease = self._manager.take(self.provider)
        if isinstance(lease, Tired):
            return self._tired(lease)
        found = await self._get(lease, self._url, {"Authorization": f"Bearer {lease.key.secret}"})
        if found.status != 200:
            return Look([], found.problem or f"HTTP {found.status}", found.retry_after_s)
        try:
            tweets = msgspec.json.decode(found.body, type=_Tweets).data
        except (msgspec.MsgspecError, RecursionError, UnicodeError):
            return Look([], "an answer that is no list of posts")
        return Look([Item(tweet.text, "", when(tweet.created_at)) for tweet in tweets])


class FileSource:
    """A file of texts: CSV or JSONL with a column text (title, headline, body), or one text a line."""

    def __init__(self, path: Path, every_s: float) -> None:
        self.name, self.every_s, self._path = f"file:{path.name}", every_s, path
        self._mark: tuple[int, int] | None = None

    async def look(self) -> Look:
        """The rows, where the file changed; at most the last `MOST_ROWS`."""
        try:
            stat = self._path.stat()
            mark = (stat.st_mtime_ns, stat.st_size)
            if mark == self._mark:
                return Look([])
            items, problem = await asyncio.to_thread(self._rows)
        except FileNotFoundError:
            return Look([], "the file does not exist")
        except OSError as refused:
            return Look([], f"the file cannot be read ({refused.strerror})")
        self._mark = mark
        return Look(items, problem)

    def _rows(self) -> tuple[list[Item], str]:
        kind = self._path.suffix.lower()
        if kind not in (".csv", ".jsonl", ".ndjson", ".json"):
            with open(self._path, encoding="utf-8", errors="replace") as lines:
                last = deque((line.strip() for line in lines if line.strip()), MOST_ROWS)
                return [Item(line, "", None) for line in last], ""
        for column in _COLUMNS:
            shape = Shape()
            try:
                rows = deque((row for row, _ in read_rows(self._path, column, shape)), MOST_ROWS)
            except Wrong as problem:
                reason = str(problem)
                continue
            items = [Item(str(row.get(column) or ""), "", when(str(row.get("published") or row.get("date") or "")))
                     for row in rows]
            return items, f"{shape.broken} lines of it are no rows" if shape.broken else ""
        return [], reason
