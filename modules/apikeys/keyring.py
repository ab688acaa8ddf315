"""The keys themselves: from the environment (settings ``apikeys.*``) and the encrypted file ``config/apikeys.enc``.

A key is written ``OWNER=KEY``, or ``KEY`` alone, which then is its own quota owner. Commas stand between the keys of
one provider. A key of several parts (exchanges, Reddit) joins them by ``:`` (``main=KEY:SECRET``).
"""

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from modules.apikeys.profiles import PROFILES, Profile
from utils.files import locked, read_whole
from utils.paths import Paths
from utils.redact import masked, register_secrets
from utils.vault import Place, Vault, VaultError, write_secret

FILE = "apikeys.enc"
VAULT_FILE, VARIABLE = "vault.key", "COXSWAIN_VAULT_KEY"
_OWNER = re.compile(r"[A-Za-z0-9_-]{1,24}")
_LETTERS = re.compile(r"[!-~]+")
_LONGEST = 4096
Stored = dict[str, list[str]]


class KeyringError(ValueError):
    """A key that cannot be one, or a file that does not open; the text names the mend and no secret."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `parts`: its secret parts in the order of the profile. Its text shows the mask only."""

    provider: str
    owner: str
    parts: tuple[str, ...] = field(repr=False)

    @property
    def secret(self) -> str:
        """The first part: the key that travels in a header."""
        return self.parts[0]

    @property
    def mask(self) -> str:
        """As people and logs see it."""
        return masked(self.parts[0])

    @property
    def mark(self) -> str:
        """A name for the shared page: a hash that tells nothing, another one for a replaced key."""
        return hashlib.blake2b(":".join(self.parts).encode(), digest_size=8, person=b"apikey").hexdigest()


def parse(profile: Profile, text: str) -> list[Key]:
    """The keys in a setting. Raises KeyringError; the text of a key is never repeated."""
    found: list[Key] = []
    for number, piece in enumerate((part.strip() for part in text.split(",")), 1):
        if piece:
            found.append(_key(profile, piece, number))
    doubled = {key.mark for key in found if sum(other.mark == key.mark for other in found) > 1}
    if doubled:
        raise KeyringError(f"{profile.name}: the same key stands there twice")
    return found


def _key(profile: Profile, piece: str, number: int) -> Key:
    left, sign, right = piece.partition("=")
    owner, secret = (left, right) if sign and right and _OWNER.fullmatch(left) else ("", piece)
    parts = tuple(secret.split(":")) if len(profile.parts) > 1 else (secret,)
    form = ":".join(part.upper() for part in profile.parts)
    where = f"{profile.name}: key {number}"
    if len(parts) != len(profile.parts) or not all(parts):
        raise KeyringError(f"{where} has {len(parts)} part(s); it is written OWNER={form} or {form}")
    if not all(_LETTERS.fullmatch(part) for part in parts) or len(secret) > _LONGEST:
        raise KeyringError(f"{where} holds a letter that no key has, or is longer than any key")
    register_secrets(parts)
    key = Key(profile.name, owner, parts)
    return key if owner else Key(profile.name, f"k{key.mark[:6]}", parts)


def vault_place(paths: Paths) -> Place:
    """Where the keys of this installation's vault are."""
    return Place(VARIABLE, paths.config / VAULT_FILE, os.environ.get(VARIABLE, ""))


class KeyFile:
    """The encrypted file."""

    def __init__(self, paths: Paths) -> None:
        self._place = vault_place(paths)
        self.path: Path = paths.config / FILE

    def load(self) -> Stored:
        """Texts of keys by provider; empty where there is no file. Raises KeyringError, OSError."""
        try:
            token = read_whole(self.path)
        except FileNotFoundError:
            return {}
        try:
            opened = Vault.of(self._place, make=False).open(token.decode("ascii", "replace"))
            return msgspec.json.decode(opened, type=Stored)
        except VaultError as problem:
            raise KeyringError(f"config/{FILE}: {problem}") from None
        except msgspec.MsgspecError:
            raise KeyringError(f"config/{FILE} holds something else than keys; remove it and add the keys again"
                               ) from None

    def add(self, provider: str, text: str) -> Key:
        """Keep one key more, ``OWNER=KEY`` or ``KEY``. Raises KeyringError, OSError."""
        if "," in text:
            raise KeyringError("one key at a time")
        added = parse(PROFILES[provider], text)
        if not added:
            raise KeyringError("no key was given")
        with locked(self.path):
            stored = self.load()
            known = stored.get(provider, [])
            parse(PROFILES[provider], ",".join([*known, text]))
            self._save({**stored, provider: [*known, text.strip()]})
        return added[0]

    def remove(self, provider: str, name: str) -> int:
        """Forget the keys of `provider` with this owner, or whose text begins or ends with `name`; how many went.

        Raises KeyringError, OSError.
        """
        with locked(self.path):
            stored = self.load()
            kept = [text for text in stored.get(provider, ())
                    if not any(key.owner == name or key.mask == name for key in parse(PROFILES[provider], text))]
            gone = len(stored.get(provider, ())) - len(kept)
            if gone:
                self._save({**{each: texts for each, texts in stored.items() if each != provider},
                            **({provider: kept} if kept else {})})
        return gone

    def renew(self) -> None:
        """Close the file with the vault's newest key. Raises KeyringError, OSError."""
        with locked(self.path):
            stored = self.load()
            if stored:
                self._save(stored)

    def _save(self, stored: Stored) -> None:
        try:
            vault = Vault.of(self._place, make=not self.path.exists())
            write_secret(self.path, vault.seal(msgspec.json.encode(stored).decode()))
        except VaultError as problem:
            raise KeyringError(str(problem)) from None


def merged(settings_texts: dict[str, str], stored: Stored) -> dict[str, list[Key]]:
    """All keys by provider: first the environment's, then the file's; each counts once. Raises KeyringError."""
    found: dict[str, list[Key]] = {}
    for name, profile in PROFILES.items():
        keys = parse(profile, settings_texts.get(name, ""))
        marks = {key.mark for key in keys}
        keys += [key for text in stored.get(name, ()) for key in parse(profile, text) if key.mark not in marks]
        if keys:
            found[name] = keys
    return found
