"""Who asks: the platform (adds users), a user (its own grid only), the admin. Keys are compared in constant time.

1. A user's token is 256 random bits; only its SHA-256 is kept. An unknown user and a wrong token are one answer.
2. The admin's key opens every user's endpoints too; the platform's only adds users and renews tokens.
3. Who asks too often gets 429; the measure is the key's, so that one user cannot use up another's.
4. Refusals stand in the audit, at most 30 a minute: whoever guesses shall not fill the disk.
5. Of several keys in one request each has to be right.
"""

import hmac

from fastapi import Depends, HTTPException, Path, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from modules.gridserver.bodies import ID
from modules.gridserver.desk import Desk, hashed
from modules.gridserver.settings import GridServerSettings
from utils.buckets import Buckets

BEARER = HTTPBearer(auto_error=False, scheme_name="UserToken", description="The token that POST /api/v1/users gave")
PLATFORM = APIKeyHeader(name="X-Platform-Key", auto_error=False, scheme_name="PlatformKey")
ADMIN = APIKeyHeader(name="X-Admin-Key", auto_error=False, scheme_name="AdminKey")
_BEARER, _PLATFORM, _ADMIN = Depends(BEARER), Depends(PLATFORM), Depends(ADMIN)
Token = HTTPAuthorizationCredentials | None
_NOBODY = hashed("nobody")  # compared with where there is no such user: the answer takes as long


class Door:
    """The dependencies of the routes; each gives the name of who asks, for the audit."""

    def __init__(self, desk: Desk, server: GridServerSettings) -> None:
        self.desk = desk
        self._platform = _kept(server.platform_key)
        self._admin = _kept(server.admin_key)
        self._users = Buckets(server.requests_s, server.burst)
        self._keys = Buckets(server.address_s, server.address_s * 2)
        self._lines = Buckets(0.5, 30)

    async def platform(self, request: Request, key: str | None = _PLATFORM,
                       admin: str | None = _ADMIN) -> str:
        """The platform or the admin."""
        if key is None:
            return await self.admin(request, admin)
        if not _same(key, self._platform):
            return await self._refuse(request, "")
        return self._measured(self._keys, "platform")

    async def admin(self, request: Request, key: str | None = _ADMIN) -> str:
        """The admin."""
        if _same(key, self._admin):
            return self._measured(self._keys, "admin")
        return await self._refuse(request, "")

    async def user(self, request: Request, user_id: str = Path(alias="id", pattern=ID, max_length=64),
                   token: Token = _BEARER,
                   admin: str | None = _ADMIN) -> str:
        """The user that the path names, or the admin. Whatever key is shown has to be right (rule 5)."""
        odd = token is None and "authorization" in request.headers  # another scheme than Bearer
        if odd or token is None and admin is None or admin is not None and not _same(admin, self._admin):
            return await self._refuse(request, user_id)
        if token is not None:
            known = await self.desk.sql(self.desk.store.users.token, user_id)
            if not hmac.compare_digest(hashed(token.credentials), known or _NOBODY) or known is None:
                return await self._refuse(request, user_id)
        if admin is not None:
            return self._measured(self._keys, "admin")
        return self._measured(self._users, f"user:{user_id}")

    async def owner(self, request: Request, user_id: str = Path(alias="id", pattern=ID, max_length=64),
                    token: Token = _BEARER,
                    key: str | None = _PLATFORM, admin: str | None = _ADMIN) -> str:
        """The user, the platform or the admin: for a new token."""
        if key is not None and not _same(key, self._platform):
            return await self._refuse(request, user_id)
        if key is not None and admin is None and "authorization" not in request.headers:
            return self._measured(self._keys, "platform")
        return await self.user(request, user_id, token, admin)

    def _measured(self, buckets: Buckets, who: str) -> str:
        if wait := buckets.wait_s(who):
            raise HTTPException(429, "Too many requests with this key; wait a little.",
                                {"Retry-After": str(int(wait) + 1)})
        return who

    async def _refuse(self, request: Request, user_id: str) -> str:
        if not self._lines.wait_s("refusals"):
            await self.desk.sql(self.desk.store.audit, "?", f"{request.method} refused", user_id, address(request),
                                "401", {"path": request.url.path[:200]})
        raise HTTPException(401, "The key is missing or wrong.", {"WWW-Authenticate": "Bearer"})


def address(request: Request) -> str:
    """Where a request comes from (behind a proxy on this machine: what it says)."""
    return request.client.host if request.client else "?"


def _kept(key: SecretStr) -> str:
    """What is compared with; empty: nobody has this key."""
    return hashed(key.get_secret_value()) if key.get_secret_value() else ""


def _same(given: str | None, known: str) -> bool:
    """In constant time; a key that is not set is nobody's."""
    return hmac.compare_digest(hashed(given or ""), known or hashed("")) and bool(known) and bool(given)
