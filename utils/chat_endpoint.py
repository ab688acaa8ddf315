"""One question to a chat model over HTTP: OpenAI and whatever speaks its form, Hugging Face's router, Gemini.

1. The answer is text from a stranger: bounded in bytes and in time (`timeout_s` counts from the call to the last byte),
   never followed elsewhere (no redirects), never unpacked (a compressed answer is refused).
2. A key travels in a header only, over https, or to this machine; it is in no address, `repr`, exception or log.
3. Every failure is a `ChatProblem` with its kind, so that a caller can rest a key, try another, or do without.

Sources: OpenAI API reference (chat/completions), Google AI generateContent (v1beta), Hugging Face inference router.
"""

import asyncio
import ipaddress
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from utils import wall

if TYPE_CHECKING:
    import httpx  # loaded when the first question is asked, not with the settings

Provider = Literal["openai", "huggingface", "gemini"]
Role = Literal["system", "user", "assistant"]
BASES: dict[Provider, str] = {"openai": "https://api.openai.com/v1",
                              "huggingface": "https://router.huggingface.co/v1",
                              "gemini": "https://generativelanguage.googleapis.com/v1beta"}
Kind = Literal["unreachable", "timeout", "too large", "refused", "limited", "wrong request", "failed", "garbage"]
LONGEST_REST_S = 86_400.0
# Words that tell a spent quota from too many requests: OpenAI's error codes, Gemini's quotaId (…PerDayPer…), X's title.
_CODES = ("insufficient_quota", "billing_hard_limit_reached", "PerDay", "UsageCapExceeded")
_DELAY = re.compile(r'"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"')  # Gemini's google.rpc.RetryInfo


class ChatProblem(Exception):
    """No answer that can be used. `kind`: unreachable, timeout, too large, refused (401, 403), limited (402, 429),
    wrong request (other 4xx, redirects), failed (5xx), garbage. `retry_after_s`: as the provider says, else None.
    `code`: the provider's own word for a refusal ("insufficient_quota", "PerDay"), "" for none; never a key."""

    def __init__(self, kind: Kind, said: str, status: int = 0, retry_after_s: float | None = None,
                 headers: Mapping[str, str] | None = None, code: str = "") -> None:
        super().__init__(f"{kind}: {said}")
        self.kind, self.status, self.retry_after_s = kind, status, retry_after_s
        self.headers, self.code = dict(headers or {}), code


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask. `base_url` empty: the provider's own. Raises ValueError for an address that must not be used."""

    provider: Provider
    model: str
    base_url: str = ""
    key: str = field(default="", repr=False)
    timeout_s: float = 8.0
    max_bytes: int = 65_536
    max_tokens: int = 300

    def __post_init__(self) -> None:
        if self.provider not in BASES:
            raise ValueError(f"provider {self.provider!r} is not known; use one of {', '.join(BASES)}")
        if not self.model:
            raise ValueError("no model is named")
        if any(not "!" <= letter <= "~" for letter in self.key):
            raise ValueError("the key holds a space or a letter that no key has")
        check_address(self.base, bool(self.key))

    @property
    def base(self) -> str:
        return (self.base_url or BASES[self.provider]).rstrip("/")


class Reply(NamedTuple):
    """An HTTP answer, whole; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes
    elapsed_s: float


class Answer(NamedTuple):
    """The model's text. Tokens as the provider counts them, 0 where it does not say."""

    text: str
    tokens_in: int
    tokens_out: int
    headers: dict[str, str]
    elapsed_s: float


def check_address(url: str, key: bool) -> None:
    """Raises ValueError unless `url` is https, or http to this machine, or http anywhere without a key."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the address cannot be read; write e.g. https://api.example.com/v1") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("the address must begin with http:// or https:// and name a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("the address must hold no user, password or query; a key has a setting of its own")
    if key and parts.scheme == "http" and not _loopback(host):
        raise ValueError(f"a key must not travel to {host} over http; use https")


def open_client(base_url: str = "") -> "httpx.AsyncClient":
    """A client for many calls; close it with `await client.aclose()`. Proxies of the environment serve https only."""
    import httpx
    return httpx.AsyncClient(follow_redirects=False, trust_env=not base_url.startswith("http://"),
                             headers={"User-Agent": "coxswain", "Accept-Encoding": "identity"})


async def chat(endpoint: Endpoint, messages: Sequence[tuple[Role, str]], client: "httpx.AsyncClient | None" = None, *,
               json_only: bool = False) -> Answer:
    """Ask `messages` (role, text), in order. `json_only` asks the provider for JSON; still parse it strictly.

    Raises ChatProblem.
    """
    url, headers, body = _asked(endpoint, messages, json_only)
    reply = await post(url, body, headers, timeout_s=endpoint.timeout_s, max_bytes=endpoint.max_bytes, client=client)
    raise_for(reply)
    try:
        said = msgspec.json.decode(reply.body)
        text, tokens_in, tokens_out = _gemini(said) if endpoint.provider == "gemini" else _openai(said)
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise ChatProblem("garbage", "the answer has not the provider's form", reply.status,
                          headers=reply.headers) from None
    return Answer(text, tokens_in, tokens_out, reply.headers, reply.elapsed_s)


async def post(url: str, body: Any, headers: Mapping[str, str], *, timeout_s: float, max_bytes: int,
               client: "httpx.AsyncClient | None" = None) -> Reply:
    """POST `body` as JSON; any status is an answer. Raises ChatProblem (unreachable, timeout, too large, garbage)."""
    import httpx
    own = client if client is not None else open_client(url)
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            async with own.stream("POST", url, content=msgspec.json.encode(body), timeout=timeout_s,
                                  headers={**headers, "Content-Type": "application/json"}) as response:
                status, told = response.status_code, {name.lower(): value for name, value in response.headers.items()}
                whole = await _read(response, max_bytes)
    except (TimeoutError, httpx.TimeoutException):
        raise ChatProblem("timeout", f"no whole answer within {timeout_s:g} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
        raise ChatProblem("unreachable", type(problem).__name__) from None
    finally:
        if client is None:
            await own.aclose()
    return Reply(status, told, whole, time.monotonic() - began)


def raise_for(reply: Reply) -> None:
    """Raises ChatProblem for any status but 2xx. What a refusal's body says is not repeated: it may hold the key."""
    status = reply.status
    if 200 <= status < 300:
        return
    kind: Kind = ("refused" if status in (401, 403) else "limited" if status in (402, 429)
                  else "timeout" if status == 408 else "failed" if status >= 500 else "wrong request")
    code, asked_s = _refusal(reply.body)
    told_s = retry_after_s(reply.headers)
    raise ChatProblem(kind, f"HTTP {status}", status, asked_s if told_s is None else told_s, reply.headers, code)


def _refusal(body: bytes) -> tuple[str, float | None]:
    """(code, seconds to wait) out of a refusal's body. Only words of the provider's own list get through."""
    text = body[:16_384].decode("utf-8", "replace")
    code = next((word for word in _CODES if word in text), "")
    delay = _DELAY.search(text)
    return code, min(float(delay[1]), LONGEST_REST_S) if delay else None


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that ``Retry-After`` (seconds or a date, RFC 9110) asks for, 0 … a day; None where it says nothing."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - wall.now_ms() / 1000
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_REST_S) if seconds == seconds else None


async def _read(response: "httpx.Response", max_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ChatProblem("garbage", "the answer is compressed, which was not asked for", response.status_code)
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_raw():
        size += len(part)
        if size > max_bytes:
            raise ChatProblem("too large", f"more than {max_bytes} bytes", response.status_code)
        parts.append(part)
    return b"".join(parts)


def _asked(endpoint: Endpoint, messages: Sequence[tuple[Role, str]],
           json_only: bool) -> tuple[str, dict[str, str], dict[str, Any]]:
    """Address, headers, body."""
    if endpoint.provider == "gemini":
        system = "\n\n".join(text for role, text in messages if role == "system")
        told = [{"role": "model" if role == "assistant" else "user", "parts": [{"text": text}]}
                for role, text in messages if role != "system"]
        wanted: dict[str, Any] = {"temperature": 0, "maxOutputTokens": endpoint.max_tokens}
        if json_only:
            wanted["responseMimeType"] = "application/json"
        body: dict[str, Any] = {"contents": told, "generationConfig": wanted}
        if system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        model = quote(endpoint.model.removeprefix("models/"), safe="")
        return (f"{endpoint.base}/models/{model}:generateContent",
                {"x-goog-api-key": endpoint.key} if endpoint.key else {}, body)
    body = {"model": endpoint.model, "messages": [{"role": role, "content": text} for role, text in messages],
            "temperature": 0, "max_tokens": endpoint.max_tokens, "stream": False}
    if json_only:
        body["response_format"] = {"type": "json_object"}
    return (f"{endpoint.base}/chat/completions", {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {},
            body)


def _openai(said: Any) -> tuple[str, int, int]:
    text = said["choices"][0]["message"]["content"]
    if not isinstance(text, str):
        raise TypeError("content is no text")
    usage = said.get("usage") or {}
    return text, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _gemini(said: Any) -> tuple[str, int, int]:
    parts = said["candidates"][0]["content"]["parts"]
    text = "".join(part["text"] for part in parts if not part.get("thought"))
    usage = said.get("usageMetadata") or {}
    return text, _count(usage.get("promptTokenCount")), _count(usage.get("candidatesTokenCount"))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else 0


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
