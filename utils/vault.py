"""Secrets at rest: encrypted with Fernet (AES-128-CBC and HMAC-SHA256), under a key of this installation.

1. The key comes from ``COXSWAIN_VAULT_KEY`` or from the file ``config/vault.key`` of mode 0600. Several keys,
   separated by commas or lines: the first encrypts, all decrypt (rotation).
2. A key file that others may read is refused, not mended silently: somebody may have read it already.
3. Nothing here ever says what it encrypts: errors name the file and the mend.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from utils.files import locked, write_atomic
from utils.paths import Paths
from utils.redact import register_secrets

VARIABLE = "COXSWAIN_VAULT_KEY"
FILE = "vault.key"


class VaultError(Exception):
    """No key, a key that is none, or bytes that this key does not open; the text says which and the mend."""


class Vault:
    """Encrypts and decrypts. Its text shows nothing of the key."""

    def __init__(self, keys: list[str]) -> None:
        """The first of `keys` encrypts, all decrypt. Raises VaultError for none, or one that is no Fernet key."""
        if not keys:
            raise VaultError("no key to encrypt with")
        register_secrets(keys)
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise VaultError(f"a key in {VARIABLE} or config/{FILE} is none: it is 32 bytes as url-safe base64 (44 "
                             "characters). Put the right one back; a new one cannot open what the old one closed."
                             ) from None

    @classmethod
    def open(cls, paths: Paths, *, make: bool = False, variables: Mapping[str, str] | None = None) -> "Vault":
        """The vault of this installation. With `make`, a key file is made where there is no key at all.

        Raises VaultError, OSError.
        """
        given = (os.environ if variables is None else variables).get(VARIABLE, "")
        if given.strip():
            return cls(_split(given))
        file = paths.config / FILE
        if not file.exists():
            if not make:
                raise VaultError(f"there is no key to open the encrypted secrets with: set {VARIABLE}, or put the file "
                                 f"{FILE} of this installation back into config/")
            with locked(file):  # two processes make one key
                if not file.exists():
                    make_key(file)
        if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise VaultError(f"config/{FILE} may be read by other users of this machine. Run: chmod 600 {FILE}; if "
                             "somebody may have read it, replace the secrets it protects.")
        return cls(_split(file.read_text("utf-8")))

    def encrypt(self, secret: bytes) -> bytes:
        """A token in url-safe base64 that holds `secret`; another one each time."""
        return self._fernet.encrypt(secret)

    def decrypt(self, token: bytes) -> bytes:
        """What `token` holds. Raises VaultError where it was changed or closed with another key."""
        try:
            return self._fernet.decrypt(token)
        except InvalidToken:
            raise VaultError(f"the encrypted secrets do not open: they were damaged, or closed with another key. Put "
                             f"the right key back ({VARIABLE} or config/{FILE}), or enter the secrets again.") from None

    def renewed(self, token: bytes) -> bytes:
        """The same secret, closed with the first key. Raises VaultError."""
        try:
            return self._fernet.rotate(token)
        except InvalidToken:
            raise VaultError("the encrypted secrets do not open with any key of this installation") from None


def make_key(file: Path) -> None:
    """Write a new key to `file` (mode 0600), before the keys that stand there already. Raises OSError."""
    known = _split(file.read_text("utf-8")) if file.exists() else []
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.new")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, "\n".join([Fernet.generate_key().decode(), *known, ""]).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(aside, file)


def write_secret(path: Path, token: bytes) -> None:
    """Replace a file of encrypted bytes, readable by its owner only. Raises OSError."""
    write_atomic(path, token)
    os.chmod(path, 0o600)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.replace(",", "\n").splitlines() if part.strip()]
