"""Secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256), the key from a variable or a file of mode 0600.

1. The keys are one or several, newest first: the newest seals, all open. Rotation puts a new one in front and seals
   everything anew; then the old ones may go.
2. A file that others may read is refused, never mended in silence: somebody may have read it already.
3. Processes that run see a changed file at their next use.
4. No text of any exception holds a key or a secret; it names the place and the mend.
"""

import os
import stat
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from utils.files import write_atomic
from utils.redact import register_secrets

if TYPE_CHECKING:  # loaded by who has a vault (9 MB), not by who only names one
    from cryptography.fernet import MultiFernet


class VaultError(Exception):
    """The key is missing, unreadable, readable for others, or not the one that sealed."""


class Place(NamedTuple):
    """Where keys are: in `text`, the value of `variable` (comma-separated), else in `file`, one a line."""

    variable: str
    file: Path
    text: str = ""

    @property
    def by_text(self) -> bool:
        """Whether the variable is set; it counts more than the file."""
        return bool(self.text.strip())


class Vault:
    """Seals and opens texts. `keys`: newest first; with `place` a file of keys is read anew whenever it has changed."""

    def __init__(self, keys: Sequence[str], place: Place | None = None) -> None:
        self._place = None if place is None or place.by_text else place
        self._mark = self._marked()
        self._use(keys)

    @classmethod
    def of(cls, place: Place, make: bool = True) -> "Vault":
        """The vault of a place; `make`: a key is made where there is none at all. Raises VaultError."""
        return cls(keys_of(place, make), place)

    def _use(self, keys: Sequence[str]) -> None:
        from cryptography.fernet import Fernet, MultiFernet
        register_secrets(keys)
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except (ValueError, TypeError):
            raise VaultError("A key for stored secrets is not a Fernet key (32 bytes in URL-safe base64, 44 "
                             "characters). Put the right one back; a new one cannot open what the old one sealed."
                             ) from None

    def _marked(self) -> tuple[int, int] | None:
        """What shows that the file has changed; None: there is none now."""
        try:
            found = self._place.file.stat() if self._place is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_ino)

    def _now(self) -> "MultiFernet":
        """The keys of now (rule 3)."""
        mark = self._marked()
        if self._place is not None and mark != self._mark:
            self._use(keys_of(self._place, make=False))
            self._mark = mark
        return self._fernet

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated. Raises VaultError where the key file cannot be used."""
        return self._now().encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed. Raises VaultError where no key of ours sealed it, or it was changed."""
        from cryptography.fernet import InvalidToken
        try:
            return self._now().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError("A stored secret cannot be opened: it was damaged, or sealed with another key. Put the "
                             "old key back behind the new one (comma-separated, or one line each in the file), or "
                             "enter the secret again.") from None

    def renewed(self, sealed: str) -> str:
        """The same secret, sealed with the newest key. Raises VaultError."""
        from cryptography.fernet import InvalidToken
        try:
            return self._now().rotate(sealed.encode()).decode()
        except InvalidToken:
            raise VaultError("A stored secret was sealed with a key that is not here: nothing was changed.") from None

    def __repr__(self) -> str:
        return "Vault(…)"


def new_key() -> str:
    """A fresh key."""
    from cryptography.fernet import Fernet
    return Fernet.generate_key().decode()


def keys_of(place: Place, make: bool = True) -> list[str]:
    """The keys, newest first; `make`: the first one is made where there is none. Raises VaultError with the mend."""
    if place.by_text:
        return [part.strip() for part in place.text.replace(",", "\n").splitlines() if part.strip()]
    file = place.file
    if make and not file.exists():
        _make(file)
    try:
        if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise VaultError(f"{file.name} may be read by other users of this machine. Run: chmod 600 {file.name}; if "
                             "somebody may have read it, replace the secrets that it protects.")
        keys = [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip() and line[0] != "#"]
    except OSError as problem:
        raise VaultError(f"{file.name}: the key for stored secrets cannot be read: {problem.strerror}. Set "
                         f"{place.variable}, or put the file back into {file.parent.name}/.") from None
    if not keys:
        raise VaultError(f"{file.name} holds no key. Put the old one back, or remove the file if nothing was sealed.")
    return keys


def _make(file: Path) -> None:
    try:
        write_keys(file, [new_key()], fresh=True)
    except FileExistsError:  # another process made it meanwhile
        pass
    except OSError as problem:
        raise VaultError(f"{file.name}: the key for stored secrets cannot be written: {problem.strerror}.") from None


def add_key(place: Place) -> None:
    """Put a new key before those in the file (the first step of a rotation). Raises VaultError, OSError."""
    known = keys_of(place._replace(text=""), make=False) if place.file.exists() else []
    write_keys(place.file, [new_key(), *known])


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


def write_secret(path: Path, sealed: str) -> None:
    """Replace a file of something sealed, readable by its owner only. Raises OSError."""
    write_atomic(path, sealed.encode())
    os.chmod(path, 0o600)
