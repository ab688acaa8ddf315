"""Settings of sentiment: sources, providers, and how long a text counts."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from utils.chat_endpoint import check_address

MAJORS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT", "XRPUSDT", "DOGEUSDT", "ADAUSDT", "AVAXUSDT", "LINKUSDT",
          "PEPEUSDT")
FEEDS = ("https://www.coindesk.com/arc/outboundfeeds/rss/", "https://cointelegraph.com/rss",
         "https://decrypt.co/feed")
ProviderName = Literal["openai", "gemini", "huggingface"]


class SentimentSettings(BaseModel):
    """What is read, who scores it, and how long it counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feeds: tuple[str, ...] = Field(FEEDS, description="RSS and Atom feeds, addresses; none: leave empty")
    subreddits: tuple[str, ...] = Field(("CryptoCurrency",), description="Read while apikeys.reddit has a key")
    tweets: str = Field("(bitcoin OR $BTC OR ethereum OR $ETH) lang:en -is:retweet", max_length=512,
                        description="Search at X; read while apikeys.twitter has a key")
    files: tuple[str, ...] = Field((), description="Files with texts: CSV, JSONL (column text), or one text a line")
    symbols: tuple[str, ...] = Field(MAJORS, description="Symbols that texts are tied to; others count for the market")
    poll_s: float = Field(120.0, ge=5, le=86_400, description="Seconds between two looks at a source, at least")
    file_poll_s: float = Field(5.0, ge=0.2, le=3600, description="Seconds between two looks at a file")
    max_age_h: float = Field(24.0, gt=0, le=720, description="Older texts are left out, hours")
    half_life_s: float = Field(3600.0, ge=10, le=1e6, description="After so long a text counts half, market s")
    providers: tuple[ProviderName, ...] = Field(("openai", "gemini", "huggingface"),
                                                description="Who scores, in this order; without a key: left out")
    batch: int = Field(16, ge=1, le=50, description="Texts in one question to a provider")
    timeout_s: float = Field(20.0, gt=0.1, le=120, description="Longest wait for a provider or source, seconds")
    openai_base_url: str = Field("", description="Other address that speaks OpenAI's form, e.g. http://127.0.0.1:11434/v1")
    openai_model: str = Field("gpt-4o-mini", description="Model at OpenAI or at openai_base_url")
    openai_price: tuple[float, ...] = Field((0.15, 0.6), description="USD a million tokens in, out; for the count only")
    gemini_base_url: str = Field("", description="Other address of Gemini")
    gemini_model: str = Field("gemini-2.0-flash", description="Model at Gemini")
    gemini_price: tuple[float, ...] = Field((0.1, 0.4), description="USD a million tokens in, out; for the count only")
    huggingface_base_url: str = Field("", description="Other address of Hugging Face's inference")
    huggingface_model: str = Field("ProsusAI/finbert", description="Text classification model at Hugging Face")
    reddit_base_url: str = Field("", description="Other address of Reddit (OAuth and listings)")
    twitter_base_url: str = Field("", description="Other address of X's API")
    disk_mb: float = Field(200.0, ge=1, le=1e6, description="Disk for recorded scores, MB; the oldest goes")
    keep_days: float = Field(365.0, gt=0, le=3650, description="Recorded scores are kept so long, days")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        """Refuse addresses and prices that cannot be used."""
        problems = []
        addresses = {f"feeds: {url}": url for url in self.feeds} | {
            name: getattr(self, name) for name in ("openai_base_url", "gemini_base_url", "huggingface_base_url",
                                                   "reddit_base_url", "twitter_base_url")}
        for name, url in addresses.items():
            try:
                if url:
                    check_address(url.split("?")[0], False)
            except ValueError as problem:
                problems.append(f"{name}: {problem}")
        for name in ("openai_price", "gemini_price"):
            if len(getattr(self, name)) != 2 or min(getattr(self, name)) < 0:
                problems.append(f"{name} needs two numbers, USD a million tokens in and out")
        if problems:
            raise ValueError("; ".join(problems))
        return self
