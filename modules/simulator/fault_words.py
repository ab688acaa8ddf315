"""What a venue says when it fails: one set of words for each dialect, and the pages that stand in front of them all."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Classify = Callable[[str, str], str]  # method, path → the name of a class

MAINTENANCE_HTML = "<html><head><title>Maintenance</title></head><body>We will be back soon.</body></html>"
WAF_HTML = (
    "<html><head><title>Access Denied</title></head><body><h1>Access Denied</h1>You don't have permission to access "
    "this server.<p>Reference #18.2d351ab8.1747.a4e2</p></body></html>")
#: fields every row has to have, in any dialect: taking one away is a fault that a client can see
MANDATORY = frozenset({"orderId", "algoId", "id", "symbol", "side", "status", "asset", "serverTime"})


@dataclass(frozen=True, slots=True)
class Words:
    """Status and body of a dialect's own error answers; `said` gives the body of a bare HTTP status, before or after
    the request was executed."""

    too_many: tuple[int, str]
    banned: tuple[int, str]
    unknown_order: tuple[int, str]
    said: Callable[[int, bool], str]


def classes(**patterns: str) -> Classify:
    """The class of a request: the first whose pattern fits "METHOD path"; what fits none is "other"."""
    compiled = [(name, re.compile(pattern)) for name, pattern in patterns.items()]

    def classify(method: str, path: str) -> str:
        text = f"{method} {path}"
        return next((name for name, pattern in compiled if pattern.search(text)), "other")

    return classify
