"""Settings of those who review trades of system C: the adviser, a language model, and the meta-layer (C16)."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from utils.chat_endpoint import Endpoint


class AdviserSettings(BaseModel):
    """Whom to ask, if anybody. With `provider` none nobody is asked and nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["none", "openai", "gemini", "huggingface"] = Field(
        "none", description="Whose form the endpoint speaks: none (nobody is asked), openai (and whatever is "
                            "compatible: set base_url), gemini, huggingface")
    model: str = Field("", max_length=200, description="Name of the model, as the provider calls it")
    base_url: str = Field("", max_length=300, description="Address of the endpoint; empty: the provider's own")
    key: SecretStr = Field(SecretStr(""), description="Key of the endpoint; empty where none is needed")
    timeout_s: float = Field(8.0, ge=0.5, le=60, description="Real seconds until a decision goes on without it")
    per_day: int = Field(300, ge=1, le=100_000, description="Questions a market day at most")
    veto: bool = Field(True, description="Whether its veto counts; off: it explains only")
    meta: bool = Field(True, description="Whether the meta-layer (a trained model that passed its gate) may scale or "
                                         "skip trades of system C")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        self.endpoint()
        return self

    def endpoint(self) -> Endpoint | None:
        """Where to ask; None for nobody. Raises ValueError."""
        if self.provider == "none":
            return None
        return Endpoint(self.provider, self.model, self.base_url, self.key.get_secret_value(), self.timeout_s,
                        max_bytes=32_768, max_tokens=400)
