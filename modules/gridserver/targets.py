"""Where webhooks may go (E11): public addresses only, judged when the URL is given and again when a connection is made.

1. The URL: https (http by a setting), a host, no user or password in it, no name or address that is this machine's or a
   private network's.
2. The connection: the host is resolved here, every address is judged, and aiohttp connects to exactly these, with the
   host's name for TLS. A name that turns private after the check (rebinding) is refused before a byte is sent; the
   socket's own address is judged once more as it is made, literals included.
3. Redirects are not followed, proxies of the environment are not used, cookies are not kept.
"""

import ipaddress
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

LONGEST = 2000
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".lan", ".intranet")
# No name of the public net ends in a number: what does is an address in an odd spelling (127.1, 0x7f.1).
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateTarget(OSError):
    """A connection would go to this machine or into a private network."""


def refused(address: str) -> str:
    """Why no webhook goes to an address, empty where one may."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return f"{address[:80]} is no address"
    inner = _embedded(found)
    if inner is not None:
        return refused(str(inner))
    if not found.is_global or found.is_multicast or found.is_reserved or found.is_unspecified:
        return f"{address} is an address of this machine or of a private network"
    return ""


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for (mapped, 6to4, NAT64, compatible)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if any(address in net for net in _NAT64) or 1 < int(address) < 1 << 32:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def problems(url: str, private: bool, plain: bool, name: str = "webhookUrl") -> list[str]:
    """What is wrong with a webhook's URL, one line each. `private`: private targets are allowed; `plain`: http is."""
    if len(url) > LONGEST:
        return [f"{name}: is longer than {LONGEST} characters"]
    if any(ord(sign) <= 32 or ord(sign) >= 127 for sign in url):
        return [f"{name}: has spaces or signs that do not belong into a URL; give them in %-form (names in xn--)"]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as problem:
        return [f"{name}: is no URL: {problem}"]
    wrong: list[str] = []
    if parts.scheme not in (("http", "https") if plain else ("https",)):
        wrong.append(f"{name}: must begin with https://, not {parts.scheme[:20] or 'nothing'}://")
    if parts.username is not None or parts.password is not None:
        wrong.append(f"{name}: has a user or password in it; webhooks are signed, they need none")
    if port == 0:
        wrong.append(f"{name}: port 0 is no port")
    if parts.fragment:
        wrong.append(f"{name}: ends in a fragment (#…) that is never sent")
    return wrong + _host_problems(host, private, name)


def _host_problems(host: str, private: bool, name: str) -> list[str]:
    if not host:
        return [f"{name}: names no host"]
    if private:
        return []
    plain = host.rstrip(".").lower()
    if any(plain == local.lstrip(".") or plain.endswith(local) for local in _LOCAL_NAMES if local):
        return [f"{name}: {host[:80]} is a name of this machine or of a private network"]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return [] if "." in plain and not _NUMBER.fullmatch(plain.rpartition(".")[2]) else [
            f"{name}: {host[:80]} is no public name"]
    return [f"{name}: {why}"] if (why := refused(host)) else []


class PublicResolver(AbstractResolver):
    """Resolves as the system does, and gives only addresses that may be reached; one private one refuses them all."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(self, host: str, port: int = 0,
                      family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for one in found:
            if why := refused(one["host"]):
                raise PrivateTarget(f"{host}: {why}")
        return found

    async def close(self) -> None:
        await self._inner.close()


def _judged_socket(info: Any) -> socket.socket:
    """The last judgement (rule 2): the address that the socket is made for."""
    family, kind, protocol, _, address = info
    if why := refused(str(address[0])):
        raise PrivateTarget(why)
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    return made


def client(private: bool, at_once: int, timeout_s: float, inner: AbstractResolver | None = None
           ) -> aiohttp.ClientSession:
    """A client that obeys the rules above. `private`: private targets are allowed (a setting, for tests and for a
    platform beside the server)."""
    connector = (aiohttp.TCPConnector(limit=at_once, limit_per_host=0, resolver=inner) if private else
                 aiohttp.TCPConnector(limit=at_once, limit_per_host=0, use_dns_cache=False,
                                      resolver=PublicResolver(inner), socket_factory=_judged_socket))
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=timeout_s), headers={"User-Agent": "coxswain-webhook"})
