"""Remote providers of sentiment over the keys of the API manager, and the judge that falls back to the local model.

1. The providers of the settings are asked in their order; one without a key, resting or failing is passed over.
2. A text that gives orders to whoever scores it is set aside: neutral, with no weight, and sent to nobody.
3. What no provider scored, the local model does; the score says `fallback` where a provider was wanted.
4. Cost and calls count for the key's quota owner (`ApiManager.report`).
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import httpx

from modules.apikeys.api_manager import ApiManager, Tired
from modules.apikeys.outcome import Outcome, Verdict, outcome
from modules.apikeys.profiles import PROFILES
from modules.sentiment import asking
from modules.sentiment.asking import Disbelieved, Rated
from modules.sentiment.language import language
from modules.sentiment.score import Label, LocalProvider, Score
from modules.sentiment.settings import ProviderName, SentimentSettings
from modules.sentiment.text import clean
from utils.chat_endpoint import Answer, ChatProblem, Endpoint, Reply, chat, post, raise_for
from utils.wall import now_ms

log = logging.getLogger(__name__)
SIDE = 0.2  # |score| from which a remote score takes a side
SET_ASIDE = "set-aside"  # provider of a text that speaks to the model
MOST_TRIES = 4  # keys tried for one question
HF_BASE = "https://router.huggingface.co/hf-inference"
NO_ANSWER = Outcome(Verdict.FAILED, why="no answer")


class Unscored(Exception):
    """No provider of this name answered; the text says why."""


class Remote(Protocol):
    """Scores a batch of texts remotely."""

    async def rate(self, texts: Sequence[str]) -> list[Rated]:
        """One rating for each text. Raises Unscored."""


class _Keyed:
    """A call with a key of the manager, again with the next key while one is limited or refused."""

    def __init__(self, name: ProviderName, manager: ApiManager, keyless: bool, price: tuple[float, ...],
                 now: Callable[[], int] = now_ms) -> None:
        self.name, self._manager, self._price, self._now = name, manager, price, now
        self._keyless = keyless and not manager.keys(name)

    async def ask(self, texts: Sequence[str]) -> list[Rated]:
        """Raises Unscored."""
        if self._keyless:
            try:
                return (await self._once("", texts))[0]()
            except (ChatProblem, Disbelieved) as failed:
                raise Unscored(str(failed)) from None
        problem = ""
        for _ in range(MOST_TRIES):
            lease = self._manager.take(self.name)
            if isinstance(lease, Tired):
                raise Unscored(problem or lease.why)
            told = NO_ANSWER
            try:
                read, told = await self._once(lease.key.secret, texts)
                return read()
            except ChatProblem as failed:
                told = self._outcome(failed)
                problem = str(failed)
                if failed.kind not in ("limited", "refused"):
                    raise Unscored(problem) from None
            except Disbelieved as lied:  # it costs what it costs, and tells of a provider that does not do its work
                told = told._replace(verdict=Verdict.FAILED, why="an answer that cannot be believed")
                raise Unscored(str(lied)) from None
            finally:
                self._manager.report(lease, told)
        raise Unscored(problem)

    async def _once(self, key: str, texts: Sequence[str]) -> tuple[Callable[[], list[Rated]], Outcome]:
        """How to read the answer, and what it tells of the key. Raises ChatProblem, Unscored."""
        raise NotImplementedError

    def _outcome(self, failed: ChatProblem) -> Outcome:
        status = 0 if failed.kind in ("too large", "garbage", "unreachable", "timeout") else failed.status
        return outcome(PROFILES[self.name], status, failed.headers, self._now(), retry_after_s=failed.retry_after_s,
                       code=failed.code)

    def _good(self, headers: dict[str, str], tokens_in: int = 0, tokens_out: int = 0) -> Outcome:
        cost = (tokens_in * self._price[0] + tokens_out * self._price[1]) / 1e6
        return outcome(PROFILES[self.name], 200, headers, self._now(), tokens=tokens_in + tokens_out, cost_usd=cost)


class ChatRemote(_Keyed):
    """OpenAI, whatever speaks its form, and Gemini."""

    def __init__(self, name: ProviderName, model: str, base_url: str, price: tuple[float, ...], timeout_s: float,
                 manager: ApiManager, client: httpx.AsyncClient) -> None:
        super().__init__(name, manager, bool(base_url), price)
        self._model, self._base, self._timeout_s, self._client = model, base_url, timeout_s, client

    async def rate(self, texts: Sequence[str]) -> list[Rated]:
        """Raises Unscored."""
        return await self.ask(texts)

    async def _once(self, key: str, texts: Sequence[str]) -> tuple[Callable[[], list[Rated]], Outcome]:
        try:
            endpoint = Endpoint("gemini" if self.name == "gemini" else "openai", self._model, self._base, key,
                                self._timeout_s, max_tokens=60 + 40 * (len(texts) + 1))
        except ValueError as problem:
            raise Unscored(str(problem)) from None
        answer: Answer = await chat(endpoint, asking.question(texts), self._client, json_only=True)
        good = self._good(answer.headers, answer.tokens_in, answer.tokens_out)
        return lambda: asking.believed(answer.text, len(texts)), good


class ClassifierRemote(_Keyed):
    """A text classification model at Hugging Face: it reads no instructions at all."""

    def __init__(self, model: str, base_url: str, timeout_s: float, manager: ApiManager,
                 client: httpx.AsyncClient) -> None:
        super().__init__("huggingface", manager, bool(base_url), (0.0, 0.0))
        self._url = f"{(base_url or HF_BASE).rstrip('/')}/models/{model}"
        self._timeout_s, self._client = timeout_s, client

    async def rate(self, texts: Sequence[str]) -> list[Rated]:
        """Raises Unscored."""
        return await self.ask(texts)

    async def _once(self, key: str, texts: Sequence[str]) -> tuple[Callable[[], list[Rated]], Outcome]:
        body = {"inputs": [clean(text)[:asking.MOST_TEXT] or "." for text in texts], "parameters": {"top_k": 5}}
        reply: Reply = await post(self._url, body, {"Authorization": f"Bearer {key}"} if key else {},
                                  timeout_s=self._timeout_s, max_bytes=262_144, client=self._client)
        raise_for(reply)
        return lambda: asking.classified(reply.body, len(texts)), self._good(reply.headers)


def remotes(settings: SentimentSettings, manager: ApiManager, client: httpx.AsyncClient) -> dict[str, Remote]:
    """The providers that can be asked at all: those with a key, and an OpenAI-like address that needs none."""
    found: dict[str, Remote] = {}
    for name in settings.providers:
        base = str(getattr(settings, f"{name}_base_url"))
        if not manager.keys(name) and not (base and name == "openai"):
            continue
        if name == "huggingface":
            found[name] = ClassifierRemote(settings.huggingface_model, base, settings.timeout_s, manager, client)
        else:
            found[name] = ChatRemote(name, str(getattr(settings, f"{name}_model")), base,
                                     getattr(settings, f"{name}_price"), settings.timeout_s, manager, client)
    return found


@dataclass(slots=True)
class Judge:
    """Scores texts: the remote providers in order, then the local model. `state` tells of each, in words."""

    local: LocalProvider
    remote: dict[str, Remote]
    models: dict[str, str]
    batch: int
    state: dict[str, str]

    async def score(self, texts: Sequence[str]) -> list[Score]:
        """One score for each text, whatever happens. Never raises for what texts or providers say."""
        aside = {place for place, text in enumerate(texts) if asking.speaks_to_model(clean(text))}
        found: list[Score | None] = [
            Score(0.0, Label.NEUTRAL, 0.0, SET_ASIDE) if place in aside else None for place in range(len(texts))]
        if self.remote:
            sent = [place for place, text in enumerate(texts) if clean(text) and place not in aside]
            for begin in range(0, len(sent), self.batch):
                places = sent[begin:begin + self.batch]
                for place, score in zip(places, await self._rated([texts[place] for place in places]), strict=True):
                    found[place] = score
        return [score if score is not None else self._local(text) for score, text in zip(found, texts, strict=True)]

    def _local(self, text: str) -> Score:
        score = self.local.score(text)
        return score.of("", None, fallback=bool(self.remote))

    async def _rated(self, texts: list[str]) -> list[Score | None]:
        for name, remote in self.remote.items():
            try:
                rated = await remote.rate(texts)
            except Unscored as problem:
                self._tell(name, str(problem))
                continue
            self._tell(name, "scores")
            return [_score(one, f"{name}:{self.models[name]}", text) for one, text in zip(rated, texts, strict=True)]
        return [None] * len(texts)

    def _tell(self, name: str, state: str) -> None:
        if self.state.get(name) != state:
            log.info("sentiment provider %s: %s", name, state)
        self.state[name] = state


def _score(rated: Rated, provider: str, text: str) -> Score:
    label = Label.NEUTRAL if abs(rated.score) < SIDE else Label.BULLISH if rated.score > 0 else Label.BEARISH
    return Score(rated.score, label, rated.confidence, provider, language=language(clean(text)))


def judge(settings: SentimentSettings, manager: ApiManager, client: httpx.AsyncClient, local: LocalProvider) -> Judge:
    """The judge that the settings and keys allow."""
    found = remotes(settings, manager, client)
    models = {name: str(getattr(settings, f"{name}_model")) for name in found}
    return Judge(local, found, models, settings.batch, {name: "not asked yet" for name in found})
