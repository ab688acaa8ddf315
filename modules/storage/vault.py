"""Secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256), the key from the environment or a file of mode 0600.

1. The keys are one or several, newest first: the newest seals, all open (MultiFernet). Rotation puts a new one in
   front and seals everything anew; then the old ones may go.
2. A file that others may read is refused, never mended in silence. With no key set, one is made at first use.
   Processes that run see a changed file at their next use.
3. No text of any exception holds a secret.
"""

import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from utils.redact import register_secrets

NAME = "grid.key"


class VaultError(Exception):
    """The key is missing, unreadable, readable for others, or not the one that sealed."""


class Vault:
    """Seals and opens texts. `keys`: newest first; with `file` they are read anew whenever it has changed."""

    def __init__(self, keys: Sequence[str], file: Path | None = None) -> None:
        self._file = file
        self._mark = _mark(file)
        self._use(keys)

    @classmethod
    def of(cls, text: str, file: Path) -> "Vault":
        """By the setting's `text` (see `keys_of`), else by the file. Raises VaultError."""
        return cls(keys_of(text, file), None if text.strip() else file)

    def _use(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise VaultError("A key for stored secrets is not a Fernet key (32 bytes in URL-safe base64). Make one "
                             "with: bot.py gridserver key") from None
        register_secrets(keys)

    def _now(self) -> MultiFernet:
        """The keys of now."""
        mark = _mark(self._file)
        if self._file is not None and mark != self._mark:
            self._use(keys_of("", self._file, make=False))
            self._mark = mark
        return self._fernet

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated. Raises VaultError where the key file cannot be used."""
        return self._now().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises VaultError where no key of ours sealed it, or it was changed."""
        try:
            return self._now().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError("A stored secret cannot be opened: it was sealed with another key. Put the old key back "
                             "behind the new one (comma-separated, or one line each in the file).") from None

    def renewed(self, sealed: str) -> str:
        """The same secret, sealed with the newest key. Raises VaultError."""
        try:
            return self._now().rotate(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError("A stored secret was sealed with a key that is not here: nothing was changed.") from None

    def __repr__(self) -> str:
        return "Vault(…)"


def _mark(file: Path | None) -> tuple[int, int] | None:
    """What shows that a file has changed; None: there is none now."""
    try:
        found = file.stat() if file is not None else None
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino)


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode()


def keys_of(text: str, file: Path, make: bool = True) -> list[str]:
    """The keys: from the setting's `text` (comma-separated), else from `file`, made there at first (`make`).

    Raises VaultError with the mend; never shows a key.
    """
    if text.strip():
        return [part.strip() for part in text.split(",") if part.strip()]
    if not file.exists() and make:
        try:
            write_keys(file, [new_key()], fresh=True)
        except FileExistsError:  # another process made it meanwhile
            pass
        except OSError as problem:
            raise VaultError(f"{file.name}: the key for stored secrets cannot be written: "
                             f"{problem.strerror}.") from None
    try:
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise VaultError(f"{file.name} may be read by others. Run: chmod 600 {file.name}")
        keys = [line.strip() for line in file.read_text().splitlines() if line.strip() and not line.startswith("#")]
    except OSError as problem:
        raise VaultError(f"{file.name}: the key for stored secrets cannot be read: {problem.strerror}. Set "
                         "GRIDSERVER_SECRET_KEY or put the file back.") from None
    if not keys:
        raise VaultError(f"{file.name} holds no key. Put the old one back, or remove the file if nothing was sealed.")
    return keys


def write_keys(file: Path, keys: Sequence[str], fresh: bool = False) -> None:
    """Write the key file, readable for its owner only, whole or not at all. `fresh`: only where there is none.

    Raises OSError; FileExistsError where a fresh one is not.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    aside.unlink(missing_ok=True)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as opened:
        opened.write("\n".join(keys) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    if not fresh:
        os.replace(aside, file)
        return
    try:
        os.link(aside, file)
    finally:
        aside.unlink()
