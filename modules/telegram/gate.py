"""The one gate: who is served, and as what. Commands and buttons pass through here, nothing passes beside it.

1. Telegram serves listed users only, in a private chat only (a group would show reports to others).
2. Everyone else gets nothing; it is logged once per episode (until an hour of silence) and counted.
3. The console and local tools run with the rights of the person who owns the files: owner.
4. The dashboard has let its people log in, and says with which role.
"""

import logging
from collections.abc import Callable, Iterable

from modules.telegram.command import Role, Sender

log = logging.getLogger(__name__)
EPISODE_S = 3600.0
REMEMBERED = 1000


class Gate:
    """Roles by Telegram user id. `clock` is monotonic seconds."""

    def __init__(self, owners: Iterable[int], viewers: Iterable[int], clock: Callable[[], float]) -> None:
        self.owners = tuple(dict.fromkeys(owners))
        self.viewers = tuple(user for user in dict.fromkeys(viewers) if user not in self.owners)
        self.refused = 0
        self._clock = clock
        self._seen: dict[str, float] = {}

    def role(self, sender: Sender) -> Role | None:
        """The sender's role, or None (rule 2)."""
        if sender.channel in ("console", "local"):
            return Role.OWNER
        if sender.channel == "dashboard":
            return Role.OWNER if sender.user.startswith("owner:") else Role.VIEWER
        if not sender.user.isdigit() or sender.chat != int(sender.user):
            self._refuse(sender)
            return None
        if int(sender.user) in self.owners:
            return Role.OWNER
        if int(sender.user) in self.viewers:
            return Role.VIEWER
        self._refuse(sender)
        return None

    def _refuse(self, sender: Sender) -> None:
        self.refused += 1
        now = self._clock()
        last = self._seen.pop(sender.user, None)
        self._seen[sender.user] = now
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        if last is None or now - last > EPISODE_S:
            log.warning("not served: telegram user %s in chat %s is not listed in TELEGRAM_OWNERS or TELEGRAM_VIEWERS",
                        sender.user, sender.chat)
