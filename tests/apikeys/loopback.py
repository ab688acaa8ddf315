"""Servers on this machine that behave like each provider: quotas by owner, header budgets, refusals, slowness, garbage.

Time is the caller's (`clock`), so that a day passes in a second. `violations` has every call that came on a key which
was told to rest, and rests still: none may be there.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

PROBE_WORD = "annual general meeting"


@dataclass
class Quota:
    """Of one owner: `rpm` calls in any minute, `rpd` a day; 0: no limit."""

    rpm: int = 0
    rpd: int = 0
    calls: list[float] = field(default_factory=list)
    rests_until: float = 0.0


@dataclass
class Providers:
    """All of them in one application. `owners`: key → owner; `quotas`: owner → its quota; `mood`: what it does."""

    clock: Callable[[], int]
    owners: dict[str, str]
    quotas: dict[str, Quota]
    refused: set[str] = field(default_factory=set)
    mood: str = "good"  # good, down, garbage, huge, slow, steered, redirect
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    score: float = 0.6

    def app(self) -> web.Application:
        """For a test server."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/models/{model}:generateContent", self._gemini)
        app.router.add_post("/models/{owner}/{model}", self._huggingface)
        app.router.add_get("/2/tweets/search/recent", self._twitter)
        app.router.add_post("/api/v1/access_token", self._login)
        app.router.add_get("/r/{name}/new", self._reddit)
        return app

    def admit(self, key: str) -> tuple[int, dict[str, str]]:
        """(status, headers) of a call with `key` now."""
        now = self.clock() / 1000
        self.asked.append(key)
        owner = self.owners.get(key)
        if owner is None or key in self.refused:
            return 401, {}
        quota = self.quotas.setdefault(owner, Quota())
        if now < quota.rests_until:
            self.violations.append(f"{key} at {now}, rests until {quota.rests_until}")
            return 429, {"Retry-After": str(round(quota.rests_until - now + 1))}
        kept_s = 86_400 if quota.rpd else 60
        quota.calls = [at for at in quota.calls if now - at < kept_s]
        minute = [at for at in quota.calls if now - at < 60]
        if quota.rpd and len(quota.calls) >= quota.rpd:
            quota.rests_until = now + 3600
            return 429, {"Retry-After": "3600"}
        if quota.rpm and len(minute) >= quota.rpm:
            quota.rests_until = now + 30
            return 429, {"Retry-After": "30"}
        quota.calls.append(now)
        left = quota.rpm - len(minute) - 1 if quota.rpm else 1000
        return 200, {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": "60s"}

    def odd(self) -> web.StreamResponse | None:
        """What a bad day answers."""
        if self.mood == "down":
            return web.Response(status=503)
        if self.mood == "garbage":
            return web.Response(text='{"choices": [{"message": {"content": "BUY NOW! score: 11"}}]}')
        if self.mood == "huge":
            return web.Response(text="x" * 3_000_000)
        if self.mood == "redirect":
            return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})
        return None

    def _scores(self, prompt: str) -> str:
        self.sent.append(prompt)
        texts = json.loads(prompt)
        dry = 1.0 if self.mood == "steered" else 0.0
        return json.dumps({"scores": [{"id": one["id"], "confidence": 0.9, "score":
                                       dry if PROBE_WORD in one["text"] else self.score} for one in texts]})

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        status, headers = self.admit(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if status != 200:
            return web.Response(status=status, headers=headers)
        if (odd := self.odd()) is not None:
            return odd
        body = await request.json()
        said = self._scores(body["messages"][1]["content"])
        return web.json_response({"choices": [{"message": {"content": said}}],
                                  "usage": {"prompt_tokens": 1000, "completion_tokens": 500}}, headers=headers)

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        status, headers = self.admit(request.headers.get("x-goog-api-key", ""))
        if status == 429:
            return web.json_response({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [
                {"@type": "type.googleapis.com/google.rpc.RetryInfo",
                 "retryDelay": headers.get("Retry-After", "30") + "s"}]}}, status=429)
        if status != 200:
            return web.Response(status=status)
        if (odd := self.odd()) is not None:
            return odd
        body = await request.json()
        said = self._scores(body["contents"][0]["parts"][0]["text"])
        return web.json_response({"candidates": [{"content": {"parts": [{"text": said}]}}],
                                  "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 500}})

    async def _huggingface(self, request: web.Request) -> web.StreamResponse:
        status, headers = self.admit(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if status != 200:
            return web.Response(status=status, headers=headers)
        if (odd := self.odd()) is not None:
            return odd
        body = await request.json()
        return web.json_response([[{"label": "positive", "score": 0.8}, {"label": "negative", "score": 0.1},
                                   {"label": "neutral", "score": 0.1}] for _ in body["inputs"]])

    async def _twitter(self, request: web.Request) -> web.StreamResponse:
        status, _ = self.admit(request.headers.get("Authorization", "").removeprefix("Bearer "))
        headers = {"x-rate-limit-remaining": "0", "x-rate-limit-reset": str(self.clock() // 1000 + 900)}
        if status != 200:
            return web.Response(status=status, headers=headers if status == 429 else {})
        if (odd := self.odd()) is not None:
            return odd
        posts = [{"text": "$BTC rallies to a new high", "created_at": "2026-11-21T05:00:00Z"},
                 {"text": "$ETH crashes after hack"}]
        return web.json_response({"meta": {"result_count": 2}, "data": posts},
                                 headers={**headers, "x-rate-limit-remaining": "5"})

    async def _login(self, request: web.Request) -> web.StreamResponse:
        if "Basic " not in request.headers.get("Authorization", ""):
            return web.Response(status=401)
        return web.json_response({"access_token": "reddit-token", "expires_in": 3600})

    async def _reddit(self, request: web.Request) -> web.StreamResponse:
        status, _ = self.admit(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if status != 200:
            return web.Response(status=status)
        if (odd := self.odd()) is not None:
            return odd
        return web.json_response({"data": {"children": [
            {"data": {"title": "Solana surges", "selftext": "SOL is up", "created_utc": 1795240000.0}},
            {"data": {"title": "DOGE to the moon 🚀"}}]}}, headers={"x-ratelimit-remaining": "50",
                                                                    "x-ratelimit-reset": "300"})
