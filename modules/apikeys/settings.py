"""Settings of the API manager."""

import re
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from modules.apikeys.keyring import KeyringError, parse
from modules.apikeys.profiles import PROFILES

_LIMIT = re.compile(r"(?P<name>[a-z]+)((?: (?:rpm|rpd|tpd)=\d{1,9}| usd=\d{1,6}(?:\.\d+)?)+)")
_HOW = "Keys of {}: OWNER=KEY, several with commas; owners are quotas (project, organisation, account)"


class Limits(BaseModel):
    """Of one quota owner; 0: none. Calls a minute, calls and tokens a day, dollars a day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rpm: int = 0
    rpd: int = 0
    tpd: int = 0
    usd: float = 0.0


class ApiKeySettings(BaseModel):
    """Keys of every provider, and limits of our own. Keys may also lie in the encrypted file (`bot.py apikeys add`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    openai: SecretStr = Field(SecretStr(""), description=_HOW.format("OpenAI or what speaks its form"))
    gemini: SecretStr = Field(SecretStr(""), description=_HOW.format("Gemini"))
    huggingface: SecretStr = Field(SecretStr(""), description=_HOW.format("Hugging Face"))
    twitter: SecretStr = Field(SecretStr(""), description=_HOW.format("X (Twitter), bearer tokens"))
    reddit: SecretStr = Field(SecretStr(""), description=_HOW.format("Reddit, KEY is ID:SECRET"))
    binance: SecretStr = Field(SecretStr(""), description=_HOW.format("Binance futures, KEY is KEY:SECRET"))
    bybit: SecretStr = Field(SecretStr(""), description=_HOW.format("Bybit, KEY is KEY:SECRET"))
    mexc: SecretStr = Field(SecretStr(""), description=_HOW.format("MEXC, KEY is KEY:SECRET"))
    limits: tuple[str, ...] = Field((), description="Limits of each quota owner, e.g. gemini rpm=10 rpd=250, "
                                                    "openai usd=1 (rpm, rpd calls; tpd tokens, usd a day)")
    refused_again_h: float = Field(12.0, gt=0, le=720, description="A refused key is tried again after so many hours")

    @model_validator(mode="after")
    def _readable(self) -> Self:
        """Refuse keys and limits that cannot be read."""
        problems = []
        for name, profile in PROFILES.items():
            try:
                parse(profile, self.text(name))
            except KeyringError as problem:
                problems.append(str(problem))
        for text in self.limits:
            match = _LIMIT.fullmatch(text)
            if match is None or match["name"] not in PROFILES:
                problems.append(f"limits: {text!r} is not like 'gemini rpm=10 rpd=250'; providers: "
                                f"{', '.join(PROFILES)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def text(self, provider: str) -> str:
        """The keys of a provider as they were given."""
        value = getattr(self, provider)
        return value.get_secret_value() if isinstance(value, SecretStr) else ""

    def limits_of(self, provider: str) -> Limits:
        """The profile's limits with what the settings say."""
        profile = PROFILES[provider]
        found: dict[str, float] = {"rpm": profile.rpm, "rpd": profile.rpd}
        for text in self.limits:
            name, *parts = text.split(" ")
            if name == provider:
                found.update((part.split("=")[0], float(part.split("=")[1])) for part in parts)
        return Limits.model_validate(found)
