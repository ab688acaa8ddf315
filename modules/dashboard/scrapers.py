"""Who may read /metrics without a login: whoever shows the token, and (by a setting) programs of this machine.

1. The token comes as ``Authorization: Bearer TOKEN`` and is compared in constant time. With it the Host may be any: a
   foreign page in a browser does not know it (DNS rebinding).
2. From loopback without a token only where the setting says so, only by a loopback name, and not where anything says
   that a proxy passed the request on.
3. Nothing else becomes readable by it.
"""

import hmac
from dataclasses import dataclass
from ipaddress import ip_address

PATH = "/metrics"
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "forwarded", "via")


@dataclass(frozen=True, slots=True, repr=False)
class Scrapers:
    """`token`: empty for none."""

    token: str = ""
    loopback: bool = False

    def shows_token(self, method: str, path: str, headers: dict[str, str]) -> bool:
        """Rule 1."""
        kind, _, shown = headers.get("authorization", "").partition(" ")
        return bool(self.token) and self._reads(method, path) and kind.lower() == "bearer" and \
            hmac.compare_digest(shown.strip().encode(), self.token.encode())

    def is_local(self, method: str, path: str, headers: dict[str, str], client: str) -> bool:
        """Rule 2; the Host was found to be one of ours already."""
        return self.loopback and self._reads(method, path) and _loopback(client) and \
            not any(name in headers for name in _FORWARDED)

    @staticmethod
    def _reads(method: str, path: str) -> bool:
        return path == PATH and method in ("GET", "HEAD")


def _loopback(client: str) -> bool:
    try:
        return ip_address(client).is_loopback
    except ValueError:
        return False
