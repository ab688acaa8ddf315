"""A request that a venue refuses, in the words of its dialect."""

from __future__ import annotations


class Declined(Exception):
    """The venue refuses a request; nothing was changed. `status` is the HTTP status that goes with it."""

    def __init__(self, code: int | str, message: str, status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.status = code, message, status
