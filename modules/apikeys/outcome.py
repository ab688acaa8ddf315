"""What an answer says of the key that asked: 429, 401, 403, 402, 5xx and silence told apart. Pure.

| seen | verdict | who rests |
|---|---|---|
| 2xx, other 4xx (the request was wrong, not the key) | OK | nobody |
| 429 | LIMITED | the quota owner, as long as the provider says |
| 429 with a code of a spent quota, 402 | EXHAUSTED | the quota owner, until the provider's next day |
| 418 (Binance: the address is banned) | LIMITED | the owner of the address: all keys |
| 401 | REFUSED | the key, until it is replaced or looked at again |
| 403 | FORBIDDEN | the key, an hour; the third in a row is a refusal |
| 5xx, 408, no connection, no answer in time, garbage | FAILED | the provider, shortly: another key would not help |
"""

import math
import re
from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from modules.apikeys.profiles import Budget, Profile

LONGEST_REST_S = 7 * 86_400.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
SPENT = frozenset({"insufficient_quota", "billing_hard_limit_reached", "PerDay", "UsageCapExceeded"})


class Verdict(IntEnum):
    """See the table above. The numbers stand in the shared page."""

    OK = 0
    LIMITED = 1
    EXHAUSTED = 2
    REFUSED = 3
    FORBIDDEN = 4
    FAILED = 5


PACE = -1.0  # reason of a wait that is only our own pace
WORDS = {int(Verdict.LIMITED): "too many requests", int(Verdict.EXHAUSTED): "quota spent",
         int(Verdict.REFUSED): "key refused", int(Verdict.FORBIDDEN): "forbidden",
         int(Verdict.FAILED): "provider fails", int(PACE): "own limit"}


class Outcome(NamedTuple):
    """The verdict; `rest_s` as the provider says (None: it does not); `left` calls until `reset_s` from now on, as its
    headers say (None: they do not); tokens and dollars that the call cost; `why` in few words, without any secret."""

    verdict: Verdict
    rest_s: float | None = None
    left: float | None = None
    reset_s: float = 0.0
    tokens: int = 0
    cost_usd: float = 0.0
    why: str = ""


DONE = Outcome(Verdict.OK)


def outcome(profile: Profile, status: int, headers: Mapping[str, str], now_ms: int, *,
            retry_after_s: float | None = None, code: str = "", tokens: int = 0, cost_usd: float = 0.0) -> Outcome:
    """The outcome of an HTTP answer. `headers` with names in small letters. `status` 0: no answer came.

    `retry_after_s`: what the answer asked for (``Retry-After`` or its body); `code`: the provider's error code.
    """
    verdict = verdict_of(status, code)
    left, reset_s = budget_left(profile.budgets, headers, now_ms)
    rest_s = retry_after_s
    if verdict is Verdict.LIMITED and rest_s is None and left is not None and left < 1:
        rest_s = reset_s
    if rest_s is not None:
        rest_s = min(max(rest_s, 0.0), LONGEST_REST_S) if math.isfinite(rest_s) else None
    why = "" if verdict is Verdict.OK else f"{code} ({status})" if code else f"HTTP {status}" if status else "no answer"
    return Outcome(verdict, rest_s, left, reset_s, tokens, cost_usd, why)


def verdict_of(status: int, code: str = "") -> Verdict:
    """The first columns of the table."""
    if code in SPENT or status == 402:
        return Verdict.EXHAUSTED
    if status in (429, 418):
        return Verdict.LIMITED
    if status == 401:
        return Verdict.REFUSED
    if status == 403:
        return Verdict.FORBIDDEN
    if status == 0 or status == 408 or status >= 500:
        return Verdict.FAILED
    return Verdict.OK


def budget_left(budgets: tuple[Budget, ...], headers: Mapping[str, str], now_ms: int) -> tuple[float | None, float]:
    """(calls left, seconds until the count begins anew) of the scarcest budget; (None, 0) where no header can be read.

    A budget of tokens counts as calls: none left is none left.
    """
    found: tuple[float | None, float] = (None, 0.0)
    for budget in budgets:
        try:
            left = float(headers[budget.left])
            reset_s = _reset_s(headers.get(budget.reset, ""), budget, now_ms)
        except (KeyError, ValueError):
            continue
        if not (math.isfinite(left) and math.isfinite(reset_s)) or reset_s < 0:
            continue
        if found[0] is None or left < found[0]:
            found = left, min(reset_s, LONGEST_REST_S)
    return found


def _reset_s(text: str, budget: Budget, now_ms: int) -> float:
    if budget.unit == "duration":
        parts = _DURATION.findall(text)
        if not parts:
            raise ValueError(text)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    value = float(text)
    if budget.unit == "epoch_s":
        return max(0.0, value - now_ms / 1000.0)
    return max(0.0, (value - now_ms) / 1000.0) if budget.unit == "epoch_ms" else value
