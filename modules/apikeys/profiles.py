"""The providers that keys are kept for, and what is known of each: whose quota a call counts for, headers, limits.

X33: rotation goes by *quota owner*, not by key. Gemini counts a project, OpenAI an organisation, Reddit and X an app:
several keys of one owner share one quota. Binance, Bybit and MEXC count request weight for the *address*: another key
does not help there, so a rest of one is a rest of all.
"""

from dataclasses import dataclass
from typing import Literal

Unit = Literal["s", "epoch_s", "epoch_ms", "duration"]


@dataclass(frozen=True, slots=True)
class Budget:
    """A pair of headers: calls (or tokens) left, and when the count begins anew, in `unit`."""

    left: str
    reset: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class Profile:
    """One provider.

    `parts`: how many parts, joined by ``:``, a key has. `shared`: the quota is that of this machine's address. `zone`:
    where its day begins. `rpm`, `rpd`: calls a minute and a day of one owner that are never passed here, 0: none.
    `rest_s`: the first rest after a 429 that says no time; it doubles with each that follows.
    """

    name: str
    title: str
    parts: tuple[str, ...] = ("key",)
    shared: bool = False
    budgets: tuple[Budget, ...] = ()
    zone: str = "UTC"
    rpm: int = 0
    rpd: int = 0
    rest_s: float = 20.0


_OPENAI = (Budget("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "duration"),
           Budget("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", "duration"))
_EXCHANGE = ("key", "secret")

# The limits of calls are ours, on the careful side; setting apikeys.limits changes them.
PROFILES: dict[str, Profile] = {each.name: each for each in (
    Profile("openai", "OpenAI, or what speaks its form", budgets=_OPENAI, rpm=60),
    Profile("gemini", "Gemini", zone="America/Los_Angeles", rpm=10, rpd=250, rest_s=60.0),
    Profile("huggingface", "Hugging Face", rpm=30, rest_s=60.0),
    Profile("twitter", "X (Twitter)", budgets=(Budget("x-rate-limit-remaining", "x-rate-limit-reset", "epoch_s"),),
            rpm=10, rest_s=900.0),
    Profile("reddit", "Reddit", ("id", "secret"),
            budgets=(Budget("x-ratelimit-remaining", "x-ratelimit-reset", "s"),), rpm=60, rest_s=60.0),
    Profile("binance", "Binance", _EXCHANGE, shared=True, rest_s=10.0),
    Profile("bybit", "Bybit", _EXCHANGE, shared=True, rest_s=10.0,
            budgets=(Budget("x-bapi-limit-status", "x-bapi-limit-reset-timestamp", "epoch_ms"),)),
    Profile("mexc", "MEXC", _EXCHANGE, shared=True, rest_s=10.0),
)}
