"""The default mix: which faults a request of a class may meet, and how often, when a plan only gives a rate.

Everything in it can be met by a careful client: lags end before a receive window does, no answer is a lie that
asking again would not show.
"""

from __future__ import annotations

import random
from typing import Any

from modules.simulator.fault_plan import Rule


def _rule(kind: str, act: dict[str, Any] | None = None, **params: Any) -> Rule:
    return Rule.model_validate({"kind": kind, "params": params, **({"act": act} if act else {})})


_Mix = tuple[tuple[float, Rule], ...]

#: what may happen to any request: nothing was executed
_BEFORE: _Mix = (
    (3.0, _rule("latency", ms=300, sigma=0.8, max_ms=4_000)),
    (1.5, _rule("timeout_before")),
    (2.0, _rule("drop_before")),
    (2.0, _rule("reset_before")),
    (1.5, _rule("http_status", status=503)),
    (1.0, _rule("http_status", status=502)),
    (1.0, _rule("waf")),
    (1.0, _rule("html")),
    (0.5, _rule("empty")),
    (0.5, _rule("garbage")),
    (1.0, _rule("rate_limit", retry_after_s=1, for_ms=1_000)),
    (0.1, _rule("ban", retry_after_s=3, for_ms=3_000)),
    (0.15, _rule("act", act={"action": "clock_jump", "ms": 5_000, "for_ms": 2_500})),
    (0.15, _rule("act", act={"action": "clock_jump", "ms": -5_000, "for_ms": 2_500})),
)
#: the deed is done, the answer is lost
_AFTER: _Mix = (
    (2.0, _rule("latency", ms=400, sigma=0.8, max_ms=4_000, when="after")),
    (2.0, _rule("timeout_after")),
    (2.5, _rule("drop_after")),
    (2.5, _rule("reset_after")),
    (1.0, _rule("cut_body")),
    (1.5, _rule("status_after", status=500)),
    (1.5, _rule("status_after", status=504)),
    (1.0, _rule("html_after")),
    (1.0, _rule("empty_after")),
    (1.5, _rule("truncated")),
    (0.7, _rule("bad_field")),
)
_READ: _Mix = (
    (3.0, _rule("bad_field")),
    (1.5, _rule("truncated")),
    (0.7, _rule("cut_body")),
)
_LISTS: _Mix = (
    (2.0, _rule("duplicate_rows")),
    (0.7, _rule("shuffle_rows")),
)
_STALE: _Mix = (
    (3.0, _rule("stale", ms=400)),
    (2.0, _rule("stale", ms=1_500)),
)
_CANCEL: _Mix = (
    (3.0, _rule("partial_fill")),
    (1.0, _rule("partial_fill", share=1.0)),
    (3.0, _rule("cancel_unknown")),
)
MIX: dict[str, _Mix] = {
    "order": _BEFORE + _AFTER,
    "cancel": _BEFORE + _AFTER + _CANCEL,
    "query_order": _BEFORE + _READ + _STALE,
    "open_orders": _BEFORE + _READ + _LISTS + _STALE,
    "fills": _BEFORE + _READ + _LISTS + _STALE,
    "balance": _BEFORE + _READ + _LISTS + _STALE,
    "data": _BEFORE + _READ + _LISTS,
    "other": _BEFORE,
}


def choose(name: str, rng: random.Random) -> Rule:
    """A fault for a request of class `name`."""
    mix = MIX[name]
    return rng.choices([rule for _, rule in mix], [weight for weight, _ in mix])[0]
