"""One plain HTTP call with the standard library, for what is called seldom: pings, webhooks, the doctor."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

AGENT = "coxswain"


class NoAnswer(Exception):
    """No HTTP answer came. The text names the cause, never the address: it may hold a secret."""


def call(url: str, body: dict[str, Any] | None = None, timeout_s: float = 10.0) -> tuple[int, bytes]:
    """GET, or POST `body` as JSON; returns status and at most 1 MB of the answer. Blocks: call it in a thread.

    Raises NoAnswer when nothing came, ValueError for an address that is not http(s).
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError("the address must begin with http:// or https://")
    data = None if body is None else json.dumps(body).encode("utf-8")
    headers = {"User-Agent": AGENT} | ({"Content-Type": "application/json"} if data else {})
    request = urllib.request.Request(url, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return int(answer.status), answer.read(1_000_000)
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read(1_000_000)
    except urllib.error.URLError as problem:
        raise NoAnswer(_cause(problem.reason)) from None
    except (OSError, http.client.HTTPException) as problem:
        raise NoAnswer(_cause(problem)) from None


def _cause(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__
