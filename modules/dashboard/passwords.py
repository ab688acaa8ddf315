"""Passwords: kept as scrypt hashes, compared in constant time; the first start makes one.

    python -m modules.dashboard.passwords      reads a password, prints its hash for DASHBOARD_PASSWORD
"""

import base64
import binascii
import ctypes
import getpass
import hashlib
import hmac
import secrets
import sys
from pathlib import Path

import msgspec

from modules.storage.json_state import JsonFile

_N, _R, _P = 2**14, 8, 1  # 16 MB and some 50 ms for each try (RFC 7914)
_MEMORY = 64 * 1024 * 1024
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another


class Kept(msgspec.Struct, frozen=True):
    """``config/dashboard_login.json``: the hash of the password that was made here."""

    owner: str = ""


def hashed(password: str, salt: bytes | None = None) -> str:
    """``scrypt:N:R:P:SALT:HASH``, salt and hash in base64."""
    salt = salt if salt is not None else secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32)
    return f"scrypt:{_N}:{_R}:{_P}:{base64.b64encode(salt).decode()}:{base64.b64encode(key).decode()}"


def is_hash(text: str) -> bool:
    """Whether a setting holds a hash instead of a password."""
    return text.startswith("scrypt:") and text.count(":") == 5


def matches(password: str, stored: str) -> bool:
    """Whether `password` is the one of the hash; False for a hash that cannot be read."""
    try:
        _, n, r, p, salt, key = stored.split(":")
        wanted = base64.b64decode(key, validate=True)
        made = hashlib.scrypt(password.encode(), salt=base64.b64decode(salt, validate=True), n=int(n), r=int(r),
                              p=int(p), maxmem=_MEMORY, dklen=len(wanted))
    except (ValueError, binascii.Error):
        return False
    _give_back()
    return hmac.compare_digest(made, wanted)


def _give_back() -> None:
    """glibc keeps scrypt's 16 MB for itself after the first time; elsewhere there is nothing to do."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def made_up() -> str:
    """A new password: four groups, some 79 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))


def kept_file(config: Path) -> JsonFile[Kept]:
    """Where the hash of a password made here lies."""
    return JsonFile(config / "dashboard_login.json", Kept, Kept)


def owner_hash(setting: str, config: Path) -> tuple[str, str]:
    """The owner's hash, and the new password if one was just made. Raises StateError, OSError."""
    if setting:
        return (setting if is_hash(setting) else hashed(setting)), ""
    kept = kept_file(config).load()
    if kept.owner:
        return kept.owner, ""
    return renew(config)


def renew(config: Path) -> tuple[str, str]:
    """Make a password and keep its hash; returns both. Raises OSError."""
    password = made_up()
    stored = hashed(password)
    kept_file(config).save(Kept(stored))
    return stored, password


if __name__ == "__main__":
    sys.stdout.write(hashed(getpass.getpass("Password: ")) + "\n")
