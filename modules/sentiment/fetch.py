"""One polite GET: conditional, bounded in bytes and time, few redirects, never to anything but http and https."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx

from utils.chat_endpoint import retry_after_s

MOST_REDIRECTS = 4
MOST_BYTES = 4 << 20


class _Packed(Exception):
    """Packed in a way that was not asked for."""


class Fetched(NamedTuple):
    """`status` 0: no answer came, `problem` says why. `body` is cut at `MOST_BYTES`. Header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes
    problem: str = ""

    @property
    def retry_after_s(self) -> float | None:
        """How long the server asks to be left alone; None where it does not."""
        return retry_after_s(self.headers)

    @property
    def charset(self) -> str:
        """The charset that the header tells."""
        _, _, name = self.headers.get("content-type", "").partition("charset=")
        return name.split(";")[0].strip(" \"'")


async def get(client: httpx.AsyncClient, url: str, headers: Mapping[str, str], timeout_s: float) -> Fetched:
    """GET `url`. Never raises for what the network does. A credential in `headers` never follows a redirect."""
    sent = {"User-Agent": "coxswain (news reader)", "Accept-Encoding": "gzip", **headers}
    try:
        async with asyncio.timeout(timeout_s):
            for _ in range(MOST_REDIRECTS + 1):
                found, target = await _once(client, url, sent, timeout_s)
                if not target:
                    return found
                if not _may_follow(url, target):
                    return Fetched(0, {}, b"", "it redirects to an address that is not followed")
                if urlsplit(target).netloc != urlsplit(url).netloc:
                    sent.pop("Authorization", None)
                url = target
    except (TimeoutError, httpx.TimeoutException):
        return Fetched(0, {}, b"", f"no whole answer within {timeout_s:g} s")
    except (_Packed, zlib.error):
        return Fetched(0, {}, b"", "it is packed in a way that cannot be read")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
        return Fetched(0, {}, b"", f"it cannot be reached ({type(problem).__name__})")
    return Fetched(0, {}, b"", "it redirects in circles")


async def _once(client: httpx.AsyncClient, url: str, headers: dict[str, str],
                timeout_s: float) -> tuple[Fetched, str]:
    async with client.stream("GET", url, headers=headers, timeout=timeout_s) as response:
        told = {name.lower(): value for name, value in response.headers.items()}
        if response.status_code in (301, 302, 303, 307, 308) and "location" in told:
            return Fetched(0, {}, b""), urljoin(url, told["location"])
        return Fetched(response.status_code, told, await _read(response, told)), ""


async def _read(response: httpx.Response, headers: dict[str, str]) -> bytes:
    """The body up to `MOST_BYTES`, unpacked as it comes: a packed bomb is cut where it passes the bound."""
    kind = headers.get("content-encoding", "").lower()
    if kind not in ("", "identity", "gzip"):
        raise _Packed
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if kind == "gzip" else None
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        part = unpack.decompress(part, MOST_BYTES - size + 1) if unpack is not None else part
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            break
    return b"".join(parts)[:MOST_BYTES + 1]


def _may_follow(here: str, there: str) -> bool:
    """To https anywhere, to http only on the same host: a stranger's page must not send us around this network."""
    old, new = urlsplit(here), urlsplit(there)
    if new.username or new.password:
        return False
    return (new.scheme == "https" and bool(new.hostname)) or (new.scheme == "http" and old.scheme == "http"
                                                             and new.netloc == old.netloc)
