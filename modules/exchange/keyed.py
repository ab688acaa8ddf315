"""Requests of one account over several of its keys: a key that the venue refuses rests, the next one signs (B6, X33).

1. Only keys of the *same account* take turns: its orders and positions are its own. The first is that of the settings,
   the others are those of the API manager whose owner is called ``account``.
2. An order is never sent twice (X4): one whose key was refused fails, the next order goes with the next key. A query is
   asked again at once with the next key.
3. Request weight is the address's, orders are the account's: another key changes neither. Both stay with the limiter
   (X31), and no key rests for a 429.
4. Where every key is refused the first still signs: what guards a position is never held back here.
"""

from collections.abc import Callable, Mapping

from modules.apikeys.api_manager import ApiManager, Lease
from modules.apikeys.keyring import Key
from modules.apikeys.outcome import DONE, Outcome, Verdict
from modules.exchange.classify import Answer
from modules.exchange.codes import CodeTable
from modules.exchange.lanes import Lane
from modules.exchange.link import Link
from modules.exchange.types import Refused
from modules.exchange.wire import Endpoint, Reply, Wire

ACCOUNT = "account"


class KeyedWire(Wire):
    """A wire that chooses the key of each request."""

    def __init__(self, wire: Callable[[str, str], Wire], manager: ApiManager, provider: str, codes: CodeTable,
                 api_key: str, secret: str) -> None:
        first = Key(provider, ACCOUNT, (api_key, secret))
        manager.put_first(first)
        self._make, self._manager, self._provider, self._codes, self._first = wire, manager, provider, codes, first
        self._wires: dict[str, Wire] = {}

    async def send(self, endpoint: Endpoint, params: Mapping[str, str | int], lane: Lane, patience_s: float) -> Reply:
        """As `Wire.send`; a query that is refused for its key goes once more with each other key (rule 2)."""
        reply: Reply | None = None
        while True:
            lease = self._manager.take(self._provider, ACCOUNT)
            if reply is not None and not isinstance(lease, Lease):
                return reply
            key = lease.key if isinstance(lease, Lease) else self._first  # rule 4
            reply = await self._of(key).send(endpoint, params, lane, patience_s)
            refused = isinstance(reply, Refused) and reply.code in self._codes.key_refused
            if isinstance(lease, Lease) and isinstance(reply, Answer | Refused):
                self._manager.report(lease, Outcome(Verdict.REFUSED, why=f"code {reply.code}")
                                     if refused and isinstance(reply, Refused) else DONE)
            if not refused or endpoint.places or not isinstance(lease, Lease):
                return reply

    def _of(self, key: Key) -> Wire:
        if key.mark not in self._wires:
            self._wires[key.mark] = self._make(key.parts[0], key.parts[1])
        return self._wires[key.mark]


def wire_of(link: Link, provider: str, api_key: str, secret: str, keys: ApiManager | None) -> Wire:
    """Requests of an account: over its one key, or over those of the manager as well."""
    if keys is None or not any(other.owner == ACCOUNT for other in keys.keys(provider)):
        return link.wire(api_key, secret)
    return KeyedWire(link.wire, keys, provider, link.codes, api_key, secret)
