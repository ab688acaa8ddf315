"""What every dialect has to do with: a request, the call it becomes for a handler, the reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from modules.simulator.dialects.params import Values
from modules.simulator.perp.api import Account

if TYPE_CHECKING:
    from modules.simulator.perp_past import PerpSeen

V = TypeVar("V", bound=Values)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `query` without its question mark, `remote` the address it came from."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    headers: Mapping[str, str] | None = None
    remote: str = "?"

    def header(self, name: str) -> str | None:
        """A header, None where it was not sent."""
        return self.headers.get(name) if self.headers is not None else None


@dataclass(slots=True)
class Call(Generic[V]):
    """A request on its way to a handler."""

    values: V
    ms: int
    told_ms: int  # what the venue says the time is
    account: Account | None = None
    seen: PerpSeen | None = None  # a replica that lags behind answers, where not None

    @property
    def user(self) -> Account:
        """The account of a call that needs one."""
        assert self.account is not None
        return self.account

    @property
    def user_seen(self) -> Account:
        """The account as the answering replica knows it."""
        return self.user if self.seen is None else self.seen.account(self.user)

    @property
    def symbol(self) -> str | None:
        """The `symbol` parameter."""
        return self.values.text("symbol")
